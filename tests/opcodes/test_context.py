"""What a program can ask: 0x30 to 0x4a. Prices of cold and warm accounts are in test_accesses."""

from __future__ import annotations

import pytest
from helpers import ALICE, BOB, COINBASE, CONTRACT, FORK_NAMES, header, word_of

from evmcore import MissingBlockHash, State, Transaction, assemble, call, fork_includes, keccak256, run, transact
from evmcore._core import PROGRAM_ADDRESS

EMPTY_HASH = int.from_bytes(keccak256(b""), "big")


def number(address: bytes) -> int:
    return int.from_bytes(address, "big")


def test_the_frame_knows_itself():
    assert word_of("ADDRESS") == number(PROGRAM_ADDRESS)
    assert word_of("CALLER", sender=ALICE) == word_of("ORIGIN", sender=ALICE) == number(ALICE)
    assert word_of("CALLVALUE", sender=ALICE, value=7) == 7
    assert word_of("CODESIZE") == len(assemble("CODESIZE PUSH1 0 MSTORE PUSH1 32 PUSH1 0 RETURN"))


@pytest.mark.parametrize(
    ("offset", "word"),
    [(0, 0x0102030405 << 216), (3, 0x0405 << 240), (5, 0), (2**64 - 1, 0), (2**64, 0), (2**256 - 1, 0)],
)
def test_calldataload_fills_up_with_zeros(offset, word):
    assert word_of(f"PUSH32 {offset} CALLDATALOAD", data=bytes([1, 2, 3, 4, 5])) == word


def test_calldatasize():
    assert word_of("CALLDATASIZE", data=b"abc") == 3


def test_the_block_as_the_header_has_it():
    block = header(
        timestamp=99,
        mix_hash=b"\x07" * 32,
        base_fee_per_gas=5,
        excess_blob_gas=60_000_000,
        chain_id=17,
        gas_limit=123_456,
    )
    read = {
        "COINBASE": number(COINBASE), "TIMESTAMP": 99, "NUMBER": 1000, "PREVRANDAO": number(b"\x07" * 32),
        "GASLIMIT": 123_456, "CHAINID": 17, "BASEFEE": 5,
    }  # fmt: skip
    for instruction, word in read.items():
        assert word_of(instruction, header=block) == word, instruction


def test_before_paris_0x44_is_the_difficulty():
    for fork in FORK_NAMES:
        block = header(fork=fork, difficulty=31, mix_hash=bytes(31) + b"\x07")
        assert word_of("PREVRANDAO", header=block, fork=fork) == (31 if not fork_includes(fork, "Paris") else 7)


def test_blob_base_fee_rises_with_the_excess():
    """EIP-4844: fake_exponential(1, excess, update fraction of the fork)."""
    assert word_of("BLOBBASEFEE", header=header(fork="Cancun", excess_blob_gas=0)) == 1
    assert word_of("BLOBBASEFEE", header=header(fork="Cancun", excess_blob_gas=10 * 3_338_477)) == 22026
    assert word_of("BLOBBASEFEE", header=header(fork="Prague", excess_blob_gas=10 * 5_007_716)) == 22026


def test_balance_of_others_and_of_oneself():
    state = State({BOB: {"balance": 12}})
    assert word_of(f"PUSH20 0x{BOB.hex()} BALANCE", state=state) == 12
    assert word_of(f"PUSH32 0x{'ff' * 12 + BOB.hex()} BALANCE", state=state) == 12, "the upper 12 bytes don't count"
    assert word_of("SELFBALANCE", sender=ALICE, value=9) == 9


def test_code_of_others():
    code = bytes.fromhex("600160025b")
    state = State({BOB: {"code": code}, ALICE: {"balance": 1}})
    other, plain, absent = (f"PUSH20 0x{address.hex()}" for address in (BOB, ALICE, CONTRACT))
    assert word_of(f"{other} EXTCODESIZE", state=state) == 5
    assert word_of(f"{other} EXTCODEHASH", state=state) == number(keccak256(code))
    assert word_of(f"{plain} EXTCODEHASH", state=state) == EMPTY_HASH
    assert word_of(f"{absent} EXTCODEHASH", state=state) == 0, "no account, no hash (EIP-1052)"
    assert word_of(f"PUSH 8 PUSH 1 PUSH 0 {other} EXTCODECOPY PUSH 0 MLOAD", state=state) == number(
        code[1:].ljust(32, b"\0")
    )


