"""The access list of an executed block, the same by every strategy; lists from elsewhere, and lists beside a block. EIP-7928."""

from __future__ import annotations

import json
import os
import pickle
import random
import zlib
from dataclasses import replace

import pytest
from helpers import BOB, COINBASE, CONTRACT, ETHER, header
from test_access_lists import EMPTY, GOLDEN, GOLDEN_HASH, account, recorded_block
from test_conformance import corpus

from evmcore import (
    Block,
    BlockAccessList,
    InvalidAccessList,
    InvalidBlock,
    Piece,
    State,
    Transaction,
    UnusableInput,
    assemble,
    execute_block,
    join_pieces,
    keccak256,
    rlp,
)
from evmcore.accesses import Accesses
from evmcore.example import EXAMPLE_FILE
from evmcore.header import Header

KEY = keccak256(b"evmcore test of block access lists")
SENDER = Transaction().sign(KEY).sender
# Of these tests of EIP-7928 the outcome depends on what of a call is paid before its target is looked up, which Amsterdam has changed.
OTHER_ORDER = ("_and_oog.json", "_and_oog_before_target_access.json")


def list_of(block, state, **options):
    return execute_block(block, state.copy(), access_list=True, state_roots=False, **options).access_list


def calls(*codes, fork="Cancun", **options):
    """A block with a call of each code, at addresses 0x…01c0, 0x…01c1 and so on, and the state before it."""
    targets = [(0x1C0 + number).to_bytes(20, "big") for number in range(len(codes))]
    state = State({SENDER: {"balance": ETHER}})
    for target, code in zip(targets, codes):
        state.set_code(target, assemble(code))
    transactions = tuple(
        Transaction(to=target, nonce=nonce, gas_limit=300_000, gas_price=10, chain_id=1, **options).sign(KEY)
        for nonce, target in enumerate(targets)
    )
    return Block(header(fork=fork), transactions), state, targets


def entries(access_list):
    return {entry["address"]: entry for entry in access_list.to_json()}


def test_every_strategy_gives_the_same_list():
    for block in (Block.load(EXAMPLE_FILE), recorded_block()[0]):
        state = block.pre_state if block.pre_state is not None else recorded_block()[1]
        recorded = execute_block(block, state.copy(), record=True, state_roots=False, access_list=True)
        want = recorded.access_list
        assert want.encode() == recorded.accesses.encode()
        for options in (
            {"strategy": "sequential"},
            {"strategy": "optimistic", "workers": 2},
            {"strategy": "groups", "workers": 2},
            {"strategy": "recorded", "workers": 2, "accesses": recorded.accesses},
        ):
            made = list_of(block, state, **options)
            assert made == want, options
            assert made.encode() == want.encode()
        first = len(block.transactions) // 2
        pieces, after = [], state.copy()
        for piece in (Piece(0, first, begins=True), None):
            if piece is None:
                piece = Piece.after(pieces[0], len(block.transactions), ends=True)
            pieces.append(execute_block(block, after, piece=piece, access_list=True, state_roots=False))
        assert join_pieces(block, pieces).access_list == want


def test_a_list_that_nobody_asked_for_is_not_made():
    block, state = recorded_block()
    result = execute_block(block, state)
    assert result.access_list is None
    assert result.access_list_hash is None


def test_a_result_keeps_its_list_when_it_is_pickled():
    block, state = recorded_block()
    result = execute_block(block, state, access_list=True)
    again = pickle.loads(pickle.dumps(result))
    assert again.access_list == result.access_list
    assert again.access_list_hash == result.access_list_hash == result.access_list.hash


