# Floor 7: the roots of a block's lists and of a state, made by the pool that ran the block.


cdef cppclass ListRoots:
    BlockJob* job
    cbool has_receipts
    vector[Bytes] encoded
    ClaimCounter parts
    ClaimCounter tries
    Hash receipts_root
    Hash transactions_root

    void begin() noexcept nogil:
        this.encoded.resize(this.job.outcomes.size() if this.has_receipts else 0)


cdef enum:
    RECEIPTS_A_PART = 32
    PARALLEL_MIN_RECEIPTS = 64  # fewer take less time than waking a worker does


cdef void encode_some_receipts(void* context, int worker) noexcept nogil:
    """Encode receipts, a part at a time, until there are none left."""
    cdef ListRoots* roots = <ListRoots*>context
    cdef size_t first
    cdef size_t i
    while True:
        first = roots.parts.next.fetch_add(RECEIPTS_A_PART)
        if first >= roots.encoded.size():
            break
        for i in range(first, min(first + RECEIPTS_A_PART, roots.encoded.size())):
            encode_receipt(roots.job.outcomes[i], &roots.encoded[i])


cdef void make_some_root(void* context, int worker) noexcept nogil:
    """Make the receipts' root, the transactions' root, or both."""
    cdef ListRoots* roots = <ListRoots*>context
    cdef vector[ByteView] views
    cdef size_t trie
    cdef size_t i
    while True:
        trie = roots.tries.next.fetch_add(1)
        if trie > 1:
            break
        views.clear()
        if trie == 0:
            for i in range(roots.encoded.size()):
                views.push_back(ByteView(roots.encoded[i].data(), roots.encoded[i].size()))
            if roots.has_receipts:
                roots.receipts_root = c_ordered_trie_root(views.data(), views.size())
        else:
            for i in range(roots.job.transactions.size()):
                views.push_back(ByteView(roots.job.transactions[i].raw.data(), roots.job.transactions[i].raw.size()))
            roots.transactions_root = c_ordered_trie_root(views.data(), views.size())


cdef int make_list_roots(BlockJob* job, cbool has_receipts, int workers, Hash* receipts_root,
                         Hash* transactions_root) except -1:
    """The roots of a block's receipts, if it has them, and of its transactions: encoded in parts, then a trie each."""
    cdef ListRoots roots
    cdef _Engine lent
    roots.job = job
    roots.has_receipts = has_receipts
    if workers > 1 and job.outcomes.size() >= PARALLEL_MIN_RECEIPTS:
        lent = borrow_engine(workers)
        with nogil:
            roots.begin()
            lent.engine.pool.run(encode_some_receipts, &roots)
            lent.engine.pool.run(make_some_root, &roots)
        return_engine(lent)
    else:
        with nogil:
            roots.begin()
            encode_some_receipts(&roots, 0)
            make_some_root(&roots, 0)
    receipts_root[0] = roots.receipts_root
    transactions_root[0] = roots.transactions_root
    return 0


cdef cppclass StateRootJob:
    StateRoot* root
    RootStep step
    size_t part_count
    ClaimCounter parts


cdef void make_some_parts(void* context, int worker) noexcept nogil:
    """Take parts of a step of a state's root until there are none left."""
    cdef StateRootJob* job = <StateRootJob*>context
    cdef size_t part
    while True:
        part = job.parts.next.fetch_add(1)
        if part >= job.part_count:
            break
        job.root.run(job.step, part)


cdef enum:
    PARALLEL_MIN_CELLS = 1024  # accounts and slots: fewer take less time than waking a worker three times does


cdef Hash make_state_root(const World* world, int workers) except *:
    """The root of a state that nobody changes meanwhile, on so many threads at the most."""
    cdef StateRootJob job
    cdef Hash root
    cdef _Engine lent
    cdef int step
    if workers < 2 or world.account_count() + world.slot_places() // 2 < PARALLEL_MIN_CELLS:
        with nogil:
            root = world.root()
        return root
    lent = borrow_engine(workers)
    with nogil:
        job.root = new StateRoot(world)
        for step in range(<int>RootStep.ROOT_KEYS, <int>RootStep.ROOT_DONE):
            job.step = <RootStep>step
            job.part_count = job.root.begin(job.step)
            job.parts.next.store(0)
            lent.engine.pool.run(make_some_parts, &job)
        root = job.root.root()
        del job.root
    return_engine(lent)
    return root
