"""The law of the parallel floor, and nothing else: however many workers and whatever strategy, the sequential result."""

from __future__ import annotations

import pickle
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from differential import subject
from differential.scenarios import FORKS, KEYS, address_of, make_case, sign_authorization
from hard_blocks import MAKER, create2_address
from helpers import ALICE, BOB, COINBASE, CONTRACT, ETHER, OTHER, assert_parallel_is_sequential, header

from evmcore import Block, BlockResult, InvalidTransaction, State, Transaction, assemble, auto_history, execute_block
from evmcore._core import ScheduleFuzzer, fork_rules

SENDERS = [bytes([1, n]) * 10 for n in range(20)]


def block_of(transactions, fork="Cancun", **changes) -> Block:
    withdrawals = () if fork_rules(fork)["has_withdrawals"] else None
    return Block(header(fork=fork, **changes), transactions, (), withdrawals)


def sent(sender: bytes, to: bytes | None, nonce: int = 0, **fields) -> Transaction:
    return Transaction(**{"to": to, "nonce": nonce, "gas_limit": 200_000, "sender": sender, "gas_price": 1, **fields})


def world(codes: dict[bytes, str] | None = None, balance: int = ETHER) -> State:
    state = State({sender: {"balance": balance} for sender in SENDERS})
    for address, text in (codes or {}).items():
        state.set_code(address, assemble(text))
        state.set_nonce(address, 1)
    return state


COUNTER = "PUSH1 0 SLOAD PUSH1 1 ADD PUSH1 0 SSTORE"
OWN_SLOT = "PUSH1 1 CALLER SSTORE"
# A token: slot `account` holds its balance; moves 5 from the caller to the account in the input, if there are 5.
TOKEN = """
    CALLER SLOAD DUP1 PUSH1 5 GT PUSH @poor JUMPI
    PUSH1 5 SWAP1 SUB CALLER SSTORE
    PUSH1 0 CALLDATALOAD SLOAD PUSH1 5 ADD PUSH1 0 CALLDATALOAD SSTORE
    CALLER PUSH1 0 CALLDATALOAD PUSH1 0 PUSH1 0 LOG2 STOP
poor:
    PUSH1 0 PUSH1 0 REVERT
"""
# A pool: price and liquidity in one slot each, both read and written by every swap.
POOL = "PUSH1 0 SLOAD PUSH1 3 MUL PUSH1 7 ADD PUSH1 0 SSTORE PUSH1 1 SLOAD CALLER XOR PUSH1 1 SSTORE PUSH1 0 SLOAD PUSH1 0 MSTORE PUSH1 32 PUSH1 0 RETURN"
READS_COINBASE = "COINBASE BALANCE PUSH1 0 SSTORE"


def as_word(address: bytes) -> bytes:
    return address.rjust(32, b"\0")


def independent() -> tuple[list, State]:
    return [sent(sender, bytes([9, n]) * 10, value=n) for n, sender in enumerate(SENDERS)], world()


def to_one() -> tuple[list, State]:
    return [sent(sender, BOB, value=1) for sender in SENDERS], world()


def one_sender() -> tuple[list, State]:
    return [sent(SENDERS[0], bytes([9, n]) * 10, nonce=n, value=1) for n in range(30)], world()


def chain_of_gifts() -> tuple[list, State]:
    """Each can pay only out of what the one before gave."""
    state = State({SENDERS[0]: {"balance": 10**9}})
    left, transactions = 10**9, []
    for giver, taker in pairwise(SENDERS):
        left -= 21_000
        transactions.append(sent(giver, taker, value=left, gas_limit=21_000))
    return transactions, state


def counter() -> tuple[list, State]:
    return [sent(sender, CONTRACT) for sender in SENDERS], world({CONTRACT: COUNTER})


def own_slots() -> tuple[list, State]:
    return [sent(sender, CONTRACT) for sender in SENDERS], world({CONTRACT: OWN_SLOT})