def test_public_blocks_have_the_list_of_their_header():
    seen = 0
    folder = corpus() / "eest-fixtures" / "local-5cdb055" / "blockchain_tests" / "for_amsterdam"
    for path in sorted(folder.glob("**/*.json")):
        if zlib.crc32(path.name.encode()) % 3 or path.name.endswith(OTHER_ORDER):
            continue
        for name, test in json.loads(path.read_bytes()).items():
            if test["network"] != "Amsterdam":  # Osaka with EIP-7928, there
                continue
            state = State.from_alloc(test["pre"])
            hashes = {0: bytes.fromhex(test["genesisBlockHeader"]["hash"][2:])}
            for entry in test["blocks"]:
                if "blockHeader" not in entry or "expectException" in entry:
                    continue
                block = Block.decode(bytes.fromhex(entry["rlp"][2:]), fork="BPO2")
                blobs = test["config"]["blobSchedule"]["Amsterdam"]
                limits = tuple(int(blobs[key], 16) for key in ("target", "max", "baseFeeUpdateFraction"))
                block.header = replace(block.header, block_hashes=dict(hashes), blob_schedule=limits)
                block.access_list = BlockAccessList.from_json(entry["blockAccessList"])
                assert block.access_list.hash == block.header.block_access_list_hash
                before = state.copy()
                result = execute_block(block, state, strategy="sequential")
                assert result.access_list == block.access_list, name
                assert execute_block(block, before, strategy="optimistic", workers=2) == result, name
                hashes[block.number] = block.hash
                seen += 1
    assert seen > 50


def test_what_a_frame_did_before_its_revert_is_read():
    block, state, (target,) = calls("PUSH1 7 PUSH1 1 SSTORE PUSH2 0xbeef BALANCE PUSH1 0 PUSH1 0 REVERT")
    listed = entries(list_of(block, state))
    assert listed["0x" + target.hex()]["storageChanges"] == []
    assert listed["0x" + target.hex()]["storageReads"] == ["0x1"]
    assert listed["0x" + (0xBEEF).to_bytes(20, "big").hex()]["balanceChanges"] == []


def test_slots_that_a_new_contract_leaves_as_they_were_are_read():
    init = assemble("PUSH1 7 PUSH1 1 SSTORE PUSH1 0 PUSH1 1 SSTORE PUSH1 9 SLOAD POP PUSH1 5 PUSH1 2 SSTORE")
    transaction = Transaction(to=None, data=init, gas_limit=300_000, gas_price=10, chain_id=1).sign(KEY)
    block = Block(header(fork="Cancun"), (transaction,))
    state = State({SENDER: {"balance": ETHER}})
    for options in ({"strategy": "sequential"}, {"strategy": "optimistic", "workers": 2}):
        made = list_of(block, state, **options)
        (new,) = (entry for entry in made.to_json() if entry["storageChanges"])
        assert new["storageReads"] == ["0x1", "0x9"]
        assert [slot["slot"] for slot in new["storageChanges"]] == ["0x2"]
        assert new["nonceChanges"] == [{"blockAccessIndex": "0x1", "postNonce": "0x1"}]
    assert execute_block(block, state.copy(), record=True).accesses.encode() == made.encode()


def test_a_contract_that_goes_as_it_came_changes_nothing():
    init = assemble("PUSH1 7 PUSH1 1 SSTORE PUSH2 0xbeef SELFDESTRUCT")
    transaction = Transaction(to=None, data=init, gas_limit=300_000, gas_price=10, chain_id=1, value=5).sign(KEY)
    block = Block(header(fork="Cancun"), (transaction,))
    state = State({SENDER: {"balance": ETHER}})
    result = execute_block(block, state.copy(), access_list=True)
    entry = entries(result.access_list)["0x" + keccak256(rlp.encode_list((rlp.encode(SENDER), b"\x80")))[12:].hex()]
    assert entry["storageReads"] == ["0x1"]
    assert not any(entry[name] for name in ("storageChanges", "balanceChanges", "nonceChanges", "codeChanges"))
    funded = state.copy()
    funded.set_balance(bytes.fromhex(entry["address"][2:]), 3)
    entry = entries(list_of(block, funded))[entry["address"]]
    assert entry["balanceChanges"] == [{"blockAccessIndex": "0x1", "postBalance": "0x0"}]
    assert not entry["nonceChanges"]


