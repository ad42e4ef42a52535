"""What transactions read and wrote, as people and programs meet it: arrays, JSON in the shape of EIP-7928, files, the command."""

from __future__ import annotations

import gzip
import json
import pickle
from dataclasses import replace

import numpy as np
import orjson
import pytest
from helpers import SHARED, dump

from evmcore import Block, UnusableInput, execute_block
from evmcore.__main__ import main
from evmcore.accesses import ACCOUNT_DTYPE, SLOT_DTYPE, TRANSACTION_DTYPE, Accesses
from evmcore.errors import AccessesDiffer
from evmcore.example.generate import EXAMPLE_FILE

MAINNET = SHARED / "mainnet-blocks"
BLOCKS = sorted(MAINNET.glob("*.json.gz"))
# Each kind of access at least once: creations and self-destructs, fee recipients that send, empty accounts, many slots.
TELLING = ("2675000", "4864590", "5891667", "11114732", "12047794", "19426587")


@pytest.fixture(scope="module")
def block():
    return Block.load(EXAMPLE_FILE)


@pytest.fixture(scope="module")
def recorded(block):
    return record(block)


def record(block, **options):
    options = {"workers": 1, "strategy": "sequential", **options}
    return execute_block(block, block.pre_state.copy(), record=True, **options).accesses


def executed_by(block, accesses, strategy="recorded", workers=2):
    """(result, state afterwards) of a run by these accesses."""
    state = block.pre_state.copy()
    return execute_block(block, state, workers=workers, strategy=strategy, accesses=accesses), state


@pytest.fixture
def evmcore(capsys):
    """Run a command here; (exit status, standard output, standard error)."""

    def command(*words):
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return command


# ---------------------------------------------------------------- arrays


def test_rows_are_numpy_arrays_with_names(block, recorded):
    assert (recorded.transactions.dtype, recorded.accounts.dtype, recorded.slots.dtype) == (
        TRANSACTION_DTYPE,
        ACCOUNT_DTYPE,
        SLOT_DTYPE,
    )
    assert recorded.transactions["transaction"].tolist() == list(range(len(block.transactions)))
    assert int(recorded.transactions["gas_used"].sum()) == block.header.gas_used
    assert np.all(np.diff(recorded.accounts["transaction"].astype(int)) >= 0)


def test_an_analysis_takes_a_line(block, recorded):
    """The contract whose slots are written most often."""
    addresses = [row.tobytes() for row in recorded.slots["address"][recorded.slots["is_write"] == 1]]
    busiest = max(set(addresses), key=addresses.count)
    assert len(block.pre_state.get_code(busiest)) > 100


def test_senders_nonces_and_balances_are_those_of_the_state_afterwards(block, recorded):
    state = block.pre_state.copy()
    execute_block(block, state, workers=1)
    last_nonce = {row["address"].tobytes(): int(row["nonce"]) for row in recorded.accounts if row["writes"] & 2}
    assert last_nonce
    for address, nonce in last_nonce.items():
        assert state.get_nonce(address) == nonce
    last_value = {
        (row["address"].tobytes(), int.from_bytes(row["slot"].tobytes(), "big")): int.from_bytes(
            row["value"].tobytes(), "big"
        )
        for row in recorded.slots
        if row["is_write"]
    }
    for (address, slot), value in last_value.items():
        assert state.get_storage(address, slot) == value


@pytest.mark.parametrize("options", [{"workers": 2, "strategy": "optimistic"}, {"workers": 4, "strategy": "auto"}])
def test_what_is_recorded_does_not_depend_on_how_the_block_ran(block, recorded, options):
    assert record(block, **options) == recorded


@pytest.mark.parametrize("workers", [1, 2])
def test_the_critical_path_is_this_block_s(block, workers):
    """And not that of a longer one that the same workers ran before."""
    for transactions in (block.transactions, block.transactions[:3]):
        part = replace(block, transactions=transactions)
        strategy = "optimistic" if workers > 1 else "sequential"
        result = execute_block(part, block.pre_state.copy(), record=True, workers=workers, strategy=strategy)
        longest = int(result.accesses.transactions["finish_gas"].max())
        assert result.statistics.critical_path_gas == longest
        assert result.statistics.speedup_bound == result.gas_used / longest >= 1


def test_nothing_is_kept_unless_it_is_asked_for(block):
    assert execute_block(block, block.pre_state.copy()).accesses is None


def test_groups_do_not_record(block):
    with pytest.raises(ValueError, match="record"):
        record(block, strategy="groups")


# ---------------------------------------------------------------- JSON


def test_json_has_the_shape_of_eip_7928(recorded):
    accounts = recorded.to_json()
    assert [account["address"] for account in accounts] == sorted(account["address"] for account in accounts)
    for account in accounts:
        assert [name for name in account if name != "lifetimeChanges"] == [
            "address",
            "storageChanges",
            "storageReads",
            "balanceChanges",
            "nonceChanges",
            "codeChanges",
        ]
        assert all(change["is"] in ("destroyed", "touched") for change in account.get("lifetimeChanges", ()))
        changed = {change["slot"] for change in account["storageChanges"]}
        assert not changed & set(account["storageReads"])
        for changes in account["storageChanges"]:
            indexes = [int(change["blockAccessIndex"], 16) for change in changes["slotChanges"]]
            assert indexes == sorted(set(indexes))
            assert indexes[0] >= 0  # what system calls change before the first transaction
    assert json.loads(json.dumps(accounts)) == accounts


