"""`evmcore bal`: block access lists (EIP-7928) of blocks and files: made, held against a block, compared, shown."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..block import Block
from ..errors import InvalidAccessList, UnusableInput
from ..files import parse_json, read_file, write_file
from ..hexadecimal import data, to_hex
from .output import EXIT_MISMATCH, EXIT_OK, complain, json_text, positive, print_json, say

SUMMARY = "make, verify, compare or show block access lists"
DESCRIPTION = """\
make     execute a block file (mainnet-block/1) and write its access list, as JSON or as RLP
verify   hold a list against the header and the rules, then against an execution of the block
diff     what differs between two lists, by account, field and index
show     a list as JSON, or its hash and what is in it

A list is a file of RLP, of its hexadecimal digits, or of JSON as fixtures and clients show it. The block may be of any fork.
"""
EXAMPLES = """\
  evmcore bal make block.json.gz --output list.rlp
  evmcore bal verify block.json.gz list.rlp --strategy optimistic
  evmcore bal diff list.rlp other.json
  evmcore bal show list.rlp --json | jq '.accounts | length'

exit status: 0 made, right or the same, 1 another list than the block's or the other one's, 2 unusable input
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    from .._core import STRATEGIES

    verbs = parser.add_subparsers(metavar="make|verify|diff|show", required=True, dest="verb")
    make = verbs.add_parser("make", help="write the access list of a block")
    make.add_argument("block", metavar="BLOCK", help="a block file with its state")
    make.add_argument(
        "--output", type=Path, metavar="FILE", help="where to write it: RLP, or JSON if the name ends in .json"
    )
    verify = verbs.add_parser("verify", help="hold a list against a block")
    verify.add_argument("block", metavar="BLOCK", help="a block file with its state")
    verify.add_argument("list", type=Path, metavar="LIST")
    for command in (make, verify):
        command.add_argument(
            "--workers", type=positive, metavar="N", help="threads to execute with (default: one a processor)"
        )
        command.add_argument(
            "--strategy", choices=STRATEGIES, default="auto", metavar="S", help=f"one of {', '.join(STRATEGIES)}"
        )
    diff = verbs.add_parser("diff", help="compare two lists")
    diff.add_argument("list", type=Path, metavar="LIST")
    diff.add_argument("other", type=Path, metavar="OTHER")
    show = verbs.add_parser("show", help="show a list")
    show.add_argument("list", type=Path, metavar="LIST")
    for command in (verify, diff, show):
        command.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def main(arguments: argparse.Namespace) -> int:
    """Make, verify, compare or show; the exit status says how it went."""
    verbs = {"make": _make, "verify": _verify, "diff": _diff, "show": _show}
    return verbs[arguments.verb](arguments)


def _read(path: Path) -> Any:
    """The list of a file."""
    from .._core import BlockAccessList

    content = read_file(path)
    start = content.lstrip()[:2]
    try:
        if start[:1] in (b"[", b"{"):
            value = parse_json(content, str(path))
            if isinstance(value, dict):
                value = value.get("blockAccessList", value.get("accounts"))
                if value is None:
                    raise UnusableInput("has neither blockAccessList nor accounts")
            return BlockAccessList.from_json(value)
        if start == b"0x":
            content = data(content.strip().decode("ascii", "replace"), "access list")
        return BlockAccessList.decode(content)
    except UnusableInput as error:
        raise UnusableInput(f"{path}: {error}") from None


def _make(arguments: argparse.Namespace) -> int:
    from .._core import execute_block

    block = Block.load(arguments.block)
    assert block.pre_state is not None
    made = execute_block(
        block, block.pre_state, workers=arguments.workers, strategy=arguments.strategy, access_list=True
    ).access_list
    assert made is not None
    if arguments.output is None:
        say(json_text(made.to_json()))
        return EXIT_OK
    is_json = arguments.output.suffix == ".json"
    write_file(arguments.output, json_text(made.to_json()).encode() if is_json else made.encode())
    say(f"block {block.number}: {made.item_count} accounts and slots, hash {to_hex(made.hash)}")
    return EXIT_OK


