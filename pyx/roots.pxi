# Floor 7: the roots of a block's lists and of a state, made by the pool that ran the block.
from libcpp.memory cimport shared_ptr

from core.base.poll cimport AtomicFlag, HOOK_INTERVAL, Poll
from core.base.types cimport Bytes, ByteView, Hash
from core.base.vector cimport Vector
from core.parallel.engine cimport Engine
from core.parallel.pool cimport ClaimCounter
from core.state.shared_trie cimport MissingNode
from core.state.state_root cimport RootStep, StateRoot
from core.state.trie cimport c_ordered_trie_root
from core.state.world cimport World
from core.vm.block_job cimport BlockJob
from core.vm.outcome cimport encode_receipt


cdef cppclass ListRoots:
    BlockJob* job
    Engine* engine
    Poll* poll  # where there is no engine
    cbool has_receipts
    Vector[Bytes] encoded
    AtomicFlag is_out_of_memory
    ClaimCounter parts
    ClaimCounter tries
    Hash receipts_root
    Hash transactions_root

    void note(cbool is_ok) noexcept nogil:
        if not is_ok:
            this.is_out_of_memory.store(True)


cdef enum:
    RECEIPTS_A_PART = 32
    PARALLEL_MIN_RECEIPTS = 64  # fewer take less time than waking a worker does


cdef void encode_some_receipts(void* context, int worker) noexcept nogil:
    """Encode receipts, a part at a time, until there are none left."""
    cdef ListRoots* roots = <ListRoots*>context
    cdef Poll* poll = poll_of(roots.engine, roots.poll, worker)
    cdef size_t first
    cdef size_t i
    while True:
        if poll.poll(HOOK_INTERVAL):
            stop_workers(roots.engine)
            break
        first = roots.parts.next.fetch_add(RECEIPTS_A_PART)
        if first >= roots.encoded.size():
            break
        for i in range(first, min(first + RECEIPTS_A_PART, roots.encoded.size())):
            roots.note(encode_receipt(roots.job.outcomes[i], &roots.encoded[i]))


cdef void make_some_root(void* context, int worker) noexcept nogil:
    """Make the receipts' root, the transactions' root, or both."""
    cdef ListRoots* roots = <ListRoots*>context
    cdef Poll* poll = poll_of(roots.engine, roots.poll, worker)
    cdef Vector[ByteView] views
    cdef size_t trie
    cdef size_t count
    cdef size_t i
    while True:
        trie = roots.tries.next.fetch_add(1)
        if trie > 1:
            break
        count = roots.encoded.size() if trie == 0 else roots.job.transactions.size()
        if roots.is_out_of_memory.load() or not views.resize(count):
            roots.note(False)
            break
        if trie == 0:
            for i in range(count):
                views[i] = ByteView(roots.encoded[i].data(), roots.encoded[i].size())
            roots.note(not roots.has_receipts or c_ordered_trie_root(views.data(), count, &roots.receipts_root, poll))
        else:
            for i in range(count):
                views[i] = ByteView(roots.job.transactions[i].raw.data(), roots.job.transactions[i].raw.size())
            roots.note(c_ordered_trie_root(views.data(), count, &roots.transactions_root, poll))
        if poll.abort.load():
            stop_workers(roots.engine)
            break


cdef int make_list_roots(BlockJob* job, cbool has_receipts, int workers, Hash* receipts_root,
                         Hash* transactions_root) except -1:
    """The roots of a block's receipts, if it has them, and of its transactions: encoded in parts, then a trie each."""
    cdef ListRoots roots
    cdef _Lease lease
    roots.job = job
    roots.has_receipts = has_receipts
    or_memory_error(roots.encoded.resize(job.outcomes.size() if has_receipts else 0))
    if workers > 1 and job.outcomes.size() >= PARALLEL_MIN_RECEIPTS:
        lease = lease_engine(workers)
        roots.engine = lease.engine
        with nogil:
            run_on_workers(lease.engine, encode_some_receipts, &roots)
            run_on_workers(lease.engine, make_some_root, &roots)
    else:
        lease = lease_signals()
        roots.engine = NULL
        roots.poll = lease.poll
        with nogil:
            encode_some_receipts(&roots, 0)
            make_some_root(&roots, 0)
    lease.finish_whole("the roots")
    or_memory_error(not roots.is_out_of_memory.load())
    receipts_root[0] = roots.receipts_root
    transactions_root[0] = roots.transactions_root
    return 0


cdef enum:
    TRIE_MIN_ITEMS = 1024  # more take about a millisecond, for which others may have the GIL


