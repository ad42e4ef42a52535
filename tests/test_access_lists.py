"""Block access lists as EIP-7928 writes them: their RLP and its hash, of lists from elsewhere and of recorded blocks."""

from __future__ import annotations

import json
import random
import zlib
from dataclasses import replace

import pytest
from helpers import BOB, COINBASE, CONTRACT, ETHER, header
from test_conformance import corpus

from evmcore import Block, State, Transaction, UnusableInput, Withdrawal, assemble, execute_block, keccak256, rlp
from evmcore.accesses import Accesses
from evmcore.errors import DecodeError, MissingState
from evmcore.example import EXAMPLE_FILE

# A block of one transaction of 1 wei to an account that wasn't there, by geth's t8n (Amsterdam).
GOLDEN = bytes.fromhex(
    "f9014bde9400000961ef480eb55e80d19ad83579a64c007002c0c480010203c0c0c0de94000064d678505ad48f8ccb093bc65613800e8282c0c4"
    "80010203c0c0c0de940000bbddc7ce488642fb579f8b00f3a590007251c0c480010203c0c0c0de940000bff46984e3725691fa540a8c7589300d"
    "8282c0c480010203c0c0c0f840940000f90827f1c53a10cb7a02335b175320002935e6e580e3e280a01111111111111111111111111111111111"
    "111111111111111111111111111111c0c0c0c0e394000f3df6d732807ef1319fb7b8bb8522d0beac02c6c50cc3c2800cc382200bc0c0c0e0942a"
    "dc25665018aa1fe0e6bc666dac8fc2697ff9bac0c0c6c50183031f38c0c0e99471562b71999873db5b286df957af199ec94617f7c0c0cccb0189"
    "056bc75e2d62f7063fc3c20101c0dd94dead00000000000000000000000000000000beefc0c0c3c20101c0c0"
)
GOLDEN_HASH = bytes.fromhex("6a1dafb6900e4ffe4d6ee762dfc62c7eb77305197d6a2b7f7a31e3fe5436a286")
KEY = keccak256(b"evmcore test of access lists")
SENDER = Transaction().sign(KEY).sender


def test_the_list_of_another_client_comes_back_byte_for_byte():
    accesses = Accesses.decode(GOLDEN)
    assert accesses.encode() == GOLDEN
    assert accesses.hash == GOLDEN_HASH
    again = Accesses.from_json(json.loads(json.dumps(accesses.to_json())))
    assert again == accesses
    assert again.encode() == GOLDEN
    assert accesses.system_accounts.size == 0
    assert accesses.system_slots["transaction"].tolist() == [0, 0]


def test_the_lists_of_public_blocks_have_the_hash_of_their_header():
    seen = 0
    for path in sorted((corpus() / "eest-fixtures").glob("bal-*/blockchain_tests/**/*.json")):
        if zlib.crc32(path.name.encode()) % 12:
            continue
        for test in json.loads(path.read_bytes()).values():
            for block in test["blocks"]:
                if "blockAccessList" not in block or "blockHeader" not in block or "expectException" in block:
                    continue
                accesses = Accesses.from_json(block["blockAccessList"])
                assert "0x" + accesses.hash.hex() == block["blockHeader"]["blockAccessListHash"], path
                assert Accesses.decode(accesses.encode()) == accesses
                seen += 1
    assert seen > 20


def test_the_last_writes_of_public_blocks_lead_to_the_root_of_their_header():
    seen = 0
    for path in sorted((corpus() / "eest-fixtures").glob("bal-*/blockchain_tests/**/*.json")):
        if zlib.crc32(path.name.encode()) % 12:
            continue
        for test in json.loads(path.read_bytes()).values():
            if "To" in test["network"]:  # blocks before Amsterdam have no list
                continue
            state = State.from_alloc(test["pre"])
            for block in test["blocks"]:
                if "blockHeader" not in block or "expectException" in block:
                    continue
                state.apply(Accesses.decode(Accesses.from_json(block["blockAccessList"]).encode()))
                assert "0x" + state.root().hex() == block["blockHeader"]["stateRoot"], path
                seen += 1
    assert seen > 20


