"""Accounts, logs, receipts and the results of calls: frozen values, as the core hands them out.

Quantities are int, addresses 20 bytes, topics and hashes 32 bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from . import rlp
from .hexadecimal import short_repr

__all__ = ["Account", "CallResult", "Log", "Receipt", "keccak256"]

# keccak-256 of nothing.
EMPTY_CODE_HASH = bytes.fromhex("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")


def keccak256(value: bytes) -> bytes:
    """keccak-256, 32 bytes."""
    from ._core import keccak256 as core_keccak256

    return core_keccak256(value)


@dataclass(frozen=True, slots=True)
class Account:
    """One account: balance in wei, nonce, code, and its storage as slot -> value (zero values are absent).

    is_storage_complete  whether the account has no other slots; what only says how much is known doesn't count in comparisons
    """

    balance: int = 0
    nonce: int = 0
    code: bytes = b""
    storage: Mapping[int, int] = field(default_factory=dict, hash=False)
    is_storage_complete: bool = field(default=False, compare=False, repr=False)

    @property
    def code_hash(self) -> bytes:
        """keccak-256 of the code, 32 bytes."""
        return keccak256(self.code) if self.code else EMPTY_CODE_HASH

    @property
    def has_storage(self) -> bool | None:
        """Whether any slot is not zero; None: it names none, and doesn't say that these are all."""
        if any(self.storage.values()):
            return True
        return False if self.is_storage_complete else None

    @property
    def is_empty(self) -> bool:
        """No balance, no nonce, no code: what EIP-161 removes. Storage doesn't count."""
        return not (self.balance or self.nonce or self.code)

    def __repr__(self) -> str:
        return short_repr(self)


@dataclass(frozen=True, slots=True)
class Log:
    """What LOG0 … LOG4 wrote: the contract's address, up to four topics of 32 bytes, and data."""

    address: bytes
    topics: tuple[bytes, ...] = ()
    data: bytes = b""

    def __repr__(self) -> str:
        return short_repr(self)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a transaction did. The first seven fields and `state_root` are consensus, the others say more.

    type                  transaction type, 0 … 4
    status                `is_success` as 1 or 0, the consensus field; None before Byzantium, whose receipts have `state_root` in its place (EIP-658)
    cumulative_gas_used   of the block up to here;  gas_used  what this transaction pays for
    execution_gas_used, state_gas_used  what the block counts of it, as the header's gas used says. From Amsterdam on execution gas is before
                          refunds, and state gas, that for making the state grow, apart; before, they are gas_used and 0 (EIP-7778, EIP-8037)
    contract_address      of the contract that a creation made
    output                what the outermost call returned, or the code that a creation left
    outcome               how it ended, the row of status.def: "SUCCESS", "REVERT", "OUT_OF_GAS" …
    gas_refund            gas given back for cleared storage, already taken off gas_used
    effective_gas_price   wei for a unit of gas;  blob_gas_used  in blob gas
    """

    type: int
    status: int | None
    cumulative_gas_used: int
    gas_used: int
    logs: tuple[Log, ...]
    logs_bloom: bytes
    contract_address: bytes | None = None
    output: bytes = b""
    outcome: str = "SUCCESS"
    gas_refund: int = 0
    effective_gas_price: int = 0
    state_root: bytes | None = None
    blob_gas_used: int = 0
    execution_gas_used: int = 0
    state_gas_used: int = 0

    @property
    def is_success(self) -> bool:
        """Whether what the transaction did was kept."""
        return self.outcome == "SUCCESS"

    @property
    def error(self) -> str | None:
        """Why it was not kept, in words; None when it was."""
        return _error_text(self.outcome, self.output)

    def encode(self) -> bytes:
        """The form that the receipts root is made of: RLP, after the type byte from type 1 on (EIP-2718)."""
        if self.status is not None:
            first = rlp.encode(rlp.number(self.status))
        else:
            first = rlp.encode(self.state_root or b"")
        logs = rlp.encode([[log.address, list(log.topics), log.data] for log in self.logs])
        payload = rlp.encode_list(
            [first, rlp.encode(rlp.number(self.cumulative_gas_used)), rlp.encode(self.logs_bloom), logs]
        )
        return bytes([self.type]) + payload if self.type else payload

    def __repr__(self) -> str:
        return short_repr(self)


# Solidity's Error(string): keccak-256 of the signature, the first four bytes.
_ERROR_SELECTOR = bytes.fromhex("08c379a0")


def _revert_reason(output: bytes) -> str | None:
    """The text of an Error(string), or None if the output is something else."""
    if output[:4] != _ERROR_SELECTOR or len(output) < 68:
        return None
    size = int.from_bytes(output[36:68], "big")
    text = output[68 : 68 + size]
    return text.decode("utf-8", "replace") if len(text) == size else None


def _error_text(outcome: str, output: bytes) -> str | None:
    if outcome == "SUCCESS":
        return None
    reason = _revert_reason(output) if outcome == "REVERT" else None
    return f"revert: {reason}" if reason else outcome.replace("_", " ").lower()


@dataclass(frozen=True, slots=True)
class CallResult:
    """What a call did, without a transaction around it.

    outcome      how it ended, the row of status.def: "SUCCESS", "REVERT", "OUT_OF_GAS" …
    gas_used     execution alone: no intrinsic gas, no refund applied; with the state gas
    state_gas_used  that for making the state grow, less what came back; 0 before Amsterdam (EIP-8037)
    gas_refund   what a transaction could have got back
    output       what it returned or reverted with; the code that a creation left
    seconds      that the execution took; of several runs, the median
    """

    outcome: str
    gas_used: int
    gas_left: int
    gas_refund: int
    output: bytes
    logs: tuple[Log, ...]
    contract_address: bytes | None = None
    state_gas_used: int = 0
    seconds: float = field(default=0.0, compare=False)

    @property
    def is_success(self) -> bool:
        """Whether what the call did would be kept."""
        return self.outcome == "SUCCESS"

    @property
    def error(self) -> str | None:
        """Why it did not succeed, in words: "out of gas", "revert: too little"; None when it did."""
        return _error_text(self.outcome, self.output)

    @property
    def word(self) -> int:
        """The first 32 bytes of the output as a number; 0 when there are none."""
        return int.from_bytes(self.output[:32].ljust(32, b"\0"), "big")

    def __repr__(self) -> str:
        return short_repr(self)
