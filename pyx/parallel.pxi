# Floor 8: several workers on one block, as Python lends and drives them. What they do is core/parallel, which executes a
# transaction through the hooks below:
# groups      every transaction against the state before the block, by Python's threads, one nogil call each; then they
#             commit in order, and one whose reads an earlier one wrote is executed again (groups.hpp)
# optimistic  one nogil call for the block: native workers claim, execute and commit in order by themselves (optimistic.cpp)
# recorded    one nogil call for the block, of which the accesses are known (recorded.cpp)
# listed      one nogil call for the block and its state root, beside which its block access list lies (listed.cpp)
# The result is the sequential one.
from core.base.clock cimport evmcore_seconds
from core.base.status cimport Status
from core.base.vector cimport Vector
from core.parallel.engine cimport Engine, execute_optimistically
from core.parallel.groups cimport commit_in_order, execute_on_base
from core.parallel.hooks cimport ApplyMode, ExecutionHooks
from core.parallel.engine_cache cimport process_generation
from core.parallel.listed cimport execute_listed, ListedResult
from core.parallel.pool cimport ClaimCounter
from core.parallel.predicted cimport PredictedConflicts
from core.parallel.recorded cimport execute_recorded
from core.parallel.schedule_point cimport schedule_controller, ScheduleController
from core.parallel.tuning cimport set_tuning_value, TUNING_ROW_COUNT, tuning_rows, tuning_value
from core.precompiles.precompiles cimport MovedPrecompile
from core.state.access_list_builder cimport AccessListBuilder
from core.state.observation cimport ObservedWorld
from core.state.view cimport StateView
from core.state.witness cimport WitnessRecord
from core.state.world cimport World
from core.vm.block_job cimport BlockJob
from core.vm.execution_counts cimport ExecutionCounts
from core.vm.frame cimport Machine

import _thread


# ---------------------------------------------------------------- what the parallel floor executes


cdef Status apply_hook(Machine* m, BlockJob* job, uint32_t i, const StateView* view, ApplyMode mode) noexcept nogil:
    return apply_transaction(m, view, job.transactions[i], &job.blobs, &job.room if mode == ApplyMode.EXACT else NULL,
                             mode == ApplyMode.SPECULATIVE, &job.outcomes[i])


cdef Status check_room_hook(BlockJob* job, uint32_t i) noexcept nogil:
    return check_room(job.transactions[i], job.rules, &job.context, &job.blobs, &job.room, &job.outcomes[i])


cdef Status commit_hook(BlockJob* job, uint32_t i) noexcept nogil:
    return commit(job, i, NULL)


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
    return {"executions": counts.executions, "aborted": counts.aborted, "aborted_gas": counts.aborted_gas,
            "rebased": counts.rebased, "rebased_slots": counts.rebased_slots,
            "fallback_transactions": counts.fallback_transactions, "parked": counts.parked}


cdef class _Job:
    """A block at work: the core's job, and the Python objects it borrows from."""
    cdef BlockJob job
    cdef tuple transactions
    cdef object piece             # evmcore.Piece; None: the whole block
    cdef size_t first             # transaction, in the block
    cdef shared_ptr[World] world  # that a call reads
    cdef BlockHashes block_hashes
    cdef Vector[MovedPrecompile] moved_precompiles
    cdef WitnessRecord witness
    cdef AccessListBuilder list_builder
    cdef ListedResult listed
    cdef PredictedConflicts predicted  # empty: none, or of a strategy that doesn't ask
    cdef ObservedWorld observed   # the state after the block, for its result
    cdef dict notes
    cdef tuple accesses
    cdef double recover_seconds  # of all workers together
    cdef bint had_all_room       # as many versions as there may be

    def __dealloc__(self):
        if self.observed.is_open() and self.observed.world().use_count() == 1 and self.observed.world().get().is_free_long():
            with nogil:
                self.observed.close()
        let_go(&self.world)

    cdef Status run_sequentially(self, int workers) except *:
        """On the machine that blocks on as many workers begin on, if there is one: what it remembers serves both."""
        cdef _Lease lease = lease_engine(workers, True)
        cdef Status status
        with nogil:
            status = run_block(lease.machine, &self.job)
        self.recover_seconds = lease.machine.recover_seconds
        lease.finish()
        return status

    cdef Status run_in_groups(self, int workers) except *:
        cdef _Lease lease = lease_machine()
        cdef _Speculation speculation
        cdef Status status
        with nogil:
            status = begin_job(lease.machine, &self.job)
        lease.finish()
        if status != Status.RUNNING:
            return status
        speculation = _Speculation(self)
        try:
            speculation.start(workers)
        finally:
            speculation.close()
        lease.watch()
        with nogil:
            status = commit_in_order(lease.machine, &self.job, &hooks)
            if status == Status.RUNNING:
                status = end_job(lease.machine, &self.job)
        lease.finish()
        return status

    cdef Status run_optimistically(self, int workers, bint records, size_t room) except *:
        cdef _Lease lease = lease_engine(workers)
        cdef Engine* engine = lease.engine
        cdef Status status
        cdef size_t i
        engine.job = &self.job
        engine.hooks = &hooks
        engine.records = records
        engine.predicted = &self.predicted
        engine.room = room
        with nogil:
            status = execute_optimistically(engine)
        self.had_all_room = engine.has_all_room()
        for i in range(engine.workers.size()):
            self.recover_seconds += engine.workers[i].machine.recover_seconds
        lease.finish()
        self.notes = {"busy_seconds": tuple([engine.workers[i].busy_seconds for i in range(engine.workers.size())])}
        if records and status == Status.RUNNING:
            self.notes["critical_path_gas"] = engine.critical_path_gas
            self.accesses = read_accesses(engine)
        return status

    cdef Status run_recorded(self, int workers, _AccessList known) except *:
        cdef _Lease lease = lease_engine(workers)
        cdef Engine* engine = lease.engine
        cdef Status status
        cdef size_t i
        engine.job = &self.job
        engine.hooks = &hooks
        with nogil:
            status = execute_recorded(engine, &known.list)
        for i in range(engine.workers.size()):
            self.recover_seconds += engine.workers[i].machine.recover_seconds
        lease.finish()
        self.notes = {"busy_seconds": tuple([engine.workers[i].busy_seconds for i in range(engine.workers.size())]),
                      "mismatch": self.job.failed_index if status == Status.ACCESSES_DIFFER else None}
        return status


    cdef Status run_listed(self, int workers, BlockAccessList known, bint wants_root) except *:
        cdef _Lease lease = lease_engine(workers)
        cdef Engine* engine = lease.engine
        cdef Status status
        cdef size_t i
        engine.job = &self.job
        engine.hooks = &hooks
        self.job.access_list = NULL  # it is known
        self.job.defers_deposits = True
        with nogil:
            status = execute_listed(engine, known.core, wants_root, &self.listed)
            if status == Status.RUNNING:
                status = collect_deposits(&self.job)
        for i in range(engine.workers.size()):
            self.recover_seconds += engine.workers[i].machine.recover_seconds
        lease.finish()
        self.notes = {"busy_seconds": tuple([engine.workers[i].busy_seconds for i in range(engine.workers.size())])}
        return status


