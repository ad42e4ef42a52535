"""evmcore serve: a node for tools and tests, JSON-RPC over HTTP and WebSocket."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from ..chain import Genesis
from ..errors import UnusableInput
from ..files import read_file
from ..header import NEWEST_FORK
from .output import EXIT_OK, say
from .remote import add_node_arguments, source_of

SUMMARY = "serve a chain to tools: JSON-RPC over HTTP and WebSocket"
DESCRIPTION = """\
Serves a chain for development and tests, or a genesis with blocks on it, as a node does: eth_, debug_, net_, web3_, txpool_, and evm_, anvil_
and hardhat_ to change it. Needs aiohttp: pip install evmcore[server]. It asks for no password: the default host is this machine alone.
"""
EXAMPLES = """\
  evmcore serve                                        ten accounts with 10,000 ether each, a block for each transaction
  evmcore serve --mining 12 --fork Prague              a block each 12 seconds
  evmcore serve --fork-url https://node.example/key --fork-block 19000000
  evmcore serve --genesis genesis.json --import chain.rlp --port 8545

It ends with Ctrl-C. exit status: 0, 2 unusable input, a refused block or a port that is taken
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=_port, default=8545, metavar="N", help="port; 0: one that is free (default: 8545)"
    )
    chain = parser.add_argument_group("the chain")
    chain.add_argument("--genesis", metavar="FILE", help="the first block, its state, the forks, in go-ethereum's form")
    chain.add_argument("--import", dest="imported", metavar="FILE", help="blocks on the genesis, in RLP")
    chain.add_argument(
        "--fork", default=None, metavar="NAME", help=f"without a genesis: its rules (default: {NEWEST_FORK})"
    )
    chain.add_argument("--chain-id", type=_number, default=None, metavar="N", help="without a genesis (default: 31337)")
    chain.add_argument(
        "--gas-limit", type=_number, default=None, metavar="N", help="without a genesis (default: 30000000)"
    )
    chain.add_argument(
        "--accounts", type=_number, default=10, metavar="N", help="accounts that it signs for (default: 10)"
    )
    chain.add_argument("--balance", type=_number, default=10_000, metavar="ETHER", help="of each, without a genesis")
    chain.add_argument("--mnemonic", default=None, metavar="PHRASE", help='of their keys (default: "test test … junk")')
    chain.add_argument(
        "--mining", type=_mining, default=None, metavar="M",
        help="auto: a block for each transaction; none: when it is asked for; a number: each so many seconds "
        "(default: auto, with --import none)",
    )  # fmt: skip
    add_node_arguments(parser, "--fork-url", is_needed=False)
    parser.add_argument(
        "--fork-block",
        dest="block_of_node",
        metavar="BLOCK",
        help="of the node: a number, a hash or a tag (default: latest)",
    )
    limits = parser.add_argument_group("limits")
    for options, name, _, text in _LIMITS:
        limits.add_argument(*options.split(), dest=name, type=_positive, default=None, metavar="N", help=text)
    limits.add_argument(
        "--rpc-evm-timeout", dest="call_seconds", type=_seconds, default=None, metavar="S",
        help="seconds for the execution of a call or an estimate, or as go-ethereum has it: 5s, 500ms (default: 5)",
    )  # fmt: skip
    limits.add_argument(
        "--keep-states", type=_positive, default=None, metavar="N", help="of the last N blocks alone (default: of all)"
    )
    limits.add_argument("--workers", type=_number, default=8, metavar="N", help="threads for executions (default: 8)")
    limits.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="a name that clients call it by"
    )
    limits.add_argument(
        "--allow-origin", action="append", default=[], metavar="URL", help="a web site that may call it; * for all"
    )


_MB = 1024 * 1024
# options, field of Limits, what one is, help
_LIMITS: tuple[tuple[str, str, int, str], ...] = (
    ("--max-body-mb", "body_bytes", _MB, "of a request (default: 5)"),
    ("--max-batch", "batch_items", 1, "requests in a batch (default: 1000)"),
    ("--max-response-mb", "response_bytes", _MB, "of an answer (default: 64)"),
    ("--max-connections", "connections", 1, "at a time (default: 1000)"),
    ("--request-timeout", "request_seconds", 1, "seconds for an answer (default: 60)"),
    ("--gas-cap --rpc-gas-cap", "gas", 1, "of a call or an estimate (default: 50000000)"),
    ("--max-mined-blocks", "mined_blocks", 1, "blocks that a request has mined (default: 100000)"),
    ("--max-log-blocks", "log_blocks", 1, "blocks that eth_getLogs looks at (default: 100000)"),
)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise argparse.ArgumentTypeError(f"not a number: {text[:40]!r}")
    return int(text)


