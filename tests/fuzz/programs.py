"""What the fuzzer's bytes mean: a fork, a small world with three contracts, and a block of transactions at them.

`check` runs the block in order, a part of the cases also with two workers or with a tracer. All of that has to come out the
same, and nothing may raise but a refusal with its reason. Bytes of any sort make a case: every choice is taken from one byte, modulo its range.
"""

from __future__ import annotations

import io
from functools import cache
from random import Random
from typing import Any

from differential.programs import SHARED_INITS, Writer, program
from differential.scenarios import (
    BEACON_ROOTS,
    BEACON_ROOTS_CODE,
    CONSOLIDATIONS,
    HISTORY,
    HISTORY_CODE,
    KEYS,
    WITHDRAWALS,
    address_of,
    sign_authorization,
)

from evmcore import (
    FORKS,
    Block,
    Header,
    InvalidBlock,
    InvalidTransaction,
    State,
    Transaction,
    Withdrawal,
    execute_block,
    transact,
)
from evmcore._core import fork_rules
from evmcore.tracing import Eip3155

CONTRACTS = [bytes([0xC0 + n]) * 20 for n in range(3)]
SENDERS = [address_of(key) for key in KEYS[:3]]
COINBASE = bytes([0xCB]) * 20
PRECOMPILES = [number.to_bytes(20, "big") for number in (*range(1, 0x12), 0x100)]
RECEIVERS = [*CONTRACTS, *CONTRACTS, *SENDERS, COINBASE, *PRECOMPILES, None]
DELEGATES = [*CONTRACTS, bytes(20), PRECOMPILES[0], SENDERS[0]]
# Enough for a few calls and creations, little enough that thousands of cases run in a second.
GAS = (60_000, 120_000, 250_000, 500_000)
VALUES = (0, 0, 1, 10**9, 10**18)
MOST_TRANSACTIONS = 4
# How cases are run once more. Most are not: new cases reach more than old ones run again.
WAYS = ("two workers", "two workers", "traced", None, None, None, None, None)
# What BLOCKHASH finds, as far as blocks go back here.
OLD_HASHES = {number: bytes(32) for start in (1, 300, 20_000_000) for number in range(max(0, start - 256), start)}