@cython.final
cdef class _Speculation:
    """A job's transactions on the state before the block, one nogil call each, on this thread and on others of Python's.

    A thread may come late: it takes part only if it comes before `close`, which waits until all have come and gone.
    """
    cdef _Job job
    cdef ClaimCounter claims
    cdef Vector[Machine*] machines  # of the threads that take part; this and the next two are guarded by the GIL
    cdef bint is_closed
    cdef object error
    cdef unsigned process
    cdef size_t begun, ended        # threads

    def __cinit__(self, _Job job not None):
        self.job = job
        self.process = process_generation()

    cdef int start(self, int workers) except -1:
        for _ in range(workers - 1):
            try:
                _thread.start_new_thread(self, ())  # not a Thread, whose start a signal can leave half done
            except RuntimeError:  # there is none to be had: those that are there do the work
                break
            self.begun += 1
        self.take_part()
        return 0

    def __call__(self):
        self.take_part()
        self.ended += 1

    cdef void take_part(self) noexcept:
        cdef _Lease lease = None
        cdef size_t i
        if self.is_closed:
            return
        try:
            lease = lease_machine()
            append_to(self.machines, lease.machine)
            open_machine(lease.machine, &self.job.job)
            while not lease.machine.poll.abort.load():
                i = self.claims.next.fetch_add(1)
                if i >= self.job.job.transactions.size():
                    break
                with nogil:
                    execute_on_base(lease.machine, &self.job.job, &hooks, <uint32_t>i)
            self.job.recover_seconds += lease.machine.recover_seconds
            lease.finish()
        except BaseException as error:
            self.error = error
            self.stop()
        if lease is not None:
            self.forget(lease.machine)

    cdef void forget(self, Machine* machine) noexcept:
        cdef size_t i
        for i in range(self.machines.size()):
            if self.machines[i] == machine:
                self.machines[i] = self.machines[self.machines.size() - 1]
                self.machines.pop_back()
                return

    cdef void stop(self) noexcept:
        """Leave nothing to claim, and tell those at work to stop."""
        cdef size_t i
        self.claims.next.fetch_add(self.job.job.transactions.size())
        for i in range(self.machines.size()):
            self.machines[i].poll.abort.store(True)

    cdef int close(self) except -1:
        """Wait until all threads have ended. A signal meanwhile stops them, and is raised when they have."""
        cdef double looked = evmcore_seconds()
        self.is_closed = True
        while self.ended < self.begun and self.process == process_generation():
            with nogil:
                usleep(50)
            if evmcore_seconds() - looked > SIGNAL_INTERVAL_SECONDS:
                looked = evmcore_seconds()
                try:
                    PyErr_CheckSignals()
                except BaseException as error:
                    self.error = error
                    self.stop()
        if self.process != process_generation():
            raise errors.EvmError("the process was forked while a block was at work, whose other threads are not here")
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return 0


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

    One block at a time, on at most so many workers; where threads can't be had, on fewer. `points` counts the decisions. Other keywords set the tuning meanwhile.
    """
    cdef ScheduleController* controller
    cdef readonly object seed
    cdef dict before, tuning

    # Blocks are small, so all that is rare comes at once.
    RARE = {"window_per_worker": 2, "fallback_length": 2, "abort_memory": 2, "predicted_workers": 1}

    def __cinit__(self, seed, workers, **tuning):
        number_between(workers, 1, 256, "workers")
        self.seed = seed
        self.tuning = {**self.RARE, **tuning}
        self.controller = new ScheduleController(to_u64(seed, "seed"))

    def __dealloc__(self):
        if self.controller != NULL and schedule_controller.load() == self.controller:
            schedule_controller.store(NULL)
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