def test_a_slot_is_compared_with_its_value_before_the_transaction():
    code = "PUSH1 1 PUSH1 4 SSTORE PUSH1 4 SLOAD POP PUSH1 0 PUSH1 4 SSTORE PUSH1 6 SLOAD POP PUSH1 2 PUSH1 5 SSTORE"
    block, state, (target,) = calls(code)
    state.set_storage(target, 5, 2)
    entry = entries(list_of(block, state))["0x" + target.hex()]
    assert entry["storageChanges"] == []
    assert entry["storageReads"] == ["0x4", "0x5", "0x6"]


def test_the_beneficiary_of_no_fee_is_in_the_list_and_that_of_an_empty_block_is_not():
    block, state, _ = calls("STOP")
    state.set_balance(SENDER, 0)
    free = replace(block.header, base_fee_per_gas=0)
    transaction = Transaction(to=BOB, gas_limit=21_000, gas_price=0, chain_id=1).sign(KEY)
    made = entries(list_of(Block(free, (transaction,)), state))
    assert made["0x" + COINBASE.hex()]["balanceChanges"] == []
    assert "0x" + COINBASE.hex() not in entries(list_of(Block(free), state))


# ---------------------------------------------------------------- lists from elsewhere


def test_the_list_of_another_client_comes_back():
    access_list = BlockAccessList.decode(GOLDEN)
    assert access_list.encode() == GOLDEN
    assert access_list.hash == GOLDEN_HASH
    assert BlockAccessList.from_json(json.loads(json.dumps(access_list.to_json()))) == access_list
    assert BlockAccessList.from_accesses(Accesses.decode(GOLDEN)) == access_list
    assert access_list.accesses.encode() == GOLDEN
    assert pickle.loads(pickle.dumps(access_list)) == access_list
    assert len({access_list, BlockAccessList.decode(GOLDEN)}) == 1
    assert access_list.item_count == 9 + 1 + 1 + 1 + 16
    assert access_list.size_bytes > 0


PAIR = b"\xc2\x01\x07"  # index 1, value 7
A, B = "0x" + "11" * 20, "0x" + "22" * 20


@pytest.mark.parametrize(
    ("parts", "field", "slot", "index", "reason"),
    [
        ([account(*EMPTY), account(*EMPTY)], "address", None, None, "an account comes twice"),
        ([account(*EMPTY, address=b"\x94" + b"\x22" * 20), account(*EMPTY)], "address", None, None, "don't ascend"),
        ([account(*EMPTY[:4])], "code", None, None, "RLP: too few"),
        ([account(*EMPTY, b"\xc0")], "address", None, None, "RLP: too many"),
        ([account(b"\xc3\xc2\x05\xc0", *EMPTY[:4])], "storage", 5, None, "a slot has no changes"),
        ([account(b"\xc9\xc8\x05\xc6" + PAIR * 2, *EMPTY[:4])], "storage", 5, 1, "an index comes twice"),
        ([account(b"\xc9\xc8\x05\xc6\xc2\x02\x07" + PAIR, *EMPTY[:4])], "storage", 5, 1, "indices don't ascend"),
        ([account(b"\xcc" + 2 * (b"\xc5\x05\xc3" + PAIR), *EMPTY[:4])], "storage", 5, None, "a slot comes twice"),
        ([account(b"\xc0", b"\xc2\x06\x05", *EMPTY[:3])], "reads", 5, None, "slots don't ascend"),
        ([account(b"\xc6\xc5\x05\xc3" + PAIR, b"\xc1\x05", *EMPTY[:3])], "reads", 5, None, "is among the reads"),
        ([account(b"\xc0", b"\xc0", b"\xc6" + PAIR * 2, *EMPTY[:2])], "balance", None, 1, "an index comes twice"),
        ([account(*EMPTY[:3], b"\xc6\xc2\x03\x07" + PAIR, b"\xc0")], "nonce", None, 1, "indices don't ascend"),
        ([account(*EMPTY[:4], b"\xc6" + PAIR * 2)], "code", None, 1, "an index comes twice"),
        ([account(*EMPTY[:3], b"\xcc\xcb\x01\x89" + b"\xff" * 9, b"\xc0")], "nonce", None, 1, "RLP: number too large"),
        ([account(b"\xc0", b"\xc0", b"\xc4\xc3\x01\x81\x05", *EMPTY[:2])], "balance", None, 1, "RLP: non canonical"),
        ([account(b"\xc0", b"\xc0", b"\xc3\xc2\x00\x05", *EMPTY[:2])], "balance", None, None, "RLP: leading zeros"),
    ],
)
def test_bytes_that_are_no_list_are_refused_with_their_place(parts, field, slot, index, reason):
    with pytest.raises(InvalidAccessList, match=reason) as raised:
        BlockAccessList.decode(rlp.encode_list(parts))
    error = raised.value
    assert (error.address, error.field, error.slot, error.access_index) == (b"\x11" * 20, field, slot, index)
    assert error.status == "BLOCK_ACCESS_LIST"
    assert error.exception == "BlockException.INVALID_BLOCK_ACCESS_LIST"
    assert isinstance(error, InvalidBlock)
    assert pickle.loads(pickle.dumps(error)).access_index == index


