"""`evmcore t8n`: a state transition, in go-ethereum's spelling (`evm t8n`)."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from ..chain.schedule import LAST_OF_WORK
from .geth import Flag, Given, Inputs, Outputs, add_flags, run_tool

SUMMARY = "apply transactions to a state, as `evm t8n` does"
DESCRIPTION = """\
The state transition tool of go-ethereum and the execution-spec tests: an alloc, an environment and transactions in; an alloc, a
result and the block's body out. "stdin" reads all inputs as one JSON object, "stdout" and "stderr" write one, an empty name
writes nothing.
"""
EXAMPLES = """\
  evmcore t8n --input.alloc=alloc.json --input.env=env.json --input.txs=txs.json --state.fork=Prague --output.result=stdout
  evmcore t8n --input.alloc=stdin --input.env=stdin --input.txs=stdin --output.alloc=stdout --output.result=stdout < all.json
  evmcore t8n --state.fork=Osaka --trace --output.basedir=out

exit status: 2 execution failed, 3 unknown fork or an environment without what it needs, 4 a block hash is missing, 10 not JSON,
11 a file can't be read or written
"""

FLAGS = (
    Flag("input.alloc", "the state before: a file or stdin", default="alloc.json"),
    Flag("input.env", "the block's environment: a file or stdin", default="env.json"),
    Flag("input.txs", "transactions: a file (.rlp: their RLP in a JSON string) or stdin", default="txs.json"),
    Flag("input.blobParams", "blob limits in place of the fork's: a file or stdin"),
    Flag("output.basedir", "the folder of output files; it is made"),
    Flag("output.alloc", "the state afterwards: a file, stdout or stderr", default="alloc.json"),
    Flag("output.result", "roots, receipts and what was rejected: a file, stdout or stderr", default="result.json"),
    Flag("output.body", "the RLP of the transactions: a file, stdout or stderr"),
    Flag("state.fork", "whose rules hold", default=LAST_OF_WORK),
    Flag("state.chainid", "chain id", int, 1),
    Flag("state.reward", "wei for the beneficiary; -1: none", int, 0),
    Flag("state-test", "accepted for execution-spec-tests; changes nothing", bool, False),
    Flag("trace", "write trace-INDEX-HASH.jsonl for each transaction (EIP-3155)", bool, False),
    Flag(
        "trace.tracer",
        "a native tracer in place of EIP-3155, such as callTracer; its answer goes to trace-INDEX-HASH.json",
    ),
    Flag("trace.jsonconfig", "its configuration, JSON"),
    Flag("trace.memory", "memory in traces", bool, False),
    Flag("trace.nomemory", "none (the default)", bool, True),
    Flag("trace.nostack", "no stack in traces", bool, False),
    Flag("trace.returndata", "return data in traces", bool, False),
    Flag("trace.noreturndata", "none (the default)", bool, True),
    Flag("trace.callframes", "a line for each frame that begins", bool, False),
    Flag("opcode.count", "write how often each instruction was executed to this file"),
    Flag("verbosity", "accepted; there is no talk", int, 3),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments, for its help."""
    add_flags(parser, FLAGS)


def geth_main(words: Sequence[str]) -> int:
    """Run the command; the exit status is go-ethereum's."""
    return run_tool(_run, words, FLAGS)


def _run(given: Given) -> None:
    from ..transition import transition
    from ..transition.execution import StartTrace
    from ..transition.transactions import transactions_from_rlp
    from .t8n_traces import Traces

    outputs = Outputs(given["output.basedir"])
    traces = Traces(given, outputs)
    inputs = Inputs()
    alloc = inputs.read(given["input.alloc"], "alloc")
    env = inputs.read(given["input.env"], "env")
    place = given["input.txs"]
    txs: Any = inputs.read(place, "txs")
    if txs is None and place == "stdin":
        txs = inputs.members().get("txsRlp")
    if place.endswith(".rlp"):
        txs = transactions_from_rlp(txs)
    start: StartTrace | None = traces.start if traces.is_wanted else None
    made = transition(
        {} if alloc is None else alloc,
        env,
        txs,
        fork=given["state.fork"],
        chain_id=given["state.chainid"],
        reward=given["state.reward"],
        blob_limits=_blob_limits(inputs, given),
        start_trace=start,
    )
    traces.finish()
    parts: tuple[tuple[str, Callable[[], Any]], ...] = (
        ("alloc", lambda: made.alloc),
        ("result", lambda: made.result),
        ("body", lambda: "0x" + made.body.hex()),
    )
    for name, value in parts:
        if given[f"output.{name}"]:
            outputs.put(given[f"output.{name}"], name, value())
    outputs.finish()


def _blob_limits(inputs: Inputs, given: Given) -> tuple[int, int, int] | None:
    place = given["input.blobParams"]
    if not place:
        return None
    from ..hexadecimal import field, quantity

    value = inputs.read(place, "blobParams")
    if value is None:
        return None
    target, most, fraction = (
        quantity(field(value, name, "blobParams"), f"blobParams.{name}", 63)
        for name in ("target", "max", "baseFeeUpdateFraction")
    )
    return target, most, fraction
