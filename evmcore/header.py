"""A block's header and its withdrawals: frozen values, to and from RLP and JSON-RPC's form.

What RLP says wrong raises DecodeError, what JSON or an argument says wrong UnusableInput; both name the field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from . import rlp
from ._core import NEWEST_FORK, BlockHashes
from .errors import UnusableInput
from .hexadecimal import (
    checked_bytes,
    checked_quantity,
    data,
    quantity,
    short_repr,
    shown,
    to_address,
    to_hex,
    to_quantity_hex,
)
from .hexadecimal import field as json_field
from .receipt import keccak256

__all__ = [
    "EMPTY_BLOCK_ACCESS_LIST_HASH",
    "EMPTY_OMMERS_HASH",
    "EMPTY_TRIE_ROOT",
    "LATER_FIELDS",
    "NEWEST_FORK",
    "Header",
    "Overrides",
    "Withdrawal",
]

ZERO_ADDRESS = bytes(20)
ZERO_HASH = bytes(32)
EMPTY_BLOOM = bytes(256)
# keccak-256 of the empty RLP list, and of the empty RLP string (the root of an empty trie).
EMPTY_OMMERS_HASH = bytes.fromhex("1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347")
EMPTY_BLOCK_ACCESS_LIST_HASH = EMPTY_OMMERS_HASH  # it is an empty RLP list, too
EMPTY_TRIE_ROOT = bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Stake that comes back to an account at the end of a block (EIP-4895). The amount is in gwei, 10^9 wei."""

    index: int
    validator_index: int
    address: bytes
    amount_gwei: int

    def __post_init__(self) -> None:
        for name in ("index", "validator_index", "amount_gwei"):
            object.__setattr__(self, name, checked_quantity(getattr(self, name), f"withdrawal.{name}", 64))
        object.__setattr__(self, "address", to_address(self.address, "withdrawal.address"))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.index, self.validator_index, self.address, self.amount_gwei)

    def encode(self) -> bytes:
        """The form that the withdrawals root is made of: RLP."""
        numbers = [rlp.number(number) for number in (self.index, self.validator_index, self.amount_gwei)]
        return rlp.encode([*numbers[:2], self.address, numbers[2]])

    @classmethod
    def from_rlp(cls, item: rlp.Item, where: str = "withdrawal") -> Withdrawal:
        """From decoded RLP."""
        index, validator_index, address, amount = rlp.to_list(item, where, 4, 4)
        return cls(
            rlp.to_number(index, f"{where}.index", 64),
            rlp.to_number(validator_index, f"{where}.validator_index", 64),
            rlp.to_bytes(address, f"{where}.address", 20),
            rlp.to_number(amount, f"{where}.amount_gwei", 64),
        )

    @classmethod
    def from_json(cls, value: Mapping[str, Any], where: str = "withdrawal") -> Withdrawal:
        """From JSON-RPC's names (`index`, `validatorIndex`, `address`, `amount`)."""
        return cls(
            quantity(json_field(value, "index", where), f"{where}.index", 64),
            quantity(json_field(value, "validatorIndex", where), f"{where}.validatorIndex", 64),
            to_address(json_field(value, "address", where), f"{where}.address"),
            quantity(json_field(value, "amount", where), f"{where}.amount", 64),
        )


