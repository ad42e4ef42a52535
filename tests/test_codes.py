"""The process's cache of codes: what it keeps, what it lets go, and that no result shows it."""

import subprocess
import sys

import pytest

from evmcore import State, code_cache_info, run, set_code_cache_limit

ADDRESS = b"\x11" * 20


@pytest.fixture(autouse=True)
def limit():
    before = code_cache_info().limit_bytes
    yield
    set_code_cache_limit(before)


def code_of(number, size=1000):
    return number.to_bytes(4, "big") + bytes([0x5B]) * (size - 4)


def state_with(code):
    return State({ADDRESS: {"code": code}})


def test_a_code_is_kept_once_for_all_states():
    code = code_of(0xC0DE)
    first = state_with(code)
    before = code_cache_info()
    others = [state_with(code) for _ in range(5)]
    after = code_cache_info()
    assert (after.hits - before.hits, after.misses - before.misses) == (5, 0)
    assert after.bytes == before.bytes
    assert {state.get_code(ADDRESS) for state in (first, *others)} == {code}


def test_it_keeps_what_no_state_holds_within_its_limit():
    set_code_cache_limit(0)
    held = code_cache_info().bytes  # by states elsewhere
    set_code_cache_limit(held + 50_000)
    for number in range(500):
        state_with(code_of(number))
    info = code_cache_info()
    assert held < info.bytes <= held + 50_000


def test_a_limit_of_zero_keeps_none_and_changes_no_result():
    program = bytes.fromhex("60056007015b60005260206000f3")
    wanted = run(program)
    set_code_cache_limit(0)
    held = code_cache_info()[:2]  # by states elsewhere
    again = run(program)
    assert (again.output, again.gas_used) == (wanted.output, wanted.gas_used)
    state = state_with(code_of(0xFEED))
    assert state.get_code(ADDRESS) == code_of(0xFEED)
    assert code_cache_info()[:2] == held


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (-1, ValueError),
        (2**48 + 1, ValueError),
        (2**70, ValueError),
        (None, TypeError),
        (True, TypeError),
        (1.5, TypeError),
        ("1", TypeError),
    ],
)
def test_a_limit_that_is_none_is_refused(value, error):
    before = code_cache_info().limit_bytes
    with pytest.raises(error, match="limit_bytes"):
        set_code_cache_limit(value)
    assert code_cache_info().limit_bytes == before


def test_a_process_that_was_forked_while_threads_load_codes_goes_on():
    program = """
import os, threading
from evmcore import State, code_cache_info
stop = False
def load(start):
    number = start
    while not stop:
        number += 4
        State({b"\\x11" * 20: {"code": number.to_bytes(4, "big") * 8}})
threads = [threading.Thread(target=load, args=(each,), daemon=True) for each in range(3)]
for thread in threads: thread.start()
for turn in range(40):
    child = os.fork()
    if child == 0:
        State({b"\\x11" * 20: {"code": b"\\x5b" * 100}})
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop = True
print("done")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