def _positive(text: str) -> int:
    if _number(text) == 0:
        raise argparse.ArgumentTypeError("has to be above 0")
    return int(text)


def _seconds(text: str) -> float:
    """A time in seconds, or with its unit."""
    number, scale = text, 1.0
    for unit, factor in (("ms", 0.001), ("s", 1.0), ("m", 60.0)):
        if text.endswith(unit):
            number, scale = text.removesuffix(unit), factor
            break
    try:
        seconds = float(number) * scale
    except ValueError:
        seconds = 0.0
    if not 0.001 <= seconds <= 10**9:
        raise argparse.ArgumentTypeError(f"no time above 0: {text[:40]!r}")
    return seconds


def _port(text: str) -> int:
    if _number(text) > 65535:
        raise argparse.ArgumentTypeError("a port is at most 65535")
    return int(text)


def _mining(text: str) -> str | float:
    if text in ("auto", "none"):
        return text
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.001 <= seconds <= 10**9:
        raise argparse.ArgumentTypeError(f"not auto, none or seconds: {text[:40]!r}")
    return seconds


def node_of(arguments: argparse.Namespace) -> tuple[Any, Any]:
    """(what is to be served, the accounts whose keys are shown). Raises UnusableInput, RemoteError, what refuses a block."""
    try:
        from ..server import Limits, Node
    except ImportError as error:  # pragma: no cover
        raise UnusableInput(f"serve: {error}: pip install evmcore[server]") from None
    from ..server.accounts import MNEMONIC, dev_accounts

    if arguments.node:
        for name in ("genesis", "fork", "chain_id"):
            if getattr(arguments, name) is not None:
                raise UnusableInput(f"--{name.replace('_', '-')}: the node says it")
    elif arguments.block_of_node is not None:
        raise UnusableInput("--fork-block: needs --fork-url, the node that it is of")
    if arguments.imported and not arguments.genesis:
        raise UnusableInput("--import: needs --genesis, the block that they are on")
    given = {
        name: scale * getattr(arguments, name) for _, name, scale, _ in _LIMITS if getattr(arguments, name) is not None
    }
    if arguments.call_seconds is not None:
        given["call_seconds"] = arguments.call_seconds
    limits = replace(Limits(), **given)
    accounts = dev_accounts(arguments.accounts, arguments.mnemonic or MNEMONIC)
    mining = arguments.mining or ("none" if arguments.imported else "auto")
    fork = _fork(arguments, accounts) if arguments.node else None
    chain = _chain(arguments, accounts) if fork is None else fork.chain()
    chain.states_kept = arguments.keep_states
    node = Node(chain, accounts=accounts, mining=mining, limits=limits, fork=fork)
    return node, () if arguments.genesis else accounts


def main(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C; the exit status."""
    node, shown = node_of(arguments)
    from ..server import Server

    chain, fork = node.chain, node.fork
    server = Server(
        node,
        host=arguments.host,
        port=arguments.port,
        workers=max(1, arguments.workers),
        hosts=arguments.allow_host,
        origins=arguments.allow_origin,
    )

    def ready() -> None:
        head = chain.head
        if fork is not None:
            say(f"fork of {fork.url} at block {fork.number} 0x{fork.source.hash.hex()}")
        say(f"chain {chain.chain_id}, block {head.number} 0x{head.hash.hex()} ({chain.pending.header.fork})")
        for account in shown:
            say(f"account 0x{account.address.hex()}  key 0x{account.key.hex()}")
        say(f"listening at {server.url}")

    server.run(ready)
    return EXIT_OK


def _fork(arguments: argparse.Namespace, accounts: Any) -> Any:
    from ..server.forking import Fork

    return Fork(
        source_of(arguments),
        accounts=accounts,
        balance=arguments.balance * 10**18,
        gas_limit=arguments.gas_limit,
        rules=arguments.rules,
    )


def _chain(arguments: argparse.Namespace, accounts: Any) -> Any:
    from ..dev import DevChain
    from ..tools.importing import _pieces

    if arguments.genesis:
        for name in ("fork", "chain_id", "gas_limit"):
            if getattr(arguments, name) is not None:
                raise UnusableInput(f"--{name.replace('_', '-')}: the genesis says it")
        blocks = []
        for piece in _pieces(read_file(arguments.imported)) if arguments.imported else ():
            if piece.fault:
                raise UnusableInput(f"{arguments.imported}: {piece.fault}")
            blocks.append(piece.encoded)
        return DevChain.from_genesis(Genesis.load(arguments.genesis), blocks)
    return DevChain(
        {account.address: {"balance": arguments.balance * 10**18} for account in accounts},
        forks=arguments.fork or NEWEST_FORK,
        chain_id=31337 if arguments.chain_id is None else arguments.chain_id,
        genesis={"gas_limit": arguments.gas_limit or 30_000_000},
    )
