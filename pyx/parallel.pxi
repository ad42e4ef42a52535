# Floor 8: several workers on one block, as Python lends and drives them. What they do is core/parallel, which executes a
# transaction through the hooks below:
# groups      every transaction against the state before the block, by a Python thread pool, one nogil call each; then they
#             commit in order, and one whose reads an earlier one wrote is executed again (groups.hpp)
# optimistic  one nogil call for the block: native workers claim, execute and commit in order by themselves (optimistic.cpp)
# recorded    one nogil call for the block, of which the accesses are known (recorded.cpp)
# The result is the sequential one.
import threading as _threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as _wait


cdef class _Worker:
    """A machine on loan to one thread."""
    cdef Machine* machine

    def __cinit__(self):
        self.machine = new Machine()
        if not self.machine.allocate():
            raise MemoryError("a worker's machine")

    def __dealloc__(self):
        del self.machine


_idle_workers = []  # guarded by the GIL: append and pop are atomic


cdef _Worker borrow_worker():
    try:
        return <_Worker>_idle_workers.pop()
    except IndexError:
        return _Worker()


cdef void return_worker(_Worker worker):
    worker.machine.trim()
    worker.machine.poll.abort.store(False)
    _idle_workers.append(worker)


cdef dict _pools = {}


def _pool(workers):
    """The process's thread pool of that size; its threads wait between blocks."""
    pool = _pools.get(workers)
    if pool is None:
        pool = _pools[workers] = ThreadPoolExecutor(workers, thread_name_prefix="evmcore")
    return pool


cdef cbool check_signals(void* context) noexcept nogil:
    """The poll hook of the main thread, which alone Python's signals reach: true once there is one that raises."""
    cdef SignalWatch* watch = <SignalWatch*>context
    cdef double now = evmcore_seconds()
    if now < watch.next_look:
        return False
    with gil:
        try:
            PyErr_CheckSignals()
        except BaseException as error:
            (<_Interrupt>watch.owner).error = error
            return True
    watch.next_look = evmcore_seconds() + SIGNAL_INTERVAL_SECONDS
    return False


# Taking the GIL may mean to wait for another thread's turn of 5 ms: not more often than Ctrl-C needs.
cdef double SIGNAL_INTERVAL_SECONDS = 0.04


cdef struct SignalWatch:
    void* owner
    double next_look


cdef extern from "Python.h":
    int PyErr_CheckSignals() except -1


cdef class _Interrupt:
    """What a signal raised while a machine ran."""
    cdef object error
    cdef SignalWatch signals

    cdef void watch(self, Machine* machine):
        if _threading.current_thread() is not _threading.main_thread():
            return
        self.signals.owner = <void*>self
        self.signals.next_look = 0
        machine.poll.hook = check_signals
        machine.poll.hook_context = &self.signals

    cdef int leave(self, Machine* machine) except -1:
        machine.poll.hook = NULL
        machine.poll.abort.store(False)
        if self.error is not None:
            raise self.error
        return 0


# ---------------------------------------------------------------- what the parallel floor executes


cdef Status apply_hook(Machine* m, BlockJob* job, uint32_t i, const StateView* view, ApplyMode mode) noexcept nogil:
    return apply_transaction(m, view, job.transactions[i], &job.blobs, &job.room if mode == ApplyMode.EXACT else NULL,
                             mode == ApplyMode.SPECULATIVE, &job.outcomes[i])


cdef Status check_room_hook(BlockJob* job, uint32_t i) noexcept nogil:
    return check_room(job.transactions[i], &job.context, &job.blobs, &job.room, &job.outcomes[i])


cdef Status commit_hook(BlockJob* job, uint32_t i) noexcept nogil:
    return commit(job, i)


cdef Status execute_in_order_hook(Machine* m, BlockJob* job, uint32_t i) noexcept nogil:
    return run_in_order(m, job, i)


cdef ExecutionHooks hooks
hooks.apply = apply_hook
hooks.check_room = check_room_hook
hooks.commit = commit_hook
hooks.execute_in_order = execute_in_order_hook
hooks.open = open_machine
hooks.begin_block = begin_opened_job
hooks.end_block = end_job


cdef dict counts_of(const ExecutionCounts& counts):
    """What the workers counted in a block."""
    return {"executions": counts.executions, "aborted": counts.aborted, "aborted_early": counts.aborted_early,
            "aborted_while_executing": counts.aborted_while_executing, "aborted_gas": counts.aborted_gas,
            "rebased": counts.rebased, "rebased_slots": counts.rebased_slots,
            "fallback_transactions": counts.fallback_transactions}


