"""Blocks as they travel to a layer: flat bytes, codes apart and by their hash.

A layer keeps the codes that it was sent: contracts are executed again and again, and are most of what a block's state weighs.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .._core import BlockAccessList, State, Transaction
from ..block import Block, Expected
from ..caches import CacheFigures, add_cache
from ..errors import UnusableInput
from ..header import Header, Withdrawal
from ..locks import lock_of_process
from ..receipt import EMPTY_CODE_HASH

__all__ = ["Carried", "CodeStore", "kept_codes"]

# Of pyx/core/state/state_codec.hpp: it begins so, then come the codes: how many, and of each its length and its bytes.
_STATE_MAGIC = b"evmstate\x01"
# Each takes some 250 bytes beside its own.
_KEPT_CODES = 1 << 20
# What a layer keeps of codes; those of all contracts that a week of mainnet calls take a tenth of it.
_KEPT_BYTES = 512 << 20


@dataclass(frozen=True, slots=True)
class Carried:
    """A block as it travels: its parts that pickle, and its state as bytes.

    accounts     of the state's encoding what follows the codes
    code_hashes  of the state's codes, in its order
    """

    header: Header
    transactions: tuple[Transaction, ...]
    ommers: tuple[Header, ...]
    withdrawals: tuple[Withdrawal, ...] | None
    accounts: bytes
    code_hashes: tuple[bytes, ...]
    expected: Expected | None
    is_pre_state_complete: bool
    access_list: BlockAccessList | None

    @classmethod
    def pack(cls, block: Block) -> tuple[Carried, dict[bytes, bytes]]:
        """The block, and its codes by hash. UnusableInput for one without a state, or with a state that can't be sent whole."""
        state = block.pre_state
        if state is None:
            raise UnusableInput(f"block {block.number}: no pre-state")
        for kind, is_so in (("lazy", state.source is not None), ("local", state.is_local), ("strict", state.is_strict)):
            if is_so:  # its knowledge of what is absent, or of where to ask, would be lost on the way
                raise UnusableInput(f"block {block.number}: a {kind} state doesn't travel to another process")
        codes, accounts = split_state(state.to_bytes(), _code_hashes(state))
        carried = cls(
            block.header,
            block.transactions,
            block.ommers,
            block.withdrawals,
            accounts,
            tuple(codes),
            block.expected,
            block.is_pre_state_complete,
            block.access_list,
        )
        return carried, codes

    def unpack(self, codes: Mapping[bytes, bytes]) -> Block:
        """The block again. KeyError for a code that isn't there."""
        return Block(
            self.header,
            self.transactions,
            self.ommers,
            self.withdrawals,
            State.from_bytes(join_state([codes[hash_] for hash_ in self.code_hashes], self.accounts)),
            self.expected,
            self.is_pre_state_complete,
            self.access_list,
        )


def _code_hashes(state: State) -> list[bytes]:
    """Of the codes of a state, in the order of its encoding: ascending. The state knows them; hashing codes would take longer than all else."""
    return sorted({state.get_code_hash(address) for address in state.addresses()} - {EMPTY_CODE_HASH})


def split_state(encoded: bytes, hashes: Sequence[bytes]) -> tuple[dict[bytes, bytes], bytes]:
    """The codes of an encoded state by these hashes, in its order, and what follows them."""
    if not encoded.startswith(_STATE_MAGIC):
        raise AssertionError("the encoding of states has changed")
    count, at = _count(encoded, len(_STATE_MAGIC))
    if count != len(hashes):
        raise AssertionError(f"a state of {count} codes has {len(hashes)} of their hashes")
    codes = {}
    for hash_ in hashes:
        size, at = _count(encoded, at)
        codes[hash_] = encoded[at : at + size]
        at += size
    return codes, encoded[at:]


def join_state(codes: Iterable[bytes], rest: bytes) -> bytes:
    """The encoded state of which these are the codes and the rest."""
    listed = list(codes)
    parts = [_STATE_MAGIC, _counted(len(listed))]
    for code in listed:
        parts += (_counted(len(code)), code)
    return b"".join((*parts, rest))


def _count(encoded: bytes, at: int) -> tuple[int, int]:
    """A count (LEB128) and where it ends."""
    count = shift = 0
    while True:
        byte = encoded[at]
        at += 1
        count |= (byte & 0x7F) << shift
        if byte < 0x80:
            return count, at
        shift += 7


def _counted(count: int) -> bytes:
    out = bytearray()
    while count >= 0x80:
        out.append(count & 0x7F | 0x80)
        count >>= 7
    out.append(count)
    return bytes(out)


class CodeStore:
    """Codes by hash, those that were used longest ago given up first. Any thread may use it."""

    def __init__(self, most_bytes: int = _KEPT_BYTES, most_codes: int = _KEPT_CODES) -> None:
        self._most_bytes, self._most_codes = most_bytes, most_codes
        self._codes: OrderedDict[bytes, bytes] = OrderedDict()
        self._bytes = 0
        self._lock = lock_of_process()
        _stores.add(self)

    def add(self, codes: Mapping[bytes, bytes]) -> None:
        """Keep these, each under its hash."""
        with self._lock:
            for hash_, code in codes.items():
                if hash_ not in self._codes:
                    self._codes[hash_] = code
                    self._bytes += len(code)
            while self._bytes > self._most_bytes or len(self._codes) > self._most_codes:
                self._bytes -= len(self._codes.popitem(last=False)[1])

    def take(self, hashes: Iterable[bytes]) -> tuple[dict[bytes, bytes], list[bytes]]:
        """Those that are here, and the hashes of those that aren't."""
        found, missing = {}, []
        with self._lock:
            for hash_ in hashes:
                code = self._codes.get(hash_)
                if code is None:
                    missing.append(hash_)
                else:
                    self._codes.move_to_end(hash_)
                    found[hash_] = code
        return found, missing

    def clear(self) -> None:
        """Give up all of them."""
        with self._lock:
            self._codes.clear()
            self._bytes = 0

    @property
    def figures(self) -> CacheFigures:
        """As `evmcore.caches` shows it."""
        return CacheFigures(len(self._codes), self._most_codes, self._bytes, self._most_bytes)

    @property
    def size_bytes(self) -> int:
        """What the codes take."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._codes)


_stores: weakref.WeakSet[CodeStore] = weakref.WeakSet()  # of this process: a LayerServer has its own


def _figures() -> CacheFigures:
    each = [store.figures for store in list(_stores)]
    return CacheFigures(
        sum(one.entries for one in each),
        sum(one.limit or 0 for one in each),
        sum(one.bytes or 0 for one in each),
        sum(one.limit_bytes or 0 for one in each),
    )


def _empty() -> None:
    for store in list(_stores):
        store.clear()


add_cache("layer_codes", _figures, _empty)

# Of this process, where it is a layer.
kept_codes = CodeStore()