def token() -> tuple[list, State]:
    state = world({CONTRACT: TOKEN})
    for n, sender in enumerate(SENDERS):
        state.set_storage(CONTRACT, int.from_bytes(sender, "big"), n % 4 * 3)
    return [sent(sender, CONTRACT, data=as_word(SENDERS[(n * 7 + 1) % 20])) for n, sender in enumerate(SENDERS)], state


def pools() -> tuple[list, State]:
    return [sent(sender, [CONTRACT, OTHER][n % 2]) for n, sender in enumerate(SENDERS)], world(
        {CONTRACT: POOL, OTHER: POOL}
    )


def beneficiary_in_every_role() -> tuple[list, State]:
    state = world({CONTRACT: READS_COINBASE})
    state.set_balance(COINBASE, 10**6)
    transactions = []
    for n, sender in enumerate(SENDERS[:15]):
        transactions.append(sent(sender, [COINBASE, CONTRACT, BOB][n % 3], value=0 if n % 3 == 1 else 5))
        if n % 5 == 4:
            transactions.append(sent(COINBASE, BOB, nonce=n // 5, value=10, gas_limit=21_000))
    return transactions, state


def beneficiary_is_a_contract() -> tuple[list, State]:
    return [sent(sender, COINBASE, value=1) for sender in SENDERS], world({COINBASE: "SELFBALANCE PUSH1 0 SSTORE"})


def create_and_destroy() -> tuple[list, State]:
    """A factory makes the same child again and again; others destroy it in between."""
    child = assemble("PUSH1 0 SELFDESTRUCT")
    init = assemble(f"PUSH2 0x{child.hex()[:4]} PUSH1 0 MSTORE PUSH1 {len(child)} PUSH1 30 RETURN")
    factory = f"PUSH32 0x{init.ljust(32, bytes(1)).hex()} PUSH1 0 MSTORE PUSH1 0 PUSH1 {len(init)} PUSH1 0 PUSH1 0 CREATE2 PUSH1 0 SSTORE"
    calls = f"PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH20 0x{CONTRACT.hex()} GAS CALL POP"
    destroy = f"{calls} PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 1 PUSH1 0 SLOAD GAS CALL"
    state = world({CONTRACT: factory, OTHER: destroy})
    state.set_balance(OTHER, 100)
    return [sent(sender, [CONTRACT, OTHER][n % 2], gas_limit=500_000) for n, sender in enumerate(SENDERS)], state


def delegations() -> tuple[list, State]:
    """Accounts are delegated, delegated anew and cleared, and called in between."""
    state = world({CONTRACT: COUNTER, OTHER: OWN_SLOT})
    authorities = [address_of(key) for key in KEYS[:2]]
    transactions, nonces = [], [0, 0]
    for n, sender in enumerate(SENDERS):
        at = n // 2 % 2
        if n % 2:
            transactions.append(sent(sender, authorities[at], gas_limit=100_000))
        else:
            target = [CONTRACT, OTHER, bytes(20)][n // 4 % 3]
            authorization = sign_authorization(KEYS[at], 1, target, nonces[at])
            nonces[at] += 1
            transactions.append(
                sent(
                    sender,
                    authorities[1 - at],
                    type=4,
                    gas_price=None,
                    max_fee_per_gas=1,
                    authorization_list=[authorization],
                )
            )
    state.set_code(bytes.fromhex("00000961ef480eb55e80d19ad83579a64c007002"), b"\0")
    state.set_code(bytes.fromhex("0000bbddc7ce488642fb579f8b00f3a590007251"), b"\0")
    return transactions, state


def empty_touches() -> tuple[list, State]:
    state = world()
    for n in range(10):
        state.set_account(bytes([8, n]) * 10, {})
    return [sent(sender, bytes([8, n % 10]) * 10, value=n % 3) for n, sender in enumerate(SENDERS)], state


BLOCKS = [
    independent, to_one, one_sender, chain_of_gifts, counter, own_slots, token, pools, beneficiary_in_every_role,
    beneficiary_is_a_contract, create_and_destroy, delegations, empty_touches,
]  # fmt: skip


@pytest.mark.parametrize("make", BLOCKS, ids=lambda make: make.__name__)
def test_blocks_that_lean_on_each_other(make):
    fork = {"create_and_destroy": "Shanghai", "delegations": "Prague", "empty_touches": "SpuriousDragon"}.get(
        make.__name__, "Cancun"
    )
    transactions, state = make()
    result = assert_parallel_is_sequential(block_of(transactions, fork=fork), state)
    assert isinstance(result, BlockResult), result
    assert len(result.receipts) == len(transactions)


def test_touches_before_and_after_spurious_dragon():
    for fork in ("TangerineWhistle", "SpuriousDragon", "Byzantium"):
        transactions, state = empty_touches()
        assert_parallel_is_sequential(block_of(transactions, fork=fork, base_fee_per_gas=None), state)


@pytest.mark.parametrize("seed", range(8))
def test_all_of_it_shuffled(seed):
    """Everything in one block, in the order of a seed; the nonces follow the order."""
    random = Random(seed)
    state = world(
        {CONTRACT: random.choice([COUNTER, TOKEN, POOL]), OTHER: random.choice([READS_COINBASE, OWN_SLOT, POOL])}
    )
    state.set_balance(COINBASE, ETHER)
    nonces: dict[bytes, int] = {}
    transactions = []
    for _ in range(60):
        sender = random.choice([*SENDERS[:8], COINBASE])
        to = random.choice([CONTRACT, OTHER, BOB, COINBASE, random.choice(SENDERS), None])
        transactions.append(
            sent(
                sender,
                to,
                nonce=nonces.get(sender, 0),
                value=random.choice([0, 1, 10**15]),
                data=as_word(random.choice(SENDERS)),
                gas_price=random.randrange(3),
            )
        )
        nonces[sender] = nonces.get(sender, 0) + 1
    assert isinstance(assert_parallel_is_sequential(block_of(transactions), state), BlockResult)


@pytest.mark.parametrize("place", [0, 1, 9, 19])
@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": 5},
        {"value": 10 * ETHER},
        {"gas_limit": 20_000},
        {"gas_limit": 40_000_000},
        {"value": ETHER - 200_000 + 1},
    ],
    ids=["nonce", "funds", "intrinsic", "room", "one wei short"],
)
def test_an_invalid_transaction_is_refused_the_same(place, wrong):
    transactions, state = independent()
    transactions[place] = sent(SENDERS[place], BOB, **wrong)
    outcome = assert_parallel_is_sequential(block_of(transactions), state)
    assert isinstance(outcome, tuple)
    assert outcome[2] == place


def test_exactly_enough_and_one_wei_short():
    """The last one pays with what nine others gave it: exactly enough is, one wei less is refused."""
    for missing in (0, 1):
        state = world()
        state.delete_account(ALICE)
        gifts = [sent(sender, ALICE, value=1000) for sender in SENDERS[:9]]
        spends = sent(ALICE, BOB, value=9000 + missing, gas_limit=21_000, gas_price=0)
        outcome = assert_parallel_is_sequential(block_of([*gifts, spends]), state)
        assert isinstance(outcome, BlockResult) == (missing == 0)


def test_the_gas_limit_may_be_exceeded_by_limits_but_not_by_use():
    transactions = [sent(sender, BOB, gas_limit=60_000) for sender in SENDERS]
    fits = assert_parallel_is_sequential(block_of(transactions, gas_limit=21_000 * 19 + 60_000), world())
    assert isinstance(fits, BlockResult)
    refused = assert_parallel_is_sequential(block_of(transactions, gas_limit=21_000 * 19 + 59_999), world())
    assert isinstance(refused, tuple)
    assert refused[2] == 19


@pytest.mark.parametrize("fork", FORKS)
def test_random_blocks(fork):
    """The differential test's blocks; what they may not hold is left out first."""
    for seed in range(900, 912):
        case = make_case(seed, fork)
        state = subject.make_state(case)
        outcome = assert_parallel_is_sequential(
            subject.make_block(case, case.transactions_that_decode()), state, workers=(2, 8)
        )
        assert outcome is not None


def test_more_workers_than_transactions_and_none_at_all():
    assert_parallel_is_sequential(block_of([]), world(), workers=(1, 2, 64))
    assert_parallel_is_sequential(block_of([sent(SENDERS[0], BOB)]), world(), workers=(1, 2, 64))


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"workers": -1}, {"workers": "2"}, {"strategy": "fast"}])
def test_options_that_make_no_sense_are_named(wrong):
    from evmcore import execute_block

    with pytest.raises(ValueError, match=next(iter(wrong))):
        execute_block(block_of([]), world(), **wrong)


