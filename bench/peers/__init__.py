"""The engines that a program is measured on: evmcore, and those of its peers that happen to be installed.

Each turns a program of the collection into a function that runs it once, from a snapshot and back to it, and returns the gas
of the whole transaction. A peer that can't be imported is left out; none is a dependency.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

Program = dict[str, Any]
Run = Callable[[], int]
BLOCK_GAS_LIMIT = 10**9
BALANCE = 10**30


def _words(storage: dict[str, str]) -> dict[int, int]:
    return {int(slot, 16): int(value, 16) for slot, value in storage.items()}


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _accounts(program: Program) -> dict[bytes, tuple[bytes, dict[int, int]]]:
    """address -> (code, storage) of the program and what else it calls."""
    found = {_bytes(address): (_bytes(code), {}) for address, code in program["accounts"].items()}
    return {**found, _bytes(program["to"]): (_bytes(program["code"]), _words(program["storage"]))}


def evmcore(program: Program) -> Run:
    from evmcore import Header, State, Transaction, transact

    state = State({at: {"code": code, "storage": storage} for at, (code, storage) in _accounts(program).items()})
    state.set_balance(program["sender"], BALANCE)
    tx = Transaction(to=program["to"], data=program["data"], gas_limit=program["gas_limit"], sender=program["sender"])
    limit = max(BLOCK_GAS_LIMIT, program["gas_limit"])
    header = Header(fork=program["fork"], number=1, gas_limit=limit, base_fee_per_gas=0)

    def run() -> int:
        snapshot = state.snapshot()
        receipt = transact(tx, state, header)
        state.revert(snapshot)
        return receipt.gas_used

    return run


def pyrevm(program: Program) -> Run:
    import pyrevm as peer

    limit = max(BLOCK_GAS_LIMIT, program["gas_limit"])
    evm = peer.EVM(gas_limit=limit, spec_id=program["fork"].upper())
    evm.set_block_env(peer.BlockEnv(number=1, gas_limit=limit, basefee=0))
    for address, (code, storage) in _accounts(program).items():
        evm.insert_account_info("0x" + address.hex(), peer.AccountInfo(code=code))
        for slot, value in storage.items():
            evm.insert_account_storage("0x" + address.hex(), slot, value)
    evm.insert_account_info(program["sender"], peer.AccountInfo(balance=BALANCE))
    data = _bytes(program["data"])

    def run() -> int:
        snapshot = evm.snapshot()
        evm.message_call(program["sender"], program["to"], calldata=data, gas=program["gas_limit"], gas_price=0)
        gas_used = int(evm.result.gas_used)
        evm.revert(snapshot)
        return gas_used

    return run


def py_evm(program: Program) -> Run:
    forks = importlib.import_module(f"eth.vm.forks.{program['fork'].lower()}")
    machine = getattr(forks, f"{program['fork']}VM")
    chain_context = importlib.import_module("eth.vm.chain_context").ChainContext(1)
    header_class = getattr(
        importlib.import_module(f"eth.vm.forks.{program['fork'].lower()}.blocks"),
        f"{program['fork']}BlockHeader",
    )
    header = header_class(
        difficulty=0,
        block_number=1,
        timestamp=1,
        base_fee_per_gas=0,
        gas_limit=max(BLOCK_GAS_LIMIT, program["gas_limit"]),
    )
    state = machine.build_state(
        importlib.import_module("eth.db.atomic").AtomicDB(), header, chain_context, previous_hashes=()
    )
    for address, (code, storage) in _accounts(program).items():
        state.set_code(address, code)
        for slot, value in storage.items():
            state.set_storage(address, slot, value)
    sender = _bytes(program["sender"])
    state.set_balance(sender, BALANCE)
    state.lock_changes()
    unsigned = machine.create_unsigned_transaction(
        nonce=0, gas_price=0, gas=program["gas_limit"], to=_bytes(program["to"]), value=0, data=_bytes(program["data"])
    )
    tx = importlib.import_module("eth.vm.spoof").SpoofTransaction(unsigned, from_=sender)

    def run() -> int:
        snapshot = state.snapshot()
        computation = state.apply_transaction(tx)
        used = int(tx.gas - computation.get_gas_remaining())
        refund = min(computation.get_gas_refund(), used // 5)
        state.revert(snapshot)
        return used - refund

    return run


def specification(program: Program) -> Run:
    base = f"ethereum.forks.{program['fork'].lower()}"
    fork, states, types, transactions, vm = (
        importlib.import_module(f"{base}.{name}") for name in ("fork", "state", "fork_types", "transactions", "vm")
    )
    numeric = importlib.import_module("ethereum_types.numeric")
    bytes32 = importlib.import_module("ethereum_types.bytes").Bytes32
    uint, u64, u256 = numeric.Uint, numeric.U64, numeric.U256
    state = states.State()
    for address, (code, storage) in _accounts(program).items():
        key = types.Address(address)
        states.set_account(state, key, types.Account(uint(0), u256(0), code))
        for slot, value in storage.items():
            states.set_storage(state, key, bytes32(slot.to_bytes(32, "big")), u256(value))
    sender = types.Address(_bytes(program["sender"]))
    states.set_account(state, sender, types.Account(uint(0), u256(BALANCE), b""))
    environment = vm.BlockEnvironment(
        chain_id=u64(1),
        state=state,
        block_gas_limit=uint(max(BLOCK_GAS_LIMIT, program["gas_limit"])),
        block_hashes=[],
        coinbase=types.Address(bytes(20)),
        number=uint(1),
        base_fee_per_gas=uint(0),
        time=u256(1),
        prev_randao=bytes32(bytes(32)),
        excess_blob_gas=u64(0),
        parent_beacon_block_root=bytes32(bytes(32)),
    )
    tx = transactions.LegacyTransaction(
        nonce=u256(0), gas_price=uint(0), gas=uint(program["gas_limit"]), to=types.Address(_bytes(program["to"])),
        value=u256(0), data=_bytes(program["data"]), v=u256(27), r=u256(1), s=u256(1),
    )  # fmt: skip

    def run() -> int:
        recover_sender, fork.recover_sender = fork.recover_sender, lambda *_: sender
        transient = states.TransientStorage()
        states.begin_transaction(state, transient)
        output = vm.BlockOutput()
        try:
            fork.process_transaction(environment, output, tx, uint(0))
        finally:
            states.rollback_transaction(state, transient)
            fork.recover_sender = recover_sender
        return int(output.block_gas_used)

    return run


# name -> (what has to be importable, how to prepare a program, instructions beyond which a program would take too long)
ENGINES: dict[str, tuple[str | None, Callable[[Program], Run], float]] = {
    "evmcore": (None, evmcore, float("inf")),
    "pyrevm": ("pyrevm", pyrevm, float("inf")),
    "py-evm": ("eth.vm.forks", py_evm, 700_000),
    "specification": ("ethereum.forks", specification, 60_000),
}


def installed() -> list[str]:
    """The engines that are here."""
    found = []
    for name, (module, _, _) in ENGINES.items():
        try:
            if module is not None:
                importlib.import_module(module)
        except ImportError:
            continue
        found.append(name)
    return found