cdef object list_root(const Vector[ByteView]& views):
    """The root of items that lie still."""
    cdef _Lease lease
    cdef Hash root
    cdef cbool is_made
    if views.size() < TRIE_MIN_ITEMS:
        or_memory_error(c_ordered_trie_root(views.data(), views.size(), &root, NULL))
        return from_hash_bytes(root)
    lease = lease_signals()
    with nogil:
        is_made = c_ordered_trie_root(views.data(), views.size(), &root, lease.poll)
    lease.finish_whole("the root")
    or_memory_error(is_made)
    return from_hash_bytes(root)


cdef cppclass StateRootJob:
    StateRoot* root
    Engine* engine
    Poll* poll  # where there is no engine
    RootStep step
    size_t part_count
    ClaimCounter parts


cdef void make_some_parts(void* context, int worker) noexcept nogil:
    """Take parts of a step of a state's root until there are none left."""
    cdef StateRootJob* job = <StateRootJob*>context
    cdef Poll* poll = poll_of(job.engine, job.poll, worker)
    cdef size_t part
    while True:
        if poll.poll(HOOK_INTERVAL):
            stop_workers(job.engine)
            break
        part = job.parts.next.fetch_add(1)
        if part >= job.part_count:
            break
        job.root.run(job.step, part, poll)


cdef enum:
    PARALLEL_MIN_CELLS = 1024  # accounts and slots: fewer take less time than waking a worker three times does


cdef class _StateRoot:
    """A state's root in the making; the state stays as it is while this exists."""
    cdef StateRoot* root

    @staticmethod
    cdef _StateRoot of(World* world, bint is_alone, int workers):
        """After the root of its base, if that has no trie yet, from which the roots of all copies follow."""
        cdef _StateRoot self = _StateRoot.__new__(_StateRoot)
        cdef World* base = world.base_without_trie()
        if base != NULL:
            make_state_root(base, False, workers)
        self.root = new StateRoot(world)
        self.root.open(is_alone)
        return self

    def __dealloc__(self):
        if self.root != NULL and self.root.work() >= PARALLEL_MIN_CELLS:
            with nogil:
                del self.root
        else:
            del self.root


cdef Hash make_state_root(World* world, bint is_alone, int workers) except *:
    """The root of a state that nobody changes meanwhile, on so many threads at the most.

    `is_alone`: hardly anybody asks for it in another thread.
    """
    cdef Hash root
    cdef _StateRoot made = _StateRoot.of(world, is_alone, workers)
    run_state_root(made, &root, workers)
    return root


cdef int run_state_root(_StateRoot made, Hash* root, int workers) except -1:
    cdef StateRootJob job
    cdef cbool is_made = False
    if made.root.is_known():
        or_memory_error(made.root.root(root, NULL))
        return 0
    cdef _Lease lease
    cdef int step
    if workers > 1 and made.root.work() >= PARALLEL_MIN_CELLS:
        lease = lease_engine(workers)
    else:
        lease = lease_signals()
    job.engine = lease.engine
    job.poll = lease.poll
    job.root = made.root
    with nogil:
        for step in range(<int>RootStep.ROOT_KEYS, <int>RootStep.ROOT_DONE):
            job.step = <RootStep>step
            job.part_count = job.root.begin(job.step, job.poll)
            job.parts.next.store(0)
            if job.engine != NULL:
                run_on_workers(job.engine, make_some_parts, &job)
            else:
                make_some_parts(&job, 0)
            if job.poll.abort.load():
                break
        if not job.poll.abort.load():
            is_made = job.root.root(root, job.poll)
    lease.finish_whole("the root")
    if made.root.missing().is_missing:
        raise missing_node(made.root.missing(), made.root.missing_account())
    or_memory_error(is_made)
    return 0


cdef bint is_held_twice(const shared_ptr[World]& world) noexcept:
    """By one state, its observers, and the caller: nobody else is likely to ask for its root."""
    return world.use_count() <= 2 + <long>world.get().observation_count()


cdef object missing_node(const MissingNode& missing, const Hash* account):
    """The error of a partial trie that lacks a node. `account`: in whose storage, null: among the accounts."""
    return errors.MissingNode(from_hash_bytes(missing.hash), from_hash_bytes(missing.path).hex()[:missing.depth],
                              None if account == NULL else from_hash_bytes(account[0]))


def ordered_trie_root(items):
    """Root of the trie of a list, as of a block's transactions: keys are the RLP of the index. Of a long one without the GIL."""
    cdef Vector[ByteView] views
    cdef size_t count = 0
    given = []
    for item in items:
        given.append(to_data(item, "item"))
        check_often(&count)
    for item in given:
        append_to(views, view_bytes(item))
    return list_root(views)
