"""Bad input: each wrong thing gives a typed exception that names it; nothing crashes, hangs, or is half applied."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from random import Random

import pytest
from differential.scenarios import address_of, make_case
from helpers import ALICE, BOB, CONTRACT, ETHER, FORK_NAMES, OTHER, header

from evmcore import (
    Account,
    Block,
    DecodeError,
    EvmError,
    ExecutionAborted,
    Header,
    InvalidBlock,
    InvalidTransaction,
    MissingState,
    ResourceLimit,
    State,
    Transaction,
    UnusableInput,
    Withdrawal,
    assemble,
    call,
    execute_block,
    keccak256,
    recover_senders,
    rlp,
    run,
    transact,
)
from evmcore.example.generate import EXAMPLE_FILE

KEY = bytes(31) + b"\x07"


def signed(**fields) -> Transaction:
    return Transaction(
        **{"to": BOB, "gas_limit": 100_000, "nonce": 3, "value": 10**18, "data": b"some data", **fields}
    ).sign(KEY)


SIGNED = {
    "legacy": signed(gas_price=9, chain_id=1),
    "access list": signed(type=1, gas_price=9, access_list=[(BOB, [1, 2])]),
    "dynamic fee": signed(type=2, max_fee_per_gas=9, access_list=[(BOB, [])]),
    "blob": signed(type=3, max_fee_per_gas=9, max_fee_per_blob_gas=2, blob_versioned_hashes=[b"\1" * 32] * 2),
    "set code": signed(type=4, max_fee_per_gas=9, authorization_list=[(1, BOB, 1, 1, 5, 6)] * 2),
}
each_type = pytest.mark.parametrize("raw", [tx.encode() for tx in SIGNED.values()], ids=SIGNED)


def fields_of(raw: bytes) -> list:
    return rlp.decode(raw if raw[0] >= 0xC0 else raw[1:], "transaction")


def with_fields(raw: bytes, items: list) -> bytes:
    return (b"" if raw[0] >= 0xC0 else raw[:1]) + rlp.encode(items)


# ---------------------------------------------------------------- transactions as bytes


@each_type
def test_a_transaction_cut_off_anywhere_is_refused(raw):
    for size in range(len(raw)):
        with pytest.raises(DecodeError) as caught:
            Transaction.decode(raw[:size])
        assert caught.value.field
        assert str(caught.value)


@each_type
def test_bytes_behind_a_transaction_are_refused(raw):
    for tail in (b"\0", b"\xc0", raw):
        with pytest.raises(DecodeError) as caught:
            Transaction.decode(raw + tail)
        assert caught.value.status == "RLP_TRAILING_BYTES"


@each_type
def test_a_transaction_with_a_field_too_few_or_too_many_is_refused(raw):
    items = fields_of(raw)
    for wrong, status in (
        (items[:-1], "RLP_TOO_FEW_FIELDS"),
        ([*items, b"\1"], "RLP_TOO_MANY_FIELDS"),
        ([], "RLP_TOO_FEW_FIELDS"),
    ):
        with pytest.raises(DecodeError) as caught:
            Transaction.decode(with_fields(raw, wrong))
        assert caught.value.status == status


@each_type
def test_a_field_of_another_kind_is_refused_by_name(raw):
    """A list where a string belongs, and a string where a list belongs."""
    items = fields_of(raw)
    for place, item in enumerate(items):
        other = b"x" if isinstance(item, list) else [item]
        with pytest.raises(DecodeError) as caught:
            Transaction.decode(with_fields(raw, [*items[:place], other, *items[place + 1 :]]))
        assert caught.value.status in ("RLP_EXPECTED_STRING", "RLP_EXPECTED_LIST")
        assert caught.value.field


@each_type
def test_numbers_with_leading_zeros_or_too_many_bytes_are_refused(raw):
    items = fields_of(raw)
    for place, item in enumerate(items):
        if isinstance(item, list) or len(item) in (20, 9):  # the receiver, the data
            continue
        for wrong, status in (
            (b"\0" + item, "RLP_LEADING_ZEROS"),
            (b"\0", "RLP_LEADING_ZEROS"),
            (b"\1" * 33, "RLP_NUMBER_TOO_LARGE"),
        ):
            with pytest.raises(DecodeError) as caught:
                Transaction.decode(with_fields(raw, [*items[:place], wrong, *items[place + 1 :]]))
            assert caught.value.status == status, (place, wrong)


@each_type
def test_a_receiver_of_another_length_is_refused(raw):
    items = fields_of(raw)
    place = next(place for place, item in enumerate(items) if item == BOB)
    for wrong in (BOB[:19], BOB + b"\1", b"\0", b"\1"):
        with pytest.raises(DecodeError) as caught:
            Transaction.decode(with_fields(raw, [*items[:place], wrong, *items[place + 1 :]]))
        assert (caught.value.status, "to" in caught.value.field) == ("RLP_WRONG_LENGTH", True)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        ("", "RLP_TRUNCATED"),
        ("05c0", "TYPE_NOT_SUPPORTED"),
        ("7fc0", "TYPE_NOT_SUPPORTED"),
        ("00c0", "TYPE_NOT_SUPPORTED"),
        ("80", "RLP_EXPECTED_LIST"),
        ("b838" + "00" * 56, "RLP_EXPECTED_LIST"),
        ("f800", "RLP_NON_CANONICAL"),
        ("f83700", "RLP_NON_CANONICAL"),
        ("f90000", "RLP_NON_CANONICAL"),
        ("ffffffffffffffffff", "RLP_TRUNCATED"),
        ("ff", "RLP_TRUNCATED"),
        ("01", "RLP_TRUNCATED"),
        ("c28101" + "", "RLP_NON_CANONICAL"),
    ],
)
def test_bytes_that_are_no_transaction(raw, status):
    with pytest.raises(DecodeError) as caught:
        Transaction.decode(bytes.fromhex(raw))
    assert caught.value.status == status


def test_any_bytes_at_all_are_decoded_or_refused():
    """What is decoded has the same bytes again: RLP has one form for each thing."""
    random = Random(11)
    originals = [tx.encode() for tx in SIGNED.values()]
    decoded = 0
    for _ in range(20_000):
        raw = bytearray(random.choice(originals))
        for _ in range(random.randrange(1, 4)):
            kind = random.randrange(3)
            at = random.randrange(len(raw))
            if kind == 0:
                raw[at] = random.randrange(256)
            elif kind == 1:
                del raw[at : at + random.randrange(1, 4)]
            else:
                raw[at:at] = random.randbytes(random.randrange(1, 4))
            if not raw:
                raw = bytearray(b"\1")
        try:
            tx = Transaction.decode(bytes(raw))
        except DecodeError:
            continue
        decoded += 1
        assert tx.encode() == bytes(raw)
        assert tx.hash == keccak256(bytes(raw))
    assert decoded > 100


# ---------------------------------------------------------------- blocks and headers as bytes


def example_block() -> Block:
    return Block(
        Header(fork="Shanghai", base_fee_per_gas=7, withdrawals_root=bytes(32), extra_data=b"extra"),
        tuple(SIGNED.values()),
        (),
        (Withdrawal(1, 2, BOB, 3),),
    )


def test_a_block_goes_there_and_back():
    block = example_block()
    again = Block.decode(block.encode(), fork="Shanghai")
    assert (again.header, again.transactions, again.withdrawals) == (
        block.header,
        block.transactions,
        block.withdrawals,
    )
    assert again.encode() == block.encode()


def test_a_block_cut_off_anywhere_is_refused():
    raw = example_block().encode()
    for size in range(len(raw)):
        with pytest.raises(DecodeError):
            Block.decode(raw[:size])


def test_any_bytes_at_all_are_a_block_or_refused():
    random = Random(12)
    original = example_block().encode()
    for _ in range(3000):
        raw = bytearray(original)
        for _ in range(random.randrange(1, 3)):
            raw[random.randrange(len(raw))] = random.randrange(256)
        try:
            block = Block.decode(bytes(raw))
        except EvmError:
            continue
        assert block.encode() == bytes(raw)


def test_a_broken_transaction_of_a_block_is_named_by_its_place():
    header_rlp = rlp.decode(Header(fork="London", base_fee_per_gas=0).encode(), "header")
    bad = SIGNED["legacy"].encode()[:-1]
    good = fields_of(SIGNED["legacy"].encode())
    with pytest.raises(DecodeError) as caught:
        Block.decode(rlp.encode([header_rlp, [good, b"\2" + bad[1:]], []]), fork="London")
    assert caught.value.index == 1


def test_lists_nested_deep_are_refused_and_do_not_overflow_the_stack():
    nested = b"\xc0"
    for _ in range(5000):
        nested = rlp.encode_list([nested])
    for decode in (Transaction.decode, Block.decode, Header.decode):
        with pytest.raises(DecodeError):
            decode(nested)


# ---------------------------------------------------------------- signatures


def test_a_wrong_signature_names_its_transaction():
    good, bad = SIGNED["legacy"], Transaction(to=BOB, v=27, r=5, s=1)
    with pytest.raises(InvalidTransaction) as caught:
        recover_senders([good, bad], workers=2)
    assert (caught.value.status, caught.value.index) == ("INVALID_SIGNATURE", 1)


def test_a_flipped_bit_gives_another_sender_or_none():
    tx = SIGNED["dynamic fee"]
    assert tx.sender == address_of(KEY)
    for bit in range(0, 256, 7):
        changed = with_fields(
            tx.encode(), [*fields_of(tx.encode())[:-2], rlp.number(tx.r ^ 1 << bit), rlp.number(tx.s)]
        )
        try:
            assert Transaction.decode(changed).sender != address_of(KEY)
        except InvalidTransaction as error:
            assert error.status == "INVALID_SIGNATURE"  # noqa: PT017 (it may also succeed)


# ---------------------------------------------------------------- quantities and arguments


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("nonce", -1), ("nonce", 2**64), ("gas_limit", -1), ("gas_limit", 2**64), ("value", -1), ("value", 2**256),
        ("gas_price", 2**256), ("gas_price", -1), ("chain_id", 2**256), ("r", 2**256), ("s", -1), ("to", BOB[:19]), ("to", "0x12"),
        ("to", "0xzz"), ("sender", b""), ("data", "0x1"), ("data", 5), ("access_list", [(BOB, [2**256])]),
        ("blob_versioned_hashes", [bytes(31)]), ("authorization_list", [(1, BOB, 2**64, 0, 1, 1)]), ("nonce", 1.5), ("nonce", "x"),
        ("value", None),
    ],
)  # fmt: skip
def test_a_transaction_s_quantity_out_of_range_is_named(field, value):
    with pytest.raises((ValueError, TypeError), match=rf"^{field}: "):
        Transaction(**{"to": BOB, "sender": ALICE, field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", -1), ("number", 2**64), ("timestamp", 2**64), ("gas_limit", -1), ("base_fee_per_gas", 2**256), ("difficulty", -1),
        ("coinbase", BOB[:19]), ("mix_hash", bytes(31)), ("logs_bloom", bytes(255)), ("nonce", bytes(9)), ("chain_id", -1),
        ("excess_blob_gas", 2**64), ("parent_hash", "0x12"),
    ],
)  # fmt: skip
def test_a_header_s_quantity_out_of_range_is_named(field, value):
    with pytest.raises((ValueError, TypeError), match=f"{field}"):
        Header(**{field: value})


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("balance", ("set_balance", ALICE, -1)),
        ("balance", ("set_balance", ALICE, 2**256)),
        ("nonce", ("set_nonce", ALICE, 2**64)),
        ("slot", ("set_storage", ALICE, 2**256, 1)),
        ("value", ("set_storage", ALICE, 1, -1)),
        ("slot", ("get_storage", ALICE, -1)),
        ("address", ("get_balance", ALICE[:19])),
        ("address", ("get_balance", "0x12")),
        ("address", ("get_balance", 5)),
        ("code", ("set_code", ALICE, 5)),
        ("code", ("set_code", ALICE, "0xzz")),
        ("address", ("set_balance", None, 1)),
    ],
)
def test_a_state_s_argument_out_of_range_is_named_and_changes_nothing(name, arguments):
    state = State({ALICE: {"balance": 1}})
    before = state.root()
    method, *rest = arguments
    with pytest.raises((ValueError, TypeError), match=rf"^{name}: "):
        getattr(state, method)(*rest)
    assert state.root() == before


def test_an_account_that_is_wrong_somewhere_is_not_half_set():
    state = State({ALICE: {"balance": 1, "storage": {1: 1}}})
    for wrong in (
        {"balance": 5, "storage": {1: -1}},
        {"balance": 5, "nonce": 2**64},
        {"balance": 5, "code": "0xz"},
        {"balance": "five"},
    ):
        with pytest.raises((ValueError, TypeError)):
            state.set_account(ALICE, wrong)
        assert state.get_account(ALICE) == Account(1, 0, b"", {1: 1})


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("gas", {"gas": -1}),
        ("gas", {"gas": 2**63}),
        ("value", {"value": -1}),
        ("fork", {"fork": "Atlantis"}),
        ("data", {"data": "0x1"}),
        ("sender", {"sender": b"12"}),
    ],
)
def test_a_run_s_argument_out_of_range_is_named(name, options):
    with pytest.raises((ValueError, TypeError), match=name):
        run(b"\0", **options)


def test_a_call_beyond_the_funds_is_refused():
    with pytest.raises(InvalidTransaction) as caught:
        call(State({ALICE: {"balance": 4}}), header(), sender=ALICE, to=BOB, value=5)
    assert (caught.value.status, caught.value.have, caught.value.want) == ("INSUFFICIENT_FUNDS", 4, 5)


def test_an_excess_that_makes_no_price_is_named():
    with pytest.raises(ValueError, match="excess_blob_gas"):
        run(b"\0", header=Header(fork="Cancun", excess_blob_gas=2**63))


# ---------------------------------------------------------------- files


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\0\1\2", b"not json", b"[]", b"5", b"null", b'{"format": "mainnet-block/1"}', b'{"format": "other/1"}', b"{" * 100_000,
        gzip.compress(b"not json"), gzip.compress(b'{"format": "mainnet-block/1"}')[:-5], b"\x1f\x8b" + bytes(20), b'"\xff\xfe"',
    ],
)  # fmt: skip
def test_a_file_that_is_no_block_is_named_with_the_reason(tmp_path, content):
    path = write(tmp_path / "block.json.gz", content)
    with pytest.raises(UnusableInput, match=r"block\.json\.gz"):
        Block.load(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UnusableInput, match="nowhere"):
        Block.load(tmp_path / "nowhere.json")
    with pytest.raises(UnusableInput):
        Block.load(tmp_path)


def example_json() -> dict:
    raw = Path(EXAMPLE_FILE).read_bytes()
    return json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)


def paths_in(value, at=()):
    """The way to every member of the file, but one address and slot of each account is enough."""
    if isinstance(value, dict):
        for key in list(value)[:25]:
            yield (*at, key)
            yield from paths_in(value[key], (*at, key))
    elif isinstance(value, list):
        for place in range(min(1, len(value))):
            yield from paths_in(value[place], (*at, place))


NOT_NEEDED = {
    "source",
    "rules",
    "expected",
    "ommerHashes",
    "preStateComplete",
    "totalDifficulty",
    "hash",
    "name",
    "description",
}


@pytest.mark.parametrize("wrong", ["missing", "null", "negative", "oversized", "another kind"])
def test_any_member_of_a_block_file_may_be_wrong(tmp_path, wrong):
    """A member that is missing or wrong is refused by name, or is one that the file may do without. Nothing else is raised."""
    original = example_json()
    refused = 0
    for way in paths_in(original):
        changed = json.loads(json.dumps(original))
        holder = changed
        for key in way[:-1]:
            holder = holder[key]
        if wrong == "missing":
            del holder[way[-1]]
        else:
            holder[way[-1]] = {
                "null": None,
                "negative": "-0x1",
                "oversized": "0x" + "f" * 600,
                "another kind": [{"a": 1}],
            }[wrong]
        try:
            Block.from_json(changed)
        except UnusableInput as error:
            refused += 1
            assert str(error)  # noqa: PT017 (it may also succeed)
        except DecodeError as error:
            refused += 1
            assert error.field  # noqa: PT017 (it may also succeed)
    assert refused > 20


# ---------------------------------------------------------------- programs that want too much


def test_code_of_ten_megabytes_runs():
    code = b"\x5b" * (10 * 1024 * 1024)
    state = State({CONTRACT: {"code": code}})
    assert state.get_code(CONTRACT) == code
    assert call(state, header(), to=CONTRACT, gas=100_000_000).gas_used == len(code)
    assert run(code + assemble("PUSH 1 PUSH 2 ADD"), gas=100_000_000).gas_used == len(code) + 9


def test_code_beyond_any_sense_is_refused_by_name():
    with pytest.raises(ValueError, match=r"^code: "):
        State().set_code(CONTRACT, bytes(64 * 1024 * 1024 + 1))


@pytest.mark.parametrize(
    "instruction",
    [
        "MLOAD",
        "PUSH1 1 SWAP1 MSTORE",
        "PUSH1 1 SWAP1 MSTORE8",
        "PUSH1 1 SWAP1 KECCAK256",
        "PUSH1 1 SWAP1 RETURN",
        "PUSH1 0 PUSH1 0 CALLDATACOPY",
    ],
)
@pytest.mark.parametrize("offset", [2**30, 2**32, 2**40, 2**41, 2**63, 2**64 - 32, 2**255])
def test_absurd_gas_and_a_far_offset_end_in_a_limit_or_out_of_gas(instruction, offset):
    """With 2**63 - 1 gas memory of terabytes can be paid; nobody has it."""
    try:
        result = run(assemble(f"PUSH32 {offset} {instruction}"), gas=2**63 - 1)
    except ResourceLimit as error:
        assert "memory" in str(error)  # noqa: PT017 (it may also succeed)
    else:
        assert result.outcome in ("OUT_OF_GAS", "SUCCESS")
    assert run(assemble("PUSH 1 MLOAD"), gas=100).succeeded, "the next run is as if nothing had been"


def test_memory_is_bounded_over_all_frames_too():
    """Each frame takes 100 MB and calls itself."""
    state = State(
        {
            CONTRACT: {
                "code": assemble("PUSH4 100000000 MLOAD POP PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 ADDRESS GAS CALL")
            }
        }
    )
    with pytest.raises(ResourceLimit):
        call(state, header(), to=CONTRACT, gas=2**62)


def test_a_limit_leaves_the_state_of_a_transaction_alone():
    state = State(
        {ALICE: {"balance": ETHER}, CONTRACT: {"code": assemble("PUSH1 1 PUSH1 1 SSTORE PUSH5 0x0100000000 MLOAD")}}
    )
    before = state.root()
    block = header(fork="Prague", gas_limit=2**63 - 1)
    with pytest.raises(ResourceLimit):
        transact(Transaction(to=CONTRACT, gas_limit=2**62, sender=ALICE), state, block)
    assert state.root() == before


@pytest.mark.parametrize("fork", ["Homestead", "BPO2"])
def test_recursion_ends_at_1024_and_not_in_the_thread_s_stack(fork):
    """In a thread with the smallest stack there is."""
    state = State(
        {CONTRACT: {"code": assemble("PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 ADDRESS PUSH2 9000 GAS SUB CALL")}}
    )
    results = []
    size = threading.stack_size(128 * 1024)
    try:
        thread = threading.Thread(target=lambda: results.append(call(state, header(fork=fork), to=CONTRACT, gas=2**60)))
        thread.start()
    finally:
        threading.stack_size(size)
    thread.join(60)
    assert results
    assert results[0].succeeded


def test_creation_recursion_ends_too():
    """Init code that creates with its own code, all the way down."""
    again = "CODESIZE PUSH1 0 PUSH1 0 CODECOPY CODESIZE PUSH1 0 PUSH1 0 CREATE PUSH1 0 PUSH1 0 RETURN"
    assert call(State(), header(fork="Homestead"), to=None, data=assemble(again), gas=2**40).succeeded


def test_a_log_and_an_output_of_many_megabytes():
    result = run(assemble("PUSH4 50000000 PUSH1 0 LOG0 PUSH4 50000000 PUSH1 0 RETURN"), gas=2**50)
    assert (len(result.logs[0].data), len(result.output)) == (50_000_000, 50_000_000)


# ---------------------------------------------------------------- Ctrl-C

ENDLESS = textwrap.dedent("""
    import sys, time
    from evmcore import *
    from evmcore.accesses import Accesses
    spin = assemble("again: PUSH @again JUMP")
    calls = assemble("again: PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 99 GAS CALL POP PUSH @again JUMP")
    code = {{"spin": spin, "calls": calls}}["{program}"]
    sender, target = bytes([1]) * 20, bytes([2]) * 20
    state = State({{sender: {{"balance": 10**30}}, target: {{"code": code}}}})
    header = Header(fork="Prague", gas_limit=2**63 - 1)
    def tx(n):
        return Transaction(to=target, nonce=n, gas_limit=2**60, sender=sender)
    request = {{"nonce": 1, "code": "0x00"}}
    for address in ("0x00000961ef480eb55e80d19ad83579a64c007002", "0x0000bbddc7ce488642fb579f8b00f3a590007251"):
        state.set_account(address, request)
    before = state.root()
    print("ready", flush=True)
    try:
        {action}
    except KeyboardInterrupt:
        print("interrupted", state.root() == before, flush=True)
        assert run(assemble("PUSH 1")).succeeded
    else:
        print("went on", flush=True)
