"""`evmcore fetch`: blocks of a node written to files, with what executing them takes."""

from __future__ import annotations

import argparse
import gzip
import time
from pathlib import Path

from ..errors import EvmError, UnusableInput
from ..files import write_file
from .output import EXIT_MISMATCH, EXIT_OK, Progress, json_text, positive, print_json, say
from .remote import add_node_arguments, client_of, fetch_named_block

SUMMARY = "fetch blocks from a node, with the state that they need"
DESCRIPTION = """\
Fetch blocks over JSON-RPC and write each to DIR/<number>.json.gz, a block file (mainnet-block/1) that `evmcore replay` executes: header, signed
transactions, and the part of the state before the block that it reads. Before it is written it is executed from what is written, and gas, logs
bloom and (from Byzantium on) receipts root are held against the header.

--witness adds DIR/<number>.witness.json.gz, in the form of debug_executionWitness, from the node or made of its proofs (eth_getProof), on
which the block comes to its state root; `evmcore witness verify` takes it.

BLOCK is a number, a range such as 19000000-19000009, a hash, or latest, safe, finalized. The node has to have the states of the blocks before.
"""
EXAMPLES = """\
  evmcore fetch 19000000 --rpc https://node.example/key -o blocks/
  evmcore fetch 19000000-19000009 latest --rate 100 --witness -o blocks/
  evmcore replay blocks/

exit status: 0 all are written, 1 a block doesn't come out as its header says, or the node fails, 2 unusable input
"""
_MOST_OF_A_RANGE = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("blocks", nargs="+", metavar="BLOCK", help="numbers, ranges, hashes or tags")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="where to write them")
    parser.add_argument("--witness", action="store_true", help="write their witnesses, too, and check the state root")
    parser.add_argument("--again", action="store_true", help="fetch blocks whose files are there already, too")
    parser.add_argument("--workers", type=positive, metavar="N", help="threads to execute with")
    parser.add_argument("--json", action="store_true", help="print one JSON object a block and nothing else")
    add_node_arguments(parser)


def main(arguments: argparse.Namespace) -> int:
    """Fetch all; the exit status says how it went."""
    wanted = [block for given in arguments.blocks for block in expanded(given)]
    try:
        arguments.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnusableInput(f"{arguments.output}: {error.strerror or error}") from None
    client = client_of(arguments)
    progress = Progress(len(wanted))
    status = EXIT_OK
    for done, block in enumerate(wanted):
        progress.show(done, str(block))
        if isinstance(block, int) and not arguments.again and _is_there(arguments, block):
            continue
        started = time.perf_counter()
        before = client.calls
        try:
            fetched = fetch_named_block(client, block, arguments, witness=arguments.witness)
        except UnusableInput:
            raise
        except EvmError as error:
            progress.complain(f"block {block}: {error}")
            status = EXIT_MISMATCH
            continue
        number = fetched.block.number
        if fetched.witness is not None:
            text = json_text(fetched.witness.to_json())
            write_file(_witness_path(arguments, number), gzip.compress(text.encode(), mtime=0))
        write_file(_path(arguments, number), gzip.compress(json_text(fetched.file).encode(), mtime=0))
        state = fetched.file["preState"]
        report = {
            "number": number,
            "fork": fetched.block.header.fork,
            "transactions": len(fetched.block.transactions),
            "accounts": len(state),
            "slots": sum(len(account["storage"]) for account in state.values()),
            "checks": fetched.checks,
            "calls": client.calls - before,
            "seconds": time.perf_counter() - started,
            "file": str(_path(arguments, number)),
        }
        progress.clear()
        if arguments.json:
            print_json(report)
        else:
            held = ", ".join(name.replace("_", " ") for name, is_right in fetched.checks.items() if is_right)
            say(
                f"block {number} ({report['fork']}): {report['transactions']} transactions, {report['accounts']} accounts, "
                f"{report['slots']} slots, {report['calls']} calls; verified: {held}"
            )
    progress.clear()
    return status


def _path(arguments: argparse.Namespace, number: int) -> Path:
    return Path(arguments.output) / f"{number}.json.gz"


def _witness_path(arguments: argparse.Namespace, number: int) -> Path:
    return Path(arguments.output) / f"{number}.witness.json.gz"


def _is_there(arguments: argparse.Namespace, number: int) -> bool:
    return _path(arguments, number).exists() and (not arguments.witness or _witness_path(arguments, number).exists())


def expanded(text: str) -> list[int | str]:
    """The blocks that a word names."""
    first, is_range, last = text.partition("-")
    if is_range:
        if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last) < int(first) + _MOST_OF_A_RANGE):
            raise UnusableInput(f"{text}: not a range of blocks, such as 100-109")
        return list(range(int(first), int(last) + 1))
    return [int(text)] if text.isdecimal() else [text]