def test_json_and_back_executes_the_same(block, recorded):
    result, state = executed_by(block, Accesses.from_json(recorded.to_json()))
    assert result.statistics.strategy == "recorded"
    assert result.state_root == block.header.state_root
    assert result == execute_block(block, want := block.pre_state.copy(), workers=1)
    assert dump(state) == dump(want)


@pytest.mark.skipif(not BLOCKS, reason=f"no {MAINNET}: set EVMCORE_SHARED")
@pytest.mark.parametrize("number", TELLING)
def test_the_lists_of_real_blocks_are_those_of_another_engine(number):
    """Slots, nonces and codes, change by change; the other engine's balances leave out the beneficiary's fees."""
    block = Block.load(MAINNET / f"{number}.json.gz")
    known = json.loads(gzip.decompress((MAINNET / "per-tx" / f"{number}.json.gz").read_bytes()))["balLike"]
    ours = {account["address"]: account for account in record(block).to_json()}
    for address, account in known.items():
        if account["destroyed"]:
            continue  # the other engine writes out each slot that goes; EIP-7928 leaves that to the rules
        mine = ours.get(address, {"storageChanges": [], "nonceChanges": [], "codeChanges": []})
        slots = {
            int(slot["slot"], 16): [values(change, "postValue") for change in slot["slotChanges"]]
            for slot in mine["storageChanges"]
        }
        assert slots == {
            int(slot, 16): [(index, int(value, 16)) for index, value in changes]
            for slot, changes in account["storage_changes"].items()
        }, address
        nonces = [values(change, "postNonce") for change in mine["nonceChanges"]]
        assert nonces == [(index, int(str(nonce), 0)) for index, nonce in account["nonce_changes"]], address
        codes = [int(change["blockAccessIndex"], 16) for change in mine["codeChanges"]]
        assert codes == [index for index, _ in account["code_changes"]], address


def values(change, name):
    return int(change["blockAccessIndex"], 16), int(change[name], 16)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"address": "0x12"}, "1 bytes instead of 20"),
        ({}, "KeyError"),
        ({"address": "0x" + "11" * 20, "nonceChanges": [{"blockAccessIndex": "0x1"}]}, "postNonce"),
        ({"address": "0x" + "11" * 20, "storageReads": ["zz"]}, "invalid literal"),
        ({"address": "0x" + "11" * 20, "storageReads": [hex(1 << 256)]}, "too big"),
        ({"address": 7}, "TypeError"),
    ],
)
def test_json_of_another_shape_is_refused_with_the_account(wrong, words):
    with pytest.raises(UnusableInput, match=words):
        Accesses.from_json([wrong])


# ---------------------------------------------------------------- given to a run


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_recorded_accesses_need_no_second_run_of_anything(block, recorded, workers):
    result, _ = executed_by(block, recorded, workers=workers)
    assert result.state_root == block.header.state_root
    assert result.statistics.executions == len(block.transactions)
    assert result.statistics.aborted == 0
    assert result.statistics.mismatch is None


def spoiled(accesses):
    """The same accesses with one value that nobody wrote, and the transaction that is said to have written it."""
    slots = accesses.slots.copy()
    place = int(np.flatnonzero(slots["is_write"])[3])
    slots["value"][place, 31] ^= 1
    return Accesses(accesses.transactions, accesses.accounts, slots, accesses.codes), int(slots["transaction"][place])


def test_accesses_that_do_not_match_are_an_error_and_the_state_is_as_before(block, recorded):
    wrong, index = spoiled(recorded)
    state = block.pre_state.copy()
    with pytest.raises(AccessesDiffer) as error:
        execute_block(block, state, workers=2, strategy="recorded", accesses=wrong)
    assert error.value.index == index
    assert state == block.pre_state


@pytest.mark.parametrize("strategy", ["recorded-hint", "auto"])
def test_as_a_hint_they_may_be_wrong(block, recorded, strategy):
    wrong, index = spoiled(recorded)
    result, _ = executed_by(block, wrong, strategy)
    assert result.state_root == block.header.state_root
    assert result.statistics.strategy == "recorded-hint"
    assert result.statistics.mismatch == index


def test_accesses_may_be_given_in_any_order_and_pickled(block, recorded):
    mixed = Accesses(accounts=recorded.accounts[::-1].copy(), slots=recorded.slots[::-1].copy(), codes=recorded.codes)
    for _ in range(2):  # the second run finds the plan that the first one made
        result, _ = executed_by(block, mixed, workers=2)
        assert result.state_root == block.header.state_root
        assert result.statistics.mismatch is None
    again = pickle.loads(pickle.dumps(mixed))
    assert again == mixed
    result, _ = executed_by(block, again, workers=2)
    assert result.state_root == block.header.state_root


