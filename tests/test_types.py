"""The values: headers, blocks, receipts and exceptions, there and back, and what they refuse."""

import ast
import inspect
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import evmcore
from evmcore import (
    Account,
    Block,
    CallResult,
    DecodeError,
    Header,
    InvalidBlock,
    InvalidTransaction,
    Log,
    MissingState,
    Receipt,
    State,
    Transaction,
    UnusableInput,
    Withdrawal,
    _core,
    rlp,
    to_address,
)
from evmcore.errors import not_rlp, rejection

ADDRESS = bytes(range(20))
KEY = b"\x11" * 32

# Mainnet's genesis block: the fields, and its hash as everybody knows it.
GENESIS = {
    "parentHash": "0x" + "00" * 32,
    "sha3Uncles": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
    "miner": "0x" + "00" * 20,
    "stateRoot": "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544",
    "transactionsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
    "receiptsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
    "logsBloom": "0x" + "00" * 256,
    "difficulty": "0x400000000",
    "number": "0x0",
    "gasLimit": "0x1388",
    "gasUsed": "0x0",
    "timestamp": "0x0",
    "extraData": "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa",
    "mixHash": "0x" + "00" * 32,
    "nonce": "0x0000000000000042",
}
GENESIS_HASH = "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"

# The fields that later forks added, in their order.
LATER = {
    "base_fee_per_gas": 7,
    "withdrawals_root": b"\x01" * 32,
    "blob_gas_used": 131072,
    "excess_blob_gas": 0,
    "parent_beacon_block_root": b"\x02" * 32,
    "requests_hash": b"\x03" * 32,
    "block_access_list_hash": b"\x04" * 32,
    "slot_number": 2**64 - 1,
}


def header_with(count):
    """A header with the first `count` of the later fields."""
    return Header(number=5, fork="Osaka", **dict(list(LATER.items())[:count]))


def signed(**fields):
    return Transaction(**fields).sign(KEY)


# ------------------------------------------------------------------------------------------------- headers


def test_the_genesis_header_has_its_hash():
    header = Header.from_json(GENESIS, fork="Frontier")
    assert header.hash.hex() == GENESIS_HASH
    assert header.to_json() == {"hash": "0x" + GENESIS_HASH, **GENESIS}


@pytest.mark.parametrize("count", range(len(LATER) + 1))
def test_headers_of_every_age_survive_rlp_and_json(count):
    header = header_with(count)
    assert Header.decode(header.encode(), fork="Osaka") == header
    assert Header.from_json(header.to_json(), fork="Osaka") == header


def test_a_header_without_a_field_in_the_middle_has_no_encoding():
    with pytest.raises(UnusableInput, match=r"header\.withdrawals_root: missing"):
        Header(base_fee_per_gas=7, blob_gas_used=0).encode()


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("number", -1, "header.number: -1 is negative"),
        ("gas_limit", 1 << 64, "header.gas_limit: a number of 65 bits, may have 64"),
        ("timestamp", "now", "header.timestamp: 'now' is not a number"),
        ("gas_used", True, "header.gas_used: True is not a number"),
        ("parent_hash", b"short", "header.parent_hash: has 5 bytes, wants 32"),
        ("coinbase", "0x12", "header.coinbase: has 1 bytes, wants 20"),
        ("state_root", None, "header.state_root: None is not bytes"),
    ],
)
def test_headers_refuse_what_no_header_holds(field, value, reason):
    with pytest.raises(UnusableInput) as refused:
        Header(**{field: value})
    assert str(refused.value) == reason


def test_addresses_may_be_given_as_text():
    assert Header(coinbase="0x" + ADDRESS.hex().upper()).coinbase == ADDRESS
    assert to_address("0x" + ADDRESS.hex()) == to_address(bytearray(ADDRESS)) == ADDRESS
    for bad in ("0x" + "g" * 40, "0x" + " 0" * 20, b"", 7):
        with pytest.raises(UnusableInput, match="address"):
            to_address(bad)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda raw: raw[:-1], "RLP_TRUNCATED"),
        (lambda raw: raw + b"\0", "RLP_TRAILING_BYTES"),
        (lambda raw: b"", "RLP_TRUNCATED"),
        (lambda raw: b"\x80", "RLP_EXPECTED_LIST"),
        (lambda raw: b"\xc0", "RLP_TOO_FEW_FIELDS"),
        (lambda raw: b"\xf8\x05" + b"\x80" * 5, "RLP_NON_CANONICAL"),
        (lambda raw: rlp.encode([*rlp.decode(raw), b"1"]), "RLP_TOO_MANY_FIELDS"),
        (lambda raw: rlp.encode([b"\0" * 31, *rlp.decode(raw)[1:]]), "RLP_WRONG_LENGTH"),
        (lambda raw: rlp.encode([*rlp.decode(raw)[:8], b"\0\x05", *rlp.decode(raw)[9:]]), "RLP_LEADING_ZEROS"),
        (lambda raw: rlp.encode([*rlp.decode(raw)[:8], b"\x05" * 9, *rlp.decode(raw)[9:]]), "RLP_NUMBER_TOO_LARGE"),
        (lambda raw: rlp.encode([*rlp.decode(raw)[:8], [b""], *rlp.decode(raw)[9:]]), "RLP_EXPECTED_STRING"),
    ],
)
def test_a_damaged_header_is_refused_by_name(change, status):
    with pytest.raises(DecodeError) as refused:
        Header.decode(change(header_with(len(LATER)).encode()))
    assert refused.value.status == status
    assert refused.value.exception == status.replace("RLP_", "RLPException.")
    assert refused.value.field.startswith("header")