# ---------------------------------------------------------------- what a run tells


def test_what_a_run_tells_of_itself():
    """Counts that have to agree with each other, and times of what was done, when it was done."""
    transactions, state = own_slots()
    result = execute_block(block_of(transactions), state.copy(), workers=2, strategy="optimistic")
    told = result.statistics
    assert told.executions == len(transactions) + told.aborted
    assert len(told.busy_seconds) == 2
    assert 0 < max(told.busy_seconds) <= told.execute_seconds
    assert told.list_roots_seconds is told.state_root_seconds is None
    assert len(result.receipts_root) == len(result.state_root) == 32
    assert told.list_roots_seconds is None
    later = result.statistics
    assert min(later.list_roots_seconds, later.state_root_seconds) > 0
    assert replace(later, list_roots_seconds=None, state_root_seconds=None) == told
    with pytest.raises(AttributeError):
        told.executions = 0
    assert pickle.loads(pickle.dumps(told)) == told
    alone = execute_block(block_of(transactions), state.copy(), workers=1).statistics
    assert (alone.strategy, alone.workers, alone.executions, alone.aborted) == ("sequential", 1, len(transactions), 0)
    assert (alone.busy_seconds, alone.mismatch, alone.speedup_bound, alone.fetched_keys) == ((), None, None, None)


