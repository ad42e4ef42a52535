"""Thousands of what-ifs on one state: calls, transactions or bundles of both, on all workers, the answers as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._core import STATUSES, State, Transaction, _simulate
from .call_columns import Columns, columns_of, is_columns
from .header import Header
from .hexadecimal import shown, to_address

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Simulations", "simulate_many"]

_NAMES = tuple(row.name for row in STATUSES)
# SimulatedRow of core/vm/simulation.hpp: name, form, offset.
_FIELDS = (
    ("gas_used", "<i8", 0),
    ("gas_refund", "<i8", 8),
    ("output_begin", "<u8", 16),
    ("output_size", "<u8", 24),
    ("bundle", "<u4", 32),
    ("log_count", "<u4", 36),
    ("status", "u1", 40),
    ("has_contract", "?", 41),
    ("contract", "V20", 42),
)
_ROW_BYTES = 64

Item = Mapping[str, Any] | Transaction


@dataclass(frozen=True, slots=True, repr=False)
class Simulations:
    """What came of many what-ifs, in their order. Compares equal where all is equal: it doesn't depend on the workers.

    accounts  whose balances were wanted;  slots  (address, slot) of the slots that were
    """

    _rows: bytes
    outputs: bytes
    _values: bytes
    accounts: tuple[bytes, ...] = ()
    slots: tuple[tuple[bytes, int], ...] = ()

    def __len__(self) -> int:
        return len(self._rows) // _ROW_BYTES

    def __repr__(self) -> str:
        return f"<Simulations of {len(self)}>"

    @property
    def rows(self) -> np.ndarray:
        """A row each: gas_used, gas_refund, output_begin and output_size (in `outputs`), bundle, log_count, status (a place in STATUSES),
        has_contract, contract."""
        import numpy as np

        names, formats, offsets = zip(*_FIELDS)
        form = np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": _ROW_BYTES})
        return np.frombuffer(self._rows, form)

    def outcome(self, index: int) -> str:
        """How it ended, the row of status.def: "SUCCESS", "REVERT", "OUT_OF_GAS", "INSUFFICIENT_FUNDS" …"""
        return _NAMES[self._rows[self._at(index) + 40]]

    def output(self, index: int) -> bytes:
        """What it returned or reverted with."""
        at = self._at(index)
        begin, size = (int.from_bytes(self._rows[at + k : at + k + 8], "little") for k in (16, 24))
        return self.outputs[begin : begin + size]

    def balance(self, index: int, address: bytes | str) -> int:
        """A wanted balance after it, in wei."""
        wanted = to_address(address)
        if wanted not in self.accounts:
            raise ValueError(f"balances: that of 0x{wanted.hex()} was not asked for")
        return self._value(index, self.accounts.index(wanted))

    def slot(self, index: int, address: bytes | str, slot: int) -> int:
        """The value of a wanted slot after it."""
        wanted = to_address(address), slot
        if wanted not in self.slots:
            raise ValueError(f"slots: {slot!r} of 0x{wanted[0].hex()} was not asked for")
        return self._value(index, len(self.accounts) + self.slots.index(wanted))

    @property
    def values(self) -> np.ndarray:
        """The wanted balances and then slots after each: an array (what-ifs, values, 32) of bytes, big-endian."""
        import numpy as np

        width = len(self.accounts) + len(self.slots)
        return np.frombuffer(self._values, np.uint8).reshape(len(self), width, 32)

    def _at(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            raise IndexError(f"what-if {index} of {len(self)}")
        return index % len(self) * _ROW_BYTES

    def _value(self, index: int, place: int) -> int:
        self._at(index)
        at = 32 * (index % len(self) * (len(self.accounts) + len(self.slots)) + place)
        return int.from_bytes(self._values[at : at + 32], "big")


def simulate_many(
    state: State,
    header: Header,
    calls: Iterable[Item] | Columns | None = None,
    *,
    transactions: Iterable[Transaction] | None = None,
    bundles: Iterable[Iterable[Item]] | None = None,
    workers: int | None = None,
    balances: Sequence[bytes | str] = (),
    slots: Sequence[tuple[bytes | str, int]] = (),
) -> Simulations:
    """Execute what-ifs, each on the state as it is, and keep nothing.

    calls         dicts of sender, to, data, value, gas, gas_price, as for `call`; or columns of these: a NumPy record array, or a dict of
                  arrays and lists with an item for each call, and of single values that are the same for all. Numbers are integers or 32 bytes,
                  big-endian, addresses and data rows of bytes; with `data_begin` and `data_size` each call has its part of one `data`.
                  Arrays are not copied: nobody is to write to them meanwhile
    transactions  Transactions, validated as `transact` does; one that may not be included has its reason as outcome
    bundles       iterables of both: those of one bundle see what the ones before them did, bundles see nothing of each other
    workers       threads; None: as many as there are processors
    balances      addresses whose balances are wanted after each what-if
    slots         (address, slot) whose values are
    return        Simulations, the same with any number of workers
    raise         TypeError, ValueError for what is no call; MissingState, MissingBlockHash

    One of `calls`, `transactions` and `bundles` is given. A revert or halt is a result; so is a message whose sender can't pay, and one that
    meets a limit of evmcore's own. The GIL is free while they run. A lazy state fetches what they miss in batches.
    """
    given = [which for which in (calls, transactions, bundles) if which is not None]
    if len(given) != 1:
        raise TypeError(f"simulate_many: one of calls, transactions and bundles is wanted, {len(given)} are given")
    accounts = tuple(to_address(address, "balances") for address in _items(balances, "balances"))
    asked = tuple(
        (to_address(address, "slots"), slot) for address, slot in (_pair(item) for item in _items(slots, "slots"))
    )
    if calls is not None and is_columns(calls):
        columns, count = columns_of(calls)
        answers = _simulate(state, header, count, False, workers, accounts, asked, columns)
    else:
        name = "bundles" if bundles is not None else "calls" if calls is not None else "transactions"
        answers = _simulate(state, header, _items(given[0], name), bundles is not None, workers, accounts, asked)
    rows, outputs, values = answers
    return Simulations(rows, outputs, values, accounts, asked)


def _items(value: Any, name: str) -> Iterable[Any]:
    if not isinstance(value, Iterable) or isinstance(value, (str, bytes)):
        raise TypeError(f"{name}: expected an iterable, got {type(value).__name__}")
    return value


def _pair(item: Any) -> tuple[Any, Any]:
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        raise TypeError(f"slots: expected (address, slot), got {shown(item)}")
    return item[0], item[1]
