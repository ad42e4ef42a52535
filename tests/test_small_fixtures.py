"""The public fixtures of RLP, tries and basics: small files, each run whole. Skipped where there are no fixtures.

Of the basic tests, `crypto` is about the network's encryption and `blockgenesistest` about a protocol before Frontier.
"""

from __future__ import annotations

import json

import pytest
from test_conformance import corpus

from evmcore import Block, DecodeError, Transaction, keccak256, rlp
from evmcore._core import PARAMETERS, FixtureTrie, hex_prefix
from evmcore.chain.header_rules import difficulty_after
from evmcore.header import EMPTY_OMMERS_HASH


def cases_of(*names: str) -> list[tuple[str, object]]:
    """(name, test) of all tests in some files of the corpus."""
    found = []
    for name in names:
        content = json.loads((corpus() / name).read_text("utf-8"))
        found += content.items() if isinstance(content, dict) else enumerate(content)
    return found


def data(text: str) -> bytes:
    """Bytes of "0x…", or of the text itself."""
    return bytes.fromhex(text[2:]) if text.startswith("0x") else text.encode("latin-1")


# ---------------------------------------------------------------- RLP


def item_of(value: object) -> rlp.Item:
    if isinstance(value, list):
        return [item_of(part) for part in value]
    if isinstance(value, int):
        return rlp.number(value)
    assert isinstance(value, str)
    return rlp.number(int(value[1:])) if value.startswith("#") else value.encode("latin-1")


def test_rlp_is_encoded_and_decoded():
    for name, test in cases_of("RLPTests/rlptest.json"):
        encoded = bytes.fromhex(test["out"].removeprefix("0x"))
        assert rlp.encode(item_of(test["in"])) == encoded, name
        assert rlp.decode(encoded) == item_of(test["in"]), name


def test_rlp_that_is_damaged_is_refused():
    seen = set()
    for name, test in cases_of("RLPTests/invalidRLPTest.json", "RLPTests/RandomRLPTests/example.json"):
        encoded = bytes.fromhex(test["out"].removeprefix("0x"))
        seen.add(test["in"])
        if test["in"] == "VALID":
            assert rlp.encode(rlp.decode(encoded)) == encoded, name
        else:
            with pytest.raises(DecodeError):
                rlp.decode(encoded)
            with pytest.raises(DecodeError):
                Transaction.decode(encoded)
            with pytest.raises(DecodeError):
                Block.decode(encoded)
    assert seen == {"VALID", "INVALID"}


# ---------------------------------------------------------------- tries


def changes_of(test: dict) -> list[tuple[bytes, bytes]]:
    pairs = test["in"].items() if isinstance(test["in"], dict) else test["in"]
    return [(data(key), b"" if value is None else data(value)) for key, value in pairs]


@pytest.mark.parametrize(
    ("name", "is_secure"),
    [
        ("trietest", False),
        ("trieanyorder", False),
        ("trietest_secureTrie", True),
        ("trieanyorder_secureTrie", True),
        ("hex_encoded_securetrie_test", True),
    ],
)
def test_roots_of_tries(name, is_secure):
    for title, test in cases_of(f"TrieTests/{name}.json"):
        changes = changes_of(test)
        orders = [changes, changes[::-1]] if isinstance(test["in"], dict) else [changes]
        for order in orders:
            trie = FixtureTrie()
            for key, value in order:
                trie[keccak256(key) if is_secure else key] = value
            assert trie.root().hex() == test["root"].removeprefix("0x"), title


def test_keys_come_in_order():
    for _, test in cases_of("TrieTests/trietestnextprev.json"):
        trie = FixtureTrie()
        for key in test["in"]:
            trie[key.encode()] = key.encode()
        keys = [key.decode() for key in trie.keys()]  # noqa: SIM118
        assert keys == sorted(test["in"])
        for key, previous, following in test["tests"]:
            assert max((k for k in keys if k < key), default="") == previous
            assert min((k for k in keys if k > key), default="") == following


# ---------------------------------------------------------------- basics


def test_paths_of_trie_nodes():
    for name, test in cases_of("BasicTests/hexencodetest.json"):
        assert rlp.decode(hex_prefix(test["seq"], test["term"])).hex() == test["out"], name


def test_the_genesis_of_mainnet():
    known = dict(cases_of("BasicTests/genesishashestest.json"))
    block = Block.decode(bytes.fromhex(known["genesis_rlp_hex"]), fork="Frontier")
    assert block.hash.hex() == known["genesis_hash"]
    assert block.header.state_root.hex() == known["genesis_state_root"]
    assert block.encode().hex() == known["genesis_rlp_hex"]


def test_addresses_of_keys():
    for _, test in cases_of("BasicTests/keyaddrtest.json"):
        assert keccak256(test["seed"].encode()).hex() == test["key"]
        assert Transaction(to=bytes(20), chain_id=1).sign(test["key"]).sender.hex() == test["addr"]


def test_transactions_are_signed_and_read_back():
    for _, test in cases_of("BasicTests/txtest.json"):
        unsigned = Transaction(
            nonce=test["nonce"],
            gas_price=test["gasprice"],
            gas_limit=test["startgas"],
            to=bytes.fromhex(test["to"]) or None,
            value=test["value"],
            data=bytes.fromhex(test["data"]),
        )
        assert unsigned.raw.hex() == test["unsigned"]
        signed = Transaction.decode(bytes.fromhex(test["signed"]))
        assert signed.signing_hash == unsigned.signing_hash
        assert signed.sender == unsigned.sign(test["key"]).sender


@pytest.mark.parametrize(
    "name",
    [
        "difficulty",
        "difficultyCustomHomestead",
        "difficultyCustomMainNetwork",
        "difficultyMainNetwork",
        "difficultyRopsten",
    ],
)
def test_difficulty_of_the_basic_tests(name):
    count = 0
    for title, test in cases_of(f"BasicTests/{name}.json"):
        number, timestamp, parent_timestamp, parent, expected = (
            int(test[key], 16 if test[key].startswith("0x") else 10)
            for key in (
                "currentBlockNumber",
                "currentTimestamp",
                "parentTimestamp",
                "parentDifficulty",
                "currentDifficulty",
            )
        )
        # No chain has a block below the minimum; what follows one is told differently by each client.
        if parent < PARAMETERS["difficulty_minimum"]:
            continue
        has_ommers = test.get("parentUncles", EMPTY_OMMERS) not in (EMPTY_OMMERS, "0x00")
        fork = fork_of(name, number)
        assert difficulty_after(fork, number, timestamp, parent_timestamp, parent, has_ommers) == expected, title
        count += 1
    assert count > 10


EMPTY_OMMERS = "0x" + EMPTY_OMMERS_HASH.hex()
# Where forks begin: of mainnet, and of the test networks that these tests were made for.
FORK_BLOCKS = {
    "difficultyRopsten": ((4_230_000, "Constantinople"), (1_700_000, "Byzantium"), (0, "Homestead")),
    "difficultyCustomHomestead": ((0, "Homestead"),),
}
MAINNET_BLOCKS = ((7_280_000, "Petersburg"), (4_370_000, "Byzantium"), (1_150_000, "Homestead"), (0, "Frontier"))


def fork_of(name: str, number: int) -> str:
    """The fork of a block on the network of a file."""
    return next(fork for first, fork in FORK_BLOCKS.get(name, MAINNET_BLOCKS) if number >= first)
