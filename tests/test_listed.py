"""The listed strategy: a block with its access list beside it; what a list that isn't the block's ends in, and what it costs."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from chain_builder import grow, new_genesis
from helpers import ETHER, header
from test_block_access_lists import KEY, SENDER, calls, with_list
from test_conformance import corpus

from evmcore import (
    Block,
    BlockAccessList,
    InvalidAccessList,
    InvalidTransaction,
    State,
    Transaction,
    assemble,
    auto_history,
    execute_block,
)
from evmcore.conformance import listed as listed_chain
from evmcore.conformance import state_blocks
from evmcore.conformance.block_tests import run_file
from evmcore.conformance.listed import ListedChain, ListFault

WRITE = "PUSH1 7 PUSH1 1 SSTORE"
COUNT = "PUSH1 1 SLOAD PUSH1 1 ADD PUSH1 1 SSTORE"


def fault_of(block, state, **options):
    with pytest.raises(InvalidAccessList) as raised:
        execute_block(block, state.copy(), strategy="listed", state_roots=False, **options)
    return raised.value


def changed(access_list, change):
    """The list after `change` of its JSON."""
    shown = access_list.to_json()
    change({entry["address"]: entry for entry in shown})
    return BlockAccessList.from_json(shown)


SURPLUS = {
    "storage": (
        ("storageChanges", {"slot": "0x1", "slotChanges": [{"blockAccessIndex": "0x2", "postValue": "0x9"}]}),
        {"slot": 1},
    ),
    "balance": (("balanceChanges", {"blockAccessIndex": "0x2", "postBalance": "0x9"}), {}),
    "nonce": (("nonceChanges", {"blockAccessIndex": "0x2", "postNonce": "0x9"}), {}),
    "code": (("codeChanges", {"blockAccessIndex": "0x2", "newCode": "0x00"}), {}),
}


@pytest.mark.parametrize("field", SURPLUS)
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_a_surplus_change_is_named_with_its_account_and_slot(field, workers):
    """It was told without an account where the account itself was met, as that of another transaction."""
    block, state, targets = calls(WRITE, "STOP", WRITE, "STOP")
    block, _ = with_list(block, state)
    (name, entry), facts = SURPLUS[field]

    def add(accounts):
        accounts["0x" + targets[3].hex()][name].append(entry)

    fault = fault_of(replace(block, access_list=changed(block.access_list, add)), state, workers=workers)
    assert (fault.address, fault.field, fault.access_index) == (targets[3], field, 2)
    for key, value in facts.items():
        assert getattr(fault, key) == value


def test_the_lowest_index_is_told_however_many_workers_there_are():
    """Of many that are wrong."""
    block, state, targets = calls(*[COUNT] * 24)
    block, _ = with_list(block, state)

    def lie(accounts):
        for target in targets[3:]:
            accounts["0x" + target.hex()]["storageChanges"][0]["slotChanges"][0]["postValue"] = "0x63"

    lying = replace(block, access_list=changed(block.access_list, lie))
    for workers in (1, 2, 4):
        fault = fault_of(lying, state, workers=workers)
        assert (fault.address, fault.field, fault.slot, fault.access_index) == (targets[3], "storage", 1, 4)
        assert (fault.have, fault.want) == (0x63, 1)


@pytest.mark.parametrize("wrong_list_at", [1, 3])
def test_of_a_wrong_list_and_a_wrong_transaction_one_is_told(wrong_list_at):
    """In order the transactions are executed before the list is compared; with the list beside it the lower index is told."""
    block, state, targets = calls(*[WRITE] * 4)
    block, _ = with_list(block, state)
    key = "0x" + targets[wrong_list_at - 1].hex()

    def lie(accounts):
        accounts[key]["storageChanges"][0]["slotChanges"][0]["postValue"] = "0x63"

    txs = list(block.transactions)
    txs[1] = Transaction(to=targets[1], nonce=9, gas_limit=300_000, gas_price=10, chain_id=1).sign(KEY)
    both = replace(block, transactions=tuple(txs), access_list=changed(block.access_list, lie))
    with pytest.raises(InvalidTransaction) as raised:
        execute_block(both, state.copy(), strategy="sequential", state_roots=False)
    assert raised.value.index == 1
    for workers in (1, 2):
        if wrong_list_at == 1:
            assert fault_of(both, state, workers=workers).access_index == 1
        else:
            with pytest.raises(InvalidTransaction) as raised:
                execute_block(both, state.copy(), strategy="listed", workers=workers, state_roots=False)
            assert raised.value.index == 1


def readers(slots, transactions, fork="Cancun"):
    """A block whose transactions read so many slots together, one after the other, and the state before it."""
    target = b"\xaa" * 20
    each = slots // transactions
    # The calldata says with which slot to begin; the loop ends after `each` of them.
    code = assemble(
        f"PUSH0 CALLDATALOAD DUP1 PUSH3 {each} ADD SWAP1 "
        "JUMPDEST DUP1 SLOAD POP PUSH1 1 ADD DUP2 DUP2 LT PUSH1 9 JUMPI STOP"
    )
    state = State({SENDER: {"balance": ETHER * 10**6}, target: {"code": code}})
    txs = tuple(
        Transaction(
            to=target,
            nonce=nonce,
            gas_limit=100_000 + 2_200 * each,
            gas_price=10,
            chain_id=1,
            data=(nonce * each).to_bytes(32, "big"),
        ).sign(KEY)
        for nonce in range(transactions)
    )
    return Block(header(fork=fork, gas_limit=10**12), txs), state


def seconds(run):
    """The least of three."""
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - began)
    return best


def test_a_lying_list_takes_no_longer_than_an_honest_one():
    """As many items each, most of them surplus; and one that is wrong at every transaction."""
    count = 40_000
    block, state = readers(count, 40)
    block, _ = with_list(block, state)
    assert block.access_list.item_count > count
    honest = seconds(lambda: execute_block(block, state.copy(), strategy="listed", workers=2, state_roots=False))

    few, few_state = readers(400, 40)
    few, _ = with_list(few, few_state)
    shown = few.access_list.to_json()
    reads = [hex(2**200 + n) for n in range(count)]
    surplus_reads = [
        dict(e, storageReads=e["storageReads"] + (reads if e["address"] == "0x" + "aa" * 20 else [])) for e in shown
    ]
    other = {name: [] for name in ("storageChanges", "balanceChanges", "nonceChanges", "codeChanges")}
    surplus_accounts = shown + [
        {"address": "0xff" + n.to_bytes(19, "big").hex(), "storageReads": [], **other} for n in range(count)
    ]
    change = {"slotChanges": [{"blockAccessIndex": hex(40), "postValue": "0x0"}]}
    surplus_changes = [
        dict(e, storageChanges=[{"slot": slot, **change} for slot in reads] if e["address"] == "0x" + "aa" * 20 else [])
        for e in shown
    ]
    lie_everywhere = [
        dict(e, balanceChanges=[dict(c, postBalance="0x1") for c in e["balanceChanges"]]) for e in surplus_accounts
    ]
    for lie in (surplus_reads, surplus_accounts, surplus_changes, lie_everywhere):
        lying = replace(few, access_list=BlockAccessList.from_json(lie))
        fault_of(lying, few_state, workers=2)
        # A machine that does something else beside stalls either.
        assert seconds(lambda: fault_of(lying, few_state, workers=2)) < 2 * honest + 0.1


def refusal(block, state, **options):
    with pytest.raises(InvalidTransaction) as raised:
        execute_block(block, state.copy(), state_roots=False, **options)
    return raised.value.index, raised.value.status


@pytest.mark.parametrize("fork", ["Shanghai", "Cancun"])
def test_a_block_that_is_full_ends_as_early_as_in_order(fork):
    """All its transactions were executed first, however many: here a hundred, where there is room for two."""
    block, state, _ = calls(*["JUMPDEST PUSH1 0 JUMP"] * 100, fork=fork)
    txs = tuple(
        Transaction(to=tx.to, nonce=tx.nonce, gas_limit=10_000_000, gas_price=10, chain_id=1).sign(KEY)
        for tx in block.transactions
    )
    whole, _ = with_list(replace(block, transactions=txs, header=replace(block.header, gas_limit=10**12)), state)
    all_of_it = seconds(lambda: execute_block(whole, state.copy(), strategy="listed", workers=2, state_roots=False))
    full = replace(whole, header=replace(whole.header, gas_limit=25_000_000))
    want = refusal(full, state, strategy="sequential")
    assert want[0] == 2
    for workers in (1, 2, 4):
        assert refusal(full, state, strategy="listed", workers=workers) == want
    assert seconds(lambda: refusal(full, state, strategy="listed", workers=2)) < all_of_it / 3


@pytest.mark.parametrize("nonce", [1, 7])
def test_a_transaction_with_more_gas_than_a_block_isn_t_executed(nonce):
    """It ran for as long as its gas lasted, which is for hours, before the block was refused."""
    block, state, targets = calls(WRITE, "JUMPDEST PUSH1 0 JUMP", WRITE)
    endless = Transaction(to=targets[1], nonce=nonce, gas_limit=2**60, gas_price=0, chain_id=1).sign(KEY)
    block = replace(block, header=replace(block.header, base_fee_per_gas=0))
    block, _ = with_list(block, state)
    block = replace(block, transactions=(block.transactions[0], endless, block.transactions[2]))
    want = refusal(block, state, strategy="sequential")
    for workers in (1, 2):
        assert refusal(block, state, strategy="listed", workers=workers) == want


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_the_root_is_made_beside_the_transactions(workers):
    """Of few and of many accounts, with and without a trie of the state before."""
    for receivers in (3, 40, 700):
        state = State({SENDER: {"balance": ETHER * 10**6}})
        for n in range(2_000):
            state.set_balance(n.to_bytes(2, "big") * 10, 5)
            state.set_storage(n.to_bytes(2, "big") * 10, n, n + 1)
        state.set_nonce(SENDER, 0)
        txs = tuple(
            Transaction(
                to=n.to_bytes(2, "big") * 10, value=3, nonce=n, gas_limit=21_000, gas_price=10, chain_id=1
            ).sign(KEY)
            for n in range(receivers)
        )
        block, want = with_list(Block(header(fork="Cancun", gas_limit=10**9), txs), state)
        for has_trie in (False, True):
            if has_trie:
                state.root()
            after = state.copy()
            result = execute_block(block, after, strategy="listed", workers=workers, state_roots=False)
            assert result.state_root == want.state_root
            assert after.root() == want.state_root
            assert result == want


@pytest.mark.parametrize("network", ["Frontier", "Byzantium", "BerlinToLondonAt5", "Cancun", "Prague"])
def test_a_chain_is_imported_with_its_lists(network):
    chain = ListedChain(new_genesis(network), workers=2, strategy="listed")
    grow(chain, 7)
    assert chain.head.number == 7
    assert chain.state_of(chain.head).root() == chain.head.header.state_root


def test_a_block_that_differs_with_its_list_fails_its_test(monkeypatch):
    chain = ListedChain(new_genesis("Cancun"), workers=2)
    grow(chain, 2)
    run = listed_chain.execute_block

    def spoiled(block, state, **options):
        result = run(block, state, **options)
        if options["strategy"] == "listed":
            state.set_balance(b"\x99" * 20, 1)
        return result

    monkeypatch.setattr(listed_chain, "execute_block", spoiled)
    with pytest.raises(ListFault, match="with its list differs: state$"):
        grow(chain, 1)


def test_block_tests_run_with_the_listed_strategy():
    """Each block with its own list; the strategy was refused, as no test has lists beside its blocks."""
    paths = sorted((corpus() / "eest-fixtures").glob("**/blockchain_tests/for_*/**/*warm*.json"))
    results = [
        result for path in paths if "amsterdam" not in str(path) for result in run_file(str(path), strategy="listed")
    ]
    assert results
    assert [result.error for result in results if not result.is_passed] == []


def test_state_tests_run_as_blocks_with_the_listed_strategy(monkeypatch):
    """Each block with its own list; the strategy was refused, as there was none."""
    paths = sorted((corpus() / "GeneralStateTests" / "stExample").glob("*.json"))
    results = [result for path in paths for result in state_blocks.run_file(str(path), strategy="listed")]
    assert results
    assert [result.error for result in results if not result.is_passed] == []
    run = state_blocks.execute_block
    seen = []

    def without_receipts(block, state, **options):
        seen.append(block.access_list)
        result = run(block, state, **options)
        return result if options["strategy"] != "listed" else run(replace(block, transactions=()), state)

    monkeypatch.setattr(state_blocks, "execute_block", without_receipts)
    results = state_blocks.run_file(str(paths[0]), strategy="listed")
    assert "listed with 2 workers differs" in results[0].error
    assert seen[0] is None
    assert seen[1] is not None


class Source:
    """Answers out of a whole state, but for some keys, and counts."""

    def __init__(self, state, lacks=()):
        self.state, self.lacks, self.calls = state, lacks, []

    def __call__(self, keys):
        self.calls.append(keys)
        if any(key in self.lacks for key in keys):
            raise LookupError("not there")
        return {key: self.state.get_account(key[0]) if key[1] is None else self.state.get_storage(*key) for key in keys}


def test_a_lazy_state_is_asked_once_for_what_the_list_names():
    """Misses were asked for as transactions showed them."""
    chained = "PUSH1 1 SLOAD SLOAD SLOAD PUSH1 9 SSTORE"
    block, state, targets = calls(*[chained] * 6)
    for target in targets:
        state.set_storage(target, 1, 5)
        state.set_storage(target, 5, 6)
    unlisted = block
    block, want = with_list(block, state)
    for strategy, workers in (("auto", 2), ("listed", 2), ("listed", 1), ("sequential", 1)):
        source = Source(state)
        result = execute_block(block, State(source=source), strategy=strategy, workers=workers, state_roots=False)
        assert result == want
        assert result.statistics.fetched_batches == len(source.calls) == 1, strategy
    assert execute_block(unlisted, State(source=Source(state)), workers=2).statistics.fetched_batches > 1


def test_what_a_list_names_beyond_a_source_is_no_error_of_the_source():
    block, state, _ = calls(WRITE, COUNT)
    block, _ = with_list(block, state)
    stranger = b"\x77" * 20
    shown = block.access_list.to_json()
    empty = {name: [] for name in ("storageChanges", "storageReads", "balanceChanges", "nonceChanges", "codeChanges")}
    shown.append({"address": "0x" + stranger.hex(), **empty})
    shown.sort(key=lambda entry: entry["address"])
    lying = replace(block, access_list=BlockAccessList.from_json(shown))
    source = Source(state, lacks={(stranger, None)})
    with pytest.raises(InvalidAccessList) as raised:
        execute_block(lying, State(source=source), strategy="sequential", state_roots=False)
    assert (raised.value.address, raised.value.field) == (stranger, "address")


def test_auto_wakes_nobody_for_a_small_block():
    auto_history(reset=True)
    block, state, _ = calls(WRITE)
    block, want = with_list(block, state)
    result = execute_block(block, state.copy(), workers=4, state_roots=False)
    assert (result.statistics.strategy, result.statistics.workers) == ("listed", 1)
    assert result == want
    many, state = readers(20_000, 40)
    many, want = with_list(many, state)
    auto_history(reset=True)
    result = execute_block(many, state.copy(), workers=2, state_roots=False)
    assert (result.statistics.strategy, result.statistics.workers) == ("listed", 2)
    assert result == want


def test_auto_learns_from_a_block_that_one_worker_takes_by_its_list():
    many, state = readers(20_000, 40)
    many, _ = with_list(many, state)
    auto_history(reset=True)
    new = auto_history()
    result = execute_block(many, state.copy(), workers=1, state_roots=False)
    assert (result.statistics.strategy, result.statistics.workers) == ("listed", 1)
    assert auto_history().seconds_per_gas != new.seconds_per_gas
