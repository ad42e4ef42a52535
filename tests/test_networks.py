"""Which fork a block of a public chain has, by its number and timestamp."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise

import pytest
from helpers import shared

from evmcore import FORKS, fork_includes
from evmcore.chain import NETWORKS, fork_of_block, known_network
from evmcore.chain.networks import fork_id
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


@pytest.mark.parametrize(
    ("chain", "fork", "begin", "identifier"),
    [
        (1, "Paris", 0, "f0afd0e3"),
        (1, "Shanghai", 1681338455, "dce96c2d"),
        (1, "Osaka", 1764798551, "5167e2a6"),
        (1, "BPO2", 1767747671, "07c9462e"),
        (11_155_111, "Paris", 0, "b96cbd13"),
        (11_155_111, "BPO2", 1761607008, "268956b6"),
        (11_155_111, "Amsterdam", 1791294816, "6c1d9423"),
        (17_000, "Shanghai", 1696000704, "fd4f016b"),
        (17_000, "BPO2", 1760389824, "9bc6cb31"),
        (560_048, "Cancun", 0, "bef71d30"),
        (560_048, "BPO2", 1762955544, "23aa1351"),
    ],
)
def test_a_network_has_the_fork_identifiers_of_eip_2124(chain, fork, begin, identifier):
    network = known_network(chain)
    assert network.begin_of(fork, begin + 1) == begin
    assert network.fork_id(begin).hex() == identifier
    assert network.begin_of("London", begin) is None
    if begin:
        assert network.begin_of(fork, begin - 1) is None
    is_last = network.schedule.by_timestamp[-1][1] == fork
    assert network.begin_of(fork, 2**62) == (begin if is_last else None)


def test_checksums_are_those_of_mainnet():
    """The table of EIP-2124."""
    numbers = [1150000, 1920000, 2463000, 2675000, 4370000, 7280000, 9069000, 9200000, 12244000, 12965000]
    wanted = ["fc64ec04", "97c2c34c", "91d1f948", "7a64da13", "3edd5b10", "a00bc324", "668db0af", "879d6e30", "e029e991", "0eb440f6", "b715077d"]  # fmt: skip
    assert [fork_id(known_network(1).genesis_hash, numbers[:count], (), 0).hex() for count in range(11)] == wanted
