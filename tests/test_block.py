"""A block around its transactions: system calls, rewards, withdrawals, requests, sums and roots; and blocks that are refused."""

from __future__ import annotations

import pickle
import subprocess
import sys
from hashlib import sha256

import pytest
from differential.scenarios import BEACON_ROOTS, BEACON_ROOTS_CODE, CONSOLIDATIONS, HISTORY, HISTORY_CODE, WITHDRAWALS
from helpers import ALICE, BOB, COINBASE, CONTRACT, ETHER, FORK_NAMES, OTHER, dump, header
from naive import ordered_root, state_root

from evmcore import (
    Block,
    Header,
    InvalidBlock,
    InvalidTransaction,
    MissingState,
    State,
    Transaction,
    Withdrawal,
    assemble,
    execute_block,
    fork_includes,
    keccak256,
    ordered_trie_root,
)
from evmcore._core import SYSTEM_ADDRESSES, fork_rules
from evmcore.chain import Chain

DEPOSITS = bytes.fromhex("00000000219ab540356cbb839cbe05303d7705fa")
DEPOSIT_TOPIC = keccak256(b"DepositEvent(bytes,bytes,bytes,bytes,bytes)")
# Logs its input as a deposit event.
DEPOSIT_CODE = assemble(
    f"CALLDATASIZE PUSH1 0 PUSH1 0 CALLDATACOPY PUSH32 0x{DEPOSIT_TOPIC.hex()} CALLDATASIZE PUSH1 0 LOG1 STOP"
)
LOGS = assemble("CALLER PUSH1 0 MSTORE PUSH1 7 PUSH1 32 PUSH1 0 LOG1 STOP")


def pay(nonce: int = 0, **fields) -> Transaction:
    return Transaction(**{"to": BOB, "nonce": nonce, "value": 1, "gas_limit": 100_000, "sender": ALICE, **fields})


def make_block(*transactions: Transaction, withdrawals=None, ommers=(), **changes) -> Block:
    fork = changes.get("fork", "Cancun")
    if withdrawals is None and fork_rules(fork)["has_withdrawals"]:
        withdrawals = ()
    return Block(header(**{"fork": fork, **changes}), transactions, ommers, withdrawals)


def rich(**accounts) -> State:
    return State({ALICE: {"balance": 100 * ETHER}, **accounts})


def prague_state() -> State:
    return State(
        {
            ALICE: {"balance": 100 * ETHER},
            WITHDRAWALS: {"nonce": 1, "code": b"\0"},
            CONSOLIDATIONS: {"nonce": 1, "code": b"\0"},
            SYSTEM_ADDRESSES["builder_deposit_contract"]: {"nonce": 1, "code": b"\0"},
            SYSTEM_ADDRESSES["builder_exit_contract"]: {"nonce": 1, "code": b"\0"},
        }
    )


# ---------------------------------------------------------------- sums and roots


@pytest.mark.parametrize("fork", FORK_NAMES)
def test_an_empty_block_of_each_fork(fork):
    """It pays the reward and nothing else."""
    state = prague_state()
    before = state.root()
    result = execute_block(make_block(fork=fork), state)
    reward = fork_rules(fork)["block_reward_finney"] * 10**15
    assert (result.gas_used, result.receipts, result.logs_bloom) == (0, (), bytes(256))
    assert result.receipts_root == result.transactions_root == ordered_root([])
    assert state.get_balance(COINBASE) == reward
    assert (state.root() == before) == (reward == 0)
    assert result.state_root == state.root()


def test_rewards_were_lowered_twice_and_ended():
    at = {
        fork: fork_rules(fork)["block_reward_finney"]
        for fork in ("Frontier", "SpuriousDragon", "Byzantium", "Constantinople", "GrayGlacier", "Paris")
    }
    assert at == {
        "Frontier": 5000,
        "SpuriousDragon": 5000,
        "Byzantium": 3000,
        "Constantinople": 2000,
        "GrayGlacier": 2000,
        "Paris": 0,
    }


