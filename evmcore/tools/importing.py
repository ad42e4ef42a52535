"""`evmcore import`: a file of blocks, imported on a genesis."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ..chain.genesis import Genesis
from ..chain.importer import Chain, ChainBlock
from ..errors import DecodeError, EvmError
from ..files import read_file
from ..rlp import read_item
from .output import EXIT_MISMATCH, EXIT_OK, Column, Progress, Table, mark, positive, print_json, say

SUMMARY = "import a chain of blocks"
DESCRIPTION = """\
Read blocks from a file, RLP one after the other as go-ethereum exports them, and import each on a genesis: its header is
checked, its body is executed, and its state root and all other roots have to be what the header says. Before Paris the
branch with the most total difficulty is the head. A block that is refused leaves nothing behind; the import goes on with
the next one. A file that was cut off is imported as far as it is whole.

GENESIS.json has go-ethereum's form: config with the forks, alloc, and the header's members.

--store DIR keeps the chain on disk (evmcore[store]): each block that becomes the head is durable when its line is printed. An import
that was interrupted goes on where it stopped: blocks that are there are passed over.
"""
EXAMPLES = """\
  evmcore import --genesis genesis.json chain.rlp
  evmcore import --genesis genesis.json chain.rlp --workers 4 --json | jq -c 'select(.ok | not)'
  evmcore import --genesis genesis.json chain.rlp --store chain.db

exit status: 0 all blocks imported, 1 some refused or not whole, 2 unusable input
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    from .._core import STRATEGIES

    parser.add_argument(
        "--genesis", required=True, metavar="GENESIS.json", help="the first block, its state, the forks"
    )
    parser.add_argument("chain", metavar="CHAIN.rlp", help="the blocks, without the genesis")
    parser.add_argument(
        "--workers", type=positive, metavar="N", help="threads to execute with (default: one a processor)"
    )
    parser.add_argument(
        "--strategy", choices=STRATEGIES, default="auto", metavar="S", help=f"one of {', '.join(STRATEGIES)}"
    )
    parser.add_argument("--store", metavar="DIR", help="keep the chain in this folder, and go on where it stopped")
    parser.add_argument("--seals", action="store_true", help="check proofs of work too (Ethash)")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object a block, one for the head, and nothing else"
    )


@dataclass(slots=True)
class _Piece:
    """One item of the file: a whole block, or (`fault`) what follows the last one."""

    offset: int
    encoded: bytes
    fault: str = ""


def _pieces(content: bytes) -> Iterator[_Piece]:
    """The blocks of a file one by one; the last piece may be a rest that is no block."""
    at = 0
    while at < len(content):
        rest = len(content) - at
        try:
            is_list, _, end = read_item(content, at, len(content), "block")
        except DecodeError as error:
            reason = "cut off" if error.status == "RLP_TRUNCATED" else str(error)
            yield _Piece(at, content[at:], f"{reason}: {rest} bytes from byte {at} on are no whole block")
            return
        if not is_list:
            yield _Piece(at, content[at:], f"{rest} bytes from byte {at} on are no block: a list was expected")
            return
        yield _Piece(at, content[at:end])
        at = end


def main(arguments: argparse.Namespace) -> int:
    """Import all blocks; the exit status says how it went."""
    genesis = Genesis.load(arguments.genesis)
    if arguments.seals:
        genesis = replace(genesis, schedule=replace(genesis.schedule, checks_seals=True))
    content = read_file(arguments.chain)
    if arguments.store is None:
        return _import(Chain(genesis, workers=arguments.workers, strategy=arguments.strategy), content, arguments.json)
    from ..store import Store, StoredChain

    with Store(arguments.store, genesis=genesis) as store:
        chain = StoredChain(store, genesis, workers=arguments.workers, strategy=arguments.strategy)
        return _import(chain, content, arguments.json)


