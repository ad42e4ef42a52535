# Floor 7: several workers on one block. Two modes, over the same transaction procedure:
# groups      every transaction runs against the state before the block, driven by a Python thread pool, one nogil call
#             each; then they commit in order, and one that read something an earlier one wrote runs again
# optimistic  one nogil call for the block: native workers claim, execute, publish and commit in order by themselves
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
    worker.machine.memory.trim()
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
             "busy_seconds": []}
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

    def __dealloc__(self):
        if self.claims != NULL:
            del self.claims

    cdef Status run_sequentially(self) except *:
        cdef _Worker worker = borrow_worker()
        cdef _Interrupt interrupt = _Interrupt()
        cdef Status status
        interrupt.watch(worker.machine)
        try:
            with nogil:
                status = run_block(worker.machine, &self.job)
            self.recover_seconds = worker.machine.recover_seconds
            interrupt.leave(worker.machine)
        finally:
            return_worker(worker)
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

    cdef Status run_optimistically(self, int workers, bint records) except *:
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
            with nogil:
                status = run_optimistically(engine, &self.job)
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
            self.notes = {"wasted_gas": 0, "busy_seconds": [engine.workers[i].busy_seconds for i in range(engine.workers.size())],
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


# ---------------------------------------------------------------- optimistic


cdef void execute_ahead(Engine* e, EngineWorker* w, uint32_t i) noexcept nogil:
    """Run transaction i on what is committed and published below it, and show its writes to those above."""
    e.job.prefetch_after(i)
    e.tasks[i] = EngineTask()
    speculate_on(e, w, i)
    e.scheduler.set_executed(i)


cdef void speculate_on(Engine* e, EngineWorker* w, uint32_t i) noexcept nogil:
    """The run itself, again if it was stopped because of what others wrote meanwhile."""
    cdef CTransaction* tx = e.job.transactions[i]
    cdef Outcome* out = &e.job.outcomes[i]
    cdef EngineTask* task = &e.tasks[i]
    cdef StateView view = w.view()
    cdef uint32_t turn
    w.transaction = i
    w.sender = &tx.sender
    for turn in range(DOOMED_RUNS_MOST + 1):
        w.looks = 0
        task.is_exact = e.scheduler.frontier() == i
        w.is_speculative = not task.is_exact and turn < DOOMED_RUNS_MOST
        out.status = apply_transaction(&w.machine, &view, tx, &e.job.blobs,
                                       &e.job.room if task.is_exact else NULL, not task.is_exact, out)
        w.is_speculative = False
        w.executions += 1
        if not e.take_doom(w):
            break
        task.was_wasted = True
        w.conflicts += 1
        w.aborted_runs += 1
        w.wasted_gas += <uint64_t>w.looks * w.machine.poll.interval
    if not task.is_exact and is_result(out.status) and e.scheduler.frontier() != i:
        schedule_point(SchedulePoint.PUBLISH)
        # Full: nobody sees it before it commits, which costs time, not truth.
        task.is_published = True
        e.state.publish(i, &out.effects, &w.arena)


cdef enum:
    DOOMED_RUNS_MOST = 3  # of one transaction, one after the other; the next one goes on to its end


cdef void withdraw(Engine* e, uint32_t i) noexcept nogil:
    """Take the writes that transaction i shows out of sight."""
    if e.tasks[i].is_published:
        e.tasks[i].is_published = False
        e.state.unpublish(i, e.job.outcomes[i].effects)


cdef void discard(Engine* e, EngineWorker* w, uint32_t i) noexcept nogil:
    """Take back the run of transaction i, and count it as wasted."""
    cdef Outcome* out = &e.job.outcomes[i]
    withdraw(e, i)
    e.tasks[i].was_wasted = True
    w.conflicts += 1
    if is_result(out.status):
        w.wasted_gas += <uint64_t>out.gas_used


cdef void look_ahead(Engine* e, EngineWorker* w, uint32_t* looked_at, uint32_t* known_frontier) noexcept nogil:
    """What a worker does that has nothing to claim: see whether a run ahead of the frontier still stands, and if not run it
    again, before its turn comes and all wait for it. Each run is looked at once while the frontier stays where it is."""
    cdef uint32_t frontier = e.scheduler.frontier()
    cdef uint32_t i
    if frontier != known_frontier[0]:
        known_frontier[0] = looked_at[0] = frontier
    i = looked_at[0] + 1
    if i - frontier > LOOK_AHEAD_MOST or i >= e.scheduler.claimed():
        return
    looked_at[0] = i
    if not e.scheduler.take(i):
        return
    if (not e.tasks[i].is_exact and is_result(e.job.outcomes[i].status)
            and not e.state.is_current(i, e.job.outcomes[i].effects, e.job.transactions[i].sender)):
        discard(e, w, i)
        w.early_conflicts += 1
        speculate_on(e, w, i)
    e.scheduler.set_executed(i)


cdef enum:
    LOOK_AHEAD_MOST = 32


cdef inline cbool is_result(Status status) noexcept nogil:
    """Whether a transaction came to an end that a receipt can hold."""
    cdef Kind kind = kind_of(status)
    return kind == Kind.OK or kind == Kind.REVERT or kind == Kind.HALT


cdef cbool is_still_right(Engine* e, uint32_t i) noexcept nogil:
    """Whether the run of i, at the frontier, stands: it saw what is committed now, and the block has room for it."""
    cdef Outcome* out = &e.job.outcomes[i]
    if not is_result(out.status):
        return False
    if e.tasks[i].is_exact:
        return True
    schedule_point(SchedulePoint.VALIDATE)
    return (check_room(e.job.transactions[i], &e.job.context, &e.job.blobs, &e.job.room, out) == Status.RUNNING
            and e.state.is_valid(&out.effects))


cdef Status commit_one(Engine* e, EngineWorker* w, uint32_t i, cbool* was_wasted) noexcept nogil:
    """Commit transaction i, at the frontier; run it again first if what it saw has changed."""
    cdef BlockJob* job = e.job
    cdef Outcome* out = &job.outcomes[i]
    if not is_still_right(e, i):
        if e.tasks[i].is_exact:
            withdraw(e, i)
            return fail_block(job, out.status, out, i)
        if is_result(out.status):
            e.find_conflict(i)
        discard(e, w, i)
        execute_at_frontier(e, w, i)
        if not is_result(out.status):
            return fail_block(job, out.status, out, i)
    was_wasted[0] = e.tasks[i].was_wasted
    if e.tasks[i].was_wasted and e.tasks[i].waited_for < 0:
        e.find_conflict(i)
    return commit_result(e, w, i)


cdef void execute_at_frontier(Engine* e, EngineWorker* w, uint32_t i) noexcept nogil:
    """Run transaction i on what is committed, which is all below it."""
    cdef Outcome* out = &e.job.outcomes[i]
    cdef StateView view = w.view()
    w.transaction = i
    out.status = apply_transaction(&w.machine, &view, e.job.transactions[i], &e.job.blobs, &e.job.room, False, out)
    w.executions += 1


cdef Status commit_result(Engine* e, EngineWorker* w, uint32_t i) noexcept nogil:
    """Make what transaction i wrote the committed state."""
    cdef BlockJob* job = e.job
    cdef Outcome* out = &job.outcomes[i]
    schedule_point(SchedulePoint.COMMIT)
    if e.records:
        e.trace_dependencies(i)
    if not e.state.commit(i, &out.effects, &w.arena):
        return Status.OUT_OF_MEMORY
    count_in(job, out)
    if not e.records:
        out.effects.clear()
    return Status.RUNNING


cdef void commit_ready(Engine* e, EngineWorker* w) noexcept nogil:
    """Commit as far as transactions have been executed, unless another worker is at it."""
    cdef uint32_t i
    cdef cbool was_wasted = False
    if not e.scheduler.try_begin_commit():
        return
    while e.scheduler.ready(&i):
        e.status = commit_one(e, w, i, &was_wasted)
        if e.status != Status.RUNNING:
            e.stop_all()
            break
        e.scheduler.advance(was_wasted)
    e.scheduler.end_commit()


cdef Status run_alone(Engine* e, EngineWorker* w, uint32_t first, uint32_t count) noexcept nogil:
    """Run and commit transactions in order, sequentially, while the other workers rest."""
    cdef uint32_t i
    cdef Status status = Status.RUNNING
    if e.records:  # the versions tell who depends on whom
        for i in range(first, first + count):
            e.tasks[i] = EngineTask()
            execute_at_frontier(e, w, i)
            if not is_result(e.job.outcomes[i].status):
                return fail_block(e.job, e.job.outcomes[i].status, &e.job.outcomes[i], i)
            status = commit_result(e, w, i)
            if status != Status.RUNNING:
                return status
        return status
    status = e.settle()
    for i in range(first, first + count):
        if status != Status.RUNNING:
            break
        status = run_in_order(&w.machine, e.job, i)
    return status


cdef cbool wait_at_gate(Engine* e) noexcept nogil:
    """Wait until the block has begun; false when it couldn't."""
    cdef uint32_t turns = 0
    while e.gate.load() == GATE_CLOSED:
        turns += 1
        if turns < IDLE_SPINS:
            cpu_pause()
        else:
            yield_processor()
    return e.gate.load() == GATE_OPEN


cdef enum:
    GATE_CLOSED = 0
    GATE_OPEN = 1
    GATE_CANCELLED = 2


cdef void work_on_block(void* context, int worker) noexcept nogil:
    """What each worker does until the block is committed."""
    cdef Engine* e = <Engine*>context
    cdef EngineWorker* w = e.workers[worker]
    cdef Claim claim
    cdef uint32_t first = 0
    cdef uint32_t count = 0
    cdef uint32_t i
    cdef uint32_t idle = 0
    cdef uint32_t looked_at = 0
    cdef uint32_t known_frontier = 0
    cdef double began
    cdef double idle_since = 0
    cdef double idle_seconds = 0
    if not wait_at_gate(e):
        return
    began = evmcore_seconds()
    open_machine(&w.machine, e.job)
    schedule_enter(worker)
    while True:
        commit_ready(e, w)
        claim = e.scheduler.claim(worker, &first, &count)
        if idle != 0 and claim != Claim.WAIT and claim != Claim.REST:
            idle_seconds += evmcore_seconds() - idle_since
        if claim == Claim.CLAIMED:
            idle = 0
            for i in range(first, first + count):
                execute_ahead(e, w, i)
                if i + 1 < first + count:
                    commit_ready(e, w)
            if w.machine.poll.abort.load():
                e.stop_all()
                break
        elif claim == Claim.ALONE:
            idle = 0
            e.status = run_alone(e, w, first, count)
            if e.status != Status.RUNNING:
                e.stop_all()
                break
            w.alone += count
            e.scheduler.end_alone(count)
        elif claim == Claim.DONE:
            break
        else:
            if idle == 0:
                idle_since = evmcore_seconds()
            idle += 1
            if w.machine.poll.poll(weight_of_turn(idle)):
                e.stop_all()
                break
            if claim == Claim.WAIT and idle >= e.patience:
                look_ahead(e, w, &looked_at, &known_frontier)
            if claim == Claim.REST and idle < IDLE_YIELDS:
                rest()
            else:
                wait_turn(idle)
    w.busy_seconds = evmcore_seconds() - began - idle_seconds
    schedule_leave()


cdef void rest() noexcept nogil:
    """Some microseconds in which a worker that goes on alone has the memory to itself."""
    cdef int i
    for i in range(REST_PAUSES):
        cpu_pause()
    yield_processor()


cdef enum:
    REST_PAUSES = 200


cdef extern from "<thread>" namespace "std::this_thread" nogil:
    void yield_processor "std::this_thread::yield"()


cdef void wait_turn(uint32_t turn) noexcept nogil:
    """The longer one waits the less it should cost: at first nothing but a pause, later the processor is given away, and
    behind a transaction of milliseconds it sleeps."""
    if turn < IDLE_SPINS:
        cpu_pause()
    elif turn < IDLE_YIELDS:
        yield_processor()
    else:
        sleep_briefly()


cdef inline uint32_t weight_of_turn(uint32_t turn) noexcept nogil:
    """What a turn of waiting takes, in gas."""
    return IDLE_POLL_WEIGHT if turn < IDLE_YIELDS else SLEEP_POLL_WEIGHT


cdef extern from *:
    """
    #include <chrono>
    #include <thread>
    // At a millisecond and more of waiting, a tenth of one is soon enough.
    static inline void evmcore_sleep_briefly() noexcept { std::this_thread::sleep_for(std::chrono::microseconds(50)); }
    """
    void sleep_briefly "evmcore_sleep_briefly"() noexcept nogil


cdef enum:
    IDLE_POLL_WEIGHT = 64
    SLEEP_POLL_WEIGHT = 16384
    IDLE_SPINS = 256        # turns before the processor is given away
    IDLE_YIELDS = 8192      # turns before the worker sleeps: some milliseconds


cdef Status run_optimistically(Engine* e, BlockJob* job) noexcept nogil:
    """The whole block on all workers of the engine; worker 0 is the caller."""
    cdef Machine* m = &e.workers[0].machine
    cdef Status status
    cdef size_t i
    e.gate.store(GATE_CLOSED)
    e.pool.start(work_on_block, e)
    status = begin_job(m, job)
    if status == Status.RUNNING:
        status = e.begin(job)
    if status != Status.RUNNING:
        e.gate.store(GATE_CANCELLED)
        e.pool.join()
        return status
    e.gate.store(GATE_OPEN)
    work_on_block(e, 0)
    e.pool.join()
    status = e.status
    if status == Status.RUNNING and e.scheduler.is_stopped():
        status = Status.ABORTED
    for i in range(e.workers.size()):
        job.execution_count += e.workers[i].executions
        job.conflict_count += e.workers[i].conflicts
        e.workers[i].machine.poll.abort.store(False)
    if status == Status.RUNNING:
        status = e.settle()
    if status == Status.RUNNING:
        status = end_job(m, job)
    e.end()
    return status


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
    _idle_engines[lent.engine.pool.workers()].append(lent)


cdef _Engine borrow_engine(int workers):
    idle = _idle_engines.setdefault(workers, [])
    try:
        return <_Engine>idle.pop()
    except IndexError:
        return _Engine(workers)


def _forget_engines():
    _idle_engines.clear()
    _pools.clear()


import os as _os
if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(after_in_child=_forget_engines)  # threads don't come along
