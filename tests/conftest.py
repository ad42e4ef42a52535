"""Fixtures that any test may ask for. Helpers to import are in helpers.py."""

from __future__ import annotations

import gc
import signal

import pytest
from helpers import ALICE, ETHER, Stop, shared

from evmcore import State


@pytest.fixture
def state() -> State:
    """A state in which Alice has 100 ether."""
    return State({ALICE: {"balance": 100 * ETHER}})


@pytest.fixture(scope="session")
def genesis():
    """Of the shared chain."""
    from evmcore.chain import Genesis

    return Genesis.load(shared("chain", "genesis.json"))


@pytest.fixture(scope="session")
def blocks():
    """The RLP of the shared chain's 54 blocks."""
    from evmcore.tools.importing import _pieces

    return [piece.encoded for piece in _pieces(shared("chain", "chain.rlp").read_bytes())]


@pytest.fixture
def no_garbage_collection():
    """No collection of cycles: what a signal handler raises within a finalizer or a callback of it, Python drops."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def alarm(no_garbage_collection):
    """A function that has `Stop` raised once after so many seconds, or not if they are 0."""

    def stop(*_):
        raise Stop

    before = signal.signal(signal.SIGALRM, stop)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