""")
ACTIONS = {
    "run": "run(code, gas=2**62)",
    "call": "call(state, header, to=target, gas=2**62)",
    "transact": "transact(tx(0), state, header)",
    "block": "execute_block(Block(header, [tx(0)], (), ()), state, workers=1)",
    "two workers": "execute_block(Block(header, [tx(n) for n in range(4)], (), ()), state, workers=2)",
    "groups": "execute_block(Block(header, [tx(n) for n in range(4)], (), ()), state, workers=2, strategy='groups')",
    "recorded": "execute_block(Block(header, [tx(n) for n in range(4)], (), ()), state, workers=2, strategy='recorded', "
    "accesses=Accesses())",
}
# What takes long in a precompile: input of some precompile, and the fork. All of them take seconds, and most take minutes.
PRECOMPILES = {
    "blake2f": ("Istanbul", 9, "b'\\xff' * 4 + bytes(209)"),
    "modexp with a long exponent": ("Byzantium", 5, "lengths(10**4, 10**4, 10**4) + bytes([255]) * 30_000"),
    "modexp of long odd numbers": ("Byzantium", 5, "lengths(2**21, 9, 2**21) + bytes([255]) * (2**22 + 9)"),
    "modexp of a long even number": (
        "Byzantium",
        5,
        "lengths(2**21, 9, 2**21) + bytes([255]) * 3_000_009 + bytes(2**20)",
    ),
    "bn254 pairings": ("Istanbul", 8, "pair_of_bn254 * 60_000"),
    "bls12 pairings": ("Prague", 15, "(g1 + g2) * 30_000"),
    "bls12 sums in g1": ("Prague", 12, "(g1 + bytes([255]) * 32) * 120_000"),
    "bls12 sums in g2": ("Prague", 14, "(g2 + bytes([255]) * 32) * 60_000"),
}


LONG_PRECOMPILE = textwrap.dedent("""
    from evmcore import *
    def at(number):
        return number.to_bytes(20, "big")
    def lengths(*sizes):
        return b"".join(size.to_bytes(32, "big") for size in sizes)
    prague = Header(fork="Prague")
    g1 = call(State(), prague, to=at(16), data=bytes(63) + bytes([1])).output
    g2 = call(State(), prague, to=at(17), data=bytes(127) + bytes([1])).output
    pair_of_bn254 = bytes.fromhex("{pair}")
    given = {given}
    state = State()
    before = state.root()
    print("ready", flush=True)
    try:
        call(state, Header(fork="{fork}"), to=at({number}), data=given, gas=2**62)
    except KeyboardInterrupt:
        print("interrupted", state.root() == before, flush=True)
        assert run(assemble("PUSH 1")).succeeded
    else:
        print("went on", flush=True)
