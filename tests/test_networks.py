"""Which fork a block of a public chain has, by its number and timestamp."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise

import pytest
from helpers import shared

from evmcore import FORKS, fork_includes
from evmcore.chain import NETWORKS, fork_of_block, known_network
from evmcore.errors import UnusableInput
from evmcore.fixtures import block_from_json


@pytest.mark.parametrize(
    ("chain", "number", "timestamp", "fork"),
    [
        (1, 0, 0, "Frontier"),
        (1, 1_919_999, 1_469_020_838, "Homestead"),
        (1, 1_920_000, 1_469_020_840, "DAOFork"),
        (1, 12_964_999, 1_628_166_812, "Berlin"),
        (1, 15_537_393, 1_663_224_162, "GrayGlacier"),
        (1, 15_537_394, 1_663_224_179, "Paris"),
        ("mainnet", 23_935_694, 1_764_798_551, "Osaka"),
        (1, 30_000_000, 2**40, "BPO2"),
        (11_155_111, 1_450_408, 1_661_130_108, "London"),
        (11_155_111, 1_450_409, 1_661_130_120, "Paris"),
        ("Sepolia", 11_856_336, 1_791_294_815, "BPO2"),
        ("sepolia", 11_856_337, 1_791_294_816, "Amsterdam"),
        (17_000, 0, 1_695_902_100, "Paris"),
        (17_000, 6_698, 1_696_000_704, "Shanghai"),
        (560_048, 0, 1_742_212_800, "Cancun"),
        ("hoodi", 2**40, 2**40, "BPO2"),
    ],
)
def test_a_block_has_the_fork_of_its_place_in_its_chain(chain, number, timestamp, fork):
    assert fork_of_block(chain, number, timestamp) == fork


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_the_forks_of_a_network_come_in_their_order(network):
    schedule = network.schedule
    for forks in (schedule.by_number, schedule.by_timestamp):
        assert list(forks) == sorted(forks)
        for (_, before), (_, after) in pairwise(forks):
            assert fork_includes(after, before)
    names = {fork.mainnet_name for fork in FORKS}
    assert {name for _, name in (*schedule.by_number, *schedule.by_timestamp)} <= names
    assert known_network(schedule.chain_id) is known_network(network.name.upper()) is network


def test_other_chains_are_refused_by_name():
    for chain in (5, "goerli", 0):
        with pytest.raises(UnusableInput, match=f"{chain!r} is not one .* mainnet .1., sepolia .11155111."):
            known_network(chain)


def test_a_block_file_that_names_no_fork_has_that_of_its_chain():
    for path in sorted(shared("mainnet-blocks").glob("*.json.gz"))[::12]:
        with gzip.open(path, "rt") as file:
            value = json.load(file)
        named = block_from_json(value).header.fork
        del value["fork"]
        value.pop("rules", None)
        found = block_from_json(value).header.fork
        assert found == named or found.lower() == named.lower()
