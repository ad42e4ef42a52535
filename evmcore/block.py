"""A block: the header, the transactions and what else the chain keeps of it; to and from RLP and block files.

What RLP says wrong raises DecodeError and names the field; what a file says wrong raises UnusableInput.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from . import rlp
from .errors import DecodeError, UnusableInput, not_rlp
from .header import NEWEST_FORK, Header, Withdrawal
from .hexadecimal import data, shown

if TYPE_CHECKING:
    from ._core import BlockAccessList, State, Transaction

__all__ = ["Block", "Expected"]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a block has to give beyond its header's words, where it is known: None is not.

    senders   of the transactions, in order, to compare with the recovered ones
    """

    gas_used: int | None = None
    logs_bloom: bytes | None = None
    receipts_root: bytes | None = None
    state_root: bytes | None = None
    senders: tuple[bytes | None, ...] | None = None


@dataclass(slots=True)
class Block:
    """A block, and where it was read from a file, the state it starts from and what it has to give.

    withdrawals            None before Shanghai
    pre_state              the state before the block; yours to copy (`copy` is cheap) or to change
    is_pre_state_complete  whether it is the whole state, so that a state root can be computed from it
    access_list            its block access list (EIP-7928), which comes beside it and isn't in its RLP; None: not known
    """

    header: Header
    transactions: tuple[Transaction, ...] = ()
    ommers: tuple[Header, ...] = ()
    withdrawals: tuple[Withdrawal, ...] | None = None
    pre_state: State | None = None
    expected: Expected | None = None
    is_pre_state_complete: bool = True
    access_list: BlockAccessList | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        """Each part is what it has to be, when the block is made and when it is changed. Raises UnusableInput."""
        check = _PARTS.get(name)
        object.__setattr__(self, name, value if check is None else check(value, f"block.{name}"))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, member.name) for member in fields(self))

    def __repr__(self) -> str:
        expected = "" if self.expected is None else ", expected"
        state = (
            "" if self.pre_state is None else f", {'' if self.is_pre_state_complete else 'partial '}{self.pre_state!r}"
        )
        return (
            f"<Block {self.header.number} {self.header.fork} 0x{self.hash.hex()}: {len(self.transactions)} transactions, "
            f"{len(self.ommers)} ommers, {len(self.withdrawals or ())} withdrawals{state}{expected}>"
        )

    @property
    def number(self) -> int:
        """The header's number."""
        return self.header.number

    @property
    def hash(self) -> bytes:
        """The header's hash."""
        return self.header.hash

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Block:
        """Read a block file (format mainnet-block/1, gzipped or not). Raises UnusableInput with path and reason."""
        from .fixtures import load_block

        return load_block(path)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Block:
        """From the members of a block file, as `load` finds them."""
        from .fixtures import block_from_json

        return block_from_json(value)

    @classmethod
    def decode(cls, encoded: bytes, *, fork: str = NEWEST_FORK, chain_id: int = 1) -> Block:
        """From the block's RLP, as the network and chain files have it. Raises DecodeError."""
        from ._core import Transaction

        encoded = data(encoded, "block")
        parts = rlp.read_list(encoded, 0, len(encoded), "block")
        if not 3 <= len(parts) <= 4:
            raise not_rlp("RLP_TOO_FEW_FIELDS" if len(parts) < 3 else "RLP_TOO_MANY_FIELDS", "block")
        header = Header.from_rlp(_part(encoded, parts[0], "header"), "header", fork=fork, chain_id=chain_id)
        transactions = []
        for index, (is_list, at, payload, end) in enumerate(
            rlp.read_list(encoded, parts[1][1], parts[1][3], "transactions")
        ):
            try:
                # A legacy transaction lies in the block as the list it is, a typed one as a string (EIP-2718).
                if not is_list and encoded[payload : payload + 1] >= b"\xc0":
                    raise not_rlp("RLP_EXPECTED_LIST", "transaction")
                transactions.append(Transaction.decode(encoded[at if is_list else payload : end]))
            except DecodeError as error:
                raise error.placed(index) from None
        ommers = rlp.to_list(_part(encoded, parts[2], "ommers"), "ommers")
        withdrawals = None
        if len(parts) == 4:
            items = rlp.to_list(_part(encoded, parts[3], "withdrawals"), "withdrawals")
            withdrawals = tuple(Withdrawal.from_rlp(item, f"withdrawals[{index}]") for index, item in enumerate(items))
        return cls(
            header,
            tuple(transactions),
            tuple(
                Header.from_rlp(item, f"ommers[{index}]", fork=fork, chain_id=chain_id)
                for index, item in enumerate(ommers)
            ),
            withdrawals,
        )

    def encode(self) -> bytes:
        """The block's RLP."""
        transactions = (raw if raw[:1] >= b"\xc0" else rlp.encode(raw) for raw in (tx.raw for tx in self.transactions))
        parts = [
            self.header.encode(),
            rlp.encode_list(transactions),
            rlp.encode_list(ommer.encode() for ommer in self.ommers),
        ]
        if self.withdrawals is not None:
            parts.append(rlp.encode_list(withdrawal.encode() for withdrawal in self.withdrawals))
        return rlp.encode_list(parts)

    def with_header(self, **changes: Any) -> Block:
        """The same block with some of the header's fields changed."""
        return replace(self, header=replace(self.header, **changes))


def _one(kind: Callable[[], type], is_optional: bool = False) -> Callable[[Any, str], Any]:
    """Holds a part of a block to a class."""

    def check(value: Any, name: str) -> Any:
        if not isinstance(value, kind()) and not (is_optional and value is None):
            raise UnusableInput(f"{name}: {shown(value)} is not a {kind().__name__}")
        return value

    return check


def _several(kind: Callable[[], type], is_optional: bool = False) -> Callable[[Any, str], Any]:
    """The same for each of a sequence, which becomes a tuple."""

    def check(value: Any, name: str) -> Any:
        if value is None and is_optional:
            return None
        wanted = kind()
        if type(value) is tuple and {wanted}.issuperset(
            map(type, value)
        ):  # thousands of transactions, at each `replace`
            return value
        try:
            items = iter(value)
        except TypeError:
            raise UnusableInput(f"{name}: {shown(value)} is not a sequence") from None
        checked = []
        for index, item in enumerate(items):
            if not isinstance(item, wanted):
                raise UnusableInput(f"{name}[{index}]: {shown(item)} is not a {wanted.__name__}")
            checked.append(item)
        return tuple(checked)

    return check


def _transaction_class() -> type:
    from ._core import Transaction

    return Transaction


def _state_class() -> type:
    from ._core import State

    return State


def _list_class() -> type:
    from ._core import BlockAccessList

    return BlockAccessList


_PARTS: dict[str, Callable[[Any, str], Any]] = {
    "header": _one(lambda: Header),
    "transactions": _several(_transaction_class),
    "ommers": _several(lambda: Header),
    "withdrawals": _several(lambda: Withdrawal, is_optional=True),
    "pre_state": _one(_state_class, is_optional=True),
    "expected": _one(lambda: Expected, is_optional=True),
    "access_list": _one(_list_class, is_optional=True),
}


def _part(encoded: bytes, part: tuple[bool, int, int, int], name: str) -> rlp.Item:
    return rlp.decode(encoded[part[1] : part[3]], name)