# The header's fields in the order of its RLP: (name, JSON-RPC name, bits of a number or None, bytes or None, the rule of
# rules.hpp that brought it or None).
_HEADER_FIELDS: tuple[tuple[str, str, int | None, int | None, str | None], ...] = (
    ("parent_hash", "parentHash", None, 32, None),
    ("ommers_hash", "sha3Uncles", None, 32, None),
    ("coinbase", "miner", None, 20, None),
    ("state_root", "stateRoot", None, 32, None),
    ("transactions_root", "transactionsRoot", None, 32, None),
    ("receipts_root", "receiptsRoot", None, 32, None),
    ("logs_bloom", "logsBloom", None, 256, None),
    ("difficulty", "difficulty", 256, None, None),
    ("number", "number", 64, None, None),
    ("gas_limit", "gasLimit", 64, None, None),
    ("gas_used", "gasUsed", 64, None, None),
    ("timestamp", "timestamp", 64, None, None),
    ("extra_data", "extraData", None, None, None),
    ("mix_hash", "mixHash", None, 32, None),
    ("nonce", "nonce", None, 8, None),
    ("base_fee_per_gas", "baseFeePerGas", 256, None, "has_base_fee"),
    ("withdrawals_root", "withdrawalsRoot", None, 32, "has_withdrawals"),
    ("blob_gas_used", "blobGasUsed", 64, None, "has_blobs"),
    ("excess_blob_gas", "excessBlobGas", 64, None, "has_blobs"),
    ("parent_beacon_block_root", "parentBeaconBlockRoot", None, 32, "has_beacon_root"),
    ("requests_hash", "requestsHash", None, 32, "has_requests"),
    ("block_access_list_hash", "blockAccessListHash", None, 32, "has_block_access_list"),
    ("slot_number", "slotNumber", 64, None, "has_slot_number"),
)
_NO_BLOCK_HASHES = BlockHashes()
# Up to London every header has these; later fields are there in this order, or not.
_FIRST_OPTIONAL = 15
# A later field -> the rule that brought it.
LATER_FIELDS: dict[str, str] = {name: rule for name, *_, rule in _HEADER_FIELDS if rule is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What a simulation has otherwise than its header and its fork say.

    blob_base_fee  wei a blob gas, in place of what follows from the excess blob gas; None: that
    precompiles    address -> address of the precompile that runs there; None: no precompile does, and the account's code is called.
                   A mapping's items are copied, as pairs. Which addresses are warm stays the fork's to say
    """

    blob_base_fee: int | None = None
    precompiles: tuple[tuple[bytes, bytes | None], ...] | Mapping[Any, Any] = ()

    def __post_init__(self) -> None:
        if self.blob_base_fee is not None:
            checked_quantity(self.blob_base_fee, "overrides.blob_base_fee")
        given = self.precompiles
        where = "overrides.precompiles"
        if not isinstance(given, (Mapping, tuple, list)):
            raise UnusableInput(f"{where}: expected a mapping, got {type(given).__name__}")
        pairs = given.items() if isinstance(given, Mapping) else given
        read = tuple(
            (to_address(address, where), None if origin is None else to_address(origin, where))
            for address, origin in pairs
        )
        if len({address for address, _ in read}) != len(read):
            raise UnusableInput(f"{where}: an address is there twice")
        object.__setattr__(self, "precompiles", read)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A block's header, and the three things around it that an execution needs: fork, chain and older block hashes.

    The fields of the hash are the chain's, in its order; those from `base_fee_per_gas` on are None before their fork.
    Not part of the hash:
    fork            whose rules hold: a mainnet name ("London") or a test name ("EIP158"), in any case
    chain_id        1 is mainnet; below 2^256
    block_hashes    number -> 32 bytes, for BLOCKHASH. A mapping's items are copied when the header is made: it holds a
                    BlockHashes, which can't be changed and other headers may share
    blob_schedule   (target, max, update fraction), in place of the fork's own
    overrides       what a simulation has otherwise; None: nothing
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
    block_access_list_hash: bytes | None = None
    slot_number: int | None = None
    fork: str = NEWEST_FORK
    chain_id: int = 1
    block_hashes: Mapping[int, bytes] = field(default_factory=lambda: _NO_BLOCK_HASHES, hash=False, repr=False)
    blob_schedule: tuple[int, int, int] | None = None
    overrides: Overrides | None = None

    def __post_init__(self) -> None:
        for position, (name, _, bits, size, _) in enumerate(_HEADER_FIELDS):
            value = getattr(self, name)
            if value is None and position >= _FIRST_OPTIONAL:
                continue
            if bits is not None:
                if type(value) is not int or value < 0 or value.bit_length() > bits:
                    object.__setattr__(self, name, checked_quantity(value, f"header.{name}", bits))
            elif type(value) is not bytes or (size is not None and len(value) != size):
                read = data if isinstance(value, str) else checked_bytes
                object.__setattr__(self, name, read(value, f"header.{name}", size))
        if type(self.chain_id) is not int or not 0 <= self.chain_id < 1 << 256:
            object.__setattr__(self, "chain_id", checked_quantity(self.chain_id, "header.chain_id", 256))
        self._check_surroundings()

    def _check_surroundings(self) -> None:
        """What is around the hash: a fork that there is, hashes by number, a blob schedule of three numbers."""
        from ._core import fork_index

        if not isinstance(self.fork, str):
            raise UnusableInput(f"header.fork: {shown(self.fork)} is not the name of a fork")
        try:
            fork_index(self.fork)
        except ValueError as error:
            raise UnusableInput(f"header.fork: {error}") from None
        if type(self.block_hashes) is not BlockHashes:
            try:
                object.__setattr__(self, "block_hashes", BlockHashes(self.block_hashes))
            except UnusableInput as error:
                raise UnusableInput(f"header.{error}") from None
        if self.blob_schedule is not None:
            schedule = self.blob_schedule
            if not isinstance(schedule, (tuple, list)) or len(schedule) != 3:
                raise UnusableInput(f"header.blob_schedule: {shown(schedule)} is not (target, max, update fraction)")
            numbers = tuple(checked_quantity(number, "header.blob_schedule", 63) for number in schedule)
            object.__setattr__(self, "blob_schedule", numbers)

        if self.overrides is not None and not isinstance(self.overrides, Overrides):
            raise UnusableInput(f"header.overrides: expected Overrides, got {type(self.overrides).__name__}")

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore_header, (type(self), {member.name: getattr(self, member.name) for member in fields(self)})

    def __repr__(self) -> str:
        return short_repr(self)

    @property
    def prev_randao(self) -> bytes:
        """The beacon chain's randomness, which took the mix hash's place with Paris (EIP-4399)."""
        return self.mix_hash

    @property
    def hash(self) -> bytes:
        """keccak-256 of the encoded header: the block's hash."""
        return keccak256(self.encode())

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
        return cls.from_rlp(rlp.decode(data(encoded, "header"), "header"), "header", fork=fork, chain_id=chain_id)

    @classmethod
    def from_rlp(cls, item: rlp.Item, where: str = "header", **around: Any) -> Header:
        """From decoded RLP; `around` is what is not part of the hash."""
        items = rlp.to_list(item, where, _FIRST_OPTIONAL, len(_HEADER_FIELDS))
        values: dict[str, Any] = {}
        for part, (name, _, bits, size, _) in zip(items, _HEADER_FIELDS):
            full_name = f"{where}.{name}"
            values[name] = rlp.to_bytes(part, full_name, size) if bits is None else rlp.to_number(part, full_name, bits)
        return cls(**values, **around)

    @classmethod
    def from_json(
        cls, value: Mapping[str, Any], *, fork: str = NEWEST_FORK, chain_id: int = 1, **around: Any
    ) -> Header:
        """From JSON-RPC's names (`miner`, `sha3Uncles` …); what is not part of a header is passed over."""
        values: dict[str, Any] = {}
        for position, (name, json_name, bits, size, _) in enumerate(_HEADER_FIELDS):
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
        for name, json_name, bits, *_ in _HEADER_FIELDS:
            value = getattr(self, name)
            if value is not None:
                members[json_name] = to_hex(value) if bits is None else to_quantity_hex(value)
        return members


def _restore_header(kind: type[Header], values: dict[str, Any]) -> Header:
    """What a pickle holds: checked as any header's fields are."""
    return kind(**values)