@pytest.mark.parametrize("seed", range(10))
def test_slots_that_are_counted_up_and_down_merge_instead_of_running_again(seed):
    state = world({CONTRACT: TOKEN})
    for account in (*SENDERS, BOB):
        state.set_storage(CONTRACT, int.from_bytes(account, "big"), 100)
    transactions = [sent(sender, CONTRACT, data=as_word(BOB)) for sender in SENDERS]
    block = block_of([*transactions, sent(SENDERS[0], CONTRACT, 1, data=as_word(SENDERS[1]))])
    alone = state.copy()
    want = execute_block(block, alone, workers=1, strategy="sequential")
    with ScheduleFuzzer(seed, 3, tracking_start=64):
        have = execute_block(block, state, workers=3, strategy="optimistic")
    assert have == want
    assert state.root() == alone.root()
    assert have.statistics.aborted == 0
    assert 0 < have.statistics.rebased_slots <= have.statistics.rebased


def test_a_payment_to_what_a_discarded_run_had_made_is_not_lost():
    """A run that makes an account and is discarded: who paid it meanwhile saw that it was there, and must not rely on that."""
    makers = [bytes([0xFA, k]) * 10 for k in range(6)]
    state = world()
    transactions = []
    for k, maker in enumerate(makers):
        state.set_code(maker, MAKER)
        state.set_nonce(maker, 1)
        closes, makes, pays = (bytes([2, 3 * k + n]) * 10 for n in range(3))
        for sender in (closes, makes, pays):
            state.set_balance(sender, ETHER)
        made = create2_address(maker, 0, b"")
        transactions += [sent(closes, maker), sent(makes, maker, data=b"\1"), sent(pays, made, value=5)]
    for seed in range(20):
        with ScheduleFuzzer(seed, 3):
            assert_parallel_is_sequential(block_of(transactions), state, workers=(3,))