def test_a_missing_and_a_spurious_write_are_found(block, recorded):
    writes = np.flatnonzero(recorded.accounts["writes"] & 1)
    fewer = Accesses(recorded.transactions, np.delete(recorded.accounts, writes[5]), recorded.slots, recorded.codes)
    more = Accesses(
        recorded.transactions,
        np.insert(recorded.accounts, writes[5], recorded.accounts[writes[5]]),
        recorded.slots,
        recorded.codes,
    )
    stranger = np.insert(recorded.accounts, writes[5], recorded.accounts[writes[5]])
    stranger["address"][writes[5]] = 0x77
    other = Accesses(recorded.transactions, stranger, recorded.slots, recorded.codes)
    for wrong in (fewer, more, other):
        state = block.pre_state.copy()
        with pytest.raises(AccessesDiffer):
            execute_block(block, state, workers=2, strategy="recorded", accesses=wrong)
        assert state == block.pre_state
        result, _ = executed_by(block, wrong, "recorded-hint")
        assert result.state_root == block.header.state_root


def test_a_code_that_is_not_given_is_unusable(block, recorded):
    accounts = recorded.accounts.copy()
    accounts["writes"][0] |= 4
    accounts["code"][0] = len(recorded.codes)
    wrong = Accesses(recorded.transactions, accounts, recorded.slots, recorded.codes)
    with pytest.raises(UnusableInput, match="a code that is not among"):
        execute_block(block, block.pre_state.copy(), strategy="recorded", accesses=wrong)


def test_an_empty_hint_is_only_no_help(block):
    result, _ = executed_by(block, Accesses(), "recorded-hint")
    assert result.state_root == block.header.state_root


def test_recorded_without_accesses_is_a_mistake(block):
    with pytest.raises(ValueError, match="accesses"):
        execute_block(block, block.pre_state.copy(), strategy="recorded")


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("name", ["accesses.json", "accesses.json.gz"])
def test_a_file_keeps_them(recorded, tmp_path, name):
    path = tmp_path / name
    recorded.save(path)
    assert Accesses.load(path) == recorded
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == name.endswith(".gz")


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "No such file"), (b"{", "JSON|unexpected end"), (b"[]", "format"), (b'{"format": "other"}', "format")],
)
def test_a_file_that_is_none_is_refused_with_its_path(tmp_path, content, words):
    path = tmp_path / "accesses.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnusableInput, match=words) as error:
        Accesses.load(path)
    assert str(path) in str(error.value)


# ---------------------------------------------------------------- the command


def test_replay_writes_what_it_reads(evmcore, tmp_path):
    path = tmp_path / "accesses.json.gz"
    assert evmcore("replay", EXAMPLE_FILE, "--accesses", path, "--json")[0] == 0
    status, out, err = evmcore("replay", EXAMPLE_FILE, "--recorded", path, "--workers", 2, "--repeat", 2, "--json")
    assert (status, err) == (0, "")
    report = json.loads(out)
    assert (report["strategy"], report["ok"], report["aborted"]) == ("recorded", True, 0)


def test_several_blocks_have_a_directory(evmcore, tmp_path):
    folder = tmp_path / "accesses"
    assert evmcore("replay", EXAMPLE_FILE.parent, "--accesses", folder)[0] == 0
    assert [path.name for path in folder.iterdir()] == ["1000000.json.gz"]
    assert evmcore("replay", EXAMPLE_FILE, "--recorded", folder)[0] == 0
    assert evmcore("replay", EXAMPLE_FILE, EXAMPLE_FILE, "--recorded", folder)[0] == 0


def test_accesses_of_something_else_are_a_mismatch_or_a_hint(evmcore, block, recorded, tmp_path):
    path = tmp_path / "wrong.json"
    spoiled(recorded)[0].save(path)
    status, out, err = evmcore("replay", EXAMPLE_FILE, "--recorded", path, "--json")
    assert status == 1
    assert json.loads(out)["ok"] is False
    assert f"transaction {spoiled(recorded)[1]}: its writes are not those of the given accesses" in err
    status, out, _ = evmcore("replay", EXAMPLE_FILE, "--recorded", path, "--strategy", "recorded-hint", "--json")
    assert (status, json.loads(out)["ok"]) == (0, True)


def test_options_that_do_not_go_together_are_refused(evmcore, tmp_path):
    path = tmp_path / "accesses.json"
    path.write_bytes(orjson.dumps({"format": "block-accesses/1", "accounts": []}))
    for words, said in [
        (("--strategy", "recorded"), "needs --recorded"),
        (("--strategy", "groups", "--recorded", path), "makes no use of --recorded"),
        (("--recorded", tmp_path / "none.json"), "No such file"),
        ((EXAMPLE_FILE, "--recorded", path), "name a directory"),
        ((EXAMPLE_FILE, "--accesses", path), "name a directory"),
        (("--accesses", tmp_path / "none" / "accesses.json"), "No such file"),
    ]:
        status, _, err = evmcore("replay", EXAMPLE_FILE, *words)
        assert (status, said in err) == (2, True), (words, err)
