# Floor 8: a state in use by one call, which gives it back however the call ends.
from libcpp.memory cimport shared_ptr

from core.parallel.engine_cache cimport process_generation
from core.state.local_reads cimport LocalReads
from core.state.world cimport World


@cython.final
@cython.no_gc
@cython.freelist(8)
cdef class _StateUse:
    """A state in use by one call, until this goes.

    To write, the state is that call's alone, and what it did is undone unless it says `keep`. To fetch, others may read it.
    """
    cdef State state
    cdef World* world        # that is written; NULL: the state is fetched
    cdef uint64_t checkpoint
    cdef bint is_kept
    cdef bint reads_part
    cdef unsigned long thread

    def __dealloc__(self):
        if self.state is None:
            return
        if self.world == NULL:
            self.state.forget_fetcher(self.thread)
            evmcore_end_nesting()
            return
        self.read_part_no_more()
        end_checkpoint(self.world, self.checkpoint, self.is_kept)
        self.world.at_work.store(0)
        self.state.use = NULL

    cdef void keep(self) noexcept:
        self.is_kept = True

    cdef void read_part(self) noexcept:
        """Let workers read what the state lacks from the witness that it came from, if it did, as from a database."""
        if isinstance(self.state.source, _WitnessSource):
            self.reads_part = True
            self.world.set_local((<_WitnessSource>self.state.source).reads)

    cdef void read_part_no_more(self) noexcept:
        if self.reads_part:
            self.reads_part = False
            self.world.set_local(shared_ptr[LocalReads]())

    cdef int rewind(self) except -1:
        """Undo what was done so far, and go on."""
        end_checkpoint(self.world, self.checkpoint, False)
        self.checkpoint = open_checkpoint(self.world)
        return 0


cdef uint64_t open_checkpoint(World* world) except 0:
    cdef uint64_t number = world.checkpoint()
    if number == 0:
        raise MemoryError("the state could not grow")
    return number


cdef _StateUse use_to_write(State state, const char* user):
    """`user` is a name that stays: what the others are told."""
    cdef _StateUse use = _StateUse.__new__(_StateUse)
    cdef World* world = state.writer()
    cdef uint64_t checkpoint
    world.at_work.store(PyThread_get_thread_ident())
    world.process_at_work = process_generation()
    state.use = user
    state.user = PyThread_get_thread_ident()
    state.user_process = process_generation()
    if world.is_layered() and not world.has_checkpoints():
        with nogil:
            world.reclaim(SIZE_MAX)
    checkpoint = world.checkpoint()
    if checkpoint == 0:
        world.at_work.store(0)
        state.use = NULL
        raise MemoryError("the state could not grow")
    use.world = world
    use.checkpoint = checkpoint
    use.state = state
    return use


cdef _StateUse use_to_fetch(State state, const char* user):
    cdef _StateUse use = _StateUse.__new__(_StateUse)
    cdef size_t i
    state.reader()
    check_nesting()
    use.thread = PyThread_get_thread_ident()
    state.user_process = process_generation()
    for i in range(state.fetchers.size()):
        if state.fetchers[i] == use.thread:
            raise errors.EvmError("the state's source asks the state for what it is to give")
    append_to(state.fetchers, use.thread)
    evmcore_begin_nesting()
    use.state = state
    state.fetch = user
    return use


def all_or_nothing(State state not None, procedure):
    """What `procedure()` returns; where it raises, the state is as before.

    No signal comes between the snapshot and the procedure, or between the procedure and the end: handlers run in Python code alone.
    Nor does the end take memory.
    """
    cdef uint64_t number = state.open_snapshot()
    cdef bint is_done = False
    try:
        result = procedure()
        is_done = True
    finally:  # `except` takes memory to begin
        state.end_snapshot(number, is_done)
    return result
