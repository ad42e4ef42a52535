"""What commands that ask a node share: its URL and how it is asked."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from ..errors import UnusableInput
from ..hexadecimal import to_hex
from .output import fork, say

if TYPE_CHECKING:
    from ..remote import FetchedBlock, RpcClient, RpcSource

RPC_VARIABLE = "EVMCORE_RPC_URL"


def add_node_arguments(
    parser: argparse.ArgumentParser,
    name: str | None = "--rpc",
    *,
    is_needed: bool = True,
    has_block: bool | None = None,
) -> None:
    """The URL, and how the node is asked.

    name       of the option with the URL; None: the command has one of its own
    is_needed  whether the command takes the URL of the environment where it is given none
    has_block  whether a block may follow the URL; None: but for --rpc
    """
    group = parser.add_argument_group("the node")
    if has_block is None:
        has_block = name != "--rpc"
    what = "its URL, and a block of it after an @ (default: latest)" if has_block else "its URL"
    where = f"${RPC_VARIABLE}, which other users of the machine don't see"
    if name is not None:
        group.add_argument(
            name,
            dest="node",
            metavar="URL[@BLOCK]" if has_block else "URL",
            help=f"{what}; {'without it' if is_needed else '- is'} {where}",
        )
    group.add_argument("--rate", type=_positive, metavar="N", help="calls a second at most")
    group.add_argument(
        "--timeout", type=_positive, default=30.0, metavar="S", help="seconds for a request (default: 30)"
    )
    group.add_argument(
        "--verify", action="store_true", help="take nothing on trust but the block's hash: ask for proofs"
    )
    group.add_argument(
        "--cache",
        default=True,
        metavar="FILE",
        help="where answers are kept; - is nowhere (default: the user's cache directory)",
    )
    group.add_argument(
        "--rules", type=fork, metavar="FORK", help="whose rules hold, on a chain that isn't a public one"
    )


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not more than 0")
    return value


def is_node(text: str) -> bool:
    """Whether what an option is given is a node: a URL, or - for that of the environment."""
    return "://" in text or text == "-"


def refuse_node_arguments(arguments: argparse.Namespace, name: str) -> None:
    """UnusableInput where options of a node are given and none is named. name: of the option that would name it."""
    for option in ("rate", "verify", "rules"):
        if getattr(arguments, option):
            raise UnusableInput(f"--{option}: needs {name} with a node's URL")


def place_json(source: RpcSource) -> dict[str, Any]:
    """Where something was executed, for a command's JSON object."""
    return {
        "chain_id": source.chain_id,
        "block": source.number,
        "block_hash": to_hex(source.hash),
        "fork": source.header.fork,
    }


def print_place(source: RpcSource) -> None:
    """The same for people."""
    say(f"block     {source.number} ({source.header.fork}) {to_hex(source.hash)}")


def client_of(arguments: argparse.Namespace) -> RpcClient:
    """The node that the arguments name. UnusableInput where they name none, or its package isn't there."""
    return _client(_url(arguments), arguments)


def source_of(arguments: argparse.Namespace) -> RpcSource:
    """The state of the block that URL[@BLOCK] names."""
    url, block = split_block(_url(arguments))
    given = getattr(arguments, "block_of_node", None)
    if given is not None:
        if block != "latest":
            raise UnusableInput("the block is named twice: after the URL's @, and by its own option")
        block = int(given) if given.isdecimal() else given
    client = _client(url, arguments)
    from ..remote import RpcSource

    return RpcSource(client, block, verify=arguments.verify, cache=arguments.cache, fork=arguments.rules)


def fetch_named_block(
    client: RpcClient, block: int | str, arguments: argparse.Namespace, *, witness: bool = False
) -> FetchedBlock:
    """A block of the node, fetched as the arguments of its options and of --workers say."""
    from ..remote import fetch_block

    return fetch_block(
        client,
        block,
        witness=witness,
        workers=arguments.workers,
        verify=arguments.verify,
        cache=arguments.cache,
        fork=arguments.rules,
    )


def _url(arguments: argparse.Namespace) -> str:
    url = arguments.node if arguments.node not in (None, "", "-") else os.environ.get(RPC_VARIABLE)
    if not url:
        raise UnusableInput(f"no node: name its URL, or set {RPC_VARIABLE}")
    return str(url)


def _client(url: str, arguments: argparse.Namespace) -> RpcClient:
    if arguments.cache == "-":
        arguments.cache = False
    options: dict[str, Any] = {"timeout": arguments.timeout, "rate": arguments.rate}
    try:
        from ..remote import RpcClient
    except ImportError as error:
        raise UnusableInput(str(error)) from None
    return RpcClient(url, **options)


def split_block(text: str) -> tuple[str, int | str]:
    """(URL, block) of URL[@BLOCK]. An @ may also end a user's name in the URL: what follows it then is no block."""
    from ..remote.blocks import TAGS

    url, at, block = text.rpartition("@")
    if at and (block in (*TAGS, "pending") or block.isdecimal() or (block.startswith("0x") and block[2:].isalnum())):
        return url, int(block) if block.isdecimal() else block
    return text, "latest"