def test_receipts_add_up():
    state = rich()
    state.set_code(CONTRACT, LOGS)
    block = make_block(
        pay(), pay(1, to=CONTRACT), pay(2, type=2, max_fee_per_gas=0), pay(3, to=CONTRACT, gas_limit=21_001)
    )
    result = execute_block(block, state)
    used = [receipt.gas_used for receipt in result.receipts]
    assert [receipt.cumulative_gas_used for receipt in result.receipts] == [sum(used[: n + 1]) for n in range(4)]
    assert result.gas_used == sum(used)
    assert [receipt.status for receipt in result.receipts] == [1, 1, 1, 0]
    assert [len(receipt.logs) for receipt in result.receipts] == [0, 1, 0, 0]
    assert result.receipts_root == ordered_root([receipt.encode() for receipt in result.receipts])
    assert result.transactions_root == ordered_root([tx.encode() for tx in block.transactions])
    assert result.state_root == state_root(dump(state))


def test_the_bloom_has_three_bits_of_address_and_topic():
    """Yellow Paper 4.4.1."""
    state = rich()
    state.set_code(CONTRACT, LOGS)
    result = execute_block(make_block(pay(to=CONTRACT)), state)
    bits = set()
    for item in (CONTRACT, (7).to_bytes(32, "big")):
        digest = keccak256(item)
        bits |= {int.from_bytes(digest[at : at + 2], "big") % 2048 for at in (0, 2, 4)}
    assert int.from_bytes(result.logs_bloom, "big") == sum(1 << bit for bit in bits)
    assert result.receipts[0].logs_bloom == result.logs_bloom


def test_before_byzantium_each_receipt_has_the_root_of_its_moment():
    state = rich()
    mirror = rich()
    result = execute_block(make_block(pay(), pay(1), fork="Homestead"), state)
    for nonce, receipt in enumerate(result.receipts):
        mirror.set_nonce(ALICE, nonce + 1)
        mirror.set_balance(ALICE, 100 * ETHER - nonce - 1)
        mirror.set_balance(BOB, nonce + 1)
        mirror.set_balance(COINBASE, 0)
        assert (receipt.status, receipt.state_root) == (None, mirror.root())


def test_without_state_roots_there_is_no_receipts_root_before_byzantium():
    result = execute_block(make_block(pay(), fork="Homestead"), rich(), state_roots=False)
    assert result.receipts_root is None
    assert result.receipts[0].gas_used == 21_000


def test_results_compare_by_what_came_out():
    one = execute_block(make_block(pay()), rich())
    two = execute_block(make_block(pay()), rich())
    other = execute_block(make_block(pay(value=2)), rich())
    assert one == two
    assert other.differences(one) == ["transactions_root", "state_root"]


# ---------------------------------------------------------------- before and after the transactions


def test_ommers_and_who_includes_them_are_rewarded():
    """Yellow Paper 11.3: (8 - age) eighths for an ommer, a 32nd each for the includer."""
    state = State()
    ommers = [Header(coinbase=ALICE, number=999), Header(coinbase=BOB, number=994)]
    execute_block(make_block(fork="Constantinople", ommers=ommers), state)
    two = 2 * ETHER
    assert state.get_balance(ALICE) == two * 7 // 8
    assert state.get_balance(BOB) == two * 2 // 8
    assert state.get_balance(COINBASE) == two + 2 * two // 32


@pytest.mark.parametrize("age", [0, 9, -1])
def test_an_ommer_too_old_or_too_young_is_refused(age):
    block = make_block(fork="London", ommers=[Header(coinbase=ALICE, number=1000 - age)])
    with pytest.raises(InvalidBlock):
        execute_block(block, State())