cdef class _Job:
    """A block at work: the core's job, and the Python objects it borrows from."""
    cdef BlockJob job
    cdef tuple transactions
    cdef shared_ptr[World] world
    cdef ClaimCounter* claims
    cdef list speculating  # _Worker of each thread in `_speculate`; for `_stop_speculating`
    cdef dict notes
    cdef tuple accesses
    cdef double recover_seconds  # of all workers together
    cdef bint had_all_room       # as many versions as there may be

    def __dealloc__(self):
        if self.claims != NULL:
            del self.claims

    cdef Status run_sequentially(self, int workers) except *:
        """On the machine that blocks on as many workers begin on, if there is one: what it remembers serves both."""
        cdef _Engine lent = borrow_idle_engine(workers)
        cdef _Worker worker = borrow_worker() if lent is None else None
        cdef Machine* machine = worker.machine if lent is None else &lent.engine.workers[0].machine
        cdef _Interrupt interrupt = _Interrupt()
        cdef Status status
        interrupt.watch(machine)
        try:
            with nogil:
                status = run_block(machine, &self.job)
            self.recover_seconds = machine.recover_seconds
            interrupt.leave(machine)
        finally:
            machine.poll.hook = NULL
            if lent is None:
                return_worker(worker)
            else:
                return_engine(lent)
        return status

    cdef Status run_in_groups(self, int workers) except *:
        cdef _Worker worker = borrow_worker()
        cdef _Interrupt interrupt = _Interrupt()
        cdef Status status
        interrupt.watch(worker.machine)
        try:
            with nogil:
                status = begin_job(worker.machine, &self.job)
            interrupt.leave(worker.machine)
            if status == Status.RUNNING:
                if self.claims != NULL:
                    del self.claims
                self.claims = new ClaimCounter()
                self.speculating = []
                futures = [_pool(workers - 1).submit(self._speculate) for _ in range(workers - 1)]
                try:
                    self._speculate()
                except BaseException:
                    self._stop_speculating()
                    raise
                finally:
                    self._wait_for(futures)
                interrupt.watch(worker.machine)
                with nogil:
                    status = commit_in_order(worker.machine, &self.job, &hooks)
                    if status == Status.RUNNING:
                        status = end_job(worker.machine, &self.job)
                interrupt.leave(worker.machine)
        finally:
            worker.machine.poll.hook = NULL
            return_worker(worker)
        return status

    cdef Status run_optimistically(self, int workers, bint records, size_t room) except *:
        cdef _Engine lent = borrow_engine(workers)
        cdef Engine* engine = lent.engine
        cdef Machine* machine = &engine.workers[0].machine
        cdef _Interrupt interrupt = _Interrupt()
        cdef Status status
        cdef size_t i
        interrupt.watch(machine)
        try:
            engine.job = &self.job
            engine.hooks = &hooks
            engine.records = records
            engine.room = room
            with nogil:
                status = execute_optimistically(engine)
            self.had_all_room = engine.has_all_room()
            for i in range(engine.workers.size()):
                self.recover_seconds += engine.workers[i].machine.recover_seconds
            interrupt.leave(machine)
            self.notes = {"busy_seconds": [engine.workers[i].busy_seconds for i in range(engine.workers.size())]}
            if records and status == Status.RUNNING:
                self.notes["critical_path_gas"] = engine.critical_path_gas
                self.accesses = read_accesses(engine)
        finally:
            machine.poll.hook = NULL
            return_engine(lent)
        return status

    cdef Status run_recorded(self, int workers, object accesses) except *:
        cdef _AccessList known = _AccessList.of(accesses, <uint32_t>self.job.transactions.size())
        cdef _Engine lent = borrow_engine(workers)
        cdef Engine* engine = lent.engine
        cdef Machine* machine = &engine.workers[0].machine
        cdef _Interrupt interrupt = _Interrupt()
        cdef Status status
        cdef size_t i
        interrupt.watch(machine)
        try:
            engine.job = &self.job
            engine.hooks = &hooks
            with nogil:
                status = execute_recorded(engine, &known.list)
            for i in range(engine.workers.size()):
                self.recover_seconds += engine.workers[i].machine.recover_seconds
            interrupt.leave(machine)
            self.notes = {"busy_seconds": [engine.workers[i].busy_seconds for i in range(engine.workers.size())],
                          "mismatch": self.job.failed_index if status == Status.ACCESSES_DIFFER else None}
        finally:
            machine.poll.hook = NULL
            return_engine(lent)
        return status

    def _speculate(self):
        """Run transactions against the block's parent state until there are none left, one nogil call each."""
        cdef _Worker worker = borrow_worker()
        cdef _Interrupt interrupt = _Interrupt()
        cdef size_t i
        self.speculating.append(worker)
        interrupt.watch(worker.machine)
        try:
            open_machine(worker.machine, &self.job)
            while True:
                i = self.claims.next.fetch_add(1)
                if i >= self.job.transactions.size():
                    break
                with nogil:
                    execute_on_parent(worker.machine, &self.job, &hooks, <uint32_t>i)
                if interrupt.error is not None:
                    break
            self.recover_seconds += worker.machine.recover_seconds
            interrupt.leave(worker.machine)
        finally:
            worker.machine.poll.hook = NULL
            return_worker(worker)

    def _stop_speculating(self):
        """Leave nothing to claim, and tell those at work to stop."""
        self.claims.next.fetch_add(self.job.transactions.size())
        for worker in self.speculating:
            (<_Worker>worker).machine.poll.abort.store(True)

    def _wait_for(self, futures):
        """Wait until all have ended. A signal meanwhile stops them, and is raised when they have: the job is theirs till then."""
        error = None
        while True:
            try:
                _wait(futures)
                break
            except BaseException as raised:
                error = raised
                self._stop_speculating()
        if error is not None:
            raise error
        for future in futures:
            future.result()