""")
# The generators of its groups.
PAIR_OF_BN254 = (
    "0000000000000000000000000000000000000000000000000000000000000001"
    "0000000000000000000000000000000000000000000000000000000000000002"
    "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2"
    "1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"
    "090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b"
    "12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa"
)


def interrupt(script: str) -> float:
    """Run a script in a process of its own, press Ctrl-C a moment after it says that it began, and check that it
    stopped and says so; the seconds that took."""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.3)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        try:
            output, _ = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert (output, process.returncode) == ("interrupted True\n", 0)
    return time.monotonic() - sent


@pytest.mark.parametrize(
    ("action", "program"), [*((action, "spin") for action in ACTIONS), ("block", "calls"), ("two workers", "calls")]
)
def test_ctrl_c_ends_an_endless_run_at_once_and_the_state_is_as_before(action, program):
    """The bound is for busy machines."""
    interrupt(ENDLESS.format(action=ACTIONS[action], program=program))


@pytest.mark.parametrize("name", PRECOMPILES)
def test_ctrl_c_ends_a_long_precompile(name):
    """The bound is for busy machines, and for the process to end: the call itself ends within a tenth of a second."""
    fork, number, given = PRECOMPILES[name]
    assert interrupt(LONG_PRECOMPILE.format(fork=fork, number=number, given=given, pair=PAIR_OF_BN254)) < 5


# ---------------------------------------------------------------- threads


def test_blocks_run_from_several_threads_on_their_own_states():
    cases = [make_case(seed, "Cancun") for seed in range(300, 308)]
    from differential import subject

    alone = [subject.run(case) for case in cases]
    together: list = [None] * len(cases)

    def work(place: int) -> None:
        for _ in range(5):
            together[place] = subject.run(cases[place], workers=1 + place % 2)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(cases))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_calls_from_threads_see_the_state_before_or_after_a_write_and_nothing_between():
    """One thread writes the same number to a hundred slots at a time; each call adds up two of them."""
    program = assemble("PUSH1 99 SLOAD PUSH1 0 SLOAD SUB PUSH1 0 MSTORE PUSH1 32 PUSH1 0 RETURN")
    state = State({CONTRACT: {"code": program, "storage": dict.fromkeys(range(100), 1)}})
    stop = threading.Event()
    failures: list = []

    def reader() -> None:
        try:
            while not stop.is_set():
                result = call(state, header(), to=CONTRACT, gas=100_000)
                assert result.succeeded
                assert result.word in (0, 1), "slot 0 is written first, by one more each time"
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=reader) for _ in range(3)]
    for thread in threads:
        thread.start()
    for value in range(2, 60):
        for slot in range(100):
            state.set_storage(CONTRACT, slot, value)
        state.set_balance(bytes([value]) * 20, value)
        state.root()
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert call(state, header(), to=CONTRACT, gas=100_000).word == 0


def test_a_state_at_work_is_refused_to_others():
    """execute_block owns its state until it ends; whoever else asks is told so, and the block comes out right."""
    spin = assemble("PUSH3 400000 again: PUSH 1 SWAP1 SUB DUP1 PUSH @again JUMPI")
    state = State({ALICE: {"balance": ETHER}, CONTRACT: {"code": spin}})
    block = Block(
        header(fork="Cancun"),
        [Transaction(to=CONTRACT, nonce=n, gas_limit=14_000_000, sender=ALICE) for n in range(2)],
        (),
        (),
    )
    told, results = [], []
    thread = threading.Thread(target=lambda: results.append(execute_block(block, state, workers=1)))
    thread.start()
    while thread.is_alive():
        try:
            state.get_balance(ALICE)
        except EvmError as error:
            told.append(str(error))
    thread.join()
    assert results
    assert results[0].gas_used > 20_000_000
    assert all("in use" in text for text in told)
    assert state.get_nonce(ALICE) == 2


# ---------------------------------------------------------------- anything


@pytest.mark.parametrize("fork", FORK_NAMES)
def test_random_bytes_run_and_end(fork):
    random = Random(fork)
    state = State({OTHER: {"balance": 5, "code": assemble("PUSH1 1 PUSH1 1 SSTORE")}})
    for _ in range(300):
        code = random.randbytes(random.randrange(1, 200))
        result = run(code, random.randbytes(40), gas=random.randrange(300_000), fork=fork, state=state)
        assert result.gas_used >= 0
        assert result.status in ("success", "revert", "halt")


def test_errors_are_all_of_one_family():
    for kind in (
        DecodeError,
        ExecutionAborted,
        InvalidBlock,
        InvalidTransaction,
        MissingState,
        ResourceLimit,
        UnusableInput,
    ):
        assert issubclass(kind, EvmError)