def test_withdrawals_are_credited_in_gwei():
    """EIP-4895."""
    withdrawals = (Withdrawal(0, 1, BOB, 3), Withdrawal(1, 1, BOB, 4), Withdrawal(2, 1, OTHER, 0))
    state = State()
    result = execute_block(make_block(withdrawals=withdrawals, fork="Shanghai"), state)
    assert state.get_balance(BOB) == 7 * 10**9
    assert not state.exists(OTHER)
    assert result.withdrawals_root == ordered_root([withdrawal.encode() for withdrawal in withdrawals])


def test_the_beacon_root_is_stored_in_its_ring():
    """EIP-4788: timestamp and root, 8,191 slots each."""
    state = State({BEACON_ROOTS: {"nonce": 1, "code": BEACON_ROOTS_CODE}})
    execute_block(make_block(fork="Cancun", timestamp=1_700_000_000, parent_beacon_block_root=b"\x0b" * 32), state)
    place = 1_700_000_000 % 8191
    assert state.storage(BEACON_ROOTS) == {place: 1_700_000_000, place + 8191: int.from_bytes(b"\x0b" * 32, "big")}


def test_the_parent_hash_is_stored_in_its_ring():
    """EIP-2935."""
    state = prague_state()
    state.set_code(HISTORY, HISTORY_CODE)
    execute_block(make_block(fork="Prague", number=9000, parent_hash=b"\x0c" * 32), state)
    assert state.storage(HISTORY) == {8999 % 8191: int.from_bytes(b"\x0c" * 32, "big")}


def test_a_system_call_without_a_contract_is_nothing():
    state = State()
    execute_block(make_block(fork="Cancun", parent_beacon_block_root=b"\x0b" * 32), state)
    assert len(state) == 0


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (b"", "BLOCK_SYSTEM_CONTRACT_EMPTY"),
        (assemble("PUSH1 0 PUSH1 0 REVERT"), "BLOCK_SYSTEM_CALL_FAILED"),
        (b"\xfe", "BLOCK_SYSTEM_CALL_FAILED"),
    ],
)
def test_a_request_contract_has_to_be_there_and_to_succeed(code, status):
    """EIP-7002, EIP-7251."""
    state = prague_state()
    state.set_code(CONSOLIDATIONS, code)
    before = state.root()
    with pytest.raises(InvalidBlock) as caught:
        execute_block(make_block(pay(), fork="Prague"), state)
    assert (caught.value.status, state.root()) == (status, before)


def test_requests_have_their_type_and_their_hash():
    """EIP-7685: empty ones are left out."""
    state = prague_state()
    state.set_code(WITHDRAWALS, assemble("PUSH1 9 PUSH1 0 MSTORE8 PUSH1 1 PUSH1 0 RETURN"))
    result = execute_block(make_block(fork="Prague"), state)
    assert result.requests == (b"\x01\x09",)
    assert result.requests_hash == sha256(sha256(b"\x01\x09").digest()).digest()
    empty = execute_block(make_block(fork="Prague"), prague_state())
    assert (empty.requests, empty.requests_hash) == ((), sha256(b"").digest())
    assert execute_block(make_block(fork="Cancun"), State()).requests is None


def deposit_event(fields: list[bytes]) -> bytes:
    """The event's data as Solidity packs five `bytes`."""
    head, tail = b"", b""
    for field in fields:
        head += (160 + len(tail)).to_bytes(32, "big")
        tail += len(field).to_bytes(32, "big") + field + bytes(-len(field) % 32)
    return head + tail


DEPOSIT = [b"\x01" * 48, b"\x02" * 32, b"\x03" * 8, b"\x04" * 96, b"\x05" * 8]


def test_deposits_are_read_out_of_the_logs():
    """EIP-6110."""
    state = prague_state()
    state.set_code(DEPOSITS, DEPOSIT_CODE)
    state.set_code(CONTRACT, DEPOSIT_CODE)
    data = deposit_event(DEPOSIT)
    assert len(data) == 576
    block = make_block(
        *(pay(nonce, to=to, data=data, value=0) for nonce, to in enumerate((DEPOSITS, CONTRACT, DEPOSITS))),
        fork="Prague",
    )
    result = execute_block(block, state)
    assert result.requests == (b"\0" + b"".join(DEPOSIT) * 2,)


