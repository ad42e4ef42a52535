"""DevChain: a genesis, blocks that are made at once, and a pending one. A block's state is a fork of its parent's, so all are kept.

One thread owns a chain.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._core import NEWEST_FORK, PARAMETERS, State, Transaction, fork_name, transact
from ..block import Block
from ..block_builder import BlockBuilder
from ..chain.header_rules import base_fee, difficulty_after, excess_blob_gas
from ..chain.schedule import blob_limits, rules_of
from ..errors import UnusableInput
from ..estimation import SIMULATED, estimate_gas
from ..header import EMPTY_BLOCK_ACCESS_LIST_HASH, EMPTY_OMMERS_HASH, EMPTY_TRIE_ROOT, LATER_FIELDS, Header, Withdrawal
from ..proofs import AccountProof
from ..receipt import Receipt
from .errors import BlockNotFound, TransactionNotFound
from .system_contracts import system_contracts

__all__ = ["DevBlock", "DevChain"]

# sha256 of nothing: the hash of no requests (EIP-7685).
_NO_REQUESTS_HASH = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")


@dataclass(frozen=True, slots=True, eq=False)
class DevBlock:
    """A block of a DevChain, with its receipts and the state after it, which is to be copied, not changed."""

    block: Block
    receipts: tuple[Receipt, ...]
    state: State
    hash: bytes

    @property
    def header(self) -> Header:
        """The block's header."""
        return self.block.header

    @property
    def number(self) -> int:
        """The header's number."""
        return self.block.header.number


