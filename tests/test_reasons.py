"""A transaction that may not be included for two reasons: which is told, and that every strategy tells the same."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from helpers import ETHER, header

from evmcore import Block, BlockAccessList, EvmError, State, Transaction, execute_block, rlp
from evmcore._core import SYSTEM_ADDRESSES

KEYS = {name: bytes(31) + bytes([n]) for n, name in enumerate(("first", "sender", "contract", "poor"), 1)}
ADDRESS = {name: Transaction(to=bytes(20), chain_id=1).sign(key).sender for name, key in KEYS.items()}
GAS_LIMIT = 30_000_000
TARGET = b"\x77" * 20
FIELDS = {"type": 2, "chain_id": 1, "nonce": 5, "gas_limit": 500_000, "to": TARGET, "max_fee_per_gas": 10}
# In go-ethereum's order for Amsterdam: what is wrong, and what it is called.
FAULTS = {
    "NONCE_TOO_HIGH": {"nonce": 6},
    "NONCE_TOO_LOW": {"nonce": 4},
    "GAS_LIMIT_EXCEEDS_MAXIMUM": {"gas_limit": 2**32},
    "SENDER_NOT_EOA": {"key": "contract"},
    "PRIORITY_ABOVE_MAX_FEE": {"max_priority_fee_per_gas": 11},
    "MAX_FEE_BELOW_BASE_FEE": {"max_fee_per_gas": 6},
    "NO_BLOBS": {"type": 3, "blob_versioned_hashes": [], "max_fee_per_blob_gas": 10**9},
    "NO_AUTHORIZATIONS": {"type": 4, "authorization_list": []},
    "INITCODE_TOO_LARGE": {"to": None, "data": bytes(131_073), "gas_limit": 10**7},
    "GAS_ALLOWANCE_EXCEEDED": {"gas_limit": GAS_LIMIT + 1},
    "INSUFFICIENT_FUNDS": {"key": "poor"},
    "INTRINSIC_GAS_TOO_LOW": {"gas_limit": 11_000},
    "FLOOR_GAS_TOO_LOW": {"data": b"\1" * 6000, "gas_limit": 200_000},
}


def world():
    rich = {"balance": ETHER * 10**3}
    state = State(
        {
            ADDRESS["first"]: rich,
            ADDRESS["sender"]: {**rich, "nonce": 5},
            ADDRESS["contract"]: {**rich, "nonce": 5, "code": b"\x60\x00"},
            ADDRESS["poor"]: {"balance": 16, "nonce": 5},
        }
    )
    for name in ("withdrawal", "consolidation", "builder_deposit", "builder_exit"):
        state.set_code(SYSTEM_ADDRESSES[f"{name}_contract"], b"\x00")
    return state


def faulty(*faults):
    """The transaction with them; None where they don't go together."""
    changes = [FAULTS[fault] for fault in faults]
    if len({name for change in changes for name in change}) < sum(map(len, changes)):
        return None
    fields = {**FIELDS, "key": "sender"}
    for change in changes:
        fields.update(change)
    key = fields.pop("key")
    if fields["to"] is None and fields["type"] > 2:
        return None
    return Transaction(**fields).sign(KEYS[key])


def block_of(fork, *transactions):
    first = Transaction(**{**FIELDS, "nonce": 0, "gas_limit": 100_000}).sign(KEYS["first"])
    return Block(header(fork=fork, gas_limit=GAS_LIMIT, base_fee_per_gas=7), (first, *transactions), withdrawals=())


def reason(block, **options):
    with pytest.raises(EvmError) as raised:
        execute_block(block, world(), **options)
    return raised.value.status, str(raised.value)


def list_of(fork):
    """That of the first transaction, and all senders."""
    made = execute_block(block_of(fork), world(), access_list=True).access_list
    items = rlp.decode(made.encode())
    met = {item[0] for item in items}
    more = [[address, [], [], [], [], []] for address in ADDRESS.values() if address not in met]
    return BlockAccessList.decode(rlp.encode(sorted(items + more)))


PAIRS = [pair for pair in permutations(FAULTS, 2) if faulty(*pair) is not None]


def test_of_two_reasons_the_one_that_go_ethereum_looks_at_first_is_told():
    """The fees and what the block has left were looked at before the sender."""
    order = list(FAULTS)
    assert len(PAIRS) > 100
    for fault in FAULTS:
        assert reason(block_of("Amsterdam", faulty(fault)), workers=1)[0] == fault
    for pair in PAIRS:
        assert reason(block_of("Amsterdam", faulty(*pair)), workers=1)[0] == min(pair, key=order.index), pair


@pytest.mark.parametrize("fork", ["Cancun", "Prague", "Amsterdam"])
def test_every_strategy_tells_the_same_reason(fork):
    """With a list, that of a transaction for which the block has no gas left was another: what it has left was looked at last."""
    listed = list_of(fork)
    sound = block_of(fork, faulty())
    accesses = execute_block(sound, world(), strategy="sequential", record=True).accesses
    is_without = {"FLOOR_GAS_TOO_LOW"} if fork == "Cancun" else set()  # no fault there
    for pair in PAIRS:
        if is_without.intersection(pair):
            continue
        block = block_of(fork, faulty(*pair))
        want = reason(block, workers=1, strategy="sequential")
        for strategy in ("optimistic", "groups"):
            assert reason(block, workers=2, strategy=strategy) == want, pair
        assert reason(block, workers=2, strategy="recorded", accesses=accesses) == want, pair
        for workers in (1, 2):
            beside = replace(block, access_list=listed)
            assert reason(beside, workers=workers, strategy="listed") == want, pair
