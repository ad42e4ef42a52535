"""What goes into an execution and what comes out, as plain values: accounts, headers, blocks, receipts, results.

All of it is frozen but `Block`, whose parts are. Quantities are int, bytes are bytes, addresses are 20 bytes (and may be
given as "0x…"). `State` and `Transaction` are the core's own, in `evmcore._core`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from . import rlp
from .errors import DecodeError, UnusableInput
from .hexadecimal import checked_bytes, checked_quantity, data, quantity, to_address, to_hex, to_quantity_hex
from .hexadecimal import field as json_field

if TYPE_CHECKING:
    from ._core import State, Transaction

__all__ = [
    "Account",
    "Block",
    "BlockResult",
    "CallResult",
    "Expected",
    "Header",
    "Log",
    "Receipt",
    "Withdrawal",
    "to_address",
]

NEWEST_FORK = "BPO2"
ZERO_ADDRESS = bytes(20)
ZERO_HASH = bytes(32)
EMPTY_BLOOM = bytes(256)
# keccak-256 of nothing, of the empty RLP list, and of the empty RLP string (the root of an empty trie).
EMPTY_CODE_HASH = bytes.fromhex("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")
EMPTY_OMMERS_HASH = bytes.fromhex("1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347")
EMPTY_TRIE_ROOT = bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")


def _keccak256(value: bytes) -> bytes:
    from ._core import keccak256

    return keccak256(value)


@dataclass(frozen=True, slots=True)
class Account:
    """One account: balance in wei, nonce, code, and its storage as slot -> value (zero values are absent)."""

    balance: int = 0
    nonce: int = 0
    code: bytes = b""
    storage: Mapping[int, int] = field(default_factory=dict, hash=False)

    @property
    def code_hash(self) -> bytes:
        """keccak-256 of the code, 32 bytes."""
        return _keccak256(self.code) if self.code else EMPTY_CODE_HASH

    @property
    def is_empty(self) -> bool:
        """No balance, no nonce, no code: what EIP-161 removes. Storage doesn't count."""
        return not (self.balance or self.nonce or self.code)


@dataclass(frozen=True, slots=True)
class Log:
    """What LOG0 … LOG4 wrote: the contract's address, up to four topics of 32 bytes, and data."""

    address: bytes
    topics: tuple[bytes, ...] = ()
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a transaction did. The first seven fields and `state_root` are consensus, the others say more.

    type                  transaction type, 0 … 4
    status                1 or 0; None before Byzantium, where `state_root` takes its place (EIP-658)
    cumulative_gas_used   of the block up to here;  gas_used  of this transaction
    contract_address      of the contract that a creation made
    output                what the outermost call returned, or the code that a creation left
    outcome               the row of status.def: "SUCCESS", "REVERT", "OUT_OF_GAS" …
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

    @property
    def succeeded(self) -> bool:
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
        payload = rlp.encode_list([first, rlp.encode(rlp.number(self.cumulative_gas_used)), rlp.encode(self.logs_bloom), logs])
        return bytes([self.type]) + payload if self.type else payload


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

    status       "success", "revert" or "halt"; `outcome` is the row of status.def
    gas_used     execution alone: no intrinsic gas, no refund applied
    gas_refund   what a transaction could have got back
    output       what it returned or reverted with; the code that a creation left
    """

    status: str
    gas_used: int
    gas_left: int
    gas_refund: int
    output: bytes
    logs: tuple[Log, ...]
    outcome: str
    contract_address: bytes | None = None

    @property
    def succeeded(self) -> bool:
        """Whether what the call did would be kept."""
        return self.status == "success"

    @property
    def error(self) -> str | None:
        """Why it did not succeed, in words: "out of gas", "revert: too little"; None when it did."""
        return _error_text(self.outcome, self.output)

    @property
    def word(self) -> int:
        """The first 32 bytes of the output as a number; 0 when there are none."""
        return int.from_bytes(self.output[:32].ljust(32, b"\0"), "big")


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Stake that comes back to an account at the end of a block (EIP-4895). The amount is in gwei, 10^9 wei."""

    index: int
    validator_index: int
    address: bytes
    amount_gwei: int

    def __post_init__(self) -> None:
        for name in ("index", "validator_index", "amount_gwei"):
            checked_quantity(getattr(self, name), f"withdrawal.{name}", 64)
        object.__setattr__(self, "address", to_address(self.address, "withdrawal.address"))

    def encode(self) -> bytes:
        """The form that the withdrawals root is made of: RLP."""
        return rlp.encode([rlp.number(self.index), rlp.number(self.validator_index), self.address, rlp.number(self.amount_gwei)])

    @classmethod
    def from_json(cls, value: Mapping[str, Any], where: str = "withdrawal") -> Withdrawal:
        """From JSON-RPC's names (`index`, `validatorIndex`, `address`, `amount`)."""
        return cls(
            quantity(json_field(value, "index", where), f"{where}.index", 64),
            quantity(json_field(value, "validatorIndex", where), f"{where}.validatorIndex", 64),
            to_address(json_field(value, "address", where), f"{where}.address"),
            quantity(json_field(value, "amount", where), f"{where}.amount", 64),
        )