@pytest.mark.parametrize("hostile", [None, 5, "x", [], object()], ids=lambda value: type(value).__name__)
def test_what_is_no_bytes_is_refused(hostile):
    with pytest.raises((ValueError, TypeError)):
        BlockAccessList.decode(hostile)


@pytest.mark.parametrize(
    "hostile",
    [5, [5], [{}], [{"address": "0x11"}], [{"address": A, "storageReads": 5}], [{"address": A, "storageReads": ["x"]}],
     [{"address": A, "balanceChanges": [{"blockAccessIndex": "0x1"}]}], [{"address": A, "balanceChanges": [5]}],
     [{"address": A, "nonceChanges": [{"blockAccessIndex": "0x100000000", "postNonce": "0x1"}]}]],
    ids=str,
)  # fmt: skip
def test_json_that_is_no_list_is_refused(hostile):
    with pytest.raises(UnusableInput, match="access list"):
        BlockAccessList.from_json(hostile)


def test_json_keeps_its_order():
    with pytest.raises(InvalidAccessList, match="accounts don't ascend"):
        BlockAccessList.from_json([{"address": B}, {"address": A}])


def test_forged_bytes_are_refused_or_are_a_list():
    chance = random.Random(5)
    for end in range(len(GOLDEN)):
        with pytest.raises(InvalidAccessList):
            BlockAccessList.decode(GOLDEN[:end])
    for _ in range(3000):
        forged = bytearray(GOLDEN)
        for _ in range(chance.choice((1, 1, 2, 4))):
            forged[chance.randrange(len(forged))] = chance.choice((0, 1, 0x80, 0xC0, 0xF8, 0xFF, chance.randrange(256)))
        try:
            access_list = BlockAccessList.decode(bytes(forged))
        except InvalidAccessList:
            continue
        assert access_list.encode() == forged
        assert Accesses.decode(bytes(forged)).encode() == forged


def test_it_is_decoded_or_made_by_a_block():
    with pytest.raises(TypeError, match="can't be made by itself"):
        BlockAccessList()


# ---------------------------------------------------------------- before the block is executed


def checked(access_list, *, gas_limit=30_000_000, transactions=2, fork="Osaka", **fields):
    access_list.check(Header(**{**fields, "gas_limit": gas_limit, "fork": fork}), transactions)


def of_one(**members):
    return BlockAccessList.from_json([{"address": A, **members}])


