"""A case: a state, a block on top of it, and nothing else. Goes to JSON and back, so that one which found a fault is kept."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from evmcore import DecodeError, Header, Transaction, keccak256


@dataclass
class Case:
    """Everything both sides get. Addresses are 20 bytes, accounts are (balance, nonce, code, storage)."""

    fork: str
    number: int = 1000
    timestamp: int = 10_000_000
    gas_limit: int = 30_000_000
    coinbase: bytes = bytes(20)
    difficulty: int = 131_072
    prev_randao: bytes = bytes(32)
    base_fee: int = 7
    excess_blob_gas: int = 0
    beacon_root: bytes = bytes(32)
    slot_number: int = 0
    accounts: dict[bytes, tuple[int, int, bytes, dict[int, int]]] = field(default_factory=dict)
    transactions: list[bytes] = field(default_factory=list)
    withdrawals: list[tuple[int, int, bytes, int]] = field(default_factory=list)
    ommers: list[tuple[bytes, int]] = field(default_factory=list)

    def block_hashes(self) -> dict[int, bytes]:
        """Number to hash, for the 256 blocks before this one."""
        return {n: block_hash(n) for n in range(max(0, self.number - 256), self.number)}

    def header(self, rules: dict[str, Any]) -> Header:
        """The header as evmcore takes it; fields that the fork doesn't have are left out."""
        return Header(
            fork=self.fork,
            number=self.number,
            timestamp=self.timestamp,
            gas_limit=self.gas_limit,
            coinbase=self.coinbase,
            difficulty=0 if rules["is_proof_of_stake"] else self.difficulty,
            mix_hash=self.prev_randao if rules["is_proof_of_stake"] else bytes(32),
            base_fee_per_gas=self.base_fee if rules["has_base_fee"] else None,
            excess_blob_gas=self.excess_blob_gas if rules["has_blobs"] else None,
            parent_beacon_block_root=self.beacon_root if rules["has_beacon_root"] else None,
            slot_number=self.slot_number if rules["has_slot_number"] else None,
            parent_hash=block_hash(self.number - 1),
            block_hashes=self.block_hashes(),
        )

    def transactions_that_decode(self) -> list[bytes]:
        """Those that have a form at all; whether they may be included is another matter."""
        found = []
        for raw in self.transactions:
            with suppress(DecodeError):
                Transaction.decode(raw)
                found.append(raw)
        return found

    def to_json(self) -> dict[str, Any]:
        """Plain JSON: numbers stay numbers, bytes become hex."""
        plain = dict(self.__dict__)
        for name in ("coinbase", "prev_randao", "beacon_root"):
            plain[name] = plain[name].hex()
        plain["accounts"] = {
            address.hex(): [str(balance), nonce, code.hex(), {str(k): str(v) for k, v in storage.items()}]
            for address, (balance, nonce, code, storage) in self.accounts.items()
        }
        plain["transactions"] = [raw.hex() for raw in self.transactions]
        plain["withdrawals"] = [[index, validator, to.hex(), gwei] for index, validator, to, gwei in self.withdrawals]
        plain["ommers"] = [[coinbase.hex(), number] for coinbase, number in self.ommers]
        return plain

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Case:
        values = dict(plain)
        for name in ("coinbase", "prev_randao", "beacon_root"):
            values[name] = bytes.fromhex(values[name])
        values["accounts"] = {
            bytes.fromhex(address): (
                int(balance),
                nonce,
                bytes.fromhex(code),
                {int(k): int(v) for k, v in storage.items()},
            )
            for address, (balance, nonce, code, storage) in plain["accounts"].items()
        }
        values["transactions"] = [bytes.fromhex(raw) for raw in plain["transactions"]]
        values["withdrawals"] = [
            (index, validator, bytes.fromhex(to), gwei) for index, validator, to, gwei in plain["withdrawals"]
        ]
        values["ommers"] = [(bytes.fromhex(coinbase), number) for coinbase, number in plain["ommers"]]
        return cls(**values)


def block_hash(number: int) -> bytes:
    """The hash that block `number` has in all cases."""
    return keccak256(str(number).encode())


@dataclass
class Ran:
    """What came of one transaction. `receipt` is the consensus encoding; `output` is None for a creation."""

    gas_used: int
    gas_refund: int
    output: bytes | None
    receipt: bytes


@dataclass
class Report:
    """What came of a case. An outcome is a Ran, or the reason (a name) why the transaction may not be included."""

    outcomes: list[Ran | str]
    gas_used: int = 0
    blob_gas_used: int = 0
    receipts_root: bytes = b""
    requests: tuple[bytes, ...] = ()
    failure: str | None = None  # the whole block is refused, after its transactions
    state: dict[bytes, tuple[int, int, bytes, dict[int, int]]] = field(default_factory=dict)
    state_root: bytes = b""
    access_list_hash: bytes = b""  # where the fork has block access lists


def differences(want: Report, have: Report) -> list[str]:
    """What differs, in words, the earliest first; empty when all agrees."""
    if want.failure is not None or have.failure is not None:
        return [] if want.failure == have.failure else [f"block: specification {want.failure}, evmcore {have.failure}"]
    found: list[str] = []
    for index, (a, b) in enumerate(zip(want.outcomes, have.outcomes)):
        if isinstance(a, str) or isinstance(b, str):
            if isinstance(a, str) != isinstance(b, str):
                found.append(f"transaction {index}: specification {_short(a)}, evmcore {_short(b)}")
            continue
        for name in ("gas_used", "gas_refund", "output", "receipt"):
            if getattr(a, name) != getattr(b, name):
                found.append(
                    f"transaction {index}: {name}: specification {_show(getattr(a, name))}, evmcore {_show(getattr(b, name))}"
                )
    for name in ("gas_used", "blob_gas_used", "receipts_root", "requests"):
        if getattr(want, name) != getattr(have, name):
            found.append(f"{name}: specification {_show(getattr(want, name))}, evmcore {_show(getattr(have, name))}")
    for address in sorted(want.state.keys() | have.state.keys()):
        a, b = want.state.get(address), have.state.get(address)
        if a != b:
            found.append(f"account {address.hex()}: specification {_show(a)}, evmcore {_show(b)}")
    if want.state_root != have.state_root:
        found.append(f"state root: specification {want.state_root.hex()}, evmcore {have.state_root.hex()}")
    return found


def _short(outcome: Ran | str) -> str:
    return f"refuses it ({outcome})" if isinstance(outcome, str) else f"runs it with {outcome.gas_used} gas"


def _show(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex() or "nothing"
    if isinstance(value, tuple):
        return "(" + ", ".join(_show(item) for item in value) + ")"
    return str(value)
