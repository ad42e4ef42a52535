"""titanoboa on evmcore: what boa shows of contracts, errors, storage and gas. Skipped where titanoboa is not installed."""

from __future__ import annotations

import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    boa = pytest.importorskip("boa", reason="titanoboa is not installed (the extra evmcore[boa])")
    from boa.rpc import RPC
    from boa.util.abi import Address
    from boa.vm import py_evm
    from boa.vm.gas_meters import NoGasMeter, ProfilingGasMeter
    from boa.vm.py_evm import deregister_raw_precompile, register_raw_precompile
    from eth.exceptions import InsufficientFunds
    from eth.vm.gas_meter import GasMeter

from evmcore import State
from evmcore.titanoboa import Engine, Env

pytestmark = pytest.mark.filterwarnings("ignore")
COUNTER = """
event Added:
    by: indexed(uint256)
count: public(uint256)
values: public(HashMap[uint256, uint256])

@external
@payable
def add(by: uint256):
    self.count += by
    self.values[by] = self.count
    log Added(by=by)
    assert by > 0, "by nothing"
    assert by != 99  # dev: not 99

@internal
def _double(x: uint256) -> uint256:
    return 2 * x
"""
CALLER = """
interface Counter:
    def add(by: uint256): nonpayable

@external
def through(counter: address, by: uint256):
    extcall Counter(counter).add(by)
"""


@pytest.fixture
def env():
    with boa.swap_env(Env()):
        yield boa.env


@pytest.fixture
def counter(env):
    return boa.loads(COUNTER)


def test_one_line_swaps_the_environment(counter):
    assert isinstance(boa.env.evm, Engine)
    assert isinstance(boa.env.evm.state, State)
    counter.add(7)
    assert counter.count() == counter._storage.count.get() == 7
    assert counter._storage.values.get() == {7: 7}
    assert counter.internal._double(4) == 8
    assert counter.eval("self.count + 1") == 8


def test_errors_have_reasons_places_and_the_storage_as_it_was(counter):
    with boa.reverts("by nothing"):
        counter.add(0)
    with boa.reverts(dev="not 99"):
        counter.add(99)
    with pytest.raises(boa.BoaError) as caught:
        counter.add(99)
    assert "count=99" in str(caught.value)
    assert "user assert" in str(caught.value)
    assert counter._storage.count.get() == 0
    caller = boa.loads(CALLER)
    with boa.reverts(dev="not 99"):
        caller.through(counter.address, 99)
    caller.through(counter.address, 5)
    assert "add" in str(caller.call_trace())
    assert [log.by for log in caller.get_logs()] == [5]
    assert caller.get_logs(include_child_logs=False) == []


def test_anchors_take_back_state_and_block(counter):
    timestamp = boa.env.evm.patch.timestamp
    with boa.env.anchor():
        counter.add(4)
        boa.env.time_travel(seconds=100)
        boa.env.evm.patch.chain_id = 5
        assert (counter.count(), boa.env.evm.patch.chain_id) == (4, 5)
    assert (counter.count(), boa.env.evm.patch.chain_id, boa.env.evm.patch.timestamp) == (0, 1, timestamp)
    counter.add(4, simulate=True)
    assert counter.count() == 0


def test_pranks_balances_and_values(counter):
    stranger = boa.env.generate_address("stranger")
    boa.env.set_balance(stranger, 10)
    with boa.env.prank(stranger):
        counter.add(1, value=4)
        with pytest.raises(InsufficientFunds, match="6 < 7"):
            counter.add(1, value=7)
    assert (boa.env.get_balance(stranger), boa.env.get_balance(counter.address)) == (6, 4)
    boa.env.set_storage(counter.address, 0, 50)
    assert (counter.count(), boa.env.get_storage(counter.address, 0)) == (50, 50)
    token = boa.loads("balanceOf: public(HashMap[address, uint256])\ntotalSupply: public(uint256)")
    boa.deal(token, stranger, 500)
    assert (token.balanceOf(stranger), token.totalSupply()) == (500, 500)


