"""Whether a block came out as the chain has it, and if not, where it first went another way.

Works on a `Block` with what it has to give and the `BlockResult` it gave; reads no files and executes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .block import Block, Expected
from .errors import DecodeError
from .hexadecimal import data, quantity
from .receipt import Receipt, keccak256
from .rlp import decode, to_bytes, to_list, to_number

if TYPE_CHECKING:
    from ._core import BlockResult

__all__ = ["CHECKS", "Verification", "differing_transaction", "result_differences"]

# In the order in which a fault shows: what comes first explains what comes after.
CHECKS = ("transactions_root", "senders", "gas_used", "logs_bloom", "receipts_root", "state_root")


class Verification:
    """The checks of one block: true, false, or None where the data can't tell; and a sentence for each false one.

    Filled step by step, in the order in which a replay learns things.
    """

    def __init__(self, block: Block) -> None:
        self._block = block
        self.checks: dict[str, bool | None] = dict.fromkeys(CHECKS)
        self.faults: list[str] = []

    @property
    def is_ok(self) -> bool:
        """Nothing is wrong, as far as the data can tell."""
        return not self.faults

    def transactions_root(self, root: bytes) -> None:
        """The transactions are the header's."""
        self._compare("transactions_root", root, self._block.header.transactions_root)

    def senders(self, senders: Sequence[bytes]) -> None:
        """The recovered senders are those that the file names."""
        expected = self._block.expected.senders if self._block.expected is not None else None
        if expected is None or any(sender is None for sender in expected):
            return
        self.checks["senders"] = tuple(senders) == expected
        for index, (have, want) in enumerate(zip(senders, expected)):
            if have != want:
                name = f"transaction {index} (0x{self._block.transactions[index].hash.hex()})"
                self.faults.append(f"{name}: sender is {_text(have)} instead of {_text(want)}")
                return

    def no_senders(self) -> None:
        """The senders could not be recovered: the exception says why."""
        self.checks["senders"] = False

    def result(self, result: BlockResult) -> None:
        """Gas, logs and receipts are the header's, and so is the state where all of it was there."""
        header, expected = self._block.header, self._block.expected or Expected()
        self._compare("gas_used", result.gas_used, header.gas_used, expected.gas_used)
        self._compare("logs_bloom", result.logs_bloom, header.logs_bloom, expected.logs_bloom)
        self._compare("receipts_root", result.receipts_root, header.receipts_root, expected.receipts_root)
        if self._block.is_pre_state_complete and expected.state_root is not None:
            self._compare("state_root", result.state_root, header.state_root, expected.state_root)

    def _compare(self, name: str, have: int | bytes | None, *wanted: int | bytes | None) -> None:
        """`have` has to be each of the wanted values that is known."""
        if have is None:
            return
        wrong = [want for want in wanted if want is not None and want != have]
        self.checks[name] = not wrong
        if wrong:
            self.faults.append(f"{name.replace('_', ' ')} is {_text(have)} instead of {_text(wrong[0])}")


def _text(value: object) -> str:
    if isinstance(value, bytes):
        # A bloom of 256 bytes is no reading matter: where its set bits lie tells it from another.
        return (
            f"0x{value.hex()}" if len(value) <= 32 else f"{len(value)} bytes with hash 0x{keccak256(value)[:8].hex()}…"
        )
    return str(value)


def result_differences(first: BlockResult, other: BlockResult) -> list[str]:
    """The names of what came out differently in two executions of one block; the law says: none."""
    names = ["gas_used", "blob_gas_used", "logs_bloom", "receipts_root", "requests", "state_root"]
    if first.receipts_root is None:  # a partial state before Byzantium: compare them one by one
        names.append("receipts")
    return [name for name in names if getattr(first, name) != getattr(other, name)]


def differing_transaction(receipts: Sequence[Receipt], known: Sequence[Mapping[str, Any]]) -> tuple[int, str] | None:
    """The first transaction whose receipt is not the known one, and what differs; None if none does.

    known   per transaction `gasUsed`, `status` and `receipt` (RLP; its state root empty before Byzantium)
    """
    for index, (receipt, facts) in enumerate(zip(receipts, known)):
        difference = _receipt_difference(receipt, facts)
        if difference is not None:
            return index, difference
    if len(receipts) != len(known):
        return min(len(receipts), len(known)), f"{len(receipts)} receipts instead of {len(known)}"
    return None


def _receipt_difference(receipt: Receipt, facts: Mapping[str, Any]) -> str | None:
    if "gasUsed" in facts:
        gas_used = quantity(facts["gasUsed"], "gasUsed")
        if receipt.gas_used != gas_used:
            return f"gas used is {receipt.gas_used} instead of {gas_used} ({receipt.error or 'success'})"
    status = facts.get("status")
    if status is not None and receipt.status is not None and receipt.status != quantity(status, "status"):
        return f"status is {receipt.status} instead of {quantity(status, 'status')} ({receipt.error or 'success'})"
    if "receipt" not in facts:
        return None
    encoded = data(facts["receipt"], "receipt")
    if receipt.status is None:
        receipt = replace(receipt, state_root=b"")
    have = receipt.encode()
    return None if have == encoded else _encoded_difference(have, encoded)


def _encoded_difference(have: bytes, want: bytes) -> str:
    """What differs in two encoded receipts, from the outside in."""
    try:
        ours, theirs = (_receipt_parts(encoded) for encoded in (have, want))
    except DecodeError:
        return f"receipt is {_text(have)} instead of {_text(want)}"
    for name, mine, other in zip(("type", "status", "cumulative gas used"), ours, theirs):
        if mine != other:
            return f"{name} is {mine} instead of {other}"
    logs, other_logs = ours[3], theirs[3]
    for index, (log, other) in enumerate(zip(logs, other_logs)):
        for name, mine, theirs_ in zip(("address", "topics", "data"), log, other):
            if mine != theirs_:
                return f"{name} of log {index} is {_shown_item(mine)} instead of {_shown_item(theirs_)}"
    if len(logs) != len(other_logs):
        return f"{len(logs)} logs instead of {len(other_logs)}"
    return "logs bloom differs"


def _receipt_parts(encoded: bytes) -> tuple[int, str, int, list[Any]]:
    kind, payload = (encoded[0], encoded[1:]) if encoded[0] < 0xC0 else (0, encoded)
    status, cumulative, _, logs = to_list(decode(payload, "receipt"), "receipt", 4, 4)
    return (
        kind,
        "0x" + to_bytes(status, "receipt.status").hex(),
        to_number(cumulative, "receipt.cumulative_gas_used"),
        list(to_list(logs, "receipt.logs")),
    )


def _shown_item(item: Any) -> str:
    return _text(item) if isinstance(item, bytes) else "[" + ", ".join(_text(part) for part in item) + "]"
