"""`evmcore run`: a bare program, without a chain around it."""

from __future__ import annotations

import argparse
import sys

from .._core import NEWEST_FORK
from ..hexadecimal import to_hex
from ..receipt import CallResult
from .output import EXIT_OK, fork, gas, hex_bytes, positive, print_json, say

SUMMARY = "run a bare program"
DESCRIPTION = """\
Run bytecode as the code of an account of its own, on an otherwise empty state, and show how it ended: status, gas of the
execution alone (no intrinsic gas, no refund applied), output and logs.
"""
EXAMPLES = """\
  evmcore run --code 600160010160005260206000f3
  evmcore run --code @loop.hex --input 0x2a --gas 1000000 --fork London --bench 100
  evmcore run --code @loop.hex --trace --json 2> steps.jsonl
"""
DEFAULT_GAS = 30_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--code", required=True, metavar="HEX|@FILE", help="the program: hexadecimal, or @FILE with it (@- reads stdin)"
    )
    parser.add_argument("--input", default="", metavar="HEX", help="the call's input, hexadecimal or @FILE")
    parser.add_argument("--gas", type=gas, default=DEFAULT_GAS, metavar="N", help="gas to run on (default: 30 million)")
    parser.add_argument(
        "--fork", type=fork, default=NEWEST_FORK, metavar="NAME", help="whose rules hold (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    once_or_often = parser.add_mutually_exclusive_group()
    once_or_often.add_argument(
        "--bench", type=positive, default=1, metavar="N", help="run it N times and give the median time"
    )
    once_or_often.add_argument(
        "--trace", action="store_true", help="write a line for each instruction to standard error (EIP-3155)"
    )


def main(arguments: argparse.Namespace) -> int:
    """Run and print."""
    from .._core import run
    from ..tracing import Eip3155

    result = run(
        hex_bytes(arguments.code, "code"),
        hex_bytes(arguments.input, "input"),
        gas=arguments.gas,
        fork=arguments.fork,
        repeat=arguments.bench,
        tracer=Eip3155(sys.stderr) if arguments.trace and sys.stderr is not None else None,
    )
    if arguments.json:
        print_json(as_json(result))
    else:
        print_text(result)
    return EXIT_OK


def as_json(result: CallResult) -> dict[str, object]:
    """The members of the command's JSON object."""
    return {
        "outcome": result.outcome,
        "gas_used": result.gas_used,
        "gas_refund": result.gas_refund,
        "output": to_hex(result.output),
        "logs": [
            {
                "address": to_hex(log.address),
                "topics": [to_hex(topic) for topic in log.topics],
                "data": to_hex(log.data),
            }
            for log in result.logs
        ],
        "error": result.error,
        "seconds": result.seconds,
    }


def print_text(result: CallResult) -> None:
    """The same for people."""
    say(f"outcome   {result.error or 'success'}")
    say(f"gas used  {result.gas_used:,}" + (f", refund {result.gas_refund:,}" if result.gas_refund else ""))
    say(f"output    {to_hex(result.output)}")
    for log in result.logs:
        say(f"log       {to_hex(log.address)} {' '.join(map(to_hex, log.topics))} {to_hex(log.data)}")
    speed = f", {result.gas_used / result.seconds / 1e6:,.0f} Mgas/s" if result.seconds > 0 else ""
    say(f"time      {result.seconds * 1e6:,.1f} µs{speed}")
