"""What befalls a call: signals, exceptions anywhere, other threads, no memory, a fork, the end of the interpreter.

Each function raises AssertionError where a promise is broken. Self-contained: what a failing program uses of this file is
printed with it.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
import threading
import time

from evmcore import EvmError

from .hostile import Stop

# What a call may raise where it is given something wrong.
EXPECTED = (
    *(EvmError, Stop, TypeError, ValueError, LookupError, ArithmeticError, MemoryError, AttributeError, OSError),
    *(RecursionError, KeyboardInterrupt),
)
IS_SANITIZED = "libasan" in os.environ.get("LD_PRELOAD", "")


def expected(error):
    """Whether it is an answer. Not one: SystemError, an error that says evmcore failed, and what nobody thought of."""
    if isinstance(error, EvmError) and str(error).startswith("evmcore failed"):
        return False
    if isinstance(error, NameError):  # what an earlier line was to make
        return len(error.name or "") == 2
    return isinstance(error, EXPECTED) and not isinstance(error, (UnboundLocalError, UnicodeError))


def attempt(thunk):
    """What came of a call: ("value", …) or the error's type; what is not expected is raised."""
    try:
        return "value", thunk()
    except BaseException as error:
        if not expected(error):
            raise
        return type(error).__name__, str(error)


def interrupted(seconds, thunk):
    """Call it with a signal whose handler raises after so many seconds."""

    def handler(*_):
        raise Stop("signal")

    signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        return thunk()
    finally:
        while True:
            try:
                signal.setitimer(signal.ITIMER_REAL, 0)
                break
            except Stop:
                pass


def soon(seconds, thunk, patience=3.0):
    """An interrupted call ends soon after the signal. CPU seconds: others may be at work too."""
    began = time.process_time()
    attempt(lambda: interrupted(seconds, thunk))
    assert time.process_time() - began < seconds + patience, (
        f"went on {time.process_time() - began:.1f} s after a signal"
    )


def raised_at(n, thunk):
    """Call it, and raise at the n-th call or return of a Python function within it."""
    seen = 0

    def profile(*_):
        nonlocal seen
        seen += 1
        if seen == n:
            sys.setprofile(None)
            raise Stop("profile")

    sys.setprofile(profile)
    try:
        return thunk()
    finally:
        sys.setprofile(None)


def without_memory(n, thunk):
    """Call it, and let each of Python's allocations from the n-th on fail."""
    import _testcapi

    def call():
        _testcapi.set_nomemory(n)
        try:
            return thunk()
        finally:
            _testcapi.remove_mem_hooks()

    return call()


def limited(megabytes, thunk):
    """Call it with so much more address space than there is now."""
    with open("/proc/self/statm") as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + megabytes * 2**20, before[1]))
    try:
        return thunk()
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def together(rounds, *thunks):
    """Call each again and again, each in a thread of its own."""
    failures = []

    def repeat(thunk):
        for _ in range(rounds):
            try:
                attempt(thunk)
            except BaseException as error:
                failures.append(error)
                return

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=repeat, args=(thunk,), daemon=True) for thunk in thunks]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(100)
            assert not thread.is_alive(), "a thread hangs"
    finally:
        sys.setswitchinterval(interval)
    if failures:
        raise failures[0]


# ASan's own, not a finding: a daemon thread that Python (up to 3.13) ends while the interpreter does is unwound by
# pthread_exit, and ASan's handler of that asks for a stack it has already forgotten.
ENDED_BY_ASAN = ("CHECK failed: asan_thread.cpp", "__asan_handle_no_return")


def forked(thunk, then=os._exit):
    """Call it in a fork of this process, which has to end by itself."""
    with tempfile.TemporaryFile("w+b") as errors:
        process = os.fork()
        if process == 0:
            os.dup2(errors.fileno(), 2)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(100)
            code = 1
            try:
                attempt(thunk)
                code = 0
            except BaseException:
                sys.excepthook(*sys.exc_info())
            then(code)
        _, status = os.waitpid(process, 0)
        errors.seek(0)
        said = errors.read().decode(errors="replace")
    sys.stderr.write(said)
    code = os.waitstatus_to_exitcode(status)
    if IS_SANITIZED and then is sys.exit and all(words in said for words in ENDED_BY_ASAN):
        return
    assert code == 0, "a fork hangs" if code == -signal.SIGALRM else f"a fork ended with {code}"


def exiting(*thunks):
    """In a fork, begin them in daemon threads and let the interpreter end while they are at work."""

    def start():
        for thunk in thunks:
            threading.Thread(target=lambda thunk=thunk: attempt(thunk), daemon=True).start()
        time.sleep(0.05)

    forked(start, sys.exit)


def resident():
    """Memory in use, in MiB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def threads_now():
    """Threads of this process, those of the core included."""
    return len(os.listdir("/proc/self/task"))
