# Floor 7: what a call borrows while it works without the GIL: a machine or an engine, the poll hook that signals come through, a
# tracer. One object owns all of it and gives it back when it goes, however the call ends. Nothing of Python's runs between
# taking and owning, since a signal handler may raise wherever Python code runs.
cimport cython
from cpython.pythread cimport PyThread_get_thread_ident

from core.base.clock cimport evmcore_seconds
from core.base.poll cimport AtomicFlag, Poll
from core.base.status cimport Status
from core.parallel.engine cimport Engine
from core.parallel.engine_cache cimport process_generation, return_engine, return_machine, take_engine, take_idle_engine, take_machine
from core.parallel.waiting cimport wait_turn, weight_of_turn
from core.vm.frame cimport Machine
from core.vm.trace cimport TraceEnter, TraceExit, TraceStep

import atexit as _atexit
import os as _os
import threading as _threading

cdef extern from *:
    """
    #include <unistd.h>
    #include <exception>
    #include "core/vm/trace.hpp"

    // The thread that signals reach, and whether the interpreter is about to end. Written with the GIL.
    static std::atomic<unsigned long> evmcore_main_thread{0};
    static std::atomic<bool> evmcore_is_exiting{false};
    static std::atomic<int> evmcore_asking{0};  // threads that are on their way to the GIL

    // How deep this thread is in Python code that evmcore called: each level takes of the thread's stack, of which Python's own
    // limit knows nothing. No thread_local: where the C library has no memory for a module's, it ends the process. A level for
    // which there is no memory here isn't counted.
    static Py_tss_t evmcore_nesting_key = Py_tss_NEEDS_INIT;
    static constexpr int EVMCORE_NESTING_MOST = 64;
    static int evmcore_nesting() noexcept {
        return static_cast<int>(reinterpret_cast<intptr_t>(PyThread_tss_get(&evmcore_nesting_key)));
    }
    static void evmcore_set_nesting(int depth) noexcept {
        (void)PyThread_tss_set(&evmcore_nesting_key, reinterpret_cast<void*>(static_cast<intptr_t>(depth)));
    }
    static void evmcore_begin_nesting() noexcept { evmcore_set_nesting(evmcore_nesting() + 1); }
    static void evmcore_end_nesting() noexcept {
        if (evmcore_nesting() > 0)
            evmcore_set_nesting(evmcore_nesting() - 1);
    }
    // Once. What the C++ library keeps of each thread's exceptions is made for the main thread, too, which else may be when
    // there is no memory.
    static int evmcore_prepare_threads() noexcept {
        (void)std::uncaught_exceptions();
        return evmcore_done(PyThread_tss_create(&evmcore_nesting_key) == 0);
    }

    // Calls what takes the GIL, from code that nothing may be thrown through; false where it can't be had any more.
    // An interpreter that ends (Python up to 3.13) ends threads that ask for the GIL, or have it taken from them, by unwinding
    // them. Such a thread waits here for the end of the process, as it does in later versions.
    template <class Ask>
    static bool evmcore_ask_python(Ask ask) noexcept {
        evmcore_asking.fetch_add(1);
        if (evmcore_is_exiting.load() && PyThread_get_thread_ident() != evmcore_main_thread.load()) {
            evmcore_asking.fetch_sub(1);
            return false;
        }
        try {
            evmcore_begin_nesting();
            const bool goes_on = ask();
            evmcore_end_nesting();
            return goes_on;
        } catch (...) {
            for (;;)
                pause();
        }
    }
    // What is asked, with the GIL; each begins with a word to `evmcore_asking`.
    static bool (*evmcore_ask_signals)(void*);
    static bool (*evmcore_ask_lines)(void*);
    static bool (*evmcore_ask_enter)(void*, const evmcore::TraceEnter&);
    static bool (*evmcore_ask_step)(void*, const evmcore::TraceStep&);
    static bool (*evmcore_ask_exit)(void*, const evmcore::TraceExit&);
    static evmcore::Status (*evmcore_ask_precompile)(void*, evmcore::Machine*);
    static bool evmcore_signals(void* context) noexcept {
        return evmcore_ask_python([=] { return evmcore_ask_signals(context); });
    }
    static bool evmcore_lines(void* context) noexcept {
        return evmcore_ask_python([=] { return evmcore_ask_lines(context); });
    }
    static bool evmcore_enter(void* context, const evmcore::TraceEnter& enter) noexcept {
        return evmcore_ask_python([&] { return evmcore_ask_enter(context, enter); });
    }
    static bool evmcore_step(void* context, const evmcore::TraceStep& step) noexcept {
        return evmcore_ask_python([&] { return evmcore_ask_step(context, step); });
    }
    static bool evmcore_exit(void* context, const evmcore::TraceExit& exit) noexcept {
        return evmcore_ask_python([&] { return evmcore_ask_exit(context, exit); });
    }
    static evmcore::Status evmcore_precompile(void* context, evmcore::Machine* machine) noexcept {
        evmcore::Status status = evmcore::Status::ABORTED;
        evmcore_ask_python([&] {
            status = evmcore_ask_precompile(context, machine);
            return true;
        });
        return status;
    }
    static void evmcore_has_gil() noexcept { evmcore_asking.fetch_sub(1); }
    static void evmcore_set_main_thread() noexcept { evmcore_main_thread.store(PyThread_get_thread_ident()); }
    static bool evmcore_is_main_thread() noexcept {
        return PyThread_get_thread_ident() == evmcore_main_thread.load(std::memory_order_relaxed);
    }
    """
    cppclass AtomicLong "std::atomic<unsigned long>":
        void store(unsigned long)
    cppclass AtomicInt "std::atomic<int>":
        int load() nogil
    AtomicLong evmcore_main_thread
    AtomicFlag evmcore_is_exiting
    AtomicInt evmcore_asking
    cbool (*evmcore_ask_signals)(void*) noexcept
    cbool (*evmcore_ask_lines)(void*) noexcept
    cbool (*evmcore_ask_enter)(void*, const TraceEnter&) noexcept
    cbool (*evmcore_ask_step)(void*, const TraceStep&) noexcept
    cbool (*evmcore_ask_exit)(void*, const TraceExit&) noexcept
    Status (*evmcore_ask_precompile)(void*, Machine*) noexcept
    cbool evmcore_signals(void*) noexcept nogil
    cbool evmcore_lines(void*) noexcept nogil
    cbool evmcore_enter(void*, const TraceEnter&) noexcept nogil
    cbool evmcore_step(void*, const TraceStep&) noexcept nogil
    cbool evmcore_exit(void*, const TraceExit&) noexcept nogil
    Status evmcore_precompile(void*, Machine*) noexcept nogil
    int evmcore_nesting() nogil
    void evmcore_begin_nesting() nogil
    void evmcore_end_nesting() nogil
    int evmcore_prepare_threads() except -1
    const int NESTING_MOST "EVMCORE_NESTING_MOST"
    void evmcore_has_gil() noexcept nogil
    void evmcore_set_main_thread() noexcept nogil
    cbool evmcore_is_main_thread() noexcept nogil
    int usleep(unsigned int) nogil


