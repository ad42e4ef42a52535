"""A fork is one block of forks.def: all places that have to know forks learn them from there, by lineage and not by order."""

from __future__ import annotations

import argparse
import dataclasses
import re
from pathlib import Path

import pytest
from chain_builder import grow, new_chain
from helpers import FORK_NAMES, NEWEST

import evmcore
from evmcore import FORKS, OPCODES, TRANSACTION_TYPES, Header, Transaction, fork_includes, fork_index, run
from evmcore._core import NEWEST_FORK, base_gas, blob_base_fee, fork_rules, recover_senders
from evmcore.block import Block
from evmcore.chain import Genesis, network_schedule
from evmcore.chain.genesis import read_config
from evmcore.chain.schedule import FIRST_OF_STAKE, LAST_OF_WORK, Schedule
from evmcore.conformance.discovery import Selection, newest_of_substance
from evmcore.conformance.report import fork_order
from evmcore.disassembler import disassemble
from evmcore.errors import UnusableInput
from evmcore.header import _HEADER_FIELDS, LATER_FIELDS
from evmcore.tools import output
from evmcore.tools.blocktest import _network as network_argument

ROOT = Path(evmcore.__file__).parent
BY_NAME = {fork.mainnet_name: fork for fork in FORKS}
each_fork = pytest.mark.parametrize("fork", FORKS, ids=lambda fork: fork.mainnet_name)


def lineage(fork) -> list:
    """The fork and its ancestors, the first fork last."""
    found = [fork]
    while found[-1].parent is not None:
        found.append(BY_NAME[found[-1].parent])
    return found


# ---------------------------------------------------------------- lineage


@each_fork
def test_a_fork_includes_its_ancestors_and_nothing_else(fork):
    mine = {ancestor.mainnet_name for ancestor in lineage(fork)}
    assert {name for name in FORK_NAMES if fork_includes(fork.mainnet_name, name)} == mine
    assert fork_includes(fork.test_name.lower(), FORKS[0].index)


def test_there_is_one_first_fork_and_parents_stand_before_their_children():
    assert [fork.mainnet_name for fork in FORKS if fork.parent is None] == [FORKS[0].mainnet_name]
    places = [(fork_index(fork.parent), fork.index) for fork in FORKS[1:]]
    assert all(parent < child for parent, child in places)


@each_fork
def test_what_came_with_a_fork_is_in_its_descendants_alone(fork):
    rules = fork_rules(fork.mainnet_name)
    for row in OPCODES:
        assert (base_gas(row.number, fork.mainnet_name) is not None) == fork_includes(fork.mainnet_name, row.since)
    for row in TRANSACTION_TYPES:
        assert (row.type in rules["transaction_types"]) == fork_includes(fork.mainnet_name, row.since)
    assert rules["transaction_types"] == tuple(sorted(rules["transaction_types"]))


def test_a_chain_may_leave_out_what_changes_the_bomb_or_blobs_alone():
    """The names are those of the chain's history: what follows BPO4 is not to be listed here."""
    history = {fork.mainnet_name for fork in FORKS[: fork_index("BPO4") + 1] if fork.may_be_left_out}
    assert history == {
        "DAOFork", "MuirGlacier", "ArrowGlacier", "GrayGlacier", "BPO1", "BPO2", "BPO3", "BPO4",
    }  # fmt: skip


# ---------------------------------------------------------------- all places that know forks


@each_fork
def test_every_place_knows_every_fork(fork):
    name = fork.mainnet_name
    for spelt in (name, fork.test_name, *fork.other_names):
        assert output.fork(spelt) == spelt  # --fork
        assert Header(fork=spelt).fork == spelt
        assert len(disassemble(bytes(range(256)), spelt)) > 100
        assert run(b"\0", fork=spelt).is_success
        recover_senders([], fork=spelt)
        if spelt != "HomesteadToDao":
            assert network_argument(spelt) == spelt
            assert network_schedule(spelt).fork_at(10**9, 2**40, 2**200) == name
            assert Selection(fork=fork.index).wants_in("any", spelt)
        assert fork_order(spelt)[0] == 2 * fork.index
    assert blob_base_fee(0, name) == 1 if fork_rules(name)["has_blobs"] else True
    assert Block.decode(Block(Header(fork=name)).encode(), fork=name).header.fork == name
    chain = new_chain(name)
    grow(chain, 1, extra_data=b"dao-hard-fork")
    assert chain.head.header.fork == name
    fields = {field for field, rule in LATER_FIELDS.items() if fork_rules(name)[rule]}
    assert {field for field in LATER_FIELDS if getattr(chain.head.header, field) is not None} == fields


@pytest.mark.parametrize("fork", FORKS[1:], ids=lambda fork: fork.mainnet_name)
def test_every_transition_from_a_parent_is_a_network(fork):
    parent = BY_NAME[fork.parent]
    kind = "Diff10" if fork.mainnet_name == FIRST_OF_STAKE else "Time15k" if fork_rules(fork.mainnet_name)["is_proof_of_stake"] else "5"  # fmt: skip
    network = f"{parent.test_name}To{fork.test_name}At{kind}"
    schedule = network_schedule(network)
    assert schedule.fork_at(4, 14_999, 15) == (
        parent.mainnet_name if kind != "Time15k" else schedule.fork_at(4, 14_999, 0)
    )
    assert schedule.fork_at(5, 15_000, 16) == fork.mainnet_name


def config_of(*forks) -> dict:
    """A genesis config that has these forks, each beginning at its place."""
    config = {fork.config_name: place for place, fork in enumerate(forks, 1) if fork.config_name}
    if "eip158Block" in config:
        config["eip155Block"] = config["eip158Block"]
    return {**config, "chainId": 5, "terminalTotalDifficulty": 0}


