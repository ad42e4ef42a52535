"""The transition itself: system calls, transactions one by one, rewards, withdrawals, requests; and its result as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import rlp
from .._core import BlockResult, State, Transaction, execute_block, keccak256, ordered_trie_root
from ..block import Block
from ..chain.dao import apply_dao_fork
from ..chain.genesis import read_alloc
from ..chain.schedule import BlobLimits, Schedule, network_schedule, rules_of
from ..errors import InvalidBlock, InvalidTransaction, MissingBlockHash, UnusableInput
from ..executed import Execution
from ..header import LATER_FIELDS, Header
from ..hexadecimal import to_hex
from ..pieces import Piece, join_pieces
from ..receipt import Account, Receipt
from . import faults
from .environment import Environment
from .faults import TransitionFault
from .transactions import Candidate, transactions_from_json
from .words import rejection_text

__all__ = ["Transition", "transition"]

# A block under test has no hash of its own; go-ethereum puts this in its place.
BLOCK_HASH = bytes.fromhex("1337") + bytes(30)

# Told of the place among those included and the transaction; gives a tracer, or None, and what is done when it has been executed.
StartTrace = Callable[[int, Transaction], tuple[Any, Callable[[Execution | None], None]]]


@dataclass(frozen=True, slots=True)
class Transition:
    """What came of it.

    state     the state afterwards
    result    the `result` object: roots, receipts, rejected …
    included  the transactions that are in the block
    """

    state: State
    result: dict[str, Any]
    included: tuple[Transaction, ...]

    @property
    def alloc(self) -> dict[str, Any]:
        """The state as an `alloc`, by address."""
        return dict(sorted(self.state.to_alloc().items()))

    @property
    def body(self) -> bytes:
        """The RLP of the included transactions' list."""
        return rlp.encode_list(
            rlp.encode(transaction.raw) if transaction.type else transaction.raw for transaction in self.included
        )


def transition(
    alloc: Mapping[str, Any] | State,
    env: Mapping[str, Any] | Environment,
    txs: Any,
    *,
    fork: str,
    chain_id: int = 1,
    reward: int = -1,
    blob_limits: BlobLimits | None = None,
    start_trace: StartTrace | None = None,
) -> Transition:
    """Apply transactions to a state, as `evm t8n` does.

    alloc   address -> balance, nonce, code, storage; or a State, which is copied
    env     the block (Environment.from_json says which members)
    txs     a list of JSON objects, the RLP of such a list in hexadecimal, or Candidates
    fork    a fork, or a transition such as "CancunToPragueAtTime15k", by the names of test files
    reward  wei for the block's beneficiary, shared with ommers'; below 0: nobody is paid
    raise   TransitionFault, with the exit status that go-ethereum has for it
    """
    try:
        schedule = network_schedule(fork, chain_id=chain_id)
    except UnusableInput:
        raise TransitionFault(
            faults.CONFIG, f"failed constructing chain configuration: unsupported fork {fork!r}"
        ) from None
    state = _state_of(alloc)
    given = env if isinstance(env, Environment) else Environment.from_json(env)
    known, rules_of_block = given.completed(schedule, blob_limits)
    candidates = (
        list(txs)
        if isinstance(txs, (list, tuple)) and all(isinstance(item, Candidate) for item in txs)
        else transactions_from_json(txs, chain_id=chain_id, is_protected=rules_of(rules_of_block).has_replay_protection)
    )
    header = known.header(rules_of_block, chain_id, blob_limits)
    try:
        return _Transition(header, known, state, schedule).run(candidates, reward, start_trace)
    except MissingBlockHash as error:
        raise TransitionFault(
            faults.MISSING_BLOCK_HASH, f"getHash({error.number}) invoked, blockhash for that block not provided"
        ) from None
    except (InvalidBlock, InvalidTransaction) as error:
        raise TransitionFault(faults.EVM, str(error)) from None


def _state_of(alloc: Mapping[str, Any] | State) -> State:
    if isinstance(alloc, State):
        return alloc.copy()
    if not isinstance(alloc, Mapping):
        raise TransitionFault(faults.JSON, "failed unmarshaling alloc: not an object")
    try:
        return read_alloc({address: dict(account) for address, account in alloc.items()})
    except (UnusableInput, TypeError, ValueError) as error:
        raise TransitionFault(faults.JSON, f"failed unmarshaling alloc: {error}") from None


