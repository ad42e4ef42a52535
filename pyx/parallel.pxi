# Floor 7: several workers on one block. Two modes, over the same transaction procedure:
# groups      every transaction runs against the state before the block, driven by a Python thread pool, one nogil call
#             each; then they commit in order, and one that read something an earlier one wrote runs again
# optimistic  one nogil call for the block: native workers claim, execute, publish and commit in order by themselves
# The result is the sequential one. What the workers of the second mode do is in optimistic.pxi.
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


cdef dict engine_notes(Engine* engine):
    """What the workers counted in a block."""
    cdef EngineWorker* worker
    cdef size_t i
    notes = {"wasted_gas": 0, "early_conflicts": 0, "aborted_runs": 0, "alone": 0, "repairs": engine.state.repairs,
             "slot_repairs": engine.state.slot_repairs, "busy_seconds": []}
    for i in range(engine.workers.size()):
        worker = engine.workers[i]
        notes["wasted_gas"] += worker.wasted_gas
        notes["early_conflicts"] += worker.early_conflicts
        notes["aborted_runs"] += worker.aborted_runs
        notes["alone"] += worker.alone
        notes["busy_seconds"].append(worker.busy_seconds)
    return notes


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
                    status = commit_in_order(worker.machine, &self.job)
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
            engine.records = records
            engine.room = room
            with nogil:
                status = run_optimistically(engine, &self.job)
            self.had_all_room = engine.has_all_room()
            for i in range(engine.workers.size()):
                self.recover_seconds += engine.workers[i].machine.recover_seconds
            interrupt.leave(machine)
            self.notes = engine_notes(engine)
            if records and status == Status.RUNNING:
                self.notes["critical_path_gas"] = engine.critical_path_gas
                self.accesses = read_accesses(engine)
        finally:
            machine.poll.hook = NULL
            return_engine(lent)
        return status

    cdef Status run_recorded(self, int workers, object accesses) except *:
        cdef _Plan plan = _Plan.of(accesses, <uint32_t>self.job.transactions.size())
        cdef _Engine lent = borrow_engine(workers)
        cdef Engine* engine = lent.engine
        cdef Machine* machine = &engine.workers[0].machine
        cdef _Interrupt interrupt = _Interrupt()
        cdef RecordedRun* run = new RecordedRun()
        cdef Status status
        cdef size_t i
        interrupt.watch(machine)
        try:
            run.engine = engine
            run.plan = &plan.plan
            with nogil:
                status = run_recorded(run, &self.job)
            for i in range(engine.workers.size()):
                self.recover_seconds += engine.workers[i].machine.recover_seconds
            interrupt.leave(machine)
            self.notes = {"wasted_gas": 0, "alone": 0,
                          "busy_seconds": [engine.workers[i].busy_seconds for i in range(engine.workers.size())],
                          "mismatch": self.job.failed_index if status == Status.ACCESSES_DIFFER else None}
        finally:
            del run
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
                    speculate(worker.machine, &self.job, i)
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


cdef void speculate(Machine* m, BlockJob* job, size_t i) noexcept nogil:
    """Run transaction i against the state before the block; its effects stay in its outcome."""
    cdef StateView view = job.world.view()
    cdef Outcome* out = &job.outcomes[i]
    out.status = apply_transaction(m, &view, job.transactions[i], &job.blobs, NULL, True, out)


cdef Status commit_in_order(Machine* m, BlockJob* job) noexcept nogil:
    """Commit what still holds, in order, and run again what doesn't."""
    cdef size_t i
    cdef Outcome* out
    cdef Status status
    for i in range(job.transactions.size()):
        out = &job.outcomes[i]
        if out.execution_count != 0:
            job.execution_count += 1
        if (out.execution_count != 0 and kind_of(out.status) != Kind.INVALID and kind_of(out.status) != Kind.BROKEN
                and check_room(job.transactions[i], &job.context, &job.blobs, &job.room, out) == Status.RUNNING
                and job.world.is_valid(out.effects)):
            status = commit(job, i)
            out.effects.clear()
        else:
            job.conflict_count += out.execution_count != 0
            status = run_in_order(m, job, i)
        if status != Status.RUNNING:
            return status
    return Status.RUNNING


cdef class ScheduleFuzzer:
    """A context in which blocks run their workers one at a time, in an order that a seed decides. For tests.

    with ScheduleFuzzer(seed, workers) as fuzzer:
        execute_block(block, state, workers=workers, strategy="optimistic")

    One block a context, on just as many workers. `points` counts the decisions.
    """
    cdef ScheduleController* controller
    cdef readonly object seed

    def __cinit__(self, seed, int workers):
        self.seed = seed
        self.controller = new ScheduleController(to_u64(seed, "seed"), workers)

    def __dealloc__(self):
        del self.controller

    def __enter__(self):
        schedule_controller.store(self.controller)
        return self

    def __exit__(self, *error):
        schedule_controller.store(NULL)
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
    cdef size_t i
    for i in range(lent.engine.workers.size()):
        lent.engine.workers[i].machine.trim()
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
    if idle:
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
