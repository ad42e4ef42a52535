"""`evmcore witness`: what a block needs of the state before it, written to a file; and a block executed on such a file alone."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from ..block import Block
from ..errors import UnusableInput
from ..files import read_json, write_file
from ..header import Header
from ..hexadecimal import data, to_hex
from ..statistics import Strategy
from ..verification import Verification
from ..witness import Ancestors, ExecutionWitness
from .output import EXIT_MISMATCH, EXIT_OK, complain, hex_bytes, json_text, positive, print_json, say

SUMMARY = "make the witness of a block, or execute a block on its witness"
DESCRIPTION = """\
make     execute a block file (mainnet-block/1) on the state that came with it, and write its witness: the trie nodes, codes and headers
         that who has the state root alone needs to execute it, as JSON in the form of debug_executionWitness. `preStateRoot` is added:
         the root of the state of the file. Where that is a part of the chain's state, so is this root another one than the parent's.
verify   execute a block file on a witness alone, not on the state in the file, and hold gas, logs bloom, receipts root and, where the
         witness has the parent's header, the state root against the block's header. The state root before the block is the parent's,
         else --state-root, else `preStateRoot`. What the witness lacks, or has too much of, is named.
"""
EXAMPLES = """\
  evmcore witness make blocks/19426586.json.gz --output witness.json
  evmcore witness verify blocks/19426586.json.gz witness.json
  evmcore witness make block.json --ancestors headers.json | jq '.state | length'

exit status: 0 made, or all is right, 1 a mismatch or a witness that lacks something, 2 unusable input
"""
_PRE_STATE_ROOT = "preStateRoot"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    from .._core import STRATEGIES

    verbs = parser.add_subparsers(metavar="make|verify", required=True, dest="verb")
    make = verbs.add_parser("make", help="write the witness of a block")
    make.add_argument("block", metavar="BLOCK", help="a block file with its state")
    make.add_argument("--output", type=Path, metavar="FILE", help="where to write it (default: standard output)")
    make.add_argument(
        "--ancestors",
        type=Path,
        metavar="FILE",
        help="headers from the oldest to the parent: a JSON list of JSON-RPC headers or of their RLP",
    )
    verify = verbs.add_parser("verify", help="execute a block on its witness alone")
    verify.add_argument("block", metavar="BLOCK", help="a block file; its state plays no part")
    verify.add_argument(
        "witness", metavar="WITNESS", help="a file with a witness, or with the answer of debug_executionWitness"
    )
    verify.add_argument("--state-root", metavar="HEX", help="of the state before the block, 32 bytes")
    verify.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    for command in (make, verify):
        command.add_argument(
            "--workers", type=positive, metavar="N", help="threads to execute with (default: one a processor)"
        )
        command.add_argument(
            "--strategy", choices=STRATEGIES, default="auto", metavar="S", help=f"one of {', '.join(STRATEGIES)}"
        )


def main(arguments: argparse.Namespace) -> int:
    """Make or verify; the exit status says how it went."""
    block = Block.load(arguments.block)
    return _make(block, arguments) if arguments.verb == "make" else _verify(block, arguments)


def _make(block: Block, arguments: argparse.Namespace) -> int:
    from .._core import State, execute_block

    assert block.pre_state is not None
    # A strict state doesn't say what is absent; the witness proves it, of a state that has what the file has.
    state = State(dict(block.pre_state.items())) if block.pre_state.is_strict else block.pre_state
    root = state.root()
    result = execute_block(
        block,
        state,
        workers=arguments.workers,
        strategy=arguments.strategy,
        witness=True,
        ancestors=None if arguments.ancestors is None else _headers(arguments.ancestors),
    )
    assert result.witness is not None
    text = json_text({**result.witness.to_json(), _PRE_STATE_ROOT: to_hex(root)})
    if arguments.output is None:
        say(text)
        return EXIT_OK
    write_file(arguments.output, text.encode())
    say(f"block {block.number}: {_size(result.witness)}, state root {to_hex(root)}")
    return EXIT_OK


def _headers(path: Path) -> list[Header | bytes]:
    given = read_json(path)
    if not isinstance(given, list):
        raise UnusableInput(f"{path}: it is no list of headers")
    return [data(one, f"{path}") if isinstance(one, str) else Header.from_json(one) for one in given]


def _size(witness: ExecutionWitness) -> str:
    """How much there is of each part."""
    parts = (("nodes", witness.state), ("codes", witness.codes), ("headers", witness.headers))
    return ", ".join(f"{len(items)} {name} of {sum(map(len, items)):,} bytes" for name, items in parts)


def _verify(block: Block, arguments: argparse.Namespace) -> int:
    from .._core import State, execute_block, ordered_trie_root

    given = read_json(arguments.witness)
    witness = ExecutionWitness.from_json(given)
    ancestors = witness.ancestors(block.header)
    root = _root(ancestors, given, arguments)
    is_of_the_chain = root == ancestors.state_root
    if witness.headers:
        block = block.with_header(block_hashes=ancestors.block_hashes)
    strategy: Strategy = arguments.strategy
    verification = Verification(block)
    verification.transactions_root(ordered_trie_root([transaction.raw for transaction in block.transactions]))
    started = time.perf_counter()
    result = execute_block(
        block,
        State.from_witness(witness, root),
        workers=arguments.workers,
        strategy=strategy,
        state_roots=True if is_of_the_chain else None,
    )
    after = result.state_root  # what it lacks, if it does, shows here at the latest
    seconds = time.perf_counter() - started
    verification.result(result)
    if is_of_the_chain and after != block.header.state_root:
        verification.faults.append(f"state root is {to_hex(after)} instead of {to_hex(block.header.state_root)}")
    if arguments.json:
        print_json(
            {
                "number": block.number,
                "ok": verification.is_ok,
                "faults": verification.faults,
                "state_root_before": to_hex(root),
                "state_root": to_hex(after),
                "is_state_root_checked": is_of_the_chain,
                "gas_used": result.gas_used,
                "nodes": len(witness.state),
                "codes": len(witness.codes),
                "headers": len(witness.headers),
                "bytes": sum(map(len, (*witness.state, *witness.codes, *witness.headers))),
                "seconds": seconds,
            }
        )
    else:
        for fault in verification.faults:
            complain(f"block {block.number}: {fault}")
        held = "as in the header" if is_of_the_chain else "not in the header: the witness lacks the parent's"
        verdict = "verified" if verification.is_ok else "differs"
        say(f"block {block.number}: {verdict} from {_size(witness)}; state root {to_hex(after)} ({held})")
    return EXIT_OK if verification.is_ok else EXIT_MISMATCH


def _root(ancestors: Ancestors, given: Any, arguments: argparse.Namespace) -> bytes:
    """The state root before the block."""
    if arguments.state_root is not None:
        root = hex_bytes(arguments.state_root, "--state-root")
        if len(root) != 32:
            raise UnusableInput(f"--state-root: has {len(root)} bytes, wants 32")
        return root
    if ancestors.state_root is not None:
        return ancestors.state_root
    if _PRE_STATE_ROOT in given:
        return data(given[_PRE_STATE_ROOT], f"witness.{_PRE_STATE_ROOT}", 32)
    raise UnusableInput(f"{arguments.witness}: has no header of the parent; --state-root says what it is of")
