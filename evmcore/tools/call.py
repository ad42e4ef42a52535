"""`evmcore call`: a message call in the state of a node's block, which is fetched as it is needed."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ..hexadecimal import to_address
from .output import EXIT_MISMATCH, EXIT_OK, gas, hex_bytes, print_json
from .remote import add_node_arguments, place_json, print_place, source_of
from .run import as_json, print_text

SUMMARY = "call a contract in the state of a node's block"
DESCRIPTION = """\
Execute a message call, or with --create a creation, on a fork of a node: in the state after a block and in its surroundings, by evmcore, which
fetches what the call needs. The sender needs neither nonce nor fees, and --balance gives it what it sends. Nothing is written anywhere.

With URL@BLOCK a block is a number, a hash, or latest, safe, finalized, earliest.
"""
EXAMPLES = """\
  evmcore call 0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2 0x313ce567 --fork https://node.example/key@19000000
  evmcore call 0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2 0xd0e30db0 --value 1000 --from 0x1111111111111111111111111111111111111111 --json
  evmcore call --create @init.hex --trace 2> steps.jsonl

exit status: 0 it succeeded, 1 it reverted or halted, or the node fails, 2 unusable input
"""
_NOBODY = bytes(20)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("to", nargs="?", metavar="ADDRESS", help="who is called")
    parser.add_argument("data", nargs="?", default="", metavar="HEX|@FILE", help="the input")
    parser.add_argument("--create", metavar="HEX|@FILE", help="in place of both: init code to run")
    parser.add_argument("--from", dest="sender", metavar="ADDRESS", help="who calls (default: the zero address)")
    parser.add_argument("--value", type=_wei, default=0, metavar="WEI", help="what is sent along")
    parser.add_argument("--balance", type=_wei, metavar="WEI", help="what the sender has (default: as on the chain)")
    parser.add_argument("--gas", type=gas, metavar="N", help="gas to run on (default: the block's limit)")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument(
        "--trace", action="store_true", help="write a line for each instruction to standard error (EIP-3155)"
    )
    add_node_arguments(parser, "--fork")


def _wei(text: str) -> int:
    value = int(text, 16 if text[:2] in ("0x", "0X") else 10)
    if not 0 <= value < 1 << 256:
        raise argparse.ArgumentTypeError(f"{text} is no amount of 256 bits")
    return value


def main(arguments: argparse.Namespace) -> int:
    """Call and print."""
    from .._core import State, call
    from ..errors import UnusableInput
    from ..tracing import Eip3155

    if (arguments.create is None) == (arguments.to is None):
        raise UnusableInput("name who is called, or --create with init code")
    sender = _NOBODY if arguments.sender is None else to_address(arguments.sender, "--from")
    if arguments.create is None:
        asked: dict[str, Any] = {"to": to_address(arguments.to, "ADDRESS"), "data": hex_bytes(arguments.data, "data")}
    else:
        asked = {"to": None, "data": hex_bytes(arguments.create, "--create")}
    source = source_of(arguments)
    state = State(source=source)
    if arguments.balance is not None:
        state.set_balance(sender, arguments.balance)
    result = call(
        state,
        source.header,
        sender=sender,
        value=arguments.value,
        gas=arguments.gas,
        **asked,
        tracer=Eip3155(sys.stderr) if arguments.trace and sys.stderr is not None else None,
    )
    if arguments.json:
        print_json({**place_json(source), **as_json(result)})
    else:
        print_place(source)
        print_text(result)
    return EXIT_OK if result.is_success else EXIT_MISMATCH
