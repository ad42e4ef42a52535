"""The table of transaction fields: what clears, reads, writes, signs and shows them leaves none out, in no type."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from helpers import ALICE, BOB

from evmcore import TRANSACTION_TYPES, Transaction, rlp
from evmcore import _core as core
from evmcore._core import TRANSACTION_FIELDS, choose_fields
from evmcore.conformance.objects import transaction_of
from evmcore.errors import UnusableInput
from evmcore.estimation import with_gas

KEY = bytes(31) + b"\x07"
HASH = b"\x01" + bytes(31)
# Two values of each field, as the property gives them, and both as state tests write them. A new row wants its own.
SAMPLES = {
    "chain_id": ((1, 2), None),
    "nonce": ((3, 2**64 - 2), ("0x03", "0xfffffffffffffffe")),
    "gas_price": ((9, 2**256 - 1), ("0x09", "0x" + "ff" * 32)),
    "max_priority_fee_per_gas": ((1, 2), ("0x01", "0x02")),
    "max_fee_per_gas": ((9, 2**255), ("0x09", "0x80" + "00" * 31)),
    "gas_limit": ((21_000, 2**63), (["0x5208"], ["0x8000000000000000"])),
    "to": ((BOB, ALICE), ("0x" + BOB.hex(), "0x" + ALICE.hex())),
    "value": ((5, 2**200), (["0x05"], [hex(2**200)])),
    "data": ((b"data", b"\0" * 100), (["0x64617461"], ["0x" + "00" * 100])),
    "access_list": (
        (((BOB, (1, 2**256 - 1)), (ALICE, ())), ((BOB, (7,)),)),
        (
            [[{"address": "0x" + BOB.hex(), "storageKeys": ["0x01", "0x" + "ff" * 32]}, {"address": "0x" + ALICE.hex(), "storageKeys": []}]],
            [[{"address": "0x" + BOB.hex(), "storageKeys": ["0x07"]}]],
        ),
    ),
    "max_fee_per_blob_gas": ((5, 2**130), ("0x05", hex(2**130))),
    "blob_versioned_hashes": (((HASH,), (HASH, bytes(32))), (["0x" + HASH.hex()], ["0x" + HASH.hex(), "0x" + "00" * 32])),
    "authorization_list": (
        (((1, BOB, 2, 1, 5, 6),), ((0, ALICE, 2**64 - 1, 255, 2**256 - 1, 0),)),
        (
            [{"chainId": "0x01", "address": "0x" + BOB.hex(), "nonce": "0x02", "yParity": "0x01", "r": "0x05", "s": "0x06"}],
            [{"chainId": "0x00", "address": "0x" + ALICE.hex(), "nonce": "0xffffffffffffffff", "v": "0xff", "r": "0x" + "ff" * 32, "s": "0x00"}],
        ),
    ),
}  # fmt: skip
FIELDS = {field.name: field for field in TRANSACTION_FIELDS}
CASES = [(row, name) for row in TRANSACTION_TYPES for name in row.fields]
each_type = pytest.mark.parametrize("row", TRANSACTION_TYPES, ids=lambda row: row.name)
each_field_of_each_type = pytest.mark.parametrize(("row", "name"), CASES, ids=lambda part: getattr(part, "name", part))


def values_of(row, changed: str | None = None) -> dict:
    return {name: SAMPLES[name][0][name == changed] for name in row.fields}


def json_of(row, changed: str | None = None) -> dict:
    named = {FIELDS[name].json_name: SAMPLES[name][1][name == changed] for name in row.fields if FIELDS[name].json_name}
    return {**named, "sender": "0x" + ALICE.hex()}


def shown(tx: Transaction) -> dict:
    """Every field; for a type without one too."""
    return {name: getattr(tx, name) for name in FIELDS}


@each_field_of_each_type
def test_what_is_given_is_shown_written_read_and_signed(row, name):
    plain = Transaction(type=row.type, **values_of(row))
    tx = Transaction(type=row.type, **values_of(row, name))
    assert {name: getattr(tx, name) for name in row.fields} == values_of(row, name)
    assert tx.signing_hash != plain.signing_hash, f"{name} is not signed"
    assert tx.encode() != plain.encode(), f"{name} is not written"
    signed = tx.sign(KEY)
    assert shown(signed) == shown(tx), f"sign() forgets {name}"
    assert signed.signing_hash == tx.signing_hash
    assert shown(Transaction.decode(signed.encode())) == shown(tx), f"{name} is not read"
    assert Transaction.decode(signed.encode()).sender == signed.sender
    assert signed != plain.sign(KEY)


@pytest.mark.parametrize(
    ("row", "name"),
    [case for case in CASES if FIELDS[case[1]].json_name],  # what state tests have
    ids=lambda part: getattr(part, "name", part),
)
def test_a_state_test_gives_each_field(row, name):
    case = {"indexes": {"data": 0, "gas": 0, "value": 0}}
    tx = transaction_of(json_of(row, name), case)
    wanted = Transaction(type=row.type, **values_of(row, name))
    assert (tx.type, shown(tx)) == (row.type, shown(wanted))
    # The native reader says whether it has read the same as was signed.
    test = core.StateTest({}, {"currentNumber": "0x1", "currentTimestamp": "0x1", "currentGasLimit": "0x7fffffffffffffff", "currentCoinbase": "0x" + "00" * 20})  # fmt: skip
    test.use_fork(core.fork_index(row.since))
    signed = wanted.sign(KEY)
    fields = {**json_of(row, name), "sender": "0x" + signed.sender.hex()}
    assert test.run(fields, 0, 0, 0, "0x" + signed.encode().hex())[4] is None
    other = Transaction(type=row.type, **values_of(row)).sign(KEY)
    assert "signs something else" in test.run(fields, 0, 0, 0, "0x" + other.encode().hex())[4]


def test_nothing_of_one_transaction_is_left_in_the_next():
    """One native transaction serves case after case."""
    test = core.StateTest({}, {"currentNumber": "0x1", "currentTimestamp": "0x1", "currentGasLimit": "0x7fffffffffffffff", "currentCoinbase": "0x" + "00" * 20})  # fmt: skip
    test.use_fork(core.fork_index("Prague"))
    for rows in (TRANSACTION_TYPES, TRANSACTION_TYPES[::-1]):
        for row in (*rows, *rows):
            signed = Transaction(type=row.type, **values_of(row)).sign(KEY)
            fields = {**json_of(row), "sender": "0x" + signed.sender.hex()}
            assert test.run(fields, 0, 0, 0, "0x" + signed.encode().hex())[4] is None, row.name


@each_type
def test_a_field_that_the_type_has_not_is_refused(row):
    for name in FIELDS.keys() - set(row.fields) - {"chain_id"}:
        with pytest.raises(ValueError, match=f"{name}: a transaction of type {row.type} has none"):
            Transaction(type=row.type, **{name: SAMPLES[name][0][0]})


@each_type
def test_an_estimate_tries_another_gas_limit_and_no_other_field(row):
    tx = Transaction(type=row.type, sender=ALICE, **values_of(row))
    other = with_gas(tx, 77_777)
    assert other.gas_limit == 77_777
    assert other.sender == ALICE
    assert shown(with_gas(other, tx.gas_limit)) == shown(tx)


@each_type
def test_the_type_follows_from_the_fields(row):
    assert Transaction(**values_of(row)).type == row.type
    assert choose_fields(json_of(row), 0, 0, 0)[0] == row.type


@pytest.mark.parametrize("place", ["data", "gas", "value"])
@pytest.mark.parametrize("wrong", [-1, 2, 2**70, None, 1.5, "0"])
def test_a_choice_that_a_state_test_has_not_is_named(place, wrong):
    fields = {"data": ["0x00"], "gasLimit": ["0x1"], "value": ["0x0"]}
    chosen = {"data": 0, "gas": 0, "value": 0, place: wrong}
    with pytest.raises((UnusableInput, TypeError), match=place):
        choose_fields(fields, *chosen.values())
    for wrong_fields in (None, 5, []):
        with pytest.raises(TypeError, match="fields"):
            choose_fields(wrong_fields, 0, 0, 0)


@pytest.mark.parametrize("fields", [{"blobs": 1}, {5: 1}, None, 5, [("nonce", 1)]])
def test_fields_that_no_transaction_has_are_named(fields):
    with pytest.raises(TypeError, match="fields"):
        core._type_of_fields(fields)


@each_type
def test_the_wire_form_has_the_row_s_fields_and_the_signature(row):
    raw = Transaction(type=row.type, **values_of(row)).sign(KEY).encode()
    items = rlp.to_list(rlp.decode(raw[1:] if row.type else raw, "transaction"), "transaction")
    assert len(items) == len(row.fields) + 3


def test_each_row_has_a_property_with_its_text_and_a_parameter_in_the_stub():
    stub = ast.parse((Path(core.__file__).parent / "_core.pyi").read_text())
    [face] = [node for node in stub.body if isinstance(node, ast.ClassDef) and node.name == "Transaction"]
    functions = {node.name: node for node in face.body if isinstance(node, ast.FunctionDef)}
    parameters = {argument.arg for argument in functions["__init__"].args.kwonlyargs}
    assert parameters == {*FIELDS, "type", "v", "y_parity", "r", "s", "sender"}
    for name, field in FIELDS.items():
        assert name in functions, f"_core.pyi has no {name}"
        assert getattr(Transaction, name).__doc__ in (field.text, field.text + "."), name
        with pytest.raises(AttributeError):
            setattr(Transaction(), name, 1)


def test_each_row_has_samples_here():
    assert SAMPLES.keys() == FIELDS.keys()
    assert all(field.types for field in TRANSACTION_FIELDS)


@pytest.mark.parametrize("parity", [2, 255, 256, 2**64])
def test_a_parity_does_not_change_the_chain_id(parity):
    with pytest.raises(ValueError, match="y_parity"):
        Transaction(chain_id=1, y_parity=parity)


def test_an_unknown_field_is_a_type_error():
    with pytest.raises(TypeError, match="blobs"):
        Transaction(blobs=())
