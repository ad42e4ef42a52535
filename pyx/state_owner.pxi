# Floor 8: a state's world and its owner: who may read it, change it and fill it, and how it comes to be shared with nobody.
from libcpp.memory cimport shared_ptr

from core.base.vector cimport Vector
from core.parallel.engine_cache cimport process_generation
from core.state.world cimport FEW_TO_MOVE, World


cdef extern from *:
    """
    #include <memory>
    static std::shared_ptr<evmcore::World> evmcore_make_world(bool is_strict) {
        return std::make_shared<evmcore::World>(is_strict);
    }
    // A shared pointer needs memory, too; without it the world is freed.
    static std::shared_ptr<evmcore::World> evmcore_own_world(evmcore::World* world) {
        return std::shared_ptr<evmcore::World>(world);
    }
    static std::shared_ptr<evmcore::World> evmcore_try_own_world(evmcore::World* world) noexcept {
        try {
            return evmcore_own_world(world);
        } catch (const std::bad_alloc&) {
            return nullptr;
        }
    }
    """
    shared_ptr[World] make_world "evmcore_make_world"(cbool is_strict) except +
    shared_ptr[World] own_world "evmcore_own_world"(World* world) except +
    shared_ptr[World] try_own_world "evmcore_try_own_world"(World* world) noexcept nogil


@cython.auto_pickle(False)  # State says how it is pickled
cdef class _WorldOwner:
    """A world that is read by many and changed by one: State without its face.

    Copies and snapshots rest on this. What takes long is done without the GIL, on a world that is held.
    """
    cdef shared_ptr[World] world
    cdef const char* use          # who is at work on it, alone; NULL: nobody. This and the next two are guarded by the GIL
    cdef const char* fetch        # who fetches what it lacks, last
    cdef Vector[unsigned long] fetchers  # the threads that do
    cdef unsigned long user       # the thread of `use`, and of the last `fetch`
    cdef unsigned user_process    # and its process
    cdef _SlotTable slots         # of the state as it is; None: it has changed
    cdef int slot_passes          # over all slots for those of one account, since then

    def __cinit__(self):
        self.world = make_world(False)

    def __dealloc__(self):
        let_go(&self.world)

    cdef bint is_watched(self) noexcept:
        """Whether something would notice that the state is another now."""
        return self.use != NULL or not self.fetchers.empty() or self.world.use_count() > 1 or self.world.get().has_checkpoints()

    cdef World* reader(self) except NULL:
        """The state to be read until Python code may run again: another thread may then change it."""
        if self.use != NULL:
            self.refuse(self.use)
        return self.world.get()

    cdef shared_ptr[World] shared(self) except *:
        """The state as it is now, to be read for as long as it is held: a call that changes the state meanwhile changes a copy."""
        self.reader()
        return self.world

    cdef int refuse(self, const char* user) except -1:
        what = user.decode()
        if self.user_process != process_generation():
            raise errors.EvmError(f"the state was in use by {what} in another thread when this process was forked")
        if self.user == PyThread_get_thread_ident():
            raise errors.EvmError(f"the state is in use by {what}, which has called this")
        raise errors.EvmError(f"the state is in use by {what} in another thread")

    cdef int check_writable(self) except -1:
        self.reader()
        if not self.fetchers.empty():
            self.user = self.fetchers.back()
            self.refuse(self.fetch)
        return 0

    cdef World* writer(self) except NULL:
        """The state to be changed, shared with nobody, until Python code may run again."""
        self.check_writable()
        self.filler()
        self.check_writable()  # while a fork was made another thread may have begun something
        return self.world.get()

    cdef void forget_fetcher(self, unsigned long thread) noexcept:
        cdef size_t i
        for i in range(self.fetchers.size()):
            if self.fetchers[i] == thread:
                self.fetchers[i] = self.fetchers.back()
                self.fetchers.pop_back()
                return

    cdef World* filler(self) except NULL:
        """The same for what is put into it because it was fetched."""
        self.reader()
        while True:
            if self.world.use_count() > 1 + <long>self.world.get().observation_count():
                if self.fork_off():
                    break
            elif self.world.get().has_waste():
                let_go_of_waste(self.world.get())
            else:
                self.world.get().reclaim(FEW_TO_MOVE)
                break
            self.reader()
        self.slots = None
        self.slot_passes = 0
        return self.world.get()

    cdef bint fork_off(self) except *:
        """Give the state a world of its own over the one that it has. False: another thread gave it another one meanwhile, or shares it.

        What takes long has layers merged or copied; others may run Python code then. The world is held, so that nobody changes it.
        """
        cdef shared_ptr[World] held = self.world
        cdef shared_ptr[World] made
        cdef World* own
        if held.get().is_fork_long():
            with nogil:
                own = World.fork(held, try_own_world)
        else:
            own = World.fork(held, try_own_world)
        if own == NULL:
            raise MemoryError("the state could not be copied")
        made = own_world(own)
        if self.world.get() != held.get() or self.use != NULL:
            return False
        self.world.swap(made)
        made.reset()
        let_go(&held)
        return self.use == NULL and self.world.use_count() == 1

    cdef int tidy(self) except -1:
        """After a write: let go of what is in use no more."""
        if self.world.get().is_tidy_long():
            self.end_on_copy(0, True)
        else:
            self.world.get().tidy()
        return 0

    cdef bint end_on_copy(self, uint64_t number, bint is_kept) except *:
        """End a snapshot (0: none), and compact what is left, on a copy that takes the state's place: others may run Python code then.

        The world is held, so that nobody changes it. False: another thread gave the state another one meanwhile, or there is no memory.
        """
        cdef shared_ptr[World] held = self.world
        cdef shared_ptr[World] made
        cdef World* own
        with nogil:
            own = held.get().clone(number != 0)
            if own != NULL:
                made = try_own_world(own)
            if made.get() != NULL and number != 0:
                end_number(own, number, is_kept)
            elif made.get() != NULL:
                own.tidy()
        if made.get() == NULL or self.world.get() != held.get() or self.use != NULL:
            let_go(&made)
            return False
        self.world.swap(made)
        self.slots = None
        self.slot_passes = 0
        made.reset()
        let_go(&held)
        return True

    cdef shared_ptr[World] copied(self) except *:
        """The world for a copy: the same one, or with snapshots open one without them."""
        cdef shared_ptr[World] held = self.shared()
        cdef World* own
        if not held.get().has_checkpoints():
            return held
        if held.get().is_fork_long():
            with nogil:
                own = held.get().clone(False)
        else:
            own = held.get().clone(False)
        if own == NULL:
            raise MemoryError("the state could not be copied")
        return own_world(own)

    cdef uint64_t open_snapshot(self) except 0:
        cdef World* world = self.writer()
        cdef uint64_t number
        # What is under a snapshot is then shared by copies, which take with them what was changed since.
        if not world.has_checkpoints() and not world.is_small() and not self.fork_off():
            self.writer()
        self.check_writable()
        number = self.world.get().checkpoint()
        if number == 0:
            raise MemoryError("the state could not grow")
        return number

    cdef int end_snapshot(self, uint64_t number, bint is_kept) except -1:
        if self.writer().is_end_long(number, is_kept) and self.end_on_copy(number, is_kept):
            return 0
        if not end_number(self.writer(), number, is_kept):
            raise ValueError(f"no such snapshot: {number}")
        return 0