# The header's fields in the order of its RLP: (name, JSON-RPC name, bits of a number or None, bytes or None).
_HEADER_FIELDS: tuple[tuple[str, str, int | None, int | None], ...] = (
    ("parent_hash", "parentHash", None, 32),
    ("ommers_hash", "sha3Uncles", None, 32),
    ("coinbase", "miner", None, 20),
    ("state_root", "stateRoot", None, 32),
    ("transactions_root", "transactionsRoot", None, 32),
    ("receipts_root", "receiptsRoot", None, 32),
    ("logs_bloom", "logsBloom", None, 256),
    ("difficulty", "difficulty", 256, None),
    ("number", "number", 64, None),
    ("gas_limit", "gasLimit", 64, None),
    ("gas_used", "gasUsed", 64, None),
    ("timestamp", "timestamp", 64, None),
    ("extra_data", "extraData", None, None),
    ("mix_hash", "mixHash", None, 32),
    ("nonce", "nonce", None, 8),
    ("base_fee_per_gas", "baseFeePerGas", 256, None),
    ("withdrawals_root", "withdrawalsRoot", None, 32),
    ("blob_gas_used", "blobGasUsed", 64, None),
    ("excess_blob_gas", "excessBlobGas", 64, None),
    ("parent_beacon_block_root", "parentBeaconBlockRoot", None, 32),
    ("requests_hash", "requestsHash", None, 32),
)
# Up to London every header has these; later fields are there in this order, or not.
_FIRST_OPTIONAL = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A block's header, and the three things around it that an execution needs: fork, chain and older block hashes.

    The fields of the hash are the chain's, in its order; those from `base_fee_per_gas` on are None before their fork.
    Not part of the hash:
    fork            whose rules hold: a mainnet name ("London") or a test name ("EIP158"), in any case
    chain_id        1 is mainnet
    block_hashes    number -> 32 bytes, for BLOCKHASH
    blob_schedule   (target, max, update fraction), in place of the fork's own
    """

    parent_hash: bytes = ZERO_HASH
    ommers_hash: bytes = EMPTY_OMMERS_HASH
    coinbase: bytes = ZERO_ADDRESS
    state_root: bytes = EMPTY_TRIE_ROOT
    transactions_root: bytes = EMPTY_TRIE_ROOT
    receipts_root: bytes = EMPTY_TRIE_ROOT
    logs_bloom: bytes = EMPTY_BLOOM
    difficulty: int = 0
    number: int = 0
    gas_limit: int = 30_000_000
    gas_used: int = 0
    timestamp: int = 0
    extra_data: bytes = b""
    mix_hash: bytes = ZERO_HASH
    nonce: bytes = bytes(8)
    base_fee_per_gas: int | None = None
    withdrawals_root: bytes | None = None
    blob_gas_used: int | None = None
    excess_blob_gas: int | None = None
    parent_beacon_block_root: bytes | None = None
    requests_hash: bytes | None = None
    fork: str = NEWEST_FORK
    chain_id: int = 1
    block_hashes: Mapping[int, bytes] = field(default_factory=dict, hash=False, repr=False)
    blob_schedule: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        for position, (name, _, bits, size) in enumerate(_HEADER_FIELDS):
            value = getattr(self, name)
            if value is None and position >= _FIRST_OPTIONAL:
                continue
            if bits is not None:
                checked_quantity(value, f"header.{name}", bits)
            elif type(value) is not bytes or (size is not None and len(value) != size):
                read = data if isinstance(value, str) else checked_bytes
                object.__setattr__(self, name, read(value, f"header.{name}", size))
        checked_quantity(self.chain_id, "header.chain_id", 64)

    @property
    def prev_randao(self) -> bytes:
        """The beacon chain's randomness, which took the mix hash's place with Paris (EIP-4399)."""
        return self.mix_hash

    @property
    def hash(self) -> bytes:
        """keccak-256 of the encoded header: the block's hash."""
        return _keccak256(self.encode())

    def encode(self) -> bytes:
        """The RLP of the header, up to the last field that is not None."""
        values = [getattr(self, name) for name, *_ in _HEADER_FIELDS]
        while values[-1] is None:
            values.pop()
        for value, (name, *_) in zip(values, _HEADER_FIELDS):
            if value is None:
                raise UnusableInput(f"header.{name}: missing, though a later field is there")
        return rlp.encode_list(rlp.encode(rlp.number(value) if isinstance(value, int) else value) for value in values)

    @classmethod
    def decode(cls, encoded: bytes, *, fork: str = NEWEST_FORK, chain_id: int = 1) -> Header:
        """From the header's RLP. Raises DecodeError; which fields the fork wants is not looked at."""
        return cls._from_items(rlp.decode(encoded, "header"), "header", fork=fork, chain_id=chain_id)

    @classmethod
    def _from_items(cls, item: rlp.Item, where: str, **around: Any) -> Header:
        items = rlp.to_list(item, where, _FIRST_OPTIONAL, len(_HEADER_FIELDS))
        values: dict[str, Any] = {}
        for part, (name, _, bits, size) in zip(items, _HEADER_FIELDS):
            full_name = f"{where}.{name}"
            values[name] = rlp.to_bytes(part, full_name, size) if bits is None else rlp.to_number(part, full_name, bits)
        return cls(**values, **around)

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, fork: str = NEWEST_FORK, chain_id: int = 1, **around: Any) -> Header:
        """From JSON-RPC's names (`miner`, `sha3Uncles` …); what is not part of a header is passed over."""
        values: dict[str, Any] = {}
        for position, (name, json_name, bits, size) in enumerate(_HEADER_FIELDS):
            given = value.get(json_name)
            if given is None:
                if position < _FIRST_OPTIONAL:
                    json_field(value, json_name, "header")
                    raise UnusableInput(f"header.{json_name}: is null")
                continue
            full_name = f"header.{json_name}"
            values[name] = data(given, full_name, size) if bits is None else quantity(given, full_name, bits)
        return cls(**values, fork=fork, chain_id=chain_id, **around)

    def to_json(self) -> dict[str, str]:
        """JSON-RPC's form, with the hash; fields that are None are left out."""
        members = {"hash": to_hex(self.hash)}
        for name, json_name, bits, _ in _HEADER_FIELDS:
            value = getattr(self, name)
            if value is not None:
                members[json_name] = to_hex(value) if bits is None else to_quantity_hex(value)
        return members