def test_gas_is_counted_by_pc_or_not_at_all(counter):
    boa.env.reset_gas_used()
    with boa.env.gas_meter_class(ProfilingGasMeter):
        counter.add(2)
    computation = counter._computation
    assert boa.env.get_gas_used() == computation.get_gas_used()
    assert sum(computation._gas_meter._gas_used_of.values()) == computation.get_gas_used() > 40_000
    assert len(computation.code._trace) > 50
    with boa.env.gas_meter_class(NoGasMeter):
        counter.add(2, gas=10)
    assert counter.count() == 4
    with pytest.raises(boa.BoaError):
        counter.add(2, gas=10)


def test_contracts_that_contracts_make_are_known(env):
    kind = boa.loads_partial(COUNTER)
    blueprint, target = kind.deploy_as_blueprint(), kind.deploy()
    factory = boa.loads("""
@external
def make(blueprint: address) -> address:
    return create_from_blueprint(blueprint, code_offset=3)
@external
def proxy(target: address) -> address:
    return create_minimal_proxy_to(target)
""")
    made = env.lookup_contract(factory.make(blueprint.address))
    made.add(3)
    assert made.count() == 3
    proxy = env.lookup_contract(factory.proxy(target.address))
    proxy.add(4)
    assert (proxy.count(), target.count(), proxy.created_from) == (4, 0, factory.address)


def test_precompiles_in_python_answer_and_are_not_asked_again(env):
    asked, place = [], "0x" + "ab" * 20

    def twice(computation):
        asked.append(computation.msg.data_as_bytes)
        computation.consume_gas(100, "twice")
        computation.output = (2 * int.from_bytes(computation.msg.data_as_bytes, "big")).to_bytes(32, "big")
        return computation

    register_raw_precompile(place, twice)
    try:
        contract = boa.loads(f"""
@external
def check(x: uint256) -> uint256:
    answer: Bytes[32] = raw_call({Address(place)}, abi_encode(x), max_outsize=32)
    assert convert(answer, uint256) < 50, "too large"
    return convert(answer, uint256)
""")
        assert contract.check(21) == 42
        with boa.reverts("too large"):
            contract.check(30)
        assert [int.from_bytes(data, "big") for data in asked] == [21, 30]
    finally:
        deregister_raw_precompile(place)


def test_contracts_may_be_larger_than_the_fork_allows_if_that_is_patched(env):
    large = b"\x61\x75\x30\x5f\xf3"  # returns 30,000 zeros
    assert env.deploy(bytecode=large)[1].is_error
    with env.anchor():
        env.evm.patch.code_size_limit = 2**20
        assert len(env.deploy(bytecode=large)[1].output) == 30_000
    assert env.deploy(bytecode=large)[1].is_error
    with pytest.raises(AttributeError, match="base_fee"):
        env.evm.patch.base_fee = 1


def test_any_state_can_be_gone_on_from(env):
    address = env.generate_address()
    asked = []

    def source(keys):
        asked.extend(keys)
        return {
            (where, slot): {"balance": 7, "has_storage": where == address.canonical_address} if slot is None else 9
            for where, slot in keys
        }

    assert not env.evm.is_forked
    env.evm.fork_state(State(source=source), {"block_number": 100, "chain_id": 5})
    assert (env.evm.is_forked, env.evm.is_state_dirty) == (True, False)
    assert (env.get_balance(address), env.get_storage(address, 3), env.evm.patch.block_number) == (7, 9, 100)
    assert asked
    contract = boa.loads("@external\n@view\ndef block_() -> (uint256, uint256):\n    return block.number, chain.id")
    assert contract.block_() == (100, 5)
    assert env.evm.is_state_dirty


class _Node(RPC):
    """A node of one block, whose accounts have 5 wei, a contract and a slot."""

    def __init__(self):
        self.asked = []

    identifier = name = "a node of the test"

    def fetch(self, method, params):
        self.asked.append(method)
        return {
            "eth_chainId": "0x7",
            "eth_getBalance": "0x5",
            "eth_getTransactionCount": "0x1",
            "eth_getCode": "0x60005460005260206000f3",  # returns slot 0
            "eth_getStorageAt": "0x2a",
            "eth_getBlockByNumber": {"number": "0x64", "timestamp": "0x3e8", "parentHash": "0x" + "11" * 32},
        }[method]

    fetch_uncached = fetch

    def fetch_multi(self, payloads):
        return [self.fetch(method, params) for method, params in payloads]


