"""A node: a DevChain with what clients of one expect beside it: accounts, transactions that wait, filters, events, a clock.

One thread owns it, as it owns its chain.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .._core import State, Transaction
from ..dev import DevBlock, DevChain
from ..errors import InvalidTransaction
from .accounts import DevAccount
from .errors import SERVER_ERROR, RpcError
from .limits import Limits

if TYPE_CHECKING:
    from .forking import Fork

__all__ = ["Filter", "Node"]

# What isn't held against who is impersonated: a contract may send.
IMPERSONATED = {"sender_code": False}


@dataclass(slots=True)
class Filter:
    """What eth_newFilter and its like leave behind. `seen`: blocks below this number have been told; `removed`: of those, the ones that
    were taken back since."""

    kind: str
    wanted: dict[str, Any] = field(default_factory=dict)
    seen: int = 0
    hashes: list[bytes] = field(default_factory=list)
    asked: float = 0.0
    removed: list[DevBlock] = field(default_factory=list)


class Node:
    """A chain and what is around it.

    chain     yours to look at; to be changed through the node alone, so that events are told
    accounts  that sign for eth_sendTransaction
    mining    "auto": a block for each transaction; "none": when it is asked for; a number: a block each so many seconds
    fork      where the chain goes on from another node's: that is asked for what was before
    """

    def __init__(
        self,
        chain: DevChain,
        *,
        accounts: Sequence[DevAccount] = (),
        mining: str | float = "auto",
        limits: Limits | None = None,
        fork: Fork | None = None,
    ) -> None:
        self.chain = chain
        chain.automine = False  # the node mines
        self.fork = fork
        self.accounts = {account.address: account for account in accounts}
        self.impersonated: set[bytes] = set()
        self.impersonates_all = False
        self.limits = limits or Limits()
        self.mining = mining
        self.pool: dict[bytes, dict[int, Transaction]] = {}
        self.filters: dict[str, Filter] = {}
        self.listeners: list[Callable[[str, Any], None]] = []
        self.next_fields: dict[str, Any] = {}
        self.time_offset = 0
        self.block_interval: int | None = None
        self.coinbase: bytes | None = None
        self.instance = secrets.token_bytes(32)

    def check_whole(self, what: str) -> None:
        """RpcError for what takes the whole state where the chain goes on from another one's, of which a part is known."""
        state = self.chain.head.state
        if self.fork is not None or (state.is_strict and not state.is_local):
            raise RpcError(SERVER_ERROR, f"no {what}: of the state only a part is known")

    # -------------------------------------------------------------- events

    def tell(self, kind: str, what: Any) -> None:
        """Tell listeners: "block" a DevBlock, "removed" several that were taken back, "pending" a Transaction."""
        for listener in list(self.listeners):
            listener(kind, what)

    # -------------------------------------------------------------- time and blocks

    def now(self) -> int:
        """The time of a block that is made now."""
        parent = self.chain.head.header.timestamp
        if self.block_interval is not None:
            return parent + self.block_interval
        return max(parent + 1, int(time.time()) + self.time_offset)

    def set_next(self, **fields: Any) -> None:
        """Fields of the next block's header."""
        self.chain.set_pending(**fields)
        self.next_fields.update(fields)

    def mine(self, count: int = 1, interval: int | None = None, timestamp: int | None = None) -> list[DevBlock]:
        """Make blocks, the first of what is pending; `interval` is between their times."""
        return list(self.mining_steps(count, interval, timestamp))

    def mining_steps(self, count: int, interval: int | None = None, timestamp: int | None = None) -> Iterator[DevBlock]:
        """The same, one block at a time: what else is done to the node in between counts."""
        for index in range(count):
            fields = dict(self.next_fields)
            if self.coinbase is not None:
                fields.setdefault("coinbase", self.coinbase)
            if index == 0 and timestamp is not None:
                fields["timestamp"] = timestamp
            elif index and interval is not None:
                fields["timestamp"] = self.chain.head.header.timestamp + max(interval, 1)
            fields.setdefault("timestamp", self.now())
            made = self.chain.mine(**fields)[-1]
            self.next_fields.clear()
            self.tell("block", made)
            self._promote_all()
            yield made

    # -------------------------------------------------------------- transactions

    def submit(self, transaction: Transaction, *, checks: dict[str, bool] | None = None) -> bytes:
        """Take a transaction: it is executed in the pending block, or waits for those before it; its hash.

        raise  RpcError, InvalidTransaction for one that will never be mined
        """
        sender = transaction.sender
        next_nonce = self.chain.pending.state.get_nonce(sender)
        if transaction.hash in {one.hash for one in self.chain.pending.transactions} or self._is_known(transaction):
            raise RpcError(SERVER_ERROR, "already known")
        if transaction.nonce > next_nonce:
            if sum(map(len, self.pool.values())) >= self.limits.pool:
                raise RpcError(SERVER_ERROR, "txpool is full")
            self.pool.setdefault(sender, {})[transaction.nonce] = transaction
            self._tell_pending(transaction)
            return transaction.hash
        if transaction.nonce < next_nonce and self._replaces(transaction):
            return transaction.hash
        self._make_room(transaction)
        self.chain.send(transaction, checks=checks)
        self._tell_pending(transaction)
        self._promote(sender)
        if self.mining == "auto":
            self.mine()
        return transaction.hash

    def _is_known(self, transaction: Transaction) -> bool:
        waiting = self.pool.get(transaction.sender, {}).get(transaction.nonce)
        return waiting is not None and waiting.hash == transaction.hash

    def _make_room(self, transaction: Transaction) -> None:
        """A pending block that is full is mined, where blocks are made at once."""
        pending = self.chain.pending
        if self.mining == "auto" and pending.transactions and transaction.gas_limit > pending.gas_left:
            self.mine()

    def _replaces(self, transaction: Transaction) -> bool:
        """Put a transaction in the place of a pending one with its nonce, if it pays a tenth more."""
        pending = self.chain.pending
        for index, old in enumerate(pending.transactions):
            if old.sender == transaction.sender and old.nonce == transaction.nonce:
                if 10 * transaction.max_fee_per_gas < 11 * old.max_fee_per_gas:
                    raise RpcError(SERVER_ERROR, "replacement transaction underpriced")
                self.rebuild([*pending.transactions[:index], transaction, *pending.transactions[index + 1 :]])
                self._tell_pending(transaction)
                return True
        return False

    def drop(self, transaction_hash: bytes | None) -> int:
        """Drop one transaction that isn't mined, or (None) all; how many."""
        dropped = 0
        for sender, waiting in list(self.pool.items()):
            for nonce, transaction in list(waiting.items()):
                if transaction_hash in (None, transaction.hash):
                    del waiting[nonce]
                    dropped += 1
            if not waiting:
                del self.pool[sender]
        pending = self.chain.pending.transactions
        kept = [one for one in pending if transaction_hash is not None and one.hash != transaction_hash]
        if len(kept) < len(pending):
            dropped += len(pending) - len(kept)
            self.rebuild(kept)
        return dropped

    def rebuild(self, transactions: Sequence[Transaction]) -> None:
        """Begin the pending block again with these; those that don't fit any more wait."""
        self.chain.discard_pending()
        if self.next_fields:
            self.chain.set_pending(**self.next_fields)
        for transaction in transactions:
            try:
                self.chain.send(transaction, checks=IMPERSONATED)
            except InvalidTransaction:
                if transaction.nonce > self.chain.pending.state.get_nonce(transaction.sender):
                    self.pool.setdefault(transaction.sender, {})[transaction.nonce] = transaction

    def _promote_all(self) -> None:
        for sender in list(self.pool):
            self._promote(sender)

    def _promote(self, sender: bytes) -> None:
        """Execute what has waited for those before it."""
        waiting = self.pool.get(sender, {})
        while waiting:
            nonce = self.chain.pending.state.get_nonce(sender)
            transaction = waiting.get(nonce)
            if transaction is None:
                break
            try:
                self.chain.send(transaction, checks=IMPERSONATED)
            except InvalidTransaction as error:
                if error.status == "GAS_ALLOWANCE_EXCEEDED":
                    return  # it fits the next block
            del waiting[nonce]
        if not waiting:
            self.pool.pop(sender, None)

    def _tell_pending(self, transaction: Transaction) -> None:
        for one in self.filters.values():
            if one.kind == "pending" and len(one.hashes) < self.limits.queued_messages:
                one.hashes.append(transaction.hash)
        self.tell("pending", transaction)

    def change(self, edit: Callable[[State], object]) -> None:
        """Change the state after the last block; what waits is executed again on it."""
        pending = self.chain.pending.transactions
        self.chain.change_state(edit)
        self.rebuild(pending)

    # -------------------------------------------------------------- filters

    def new_filter(self, kind: str, wanted: dict[str, Any] | None = None) -> str:
        """Keep a filter; its name."""
        now = time.monotonic()
        for name, one in list(self.filters.items()):
            if now - one.asked > self.limits.filter_seconds:
                del self.filters[name]
        if len(self.filters) >= self.limits.filters:
            raise RpcError(SERVER_ERROR, f"too many filters: there may be {self.limits.filters}")
        name = "0x" + secrets.token_hex(16)
        self.filters[name] = Filter(kind, wanted or {}, self.chain.head.number + 1, [], now)
        return name

    def filter(self, name: str) -> Filter:
        """A filter by its name."""
        found = self.filters.get(name)
        if found is None:
            raise RpcError(SERVER_ERROR, "filter not found")
        found.asked = time.monotonic()
        return found

    # -------------------------------------------------------------- undo

    def snapshot(self) -> int:
        """A number to `revert` to."""
        return self.chain.snapshot()

    def revert(self, snapshot: int) -> bool:
        """Go back to a snapshot; whether there was one."""
        try:
            self.chain.revert(snapshot)
        except ValueError:
            return False
        self._after_undo()
        return True

    def rewind(self, number: int) -> list[DevBlock]:
        """Take back all blocks after this one, which are returned."""
        taken = self.chain.rewind(number)
        for one in self.filters.values():
            if one.kind == "logs":
                one.removed += [block for block in taken if block.number < one.seen]
                del one.removed[: -self.limits.queued_messages]
        self._after_undo()
        if taken:
            self.tell("removed", taken)
        return taken

    def replace(self, chain: DevChain, fork: Fork | None) -> None:
        """Go on with another chain. What waits, snapshots and the state of what is next are gone."""
        chain.automine = False
        chain.states_kept = self.chain.states_kept
        self.chain, self.fork = chain, fork
        self.time_offset, self.block_interval = 0, None
        self._after_undo()

    def _after_undo(self) -> None:
        self.pool.clear()
        self.next_fields.clear()
        for one in self.filters.values():
            one.seen = min(one.seen, self.chain.head.number + 1)
