"""Chains of blocks: which rules hold where, what is imported, what is refused and why, and which branch is the head."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import orjson
import pytest
from chain_builder import SENDER, grow, new_block, new_chain, new_genesis, refused, transfer
from helpers import COINBASE, ETHER, FORK_NAMES, OTHER, shared

from evmcore import FORKS, InvalidBlock, UnusableInput, Withdrawal, keccak256
from evmcore.__main__ import main
from evmcore._core import fork_rules
from evmcore.chain import Chain, Genesis, importer, network_schedule
from evmcore.chain.dao import DAO_ACCOUNTS
from evmcore.chain.genesis import read_config
from evmcore.chain.header_rules import excess_blob_gas
from evmcore.errors import EvmError
from evmcore.header import Header
from evmcore.rlp import encode_list, read_item
from evmcore.tools.importing import _pieces

PARENTS = [(fork.parent, fork.mainnet_name) for fork in FORKS if fork.parent is not None]
CHAIN_HEAD = "0xd226371d0b1551adb03fb52b71f08e3e11247fe9b1af994768af8cdaa8e7dcd7"


# ---------------------------------------------------------------- schedules


@pytest.mark.parametrize(
    ("network", "number", "timestamp", "parent_total_difficulty", "fork"),
    [
        ("Frontier", 10**9, 2**40, 2**70, "Frontier"),
        ("EIP158", 1, 1, 1, "SpuriousDragon"),
        ("ConstantinopleFix", 1, 1, 1, "Petersburg"),
        ("Merge", 1, 1, 0, "Paris"),
        ("Osaka", 1, 1, 0, "Osaka"),
        ("BerlinToLondonAt5", 4, 1, 1, "Berlin"),
        ("BerlinToLondonAt5", 5, 1, 1, "London"),
        ("HomesteadToDaoAt5", 5, 1, 1, "DAOFork"),
        ("ArrowGlacierToParisAtDiffC0000", 9, 1, 0xBFFFF, "ArrowGlacier"),
        ("ArrowGlacierToParisAtDiffC0000", 9, 1, 0xC0000, "Paris"),
        ("CancunToPragueAtTime15k", 9, 14_999, 0, "Cancun"),
        ("CancunToPragueAtTime15k", 9, 15_000, 0, "Prague"),
        ("BPO2ToBPO3AtTime15k", 9, 15_001, 0, "BPO3"),
    ],
)
def test_a_network_says_which_fork_a_block_is_of(network, number, timestamp, parent_total_difficulty, fork):
    assert network_schedule(network).fork_at(number, timestamp, parent_total_difficulty) == fork


def test_an_unknown_network_is_named():
    with pytest.raises(UnusableInput, match="OsakaToNowhereAtTime15k"):
        network_schedule("OsakaToNowhereAtTime15k")


def test_a_fork_without_limits_of_its_own_takes_its_predecessors():
    schedule = network_schedule("Osaka", blob_limits={"Prague": (1, 2, 3)})
    assert schedule.blob_limits_of("Osaka") == (1, 2, 3)
    assert schedule.blob_limits_of("BPO1") is None  # it has its own in forks.def
    assert schedule.blob_limits_of("Cancun") is None


FORK_BLOCKS = {
    "homesteadBlock": 0,
    "eip150Block": 1,
    "eip155Block": 2,
    "eip158Block": 2,
    "byzantiumBlock": 3,
    "constantinopleBlock": 4,
    "petersburgBlock": 4,
    "istanbulBlock": 5,
    "berlinBlock": 6,
    "londonBlock": 7,
}


def test_a_configuration_gives_the_forks_in_order():
    schedule = read_config({**FORK_BLOCKS, "terminalTotalDifficulty": 100, "shanghaiTime": 50, "chainId": 7})
    assert schedule.fork_at(4, 0, 0) == "Petersburg"
    assert schedule.fork_at(9, 60, 99) == "London"
    assert schedule.fork_at(9, 49, 100) == "Paris"
    assert schedule.fork_at(9, 50, 100) == "Shanghai"
    assert schedule.chain_id == 7


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"berlinBlock": 4}, "berlinBlock"),
        ({"istanbulBlock": None}, "istanbulBlock"),
        ({"eip155Block": 1}, "eip155Block"),
        ({"londonBlock": -1}, "londonBlock"),
        ({"londonBlock": "soon"}, "londonBlock"),
        ({"amsterdamTime": 10}, "amsterdamTime"),
        ({"cancunTime": 10}, "cancunTime"),
        ({"blobSchedule": {"cancun": {"target": 3, "max": 6}}}, "baseFeeUpdateFraction"),
        ({"blobSchedule": {"cancun": {"target": 3, "max": 6, "baseFeeUpdateFraction": 0}}}, "cancun"),
    ],
)
def test_a_configuration_that_no_chain_can_have_is_refused_by_name(changes, name):
    with pytest.raises(UnusableInput, match=name):
        read_config({**FORK_BLOCKS, **changes})


@pytest.mark.parametrize(
    "value",
    [{}, {"config": {}}, {"config": {}, "alloc": {"0x12": {}}}, {"config": {}, "alloc": {}, "gasLimit": "x"}, []],
)
def test_a_genesis_that_is_none_is_refused(tmp_path, value):
    path = tmp_path / "genesis.json"
    path.write_bytes(orjson.dumps(value))
    with pytest.raises(UnusableInput, match=r"genesis\.json"):
        Genesis.load(path)


def test_an_excess_of_blob_gas_beyond_any_price_is_refused():
    with pytest.raises(UnusableInput, match="excessBlobGas"):
        new_genesis("Cancun", excess_blob_gas=2**63)
    assert new_genesis("Cancun", excess_blob_gas=2**24).header.excess_blob_gas == 2**24


# ---------------------------------------------------------------- blocks that are right


def is_stake(fork: str) -> bool:
    return fork_rules(fork)["is_proof_of_stake"]


@pytest.mark.parametrize("fork", FORK_NAMES)
def test_a_chain_of_each_fork_grows(fork):
    chain = new_chain(fork)
    made = grow(chain, 3, extra_data=b"dao-hard-fork")
    assert chain.head is made[-1]
    assert [entry.header.fork for entry in made] == [fork] * 3
    assert chain.state_of(chain.head).root() == chain.head.header.state_root
    assert chain.state_of(chain.head).get_nonce(SENDER) == 3


@pytest.mark.parametrize(
    "network",
    [
        *(f"{before}To{after}At3" for before, after in PARENTS if not is_stake(after) and after != "DAOFork"),
        "HomesteadToDaoAt3",
        "GrayGlacierToParisAtDiff50000",
        *(f"{before}To{after}AtTime40" for before, after in PARENTS if is_stake(before)),
    ],
)
def test_a_chain_goes_through_each_transition(network):
    chain = new_chain(network)
    made = grow(chain, 5, extra_data=b"dao-hard-fork")
    forks = [entry.header.fork for entry in made]
    assert len(set(forks)) == 2
    assert chain.head is made[-1]


def test_the_first_block_of_a_fork_counts_its_parents_excess_blob_gas():
    """The executable specification 2.20 answers 0 there; the chain's blocks and the fixtures don't."""
    parent = Header(excess_blob_gas=10 * 2**17, blob_gas_used=6 * 2**17, base_fee_per_gas=7, fork="Prague")
    assert excess_blob_gas(parent, "Osaka", (6, 9, 5007716)) == 10 * 2**17
    # EIP-7918: with a base fee above the reserve price the excess grows by a third of what was used.
    dear = replace(parent, base_fee_per_gas=10**9)
    assert excess_blob_gas(dear, "Osaka", (6, 9, 5007716)) == 12 * 2**17
    assert excess_blob_gas(dear, "Prague", (6, 9, 5007716)) == 10 * 2**17


def test_withdrawals_are_paid():
    chain = new_chain("Shanghai")
    block = new_block(chain, withdrawals=(Withdrawal(0, 1, OTHER, 5), Withdrawal(1, 1, OTHER, 6)))
    chain.add(block.encode())
    assert chain.state_of(chain.head).get_balance(OTHER) == 11 * 10**9


def test_a_block_twice_is_found_not_imported_again():
    chain = new_chain("London")
    encoded = new_block(chain).encode()
    assert chain.add(encoded) is chain.add(encoded)
    assert len(chain.blocks) == 2


def test_the_dao_fork_moves_the_balances_before_its_transactions():
    refund = bytes.fromhex("bf4ed7b27f1d666546e30d74d50d173d20bca754")
    chain = new_chain("HomesteadToDaoAt2", {DAO_ACCOUNTS[3]: {"balance": 30}, DAO_ACCOUNTS[115]: {"balance": 4}})
    assert len(set(DAO_ACCOUNTS)) == 116
    grow(chain, 1)
    assert chain.state_of(chain.head).get_balance(refund) == 0
    grow(chain, 1, extra_data=b"dao-hard-fork")
    assert chain.state_of(chain.head).get_balance(refund) == 34
    assert chain.state_of(chain.head).get_balance(DAO_ACCOUNTS[3]) == 0


def test_the_dao_fork_is_marked_for_ten_blocks():
    chain = new_chain("HomesteadToDaoAt2")
    grow(chain, 1)
    for _ in range(10):
        assert refused(chain, new_block(chain)) == "BLOCK_EXTRA_DATA_DAO"
        grow(chain, 1, extra_data=b"dao-hard-fork")
    grow(chain, 1)
    assert chain.head.number == 12


# ---------------------------------------------------------------- blocks that are refused


@pytest.mark.parametrize(
    ("network", "changes", "status"),
    [
        ("London", {"parent_hash": bytes(32)}, "BLOCK_PARENT_ZERO"),
        ("London", {"parent_hash": b"\1" * 32}, "BLOCK_PARENT_UNKNOWN"),
        ("London", {"number": 2}, "BLOCK_NUMBER"),
        ("London", {"number": 0}, "BLOCK_NUMBER"),
        ("London", {"timestamp": 0}, "BLOCK_TIMESTAMP"),
        ("London", {"extra_data": b"x" * 33}, "BLOCK_EXTRA_DATA_TOO_LONG"),
        ("London", {"gas_limit": 2**63}, "BLOCK_GAS_LIMIT_TOO_HIGH"),
        ("London", {"gas_limit": 30_000_000 + 30_000_000 // 1024}, "BLOCK_GAS_LIMIT"),
        ("London", {"gas_limit": 30_000_000 - 30_000_000 // 1024}, "BLOCK_GAS_LIMIT"),
        ("London", {"gas_used": 30_000_001}, "BLOCK_GAS_USED_ABOVE_LIMIT"),
        ("London", {"base_fee_per_gas": 10}, "BLOCK_BASE_FEE"),
        ("London", {"base_fee_per_gas": None}, "BLOCK_FIELD_MISSING"),
        ("Berlin", {"base_fee_per_gas": 10}, "BLOCK_FIELD_TOO_EARLY"),
        ("London", {"difficulty": 0x20000 - 1}, "BLOCK_DIFFICULTY"),
        ("London", {"difficulty": 0}, "BLOCK_DIFFICULTY"),
        ("GrayGlacierToParisAtDiff80000", {"difficulty": 0}, "BLOCK_BEFORE_PARIS"),
        ("Paris", {"difficulty": 0x20000}, "BLOCK_DIFFICULTY_NOT_ZERO"),
        ("Paris", {"nonce": b"\0" * 7 + b"\1"}, "BLOCK_NONCE_NOT_ZERO"),
        ("Paris", {"ommers_hash": b"\1" * 32}, "BLOCK_OMMERS_NOT_EMPTY"),
        ("Paris", {"withdrawals_root": b"\1" * 32}, "BLOCK_FIELD_TOO_EARLY"),
        ("Cancun", {"excess_blob_gas": 2**17}, "BLOCK_EXCESS_BLOB_GAS"),
        ("Cancun", {"blob_gas_used": 2**17}, "BLOCK_BLOB_GAS_USED"),
        ("Cancun", {"blob_gas_used": 7 * 2**17}, "BLOCK_BLOB_GAS_ABOVE_LIMIT"),
        ("Cancun", {"parent_beacon_block_root": None}, "BLOCK_FIELD_MISSING"),
        ("Cancun", {"requests_hash": bytes(32)}, "BLOCK_FIELD_TOO_EARLY"),
        ("Prague", {"requests_hash": bytes(32)}, "BLOCK_REQUESTS_HASH"),
        ("Shanghai", {"withdrawals_root": b"\1" * 32}, "BLOCK_WITHDRAWALS_ROOT"),
        ("London", {"ommers_hash": b"\1" * 32}, "BLOCK_OMMERS_HASH"),
        ("London", {"transactions_root": b"\1" * 32}, "BLOCK_TRANSACTIONS_ROOT"),
        ("London", {"gas_used": 21_001}, "BLOCK_GAS_USED"),
        ("London", {"logs_bloom": b"\1" + bytes(255)}, "BLOCK_LOGS_BLOOM"),
        ("London", {"receipts_root": b"\1" * 32}, "BLOCK_RECEIPTS_ROOT"),
        ("London", {"state_root": b"\1" * 32}, "BLOCK_STATE_ROOT"),
        ("Frontier", {"state_root": b"\1" * 32}, "BLOCK_STATE_ROOT"),
    ],
)
def test_a_header_that_breaks_one_rule_is_refused_for_it(network, changes, status):
    chain = new_chain(network)
    good = new_block(chain, transactions=(transfer(chain, chain.head),))
    assert refused(chain, good.with_header(**changes)) == status
    chain.add(good.encode())
    assert chain.head.number == 1


def test_a_refusal_says_both_numbers():
    chain = new_chain("London")
    with pytest.raises(InvalidBlock, match="wrong base fee: header has 11 wei, wants 9") as caught:
        chain.add(new_block(chain).with_header(base_fee_per_gas=11).encode())
    assert caught.value.exception == "BlockException.INVALID_BASEFEE_PER_GAS"
    assert (caught.value.have, caught.value.want) == (11, 9)


def test_gas_limits_up_to_their_bounds_are_fine():
    for change in (30_000_000 // 1024 - 1, -(30_000_000 // 1024 - 1)):
        chain = new_chain("London")
        chain.add(new_block(chain, gas_limit=30_000_000 + change).encode())
        assert chain.head.number == 1


def test_a_transaction_that_may_not_be_included_is_the_reason():
    chain = new_chain("London")
    block = new_block(chain)
    wrong = replace(block, transactions=(transfer(chain, chain.head, nonce=1),))
    assert refused(chain, wrong) == "NONCE_TOO_HIGH"
    rich = replace(block, transactions=(transfer(chain, chain.head, value=2000 * ETHER),))
    assert refused(chain, rich) == "INSUFFICIENT_FUNDS"


def test_withdrawals_belong_to_their_fork():
    chain = new_chain("Paris")
    assert refused(chain, replace(new_block(chain), withdrawals=())) == "BLOCK_FIELD_TOO_EARLY"
    chain = new_chain("Shanghai")
    assert refused(chain, replace(new_block(chain), withdrawals=None)) == "BLOCK_WITHDRAWALS_MISSING"


def test_a_block_may_not_be_larger_than_eight_mebibytes_from_osaka_on():
    chain = new_chain("Osaka")
    big = tuple(transfer(chain, chain.head, nonce=i, data=bytes(2**20), gas_limit=16_777_216) for i in range(8))
    block = replace(new_block(chain), transactions=big)
    assert refused(chain, block) == "BLOCK_TOO_LARGE"
    chain = new_chain("Prague")
    block = replace(new_block(chain), transactions=big)
    assert refused(chain, block) != "BLOCK_TOO_LARGE"


# ---------------------------------------------------------------- ommers


def ommer_of(chain: Chain, parent, **changes) -> Header:
    """The header of a valid block that isn't the one that `parent` has for a child."""
    return new_block(chain, parent, extra_data=b"ommer", **changes).header