def recorded_block(**options):
    """A block of Cancun: the contract writes, reads and is called twice; a withdrawal, two system calls before."""
    code = assemble("PUSH1 5 SLOAD PUSH1 7 PUSH1 3 SSTORE PUSH1 1 PUSH1 4 SSTORE PUSH1 0 PUSH1 4 SSTORE")
    state = State({SENDER: {"balance": ETHER}, CONTRACT: {"code": code, "storage": {5: 1}}})
    state.set_code("0x000f3df6d732807ef1319fb7b8bb8522d0beac02", assemble("PUSH1 0 CALLDATALOAD PUSH1 9 SSTORE"))
    transactions = tuple(
        Transaction(to=CONTRACT, nonce=nonce, gas_limit=200_000, gas_price=10, chain_id=1).sign(KEY)
        for nonce in range(2)
    )
    head = header(fork="Cancun", parent_beacon_block_root=b"\x11" * 32)
    return Block(head, transactions, withdrawals=(Withdrawal(0, 0, BOB, 3), Withdrawal(1, 0, SENDER, 0))), state


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_no_transaction_is_in_a_recorded_list(workers):
    block, state = recorded_block()
    result = execute_block(block, state.copy(), record=True, workers=workers)
    accounts = rlp.decode(result.accesses.encode())
    entries = {entry[0]: entry[1:] for entry in accounts}
    root_contract = bytes.fromhex("000f3df6d732807ef1319fb7b8bb8522d0beac02")
    assert list(entries) == sorted({SENDER, BOB, CONTRACT, COINBASE, root_contract})
    assert entries[root_contract] == [[[b"\x09", [[b"", b"\x11" * 32]]]], [], [], [], []]
    assert entries[BOB] == [[], [], [[b"\x03", rlp.number(3 * 10**9)]], [], []]
    # The first transaction writes slot 3, the second one writes the same again; slot 4 ends as it began.
    assert entries[CONTRACT] == [[[b"\x03", [[b"\x01", b"\x07"]]]], [b"\x04", b"\x05"], [], [], []]
    assert [index for index, _ in entries[SENDER][2]] == [b"\x01", b"\x02"]
    assert entries[SENDER][3] == [[b"\x01", b"\x01"], [b"\x02", b"\x02"]]
    assert result.accesses.system_accounts["transaction"].tolist() == [0, 3, 3]


def test_recorded_lists_come_back_and_execute():
    for block in (Block.load(EXAMPLE_FILE), recorded_block()[0]):
        state = block.pre_state if block.pre_state is not None else recorded_block()[1]
        want = state.copy()
        accesses = execute_block(block, want, record=True).accesses
        again = Accesses.decode(accesses.encode())
        assert again.encode() == accesses.encode()
        after = state.copy()
        after.apply(accesses)
        assert after == want
        after = state.copy()
        after.apply(again)
        assert after == want
        result = execute_block(block, state.copy(), accesses=again, strategy="recorded", workers=2)
        assert result.state_root == want.root()


def test_an_end_of_a_life_is_applied():
    init = assemble("PUSH1 5 PUSH1 1 SSTORE PUSH1 0 SELFDESTRUCT")
    state = State({SENDER: {"balance": ETHER}, BOB: {"code": assemble("PUSH1 0 SELFDESTRUCT"), "storage": {1: 2}}})
    transactions = (
        Transaction(to=None, data=init, gas_limit=200_000, gas_price=10, chain_id=1).sign(KEY),
        Transaction(to=BOB, nonce=1, gas_limit=200_000, gas_price=10, chain_id=1).sign(KEY),
    )
    block = Block(header(fork="Shanghai"), transactions)
    after = state.copy()
    accesses = execute_block(block, after, record=True).accesses
    assert BOB not in after
    state.apply(accesses)
    assert state == after


def test_an_access_list_is_applied_whole_or_not():
    accesses = Accesses.decode(GOLDEN)
    partial = State(strict=True)
    partial.set_account(BOB, {"balance": 1})
    kept = partial.copy()
    with pytest.raises(MissingState):
        partial.apply(accesses)
    assert partial == kept
    asked = []

    def source(keys):
        asked.append(keys)
        return {key: (None if key[1] is None else 0) for key in keys}

    lazy = State(source=source)
    lazy.apply(accesses)
    assert len(asked) == 1
    plain = State()
    plain.apply(accesses)
    assert {address: lazy.get_balance(address) for address in lazy} == {
        address: plain.get_balance(address) for address in plain
    }


ADDRESS = b"\x94" + b"\x11" * 20
OTHER = b"\x94" + b"\x22" * 20


def account(*parts: bytes, address: bytes = ADDRESS) -> bytes:
    return rlp.encode_list((address, *parts))


