"""Difficulty and Ethash: what a block of work has to be, by the formulas and by the seal."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from chain_builder import new_block, new_genesis, refused
from helpers import FORK_NAMES

from evmcore._core import DIFFICULTY_RULES, ETHASH_MAXIMUM_BLOCK, ethash, fork_rules
from evmcore.chain import Chain, network_schedule
from evmcore.chain.header_rules import difficulty_after, seal_hash
from evmcore.errors import ResourceLimit
from evmcore.header import Header

# ---------------------------------------------------------------- difficulty


@pytest.mark.parametrize(
    ("fork", "number", "elapsed", "parent_difficulty", "parent_has_ommers", "wanted"),
    [
        ("Frontier", 1, 12, 2**20, False, 2**20 + 2**9),
        ("Frontier", 1, 13, 2**20, False, 2**20 - 2**9),
        ("Frontier", 1, 13, 131072, False, 131072),
        ("Homestead", 1, 9, 2**20, False, 2**20 + 2**9),
        ("Homestead", 1, 19, 2**20, False, 2**20),
        ("Homestead", 1, 10**6, 2**30, False, 2**30 - 99 * 2**19),
        ("Byzantium", 1, 8, 2**20, True, 2**20 + 2**10),
        ("Byzantium", 1, 9, 2**20, False, 2**20),
        # The bomb: 2 to the number of periods, less two, once there are that many.
        ("Homestead", 199_999, 15, 2**20, False, 2**20),
        ("Homestead", 200_000, 15, 2**20, False, 2**20 + 1),
        ("Homestead", 4_000_000, 15, 2**20, False, 2**20 + 2**38),
        ("Byzantium", 3_199_999, 10, 2**20, False, 2**20),
        ("Byzantium", 3_200_000, 10, 2**20, False, 2**20 + 1),
        ("GrayGlacier", 11_600_000, 10, 2**20, False, 2**20 + 1),
    ],
)
def test_difficulty_follows_from_the_parent(fork, number, elapsed, parent_difficulty, parent_has_ommers, wanted):
    assert difficulty_after(fork, number, 1000 + elapsed, 1000, parent_difficulty, parent_has_ommers) == wanted


def test_the_bomb_of_an_absurd_block_number_is_no_trap():
    assert difficulty_after("Homestead", 2**64 - 1, 10, 0, 2**20, False) >= 2**256


def test_each_fork_says_its_difficulty_rule():
    assert {fork_rules(fork)["difficulty_rule"] for fork in FORK_NAMES} == set(DIFFICULTY_RULES)


def difficulty_files():
    root = Path(os.environ.get("EVMCORE_TESTS", "")) / "DifficultyTests"
    return sorted(root.rglob("*.json")) if os.environ.get("EVMCORE_TESTS") else []


@pytest.mark.parametrize("path", difficulty_files() or [None], ids=lambda path: path.stem if path else "none")
def test_difficulty_fixtures(path):
    if path is None:
        pytest.skip("no DifficultyTests: set EVMCORE_TESTS to a checkout of github.com/ethereum/tests")
    count = 0
    for test in orjson.loads(path.read_bytes()).values():
        for fork, cases in test.items():
            if fork == "_info":
                continue
            for name, case in cases.items():
                value = {key: int(text, 16) for key, text in case.items() if key != "parentUncles"}
                wanted = difficulty_after(
                    fork,
                    value["currentBlockNumber"],
                    value["currentTimestamp"],
                    value["parentTimestamp"],
                    value["parentDifficulty"],
                    case["parentUncles"]
                    not in ("0x00", "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"),
                )
                assert wanted == value["currentDifficulty"], name
                count += 1
    assert count


# ---------------------------------------------------------------- Ethash

# PoWTests/ethash_tests.json of ethereum/tests: nonce, mix hash, seal hash, result; epoch 0.
ETHASH_CASES = [
    (
        "4242424242424242",
        "58f759ede17a706c93f13030328bcea40c1d1341fb26f2facd21ceb0dae57017",
        "2a8de2adf89af77358250bf908bf04ba94a6e8c3ba87775564a41d269a05e4ce",
        "dd47fd2d98db51078356852d7c4014e6a5d6c387c35f40e2875b74a256ed7906",
    ),
    (
        "307692cf71b12f6d",
        "e55d02c555a7969361cf74a9ec6211d8c14e4517930a00442f171bdb1698d175",
        "100cbec5e5ef82991290d0d93d758f19082e71f234cf479192a8b94df6da6bfe",
        "ab9b13423cface72cbec8424221651bc2e384ef0f7a560e038fc68c8d8684829",
    ),
]


@pytest.mark.parametrize(("nonce", "mix_hash", "seal", "result"), ETHASH_CASES)
def test_ethash_gives_mix_hash_and_result(nonce, mix_hash, seal, result):
    assert [part.hex() for part in ethash(0, bytes.fromhex(seal), bytes.fromhex(nonce))] == [mix_hash, result]
    assert ethash(29_999, bytes.fromhex(seal), bytes.fromhex(nonce))[0].hex() == mix_hash


def test_mainnets_first_block_has_its_seal():
    """Block 1 of mainnet: its header, its hash, its proof of work."""
    header = Header(
        parent_hash=bytes.fromhex("d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"),
        coinbase=bytes.fromhex("05a56e2d52c817161883f50c441c3228cfe54d9f"),
        state_root=bytes.fromhex("d67e4d450343046425ae4271474353857ab860dbc0a1dde64b41b5cd3a532bf3"),
        difficulty=17_171_480_576,
        number=1,
        gas_limit=5000,
        timestamp=1438269988,
        extra_data=bytes.fromhex("476574682f76312e302e302f6c696e75782f676f312e342e32"),
        mix_hash=bytes.fromhex("969b900de27b6ac6a67742365dd65f55a0526c41fd18e1b16f1a1215c2e66f59"),
        nonce=bytes.fromhex("539bd4979fef1ec4"),
        fork="Frontier",
    )
    assert header.hash.hex() == "88e96d4537bea4d9c05d12549907b32561d3bf31f45aae734cdc119f13406cb6"
    mix_hash, result = ethash(1, seal_hash(header), header.nonce)
    assert mix_hash == header.mix_hash
    assert int.from_bytes(result, "big") <= 2**256 // header.difficulty


def test_a_wrong_seal_is_refused():
    chain = Chain(new_genesis(replace(network_schedule("Homestead"), checks_seals=True)))
    block = new_block(chain)
    assert refused(chain, block) == "BLOCK_MIX_HASH"
    mix_hash, _ = ethash(1, seal_hash(block.header), block.header.nonce)
    assert refused(chain, block.with_header(mix_hash=mix_hash)) == "BLOCK_SEAL"


def test_ethash_is_bounded():
    with pytest.raises(ResourceLimit):
        ethash(ETHASH_MAXIMUM_BLOCK + 1, bytes(32), bytes(8))
