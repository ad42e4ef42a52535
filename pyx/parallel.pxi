# Floor 7: several workers on one block. First every transaction runs against the state before the block, then they
# commit in order: one that read something an earlier one wrote runs again. The result is the sequential one.
from concurrent.futures import ThreadPoolExecutor


cdef extern from *:
    """
    #include <atomic>
    struct ClaimCounter { std::atomic<size_t> next{0}; };
    """
    cppclass AtomicSize "std::atomic<size_t>":
        size_t fetch_add(size_t) nogil
    cppclass ClaimCounter:
        AtomicSize next


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
    """The poll hook of the thread that Python's signals reach: true once there is one that raises."""
    with gil:
        try:
            PyErr_CheckSignals()
        except BaseException as error:
            (<_Interrupt>context).error = error
            return True
    return False


cdef extern from "Python.h":
    int PyErr_CheckSignals() except -1


cdef class _Interrupt:
    """What a signal raised while a machine ran."""
    cdef object error

    cdef void watch(self, Machine* machine):
        machine.poll.hook = check_signals
        machine.poll.hook_context = <void*>self

    cdef int leave(self, Machine* machine) except -1:
        machine.poll.hook = NULL
        machine.poll.abort.store(False)
        if self.error is not None:
            raise self.error
        return 0


cdef class _Job:
    """A block at work: the core's job, and the Python objects it borrows from."""
    cdef BlockJob job
    cdef tuple transactions
    cdef shared_ptr[World] world
    cdef ClaimCounter* claims
    cdef AtomicFlag* stop

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
                futures = [_pool(workers - 1).submit(self._speculate) for _ in range(workers - 1)]
                try:
                    self._speculate()
                finally:
                    self.claims.next.fetch_add(self.job.transactions.size())  # nothing more to claim
                    for future in futures:
                        future.result()
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

    def _speculate(self):
        """Run transactions against the block's parent state until there are none left, one nogil call each."""
        cdef _Worker worker = borrow_worker()
        cdef _Interrupt interrupt = _Interrupt()
        cdef size_t i
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
            interrupt.leave(worker.machine)
        finally:
            worker.machine.poll.hook = NULL
            return_worker(worker)


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