# ------------------------------------------------------------------------------------------------- blocks


def whole_block():
    transactions = (
        signed(type=0, nonce=0, gas_price=9, to=ADDRESS, value=1, chain_id=1),
        signed(type=1, nonce=1, gas_price=9, to=None, data=b"\0", chain_id=1, access_list=[(ADDRESS, (1, 2))]),
        signed(type=2, nonce=2, max_fee_per_gas=9, to=ADDRESS, chain_id=1),
    )
    withdrawals = (Withdrawal(0, 1, ADDRESS, 2), Withdrawal(2**64 - 1, 0, "0x" + "ff" * 20, 0))
    return Block(header_with(len(LATER)), transactions, (header_with(0),), withdrawals)


def contents(block):
    return (block.header, [tx.raw for tx in block.transactions], block.ommers, block.withdrawals)


@pytest.mark.parametrize("withdrawals", [None, (), (Withdrawal(0, 1, ADDRESS, 2),)])
def test_blocks_survive_rlp(withdrawals):
    block = whole_block()
    block.withdrawals = withdrawals
    assert contents(Block.decode(block.encode(), fork="Osaka")) == contents(block)


def test_every_truncation_of_a_block_is_refused():
    encoded = whole_block().encode()
    for size in range(len(encoded)):
        with pytest.raises(DecodeError):
            Block.decode(encoded[:size])


@given(st.integers(min_value=0), st.integers(min_value=0, max_value=255))
def test_a_block_with_a_changed_byte_is_another_block_or_none(position, byte):
    encoded = bytearray(whole_block().encode())
    position %= len(encoded)
    encoded[position] = byte
    try:
        block = Block.decode(bytes(encoded), fork="Osaka")
    except DecodeError:
        return
    assert block.encode() == encoded


@given(st.binary(max_size=200))
def test_bytes_that_are_no_block_are_refused(junk):
    with pytest.raises(DecodeError):
        Block.decode(junk)


def test_a_bad_transaction_is_named_by_its_place():
    parts = rlp.decode(whole_block().encode())
    parts[1] = [parts[1][0], b"\x02\xc0"]
    with pytest.raises(DecodeError, match="transaction 1") as refused:
        Block.decode(rlp.encode(parts))
    assert refused.value.index == 1


def test_a_typed_transaction_has_to_be_a_string_and_a_legacy_one_a_list():
    parts = rlp.decode(whole_block().encode())
    parts[1] = [rlp.encode(parts[1][0])]
    with pytest.raises(DecodeError) as refused:
        Block.decode(rlp.encode(parts))
    assert refused.value.status == "RLP_EXPECTED_LIST"


# ------------------------------------------------------------------------------------------------- RLP

items = st.recursive(st.binary(max_size=70), lambda inner: st.lists(inner, max_size=5), max_leaves=20)


@given(items)
def test_rlp_survives_itself(item):
    assert rlp.decode(rlp.encode(item)) == item


@given(st.binary(max_size=80))
def test_rlp_reads_the_canonical_form_alone(encoded):
    try:
        item = rlp.decode(encoded)
    except DecodeError:
        return
    assert rlp.encode(item) == encoded


def test_rlp_does_not_believe_a_length():
    with pytest.raises(DecodeError):
        rlp.decode(b"\xbf" + b"\xff" * 8)


def test_rlp_has_a_bottom():
    deep = b""
    for _ in range(1000):
        deep = rlp.encode_list([deep or rlp.encode([])])
    with pytest.raises(DecodeError) as refused:
        rlp.decode(deep)
    assert refused.value.status == "RLP_TOO_DEEP"


# ------------------------------------------------------------------------------------------------- results


