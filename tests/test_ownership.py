"""Who holds a state, a machine, an engine, a tracer while something is at work, and that all is given back however it ends."""

import gc
import io
import os
import re
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

import evmcore
from evmcore import (
    Block,
    EvmError,
    Header,
    State,
    Transaction,
    UnusableInput,
    _core,
    assemble,
    call,
    execute_block,
    recover_senders,
    run,
    transact,
)
from evmcore.tracing import Eip3155, Tracer

ROOT = Path(__file__).resolve().parent.parent
ALICE = b"\x11" * 20
CONTRACT = b"\x22" * 20
HEADER = Header(number=1, base_fee_per_gas=7, fork="Cancun", gas_limit=2**40)
STORES = assemble("PUSH 1 PUSH 0 SSTORE PUSH 2 PUSH 1 SSTORE")
SPIN = assemble("again: PUSH @again JUMP")


def in_a_process(program, *, timeout=60, status=0):
    """Run a program in a process of its own, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
    )
    assert done.returncode == status, done.stderr[-2000:]
    return done.stdout


def state(code=STORES):
    return State({ALICE: {"balance": 10**30}, CONTRACT: {"code": code}})


def payment(on, **fields):
    return Transaction(to=CONTRACT, sender=ALICE, nonce=on.get_nonce(ALICE), gas_limit=100_000, gas_price=10, **fields)


def open_snapshots(on):
    """How many checkpoints are open."""
    return _core.probe_checkpoints(on)


class Raises(Tracer):
    def __init__(self, method="on_step"):
        setattr(self, method, self._raise)

    def _raise(self, told):
        raise RuntimeError("from the tracer")


# ---------------------------------------------------------------- nothing that isn't there


@pytest.mark.parametrize(
    "act",
    [
        lambda: execute_block(Block(HEADER, (), (), ()), None),
        lambda: transact(None, state(), HEADER),
        lambda: transact(payment(state()), None, HEADER),
        lambda: call(None, HEADER),
        lambda: _core.prefetch(Block(HEADER, (), (), ()), None),
        lambda: _core.execute_lazily(Block(HEADER, (), (), ()), None),
        lambda: recover_senders([None]),
        lambda: run(b"\x00", state=5),
        lambda: execute_block(Block(HEADER, (None,), (), ()), state()),
        lambda: execute_block(Block(HEADER, (), (), ()), state()).differences(None),
        lambda: _core._Fetcher(None),
    ],
)
def test_none_is_refused_where_an_object_is_wanted(act):
    with pytest.raises((TypeError, UnusableInput)):
        act()


@pytest.mark.parametrize("repeat", [0, -1, 2**31, None, 1.5])
def test_a_program_runs_at_least_once(repeat):
    with pytest.raises(ValueError, match="repeat"):
        run(b"\x00", repeat=repeat)


def test_objects_whose_init_was_not_called_say_so_or_work():
    class Forgetful(State):
        def __init__(self):
            pass

    class Silent(Eip3155):
        def __init__(self):
            pass

    assert len(Forgetful()) == 0
    assert Forgetful().root() == State().root()
    assert State.__new__(State) == State()
    for kind in (lambda: _core.BlockResult(), lambda: _core.BlockResult.__new__(_core.BlockResult)):
        with pytest.raises(TypeError, match="execute_block"):
            kind()
    with pytest.raises(TypeError, match="execute_block"):
        _core.BlockResult(_core._Job())
    with pytest.raises(EvmError, match="no stream"):
        run(STORES, tracer=Silent())
    with pytest.raises(TypeError):
        _core.ScheduleFuzzer.__new__(_core.ScheduleFuzzer)
    with pytest.raises(ValueError, match="workers"):
        _core.ScheduleFuzzer(1, 0)


# ---------------------------------------------------------------- a state at work


class Tries(Tracer):
    """Tries things from within a run, once, and keeps what came of each."""

    def __init__(self, *acts):
        self.acts = acts
        self.outcomes = []

    def on_step(self, step):
        acts, self.acts = self.acts, ()
        for act in acts:
            try:
                self.outcomes.append(act())
            except Exception as error:
                self.outcomes.append(error)


def public_uses(on):
    other = state()
    return [
        lambda: on.get_balance(ALICE),
        lambda: on.get_account(ALICE),
        lambda: on.storage(CONTRACT),
        lambda: on.exists(ALICE),
        lambda: list(on.items()),
        lambda: list(on),
        lambda: len(on),
        lambda: ALICE in on,
        lambda: on.copy(),
        lambda: on.root(),
        lambda: on.to_alloc(),
        lambda: on.size_bytes,
        lambda: on == other,
        lambda: repr(on),
        lambda: on.set_balance(ALICE, 1),
        lambda: on.set_account(ALICE, None),
        lambda: on.delete_account(ALICE),
        lambda: on.snapshot(),
        lambda: on.revert(0),
        lambda: on.release(0),
        lambda: on.__init__(),
        lambda: on.__init__({ALICE: {"balance": 1}}),
        lambda: call(on, HEADER, to=CONTRACT),
        lambda: run(b"\x00", state=on),
        lambda: transact(payment(other), on, HEADER),
        lambda: execute_block(Block(HEADER, (), (), ()), on),
    ]


def test_a_state_at_work_is_refused_from_its_own_tracer():
    on = state()
    tracer = Tries(*public_uses(on))
    receipt = transact(payment(on), on, HEADER, tracer=tracer)
    assert receipt.status == 1
    assert on.get_storage(CONTRACT, 0) == 1
    assert len(tracer.outcomes) == len(public_uses(on))
    for outcome in tracer.outcomes:
        assert isinstance(outcome, EvmError)
        assert "in use by transact, which has called this" in str(outcome)


def test_a_state_at_work_is_refused_to_other_threads():
    on = state()
    outcomes = []

    def in_another_thread():
        tracer = Tries(*public_uses(on))
        thread = threading.Thread(target=tracer.on_step, args=(None,))
        thread.start()
        thread.join()
        outcomes.extend(tracer.outcomes)

    transact(payment(on), on, HEADER, tracer=Tries(in_another_thread))
    assert len(outcomes) == len(public_uses(on))
    for outcome in outcomes:
        assert isinstance(outcome, EvmError)
        assert "in use by transact in another thread" in str(outcome)


def test_a_state_that_is_called_may_change_meanwhile():
    """A call reads the state as it was when it began; a write meanwhile goes to a copy."""
    on = state(assemble("PUSH 0 SLOAD PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN"))
    on.set_storage(CONTRACT, 0, 7)
    acts = Tries(lambda: on.set_storage(CONTRACT, 0, 8), lambda: on.__init__(), lambda: len(on))
    assert int.from_bytes(call(on, HEADER, to=CONTRACT, tracer=acts).output, "big") == 7
    assert acts.outcomes == [None, None, 0]
    assert len(on) == 0


def test_iteration_shows_what_was_there_when_it_began():
    on = state()
    items = on.items()
    next(items)
    on.delete_account(CONTRACT)
    address, account = next(items)
    assert address == CONTRACT
    assert account.code == STORES
    assert [address for address, _ in on.items()] == [ALICE]


def test_a_state_is_made_again_whole_or_not_at_all():
    on = state()
    root = on.root()
    with pytest.raises(ValueError, match="balance"):
        on.__init__({ALICE: {"balance": 5}, CONTRACT: {"balance": -1}})
    assert on.root() == root
    on.__init__({ALICE: {"balance": 5}})
    assert len(on) == 1
    assert on.get_balance(ALICE) == 5


def test_what_was_known_of_the_old_state_is_not_taken_for_the_new_one():
    on = state()
    for slot in range(8):
        on.set_storage(CONTRACT, slot, slot)
    for _ in range(8):
        on.storage(CONTRACT)
    on.__init__({CONTRACT: {"storage": {5: 6}}})
    assert on.storage(CONTRACT) == {5: 6}


# ---------------------------------------------------------------- a state that is fetched


def fetched(answer):
    """A state that is fetched from another; `answer(state)` is called first, within the source."""
    whole = state()
    outcomes = []

    def source(keys):
        for act in answer(lazy):
            try:
                outcomes.append(act())
            except Exception as error:
                outcomes.append(error)
        return {key: whole.get_account(key[0]) if key[1] is None else whole.get_storage(*key) for key in keys}

    lazy = State(source=source)
    return lazy, outcomes


@pytest.mark.parametrize("how", ["block", "transaction", "call"])
def test_a_source_may_read_the_state_it_serves_and_not_change_it(how):
    lazy, outcomes = fetched(
        lambda on: [
            lambda: on.set_balance(ALICE, 1),
            lambda: on.snapshot(),
            lambda: on.__init__(),
            lambda: on.copy(),
            lambda: execute_block(Block(HEADER, (), (), ()), on),
            lambda: transact(Transaction(to=CONTRACT, sender=ALICE), on, HEADER),
        ]
    )
    tx = Transaction(to=CONTRACT, sender=ALICE, nonce=0, gas_limit=100_000, gas_price=10)
    if how == "block":
        execute_block(Block(HEADER, (tx,), (), ()), lazy, workers=2)
    elif how == "transaction":
        transact(tx, lazy, HEADER)
    else:
        call(lazy, HEADER, to=CONTRACT)
    assert outcomes
    for i, outcome in enumerate(outcomes):
        if i % 6 == 3:
            assert isinstance(outcome, State)
        else:
            assert isinstance(outcome, EvmError), (i, outcome)
            assert (
                "which has called this" in str(outcome)
                or "its source" in str(outcome)
                or "state's source" in str(outcome)
            )
    lazy.set_balance(ALICE, 3)
    assert lazy.get_balance(ALICE) == 3


def test_a_state_that_is_probed_is_not_changed_by_another_thread():
    program = """
        import os, threading
        from evmcore import *
        A, B = b"\\x11" * 20, b"\\x22" * 20
        code = assemble("PUSH 0 again: DUP1 SLOAD POP PUSH 1 ADD DUP1 PUSH2 500 GT PUSH @again JUMPI")
        base = {A: {"balance": 10**22}, B: {"code": code}}
        source = lambda keys: {k: (base.get(k[0]) if k[1] is None else 1) for k in keys}
        header = Header(number=1, base_fee_per_gas=7, fork="Cancun", gas_limit=2**40)
        transactions = [Transaction(to=B, sender=A, nonce=n, gas_limit=10**7, gas_price=10) for n in range(8)]
        state = State(source=source)
        def work():
            global state
            for i in range(8):
                try: execute_block(Block(header, transactions, (), ()), state, workers=2)
                except EvmError: pass
                state = State(source=source)
        thread = threading.Thread(target=work)
        thread.start()
        while thread.is_alive():
            try:
                state.set_balance(os.urandom(20), 1)
                state.set_storage(os.urandom(20), 1, 1)
            except EvmError: pass
        print("survived")
    """
    assert in_a_process(program) == "survived\n"


# ---------------------------------------------------------------- tracers


@pytest.mark.parametrize("method", ["on_enter", "on_step", "on_exit"])
def test_a_tracer_that_raises_leaves_nothing_behind(method):
    on = state()
    root = on.root()
    for _ in range(50):
        with pytest.raises(RuntimeError, match="from the tracer"):
            transact(payment(on), on, HEADER, tracer=Raises(method))
        with pytest.raises(RuntimeError, match="from the tracer"):
            call(on, HEADER, to=CONTRACT, tracer=Raises(method))
    assert on.root() == root
    assert open_snapshots(on) == 0
    # The machine that it was on has forgotten it: another thread's run goes to its end.
    results = []
    thread = threading.Thread(
        target=lambda: results.append(
            run(assemble("PUSH3 2000000 again: PUSH 1 SWAP1 SUB DUP1 PUSH @again JUMPI"), gas=10**9)
        )
    )
    thread.start()
    thread.join()
    assert results[0].is_success


def test_a_tracer_may_run_other_things():
    on = state()
    inner = []
    tracer = Tries(
        lambda: inner.append(run(STORES).outcome),
        lambda: inner.append(transact(payment(state()), state(), HEADER).status),
        lambda: run(STORES, tracer=line),
    )
    line = Eip3155(io.StringIO())
    transact(payment(on), on, HEADER, tracer=tracer)
    assert inner == ["SUCCESS", 1]
    assert tracer.outcomes[2].is_success
    assert line.stream.getvalue().count("\n") > 3


def test_a_line_tracer_is_at_work_on_one_run_at_a_time():
    class Stream:
        mode = "w"

        def __init__(self):
            self.errors = []

        def write(self, text):
            for act in (lambda: run(STORES, tracer=tracer), lambda: tracer.__init__(self)):
                with pytest.raises(EvmError, match="at work"):
                    act()
                self.errors.append(1)

    stream = Stream()
    tracer = Eip3155(stream)
    assert run(STORES, tracer=tracer).is_success
    assert stream.errors == [1, 1]
    assert run(STORES, tracer=tracer).is_success


def test_a_stream_that_fails_fails_the_run():
    on = state()
    root = on.root()
    stream = io.StringIO()
    tracer = Eip3155(stream)
    stream.close()
    with pytest.raises(ValueError, match="closed"):
        transact(payment(on), on, HEADER, tracer=tracer)
    assert on.root() == root
    with pytest.raises(ValueError, match="closed"):
        run(STORES, tracer=tracer)


def test_a_tracer_that_lies_about_itself():
    class Liar:
        def on_step(self, step):
            pass

        @property
        def wants_stack(self):
            raise KeyError("wants_stack")

    with pytest.raises(KeyError):
        run(STORES, tracer=Liar())
    assert run(STORES).is_success


def test_tracers_within_tracers_end_in_a_recursion_error():
    program = """
        from evmcore import *
        code = assemble("PUSH 1 PUSH 0 SSTORE")
        class Nested:
            def on_step(self, step): run(code, tracer=Nested())
        try: run(code, tracer=Nested())
        except RecursionError: print("recursion")
    """
    assert in_a_process(program) == "recursion\n"


# ---------------------------------------------------------------- engines, threads, processes


def threads_now():
    return len(os.listdir("/proc/self/task"))


needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts threads in /proc")


@needs_proc
def test_engines_of_every_size_leave_a_bounded_number_of_threads():
    before = threads_now()
    for workers in range(2, 41):
        on = state()
        block = Block(
            HEADER, [Transaction(to=CONTRACT, sender=ALICE, nonce=0, gas_limit=100_000, gas_price=10)], (), ()
        )
        execute_block(block, on, workers=workers, strategy="optimistic")
    assert threads_now() - before <= max(40, 4 * os.cpu_count())


@needs_proc
@pytest.mark.skipif(
    "libasan" in os.environ.get("LD_PRELOAD", ""), reason="its shadow takes more address space than the limit"
)
def test_without_threads_a_block_runs_with_fewer():
    program = """
        import resource, sys
        from evmcore import *
        sys.unraisablehook = lambda what: print("ignored:", what.exc_value)
        block = Block.load("evmcore/example/block.json.gz")
        expected = execute_block(block, block.pre_state.copy(), workers=1)
        resource.setrlimit(resource.RLIMIT_AS, (int(open("/proc/self/statm").read().split()[0]) * 4096 + (1200 << 20),) * 2)
        for strategy in ("optimistic", "groups"):
            for workers in (256, 24):
                try:
                    result = execute_block(block, block.pre_state.copy(), workers=workers, strategy=strategy)
                except (MemoryError, EvmError) as error:
                    print(type(error).__name__, end=" ")
                else:
                    assert result == expected
                    print("right", end=" ")
    """
    outcomes = in_a_process(program).split()
    assert len(outcomes) == 4
    assert set(outcomes) <= {"right", "MemoryError", "EvmError"}
    assert "right" in outcomes


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_has_engines_of_its_own():
    program = """
        import os, warnings
        warnings.simplefilter("ignore")
        from evmcore import *
        block = Block.load("evmcore/example/block.json.gz")
        expected = execute_block(block, block.pre_state.copy(), workers=3, strategy="optimistic")
        for depth in range(2):
            child = os.fork()
            if child:
                _, status = os.waitpid(child, 0)
                os._exit(os.waitstatus_to_exitcode(status))
            for strategy in ("optimistic", "groups"):
                assert execute_block(block, block.pre_state.copy(), workers=3, strategy=strategy) == expected
            recover_senders([tx.forget_sender() for tx in block.transactions], workers=3)
    """
    in_a_process(program)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_state_that_was_at_work_when_the_process_forked_is_refused():
    program = """
        import os, threading, warnings
        warnings.simplefilter("ignore")
        from evmcore import *
        A, B = b"\\x11" * 20, b"\\x22" * 20
        header = Header(number=1, base_fee_per_gas=7, fork="Cancun", gas_limit=2**62)
        state = State({A: {"balance": 10**40}, B: {"code": assemble("again: PUSH @again JUMP")}})
        tx = Transaction(to=B, sender=A, gas_limit=2**60, gas_price=10)
        threading.Thread(target=lambda: transact(tx, state, header), daemon=True).start()
        while True:
            try: state.get_balance(A)
            except EvmError: break
        child = os.fork()
        if child:
            _, status = os.waitpid(child, 0)
            os._exit(os.waitstatus_to_exitcode(status))
        try: state.get_balance(A)
        except EvmError as error: os._exit(0 if "forked" in str(error) else 3)
        os._exit(4)
    """
    in_a_process(program)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_in_a_tracer_leaves_both_processes_at_work():
    program = """
        import os
        from evmcore import *
        class Forks:
            child = None
            def on_step(self, step):
                if self.child is None: self.child = os.fork()
        tracer = Forks()
        assert run(assemble("PUSH 1 PUSH 0 SSTORE"), tracer=tracer).is_success
        if tracer.child: os._exit(os.waitstatus_to_exitcode(os.waitpid(tracer.child, 0)[1]))
    """
    in_a_process(program)


@pytest.mark.parametrize("wait", ["", "time.sleep(30)", "time.sleep(0.0001)"])
def test_a_traced_daemon_thread_ends_with_the_process(wait):
    program = f"""
        import threading, time, evmcore
        class T:
            def on_step(self, step):
                {wait or "pass"}
        spin = evmcore.assemble("again: PUSH @again JUMP")
        for _ in range(3):
            threading.Thread(target=lambda: evmcore.run(spin, gas=2**62, tracer=T()), daemon=True).start()
        time.sleep(0.2)
        print("end")
    """
    assert in_a_process(program) == "end\n"


def test_a_daemon_thread_at_work_ends_with_the_process():
    program = """
        import threading, time
        from evmcore import *
        A, B = b"\\x11" * 20, b"\\x22" * 20
        header = Header(number=1, base_fee_per_gas=7, fork="Cancun", gas_limit=2**62)
        state = State({A: {"balance": 10**40}, B: {"code": assemble("again: PUSH @again JUMP")}})
        txs = [Transaction(to=B, sender=A, nonce=n, gas_limit=2**40, gas_price=10) for n in range(4)]
        for strategy in ("sequential", "optimistic", "groups"):
            on = state.copy()
            threading.Thread(target=lambda on=on, strategy=strategy: execute_block(Block(header, txs, (), ()), on, workers=2, strategy=strategy), daemon=True).start()
        time.sleep(0.3)
        print("end")
    """
    assert in_a_process(program) == "end\n"


@pytest.mark.parametrize("gas", ["2**40", "100_000"])
def test_daemon_threads_that_go_on_and_on_end_with_the_process(gas):
    """Each starts anew whatever it does, also while the interpreter ends."""
    program = f"""
        import threading, time
        from evmcore import *
        A, B = b"\\x11" * 20, b"\\x22" * 20
        header = Header(number=1, base_fee_per_gas=7, fork="Cancun", gas_limit=2**62)
        whole = State({{A: {{"balance": 10**40}}, B: {{"code": assemble("again: PUSH @again JUMP")}}}})
        txs = [Transaction(to=B, sender=A, nonce=n, gas_limit={gas}, gas_price=10) for n in range(40)]
        block = Block(header, txs, (), ())
        signed = [Transaction(to=B, chain_id=1).sign(bytes(31) + b"1")] * 200
        def source(keys):
            return {{key: whole.get_account(key[0]) if key[1] is None else whole.get_storage(*key) for key in keys}}
        class Exits:
            def on_exit(self, end): pass
        works = [
            lambda: transact(txs[0], whole.copy(), header),
            lambda: transact(txs[0], whole.copy(), header, tracer=Exits()),
            lambda: execute_block(block, whole.copy(), workers=2, strategy="groups"),
            lambda: execute_block(block, whole.copy(), workers=2, strategy="optimistic"),
            lambda: execute_block(block, State(source=source), workers=2),
            lambda: recover_senders([tx.forget_sender() for tx in signed], workers=2),
            lambda: whole.root(workers=2),
            lambda: list(replay_range([Block(header, txs[:1], pre_state=whole)] * 3, 2)),
        ]
        def go_on(work):
            while True:
                work()
        for work in works:
            threading.Thread(target=go_on, args=(work,), daemon=True).start()
        time.sleep(0.3)
        print("end")
    """
    assert in_a_process(program) == "end\n"


@needs_proc
def test_what_fails_gives_back_what_it_borrowed():
    """Blocks that are refused, on every strategy, leave neither threads nor checkpoints."""
    on = state()
    bad = Block(
        HEADER,
        [Transaction(to=CONTRACT, sender=ALICE, nonce=n, gas_limit=100_000, gas_price=10) for n in (0, 5)],
        (),
        (),
    )
    for strategy in ("sequential", "optimistic", "groups"):
        with pytest.raises(evmcore.InvalidTransaction):
            execute_block(bad, on, workers=3, strategy=strategy)
    gc.collect()
    before = threads_now()
    for _ in range(10):
        for strategy in ("sequential", "optimistic", "groups"):
            with pytest.raises(evmcore.InvalidTransaction):
                execute_block(bad, on, workers=3, strategy=strategy)
    until = time.monotonic() + 5
    while threads_now() > before and time.monotonic() < until:  # Python's threads take a moment to go
        time.sleep(0.01)
    assert threads_now() <= before
    assert on.get_nonce(ALICE) == 0


def test_every_promise_names_a_test_that_is_there():
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", (ROOT / "docs" / "promises.md").read_text())
    assert len(named) > 20
    for file, name in named:
        assert f"\ndef {name}(" in (ROOT / "tests" / file).read_text(), (file, name)


def test_what_a_list_has_no_room_for_is_given_back_once():
    """Python's allocations fail one after the other, those by which lists grow among them: a second time would spoil its memory."""
    pytest.importorskip("_testcapi", reason="this Python has no _testcapi, which makes its allocations fail")
    out = in_a_process("""
        import _testcapi
        from evmcore import State, Transaction, assemble, run
        class Watcher:
            def on_step(self, step): pass
        deep = assemble("PUSH32 0x" + "77" * 32 + " DUP1" * 40 + " STOP")
        state = State({bytes([n + 1]) * 20: {"balance": 2**200 + n} for n in range(60)})
        listed = Transaction(type=1, to=bytes(20), access_list=[(bytes([n]) * 20, [2**200 + n]) for n in range(40)]).encode()
        for call in (lambda: run(deep, tracer=Watcher()),
                     lambda: state.prove(bytes([1]) * 20, range(2**200, 2**200 + 40)),
                     lambda: Transaction.decode(listed).access_list):
            call()
            failed = passed = 0
            while passed < 50:  # the call has no such allocation, or does without it
                _testcapi.set_nomemory(failed + passed + 1, failed + passed + 2)
                try:
                    call()
                    passed += 1
                except MemoryError:
                    failed += 1
                finally:
                    _testcapi.remove_mem_hooks()
            call()
            print(failed > 40)
    """)
    assert out.split() == ["True"] * 3, out
