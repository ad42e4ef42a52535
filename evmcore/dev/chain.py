"""DevChain: a genesis, blocks that are made at once, and a pending one. A block's state is a fork of its parent's; all are kept, or the last.

One thread owns a chain.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .._core import NEWEST_FORK, PARAMETERS, State, Transaction, transact
from ..block import Block
from ..block_builder import BlockBuilder
from ..chain.genesis import Genesis
from ..chain.schedule import Schedule
from ..errors import UnusableInput
from ..estimation import SIMULATED, estimate_gas
from ..header import Header, Withdrawal
from ..hexadecimal import checked_quantity
from ..proofs import AccountProof
from ..receipt import Receipt
from .block import DevBlock
from .errors import BlockNotFound, TransactionNotFound
from .headers import Calendar, first_header, header_after
from .imported import import_blocks
from .numbered import Numbered
from .system_contracts import system_contracts
from .tracing import trace_call, trace_sent

__all__ = ["DevBlock", "DevChain"]


class DevChain:
    """A chain whose blocks are made as transactions come.

    accounts   address -> Account or mapping, or a State: the genesis state. The contracts that its forks call are added
    forks      a fork's name, or (block number, fork), … in order, the first at 0
    chain_id   of its transactions, and for CHAINID
    automine   whether `send` ends the pending block at once
    genesis    fields of the first header: gas_limit, timestamp, base_fee_per_gas, coinbase …

    `from_genesis` makes one of a genesis.json, and of blocks on it.
    """

    def __init__(
        self,
        accounts: Mapping[Any, Any] | State | None = None,
        *,
        forks: str | Sequence[tuple[int, str]] = NEWEST_FORK,
        chain_id: int = 1337,
        automine: bool = True,
        genesis: Mapping[str, Any] | None = None,
    ) -> None:
        calendar = Calendar(forks)
        state = accounts.copy() if isinstance(accounts, State) else State(accounts)
        for fork in calendar.names:
            for address, account in system_contracts(fork).items():
                if not state.get_code(address):
                    state.set_account(address, account)
        fields = dict(genesis or {})
        _check_own({name: value for name, value in fields.items() if name != "parent_hash"})
        fork, _ = calendar.place(0, 0, 0)
        self._begin(calendar, first_header(fork, chain_id, state, fields), state, automine)

    def _begin(
        self, calendar: Calendar, header: Header, state: State, automine: bool, block_hash: bytes | None = None
    ) -> None:
        self._calendar = calendar
        self.chain_id = header.chain_id
        self.automine = automine
        withdrawals = None if header.withdrawals_root is None else ()
        first = DevBlock(Block(header, withdrawals=withdrawals), (), state, block_hash or header.hash)
        self._blocks = Numbered(header.number, first)
        self._totals = Numbered(
            header.number, header.difficulty
        )  # total difficulty of each block, from the first one on
        self._by_hash = {first.hash: header.number}
        self._transactions: dict[bytes, tuple[int, int]] = {}  # hash -> (block's number, place)
        self._pending: BlockBuilder | None = None
        self._snapshots: dict[int, tuple[DevBlock, BlockBuilder | None]] = {}
        self._next_snapshot = 1
        self._states_kept: int | None = None

    @classmethod
    def from_genesis(cls, genesis: Genesis, blocks: Iterable[bytes] = (), *, automine: bool = True) -> DevChain:
        """A chain on a genesis, whose forks come when its schedule says.

        blocks  the RLP of blocks on it, which are executed and checked; those of the chain that counts are kept
        raise   InvalidBlock, InvalidTransaction, DecodeError for a block that is refused; UnusableInput where the genesis isn't block 0
        """
        if genesis.header.number != 0:
            raise UnusableInput(f"genesis: a DevChain begins at block 0, this one at {genesis.header.number}")
        chain = object.__new__(cls)
        chain._begin(Calendar(genesis.schedule), genesis.header, genesis.state.copy(), automine)
        for block in import_blocks(genesis, blocks):
            chain._append(block)
        return chain

    @classmethod
    def from_block(
        cls, header: Header, state: State, *, block_hash: bytes | None = None, automine: bool = True
    ) -> DevChain:
        """A chain that goes on from a block of another one, by the rules of its header's fork.

        header      of that block, whose `block_hashes` are those of the blocks before it
        state       the state after it; of a part, or of a source, state roots are those of what is known of it
        block_hash  the block's, 32 bytes, where it isn't the header's own
        """
        chain = object.__new__(cls)
        chain._begin(Calendar(header.fork), header, state.copy(), automine, block_hash)
        return chain

    # -------------------------------------------------------------- headers

    @property
    def first(self) -> int:
        """The number of the first block that is here: 0, but for a chain that goes on from a block of another one."""
        return self._blocks.first

    @property
    def states_kept(self) -> int | None:
        """Of how many blocks, the last ones, the states are kept, beside the first block's; None, as at first: of all. May be set.

        A block takes 3 KB, its state some 10 KB more where the block is empty. Without its state it is still there with its transactions
        and receipts; what needs the state after it raises StateNotKept.
        """
        return self._states_kept

    @states_kept.setter
    def states_kept(self, count: int | None) -> None:
        self._states_kept = None if count is None else max(checked_quantity(count, "states_kept", 63), 1)
        for number in range(self.first + 1, self._first_kept()):
            self._let_go(number)

    def _first_kept(self) -> int:
        """The first block, but for the chain's first one, whose state is kept."""
        return self.first + 1 if self._states_kept is None else len(self._blocks) - self._states_kept

    def _let_go(self, number: int) -> None:
        if number > self.first and self._blocks[number].kept_state is not None:
            self._blocks[number] = replace(self._blocks[number], kept_state=None)

    @property
    def forks(self) -> tuple[tuple[int, str], ...]:
        """(block number, fork), … of a chain whose forks come by number."""
        return self._calendar.forks

    @property
    def schedule(self) -> Schedule | None:
        """When its forks begin, of a chain whose forks come by time."""
        return self._calendar.schedule

    def fork_at(self, number: int) -> str:
        """The fork of a block: of one that isn't mined, the next block's where forks come by time."""
        if self._calendar.schedule is None:
            return self._calendar.place(number, 0, 0)[0]
        return (
            self._blocks[max(number, self.first)].header.fork
            if number < len(self._blocks)
            else self.pending.header.fork
        )

    @property
    def total_difficulty(self) -> int:
        """Of the head and all blocks before it (Yellow Paper 10.1)."""
        return self._totals[-1]

    def total_difficulty_of(self, number: int) -> int:
        """Of a block and all blocks before it."""
        return self._totals[number]

    def place(self, number: int, timestamp: int, total_difficulty: int) -> Any:
        """(fork, blob limits where they aren't the fork's) of a block on a parent of this total difficulty."""
        return self._calendar.place(number, timestamp, total_difficulty)

    def recent_hashes(self, number: int) -> dict[int, bytes]:
        """The hashes that BLOCKHASH can ask for in block `number`."""
        first = max(0, number - PARAMETERS["block_hash_window"])
        hashes = {at: self._blocks[at].hash for at in range(max(first, self.first), min(number, len(self._blocks)))}
        if first < self.first:
            older = self._blocks[self.first].header.block_hashes
            hashes |= {at: older[at] for at in range(first, self.first) if at in older}
        return hashes

    def _next_header(self, timestamp: int | None = None) -> Header:
        """That of the block after the head, before anything is in it."""
        parent = self.head
        number = parent.number + 1
        if timestamp is None:
            timestamp = max(parent.header.timestamp + 1, int(time.time()))
        total = self.total_difficulty if self._calendar.schedule is not None else 0
        place = self._calendar.place(number, timestamp, total)
        made = header_after(parent.header, parent.hash, timestamp, place, self.recent_hashes(number))
        return made if made.chain_id == self.chain_id else replace(made, chain_id=self.chain_id)

    # -------------------------------------------------------------- blocks

    @property
    def head(self) -> DevBlock:
        """The last block that was mined."""
        return self._equipped(self._blocks[-1])

    @property
    def pending(self) -> BlockBuilder:
        """The block in the making, on the head."""
        if self._pending is None:
            self._pending = BlockBuilder(self._next_header(), self.head.state)
        return self._pending

    def set_pending(self, **fields: Any) -> None:
        """Change fields of the pending block's header, such as timestamp or coinbase: its transactions are executed again.

        raise  InvalidTransaction where one may not be in such a block, UnusableInput for fields that are the chain's own or that no block
               of the fork has; the pending block is then as before
        """
        before = self.pending
        _check_own(fields)
        header = before.header
        if "timestamp" in fields:
            header = self._at(header, checked_quantity(fields["timestamp"], "timestamp", 64))
        header = replace(header, **fields)
        header.encode()  # raises for fields that the fork hasn't, or that are missing
        made = BlockBuilder(header, self.head.state)
        for transaction in before.transactions:
            made.add(transaction, checks={"chain_id": False})
        self._pending = made

    def _at(self, header: Header, timestamp: int) -> Header:
        """The pending header at another time, which may be another fork's, and before Paris has another difficulty."""
        parent = self.head.header
        if timestamp <= parent.timestamp:
            raise UnusableInput(f"timestamp: {timestamp} is not after that of the block before, {parent.timestamp}")
        moved = self._next_header(timestamp)
        if moved.fork != header.fork:
            kept = ("coinbase", "extra_data", "mix_hash", "gas_limit")
            return replace(moved, **{name: getattr(header, name) for name in kept})
        return replace(header, timestamp=timestamp, difficulty=moved.difficulty)

    def discard_pending(self) -> None:
        """Let go of the pending block: the next one is begun anew."""
        self._pending = None

    def set_chain_id(self, chain_id: int) -> None:
        """Another chain id, of the pending block and those after it. The pending block is let go."""
        self.chain_id = checked_quantity(chain_id, "chain_id", 64)
        self._pending = None

    def change_state(self, change: Callable[[State], object]) -> None:
        """Change the state after the head, as no transaction does. The pending block is let go; the head's header says the root that it had.

        change  is given that state; what it raises leaves all as it was
        """
        state = self.head.state.copy()
        change(state)
        self._replace_head(replace(self.head, kept_state=state))
        self._pending = None

    def _replace_head(self, block: DevBlock) -> None:
        self._blocks[-1] = block

    def _equipped(self, block: DevBlock) -> DevBlock:
        """A block whose header has the hashes of those before it, which old ones are kept without: 20 KB each."""
        header = block.header
        if header.block_hashes or block.number == self.first:
            return block
        header = replace(header, block_hashes=self.recent_hashes(block.number))
        return replace(block, block=replace(block.block, header=header))

    def block(self, which: int | str | bytes) -> DevBlock:
        """A mined block, by number, hash, or "latest", "safe", "finalized", "earliest"; "pending": what it would be, mined now.

        raise  BlockNotFound
        """
        if which == "pending":
            return self._closed(self.pending.copy())
        if isinstance(which, bytes):
            number = self._by_hash.get(bytes(which))
            found = None if number is None else self._blocks[number]
        elif which in ("latest", "safe", "finalized"):
            found = self._blocks[-1]
        elif which == "earliest":
            found = self._blocks[self.first]
        elif type(which) is int and self.first <= which < len(self._blocks):
            found = self._blocks[which]
        else:
            found = None
        if found is None:
            raise BlockNotFound(which)
        return self._equipped(found)

    def has_block(self, block_hash: bytes) -> bool:
        """Whether a mined block has this hash."""
        return bytes(block_hash) in self._by_hash

    def state_at(self, which: int | str | bytes = "latest") -> State:
        """The state after a block: a fork of it, yours to change. Raises BlockNotFound."""
        return self.pending.state.copy() if which == "pending" else self.block(which).state.copy()

    def mine(self, count: int = 1, *, withdrawals: Sequence[Withdrawal] | None = None, **fields: Any) -> list[DevBlock]:
        """End the pending block, and make as many more as are wanted.

        fields  of the header of each: coinbase, mix_hash …; withdrawals are the first one's
        raise   InvalidBlock; the chain is then as far as it came
        """
        made = []
        for _ in range(count):
            before = self.pending
            if any(getattr(before.header, name) != value for name, value in fields.items()):
                self.set_pending(**fields)
            try:
                block = self._closed(self.pending.copy(), withdrawals)
            except BaseException:
                self._pending = before
                raise
            self._append(block)
            withdrawals = None
            made.append(block)
        return made

    def _append(self, block: DevBlock) -> None:
        self._totals.append(self._totals[-1] + block.header.difficulty)
        self._blocks.append(block)
        self._by_hash[block.hash] = block.number
        for index, transaction in enumerate(block.block.transactions):
            self._transactions[transaction.hash] = (block.number, index)
        self._pending = None
        if self._states_kept is not None:
            self._let_go(self._first_kept() - 1)
        old = block.number - PARAMETERS["block_hash_window"]
        if old > self.first:
            one = self._blocks[old]
            bare = replace(one.block, header=replace(one.header, block_hashes={}))
            self._blocks[old] = replace(one, block=bare)

    @staticmethod
    def _closed(builder: BlockBuilder, withdrawals: Sequence[Withdrawal] | None = None) -> DevBlock:
        block, result = builder.close(withdrawals=withdrawals)
        return DevBlock(block, tuple(result.receipts), builder.state, block.hash)

    # -------------------------------------------------------------- transactions

    def send(self, transaction: Transaction, *, checks: Mapping[str, bool] | None = None) -> Receipt:
        """Execute a transaction in the pending block, which is mined at once with `automine`, and return its receipt.

        raise  InvalidTransaction if it may not be included; nothing has changed then
        """
        receipt = self.pending.add(transaction, checks=checks)
        if self.automine:
            self.mine()
        return receipt

    def transaction(self, transaction_hash: bytes) -> tuple[DevBlock | None, int, Transaction, Receipt]:
        """(block, index, transaction, receipt) of a transaction; block None while it is pending. Raises TransactionNotFound."""
        wanted = bytes(transaction_hash)
        found = self._transactions.get(wanted)
        if found is not None:
            block, index = self.block(found[0]), found[1]
            return block, index, block.block.transactions[index], block.receipts[index]
        if self._pending is not None:
            for index, transaction in enumerate(self._pending.transactions):
                if transaction.hash == wanted:
                    return None, index, transaction, self._pending.receipts[index]
        raise TransactionNotFound(wanted)

    # -------------------------------------------------------------- simulations

    def call(
        self, transaction: Transaction, which: int | str | bytes = "latest", *, checks: Mapping[str, bool] | None = None
    ) -> Receipt:
        """What a transaction would come to after a block, in that block's surroundings. Nothing is kept.

        transaction  with a sender; neither its nonce nor its fees have to fit. Its sender has what it may cost
        raise        BlockNotFound, InvalidTransaction
        """
        if not isinstance(transaction, Transaction):
            raise TypeError(f"transaction: expected Transaction, got {type(transaction).__name__}")
        header = self.pending.header if which == "pending" else self.block(which).header
        return transact(transaction, self.state_at(which), header, checks={**SIMULATED, **(checks or {})})

    def estimate_gas(self, transaction: Transaction, which: int | str | bytes = "latest", *, tolerance: int = 0) -> int:
        """The least gas limit with which a transaction succeeds after a block; after the last one, in the pending block's surroundings.

        transaction  with a sender; its gas limit is the most that is tried, and what its sender can pay for at its price
        tolerance    how much more than the least the answer may be, which saves executions
        raise        ExecutionFailed where it fails with that; BlockNotFound, InvalidTransaction
        """
        is_last = which in ("latest", "safe", "finalized", "pending")
        header = self.pending.header if is_last else self.block(which).header
        return estimate_gas(transaction, self.state_at(which), header, tolerance=tolerance)

    # -------------------------------------------------------------- traces

    def trace(self, transaction_hash: bytes, tracer: str | None = None, config: Mapping[str, Any] | None = None) -> Any:
        """What go-ethereum's `debug_traceTransaction` says of a mined or pending transaction: it is executed again.

        tracer, config  as for `trace_transaction`
        raise           TransactionNotFound; UnusableInput for another tracer
        """
        return trace_sent(self, transaction_hash, tracer, config)

    def trace_call(
        self,
        transaction: Transaction,
        which: int | str | bytes = "latest",
        *,
        tracer: str | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> Any:
        """The same of a transaction as `call` executes it."""
        header = self.pending.header if which == "pending" else self.block(which).header
        return trace_call(transaction, self.state_at(which), header, tracer, config)

    # -------------------------------------------------------------- logs and proofs

    def logs(
        self,
        first: int,
        last: int,
        addresses: Iterable[bytes] = (),
        topics: Sequence[bytes | Sequence[bytes] | None] = (),
    ) -> list[tuple[DevBlock, int, int, Any]]:
        """(block, transaction's index, index in the block, Log) of the logs in these blocks, those of both ends included.

        addresses  of the contracts; none: of all
        topics     at each place a topic, several to choose from, or None for any
        """
        return self.logs_in(self._blocks[max(first, 0) : max(last + 1, 0)], addresses, topics)

    @staticmethod
    def logs_in(
        blocks: Iterable[DevBlock],
        addresses: Iterable[bytes] = (),
        topics: Sequence[bytes | Sequence[bytes] | None] = (),
    ) -> list[tuple[DevBlock, int, int, Any]]:
        """The same of any blocks, such as `rewind` took."""
        wanted = frozenset(addresses)
        choices = [
            None if topic is None else ((topic,) if isinstance(topic, bytes) else tuple(topic)) for topic in topics
        ]
        found = []
        for block in blocks:
            if not block.header.logs_bloom.strip(b"\0"):
                continue
            place = 0
            for index, receipt in enumerate(block.receipts):
                for log in receipt.logs:
                    if (not wanted or log.address in wanted) and _has_topics(log.topics, choices):
                        found.append((block, index, place, log))
                    place += 1
        return found

    def prove(
        self, address: bytes | str, slots: Iterable[int] = (), which: int | str | bytes = "latest"
    ) -> AccountProof:
        """Proofs of an account and of slots of it, in the state after a block (EIP-1186)."""
        return self.state_at(which).prove(address, slots)

    # -------------------------------------------------------------- undo

    def snapshot(self) -> int:
        """A number to `revert` to: the chain as it is, the pending block included."""
        number = self._next_snapshot
        self._next_snapshot += 1
        self._snapshots[number] = (self.head, None if self._pending is None else self._pending.copy())
        return number

    def revert(self, snapshot: int) -> None:
        """Go back to a snapshot, which is then gone, as those after it are. Raises ValueError for one that isn't there."""
        if snapshot not in self._snapshots:
            raise ValueError(f"snapshot: {snapshot!r} is gone, or never was")
        head, pending = self._snapshots[snapshot]
        self._take_back(head.number)
        self._replace_head(head)
        self._pending = pending
        self._snapshots = {other: kept for other, kept in self._snapshots.items() if other < snapshot}

    def rewind(self, which: int | bytes) -> list[DevBlock]:
        """Take back all blocks after this one, which are returned, and the pending one. Raises BlockNotFound, StateNotKept."""
        block = self.block(which)
        _ = block.state  # on which the chain goes on
        return self._take_back(block.number)

    def _take_back(self, keep: int) -> list[DevBlock]:
        taken = self._blocks[keep + 1 :]
        for block in taken:
            del self._by_hash[block.hash]
            for transaction in block.block.transactions:
                self._transactions.pop(transaction.hash, None)
        del self._blocks[keep + 1 :], self._totals[keep + 1 :]
        self._pending = None
        self._snapshots = {number: kept for number, kept in self._snapshots.items() if kept[0].number <= keep}
        return taken

    def restore(self, blocks: Iterable[DevBlock]) -> None:
        """Put blocks back that `rewind` took, on the head that they were on. Raises UnusableInput for others."""
        for block in blocks:
            if block.number != self.head.number + 1 or block.header.parent_hash != self.head.hash:
                raise UnusableInput(f"block {block.number}: isn't one that was on the head")
            self._append(block)


def _check_own(fields: Mapping[str, Any]) -> None:
    for name in ("number", "parent_hash", "fork", "chain_id", "block_hashes"):
        if name in fields:
            raise UnusableInput(f"{name}: is the chain's own")


def _has_topics(topics: Sequence[bytes], choices: Sequence[Sequence[bytes] | None]) -> bool:
    return len(topics) >= len(choices) and all(
        choice is None or topic in choice for topic, choice in zip(topics, choices)
    )
