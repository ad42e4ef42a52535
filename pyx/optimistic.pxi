# Floor 7: the optimistic mode, what each native worker does with a block: claim, execute, publish, look ahead, commit in order.


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
        w.is_speculative = looks_ahead and not task.is_exact and turn < DOOMED_RUNS_MOST
        w.machine.follow_slots(merges_slots and not task.is_exact)
        out.status = apply_transaction(&w.machine, &view, tx, &e.job.blobs,
                                       &e.job.room if task.is_exact else NULL, not task.is_exact, out)
        w.is_speculative = False
        w.machine.follow_slots(False)
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


# What keeps work from being in vain; what each is worth is measured by doing without.
cdef cbool merges_slots = True   # slots that are only counted up or down
cdef cbool looks_ahead = True    # runs again, or stops, before its turn, what no longer stands


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
        w.machine.spare_effects.close(&out.effects)
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
            if claim == Claim.WAIT and idle >= e.patience and looks_ahead:
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
