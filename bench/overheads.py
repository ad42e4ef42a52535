"""What a call from Python costs beside the execution itself: a message to a contract that stops, a transaction between a
snapshot and its revert, a transfer of value. Beside it pyrevm, where it is installed."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from evmcore import Header, State, Transaction, call, transact

ALICE, BOB, STOPS = (bytes([number]) * 20 for number in (0xA1, 0xB0, 0xCC))
ETHER = 10**18
HEADER = Header(fork="Cancun", number=1, base_fee_per_gas=0, gas_limit=30_000_000)


def state() -> State:
    return State({ALICE: {"balance": 10**6 * ETHER}, BOB: {"balance": 1}, STOPS: {"code": b"\0", "nonce": 1}})


def our_call() -> Callable[[], None]:
    world = state()
    return lambda: call(world, HEADER, sender=ALICE, to=STOPS, gas=100_000)


def our_round_trip() -> Callable[[], None]:
    world, tx = state(), Transaction(sender=ALICE, to=STOPS, gas_limit=100_000)

    def run() -> None:
        snapshot = world.snapshot()
        transact(tx, world, HEADER)
        world.revert(snapshot)

    return run


def our_transfer() -> Callable[[], None]:
    world, nonces = state(), iter(range(1 << 62))
    return lambda: transact(Transaction(sender=ALICE, nonce=next(nonces), to=BOB, value=1), world, HEADER)


def _peer():
    peer = pytest.importorskip("pyrevm")
    evm = peer.EVM(gas_limit=30_000_000, spec_id="CANCUN")
    evm.set_block_env(peer.BlockEnv(number=1, gas_limit=30_000_000, basefee=0))
    evm.insert_account_info("0x" + ALICE.hex(), peer.AccountInfo(balance=10**6 * ETHER))
    evm.insert_account_info("0x" + BOB.hex(), peer.AccountInfo(balance=1))
    evm.insert_account_info("0x" + STOPS.hex(), peer.AccountInfo(code=b"\0", nonce=1))
    return evm, *("0x" + address.hex() for address in (ALICE, BOB, STOPS))


def peer_call() -> Callable[[], None]:
    evm, alice, _, stops = _peer()
    return lambda: evm.message_call(alice, stops, gas=100_000, gas_price=0)


def peer_round_trip() -> Callable[[], None]:
    evm, alice, _, stops = _peer()

    def run() -> None:
        snapshot = evm.snapshot()
        evm.message_call(alice, stops, gas=100_000, gas_price=0)
        evm.revert(snapshot)

    return run


def peer_transfer() -> Callable[[], None]:
    evm, alice, bob, _ = _peer()
    return lambda: evm.message_call(alice, bob, value=1, gas=21_000, gas_price=0)


CASES = {
    "call of a contract that stops": {"evmcore": our_call, "pyrevm": peer_call},
    "snapshot, transaction, revert": {"evmcore": our_round_trip, "pyrevm": peer_round_trip},
    "transfer of value": {"evmcore": our_transfer, "pyrevm": peer_transfer},
}


@pytest.mark.benchmark(timer=time.thread_time)
@pytest.mark.parametrize("engine", ["evmcore", "pyrevm"])
@pytest.mark.parametrize("case", CASES)
def test_overhead(measure, benchmark, case, engine):
    benchmark.group = f"overhead: {case}"
    measure(CASES[case][engine](), kind="overhead", case=case, engine=engine)