class _Transition:
    """The block in the making."""

    def __init__(self, header: Header, env: Environment, state: State, schedule: Schedule) -> None:
        self.header, self.env, self.state, self.schedule = header, env, state, schedule
        self.included: list[Transaction] = []
        self.receipts: list[Receipt] = []
        self.rejected: list[dict[str, Any]] = []
        self.last: BlockResult | None = None
        self.results: list[BlockResult] = []

    def run(self, candidates: Sequence[Candidate], reward: int, start_trace: StartTrace | None) -> Transition:
        if self.schedule.dao_block == self.header.number:
            apply_dao_fork(self.state)
        self.last = execute_block(Block(self.header), self.state, piece=Piece(0, 0, begins=True), workers=1)
        self.results.append(self.last)
        for index, candidate in enumerate(candidates):
            error = candidate.error
            if candidate.transaction is not None and error is None:
                error = self._apply(candidate.transaction, start_trace)
            if error is not None:
                self.rejected.append({"index": index, "error": error})
        if reward >= 0:
            self._pay(reward)
        end = self._end()
        return Transition(self.state, self._result(end), tuple(self.included))

    def _apply(self, transaction: Transaction, start_trace: StartTrace | None) -> str | None:
        """Execute one; why it may not be included, or None."""
        assert self.last is not None
        if transaction.type == 3 and self.env.excess_blob_gas is None:
            return "blob tx used but field env.ExcessBlobGas missing"
        piece = Piece.after(self.last, len(self.included) + 1)
        block = Block(self.header, (*self.included, transaction))
        tracer, ended = (None, None) if start_trace is None else start_trace(len(self.included), transaction)
        before = self.state if ended is None else self.state.copy()
        try:
            self.last = execute_block(block, self.state, piece=piece, workers=1, tracer=tracer)
        except InvalidTransaction as error:
            if ended is not None:
                ended(None)
            return rejection_text(error, transaction)
        self.results.append(self.last)
        [receipt] = self.last.receipts
        if ended is not None:
            ended(Execution(transaction, self.header, before, self.state, receipt, len(self.included)))
        self.included.append(transaction)
        self.receipts.append(receipt)
        return None

    def _pay(self, reward: int) -> None:
        """The beneficiary's reward and the ommers'; Yellow Paper 11.3. How far back an ommer may lie isn't looked at."""
        total = reward
        for delta, coinbase in self.env.ommers:
            total += reward // 32
            self._credit(coinbase, (8 - delta) * reward // 8)
        self._credit(self.header.coinbase, total)

    def _credit(self, address: bytes, amount: int) -> None:
        account = self.state.get_account(address)
        if amount == 0 and (account is None or account.is_empty):
            # It is touched: it is there before EIP-161, and isn't from then on.
            if rules_of(self.header.fork).deletes_empty_accounts:
                self.state.delete_account(address)
            elif account is None:
                self.state.set_account(address, Account())
            return
        balance = self.state.get_balance(address) + amount
        if balance < 0:
            raise TransitionFault(
                faults.EVM, f"an ommer's reward of {amount} wei leaves {to_hex(address)} with {balance}"
            )
        self.state.set_balance(address, balance % (1 << 256))

    def _end(self) -> BlockResult | None:
        """Withdrawals and requests, of the forks that have them; rewards are paid before."""
        assert self.last is not None
        if not rules_of(self.header.fork).is_proof_of_stake:
            return None
        block = Block(self.header, tuple(self.included), (), self.env.withdrawals)
        end = execute_block(block, self.state, piece=Piece.after(self.last, len(self.included), ends=True), workers=1)
        self.results.append(end)
        return end

    # ---------------------------------------------------------------- the result

    def _result(self, end: BlockResult | None) -> dict[str, Any]:
        rules = rules_of(self.header.fork)
        # As go-ethereum hashes them: with those of system calls, which no receipt has.
        logs = [
            log
            for made in self.results
            for log in (*made._system_logs(), *(log for each in made.receipts for log in each.logs))
        ]
        bloom = 0
        for receipt in self.receipts:
            bloom |= int.from_bytes(receipt.logs_bloom, "big")
        result: dict[str, Any] = {
            "stateRoot": to_hex(self.state.root()),
            "txRoot": to_hex(ordered_trie_root([transaction.raw for transaction in self.included])),
            "receiptsRoot": to_hex(ordered_trie_root([receipt.encode() for receipt in self.receipts])),
            "logsHash": to_hex(keccak256(rlp.encode([[log.address, list(log.topics), log.data] for log in logs]))),
            "logsBloom": to_hex(bloom.to_bytes(256, "big")),
            "receipts": self._receipts(),
        }
        if self.rejected:
            result["rejected"] = self.rejected
        result["currentDifficulty"] = None if rules.is_proof_of_stake else hex(self.header.difficulty)
        execution, state = (
            sum(getattr(receipt, name) for receipt in self.receipts)
            for name in ("execution_gas_used", "state_gas_used")
        )
        whole = self._whole()
        result["gasUsed"] = hex(max(execution, state))  # EIP-8037
        if self.env.base_fee is not None:
            result["currentBaseFee"] = hex(self.env.base_fee)
        if end is not None and end.withdrawals_root is not None:
            result["withdrawalsRoot"] = to_hex(end.withdrawals_root)
        if self.env.excess_blob_gas is not None:
            result["currentExcessBlobGas"] = hex(self.env.excess_blob_gas)
            result["blobGasUsed"] = hex(sum(receipt.blob_gas_used for receipt in self.receipts))
        requests = None if end is None else end.requests
        if end is not None and end.requests_hash is not None:
            result["requestsHash"] = to_hex(end.requests_hash)
        result["requests"] = None if requests is None else [to_hex(request) for request in requests]
        if whole is not None and whole.access_list is not None:
            result["blockAccessList"] = to_hex(whole.access_list.encode())
            result["blockAccessListHash"] = to_hex(whole.access_list.hash)
        return result

    def _whole(self) -> BlockResult | None:
        """The result of the block with its access list, where the fork has one (EIP-7928)."""
        if not getattr(rules_of(self.header.fork), LATER_FIELDS["block_access_list_hash"]):
            return None
        return join_pieces(Block(self.header, tuple(self.included), (), self.env.withdrawals), self.results)

    def _receipts(self) -> list[dict[str, Any]]:
        receipts = []
        first_log = 0
        for place, (transaction, receipt) in enumerate(zip(self.included, self.receipts)):
            receipts.append(self._receipt(place, transaction, receipt, first_log))
            first_log += len(receipt.logs)
        return receipts

    def _receipt(self, place: int, transaction: Transaction, receipt: Receipt, first_log: int) -> dict[str, Any]:
        around = {
            "blockNumber": hex(self.header.number),
            "transactionHash": to_hex(transaction.hash),
            "transactionIndex": hex(place),
            "blockHash": to_hex(BLOCK_HASH),
        }
        members: dict[str, Any] = {"type": hex(receipt.type)} if receipt.type else {}
        members.update(
            root="0x" if receipt.state_root is None else to_hex(receipt.state_root),
            status=hex(receipt.is_success),
            cumulativeGasUsed=hex(receipt.cumulative_gas_used),
            logsBloom=to_hex(receipt.logs_bloom),
            logs=[
                {
                    "address": to_hex(log.address),
                    "topics": [to_hex(topic) for topic in log.topics],
                    "data": to_hex(log.data),
                    **around,
                    "blockTimestamp": hex(self.header.timestamp),
                    "logIndex": hex(first_log + index),
                    "removed": False,
                }
                for index, log in enumerate(receipt.logs)
            ],
            transactionHash=around["transactionHash"],
            contractAddress=to_hex(receipt.contract_address or bytes(20)),
            gasUsed=hex(receipt.gas_used),
            effectiveGasPrice=None,
        )
        if receipt.type == 3:
            from .._core import blob_base_fee

            schedule = self.header.blob_schedule
            price = blob_base_fee(self.header.excess_blob_gas or 0, self.header.fork, schedule and schedule[2])
            members.update(blobGasUsed=hex(receipt.blob_gas_used), blobGasPrice=hex(price))
        members.update(
            blockHash=around["blockHash"],
            blockNumber=around["blockNumber"],
            transactionIndex=around["transactionIndex"],
        )
        return members