def test_receipts_encode_as_the_trie_wants_them():
    log = Log(ADDRESS, (b"\1" * 32,), b"data")
    receipt = Receipt(2, 1, 21000, 21000, (log,), bytes(256))
    kind, status, gas, bloom, logs = receipt.encode()[0], *rlp.decode(receipt.encode()[1:])
    assert (kind, status, gas, bloom) == (2, b"\1", (21000).to_bytes(2, "big"), bytes(256))
    assert logs == [[ADDRESS, [b"\1" * 32], b"data"]]
    before_byzantium = Receipt(0, None, 21000, 21000, (), bytes(256), state_root=b"\2" * 32)
    assert rlp.decode(before_byzantium.encode())[0] == b"\2" * 32
    failed = Receipt(0, 0, 21000, 21000, (), bytes(256), outcome="OUT_OF_GAS")
    assert rlp.decode(failed.encode())[0] == b""
    assert (failed.is_success, failed.error) == (False, "out of gas")


def test_a_call_tells_why_it_failed():
    reason = bytes.fromhex("08c379a0") + (32).to_bytes(32, "big") + (5).to_bytes(32, "big") + b"broke".ljust(32, b"\0")
    assert CallResult("REVERT", 1, 2, 0, reason, ()).error == "revert: broke"
    assert CallResult("REVERT", 1, 2, 0, reason[:70], ()).error == "revert"
    assert CallResult("BAD_JUMP_DESTINATION", 1, 0, 0, b"", ()).error == "bad jump destination"
    done = CallResult("SUCCESS", 1, 2, 0, (7).to_bytes(32, "big") + b"more", ())
    assert (done.error, done.is_success, done.word) == (None, True, 7)


def test_accounts_know_their_code_hash_and_emptiness():
    assert Account().code_hash == evmcore.keccak256(b"")
    assert Account(code=b"\0").code_hash == evmcore.keccak256(b"\0")
    assert Account(storage={1: 2}).is_empty
    assert not Account(nonce=1).is_empty


# ------------------------------------------------------------------------------------------------- exceptions


def test_a_rejection_names_the_thing_and_both_numbers():
    error = rejection("NONCE_TOO_LOW", "TransactionException.NONCE_MISMATCH_TOO_LOW", index=3, have=4, want=7)
    assert isinstance(error, InvalidTransaction)
    assert str(error) == "transaction 3: nonce too low: transaction has 4, account has 7"
    assert (error.status, error.index, error.have, error.want) == ("NONCE_TOO_LOW", 3, 4, 7)


def test_the_row_decides_the_exception():
    for row in evmcore.STATUSES:
        if row.kind == "INVALID":
            error = rejection(row.name, row.text)
            assert isinstance(error, InvalidBlock) == row.text.startswith("BlockException.")
            assert isinstance(error, DecodeError) == row.text.startswith("RLPException.")
            assert error.exception == row.text
            assert str(error)


@pytest.mark.parametrize(
    "error",
    [
        rejection("NONCE_TOO_LOW", "TransactionException.NONCE_MISMATCH_TOO_LOW", index=3, have=4, want=7),
        not_rlp("RLP_TRUNCATED", "header.number", index=1),
        MissingState(ADDRESS, 5),
        UnusableInput("block.json.gz: not JSON"),
    ],
)
def test_exceptions_go_through_pickle(error):
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_missing_state_names_the_key():
    assert str(MissingState(ADDRESS, 5)) == f"missing state: slot 0x5 of account 0x{ADDRESS.hex()}"
    assert isinstance(MissingState(ADDRESS), KeyError)
    with pytest.raises(MissingState) as missing:
        State(strict=True).get_balance(ADDRESS)
    assert (missing.value.address, missing.value.slot) == (ADDRESS, None)


def test_the_stubs_name_the_parameters_that_there_are():
    """evmcore/_core.pyi is written by hand; editors and type checkers believe it."""
    stub = ast.parse((Path(evmcore.__file__).parent / "_core.pyi").read_text())
    compared = 0
    for scope, body in [(_core, stub.body)] + [
        (getattr(_core, node.name), node.body)
        for node in stub.body
        if isinstance(node, ast.ClassDef) and hasattr(_core, node.name)
    ]:
        for node in body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("__") or node.decorator_list:
                continue
            positional = (*node.args.posonlyargs, *node.args.args)
            told = [argument.arg for argument in (*positional, *node.args.kwonlyargs)]
            told += [rest.arg for rest in (node.args.vararg, node.args.kwarg) if rest is not None]
            assert told == list(inspect.signature(getattr(scope, node.name)).parameters), node.name
            compared += 1
    assert compared > 50