def test_ommers_are_rewarded():
    chain = new_chain("Petersburg")
    first, second, _ = grow(chain, 3)
    ommers = (ommer_of(chain, first, coinbase=OTHER), ommer_of(chain, second))
    before = chain.state_of(chain.head).get_balance(COINBASE)
    chain.add(new_block(chain, ommers=ommers).encode())
    state = chain.state_of(chain.head)
    assert state.get_balance(OTHER) == 2 * ETHER * 6 // 8
    assert state.get_balance(COINBASE) - before == 2 * ETHER + 2 * (2 * ETHER // 32) + 2 * ETHER * 7 // 8


def test_ommers_that_break_a_rule_are_refused_for_it():
    chain = new_chain("Byzantium")
    line = grow(chain, 9)
    good = ommer_of(chain, line[7])  # a brother of the last block

    def status_of(*ommers):
        block = replace(new_block(chain), ommers=ommers)
        return refused(chain, block.with_header(ommers_hash=keccak256(encode_list(ommer.encode() for ommer in ommers))))

    assert status_of(*(ommer_of(chain, line[i]) for i in (5, 6, 7))) == "OMMER_COUNT"
    assert status_of(good, good) == "OMMER_DUPLICATE"
    assert status_of(line[7].header) == "OMMER_IS_ANCESTOR"
    assert status_of(line[8].header) == "OMMER_IS_ANCESTOR"
    assert status_of(ommer_of(chain, line[8])) == "OMMER_IS_BROTHER"
    assert status_of(ommer_of(chain, line[0])) == "OMMER_AGE"
    assert status_of(replace(good, parent_hash=b"\1" * 32)) == "OMMER_PARENT"
    assert status_of(replace(good, number=5)) == "BLOCK_NUMBER"
    assert status_of(replace(good, gas_limit=1)) == "BLOCK_GAS_LIMIT"
    assert status_of(replace(good, difficulty=1)) == "BLOCK_DIFFICULTY"
    assert status_of(replace(good, timestamp=1)) == "BLOCK_TIMESTAMP"
    chain.add(new_block(chain, ommers=(good, ommer_of(chain, line[2]))).encode())
    assert status_of(good) == "OMMER_DUPLICATE"  # included by an ancestor


def test_an_ommers_transactions_are_nobodys_business():
    chain = new_chain("Byzantium")
    line = grow(chain, 2)
    ommer = replace(ommer_of(chain, line[0]), state_root=b"\1" * 32, receipts_root=b"\2" * 32)
    chain.add(new_block(chain, ommers=(ommer,)).encode())
    assert chain.head.number == 3


# ---------------------------------------------------------------- branches


def test_the_heaviest_branch_is_the_head():
    chain = new_chain("Frontier")
    slow = [chain.add(new_block(chain, timestamp=100 * (i + 1)).encode()) for i in range(3)]
    assert chain.head is slow[-1]
    # Blocks that come quickly have more difficulty each: three outweigh three.
    parent, quick = chain.genesis, []
    for i in range(3):
        parent = chain.add(new_block(chain, parent, (transfer(chain, parent),), timestamp=i + 1).encode())
        quick.append(parent)
        assert chain.head is (slow[-1] if i < 2 else quick[-1])
    assert chain.state_of(chain.head).get_nonce(SENDER) == 3
    assert chain.state_of(slow[-1]).get_nonce(SENDER) == 0
    # And back: the slow branch goes on until it is heavier again.
    parent = slow[-1]
    while chain.head is quick[-1]:
        parent = chain.add(new_block(chain, parent).encode())
    assert chain.head is parent


def test_the_first_of_two_equals_stays():
    chain = new_chain("London")
    first = chain.add(new_block(chain, chain.genesis).encode())
    chain.add(new_block(chain, chain.genesis, extra_data=b"second").encode())
    assert chain.head is first


def test_no_proof_of_work_takes_the_head_back_from_proof_of_stake():
    chain = new_chain("GrayGlacierToParisAtDiff50000")
    grow(chain, 4)
    assert chain.head.header.difficulty == 0
    head, parent = chain.head, chain.genesis
    for i in range(3):
        timestamp = i + 1
        fork = chain.schedule.fork_at(parent.number + 1, timestamp, parent.total_difficulty)
        if fork == "Paris":
            break
        parent = chain.add(new_block(chain, parent, timestamp=timestamp).encode())
    assert parent.total_difficulty > head.total_difficulty
    assert chain.head is head


@pytest.mark.parametrize("kept", [1, 2, 5])
def test_states_that_were_let_go_are_made_again(monkeypatch, kept):
    monkeypatch.setattr(importer, "_KEPT_STATES", kept)
    chain = new_chain("Berlin")
    line = grow(chain, 6)
    branch = [chain.add(new_block(chain, line[1], (transfer(chain, line[1], 7),)).encode())]
    for _ in range(6):
        branch.append(chain.add(new_block(chain, branch[-1]).encode()))
    assert len(chain._states) <= kept
    assert chain.head is branch[-1]
    for entry in (line[0], line[5], branch[0], branch[5], chain.genesis):
        assert chain.state_of(entry).root() == entry.header.state_root


@pytest.mark.parametrize("workers", [2, 4])
def test_workers_make_no_difference(workers):
    chain = new_chain("London", workers=workers)
    transactions = tuple(transfer(chain, chain.head, nonce=i, to=bytes([i + 1]) * 20) for i in range(20))
    block = new_block(new_chain("London"), transactions=transactions)
    chain.add(block.encode())
    assert chain.head.hash == block.hash


# ---------------------------------------------------------------- evmcore import


@pytest.fixture(scope="module")
def chain_files():
    folder = shared("chain")
    return folder / "genesis.json", (folder / "chain.rlp").read_bytes()


@pytest.fixture(scope="module")
def chain_genesis(chain_files):
    return Genesis.load(chain_files[0])


def import_file(capsys, genesis, path, *options):
    """(exit status, the lines of JSON, standard error)"""
    status = main(["import", "--genesis", str(genesis), str(path), "--json", *options])
    captured = capsys.readouterr()
    return status, [json.loads(line) for line in captured.out.splitlines()], captured.err


@pytest.mark.parametrize("options", [(), ("--workers", "1"), ("--workers", "4", "--strategy", "groups")])
def test_a_chain_through_every_fork_is_imported(tmp_path, capsys, chain_files, options):
    path = tmp_path / "chain.rlp"
    path.write_bytes(chain_files[1])
    status, lines, errors = import_file(capsys, chain_files[0], path, *options)
    assert (status, errors) == (0, "")
    assert len(lines) == 55
    assert all(line["ok"] for line in lines)
    assert lines[-1]["head"]["hash"] == CHAIN_HEAD
    assert len({line["fork"] for line in lines[:-1]}) == 19


def test_a_table_is_printed_and_the_head_named(tmp_path, capsys, chain_files):
    path = tmp_path / "chain.rlp"
    path.write_bytes(chain_files[1])
    assert main(["import", "--genesis", str(chain_files[0]), str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 54 + 2
    assert f"head: block 54 {CHAIN_HEAD}" in lines[-1]


def test_a_file_that_is_cut_off_is_imported_as_far_as_it_is_whole(tmp_path, capsys, chain_files):
    content = chain_files[1]
    ends = block_ends(content)
    path = tmp_path / "cut.rlp"
    generator = random.Random(54)
    cuts = {
        1,
        2,
        3,
        ends[0] - 1,
        ends[0],
        ends[0] + 1,
        ends[5] + 1,
        *(generator.randrange(1, ends[12]) for _ in range(8)),
    }
    for cut in sorted(cuts):
        path.write_bytes(content[:cut])
        status, lines, errors = import_file(capsys, chain_files[0], path, "--workers", "1")
        whole = sum(end <= cut for end in ends)
        rest = cut - max([0, *(end for end in ends if end <= cut)])
        assert sum(line.get("number") is not None for line in lines) == whole
        assert lines[-1]["head"]["number"] == whole
        assert status == (0 if rest == 0 else 1)
        if rest:
            assert lines[-2]["rest_bytes"] == rest
            assert f"{rest} bytes from byte {cut - rest} on" in errors


def test_a_cut_at_any_byte_leaves_whole_blocks_and_names_the_rest(chain_files):
    """Where the file is parted; what is done with the parts doesn't depend on the place."""
    content = chain_files[1]
    ends = block_ends(content)
    for begin, end in zip([0, *ends], ends):
        for cut in range(begin + 1, end):
            [piece] = _pieces(content[begin:cut])
            assert piece.fault == f"cut off: {cut - begin} bytes from byte 0 on are no whole block"
        # The last whole block, and a byte of the next.
        pieces = list(_pieces(content[begin : end + 1]))
        assert (pieces[0].offset, pieces[0].encoded, pieces[0].fault) == (0, content[begin:end], "")
        assert len(pieces) == (1 if end == len(content) else 2)


def block_ends(content: bytes) -> list[int]:
    ends, at = [], 0
    while at < len(content):
        at = read_item(content, at, len(content), "block")[2]
        ends.append(at)
    return ends


def import_bytes(genesis: Genesis, blocks: list[bytes]) -> tuple[Chain, list[EvmError]]:
    chain, errors = Chain(genesis), []
    for block in blocks:
        try:
            chain.add(block)
        except EvmError as error:
            errors.append(error)
    return chain, errors


@pytest.mark.parametrize("seed", range(8))
def test_a_flipped_bit_is_refused_or_gives_another_head(chain_files, chain_genesis, seed):
    """Never a crash, and never a state that the header doesn't have. The block after the spoilt one lacks its parent."""
    content = chain_files[1]
    ends = block_ends(content)
    whole = [content[begin:end] for begin, end in zip([0, *ends], ends)]
    good, _ = import_bytes(chain_genesis, whole)
    line = [good.head]
    while line[-1].parent is not None:
        line.append(line[-1].parent)
    line.reverse()
    generator = random.Random(seed)
    for _ in range(60):
        place = generator.choice([i for i in range(len(whole)) if i != 1])  # block 2 has 91 Mgas
        block = bytearray(whole[place])
        bit = generator.randrange(8 * len(block))
        block[bit // 8] ^= 1 << bit % 8
        chain = Chain(chain_genesis)
        for entry in line[1 : place + 1]:  # as if imported: states come from the good chain
            chain.blocks[entry.hash] = entry
        chain._states.update(good._states)
        chain.head = line[place]
        try:
            entry = chain.add(bytes(block))
        except EvmError:
            assert chain.head is line[place]
        else:
            assert entry.hash != line[place + 1].hash
            assert chain.state_of(entry).root() == entry.header.state_root
            assert chain.state_of(entry) is not good.state_of(line[place + 1])


def test_the_import_goes_on_after_a_refused_block(tmp_path, capsys, chain_files):
    content = bytearray(chain_files[1])
    ends = block_ends(bytes(content))
    content[ends[2] + 10] ^= 1  # in block 4's parent hash
    path = tmp_path / "flipped.rlp"
    path.write_bytes(content)
    status, lines, errors = import_file(capsys, chain_files[0], path, "--workers", "1")
    assert status == 1
    assert [line["ok"] for line in lines[:4]] == [True, True, True, False]
    assert lines[-1]["head"]["number"] == 3
    assert lines[-1]["refused"] == 51
    assert "block 4 of the file" in errors
    assert "unknown parent" in lines[-1]["error"]


@pytest.mark.parametrize("content", [b"\x80", b"\x00", b"\xbf", b"\xff" * 9, b"\xc0", b"\xc3\xc0\xc0\xc0", bytes(100)])
def test_what_is_no_chain_is_said_to_be_none(tmp_path, capsys, chain_files, content):
    path = tmp_path / "none.rlp"
    path.write_bytes(content)
    status, lines, errors = import_file(capsys, chain_files[0], path)
    assert status == 1
    assert lines[-1]["head"]["number"] == 0
    assert errors


def test_files_that_are_not_there_are_unusable(tmp_path, capsys, chain_files):
    assert main(["import", "--genesis", str(chain_files[0]), str(tmp_path / "none")]) == 2
    assert main(["import", "--genesis", str(tmp_path / "none"), str(tmp_path / "none")]) == 2
    assert "No such file" in capsys.readouterr().err
