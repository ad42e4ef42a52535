"""EvmcoreBackend: what eth-tester asks of a backend, answered by a DevChain."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from eth_keys import KeyAPI
from eth_tester.backends.base import BaseChainBackend
from eth_tester.backends.common import merge_genesis_overrides
from eth_tester.backends.pyevm.main import (
    generate_genesis_state_for_keys,
    get_account_keys_from_mnemonic,
    get_default_account_keys,
)
from eth_tester.exceptions import TransactionFailed, TransactionNotFound, ValidationError
from eth_tester.validation.inbound import validate_inbound_withdrawals

from .. import rlp
from .._core import State, Transaction, least_gas
from ..chain.schedule import rules_of
from ..dev import BlockNotFound as NoSuchBlock
from ..dev import DevBlock, DevChain, ExecutionFailed
from ..dev import TransactionNotFound as NoSuchTransaction
from ..errors import InvalidTransaction
from ..header import EMPTY_TRIE_ROOT, Withdrawal
from ..receipt import Receipt
from .errors import Reverted, UnknownBlock, message_of, raise_undecodable, refused
from .fields import block_fields, receipt_fields, transaction_fields
from .requests import DEFAULT_FEE_WEI, DYNAMIC_FEES, make_transaction

__all__ = ["EvmcoreBackend"]

ZERO_ADDRESS = bytes(20)
GENESIS_GAS_LIMIT = 30_029_122
DEFAULT_FORK = "Prague"  # that of eth-tester with py-evm, too
ESTIMATE_TOLERANCE = 21_000  # py-evm's: tests of programs that use eth-tester expect estimates of its size
# Of genesis parameters: those whose names differ from the header's, and those that follow from the state.
_HEADER_NAMES = {"coinbase", "difficulty", "extra_data", "gas_limit", "mix_hash", "nonce", "timestamp"}


class _Chain:
    """What eth-tester's users ask of a py-evm chain."""

    def __init__(self, chain: DevChain, classes: Sequence[tuple[int, Any]]) -> None:
        self.dev = chain
        self.chain_id = chain.chain_id
        self._classes = classes

    def get_vm_class_for_block_number(self, block_number: int) -> Any:
        """The class that was configured for a block."""
        return [kind for begin, kind in self._classes if begin <= block_number][-1]