class DevChain:
    """A chain whose blocks are made as transactions come.

    accounts   address -> Account or mapping: the genesis state. The contracts that its forks call are added
    forks      up to Osaka (of Amsterdam, bring the builders' contracts among the accounts): a fork's name, or (block number, fork), … in order, the first at 0
    chain_id   of its transactions, and for CHAINID
    automine   whether `send` ends the pending block at once
    genesis    fields of the first header: gas_limit, timestamp, base_fee_per_gas, coinbase …
    """

    def __init__(
        self,
        accounts: Mapping[Any, Any] | None = None,
        *,
        forks: str | Sequence[tuple[int, str]] = NEWEST_FORK,
        chain_id: int = 1337,
        automine: bool = True,
        genesis: Mapping[str, Any] | None = None,
    ) -> None:
        given = [(0, forks)] if isinstance(forks, str) else [(number, name) for number, name in forks]
        self.forks: tuple[tuple[int, str], ...] = tuple((number, fork_name(name)) for number, name in given)
        numbers = [number for number, _ in self.forks]
        if not numbers or numbers[0] != 0 or numbers != sorted(set(numbers)):
            raise UnusableInput("forks: they begin at block 0, and each after the one before")
        self.chain_id = chain_id
        self.automine = automine
        state = State(accounts)
        for _, fork in self.forks:
            for address, account in system_contracts(fork).items():
                if not state.get_code(address):
                    state.set_account(address, account)
        fields = dict(genesis or {})
        _check_own({name: value for name, value in fields.items() if name != "parent_hash"})
        header = self._genesis_header(state, fields)
        withdrawals = None if header.withdrawals_root is None else ()
        self._blocks = [DevBlock(Block(header, withdrawals=withdrawals), (), state, header.hash)]
        self._by_hash = {self._blocks[0].hash: self._blocks[0]}
        self._transactions: dict[bytes, tuple[DevBlock, int]] = {}
        self._pending: BlockBuilder | None = None
        self._snapshots: dict[int, tuple[int, BlockBuilder | None]] = {}
        self._next_snapshot = 1

    # -------------------------------------------------------------- headers

    def fork_at(self, number: int) -> str:
        """The fork of a block."""
        return [fork for begin, fork in self.forks if begin <= number][-1]

    def _genesis_header(self, state: State, given: dict[str, Any]) -> Header:
        fork = self.fork_at(0)
        rules = rules_of(fork)
        later: dict[str, Any] = {
            "base_fee_per_gas": PARAMETERS["initial_base_fee_wei"],
            "withdrawals_root": EMPTY_TRIE_ROOT,
            "blob_gas_used": 0,
            "excess_blob_gas": 0,
            "parent_beacon_block_root": bytes(32),
            "requests_hash": _NO_REQUESTS_HASH,
            "block_access_list_hash": EMPTY_BLOCK_ACCESS_LIST_HASH,
            "slot_number": 0,
        }
        fields: dict[str, Any] = {
            "timestamp": int(time.time()),
            "difficulty": 0 if rules.is_proof_of_stake else PARAMETERS["difficulty_minimum"],
            **{name: later[name] for name, rule in LATER_FIELDS.items() if getattr(rules, rule)},
            "state_root": state.root(),
        }
        return Header(**{**fields, **given}, fork=fork, chain_id=self.chain_id)

    def _next_header(self) -> Header:
        """That of the block after the head, before anything is in it."""
        parent = self.head.header
        number = parent.number + 1
        fork = self.fork_at(number)
        rules = rules_of(fork)
        timestamp = max(parent.timestamp + 1, int(time.time()))
        fields: dict[str, Any] = {"difficulty": 0, "mix_hash": os.urandom(32)}
        if not rules.is_proof_of_stake:
            has_ommers = parent.ommers_hash != EMPTY_OMMERS_HASH
            wanted = difficulty_after(fork, number, timestamp, parent.timestamp, parent.difficulty, has_ommers)
            fields = {"difficulty": wanted}
        later: dict[str, Any] = {
            "base_fee_per_gas": base_fee(parent),
            "withdrawals_root": EMPTY_TRIE_ROOT,
            "blob_gas_used": 0,
            "excess_blob_gas": excess_blob_gas(parent, fork, blob_limits(rules)) if rules.has_blobs else None,
            "parent_beacon_block_root": bytes(32),
            "requests_hash": _NO_REQUESTS_HASH,
            "block_access_list_hash": EMPTY_BLOCK_ACCESS_LIST_HASH,
            "slot_number": number,
        }
        first = max(0, number - PARAMETERS["block_hash_window"])
        return Header(
            parent_hash=self.head.hash,
            number=number,
            timestamp=timestamp,
            gas_limit=parent.gas_limit,
            **fields,
            **{name: later[name] for name, rule in LATER_FIELDS.items() if getattr(rules, rule)},
            fork=fork,
            chain_id=self.chain_id,
            block_hashes={at: self._blocks[at].hash for at in range(first, number)},
        )

    # -------------------------------------------------------------- blocks

    @property
    def head(self) -> DevBlock:
        """The last block that was mined."""
        return self._blocks[-1]

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
        header = replace(before.header, **fields)
        header.encode()  # raises for fields that the fork hasn't, or that are missing
        made = BlockBuilder(header, self.head.state)
        for transaction in before.transactions:
            made.add(transaction, checks={"chain_id": False})
        self._pending = made

    def block(self, which: int | str | bytes) -> DevBlock:
        """A mined block, by number, hash, or "latest", "safe", "finalized", "earliest"; "pending": what it would be, mined now.

        raise  BlockNotFound
        """
        if which == "pending":
            return self._closed(self.pending.copy())
        if isinstance(which, bytes):
            found = self._by_hash.get(bytes(which))
        elif which in ("latest", "safe", "finalized"):
            found = self.head
        elif which == "earliest":
            found = self._blocks[0]
        elif type(which) is int and 0 <= which < len(self._blocks):
            found = self._blocks[which]
        else:
            found = None
        if found is None:
            raise BlockNotFound(which)
        return found

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
            self._blocks.append(block)
            self._by_hash[block.hash] = block
            for index, transaction in enumerate(block.block.transactions):
                self._transactions[transaction.hash] = (block, index)
            self._pending = withdrawals = None
            made.append(block)
        return made

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
            block, index = found
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
        wanted = frozenset(addresses)
        choices = [
            None if topic is None else ((topic,) if isinstance(topic, bytes) else tuple(topic)) for topic in topics
        ]
        found = []
        for block in self._blocks[max(first, 0) : max(last + 1, 0)]:
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
        self._snapshots[number] = (self.head.number, None if self._pending is None else self._pending.copy())
        return number

    def revert(self, snapshot: int) -> None:
        """Go back to a snapshot, which is then gone, as those after it are. Raises ValueError for one that isn't there."""
        if snapshot not in self._snapshots:
            raise ValueError(f"snapshot: {snapshot!r} is gone, or never was")
        number, pending = self._snapshots[snapshot]
        self.rewind(number)
        self._pending = pending
        self._snapshots = {other: kept for other, kept in self._snapshots.items() if other < snapshot}

    def rewind(self, which: int | bytes) -> None:
        """Take back all blocks after this one, and the pending one. Raises BlockNotFound."""
        keep = self.block(which).number
        for block in self._blocks[keep + 1 :]:
            del self._by_hash[block.hash]
            for transaction in block.block.transactions:
                self._transactions.pop(transaction.hash, None)
        del self._blocks[keep + 1 :]
        self._pending = None
        self._snapshots = {number: kept for number, kept in self._snapshots.items() if kept[0] <= keep}


def _check_own(fields: Mapping[str, Any]) -> None:
    for name in ("number", "parent_hash", "fork", "chain_id", "block_hashes"):
        if name in fields:
            raise UnusableInput(f"{name}: is the chain's own")


def _has_topics(topics: Sequence[bytes], choices: Sequence[Sequence[bytes] | None]) -> bool:
    return len(topics) >= len(choices) and all(
        choice is None or topic in choice for topic, choice in zip(topics, choices)
    )