def _import(chain: Chain, content: bytes, is_json: bool) -> int:
    progress = Progress(max(len(content), 2))
    printer = _Printer(chain, progress, is_json)
    for piece in _pieces(content):
        progress.show(piece.offset, f"bytes, block {chain.head.number}")
        started = time.perf_counter()
        if piece.fault:
            printer.rest(piece)
            continue
        try:
            entry = chain.add(piece.encoded)
        except EvmError as error:
            if isinstance(error, chain.faults):
                progress.clear()
                raise
            printer.refused(piece, str(error))
        else:
            printer.imported(piece, entry, time.perf_counter() - started)
    progress.clear()
    printer.head()
    return EXIT_OK if printer.is_ok else EXIT_MISMATCH


class _Printer:
    """Says what became of each block: a table, or JSON."""

    COLUMNS = (
        Column("block", 10),
        Column("hash", 66, is_number=False),
        Column("fork", 16, is_number=False),
        Column("txs", 5),
        Column("gas", 11),
        Column("ms", 8),
        Column("", 1, is_number=False),
        Column("", 0, is_number=False),
    )

    def __init__(self, chain: Chain, progress: Progress, is_json: bool) -> None:
        self._chain = chain
        self._progress = progress
        self._is_json = is_json
        self._table = Table(self.COLUMNS, progress)
        self._seen = 0
        self._imported = 0
        self._refused = 0
        self._rest = ""
        self._first_reason = ""

    @property
    def is_ok(self) -> bool:
        """Whether every byte of the file was part of a block that was imported."""
        return not self._refused and not self._rest

    def imported(self, piece: _Piece, entry: ChainBlock, seconds: float) -> None:
        """A line for a block that is now part of the chain or a branch."""
        self._seen += 1
        self._imported += 1
        is_head = entry is self._chain.head
        header = entry.header
        if self._is_json:
            print_json(
                {
                    "place": self._seen,
                    "offset": piece.offset,
                    "ok": True,
                    "number": entry.number,
                    "hash": "0x" + entry.hash.hex(),
                    "fork": header.fork,
                    "transactions": entry.transaction_count,
                    "gas_used": header.gas_used,
                    "head": is_head,
                    "seconds": seconds,
                    "error": None,
                }
            )
            return
        self._table.row(
            str(entry.number),
            "0x" + entry.hash.hex(),
            header.fork,
            str(entry.transaction_count),
            f"{header.gas_used:,}",
            f"{seconds * 1e3:.2f}",
            mark(True),
            "" if is_head else "branch",
        )

    def refused(self, piece: _Piece, reason: str) -> None:
        """A line for a block that may not be imported."""
        self._seen += 1
        self._refused += 1
        place = f"block {self._seen} of the file, at byte {piece.offset}"
        self._first_reason = self._first_reason or f"{place}: {reason}"
        if self._is_json:
            print_json({"place": self._seen, "offset": piece.offset, "ok": False, "error": reason})
        self._progress.complain(f"{place}, refused: {reason}")

    def rest(self, piece: _Piece) -> None:
        """A line for what is left of the file and is no block."""
        self._rest = piece.fault
        if self._is_json:
            print_json({"offset": piece.offset, "ok": False, "rest_bytes": len(piece.encoded), "error": piece.fault})
        self._progress.complain(piece.fault)

    def head(self) -> None:
        """What the import came to."""
        head = self._chain.head
        state_root = head.header.state_root
        if self._is_json:
            members: dict[str, Any] = {
                "number": head.number,
                "hash": "0x" + head.hash.hex(),
                "fork": head.header.fork,
                "state_root": "0x" + state_root.hex(),
                "total_difficulty": str(head.total_difficulty),
            }
            counts = {
                "imported": self._imported,
                "refused": self._refused,
                "error": self._first_reason or self._rest or None,
            }
            print_json({"head": members, "ok": self.is_ok, **counts})
            return
        refused = f", {self._refused} refused" if self._refused else ""
        say(f"{self._imported} blocks imported{refused}{'; ' + self._rest if self._rest else ''}")
        say(f"head: block {head.number} 0x{head.hash.hex()} ({head.header.fork}), state root 0x{state_root.hex()}")