@pytest.mark.parametrize(
    ("field", "members"),
    [
        ("storage", {"storageChanges": [{"slot": "0x5", "slotChanges": [{"blockAccessIndex": "0x4", "postValue": "0x1"}]}]}),
        ("balance", {"balanceChanges": [{"blockAccessIndex": "0x4", "postBalance": "0x1"}]}),
        ("nonce", {"nonceChanges": [{"blockAccessIndex": "0x4", "postNonce": "0x1"}]}),
        ("code", {"codeChanges": [{"blockAccessIndex": "0x4", "newCode": "0x01"}]}),
    ],
)  # fmt: skip
def test_an_index_beyond_the_last_is_refused(field, members):
    checked(of_one(**members), transactions=3)
    with pytest.raises(InvalidAccessList, match="an index beyond the block's last") as raised:
        checked(of_one(**members))
    assert (raised.value.field, raised.value.access_index, raised.value.address) == (field, 4, b"\x11" * 20)
    assert raised.value.slot == (5 if field == "storage" else None)


def test_a_code_larger_than_any_is_refused():
    for fork, most in (("Osaka", 24_576), ("Amsterdam", 65_536)):
        code = {"blockAccessIndex": "0x1", "newCode": "0x" + "00" * most}
        checked(of_one(codeChanges=[code]), fork=fork)
        code["newCode"] += "00"
        with pytest.raises(InvalidAccessList, match="a code that is larger than any may be"):
            checked(of_one(codeChanges=[code]), fork=fork)


def test_more_items_than_the_gas_limit_allows_are_refused():
    access_list = BlockAccessList.decode(GOLDEN)
    checked(access_list, gas_limit=2_000 * access_list.item_count, fork="Amsterdam")
    checked(access_list, gas_limit=5_000)  # of a fork without lists
    with pytest.raises(InvalidAccessList, match="28 addresses and slots, where the gas limit allows 27") as raised:
        checked(access_list, gas_limit=2_000 * access_list.item_count - 1, fork="Amsterdam")
    assert raised.value.exception == "BlockException.BLOCK_ACCESS_LIST_GAS_LIMIT_EXCEEDED"


def test_a_list_that_is_not_the_headers_is_refused_before_anything_runs():
    access_list = BlockAccessList.decode(GOLDEN)
    checked(access_list, block_access_list_hash=GOLDEN_HASH)
    with pytest.raises(InvalidAccessList, match=f"its hash is 0x{GOLDEN_HASH.hex()}") as raised:
        checked(access_list, block_access_list_hash=bytes(32))
    assert raised.value.exception == "BlockException.INVALID_BAL_HASH"


# ---------------------------------------------------------------- beside a block


def test_a_list_beside_a_block_has_to_be_its_own():
    block, state = recorded_block()
    own = list_of(block, state)
    block.access_list = own
    execute_block(block, state.copy())
    block.access_list = BlockAccessList.decode(GOLDEN)
    kept = state.copy()
    with pytest.raises(InvalidAccessList):
        execute_block(block, state, strategy="sequential")
    assert state == kept
    with pytest.raises(UnusableInput, match=r"block.access_list: .* is not a BlockAccessList"):
        block.access_list = GOLDEN


def test_the_first_difference_is_named():
    block, state = recorded_block()
    own = list_of(block, state)
    place = next(number for number, entry in enumerate(own.to_json()) if entry["address"] == "0x" + CONTRACT.hex())

    def other(change):
        shown = own.to_json()
        change(shown[place])
        with pytest.raises(InvalidAccessList) as raised:
            BlockAccessList.from_json(shown).compare(own)
        assert raised.value.address == CONTRACT
        return raised.value

    error = other(lambda entry: entry["storageChanges"][0]["slotChanges"][0].update(postValue="0x8"))
    assert (error.field, error.slot, error.access_index, error.have, error.want) == ("storage", 3, 1, 8, 7)
    error = other(lambda entry: entry["storageReads"].append("0x99"))
    assert (error.field, error.slot, error.access_index) == ("reads", 0x99, None)
    assert "the list has it" in str(error)
    error = other(lambda entry: entry["storageReads"].pop())
    assert "the list doesn't" in str(error)
    error = other(lambda entry: entry["nonceChanges"].append({"blockAccessIndex": "0x2", "postNonce": "0x9"}))
    assert (error.field, error.access_index) == ("nonce", 2)


