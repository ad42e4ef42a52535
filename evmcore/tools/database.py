"""`evmcore db`: looks after a chain on disk."""

from __future__ import annotations

import argparse

from .output import EXIT_MISMATCH, EXIT_OK, Column, Progress, Table, print_json, say

SUMMARY = "look after a chain on disk"
DESCRIPTION = """\
Look after a chain that `evmcore import --store` or evmcore.store.Store keeps on disk.

check    hold everything in it against everything else: the state's root and its trie's nodes, codes, headers, bodies, receipts; the
         state is read whole into memory
stat     where its head is, and how large its tables are
compact  write its file anew without free pages
"""
EXAMPLES = """\
  evmcore db stat chain.db
  evmcore db check chain.db && evmcore db compact chain.db

exit status: 0 all is well, 1 it is damaged or can't be opened
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("action", choices=("check", "stat", "compact"), help="what to do")
    parser.add_argument("store", metavar="DIR", help="the store's folder")
    parser.add_argument("--json", action="store_true", help="print one JSON object, and nothing else")


def main(arguments: argparse.Namespace) -> int:
    """Do one of the three."""
    from ..store.upkeep import compact

    if arguments.action == "compact":
        before, after = compact(arguments.store)
        if arguments.json:
            print_json({"bytes_before": before, "bytes_after": after})
        else:
            say(f"{before:,} bytes before, {after:,} after")
        return EXIT_OK
    return (_check if arguments.action == "check" else _stat)(arguments.store, arguments.json)


def _check(path: str, is_json: bool) -> int:
    from ..store import Store
    from ..store.upkeep import check

    faults: list[str] = []
    with Store(path) as store:

        def note(fault: str) -> None:
            faults.append(fault)
            if not is_json:
                say(fault)

        check(store, note)
        if is_json:
            print_json({"height": store.height, "faults": faults})
        else:
            say(f"block {store.height}: {len(faults) or 'no'} fault{'' if len(faults) == 1 else 's'}")
    return EXIT_MISMATCH if faults else EXIT_OK


def _stat(path: str, is_json: bool) -> int:
    from ..store import Store
    from ..store.upkeep import sizes

    with Store(path) as store:
        tables = sizes(store)
        file_bytes = store.file_bytes
        head = {
            "height": store.height,
            "hash": "0x" + store.head_hash.hex(),
            "state_root": "0x" + store.header().state_root.hex(),
            "oldest_height": store.oldest_height,
            "depth": store.depth,
            "file_bytes": file_bytes,
        }
    if is_json:
        print_json({**head, "tables": {table.name: [table.rows, table.size_bytes] for table in tables}})
        return EXIT_OK
    for name, value in head.items():
        say(f"{name:14} {value:,}" if isinstance(value, int) else f"{name:14} {value}")
    printer = Table((Column("table", 14, is_number=False), Column("rows", 12), Column("bytes", 16)), Progress(2))
    for table in tables:
        printer.row(table.name, f"{table.rows:,}", f"{table.size_bytes:,}")
    return EXIT_OK