EMPTY = (b"\xc0",) * 5


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        (b"", "accesses: RLP"),
        (b"\x80", "accesses: RLP: expected list"),
        (GOLDEN + b"\0", "trailing"),
        (rlp.encode_list([b"\x80"]), r"accesses\[0\]: RLP: expected list"),
        (rlp.encode_list([account(*EMPTY[:4])]), r"accesses\[0\]: RLP: too few"),
        (
            rlp.encode_list([account(*EMPTY, address=b"\x93" + b"\x11" * 19)]),
            r"accesses\[0\].address: RLP: wrong length",
        ),
        (rlp.encode_list([account(*EMPTY), account(*EMPTY)]), r"accesses\[1\]: 0x1111.* after 0x1111"),
        (rlp.encode_list([account(*EMPTY, address=OTHER), account(*EMPTY)]), r"accesses\[1\]: 0x1111.* after 0x2222"),
        (rlp.encode_list([account(b"\xc3\xc2\x05\xc0", *EMPTY[:4])]), "storage_changes.*too few"),
        (rlp.encode_list([account(b"\xc6\xc5\x05\xc3\xc2\x01\x00", *EMPTY[:4])]), "leading zeros"),
        (rlp.encode_list([account(b"\xc9\xc8\x05\xc6\xc2\x01\x07\xc2\x01\x07", *EMPTY[:4])]), "index 1 after 1"),
        (rlp.encode_list([account(b"\xc0", b"\xc2\x05\x05", *EMPTY[:3])]), r"storage_reads\[1\]: slot 0x5 after 0x5"),
        (rlp.encode_list([account(b"\xc0", b"\xc2\x06\x05", *EMPTY[:3])]), r"storage_reads\[1\]: slot 0x5 after 0x6"),
        (rlp.encode_list([account(b"\xc6\xc5\x05\xc3\xc2\x01\x07", b"\xc1\x05", *EMPTY[:3])]), "slot 0x5 changes, too"),
        (rlp.encode_list([account(b"\xc0", b"\xc3\xc2\x05\xc0", *EMPTY[:3])]), "expected string"),
        (rlp.encode_list([account(b"\xc0", b"\xc0", b"\xc7\xc6\x85\x01\0\0\0\0", *EMPTY[:2])]), "too few"),
        (rlp.encode_list([account(b"\xc0", b"\xc0", b"\xc8\xc7\x85\x01\0\0\0\0\x01", *EMPTY[:2])]), "number too large"),
        (rlp.encode_list([account(*EMPTY[:3], b"\xcb\xca\x01\x88" + b"\xff" * 8, b"\xc0")]), None),
        (rlp.encode_list([account(*EMPTY[:3], b"\xcc\xcb\x01\x89" + b"\xff" * 9, b"\xc0")]), "number too large"),
    ],
)
def test_bytes_that_are_no_list_are_refused_with_their_place(encoded, reason):
    if reason is None:
        assert Accesses.decode(encoded).encode() == encoded
        return
    with pytest.raises((DecodeError, UnusableInput), match=reason):
        Accesses.decode(encoded)


@pytest.mark.parametrize("hostile", [None, 5, "x", [], object()], ids=lambda value: type(value).__name__)
def test_what_is_no_bytes_is_refused(hostile):
    with pytest.raises(UnusableInput):
        Accesses.decode(hostile)


def test_forged_bytes_are_refused_or_are_a_list():
    chance = random.Random(3)
    for end in range(len(GOLDEN)):
        with pytest.raises(DecodeError):
            Accesses.decode(GOLDEN[:end])
    for _ in range(1000):
        forged = bytearray(GOLDEN)
        for _ in range(chance.choice((1, 1, 2, 4))):
            forged[chance.randrange(len(forged))] = chance.choice((0, 1, 0x80, 0xC0, 0xF8, 0xFF, chance.randrange(256)))
        try:
            accesses = Accesses.decode(bytes(forged))
        except (DecodeError, UnusableInput):
            continue
        assert accesses.encode() == forged
        State().apply(accesses)


def test_two_changes_of_one_transaction_have_no_encoding():
    block, state = recorded_block()
    accesses = execute_block(block, state, record=True).accesses
    twice = replace(accesses, accounts=accesses.accounts[[*range(len(accesses.accounts)), 0]].copy())
    with pytest.raises(UnusableInput, match=f"accesses of 0x{SENDER.hex()}: two rows of index 1 change the balance"):
        twice.encode()


def test_a_list_whose_code_is_not_there_has_no_encoding():
    block, state = recorded_block()
    accesses = execute_block(block, state.copy(), record=True).accesses
    rows = accesses.accounts.copy()
    rows["writes"][0] |= 4
    rows["code"][0] = 7
    wrong = replace(accesses, accounts=rows)
    for use in (wrong.encode, lambda: wrong.hash, lambda: state.apply(wrong)):
        with pytest.raises(UnusableInput, match="a row has code 7, there are 0"):
            use()