@dataclass(frozen=True, slots=True)
class Expected:
    """What a block has to give, where it is known: None is not.

    senders   of the transactions, in order, to compare with the recovered ones
    """

    gas_used: int | None = None
    logs_bloom: bytes | None = None
    receipts_root: bytes | None = None
    state_root: bytes | None = None
    transactions_root: bytes | None = None
    senders: tuple[bytes | None, ...] | None = None


@dataclass(slots=True)
class Block:
    """A block, and where it was read from a file, the state it starts from and what it has to give.

    withdrawals          None before Shanghai
    pre_state            the state before the block; yours to copy (`copy` is cheap) or to change
    pre_state_complete   whether it is the whole state, so that a state root can be computed from it
    """

    header: Header
    transactions: tuple[Transaction, ...] = ()
    ommers: tuple[Header, ...] = ()
    withdrawals: tuple[Withdrawal, ...] | None = None
    pre_state: State | None = None
    expected: Expected | None = None
    pre_state_complete: bool = False

    def __post_init__(self) -> None:
        self.transactions = tuple(self.transactions)
        self.ommers = tuple(self.ommers)
        if self.withdrawals is not None:
            self.withdrawals = tuple(self.withdrawals)

    @property
    def number(self) -> int:
        """The header's number."""
        return self.header.number

    @property
    def hash(self) -> bytes:
        """The header's hash."""
        return self.header.hash

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Block:
        """Read a block file (format mainnet-block/1, gzipped or not). Raises UnusableInput with path and reason."""
        from .fixtures import load_block

        return load_block(path)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Block:
        """From the members of a block file, as `load` finds them."""
        from .fixtures import block_from_json

        return block_from_json(value)

    @classmethod
    def decode(cls, encoded: bytes, *, fork: str = NEWEST_FORK, chain_id: int = 1) -> Block:
        """From the block's RLP, as the network and chain files have it. Raises DecodeError."""
        from ._core import Transaction

        parts = rlp.read_list(encoded, 0, len(encoded), "block")
        if not 3 <= len(parts) <= 4:
            raise rlp.refusal("RLP_TOO_FEW_FIELDS" if len(parts) < 3 else "RLP_TOO_MANY_FIELDS", "block")
        header = Header._from_items(_part(encoded, parts[0], "header"), "header", fork=fork, chain_id=chain_id)
        transactions = []
        for index, (is_list, at, payload, end) in enumerate(rlp.read_list(encoded, parts[1][1], parts[1][3], "transactions")):
            try:
                # A legacy transaction lies in the block as the list it is, a typed one as a string (EIP-2718).
                if not is_list and encoded[payload : payload + 1] >= b"\xc0":
                    raise rlp.refusal("RLP_EXPECTED_LIST", "transaction")
                transactions.append(Transaction.decode(encoded[at if is_list else payload : end]))
            except DecodeError as error:
                error.index = index
                raise
        ommers = rlp.to_list(_part(encoded, parts[2], "ommers"), "ommers")
        withdrawals = None
        if len(parts) == 4:
            items = rlp.to_list(_part(encoded, parts[3], "withdrawals"), "withdrawals")
            withdrawals = tuple(_withdrawal(item, f"withdrawals[{index}]") for index, item in enumerate(items))
        return cls(
            header,
            tuple(transactions),
            tuple(
                Header._from_items(item, f"ommers[{index}]", fork=fork, chain_id=chain_id)
                for index, item in enumerate(ommers)
            ),
            withdrawals,
        )

    def encode(self) -> bytes:
        """The block's RLP."""
        transactions = (raw if raw[:1] >= b"\xc0" else rlp.encode(raw) for raw in (tx.raw for tx in self.transactions))
        parts = [
            self.header.encode(),
            rlp.encode_list(transactions),
            rlp.encode_list(ommer.encode() for ommer in self.ommers),
        ]
        if self.withdrawals is not None:
            parts.append(rlp.encode_list(withdrawal.encode() for withdrawal in self.withdrawals))
        return rlp.encode_list(parts)

    def with_header(self, **changes: Any) -> Block:
        """The same block with some of the header's fields changed."""
        return replace(self, header=replace(self.header, **changes))