# ---------------------------------------------------------------- executed with the list: the listed strategy


def with_list(block, state):
    """The block with its own list, and its result."""
    want = execute_block(block, state.copy(), strategy="sequential", access_list=True, state_roots=False)
    return replace(block, access_list=want.access_list), want


def listed_blocks():
    block = Block.load(EXAMPLE_FILE)
    yield replace(block, pre_state=None), block.pre_state
    yield recorded_block()
    codes = ("PUSH1 7 PUSH1 1 SSTORE", "PUSH1 1 SLOAD PUSH1 1 ADD PUSH1 1 SSTORE", "PUSH2 0x01c0 SELFDESTRUCT")
    for fork in ("Byzantium", "Shanghai", "Cancun"):
        block, state, targets = calls(*codes, *codes, fork=fork)
        state.set_storage(targets[2], 1, 5)
        yield block, state


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_with_its_list_a_block_comes_out_the_same(workers):
    for block, state in listed_blocks():
        block, want = with_list(block, state)
        after = state.copy()
        result = execute_block(block, after, strategy="listed", workers=workers, state_roots=False)
        assert result.statistics.strategy == "listed"
        assert result == want
        assert result.state_root == want.state_root == after.root()
        assert result.access_list == want.access_list
        whole = state.copy()
        execute_block(block, whole, strategy="sequential", state_roots=False)
        assert whole == after
        assert execute_block(block, state.copy(), workers=2, state_roots=False) == want


def test_public_blocks_come_out_the_same_with_their_list():
    seen = 0
    folder = corpus() / "eest-fixtures" / "local-5cdb055" / "blockchain_tests" / "for_amsterdam"
    for path in sorted(folder.glob("**/*.json")):
        if zlib.crc32(path.name.encode()) % 3 != 1:
            continue
        for name, test in json.loads(path.read_bytes()).items():
            if test["network"] != "Amsterdam":
                continue
            state = State.from_alloc(test["pre"])
            hashes = {0: bytes.fromhex(test["genesisBlockHeader"]["hash"][2:])}
            for entry in test["blocks"]:
                if "blockHeader" not in entry or "expectException" in entry:
                    continue
                block = Block.decode(bytes.fromhex(entry["rlp"][2:]), fork="BPO2")
                blobs = test["config"]["blobSchedule"]["Amsterdam"]
                limits = tuple(int(blobs[key], 16) for key in ("target", "max", "baseFeeUpdateFraction"))
                block.header = replace(
                    block.header, block_hashes=dict(hashes), blob_schedule=limits, block_access_list_hash=None
                )
                block, want = with_list(block, state)
                after = state.copy()
                result = execute_block(block, after, strategy="listed", workers=2)
                assert result == want, name
                assert result.state_root == after.root(), name
                state = after
                hashes[block.number] = bytes.fromhex(entry["blockHeader"]["hash"][2:])
                seen += 1
    assert seen > 50


