"""A block in the making: transactions are added one by one, its state can be looked at, and closing it fills in every root."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ._core import (
    PARAMETERS,
    BaseTracer,
    BlockResult,
    State,
    Transaction,
    _restore_result,
    all_or_nothing,
    execute_block,
    fork_rules,
    ordered_trie_root,
    transact,
)
from .block import Block
from .building import filled_header
from .deposits import deposits_of
from .errors import EvmError, rejection
from .header import Header, Withdrawal
from .pieces import Piece
from .receipt import Receipt
from .tracing import Tracer

__all__ = ["BlockBuilder"]


class BlockBuilder:
    """A block in the making, on a copy of the state before it: its system calls are made, and transactions may be added.

    header   number, time, beneficiary, gas limit, base fee, fork and all else that doesn't follow from the transactions
    state    the state before the block; it stays as it is
    raise    InvalidBlock where a system call fails, MissingState, TypeError

    Who wants to drop the block lets go of it. One thread owns a builder.
    """

    def __init__(self, header: Header, state: State) -> None:
        for name, value, kind in (("header", header, Header), ("state", state, State)):
            if not isinstance(value, kind):
                raise TypeError(f"{name}: expected {kind.__name__}, got {type(value).__name__}")
        self._header = header
        self._state = state.copy()
        self._rules = fork_rules(header.fork)
        self._before = self._state.copy() if self._rules["has_block_access_list"] else None
        self._transactions: list[Transaction] = []
        self._receipts: list[Receipt] = []
        # What the block counts, and what receipts sum up: the same before Amsterdam (EIP-7778, EIP-8037).
        self._execution_gas_used = self._state_gas_used = self._cumulative_gas_used = 0
        self._blob_gas_used = 0
        self._deposits = b""
        self._is_closed = False
        execute_block(Block(header), self._state, piece=Piece(0, 0, begins=True), workers=1)

    @property
    def header(self) -> Header:
        """The header as it was given: what follows from the transactions is filled in by `close`."""
        return self._header

    @property
    def state(self) -> State:
        """The state after the transactions so far. Yours to read, or to copy (which is cheap)."""
        return self._state

    @property
    def transactions(self) -> tuple[Transaction, ...]:
        """Those that were added, in order."""
        return tuple(self._transactions)

    @property
    def receipts(self) -> tuple[Receipt, ...]:
        """A Receipt for each of them."""
        return tuple(self._receipts)

    @property
    def gas_used(self) -> int:
        """By the transactions so far, as the header will have it."""
        return max(self._execution_gas_used, self._state_gas_used)

    @property
    def blob_gas_used(self) -> int:
        """By the transactions so far, in blob gas."""
        return self._blob_gas_used

    @property
    def gas_left(self) -> int:
        """What the block has left for more transactions."""
        return self._header.gas_limit - self._execution_gas_used

    def copy(self) -> BlockBuilder:
        """A second one that goes on from here. As cheap as a copy of a state."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._state = self._state.copy()
        other._transactions, other._receipts = self._transactions.copy(), self._receipts.copy()
        return other

    def add(
        self,
        transaction: Transaction,
        *,
        checks: Mapping[str, bool] | None = None,
        tracer: Tracer | BaseTracer | None = None,
    ) -> Receipt:
        """Execute a transaction as the block's next, and return its receipt.

        checks  what isn't held against it, as for `transact`; other clients refuse a block with a transaction that fails them
        raise   InvalidTransaction if it may not be included, InvalidBlock where its deposits have a wrong layout, MissingState;
                the block is then as before
        """
        self._check_open()
        if not isinstance(transaction, Transaction):
            raise TypeError(f"transaction: expected Transaction, got {type(transaction).__name__}")
        left_out = dict(checks or {})
        if left_out.get("block_gas", True):
            self._check_room(transaction)

        def execute() -> Receipt:
            receipt = transact(
                transaction, self._state, self._header, checks={**left_out, "block_gas": False}, tracer=tracer
            )
            self._check_open()  # another thread may have closed it meanwhile
            deposits = self._deposits
            if self._rules["has_requests"]:
                deposits += deposits_of(receipt.logs, self._header.chain_id, self._rules["checks_deposit_layout"])
            execution_gas_used = self._execution_gas_used + receipt.execution_gas_used
            state_gas_used = self._state_gas_used + receipt.state_gas_used
            blob_gas_used = self._blob_gas_used + receipt.blob_gas_used
            cumulative_gas_used = self._cumulative_gas_used + receipt.gas_used
            receipt = replace(receipt, cumulative_gas_used=cumulative_gas_used)
            transactions, receipts = [*self._transactions, transaction], [*self._receipts, receipt]
            # From here on nothing is called: no signal comes between these and the state.
            self._execution_gas_used, self._state_gas_used = execution_gas_used, state_gas_used
            self._cumulative_gas_used, self._blob_gas_used = cumulative_gas_used, blob_gas_used
            self._deposits, self._transactions, self._receipts = deposits, transactions, receipts
            return receipt

        added: Receipt = all_or_nothing(self._state, execute)
        return added

    def close(
        self,
        *,
        withdrawals: Sequence[Withdrawal] | None = None,
        ommers: Sequence[Header] = (),
        access_list: bool = True,
    ) -> tuple[Block, BlockResult]:
        """End the block: rewards, withdrawals, requests, and every root. Nothing can be added afterwards; `state` is the one after it.

        withdrawals  None: none, and no list of them before Shanghai
        access_list  whether a block of Amsterdam and later gets its access list. False: the header keeps the hash that it was given
        return       (Block, BlockResult)
        raise        InvalidBlock where the block's end fails; it is then as before. Of Amsterdam and later also InvalidTransaction where
                     one failed a check that was left out: its access list is made by executing the whole block
        """
        self._check_open()
        ommers = tuple(ommers)
        if withdrawals is None and self._rules["has_withdrawals"]:
            withdrawals = ()
        block = Block(
            self._header, tuple(self._transactions), ommers, None if withdrawals is None else tuple(withdrawals)
        )
        count = len(self._transactions)
        most = self._header.gas_limit  # more, where its check was left out; the end doesn't ask
        piece = Piece(
            count,
            count,
            min(self._execution_gas_used, most),
            self._blob_gas_used,
            self._deposits,
            ends=True,
            state_gas_used=min(self._state_gas_used, most),
            cumulative_gas_used=self._cumulative_gas_used,
        )

        def end() -> BlockResult:
            state = self._state
            if self._before is None or not access_list:
                result = self._whole(block, execute_block(block, state, piece=piece, workers=1))
            else:  # a block access list is made of an execution of all
                state = self._before.copy()
                result = execute_block(block, state, workers=1)
            block.header = filled_header(self._header, result, ommers)
            if not access_list:
                block.header = replace(block.header, block_access_list_hash=self._header.block_access_list_hash)
            self._state, self._is_closed = state, True
            return result

        result = all_or_nothing(self._state, end)  # which also refuses a state that a transaction is at work on
        block.access_list = result.access_list
        return block, result

    def _check_open(self) -> None:
        if self._is_closed:
            raise EvmError(f"block {self._header.number} is closed")

    def _check_room(self, transaction: Transaction) -> None:
        cap = self._rules["execution_gas_cap"]
        execution_gas = min(transaction.gas_limit, cap) if cap else transaction.gas_limit
        state_gas_left = self._header.gas_limit - self._state_gas_used
        for gas, left in ((execution_gas, self.gas_left), (transaction.gas_limit if cap else 0, state_gas_left)):
            if gas > left:
                name = "GAS_ALLOWANCE_EXCEEDED"
                raise rejection(name, f"TransactionException.{name}", have=gas, want=left)
        blob_gas = len(transaction.blob_versioned_hashes) * PARAMETERS["blob_gas_per_blob"]
        most = self._rules["blob_max"] if self._header.blob_schedule is None else self._header.blob_schedule[1]
        left = most * PARAMETERS["blob_gas_per_blob"] - self._blob_gas_used
        if blob_gas and blob_gas > left:
            raise rejection(
                "BLOB_GAS_ALLOWANCE_EXCEEDED",
                "TransactionException.TYPE_3_TX_MAX_BLOB_GAS_ALLOWANCE_EXCEEDED",
                have=blob_gas,
                want=left,
            )

    def _whole(self, block: Block, end: BlockResult) -> BlockResult:
        """The result of the block, out of what its transactions and its end came to."""
        receipts = self.receipts
        bloom = 0
        for receipt in receipts:
            bloom |= int.from_bytes(receipt.logs_bloom, "big")
        made = {
            "receipts": receipts,
            "gas_used": self.gas_used,
            "execution_gas_used": self._execution_gas_used,
            "state_gas_used": self._state_gas_used,
            "cumulative_gas_used": self._cumulative_gas_used,
            "blob_gas_used": self._blob_gas_used,
            "logs_bloom": bloom.to_bytes(256, "big"),
            "receipts_root": ordered_trie_root([receipt.encode() for receipt in receipts]),
            "transactions_root": ordered_trie_root([transaction.raw for transaction in block.transactions]),
            "withdrawals_root": end.withdrawals_root,
            "requests": end.requests,
            "requests_hash": end.requests_hash,
            "state_root": end.state_root,
            "accesses": None,
            "access_list": None,
            "changes": None,
            "piece": None,
            "deposits": None if end.deposits is None else self._deposits,
            "witness": None,
        }
        told = {
            "strategy": "sequential",
            "workers": 1,
            "transactions": len(receipts),
            "gas_used": self.gas_used,
            "executions": len(receipts),
        }
        return _restore_result(made, told)