def _part(encoded: bytes, part: tuple[bool, int, int, int], field_name: str) -> rlp.Item:
    return rlp.decode(encoded[part[1] : part[3]], field_name)


def _withdrawal(item: rlp.Item, where: str) -> Withdrawal:
    index, validator_index, address, amount = rlp.to_list(item, where, 4, 4)
    return Withdrawal(
        rlp.to_number(index, f"{where}.index", 64),
        rlp.to_number(validator_index, f"{where}.validator_index", 64),
        rlp.to_bytes(address, f"{where}.address", 20),
        rlp.to_number(amount, f"{where}.amount_gwei", 64),
    )


Lazy = Callable[[], Any]


class BlockResult:
    """What a block gave. Roots and receipts are made when they are first asked for, and kept.

    receipts            a tuple of Receipt, one a transaction
    gas_used            of all transactions;  blob_gas_used  likewise
    logs_bloom          256 bytes
    receipts_root, transactions_root, withdrawals_root (None before Shanghai), state_root: 32 bytes
    requests            type byte and data of each kind that is not empty (EIP-7685); requests_hash; None before Prague
    statistics          how the work went: executions, conflicts, seconds …
    accesses            per transaction what it read and wrote, where the strategy recorded it; else None

    Two results are equal if the block came out the same; how the work went doesn't count.
    """

    # What has to be the same whatever the strategy and the number of workers.
    _CONSENSUS = (
        "receipts",
        "gas_used",
        "blob_gas_used",
        "logs_bloom",
        "receipts_root",
        "transactions_root",
        "withdrawals_root",
        "requests",
        "requests_hash",
        "state_root",
    )

    def __init__(
        self,
        *,
        receipts: Sequence[Receipt] | Lazy,
        gas_used: int,
        logs_bloom: bytes | Lazy,
        receipts_root: bytes | Lazy,
        transactions_root: bytes | Lazy,
        state_root: bytes | Lazy,
        withdrawals_root: bytes | Lazy | None = None,
        requests: tuple[bytes, ...] | None = None,
        requests_hash: bytes | Lazy | None = None,
        blob_gas_used: int = 0,
        statistics: Mapping[str, Any] | None = None,
        accesses: Any = None,
    ) -> None:
        """Each root, the receipts, the bloom and the accesses may be given as a function that makes them."""
        self.gas_used = gas_used
        self.blob_gas_used = blob_gas_used
        self.requests = requests
        self.statistics: Mapping[str, Any] = statistics or {}
        self._made: dict[str, Any] = {
            "receipts": receipts,
            "logs_bloom": logs_bloom,
            "receipts_root": receipts_root,
            "transactions_root": transactions_root,
            "withdrawals_root": withdrawals_root,
            "requests_hash": requests_hash,
            "state_root": state_root,
            "accesses": accesses,
        }

    def _get(self, name: str) -> Any:
        value = self._made[name]
        return value() if callable(value) else value

    @cached_property
    def receipts(self) -> tuple[Receipt, ...]:
        """One a transaction, in order."""
        return tuple(self._get("receipts"))

    @cached_property
    def logs_bloom(self) -> bytes:
        """The union of the receipts' blooms, 256 bytes."""
        value: bytes = self._get("logs_bloom")
        return value

    @cached_property
    def receipts_root(self) -> bytes:
        """Of the trie of receipts. Before Byzantium it is right on a whole state only: receipts hold state roots."""
        value: bytes = self._get("receipts_root")
        return value

    @cached_property
    def transactions_root(self) -> bytes:
        """Of the trie of transactions."""
        value: bytes = self._get("transactions_root")
        return value

    @cached_property
    def withdrawals_root(self) -> bytes | None:
        """Of the trie of withdrawals; None before Shanghai."""
        value: bytes | None = self._get("withdrawals_root")
        return value

    @cached_property
    def requests_hash(self) -> bytes | None:
        """The commitment to the requests (EIP-7685); None before Prague."""
        value: bytes | None = self._get("requests_hash")
        return value

    @cached_property
    def state_root(self) -> bytes:
        """Of the state after the block."""
        value: bytes = self._get("state_root")
        return value

    @cached_property
    def accesses(self) -> Any:
        """What each transaction read and wrote, where the strategy recorded it."""
        return self._get("accesses")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BlockResult):
            return NotImplemented
        return not any(True for _ in self.differences(other))

    __hash__ = None  # type: ignore[assignment]

    def differences(self, other: BlockResult) -> Iterator[str]:
        """The names of what came out differently, most telling first."""
        for name in self._CONSENSUS:
            if getattr(self, name) != getattr(other, name):
                yield name

    def __repr__(self) -> str:
        return f"BlockResult({len(self.receipts)} receipts, gas_used={self.gas_used}, receipts_root=0x{self.receipts_root.hex()})"