class Bytes:
    """The input, taken from the front; beyond its end there are zeros."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]

    def below(self, limit: int) -> int:
        return int.from_bytes(self.take(1), "big") % limit

    def one_of(self, choices: Any) -> Any:
        return choices[self.below(len(choices))]

    def program(self) -> bytes:
        return self.take(2 * self.below(256))

    def rest(self) -> bytes:
        return self.data[self.at :]


class Written(Bytes):
    """The other way round: choices are random, programs are given, and `data` becomes the input that means them."""

    def __init__(self, random: Random, programs: list[bytes]) -> None:
        super().__init__(b"")
        self.random = random
        self.programs = programs

    def take(self, count: int) -> bytes:
        self.data += self.random.randbytes(count)
        return super().take(count)

    def program(self) -> bytes:
        code = self.programs.pop()[:510]
        self.data += bytes([(len(code) + 1) // 2]) + code + bytes(len(code) % 2)
        self.at = len(self.data)
        return code

    def rest(self) -> bytes:
        self.data += self.programs[0]
        return self.programs[0]


@cache
def authorization(signer: int, chain: int, to: bytes, nonce: int) -> tuple[int, bytes, int, int, int, int]:
    return sign_authorization(KEYS[signer], chain, to, nonce)


def transaction(given: Bytes, rules: dict[str, Any], nonces: dict[bytes, int]) -> Transaction:
    sender = given.one_of(SENDERS)
    types = rules["transaction_types"]
    fields: dict[str, Any] = {
        "type": given.one_of(types),
        "sender": sender,
        "nonce": nonces[sender],
        "to": given.one_of(RECEIVERS),
        "gas_limit": given.one_of(GAS),
        "value": given.one_of(VALUES),
    }
    fields["gas_price" if fields["type"] < 2 else "max_fee_per_gas"] = 10
    if fields["type"] == 3:
        fields["max_fee_per_blob_gas"] = 10**9
        fields["blob_versioned_hashes"] = [b"\1" * 32] * given.below(8)
    if fields["type"] == 4:
        fields["authorization_list"] = [
            authorization(given.below(3), given.below(3), given.one_of(DELEGATES), given.below(4))
            for _ in range(given.below(3))
        ]
    if fields["type"] >= 1 and given.below(2):
        fields["access_list"] = [(given.one_of(CONTRACTS), [given.below(3)]) for _ in range(given.below(3))]
    fields["data"] = given.program() if fields["to"] is None else given.take(given.below(256))
    nonces[sender] += 1
    return Transaction(**fields)


def case(given: Bytes) -> tuple[Block, State, str | None]:
    """The block, the state that it runs on, and how it is to be run once more."""
    fork = given.one_of(FORKS).mainnet_name
    rules = fork_rules(fork)
    again = given.one_of(WAYS)
    accounts: dict[bytes, dict[str, Any]] = {address: {"balance": 10**20} for address in SENDERS}
    if rules["has_beacon_root"]:
        accounts[BEACON_ROOTS] = {"nonce": 1, "code": BEACON_ROOTS_CODE}
    if rules["stores_parent_hash"]:
        accounts[HISTORY] = {"nonce": 1, "code": HISTORY_CODE}
    nonces = dict.fromkeys(SENDERS, 0)
    if rules["has_requests"]:
        accounts[WITHDRAWALS] = accounts[CONSOLIDATIONS] = {"nonce": 1, "code": b"\0"}
        if given.below(4) == 0:
            accounts[SENDERS[1]].update(nonce=1, code=b"\xef\x01\x00" + given.one_of(DELEGATES))
            nonces[SENDERS[1]] = 1
    header = Header(
        number=given.one_of((1, 300, 20_000_000)),
        gas_limit=30_000_000,
        timestamp=1000,
        coinbase=given.one_of((COINBASE, SENDERS[0], CONTRACTS[0], PRECOMPILES[2])),
        base_fee_per_gas=7 if rules["has_base_fee"] else None,
        excess_blob_gas=0 if rules["has_blobs"] else None,
        parent_beacon_block_root=bytes(32) if rules["has_beacon_root"] else None,
        fork=fork,
        block_hashes=OLD_HASHES,
        parent_hash=bytes(32),
    )
    withdrawals = (Withdrawal(1, 2, given.one_of(CONTRACTS), given.below(2)),) if rules["has_withdrawals"] else None
    for address in CONTRACTS[1:]:
        accounts[address] = contract(given.below(3), given.program())
    transactions = tuple(transaction(given, rules, nonces) for _ in range(1 + given.below(MOST_TRANSACTIONS)))
    # Last, so that it may be of any length.
    accounts[CONTRACTS[0]] = contract(given.below(3), given.rest())
    return Block(header, transactions, (), withdrawals), State(accounts), again


def contract(balance: int, code: bytes) -> dict[str, Any]:
    return {"nonce": 1, "balance": balance, "code": code, "storage": {0: 1, 1: 2}}


def outcome(block: Block, state: State, **how: Any) -> Any:
    """What a block came to: its result, or the reason why it is refused."""
    try:
        return execute_block(block, state.copy(), **how)
    except InvalidTransaction as error:
        return error.status, error.index
    except InvalidBlock as error:
        return error.status


def check(data: bytes) -> None:
    """Run a case; what goes wrong, or comes out otherwise in another way, raises."""
    block, state, again = case(Bytes(data))
    before = state.root()
    expected = outcome(block, state, workers=1)
    if again == "two workers":
        found = outcome(block, state, workers=2, strategy="optimistic")
        assert type(found) is type(expected), f"{found} in place of {expected}"
        assert found == expected, f"two workers differ: {found} in place of {expected}"
    elif again == "traced":
        check_traced(block, state)
    assert state.root() == before, "the state has changed"


def check_traced(block: Block, state: State) -> None:
    """One transaction after the other, with a tracer and without."""
    plain, traced = state.copy(), state.copy()
    for tx in block.transactions:
        receipts = []
        for on, tracer in ((plain, None), (traced, Eip3155(io.StringIO()))):
            try:
                receipts.append(transact(tx, on, block.header, tracer=tracer))
            except InvalidTransaction as error:
                receipts.append(error.status)
        assert receipts[0] == receipts[1], "a tracer changes the receipt"
        assert plain.root() == traced.root(), "a tracer changes the state"


def sound_inputs(count: int) -> list[bytes]:
    """Inputs with programs that get somewhere, for the fuzzer to change; the same ones each time."""
    random = Random(1)
    targets = [*CONTRACTS, *SENDERS, *PRECOMPILES[:4]]
    inputs = []
    for _ in range(count):
        fork = random.randrange(len(FORKS))
        inits = random.sample(SHARED_INITS, 2)
        programs = [program(random, fork, targets, inits=inits) for _ in range(3)]
        programs += [Writer(random, fork, targets, 1, inits).init_code() for _ in range(MOST_TRANSACTIONS)]
        # Taken from the end: the second and third contract's, then those of creations; the first is the rest.
        written = Written(random, [programs[0], *programs[3:], *programs[1:3]])
        case(written)
        inputs.append(written.data)
    return inputs