def _verify(arguments: argparse.Namespace) -> int:
    from .._core import execute_block

    block = Block.load(arguments.block)
    assert block.pre_state is not None
    fault: InvalidAccessList | None = None
    try:
        block.access_list = _read(arguments.list)
        execute_block(block, block.pre_state, workers=arguments.workers, strategy=arguments.strategy)
    except InvalidAccessList as error:
        fault = error
    if arguments.json:
        print_json({"block": block.number, "isOk": fault is None, **({} if fault is None else _shown_fault(fault))})
    elif fault is None:
        assert block.access_list is not None
        say(f"block {block.number}: the list is the block's, hash {to_hex(block.access_list.hash)}")
    else:
        complain(f"block {block.number}: {fault}")
    return EXIT_OK if fault is None else EXIT_MISMATCH


def _shown_fault(fault: InvalidAccessList) -> dict[str, Any]:
    return {
        "error": str(fault),
        "address": None if fault.address is None else to_hex(fault.address),
        "field": fault.field,
        "slot": None if fault.slot is None else hex(fault.slot),
        "blockAccessIndex": None if fault.access_index is None else hex(fault.access_index),
    }


_CHANGES = (("balanceChanges", "postBalance"), ("nonceChanges", "postNonce"), ("codeChanges", "newCode"))


def _facts(shown: list[dict[str, Any]]) -> dict[tuple[str, str, str, int], str]:
    """All that a list says: (address, field, slot, index) -> value, with an index of -1 where there is none."""
    facts: dict[tuple[str, str, str, int], str] = {}
    for entry in shown:
        address = entry["address"]
        facts[address, "address", "", -1] = ""
        for slot in entry["storageChanges"]:
            for change in slot["slotChanges"]:
                facts[address, "storage", slot["slot"], int(change["blockAccessIndex"], 16)] = change["postValue"]
        for slot in entry["storageReads"]:
            facts[address, "reads", slot, -1] = ""
        for name, value in _CHANGES:
            for change in entry[name]:
                facts[address, name.removesuffix("Changes"), "", int(change["blockAccessIndex"], 16)] = change[value]
    return facts


def _diff(arguments: argparse.Namespace) -> int:
    ours, theirs = (_facts(_read(path).to_json()) for path in (arguments.list, arguments.other))
    differences: list[dict[str, Any]] = []
    for key in sorted(ours.keys() | theirs.keys()):
        have, want = ours.get(key), theirs.get(key)
        if have != want:
            address, field, slot, index = key
            place = {"address": address, "field": field, "slot": slot or None, "index": None if index < 0 else index}
            differences.append({**place, "list": have, "other": want})
    if arguments.json:
        print_json({"differences": differences})
    else:
        for each in differences:
            named = " ".join(
                str(part)
                for part in (
                    each["address"],
                    each["field"],
                    each["slot"],
                    None if each["index"] is None else f"index {each['index']}",
                )
                if part is not None
            )
            if each["list"] is None or each["other"] is None:
                say(f"{named}: only in {arguments.other if each['list'] is None else arguments.list}")
            else:
                say(f"{named}: {each['list']} instead of {each['other']}")
        if not differences:
            say("the lists are the same")
    return EXIT_MISMATCH if differences else EXIT_OK


def _show(arguments: argparse.Namespace) -> int:
    access_list = _read(arguments.list)
    shown = access_list.to_json()
    if arguments.json:
        print_json({"hash": to_hex(access_list.hash), "items": access_list.item_count, "accounts": shown})
        return EXIT_OK
    say(f"hash {to_hex(access_list.hash)}, {access_list.item_count} accounts and slots")
    for entry in shown:
        say(entry["address"])
        for slot in entry["storageChanges"]:
            changes = ", ".join(f"{int(c['blockAccessIndex'], 16)}: {c['postValue']}" for c in slot["slotChanges"])
            say(f"  slot {slot['slot']}  {changes}")
        if entry["storageReads"]:
            say(f"  reads {' '.join(entry['storageReads'])}")
        for name, value in _CHANGES:
            if entry[name]:
                changes = ", ".join(f"{int(c['blockAccessIndex'], 16)}: {c[value]}" for c in entry[name])
                say(f"  {name.removesuffix('Changes')}  {changes}")
    return EXIT_OK