@pytest.mark.parametrize(
    "data",
    [
        deposit_event([*DEPOSIT[:4], b"\x05" * 40]),
        deposit_event([b"\x01" * 47, *DEPOSIT[1:]]),
        deposit_event(DEPOSIT)[:-1],
        b"",
        (192).to_bytes(32, "big") + deposit_event(DEPOSIT)[32:],
    ],
    ids=["a field too long", "a field too short", "cut off", "nothing", "another offset"],
)
def test_a_deposit_of_another_layout_refuses_the_block(data):
    state = prague_state()
    state.set_code(DEPOSITS, DEPOSIT_CODE)
    before = state.root()
    with pytest.raises(InvalidBlock) as caught:
        execute_block(make_block(pay(to=DEPOSITS, data=data, value=0), fork="Prague"), state)
    assert (caught.value.status, state.root()) == ("BLOCK_DEPOSIT_LAYOUT", before)


@pytest.mark.parametrize(
    ("chain_id", "address"),
    [
        (11_155_111, "7f02c3e3c98b133055b8b348b2ac625669ed295d"),  # Sepolia
        (17_000, "42" * 20),  # Holesky
        (560_048, DEPOSITS.hex()),
        (2**64 - 1, DEPOSITS.hex()),
    ],
)
def test_test_networks_have_deposit_contracts_of_their_own(chain_id, address):
    for there in {address, DEPOSITS.hex()}:
        state = prague_state()
        state.set_code(bytes.fromhex(there), DEPOSIT_CODE)
        transaction = pay(to=bytes.fromhex(there), data=deposit_event(DEPOSIT), value=0)
        result = execute_block(make_block(transaction, fork="Prague", chain_id=chain_id), state)
        assert result.requests == ((b"\0" + b"".join(DEPOSIT),) if there == address else ())
        assert result.deposits == (b"".join(DEPOSIT) if there == address else b"")


@pytest.mark.parametrize("size", [576, 575])
def test_in_amsterdam_a_deposit_s_fields_are_where_they_are_and_its_size_alone_counts(size):
    """As go-ethereum reads them, which has computed that fork's fixtures."""
    state = prague_state()
    state.set_code(DEPOSITS, DEPOSIT_CODE)
    data = ((192).to_bytes(32, "big") + deposit_event(DEPOSIT)[32:])[:size]
    transaction = pay(to=DEPOSITS, data=data, value=0)
    if size == 576:
        assert execute_block(make_block(transaction, fork="Amsterdam"), state).requests == (b"\0" + b"".join(DEPOSIT),)
    else:
        with pytest.raises(InvalidBlock, match="deposit layout"):
            execute_block(make_block(transaction, fork="Amsterdam"), state)


# ---------------------------------------------------------------- refused blocks


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("bad", "status"),
    [
        (pay(7), "NONCE_TOO_HIGH"),
        (pay(0), "NONCE_TOO_LOW"),
        (pay(2, value=1000 * ETHER), "INSUFFICIENT_FUNDS"),
        (pay(2, gas_limit=29_990_000), "GAS_ALLOWANCE_EXCEEDED"),
        (pay(2, gas_limit=20_000), "INTRINSIC_GAS_TOO_LOW"),
        (pay(2, sender=None, v=27, r=0, s=0), "INVALID_SIGNATURE"),
    ],
)
def test_an_invalid_transaction_refuses_the_block_and_leaves_the_state(bad, status, workers):
    state = rich()
    before = state.root()
    block = make_block(pay(0), pay(1), bad, pay(3), pay(4))
    with pytest.raises(InvalidTransaction) as caught:
        execute_block(block, state, workers=workers)
    assert (caught.value.status, caught.value.index) == (status, 2)
    assert str(caught.value).startswith("transaction 2: ")
    assert state.root() == before