evmcore_main_thread.store(_threading.main_thread().ident or 0)
evmcore_prepare_threads()


def _after_fork():
    evmcore_set_main_thread()


def _before_exit():
    """Daemon threads go on until the process ends; from here on they call no Python, since theirs is about to go."""
    cdef int turn
    evmcore_is_exiting.store(True)
    with nogil:
        for turn in range(1000):
            if evmcore_asking.load() == 0:
                break
            usleep(1000)


_atexit.register(_before_exit)
if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(after_in_child=_after_fork)


# Taking the GIL may mean to wait for another thread's turn of 5 ms: not more often than Ctrl-C needs.
cdef double SIGNAL_INTERVAL_SECONDS = 0.04


cdef cbool check_signals(void* context) noexcept with gil:
    """The poll hook of the main thread, which alone Python's signals reach: true once there is one that raises."""
    evmcore_has_gil()
    cdef _Lease lease = <_Lease>context
    cdef unsigned generation = process_generation()
    if lease.error is not None:
        return True
    try:
        PyErr_CheckSignals()
        if lease.engine != NULL and process_generation() != generation:
            raise errors.EvmError("the process was forked while a block was at work, whose other threads are not here")
    except BaseException as error:
        lease.error = error
        return True
    lease.fields.next_look = evmcore_seconds() + SIGNAL_INTERVAL_SECONDS
    return False