def test_an_empty_account_has_no_code_hash():
    """EIP-1052 speaks of accounts as EIP-161 does: empty is as good as absent."""
    state = State({BOB: {}})
    assert word_of(f"PUSH20 0x{BOB.hex()} EXTCODEHASH", state=state, fork="Constantinople") == 0


def test_blockhash_reaches_256_back():
    hashes = {number: keccak256(str(number).encode()) for number in range(744, 1000)}
    block = header(block_hashes=hashes)
    for wanted in (743, 1000, 1001, 2**64, 2**256 - 1):
        assert word_of(f"PUSH32 {wanted} BLOCKHASH", header=block) == 0
    for wanted in (744, 900, 999):
        assert word_of(f"PUSH {wanted} BLOCKHASH", header=block) == number(hashes[wanted])


def test_an_unknown_block_hash_is_an_exception_with_the_number():
    with pytest.raises(MissingBlockHash, match="998") as caught:
        word_of("PUSH 998 BLOCKHASH", header=header(block_hashes={999: bytes(31) + b"\1"}))
    assert caught.value.number == 998


def test_the_parent_s_hash_comes_from_the_header_if_from_nowhere_else():
    assert word_of("PUSH 999 BLOCKHASH", header=header(parent_hash=b"\x05" * 32)) == number(b"\x05" * 32)


def test_gasprice_is_the_effective_one_and_blobhash_the_transaction_s():
    blobs = [b"\x01" + bytes([n]) * 31 for n in (1, 2)]
    program = assemble(
        "GASPRICE PUSH1 0 MSTORE PUSH 1 BLOBHASH PUSH 32 MSTORE PUSH 2 BLOBHASH PUSH 64 MSTORE PUSH 96 PUSH 0 RETURN"
    )
    state = State({ALICE: {"balance": 10**18}, CONTRACT: {"code": program}})
    tx = Transaction(
        type=3, to=CONTRACT, gas_limit=100_000, max_fee_per_gas=50, max_priority_fee_per_gas=3, max_fee_per_blob_gas=1,
        blob_versioned_hashes=blobs, sender=ALICE,
    )  # fmt: skip
    output = transact(tx, state, header(base_fee_per_gas=7)).output
    assert [output[at : at + 32] for at in (0, 32, 64)] == [(10).to_bytes(32, "big"), blobs[1], bytes(32)]


def test_returndata_is_empty_until_a_call_and_read_within_its_bounds_only():
    assert word_of("RETURNDATASIZE") == 0
    assert run(assemble("PUSH 1 PUSH 0 PUSH 0 RETURNDATACOPY")).outcome == "RETURN_DATA_OUT_OF_BOUNDS"
    assert run(assemble("PUSH 0 PUSH 1 PUSH 0 RETURNDATACOPY")).outcome == "RETURN_DATA_OUT_OF_BOUNDS"
    assert run(assemble("PUSH 0 PUSH 0 PUSH 0 RETURNDATACOPY")).is_success
    copies = "PUSH 5 PUSH 0 PUSH 5 PUSH 0 PUSH 0 PUSH 4 GAS CALL POP PUSH {size} PUSH {start} PUSH 0 RETURNDATACOPY"
    assert run(assemble(copies.format(size=5, start=0))).is_success
    assert run(assemble(copies.format(size=5, start=1))).outcome == "RETURN_DATA_OUT_OF_BOUNDS"
    assert run(assemble(copies.format(size=2**64, start=2**64 - 1))).outcome == "RETURN_DATA_OUT_OF_BOUNDS"


def test_call_sees_the_block_and_keeps_nothing():
    state = State({CONTRACT: {"code": assemble("NUMBER PUSH 0 SSTORE NUMBER PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN")}})
    assert call(state, header(), sender=ALICE, to=CONTRACT).word == 1000
    assert state.get_storage(CONTRACT, 0) == 0
