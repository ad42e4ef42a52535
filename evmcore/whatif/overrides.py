"""Another state, another block: what `eth_call` and its like may have otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .._core import PRECOMPILES, State, all_or_nothing, fork_includes
from ..errors import UnusableInput
from ..header import Header, Overrides, Withdrawal
from ..hexadecimal import to_address

__all__ = ["AccountOverride", "BlockOverride", "apply_overrides", "precompile_addresses"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountOverride:
    """What an account has otherwise; None: what it has.

    storage          slot -> value: all that there is of its storage
    storage_changes  slot -> value: these slots alone
    move_precompile_to  the precompile that is there runs at this address instead. One that has any override is no precompile any more
    """

    balance: int | None = None
    nonce: int | None = None
    code: bytes | None = None
    storage: Mapping[int, int] | None = None
    storage_changes: Mapping[int, int] | None = None
    move_precompile_to: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockOverride:
    """What a block's header has otherwise; None: what it has."""

    number: int | None = None
    timestamp: int | None = None
    gas_limit: int | None = None
    coinbase: bytes | None = None
    difficulty: int | None = None
    mix_hash: bytes | None = None
    base_fee_per_gas: int | None = None
    blob_base_fee: int | None = None
    parent_beacon_block_root: bytes | None = None
    withdrawals: tuple[Withdrawal, ...] | None = None

    def header_fields(self) -> dict[str, Any]:
        """Of those that are given: what `replace` takes for a header."""
        names = ("number", "timestamp", "gas_limit", "coinbase", "difficulty", "mix_hash", "base_fee_per_gas")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def apply(self, header: Header) -> Header:
        """The header as it is for instructions. Fields that its fork hasn't are passed over, as go-ethereum does."""
        fields = self.header_fields()
        if header.base_fee_per_gas is None:
            fields.pop("base_fee_per_gas", None)
        if self.blob_base_fee is not None:
            before = header.overrides or Overrides()
            fields["overrides"] = replace(before, blob_base_fee=self.blob_base_fee)
        return replace(header, **fields) if fields else header


def precompile_addresses(fork: str) -> frozenset[bytes]:
    """Where a fork has precompiles."""
    return frozenset(row.address.to_bytes(20, "big") for row in PRECOMPILES if fork_includes(fork, row.since))


def apply_overrides(state: State, header: Header, accounts: Mapping[bytes, AccountOverride]) -> Header:
    """Change a state by overrides; the header that has the precompiles where they are then.

    raise  TypeError, UnusableInput for an override that can't be; the state is then as before
    """
    if not isinstance(accounts, Mapping):
        raise TypeError(f"accounts: expected a mapping of addresses to AccountOverride, got {type(accounts).__name__}")
    named = {to_address(address, "accounts"): account for address, account in accounts.items()}
    for address, account in named.items():
        if not isinstance(account, AccountOverride):
            raise TypeError(f"account 0x{address.hex()}: expected AccountOverride, got {type(account).__name__}")
        for name in ("storage", "storage_changes"):
            slots = getattr(account, name)
            if slots is not None and not isinstance(slots, Mapping):
                raise TypeError(f"account 0x{address.hex()}: {name}: expected a mapping, got {type(slots).__name__}")
    return all_or_nothing(state, lambda: _apply(state, header, named))


def _apply(state: State, header: Header, accounts: Mapping[bytes, AccountOverride]) -> Header:
    there = precompile_addresses(header.fork)
    moved: dict[bytes, bytes | None] = {}
    for address, account in accounts.items():
        name = f"account 0x{address.hex()}"
        if moved.get(address) is not None:
            raise UnusableInput(f"{name} has already been overridden by a precompile")
        if account.move_precompile_to is not None:
            if address not in there:
                raise UnusableInput(f"{name} is not a precompile")
            if account.move_precompile_to in accounts:
                raise UnusableInput(f"account 0x{account.move_precompile_to.hex()} is already overridden")
            moved[account.move_precompile_to] = address
        if address in there:
            moved[address] = None
        _override(state, address, account, name)
    if not moved:
        return header
    before = header.overrides or Overrides()
    return replace(header, overrides=replace(before, precompiles={**dict(before.precompiles), **moved}))


def _override(state: State, address: bytes, account: AccountOverride, name: str) -> None:
    if account.storage is not None and account.storage_changes is not None:
        raise UnusableInput(f"{name} has both 'state' and 'stateDiff'")
    if account.nonce is not None:
        state.set_nonce(address, account.nonce)
    if account.code is not None:
        state.set_code(address, account.code)
    if account.balance is not None:
        state.set_balance(address, account.balance)
    if account.storage is not None:
        now = state.get_account(address)
        fields = {"balance": 0, "nonce": 0, "code": b""}
        if now is not None:
            fields = {"balance": now.balance, "nonce": now.nonce, "code": now.code}
        storage = {slot: value for slot, value in account.storage.items() if value}
        state.set_account(address, {**fields, "storage": storage})
        state.set_storage_complete(address)
    for slot, value in (account.storage_changes or {}).items():
        state.set_storage(address, slot, value)