class EvmcoreBackend(BaseChainBackend):  # type: ignore[misc]
    """A backend of eth-tester on a DevChain, in the place of PyEVMBackend.

    genesis_parameters  fields of the first header: see `generate_genesis_params`
    genesis_state       address -> balance, nonce, code, storage; None: accounts of known keys, with 1,000,000 ether each
    vm_configuration    ((block number, fork), …), a fork by its name or as a class of py-evm
    mnemonic, hd_path   of the accounts' keys
    """

    default_chain_id: int = 131277322940537  # that of eth-tester with py-evm

    def __init__(
        self,
        genesis_parameters: Mapping[str, Any] | None = None,
        genesis_state: Mapping[bytes, Any] | None = None,
        vm_configuration: Sequence[tuple[int, Any]] | None = None,
        mnemonic: str | None = None,
        hd_path: str | None = None,
    ) -> None:
        self.account_keys: tuple[Any, ...] = ()
        accounts = len(genesis_state) if genesis_state else None
        self.reset_to_genesis(genesis_parameters, genesis_state, accounts, vm_configuration, mnemonic, hd_path)

    @classmethod
    def from_mnemonic(
        cls,
        mnemonic: str,
        genesis_state_overrides: Mapping[str, Any] | None = None,
        num_accounts: int | None = None,
        genesis_parameters: Mapping[str, Any] | None = None,
        vm_configuration: Sequence[tuple[int, Any]] | None = None,
        hd_path: str | None = None,
    ) -> EvmcoreBackend:
        """A backend whose accounts' keys come from a mnemonic."""
        state = cls.generate_genesis_state(genesis_state_overrides or {}, num_accounts, mnemonic, hd_path)
        return cls(genesis_parameters, state, vm_configuration, mnemonic, hd_path)

    # -------------------------------------------------------------- genesis

    @staticmethod
    def generate_genesis_params(overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The first header's fields, some of them overridden. ValueError for names that it hasn't."""
        defaults = {
            "coinbase": ZERO_ADDRESS,
            "difficulty": 0,
            "extra_data": b"",
            "gas_limit": GENESIS_GAS_LIMIT,
            "mix_hash": bytes(32),
            "nonce": bytes(8),
            "receipt_root": EMPTY_TRIE_ROOT,
            "timestamp": int(time.time()),
            "transaction_root": EMPTY_TRIE_ROOT,
        }
        return dict(merge_genesis_overrides(defaults, overrides=overrides)) if overrides is not None else defaults

    @staticmethod
    def generate_genesis_state(
        overrides: Mapping[str, Any] | None = None,
        num_accounts: int | None = None,
        mnemonic: str | None = None,
        hd_path: str | None = None,
    ) -> dict[bytes, Any]:
        """The accounts of the keys, some of their fields overridden. ValueError for names that they haven't."""
        keys = _keys(num_accounts, mnemonic, hd_path)
        return dict(generate_genesis_state_for_keys(account_keys=keys, overrides=overrides))

    def reset_to_genesis(
        self,
        genesis_params: Mapping[str, Any] | None = None,
        genesis_state: Mapping[bytes, Any] | None = None,
        num_accounts: int | None = None,
        vm_configuration: Sequence[tuple[int, Any]] | None = None,
        mnemonic: str | None = None,
        hd_path: str | None = None,
    ) -> None:
        """Begin anew."""
        classes = tuple(vm_configuration) if vm_configuration else ((0, DEFAULT_FORK),)
        forks = [(begin, _fork_of(kind)) for begin, kind in classes]
        is_stake = rules_of(forks[0][1]).is_proof_of_stake
        if genesis_params is None:
            work = {} if is_stake else {"difficulty": 131072, "nonce": bytes(7) + b"*"}
            genesis_params = self.generate_genesis_params(work)
        genesis_state = dict(genesis_state) if genesis_state else None
        if genesis_state:
            num_accounts = len(genesis_state)
        self.account_keys = _keys(num_accounts, mnemonic, hd_path)
        accounts = genesis_state or dict(generate_genesis_state_for_keys(self.account_keys))
        header = {name: value for name, value in genesis_params.items() if name in _HEADER_NAMES}
        chain = DevChain(accounts, forks=forks, chain_id=self.default_chain_id, automine=False, genesis=header)
        self.chain = _Chain(chain, classes)

    # -------------------------------------------------------------- the chain

    @property
    def dev(self) -> DevChain:
        """The chain beneath."""
        return self.chain.dev

    def take_snapshot(self) -> bytes:
        """The head's hash."""
        return self.dev.head.hash

    def revert_to_snapshot(self, snapshot: bytes) -> None:
        """Take back all blocks after that one, and the pending one."""
        if not isinstance(snapshot, bytes):  # a number would be that of a block
            raise UnknownBlock(f"No block found for block hash: {snapshot!r}")
        self._block(snapshot)
        self.dev.rewind(snapshot)

    def time_travel(self, to_timestamp: int) -> int:
        """Mine a block a second before, so that the pending one has this time."""
        self.dev.set_pending(timestamp=to_timestamp - 1)
        self.mine_blocks()
        self.dev.set_pending(timestamp=max(to_timestamp, self.dev.pending.header.timestamp))
        return to_timestamp

    def mine_blocks(self, num_blocks: int = 1, coinbase: bytes = ZERO_ADDRESS) -> tuple[bytes, ...]:
        """Mine at once; the hashes of the blocks."""
        return tuple(block.hash for block in self.dev.mine(num_blocks, coinbase=bytes(coinbase)))

    def apply_withdrawals(self, withdrawals_list: Sequence[Mapping[str, Any]]) -> None:
        """Mine a block with withdrawals."""
        validate_inbound_withdrawals(withdrawals_list)
        if not rules_of(self.dev.pending.header.fork).has_withdrawals:
            raise ValidationError("Withdrawals are only supported after the Shanghai fork")
        self.dev.mine(
            withdrawals=[
                Withdrawal(given["index"], given["validator_index"], given["address"], given["amount"])
                for given in withdrawals_list
            ]
        )

    # -------------------------------------------------------------- accounts

    def get_accounts(self) -> tuple[bytes, ...]:
        """The addresses of the keys."""
        return tuple(key.public_key.to_canonical_address() for key in self.account_keys)

    def add_account(self, private_key: bytes) -> None:
        """One more key."""
        self.account_keys = (*self.account_keys, KeyAPI().PrivateKey(private_key))

    def get_nonce(self, account: bytes, block_number: Any = "latest") -> int:
        """After a block."""
        return self._state(block_number).get_nonce(account)

    def get_balance(self, account: bytes, block_number: Any = "latest") -> int:
        """After a block, in wei."""
        return self._state(block_number).get_balance(account)

    def get_code(self, account: bytes, block_number: Any = "latest") -> bytes:
        """After a block."""
        return self._state(block_number).get_code(account)

    def get_storage(self, account: bytes, slot: int, block_number: Any = "latest") -> int:
        """A slot's value after a block."""
        return self._state(block_number).get_storage(account, slot)

    def get_base_fee(self, block_number: Any = "latest") -> int:
        """Of a block, in wei."""
        return self._block(block_number).header.base_fee_per_gas or 0

    # -------------------------------------------------------------- what is in the chain

    def get_block_by_number(self, block_number: Any, full_transaction: bool = True) -> dict[str, Any]:
        """A block in eth-tester's form."""
        return block_fields(self._block(block_number), full_transaction, block_number == "pending")

    def get_block_by_hash(self, block_hash: bytes, full_transaction: bool = True) -> dict[str, Any]:
        """A mined block in eth-tester's form."""
        return block_fields(self._block(bytes(block_hash)), full_transaction, False)

    def get_transaction_by_hash(self, transaction_hash: bytes) -> dict[str, Any]:
        """A transaction in eth-tester's form."""
        return transaction_fields(*self._transaction(transaction_hash))

    def get_transaction_receipt(self, transaction_hash: bytes) -> dict[str, Any]:
        """A receipt in eth-tester's form."""
        block, index, transaction, _ = self._transaction(transaction_hash)
        within = self.dev.pending if block is None else block
        return receipt_fields(block, within.header, within.receipts, index, transaction)

    def get_fee_history(
        self, block_count: int = 1, newest_block: Any = "latest", reward_percentiles: Sequence[int] = ()
    ) -> dict[str, Any]:
        """Base fees and gas used of the blocks before one, the last first."""
        if isinstance(block_count, int) and not 1 <= block_count <= 1024:
            raise ValidationError("block_count must be between 1 and 1024")
        newest = self._block("latest" if newest_block == "pending" else newest_block).number
        headers = [self.dev.block(at).header for at in range(newest - 1, max(newest - block_count, 0) - 1, -1)]
        return {
            "oldest_block": 1,
            "base_fee_per_gas": [header.base_fee_per_gas for header in headers],
            "gas_used_ratio": [header.gas_used / (header.gas_limit or 1) for header in headers],
            "reward": [],
        }

    # -------------------------------------------------------------- transactions

    def send_raw_transaction(self, raw_transaction: bytes) -> bytes:
        """Put a transaction into the pending block; one with blobs may come with them."""
        raw = bytes(raw_transaction)
        try:
            if raw[:1] == b"\x03":
                items = rlp.decode(raw[1:], "transaction")
                if items and isinstance(
                    items[0], list
                ):  # the form of the network: transaction, blobs, commitments, proofs
                    raw = b"\x03" + rlp.encode(items[0])
            transaction = Transaction.decode(raw)
        except InvalidTransaction as error:
            raise_undecodable(raw, error)
        return self._send(transaction)

    def send_signed_transaction(self, signed_transaction: Mapping[str, Any], block_number: Any = "latest") -> bytes:
        """Put a transaction with r, s, and v into the pending block."""
        return self._send(self._made(signed_transaction, block_number))

    def send_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """Sign a transaction by the key of its sender, and put it into the pending block."""
        sender = transaction["from"]
        for key in self.account_keys:
            if key.public_key.to_canonical_address() == sender:
                return self._send(self._made(transaction).sign(key.to_bytes()))
        raise ValidationError(
            'No valid "from" key was provided in the transaction which is required for transaction signing.'
        )

    def estimate_gas(self, transaction: Mapping[str, Any], block_number: Any = "latest") -> int:
        """Gas that is enough, and at most 21,000 more than the least that is."""
        if block_number == "pending":
            raise NotImplementedError('"pending" block identifier is unsupported in eth-tester')
        given = {"gas": self._block(block_number).header.gas_limit, **transaction}
        if not any(
            name in given for name in (*DYNAMIC_FEES, "gas_price")
        ):  # as it will be sent: its sender has to have that
            given.update(dict.fromkeys(DYNAMIC_FEES, DEFAULT_FEE_WEI))
        made = self._made(given, block_number, is_simulated=True)
        least = max(least_gas(made, self._block(block_number).header.fork))
        balance, cost = self.get_balance(made.sender, block_number), made.max_fee_per_gas * least + made.value
        if balance < cost:  # for the least gas that it may have: what an execution with less fails for says nothing
            poor = InvalidTransaction("", status="INSUFFICIENT_FUNDS", have=balance, want=cost)
            raise refused(poor, self._made({**given, "gas": least}, block_number, is_simulated=True))
        try:
            return self.dev.estimate_gas(made, block_number, tolerance=ESTIMATE_TOLERANCE)
        except ExecutionFailed as error:
            receipt = error.receipt
            most = made.max_fee_per_gas * made.gas_limit + made.value
            if balance < most:  # what it fails for with the gas that it can pay for says less
                poor = InvalidTransaction("", status="INSUFFICIENT_FUNDS", have=balance, want=most)
                raise refused(poor, made) from None
            failure = Reverted(receipt.output) if receipt.outcome == "REVERT" else message_of(receipt)
            raise TransactionFailed(failure) from None
        except InvalidTransaction as error:
            raise refused(error) from None

    def call(self, transaction: Mapping[str, Any], block_number: Any = "latest") -> bytes:
        """What a transaction returns."""
        pending = self.dev.pending
        given = {"gas": pending.gas_left, **transaction}
        try:
            receipt = self.dev.call(self._made(given, block_number, is_simulated=True), self._name(block_number))
        except InvalidTransaction as error:
            raise refused(error) from None
        if not receipt.is_success:
            raise TransactionFailed(message_of(receipt))
        return receipt.output

    # -------------------------------------------------------------- parts

    def _name(self, which: Any) -> Any:
        self._block(which) if which != "pending" else None
        return which

    def _block(self, which: Any) -> DevBlock:
        try:
            return self.dev.block(which)
        except NoSuchBlock:
            kind = "hash" if isinstance(which, bytes) else "number"
            raise UnknownBlock(f"No block found for block {kind}: {which}") from None

    def _state(self, which: Any) -> State:
        return self.dev.pending.state if which == "pending" else self._block(which).state

    def _transaction(self, transaction_hash: bytes) -> tuple[DevBlock | None, int, Transaction, Receipt]:
        try:
            return self.dev.transaction(transaction_hash)
        except NoSuchTransaction:
            raise TransactionNotFound(
                f"No transaction found for transaction hash: 0x{bytes(transaction_hash).hex()}"
            ) from None

    def _send(self, transaction: Transaction) -> bytes:
        try:
            self.dev.send(transaction, checks={"chain_id": False})
        except InvalidTransaction as error:
            raise refused(error, transaction) from None
        return transaction.hash

    def _made(
        self, given: Mapping[str, Any], block_number: Any = "latest", *, is_simulated: bool = False
    ) -> Transaction:
        return make_transaction(
            given,
            chain_id=self.chain.chain_id,
            nonce_of=lambda sender: self.get_nonce(sender, block_number),
            base_fee=lambda: self.get_base_fee(block_number),
            is_simulated=is_simulated,
        )


@cache
def _keys(count: int | None, mnemonic: str | None, hd_path: str | None) -> tuple[Any, ...]:
    if mnemonic:
        return tuple(get_account_keys_from_mnemonic(mnemonic, quantity=count, hd_path=hd_path))
    return tuple(get_default_account_keys(quantity=count))


def _fork_of(kind: Any) -> str:
    """A fork's name, out of a name or one of py-evm's classes of virtual machines."""
    name = kind if isinstance(kind, str) else getattr(kind, "fork", None)
    if not isinstance(name, str):
        raise ValidationError(f"vm_configuration: {kind!r} is neither a fork's name nor a class that has one")
    return name.replace("-", "")
