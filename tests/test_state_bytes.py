"""States as bytes and in files: what comes back is what there was, and what is no state is refused."""

from __future__ import annotations

import copy
import gzip
import json
import pickle
import random
import re

import pytest
from helpers import ALICE, BOB, ETHER, SHARED

from evmcore import Account, Block, State, UnusableInput, keccak256
from evmcore.example import EXAMPLE_FILE

MAINNET = sorted((SHARED / "mainnet-blocks").glob("*.json.gz"))
CODES = [bytes([n]) * n for n in range(1, 200, 7)]


def random_state(seed: int, accounts: int = 40) -> State:
    chance = random.Random(seed)
    made = State()
    for _ in range(chance.randrange(accounts)):
        storage = {
            chance.choice((0, 1, chance.getrandbits(8), chance.getrandbits(256))): chance.getrandbits(
                chance.choice((1, 9, 256))
            )
            for _ in range(chance.choice((0, 0, 1, 30)))
        }
        code = chance.choice((b"", *CODES))
        balance, nonce = (chance.getrandbits(chance.choice((0, 1, bits))) for bits in (256, 64))
        made.set_account(chance.randbytes(20), Account(balance, nonce, code, storage))
    return made


def fault(encoded: bytes) -> str:
    with pytest.raises(UnusableInput) as caught:
        State.from_bytes(encoded)
    return str(caught.value)


def test_what_comes_back_is_the_state():
    for seed in range(200):
        made = random_state(seed)
        encoded = made.to_bytes()
        again = State.from_bytes(encoded)
        assert again == made
        assert again.root() == made.root()
        assert again.to_bytes() == encoded
        assert State(dict(reversed(list(made.items())))).to_bytes() == encoded  # however it came about
        again.set_balance(ALICE, 5)
        assert made.get_balance(ALICE) == 0


def test_a_state_pickles_as_its_bytes():
    made = random_state(7)
    again = pickle.loads(pickle.dumps(made))
    assert again == made
    assert len(pickle.dumps(made)) < len(made.to_bytes()) + 120
    assert copy.deepcopy(made) == made

    class Own(State):
        pass

    Own.__module__, Own.__qualname__ = __name__, "Own"
    globals()["Own"] = Own
    own = Own(made.items())
    own.note = "kept"
    again = pickle.loads(pickle.dumps(own))
    assert (type(again), again.note, again == made) == (Own, "kept", True)
    for strict in (State(strict=True), State(source=lambda keys: {})):
        with pytest.raises(TypeError, match="a strict state"):
            pickle.dumps(strict)
        with pytest.raises(TypeError, match="a strict state"):
            strict.to_bytes()


def test_each_code_is_there_once():
    code = bytes(range(256)) * 20
    made = State({n.to_bytes(20, "big"): {"code": code, "balance": 1} for n in range(50)})
    assert len(made.to_bytes()) < len(code) + 50 * 30
    assert State.from_bytes(made.to_bytes()).get_code((7).to_bytes(20, "big")) == code


@pytest.mark.skipif(not MAINNET, reason="the mainnet blocks are not there")
def test_real_states_take_little_more_than_their_codes():
    for path in MAINNET[::10]:
        before = Block.load(path).pre_state
        encoded = before.to_bytes()
        assert State.from_bytes(encoded) == before
        codes = sum(len(code) for code in {account.code for _, account in before.items()})
        cells = sum(1 + len(account.storage) for _, account in before.items())
        assert len(encoded) < codes + 60 * cells


ADDRESS = bytes(range(20))
HEAD = b"evmstate\x01"
# One account with balance 1, nonce 0, no code, no slots.
PLAIN = HEAD + b"\x00" + b"\x01" + ADDRESS + b"\x01\x01\x00\x00\x00"


@pytest.mark.parametrize(
    ("encoded", "words"),
    [
        (b"", "it ends too early"),
        (b"evmstate", "it ends too early"),
        (b"evmstatf\x01\x00\x00", "no state, at byte 0 of 11"),
        (b"evmstate\x02\x00\x00", "a version of the format that isn't known"),
        (PLAIN[:-1], "counts more than it has room for|ends too early"),
        (PLAIN + b"\x00", "bytes after its end"),
        (HEAD + b"\x80\x00\x00", "a count that ends with a zero byte"),
        (HEAD + b"\xff" * 9 + b"\x02", "a count of more than 64 bits"),
        (HEAD + b"\xff" * 9 + b"\x01\x00", "it counts more than it has room for"),
        (HEAD + b"\x00" + b"\xff\xff\xff\xff\x0f", "it counts more than it has room for"),
        (
            HEAD + b"\x00\x01" + ADDRESS + b"\x02\x00\x01\x00\x00\x00",
            "a number that begins with a zero byte, at byte 31",
        ),
        (HEAD + b"\x00\x01" + ADDRESS + b"\x21" + bytes(40), "a number of more than 32 bytes"),
        (HEAD + b"\x00\x01" + ADDRESS + b"\x00\x00\x01\x00", "an account with a code that isn't there"),
        (HEAD + b"\x00\x02" + 2 * (ADDRESS + b"\x00\x00\x00\x00"), "accounts that don't ascend by address"),
        (HEAD + b"\x01\x00\x00\x00", "a code of no bytes"),
        (HEAD + b"\x01\x01\x00\x00", "a code that no account has"),
        (HEAD + b"\x02\x01\x00\x01\x00\x00", "codes that don't ascend by hash"),
        (HEAD + b"\x00\x01" + ADDRESS + b"\x00\x00\x00\x01\x00\x00\x00", "a slot that is zero"),
        (HEAD + b"\x00\x01" + ADDRESS + b"\x00\x00\x00\x02\x01\x01\x01\x01\x01\x01\x01\x01", "slots that don't ascend"),
    ],
)
def test_what_is_no_state_is_refused(encoded, words):
    assert re.search(words, fault(encoded))


