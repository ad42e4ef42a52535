"""A table that learns what calls cost and touch: one row for each code and selector, of slot templates.

Most slots that a call touches are constants of the contract, or a mapping's entry of the sender or of an argument: keccak-256 of key and base
(Solidity's layout). A template is how a slot was derived; what it derives for the next call is the prediction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .. import FORKS, State, Transaction, keccak256
from ..chain.schedule import rules_of
from .prediction import Key, Prediction

__all__ = ["Learned"]

# Of mappings that are looked for: their places in the contract's storage, how many arguments may be the key, and fields behind the entry.
_BASES = tuple(number.to_bytes(32, "big") for number in range(16))
_INNER_BASES = _BASES[:8]  # of mappings in mappings
_ARGUMENTS = 8
_FIELDS = 4
# A template is used once it held in so great a share of the calls; a row forgets the older half of what it saw at so many calls.
_SHARE = 0.5
_HALVED_AT = 64
_MOST_TEMPLATES = 256  # of a row: a call that touches something else each time is not to be learned
# What took no more is a payment, of which there is nothing to learn: the most that any fork asks for one.
_PLAIN_GAS = max(rules_of(fork.mainnet_name).transaction_gas for fork in FORKS)

# Where a slot's account, and where the slot comes from.
_Template = tuple[tuple[Any, ...], tuple[Any, ...]]


@dataclass(slots=True)
class _Row:
    """What calls of one code by one selector did."""

    calls: float = 0
    cost: float = 0
    seen: dict[_Template, list[float]] = field(default_factory=dict)  # how often read, and written

    def note(self, cost: int, touched: dict[_Template, list[bool]]) -> None:
        """One more call: what it cost, and what it read and wrote."""
        if self.calls >= _HALVED_AT:
            self.calls /= 2
            self.seen = {one: [n / 2 for n in counts] for one, counts in self.seen.items() if max(counts) >= 2}
        self.calls += 1
        self.cost = cost if self.calls == 1 else 0.7 * self.cost + 0.3 * cost
        for template, (is_read, is_write) in touched.items():
            if template not in self.seen and len(self.seen) >= _MOST_TEMPLATES:
                continue
            counts = self.seen.setdefault(template, [0, 0])
            counts[0] += is_read
            counts[1] += is_write


class Learned:
    """Predicts by what earlier calls of the same code and selector did.

    state      whose code an address has: copies of a contract share a row. None: a row for each address
    most_rows  the row that was used longest ago goes
    """

    def __init__(self, state: State | None = None, *, most_rows: int = 100_000) -> None:
        self.state = state
        self._rows: dict[tuple[bytes, bytes], _Row] = {}
        self._most_rows = most_rows

    def __len__(self) -> int:
        return len(self._rows)

    def predict(self, transaction: Transaction) -> Prediction:
        """What calls like it did, with its own sender and arguments. One that nobody has made before costs its gas limit."""
        name = self._name(transaction)
        row = self._rows.pop(name, None)
        sender = transaction.sender
        if row is None:
            return Prediction(transaction.gas_limit, sender=sender)
        self._rows[name] = row  # the last one used
        operands = _operands(transaction)
        reads: set[Key] = set()
        writes: set[Key] = set()
        for template, (read, written) in row.seen.items():
            least = _SHARE * row.calls
            if max(read, written) < least:
                continue
            key = _key_of(template, operands)
            if key is not None:
                if read >= least:
                    reads.add(key)
                if written >= least:
                    writes.add(key)
        return Prediction(round(row.cost), frozenset(reads), frozenset(writes), sender)

    def learn(self, transaction: Transaction, done: Prediction) -> None:
        """What one did."""
        name = self._name(transaction)
        row = self._rows.pop(name, None) or _Row()
        self._rows[name] = row
        if len(self._rows) > self._most_rows:
            del self._rows[next(iter(self._rows))]
        if done.cost <= _PLAIN_GAS:
            row.note(done.cost, {})
            return
        operands = _operands(transaction)
        hashes: dict[bytes, tuple[Any, ...]] | None = None
        touched: dict[_Template, list[bool]] = {}
        for key in done.reads | done.writes:
            account = next((one for one, word in operands.items() if word[12:] == key[:20]), ("const", key[:20]))
            place: tuple[Any, ...] = ("of", key[20:])
            if len(key) == 52 and key[20:36] != bytes(16):  # not one of the first slots: derived from something
                hashes = dict(_derived(operands)) if hashes is None else hashes
                number = int.from_bytes(key[20:], "big")
                for offset in range(_FIELDS):
                    found = hashes.get((number - offset).to_bytes(32, "big")) if number >= offset else None
                    if found is not None:
                        place = (*found, offset)
                        break
            template = (account, place)
            did = touched.setdefault(template, [False, False])
            did[0] |= key in done.reads
            did[1] |= key in done.writes
        row.note(done.cost, touched)

    def _name(self, transaction: Transaction) -> tuple[bytes, bytes]:
        to = transaction.to or b""
        code = self.state.get_code_hash(to) if self.state is not None and to else to
        return code or to, transaction.data[:4]


def _operands(transaction: Transaction) -> dict[tuple[Any, ...], bytes]:
    """The words that a call may make an address or a key of, by name."""
    words: dict[tuple[Any, ...], bytes] = {("self",): (transaction.to or b"").rjust(32, b"\0")}
    words[("sender",)] = transaction.sender.rjust(32, b"\0")
    data = transaction.data
    for place in range(min(_ARGUMENTS, (len(data) - 4) // 32)):
        words[("argument", place)] = data[4 + 32 * place : 36 + 32 * place]
    return words


def _derived(operands: dict[tuple[Any, ...], bytes]) -> Iterator[tuple[bytes, tuple[Any, ...]]]:
    """The slots of mappings with these keys, and of mappings in mappings, each with how it was derived."""
    for outer, word in operands.items():
        for base in _BASES:
            yield keccak256(word + base), ("map", outer, base)
    for outer, word in operands.items():
        for base in _INNER_BASES:
            inner = keccak256(word + base)
            for other, key in operands.items():
                yield keccak256(key + inner), ("map of map", outer, base, other)


def _key_of(template: _Template, operands: dict[tuple[Any, ...], bytes]) -> Key | None:
    """The key that a template derives for a call; None where the call lacks the argument."""
    account, place = template
    if account[0] == "const":
        address = account[1]
    else:
        word = operands.get(account)
        address = None if word is None else word[12:]
    if not isinstance(address, bytes):
        return None
    if place[0] == "of":
        rest = place[1]
        return address + rest if isinstance(rest, bytes) else None
    kind, outer, base, *more = place
    word = operands.get(outer)
    if word is None or not isinstance(base, bytes):
        return None
    slot = keccak256(word + base)
    if kind == "map of map":
        key = operands.get(more[0])
        if key is None:
            return None
        slot = keccak256(key + slot)
    offset = more[-1]
    assert isinstance(offset, int)
    return address + (int.from_bytes(slot, "big") + offset & (1 << 256) - 1).to_bytes(32, "big")