@pytest.mark.parametrize("strategy", ["sequential", "optimistic", "groups", "recorded"])
def test_a_block_that_is_taken_back_leaves_nothing_behind(strategy):
    transactions, state = own_slots()
    before = state.root()
    good = block_of(transactions)
    refused = block_of([*transactions, sent(SENDERS[0], BOB, nonce=9)])
    want = execute_block(good, state.copy(), workers=1, strategy="sequential", record=True)
    given = {"accesses": want.accesses} if strategy == "recorded" else {}
    for _ in range(3):
        snapshot = state.snapshot()
        assert not want.differences(execute_block(good, state, workers=3, strategy=strategy, **given))
        state.revert(snapshot)
        assert state.root() == before
        with pytest.raises(InvalidTransaction):
            execute_block(refused, state, workers=3, strategy="sequential" if given else strategy)
        assert state.root() == before


def test_auto_leaves_a_small_block_to_one_worker_unless_its_senders_are_unknown():
    transactions, state = own_slots()
    few = execute_block(block_of(transactions[:11]), state.copy(), workers=2)
    assert few.statistics.strategy == "sequential"
    signed = [tx.sign(key) for tx, key in zip(transactions, KEYS)]
    rich = State({tx.sender: {"balance": ETHER} for tx in signed})
    recovered = execute_block(block_of([tx.forget_sender() for tx in signed]), rich, workers=2)
    assert recovered.statistics.strategy == "optimistic"
    assert recovered.statistics.recover_seconds > 0


def test_what_auto_has_learnt_can_be_seen_and_forgotten():
    transactions, state = own_slots()
    block = block_of(transactions)
    auto_history(reset=True)
    new = auto_history()
    assert new.aborted_share == 0 < new.seconds_per_gas
    chosen = [execute_block(block, state.copy(), workers=2).statistics.strategy for _ in range(6)]
    learnt = auto_history()
    assert learnt != new
    assert 0 <= learnt.aborted_share <= 1
    execute_block(block, state.copy(), workers=2, strategy="optimistic")
    execute_block(block, state.copy(), workers=2, strategy="sequential")
    assert auto_history(reset=True) == learnt, "blocks that it didn't decide on teach it nothing"
    assert auto_history() == new
    assert execute_block(block, state.copy(), workers=2).statistics.strategy == chosen[0]


# Calls OTHER as often as the gas allows, each time with another number; OTHER destroys itself to the account of that number.
# Before EIP-150 each takes about a hundred gas and makes an account.
DESTROYS_ITSELF_TO_MANY = """
    PUSH1 0
again:
    PUSH1 1 ADD DUP1 PUSH3 0x100000 ADD PUSH1 0 MSTORE
    PUSH1 0 PUSH1 0 PUSH1 32 PUSH1 0 PUSH1 0 PUSH20 0x{other} PUSH2 400 CALL POP
    DUP1 PUSH2 {count} GT PUSH @again JUMPI
"""


@pytest.mark.parametrize("strategy", ["optimistic", "sequential"])
def test_a_block_that_makes_more_accounts_than_its_gas_tells_is_recorded_all_the_same(strategy):
    count = 20_000
    code = DESTROYS_ITSELF_TO_MANY.format(other=OTHER.hex(), count=count)
    state = world({CONTRACT: code, OTHER: "PUSH1 0 CALLDATALOAD SELFDESTRUCT"})
    transactions = [sent(SENDERS[0], CONTRACT, gas_limit=4_000_000), sent(SENDERS[1], BOB, value=1)]
    block = block_of(transactions, fork="Homestead", base_fee_per_gas=None, excess_blob_gas=None)
    sequential = state.copy()
    want = execute_block(block, sequential, workers=1, strategy="sequential", state_roots=False)
    assert len(dict(sequential.items())) > count
    recorded = state.copy()
    have = execute_block(block, recorded, workers=2, strategy=strategy, state_roots=False, record=True)
    assert not want.differences(have)
    assert recorded.root() == sequential.root()
    given = state.copy()
    execute_block(block, given, workers=2, strategy="recorded", state_roots=False, accesses=have.accesses)
    assert given.root() == sequential.root()