def test_a_mutated_state_is_the_same_or_refused_or_another_one():
    chance = random.Random(3)
    refused = 0
    for seed in range(30):
        encoded = random_state(seed, 12).to_bytes()
        for _ in range(100):
            broken = bytearray(encoded)
            for _ in range(chance.choice((1, 1, 3))):
                kind, at = chance.randrange(3), chance.randrange(len(broken))
                if kind == 0:
                    broken[at] = chance.randrange(256)
                elif kind == 1:
                    del broken[at:]
                else:
                    broken[at:at] = chance.randbytes(2)
                broken = broken or bytearray(b"x")
            try:
                again = State.from_bytes(bytes(broken))
            except UnusableInput:
                refused += 1
                continue
            assert again.to_bytes() == broken  # a state has one encoding
    assert refused > 1000


def test_from_bytes_takes_what_holds_bytes_and_refuses_the_rest():
    assert State.from_bytes(bytearray(PLAIN)) == State.from_bytes(memoryview(PLAIN)) == State({ADDRESS: {"balance": 1}})
    for given in (None, 5, [1], object()):
        with pytest.raises((TypeError, ValueError)):
            State.from_bytes(given)


@pytest.mark.parametrize("name", ["state", "state.gz"])
@pytest.mark.parametrize("form", ["evmcore", "alloc", "anvil"])
def test_files_of_states(tmp_path, name, form):
    for seed in (1, 5):
        made = random_state(seed)
        made.save(tmp_path / name, form=form)
        again = State.load(tmp_path / name)
        assert again == made
        content = (tmp_path / name).read_bytes()
        assert (content[:2] == b"\x1f\x8b") == (name == "state.gz")
        made.save(tmp_path / name, form=form)
        assert (tmp_path / name).read_bytes() == content


def test_the_other_forms_are_those_of_their_tools(tmp_path):
    made = State({ALICE: {"balance": ETHER, "nonce": 3}, BOB: {"code": b"\x60\x01", "storage": {1: 2}}})
    made.save(tmp_path / "anvil", form="anvil")
    dumped = json.loads((tmp_path / "anvil").read_bytes())
    assert set(dumped) == {"block", "accounts", "best_block_number", "blocks", "transactions"}
    assert dumped["accounts"]["0x" + ALICE.hex()] == {"nonce": 3, "balance": hex(ETHER), "code": "0x", "storage": {}}
    word = "0x" + "0" * 63
    assert dumped["accounts"]["0x" + BOB.hex()]["storage"] == {word + "1": word + "2"}
    (tmp_path / "genesis").write_text(json.dumps({"config": {}, "alloc": made.to_alloc()}))
    assert State.load(tmp_path / "genesis") == made


def test_what_is_no_file_of_a_state_is_refused_with_its_path(tmp_path):
    path = tmp_path / "state"
    for content, words in (
        (b"", "state: it ends too early"),
        (b"[1, 2, 3, 4]", "state: no state"),
        (b"{", "not JSON"),
        (b'{"accounts": 5}', "accounts: 5 is not an object"),
        (b'{"0x00": 5}', "accounts.0x00: 5 is not an object"),
        (b'{"0x00": {}}', "address"),
        (json.dumps({"0x" + ALICE.hex(): {"balance": "0xz"}}).encode(), "balance"),
        (PLAIN[:-3], "state: it counts more than it has room for"),
        (gzip.compress(PLAIN)[:-9], ""),
    ):
        path.write_bytes(content)
        with pytest.raises(UnusableInput) as caught:
            State.load(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert words in str(caught.value)
    with pytest.raises(UnusableInput, match="missing"):
        State.load(tmp_path / "missing")
    with pytest.raises(ValueError, match="form: 'geth' is not one of"):
        State().save(path, form="geth")
    with pytest.raises(TypeError, match="a strict state"):
        State(strict=True).save(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_the_example_block_pickles_small():
    block = Block.load(EXAMPLE_FILE)
    again = pickle.loads(pickle.dumps(block))
    assert again.pre_state == block.pre_state
    assert keccak256(again.pre_state.to_bytes()) == keccak256(block.pre_state.to_bytes())