def test_a_block_may_use_all_its_gas_and_no_more():
    """What counts is what earlier transactions used, and the limit of the one that comes."""
    assert execute_block(make_block(pay(0), pay(1, gas_limit=21_000), gas_limit=121_000), rich()).gas_used == 42_000
    assert execute_block(make_block(pay(0), pay(1, gas_limit=79_000), gas_limit=100_000), rich()).gas_used == 42_000
    with pytest.raises(InvalidTransaction) as caught:
        execute_block(make_block(pay(0), pay(1, gas_limit=79_001), gas_limit=100_000), rich())
    assert (caught.value.status, caught.value.index, caught.value.have, caught.value.want) == (
        "GAS_ALLOWANCE_EXCEEDED",
        1,
        79_001,
        79_000,
    )


def test_blob_gas_of_the_block_is_bounded():
    blob = b"\x01" + bytes(31)
    blobs = [pay(nonce, type=3, max_fee_per_blob_gas=1, blob_versioned_hashes=[blob] * 3) for nonce in range(3)]
    result = execute_block(make_block(*blobs[:2], fork="Cancun"), rich())
    assert result.blob_gas_used == 6 * 131_072
    with pytest.raises(InvalidTransaction) as caught:
        execute_block(make_block(*blobs, fork="Cancun"), rich())
    assert (caught.value.status, caught.value.index) == ("BLOB_GAS_ALLOWANCE_EXCEEDED", 2)


def test_a_strict_state_says_what_the_block_misses_and_stays():
    state = State({ALICE: {"balance": ETHER}, BOB: {}, COINBASE: {}}, strict=True)
    before = state.root()
    for workers in (1, 2):
        with pytest.raises(MissingState) as caught:
            execute_block(make_block(pay(), pay(1, to=OTHER)), state, workers=workers)
        assert (caught.value.address, caught.value.slot, state.root()) == (OTHER, None, before)


def test_a_strict_state_names_a_missing_slot():
    state = State(
        {ALICE: {"balance": ETHER}, BOB: {}, COINBASE: {}, CONTRACT: {"code": assemble("PUSH1 5 SLOAD")}}, strict=True
    )
    with pytest.raises(MissingState) as caught:
        execute_block(make_block(pay(to=CONTRACT)), state)
    assert (caught.value.address, caught.value.slot) == (CONTRACT, 5)


def test_the_block_s_own_state_is_left_alone():
    state = rich()
    block = make_block(pay())
    block.pre_state = state
    execute_block(block, block.pre_state.copy())
    assert state.get_nonce(ALICE) == 0


def test_forks_decide_the_rules_within_one_block():
    for fork in FORK_NAMES:
        program = assemble("PUSH0 STOP")
        state = prague_state()
        state.set_code(CONTRACT, program)
        [receipt] = execute_block(make_block(pay(to=CONTRACT), fork=fork), state).receipts
        assert receipt.is_success == (fork_includes(fork, "Shanghai")), fork


def test_encoded_receipts_are_those_of_the_receipts(blocks, genesis):
    chain = Chain(genesis)
    for encoded in blocks:
        entry = chain.add(encoded)
        block = chain._placed(Block.decode(encoded), entry.parent)
        result = execute_block(block, chain.state_of(entry.parent).copy())
        assert result.encoded_receipts == tuple(receipt.encode() for receipt in result.receipts)
        assert ordered_trie_root(result.encoded_receipts) == block.header.receipts_root
        assert pickle.loads(pickle.dumps(result)).encoded_receipts == result.encoded_receipts


def test_a_first_block_loads_no_module_that_it_has_no_use_for():
    """To import NumPy takes as long as many blocks."""
    program = (
        "import sys; from evmcore import Block, execute_block; from evmcore.example import EXAMPLE_FILE\n"
        "block = Block.load(EXAMPLE_FILE); execute_block(block, block.pre_state, workers=1, strategy='sequential')\n"
        "sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