evmcore_ask_signals = check_signals


# What the hook reads without the GIL.
cdef struct _LeaseFields:
    void* lease
    double next_look
    double deadline  # of the thread; 0: none
    bint is_late


cdef cbool look_for_signals(void* context) noexcept nogil:
    if look_at_clock(context):
        return True
    if evmcore_seconds() < (<_LeaseFields*>context).next_look:
        return False
    return evmcore_signals((<_LeaseFields*>context).lease)


cdef cbool look_at_clock(void* context) noexcept nogil:
    """The poll hook of threads that have a time limit, and no signals."""
    cdef _LeaseFields* fields = <_LeaseFields*>context
    if fields.deadline == 0 or evmcore_seconds() < fields.deadline:
        return False
    fields.is_late = True
    return True


@cython.final
@cython.no_gc
@cython.freelist(16)
cdef class _Lease:
    """A machine, an engine, or signals alone, lent to one call of one thread.

    The main thread's poll hook lets signals stop the work; other threads' work goes on. Each thread's ends with its time.
    """
    cdef Machine* machine  # its own, or that of the engine's worker 0, who is the caller
    cdef Engine* engine
    cdef Poll* poll
    cdef Poll own_poll     # of work that needs no machine
    cdef _LeaseFields fields
    cdef object error      # what a signal handler raised
    cdef BaseTracer tracer

    def __cinit__(self):
        self.poll = &self.own_poll
        self.fields.lease = <void*>self

    def __dealloc__(self):
        if self.tracer is not None:
            self.tracer.give_back()
        if self.machine != NULL:
            self.machine.given_precompiles = NULL
        if self.engine != NULL:
            return_engine(self.engine)
        elif self.machine != NULL:
            return_machine(self.machine)

    cdef void watch(self) noexcept:
        """Let signals and the end of the thread's time reach the work from here to `finish`."""
        self.fields.deadline = evmcore_deadline()
        self.fields.is_late = False
        if evmcore_is_main_thread():
            self.fields.next_look = 0
            self.poll.hook = look_for_signals
            self.poll.hook_context = &self.fields
        elif self.fields.deadline != 0:
            self.poll.hook = look_at_clock
            self.poll.hook_context = &self.fields

    cdef int attach(self, BaseTracer tracer) except -1:
        """Have the machine report to a tracer, if there is one, from here to `finish`."""
        if tracer is None:
            return 0
        tracer.take()  # first: until then it may be at work on another run
        self.tracer = tracer
        tracer.prepare()
        self.machine.tracer = tracer.tracer()
        return 0

    cdef int finish(self) except -1:
        """The work has ended: raise what a signal handler or the tracer has raised meanwhile."""
        cdef BaseTracer tracer = self.tracer
        self.poll.hook = NULL
        self.poll.abort.store(False)
        if tracer is not None:
            self.machine.tracer = NULL
            tracer.write_rest()
        if self.machine != NULL:
            self.machine.given_precompiles = NULL
        if self.error is not None:
            error, self.error = self.error, None
            raise foreign(error)
        if tracer is not None and tracer.error is not None:
            error, tracer.error = tracer.error, None
            raise foreign(error)
        if self.fields.is_late:
            self.fields.is_late = False
            raise errors.TimeLimitExceeded("the thread's time was over before the work was done (evmcore.time_limit)")
        return 0

    cdef int finish_whole(self, str what) except -1:
        """The same for work that gives nothing if it was stopped."""
        cdef bint is_stopped = self.poll.abort.load()
        self.finish()
        if is_stopped:
            raise errors.ExecutionAborted(f"{what} was told to stop")
        return 0