def test_a_nodes_block_is_gone_on_from_by_boas_rpc():
    env, node = Env(), _Node()
    env.fork_rpc(node, block_identifier=100, cache_dir=None)
    somewhere = env.generate_address()
    assert (env.evm.is_forked, env.evm.patch.block_number, env.evm.patch.chain_id, env.evm.patch.timestamp) == (
        True,
        100,
        7,
        1000,
    )
    assert env.get_balance(somewhere) == 5
    assert int.from_bytes(env.raw_call(somewhere).output, "big") == 42
    env.set_storage(somewhere, 0, 3)
    assert int.from_bytes(env.raw_call(somewhere).output, "big") == 3
    with env.anchor():
        env.set_balance(somewhere, 1)
    assert env.get_balance(somewhere) == 5
    assert env.evm.patch.header.block_hashes[99] == b"\x11" * 32


def test_functions_in_the_place_of_opcodes_look_on(env, counter):
    jumps, hashes = [], []
    before = dict(py_evm._opcode_overrides)
    boa.patch_opcode(0x57, lambda computation: jumps.append(computation._stack.values[-2:]))
    boa.patch_opcode(0x20, lambda computation: hashes.append(computation.msg.storage_address))
    try:
        counter.add(3)
    finally:
        py_evm._opcode_overrides.clear()
        py_evm._opcode_overrides.update(before)
    assert all(len(pair) == 2 for pair in jumps)
    assert len(jumps) > 2
    assert hashes == [counter.address.canonical_address]
    assert counter.count() == 3


def test_a_gas_meter_of_ones_own_is_told_of_all_gas(env, counter):
    class Meter(GasMeter):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.reasons = []

        def consume_gas(self, amount, reason):
            super().consume_gas(amount, reason)
            self.reasons.append(reason)

    with env.gas_meter_class(Meter):
        counter.add(3)
    meter = counter._computation._gas_meter
    assert isinstance(meter, Meter)
    assert meter.start_gas - meter.gas_remaining == counter._computation.get_gas_used()
    assert "0x55" in meter.reasons


def test_hashed_keys_and_written_slots_are_kept_for_boas_storage(env, counter):
    """What boa's SHA3 and SSTORE tracers keep: the preimages of keys, and the slots of each account, of calls of calls too."""
    caller = boa.loads(CALLER)
    caller.through(counter.address, 5)
    key = (1).to_bytes(32, "big") + (5).to_bytes(32, "big")
    assert key in env.sha3_trace.values()
    [image] = [image for image, preimage in env.sha3_trace.items() if preimage == key]
    assert int.from_bytes(image, "big") in env.sstore_trace[counter.address]
    assert 0 in env.sstore_trace[counter.address]
    assert caller.address not in env.sstore_trace
    assert counter._storage.values.get() == {5: 5}


def test_the_tree_of_computations_has_failed_calls_and_those_below_them(env, counter):
    tries = boa.loads("""
@external
def tries(target: address, by: uint256) -> bool:
    return raw_call(target, abi_encode(by, method_id=method_id("add(uint256)")), revert_on_failure=False)
""")
    assert not tries.tries(counter.address, 0)
    [child] = tries._computation.children
    assert (child.is_error, type(child.error).__name__, child.children) == (True, "Revert", [])
    assert b"by nothing" in child.output
    assert child.msg.to == counter.address.canonical_address
    assert child.msg.depth == 1
    assert tries._computation.get_log_entries() == ()
    assert tries.tries(counter.address, 3)
    [child] = tries._computation.children
    assert child.is_success
    assert [entry[0] for entry in tries._computation.get_log_entries()] == [counter.address.canonical_address]
    assert tries._computation.get_gas_used() > child.get_gas_used() > 0
    assert len(child.code._trace) > 20
