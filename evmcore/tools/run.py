"""`evmcore run`: a bare program, without a chain around it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from .._core import NEWEST_FORK
from ..hexadecimal import to_hex
from ..receipt import CallResult
from . import evm
from .geth import Flag, Given, parse
from .output import EXIT_OK, fork, gas, hex_bytes, positive, print_json, say
from .remote import RPC_VARIABLE, add_node_arguments, is_node, place_json, print_place, refuse_node_arguments, source_of

SUMMARY = "run a bare program"
DESCRIPTION = """\
Run bytecode as the code of an account of its own, on an otherwise empty state or, with --fork URL[@BLOCK], on that of a node's block and in its
surroundings, and show how it ended: status, gas of the execution alone (no intrinsic gas, no refund applied), output and logs.

With the program as an argument, or with --codefile: as go-ethereum's `evm run` does, whose flags are the last group.
"""
EXAMPLES = """\
  evmcore run --code 600160010160005260206000f3
  evmcore run --code @loop.hex --input 0x2a --gas 1000000 --fork London --bench 100
  evmcore run --code @loop.hex --trace --json 2> steps.jsonl
  evmcore run --code @balances.hex --fork https://node.example/key@19000000
  evmcore run --trace --trace.format=md 0x6001600101
"""
DEFAULT_GAS = 30_000_000
FLAGS = (
    *evm.TRACE_FLAGS,
    Flag("codefile", "a file with the program in hexadecimal; -: standard input"),
    Flag("create", "run it as init code", bool, False),
    Flag("gas", "gas to run on", int, 10_000_000_000),
    Flag("prestate", "the state before: a genesis.json"),
    Flag("input", "the call's input"),
    Flag("inputfile", "a file with the call's input"),
    Flag("price", "gas price, wei", int, 0),
    Flag("receiver", "the account whose code it is"),
    Flag("sender", "the caller"),
    Flag("value", "wei to send along", int, 0),
    Flag("dump", "the state afterwards, on standard output", bool, False),
    Flag("bench", "time it", bool, False),
    Flag("statdump", "time and gas on standard error", bool, False),
    Flag("json", "the same as --trace --trace.format=json", bool, False),
    Flag("verbosity", "accepted; there is no talk", int, 3),
)
# go-ethereum's accounts where none are named.
SENDER, RECEIVER = (name.rjust(20, b"\0") for name in (b"sender", b"receiver"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--code", required=True, metavar="HEX|@FILE", help="the program: hexadecimal, or @FILE with it (@- reads stdin)"
    )
    parser.add_argument("--input", default="", metavar="HEX", help="the call's input, hexadecimal or @FILE")
    parser.add_argument("--gas", type=gas, default=DEFAULT_GAS, metavar="N", help="gas to run on (default: 30 million)")
    parser.add_argument(
        "--fork",
        type=_fork_or_node,
        default=NEWEST_FORK,
        metavar="NAME|URL[@BLOCK]",
        help=f"whose rules hold (default: %(default)s); or a node, after whose block it runs (default: latest), - being ${RPC_VARIABLE}",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    once_or_often = parser.add_mutually_exclusive_group()
    once_or_often.add_argument(
        "--bench", type=positive, default=1, metavar="N", help="run it N times and give the median time"
    )
    once_or_often.add_argument(
        "--trace", action="store_true", help="write a line for each instruction to standard error (EIP-3155)"
    )
    add_node_arguments(parser, None)
    evm.add_flags(parser, FLAGS)


def _fork_or_node(text: str) -> str:
    return text if is_node(text) else fork(text)


def geth_main(words: Sequence[str]) -> int | None:
    """Run as go-ethereum's `evm run` does; None where the words are evmcore's own spelling."""
    if any(word.partition("=")[0] in ("--code", "--fork") for word in words):
        return None
    given = parse(words, FLAGS)
    if not given.arguments and not given["codefile"]:
        return None
    if given["json"]:
        given.values["trace"] = True
    return _run_as_geth(given)


def _run_as_geth(given: Given) -> int:
    from .._core import State, message
    from ..header import Header
    from ..hexadecimal import data, to_address

    place = given["codefile"]
    code = data(given.arguments[0].strip(), "code") if not place else hex_bytes(f"@{place}", "codefile")
    place = given["inputfile"]
    given_input = hex_bytes(f"@{place}", "inputfile") if place else data(given["input"].strip(), "input")
    sender = to_address(given["sender"], "sender") if given["sender"] else SENDER
    receiver = to_address(given["receiver"], "receiver") if given["receiver"] else RECEIVER
    amount, limit, price = given["value"], given["gas"], given["price"]
    if given["prestate"]:
        from ..chain.genesis import Genesis

        genesis = Genesis.load(given["prestate"])
        state, header = genesis.state.copy(), genesis.header
        limit = header.gas_limit
    else:
        state, header = State(), Header(gas_limit=limit, base_fee_per_gas=0, fork=NEWEST_FORK, chain_id=1337)
    if code and not given["create"]:
        state.set_code(receiver, code)
    given_message: dict[str, Any] = {
        "sender": sender,
        "to": None if given["create"] else receiver,
        "data": code + given_input if given["create"] else given_input,
        "value": amount,
        "gas": limit,
        "gas_price": price,
    }
    tracer = evm.tracer_of(given, sys.stderr)
    result = message(state, header, **given_message, tracer=tracer)
    if given["dump"]:
        say(json.dumps(evm.state_dump(state), indent=4))
    if (given["bench"] or given["statdump"]) and sys.stderr is not None:
        stats = (
            f"EVM gas used:    {result.gas_used}",
            f"execution time:  {result.seconds * 1e6:.3f}µs",
            "allocations:     0",
            "allocated bytes: 0",
        )
        print(*stats, sep="\n", file=sys.stderr, flush=True)
    if tracer is None:
        say(to_hex(result.output) if result.output else "")
        if not result.is_success:
            from .evm_formats import geth_error

            say(f" error: {geth_error(result.outcome.lower().replace('_', ' '))}")
    return EXIT_OK


def main(arguments: argparse.Namespace) -> int:
    """Run and print."""
    from .._core import State, run
    from ..tracing import Eip3155

    code, given_input = hex_bytes(arguments.code, "code"), hex_bytes(arguments.input, "input")
    source = None
    if is_node(arguments.fork):
        arguments.node = arguments.fork
        source = source_of(arguments)
        place: dict[str, Any] = {"state": State(source=source), "header": source.header}
    else:
        refuse_node_arguments(arguments, "--fork")
        place = {"fork": arguments.fork}
    result = run(
        code,
        given_input,
        gas=arguments.gas,
        **place,
        repeat=arguments.bench,
        tracer=Eip3155(sys.stderr) if arguments.trace and sys.stderr is not None else None,
    )
    if arguments.json:
        print_json(as_json(result) if source is None else {**place_json(source), **as_json(result)})
    else:
        if source is not None:
            print_place(source)
        print_text(result)
    return EXIT_OK


def as_json(result: CallResult) -> dict[str, object]:
    """The members of the command's JSON object."""
    return {
        "outcome": result.outcome,
        "gas_used": result.gas_used,
        "state_gas_used": result.state_gas_used,
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
    state_gas = f", of it state gas {result.state_gas_used:,}" if result.state_gas_used else ""
    refund = f", refund {result.gas_refund:,}" if result.gas_refund else ""
    say(f"gas used  {result.gas_used:,}{state_gas}{refund}")
    say(f"output    {to_hex(result.output)}")
    for log in result.logs:
        say(f"log       {to_hex(log.address)} {' '.join(map(to_hex, log.topics))} {to_hex(log.data)}")
    speed = f", {result.gas_used / result.seconds / 1e6:,.0f} Mgas/s" if result.seconds > 0 else ""
    say(f"time      {result.seconds * 1e6:,.1f} µs{speed}")