cdef object foreign(object error):
    """The error of what an execution has called: if it misses state, it isn't that of the execution."""
    if isinstance(error, errors.MissingState):
        error._is_foreign = True
    return error


cdef _Lease lease_signals():
    """For work that needs neither machine nor engine, and may take long."""
    cdef _Lease lease = _Lease.__new__(_Lease)
    lease.watch()
    return lease


cdef int check_nesting() except -1:
    if evmcore_nesting() > NESTING_MOST:
        raise RecursionError(f"tracers and sources that call evmcore again, more than {NESTING_MOST} deep")
    return 0


cdef _Lease lease_machine():
    cdef _Lease lease = _Lease.__new__(_Lease)
    check_nesting()
    lease.machine = take_machine()
    if lease.machine == NULL:
        raise MemoryError("a worker's machine")
    lease.poll = &lease.machine.poll
    lease.watch()
    return lease


cdef int worker_count_of(object workers) except -1:
    """How many threads a caller means: None is as many as there are processors for this process."""
    if workers is None:
        return len(_os.sched_getaffinity(0)) if hasattr(_os, "sched_getaffinity") else _os.cpu_count() or 1
    if not isinstance(workers, int):
        raise ValueError(f"workers: {shown(workers)} is not a number of threads")
    wanted = exact_int(workers, "workers")
    if wanted < 1:
        raise ValueError(f"workers: {shown(wanted)} is not a number of threads")
    return min(wanted, 256)


cdef _Lease lease_engine(int workers, bint may_be_machine=False):
    """An engine; or, if there may be, a machine where no engine of so many workers waits."""
    cdef _Lease lease = _Lease.__new__(_Lease)
    check_nesting()
    if not 1 <= workers <= 256:
        raise ValueError(f"workers: {workers} is not a number of threads from 1 to 256")
    lease.engine = take_idle_engine(workers) if may_be_machine else take_engine(workers)
    if lease.engine != NULL:
        lease.machine = &lease.engine.workers[0].machine
    elif may_be_machine:
        lease.machine = take_machine()
    if lease.machine == NULL:
        raise MemoryError(f"the machines of {workers} workers")
    lease.poll = &lease.machine.poll
    lease.watch()
    return lease


cdef void run_on_workers(Engine* e, void (*work)(void*, int) noexcept nogil, void* context) noexcept nogil:
    """All of an engine's workers do the work; the caller, who is worker 0, lets signals through while it waits for the others.
    """
    e.pool.start(work, context)
    finish_on_workers(e, work, context)


cdef void finish_on_workers(Engine* e, void (*work)(void*, int) noexcept nogil, void* context) noexcept nogil:
    """The same of workers that have started."""
    cdef uint32_t turn = 0
    work(context, 0)
    while not e.pool.is_done():
        if e.workers[0].machine.poll.poll(weight_of_turn(turn)):
            stop_workers(e)
        wait_turn(turn)
        turn += 1
    e.pool.join()


cdef void stop_workers(Engine* engine) noexcept nogil:
    """Tell all workers of an engine, if there is one, to stop."""
    cdef size_t i
    if engine != NULL:
        for i in range(engine.workers.size()):
            engine.workers[i].machine.poll.abort.store(True)


cdef Poll* poll_of(Engine* engine, Poll* own, int worker) noexcept nogil:
    """What says to a worker that it is to stop: on an engine its machine's, of which worker 0's lets signals through."""
    return own if engine == NULL else &engine.workers[worker].machine.poll


cdef int check_often(size_t* count) except -1:
    """Let signals through in a loop that runs no Python of its own. Theirs may run here."""
    count[0] += 1
    if count[0] % 256 == 0:
        PyErr_CheckSignals()
    return 0