def mutants(chance, shown, last):
    """Endless lists that differ from this one in one place: every field, missing, surplus, misplaced or with another value."""
    fields = {"balanceChanges": "postBalance", "nonceChanges": "postNonce", "codeChanges": "newCode"}
    while True:
        made = json.loads(json.dumps(shown))
        entry = chance.choice(made)
        kind = chance.randrange(9)
        if kind == 0:
            made.remove(entry)
        elif kind == 1:
            other = dict(entry, address="0x" + chance.randbytes(20).hex())
            made = sorted([*made, other], key=lambda each: each["address"])
        elif kind == 2:
            entry["storageReads"] = sorted(
                {*entry["storageReads"], hex(chance.randrange(1, 9))}, key=lambda s: int(s, 16)
            )
        elif kind == 3 and entry["storageReads"]:
            entry["storageReads"].pop(chance.randrange(len(entry["storageReads"])))
        elif kind == 4 and entry["storageChanges"]:
            slot = entry["storageChanges"].pop(chance.randrange(len(entry["storageChanges"])))
            if chance.random() < 0.5:
                reads = {*entry["storageReads"], slot["slot"]}
                entry["storageReads"] = sorted(reads, key=lambda s: int(s, 16))
        elif kind == 5 and entry["storageChanges"]:
            change = chance.choice(chance.choice(entry["storageChanges"])["slotChanges"])
            if chance.random() < 0.5:
                change["postValue"] = hex(chance.choice((0, 1, 2**256 - 1, chance.getrandbits(64))))
            else:
                change["blockAccessIndex"] = hex(chance.randrange(last + 2))
        elif kind == 6:
            name = chance.choice(list(fields))
            value = (
                "0x" + chance.choice(("", "00", "fe", "5b5f56", "ef0100" + "11" * 20))
                if name == "codeChanges"
                else hex(chance.choice((0, 1, 2**64 - 1, chance.getrandbits(60))))
            )
            added = {"blockAccessIndex": hex(chance.randrange(last + 1)), fields[name]: value}
            entry[name] = sorted([*entry[name], added], key=lambda each: int(each["blockAccessIndex"], 16))
        else:
            name = chance.choice(list(fields))
            if entry[name]:
                place = chance.randrange(len(entry[name]))
                if kind == 7:
                    entry[name].pop(place)
                elif chance.random() < 0.3:
                    entry[name][place]["blockAccessIndex"] = hex(chance.randrange(last + 2))
                elif name != "codeChanges":
                    entry[name][place][fields[name]] = hex(chance.choice((0, 1, 2**63, chance.getrandbits(63))))
                else:
                    entry[name][place][fields[name]] = "0x" + chance.choice(("", "00", "fe", "ef0100" + "22" * 20))
        if made != shown:
            yield made


MUTANTS = int(os.environ.get("EVMCORE_MUTANTS", "1500"))


@pytest.mark.parametrize("seed", range(2))
def test_another_list_is_refused_by_every_strategy(seed):
    """EVMCORE_MUTANTS: how many lists each seed tries."""
    chance = random.Random(seed)
    blocks = [(*with_list(block, state), state) for block, state in listed_blocks() if block.header.fork != "Byzantium"]
    sources = [mutants(chance, want.access_list.to_json(), len(block.transactions) + 1) for block, want, _ in blocks]
    seen = 0
    while seen < MUTANTS:
        place = chance.randrange(len(blocks))
        block, want, state = blocks[place]
        try:
            other = BlockAccessList.from_json(next(sources[place]))
        except InvalidAccessList:
            continue
        if other == want.access_list:
            continue
        seen += 1
        after = state.copy()
        changed = replace(block, access_list=other)
        with pytest.raises(InvalidAccessList) as raised:
            execute_block(changed, after, strategy="listed", workers=2, state_roots=False)
        assert raised.value.status == "BLOCK_ACCESS_LIST"
        if seen % 16 == 0:
            assert after == state
            with pytest.raises(InvalidAccessList):
                execute_block(changed, after, strategy="sequential", state_roots=False)


def test_lists_that_make_none_together_are_refused():
    block, state = recorded_block()[:2]
    made = list_of(block, state)
    with pytest.raises(InvalidAccessList, match="an index comes twice"):
        BlockAccessList.joined([made, made])
    assert BlockAccessList.joined([made]) == made
    with pytest.raises(UnusableInput, match="access list: None is not a list"):
        BlockAccessList.from_json(None)
    with pytest.raises(TypeError, match="accesses: expected Accesses, got NoneType"):
        BlockAccessList.from_accesses(None)
