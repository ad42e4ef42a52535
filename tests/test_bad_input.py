"""Bad input: each wrong thing gives a typed exception that names it; nothing crashes, hangs, or is half applied."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random

import pytest
from differential.scenarios import address_of
from helpers import ALICE, BOB, FORK_NAMES, OTHER, header

from evmcore import (
    STATUSES,
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
    keccak256,
    recover_senders,
    rlp,
    run,
)
from evmcore.example.generate import EXAMPLE_FILE

KEY = bytes(31) + b"\x07"
KINDS = {row.name: row.kind for row in STATUSES}


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
    ids=range(13),
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


# ---------------------------------------------------------------- anything


@pytest.mark.parametrize("fork", FORK_NAMES)
def test_random_bytes_run_and_end(fork):
    random = Random(fork)
    state = State({OTHER: {"balance": 5, "code": assemble("PUSH1 1 PUSH1 1 SSTORE")}})
    for _ in range(300):
        code = random.randbytes(random.randrange(1, 200))
        result = run(code, random.randbytes(40), gas=random.randrange(300_000), fork=fork, state=state)
        assert result.gas_used >= 0
        assert KINDS[result.outcome] in ("OK", "REVERT", "HALT")
        assert result.is_success == (KINDS[result.outcome] == "OK")


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
