"""A process that was forked off while another thread held a lock goes on: what it asks answers, or says why not."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from chain_builder import new_chain, new_genesis

from evmcore import EvmError, Transaction, caches, empty_caches
from evmcore.layers import Admission
from evmcore.layers.carried import CodeStore
from evmcore.locks import lock_of_process

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def in_child(act):
    """The exit status of a child that acts, and ends after five seconds at most."""
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        try:
            act()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def while_held(lock, act):
    """`in_child`, while another thread holds the lock."""
    is_held, is_done = threading.Event(), threading.Event()

    def holds():
        with lock:
            is_held.set()
            is_done.wait(30)

    thread = threading.Thread(target=holds)
    thread.start()
    is_held.wait(30)
    try:
        return in_child(act)
    finally:
        is_done.set()
        thread.join()


def test_admitted_transactions_and_codes_are_those_of_before():
    transaction = Transaction(gas_price=1, chain_id=1).sign(b"\x11" * 32)
    admission, codes = Admission(), CodeStore()
    admission.admit([transaction], fork="Osaka")

    def act():
        assert admission.admit([transaction], fork="Osaka") == []
        admission.clear()
        codes.add({bytes(32): b""})

    assert while_held(admission._lock, act) == 0
    assert while_held(codes._lock, act) == 0


def test_proposed_blocks_and_caches_can_be_emptied():
    chain = new_chain("Osaka")

    def act():
        caches()
        empty_caches()
        chain._proposed.clear()

    assert while_held(chain._proposed._lock, act) == 0


def test_a_store_says_that_it_is_the_other_process_s(tmp_path):
    """A copy of a process whose other thread committed didn't end: it waited for that thread when it closed the store."""
    pytest.importorskip("mdbx", reason="libmdbx is not installed; it has no package for this Python or machine")
    from evmcore.store import Store, claims

    genesis = new_genesis("Osaka")
    with Store(tmp_path / "a", genesis=genesis) as store:

        def act():
            with pytest.raises(EvmError, match="before this process was forked"):
                store.header()
            store.close()

        def opens():
            Store(tmp_path / "b", genesis=genesis).close()

        assert while_held(store._lock, act) == 0
        assert while_held(claims._CLAIM_LOCK, opens) == 0
        assert store.header().number == 0


def test_the_thread_that_forks_gives_back_what_it_holds():
    lock = lock_of_process()

    def act():
        lock.release()
        with lock:
            pass

    with lock:
        assert in_child(act) == 0
