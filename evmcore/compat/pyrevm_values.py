"""The values of `evmcore.compat.pyrevm`: environments, accounts, results, logs and errors, under pyrevm's names and defaults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .._core import fake_exponential, keccak256

__all__ = [
    "AccountInfo",
    "BlockEnv",
    "CfgEnv",
    "Env",
    "ExecutionError",
    "ExecutionResult",
    "JournalCheckpoint",
    "Log",
    "TransactionError",
    "TxEnv",
    "checksummed",
]

ZERO = "0x" + "00" * 20
GAS_MAX = 2**64 - 1
EMPTY_CODE_HASH = keccak256(b"")
# Of Cancun's blob base fee (EIP-4844).
CANCUN_UPDATE_FRACTION = 3_338_477


def checksummed(address: bytes) -> str:
    """An address in the mixed case of EIP-55."""
    digits = address.hex()
    mask = keccak256(digits.encode()).hex()
    return "0x" + "".join(digit.upper() if nibble >= "8" else digit for digit, nibble in zip(digits, mask))


class CfgEnv:
    """The chain's configuration. Another limit of contracts' size than the fork's can't be had: it is refused by `EVM`."""

    def __init__(
        self,
        chain_id: int | None = None,
        limit_contract_code_size: int | None = None,
        perf_analyse_created_bytecodes: str | None = None,
    ) -> None:
        self.chain_id = 1 if chain_id is None else chain_id
        self.limit_contract_code_size = limit_contract_code_size
        self.perf_analyse_created_bytecodes = perf_analyse_created_bytecodes or "analyse"


class BlockEnv:
    """The block that messages run in; numbers have 64 bits, but difficulty and base fee."""

    def __init__(
        self,
        number: int | None = None,
        coinbase: str | None = None,
        timestamp: int | None = None,
        difficulty: int | None = None,
        prevrandao: bytes | None = None,
        basefee: int | None = None,
        gas_limit: int | None = None,
        excess_blob_gas: int | None = None,
    ) -> None:
        self.number = number or 0
        self.coinbase = coinbase or ZERO
        self.timestamp = 1 if timestamp is None else timestamp
        self.difficulty = difficulty or 0
        self.prevrandao = bytes(32) if prevrandao is None else bytes(prevrandao)
        if len(self.prevrandao) != 32:
            raise TypeError(f"prevrandao: {len(self.prevrandao)} bytes, not 32")
        self.basefee = basefee or 0
        self.gas_limit = GAS_MAX if gas_limit is None else gas_limit
        self.excess_blob_gas: int | None = excess_blob_gas or 0
        self._update_fraction = CANCUN_UPDATE_FRACTION

    @property
    def blob_gasprice(self) -> int:
        """The blob base fee in wei: of an EVM's block as its fork has it, else as Cancun has it."""
        return fake_exponential(1, self.excess_blob_gas or 0, self._update_fraction)


class TxEnv:
    """What a message has of a transaction. `message_call` and `deploy` set its caller, gas, price, receiver, value and data."""

    def __init__(
        self,
        caller: str | None = None,
        gas_limit: int | None = None,
        gas_price: int | None = None,
        gas_priority_fee: int | None = None,
        to: str | None = None,
        value: int | None = None,
        data: bytes | None = None,
        chain_id: int | None = None,
        nonce: int | None = None,
        salt: int | None = None,
        access_list: Sequence[tuple[str, Sequence[int]]] | None = None,
        blob_hashes: Sequence[bytes] | None = None,
        max_fee_per_blob_gas: int | None = None,
    ) -> None:
        self.caller = caller or ZERO
        self.gas_limit = GAS_MAX if gas_limit is None else gas_limit
        self.gas_price = gas_price or 0
        self.gas_priority_fee = gas_priority_fee
        self.to = to
        self.value = value or 0
        self.data = b"" if data is None else bytes(data)
        self.chain_id = chain_id
        self.nonce = nonce
        self.salt = salt
        self.access_list = list(access_list or ())
        self.blob_hashes = list(blob_hashes or ())
        self.max_fee_per_blob_gas = max_fee_per_blob_gas


class Env:
    """Configuration, block and transaction; what isn't given has pyrevm's defaults."""

    def __init__(self, cfg: CfgEnv | None = None, block: BlockEnv | None = None, tx: TxEnv | None = None) -> None:
        self._cfg = CfgEnv() if cfg is None else cfg
        self._block = BlockEnv() if block is None else block
        self._tx = TxEnv() if tx is None else tx

    @property
    def cfg(self) -> CfgEnv:
        """The chain's configuration."""
        return self._cfg

    @property
    def block(self) -> BlockEnv:
        """The block."""
        return self._block

    @property
    def tx(self) -> TxEnv:
        """The transaction."""
        return self._tx


@dataclass(frozen=True)
class AccountInfo:
    """An account without its storage: balance in wei, nonce, code and its keccak-256. An account without code shows b"\\0"."""

    balance: int = 0
    nonce: int = 0
    code_hash: bytes | None = None
    code: bytes | None = None

    def __init__(
        self,
        balance: int | None = None,
        nonce: int = 0,
        code_hash: bytes | None = None,
        code: bytes | None = None,
    ) -> None:
        kept = None if code is None else bytes(code)
        object.__setattr__(self, "balance", balance or 0)
        object.__setattr__(self, "nonce", nonce)
        object.__setattr__(self, "code", kept)
        object.__setattr__(self, "code_hash", keccak256(kept or b"") if code_hash is None else bytes(code_hash))


@dataclass(frozen=True)
class Log:
    """What LOG0 … LOG4 wrote: the contract's address (EIP-55), topics as "0x…", and data as (topics as bytes, data)."""

    address: str
    topics: list[str]
    data: tuple[list[bytes], bytes]


@dataclass(frozen=True)
class ExecutionResult:
    """What the last message did. Gas is a transaction's: with the intrinsic gas, less what was given back.

    reason   "Return", "Stop" (a call that returned nothing), "Revert", or why it halted
    output   what it returned or reverted with;  status  how it ended, the row of status.def
    """

    is_success: bool
    is_halt: bool
    reason: str
    gas_used: int
    gas_refunded: int
    logs: list[Log] = field(default_factory=list)
    output: bytes = b""
    status: str = "SUCCESS"


@dataclass(frozen=True)
class JournalCheckpoint:
    """A place to go back to with `EVM.revert`: the place in the log of results, and how many checkpoints were open before, plus 1."""

    log_i: int
    journal_i: int
    number: int = 0


class ExecutionError(RuntimeError):
    """A message that reverted or halted, in pyrevm's words. `.result` is the ExecutionResult, `.status` the row of status.def,
    `.gas_used` the gas of a transaction, `.output` what it reverted with."""

    def __init__(self, text: str, result: ExecutionResult) -> None:
        super().__init__(text)
        self.result = result

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.args[0], self.result)

    @property
    def status(self) -> str:
        """How it ended: "REVERT", "OUT_OF_GAS" …"""
        return self.result.status

    @property
    def gas_used(self) -> int:
        """What a transaction would pay for."""
        return self.result.gas_used

    @property
    def output(self) -> bytes:
        """What it reverted with."""
        return self.result.output


class TransactionError(RuntimeError):
    """A message that may not run, in pyrevm's words: nothing has changed. `.status` is the row of status.def, `.have` and `.want`
    the two numbers that don't fit, None where there are none."""

    def __init__(self, text: str, status: str, have: int | None = None, want: int | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.have = have
        self.want = want

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.args[0], self.status, self.have, self.want)