@each_fork
def test_a_genesis_config_reaches_every_fork(fork):
    line = lineage(fork)[::-1][1:]
    config = config_of(*line)
    if "constantinopleBlock" in config:
        config.setdefault("petersburgBlock", 10**6)  # it begins with Constantinople where it isn't given
    schedule = read_config(config)
    scheduled = [name for begin, name in schedule.by_number if begin < 10**6] + [
        name for _, name in schedule.by_timestamp
    ]
    assert scheduled == [FORKS[0].mainnet_name] + [f.mainnet_name for f in line if f.config_name]
    without = [f for f in line if not f.may_be_left_out]
    read_config(config_of(*without))
    for left_out in (f for f in without[:-1] if f.config_name and without[-1].config_name[-4:] == f.config_name[-4:]):
        if left_out.mainnet_name != "Petersburg":
            with pytest.raises(UnusableInput, match=left_out.config_name):
                read_config({k: v for k, v in config_of(*without).items() if k != left_out.config_name})


def test_every_fork_but_the_first_and_the_merge_has_a_member_of_its_own():
    named = [fork.config_name for fork in FORKS if fork.config_name]
    assert len(set(named)) == len(named)
    assert all(name.endswith(("Block", "Time")) for name in named)
    assert [fork.mainnet_name for fork in FORKS if not fork.config_name] == [FORKS[0].mainnet_name, FIRST_OF_STAKE]
    assert (FIRST_OF_STAKE, LAST_OF_WORK) == ("Paris", "GrayGlacier")


@pytest.mark.parametrize("member", ["unheardOfTime", "unheardOfBlock", "verkleTime", "ubtTime", "bpo9Time"])
def test_a_chain_with_an_unknown_fork_is_refused(member):
    with pytest.raises(UnusableInput, match=f"config.{member}: a fork that evmcore doesn't know"):
        read_config({member: 5})
    read_config({member: None, "mergeNetsplitBlock": 5})


@each_fork
def test_the_first_block_has_the_fields_of_its_fork(fork):
    line = lineage(fork)[::-1][1:]
    config = dict.fromkeys(config_of(*line), 0) | {"chainId": 5}
    genesis = Genesis.from_json({"config": config, "alloc": {}, "gasLimit": "0x1c9c380", "difficulty": "0x20000"})
    rules = fork_rules(genesis.header.fork)
    for name, rule in LATER_FIELDS.items():
        assert (getattr(genesis.header, name) is not None) == rules[rule], name


def test_a_field_of_the_header_is_in_all_lists():
    """The rows and the attributes are the same fields in one order."""
    names = [name for name, *_ in _HEADER_FIELDS]
    around = ["fork", "chain_id", "block_hashes", "blob_schedule", "overrides"]
    assert [field.name for field in dataclasses.fields(Header)] == [*names, *around]
    later = names[names.index(next(iter(LATER_FIELDS))) :]
    assert later == list(LATER_FIELDS), "a later field has a rule that brought it"
    for rule in LATER_FIELDS.values():
        assert rule in fork_rules(NEWEST_FORK)


# ---------------------------------------------------------------- blob limits


def test_a_fork_that_changes_no_limit_takes_those_of_the_one_before_it_in_the_chain():
    """Not those of its parent, where the chain has another fork between them."""
    before, after = "BPO1", "BPO2"
    chain = Schedule(by_timestamp=((0, "Osaka"), (5, before)), blob_limits={"Osaka": (1, 2, 3)})
    assert chain.blob_limits_of("Osaka") == (1, 2, 3)
    assert chain.blob_limits_of(before) is None
    # Osaka changes none; behind BPO1 in a chain it would have BPO1's.
    odd = Schedule(by_timestamp=((0, "Prague"), (5, after), (9, "Osaka")))
    rules = fork_rules(after)
    assert odd.blob_limits_of("Osaka") == (rules["blob_target"], rules["blob_max"], rules["blob_fee_update_fraction"])
    assert odd.blob_limits_of("Prague") is None


# ---------------------------------------------------------------- the newest


def test_one_constant_says_which_fork_is_the_newest():
    assert NEWEST_FORK == evmcore.NEWEST_FORK == NEWEST == Header().fork
    assert run(b"\x5f\x1e").is_success  # CLZ
    parser = argparse.ArgumentParser()
    from evmcore.tools import run as run_tool

    run_tool.add_arguments(parser)
    default = parser.parse_args(["--code", "00"]).fork
    assert default == NEWEST_FORK
    assert fork_includes(NEWEST_FORK, newest_of_substance())
    assert not BY_NAME[newest_of_substance()].may_be_left_out
    assert Transaction(chain_id=1, v=37, r=1, s=1).encode()


def test_a_sample_takes_the_newest_forks_whole():
    selection = Selection(sample=10**9)
    for fork in FORKS:
        is_new = fork_includes(fork.mainnet_name, newest_of_substance())
        assert selection.wants_in("some test", fork.test_name) == is_new, fork


NAMES = {name for fork in FORKS[5:] for name in (fork.mainnet_name, fork.test_name)}
# A name of a fork as a value: the example block's, and the one at which eth-tester's other backends, whose place ours takes, end.
ALLOWED = {("generate.py", "Osaka"), ("backend.py", "Prague")}


def test_no_code_names_a_fork_as_a_default():
    sources = [*ROOT.rglob("*.py"), *(ROOT.parent / "pyx").glob("*.px*")]
    for path in sources:
        for match in re.finditer(r"""=\s*\(?\s*["'](\w+)["']""", path.read_text()):
            assert match[1] not in NAMES or (path.name, match[1]) in ALLOWED, f"{path.name}: {match[0]}"