# ---------------------------------------------------------------- tuning


def tuning_table():
    """Each switch and number of the parallel engine: {name: (value, default, unit, meaning)}; a switch has no unit."""
    return {tuning_rows[i].name.decode(): (
                bool(tuning_value(i)) if tuning_rows[i].unit == NULL else tuning_value(i),
                bool(tuning_rows[i].standard) if tuning_rows[i].unit == NULL else tuning_rows[i].standard,
                None if tuning_rows[i].unit == NULL else tuning_rows[i].unit.decode(), tuning_rows[i].meaning.decode())
            for i in range(TUNING_ROW_COUNT)}


def set_tuning(name, value):
    """Set one of them, while no block runs; no result depends on it. Returns what it was."""
    cdef size_t i
    for i in range(TUNING_ROW_COUNT):
        if tuning_rows[i].name.decode() == name:
            was = tuning_value(i)
            set_tuning_value(i, <uint32_t>min(to_u64(value, "value"), <uint64_t>0xFFFFFFFF))
            return was
    raise ValueError(f"name: {name!r} is not one of {', '.join(tuning_table())}")


cdef class ScheduleFuzzer:
    """A context in which blocks run their workers one at a time, in an order that a seed decides. For tests.

    with ScheduleFuzzer(seed, workers) as fuzzer:
        execute_block(block, state, workers=workers, strategy="optimistic")

    One block a context, on just as many workers. `points` counts the decisions. Other keywords set the tuning meanwhile.
    """
    cdef ScheduleController* controller
    cdef readonly object seed
    cdef dict before, tuning

    # Blocks are small, so all that is rare comes at once.
    RARE = {"patience": 0, "poll_interval": 1, "fallback_shortest": 2, "abort_memory": 2, "early_share": 8,
            "midway_share": 16}

    def __cinit__(self, seed, int workers, **tuning):
        self.seed = seed
        self.tuning = {**self.RARE, **tuning}
        self.controller = new ScheduleController(to_u64(seed, "seed"), workers)

    def __dealloc__(self):
        del self.controller

    def __enter__(self):
        self.before = {name: set_tuning(name, value) for name, value in self.tuning.items()}
        schedule_controller.store(self.controller)
        return self

    def __exit__(self, *error):
        schedule_controller.store(NULL)
        for name, value in self.before.items():
            set_tuning(name, value)
        return False

    @property
    def points(self):
        return self.controller.points()


cdef class _Engine:
    """An engine on loan to one block."""
    cdef Engine* engine

    def __cinit__(self, int workers):
        self.engine = new Engine(workers)
        if not self.engine.allocate():
            raise MemoryError("the machines of the workers")


cdef dict _idle_engines = {}  # by number of workers; engines live as long as their threads, so they are never freed


cdef void return_engine(_Engine lent):
    lent.engine.trim()
    _idle_engines.setdefault(lent.engine.pool.workers(), []).append(lent)


cdef _Engine borrow_idle_engine(int workers):
    """One that was used before; None where there is none."""
    try:
        return <_Engine>_idle_engines[workers].pop()
    except LookupError:  # none was ever made, or all are at work
        return None


cdef void alert_idle_engine(int workers) except *:
    """Have the threads wake of the engine that a block on so many workers will borrow in a moment."""
    cdef list idle = _idle_engines.get(workers)
    if idle and tuning.early_waking:
        (<_Engine>idle[len(idle) - 1]).engine.pool.alert()  # the one that is popped


cdef _Engine borrow_engine(int workers):
    cdef _Engine idle = borrow_idle_engine(workers)
    return _Engine(workers) if idle is None else idle


def _forget_engines():
    _idle_engines.clear()
    _pools.clear()


import os as _os
if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(after_in_child=_forget_engines)  # threads don't come along
