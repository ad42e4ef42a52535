# Floor 8: the witness of a block, made while it is executed: before, the state's trie is kept; after, the record tells what of it.
from core.base.types cimport Hash
from core.state.shared_trie cimport NodeSource
from core.state.witness cimport WitnessParts
from core.state.world cimport World


cdef int want_witness(_Job job, State state) except -1:
    """Have the block recorded, if a witness of its state can be made."""
    if job.piece is not None:
        raise errors.UnusableInput("witness: a piece of a block has none")
    if state.is_strict and not state.is_local and not isinstance(state.source, _WitnessSource):
        raise errors.UnusableInput("witness: the state is strict or lazy: it has no whole trie")
    job.job.witness = &job.witness
    return 0


cdef int begin_witness(_Job job, World* world, int workers) except -1:
    """Keep the trie before the block, which no other block changes."""
    cdef Hash root
    cdef _StateRoot made = _StateRoot.of(world, False, workers)
    run_state_root(made, &root, workers)
    job.witness.set_before(made.root.trie())
    return 0


cdef object finish_witness(_Job job, World* world, int workers, ancestors, dict result):
    """The ExecutionWitness, before the state is given back. The state root is put into `result`, since it is made for this."""
    from evmcore.witness import ExecutionWitness
    cdef Hash root
    cdef WitnessParts parts
    cdef _Lease lease
    cdef _StateRoot made = _StateRoot.of(world, False, workers)
    cdef NodeSource source
    cdef const NodeSource* read_from = NULL
    cdef cbool is_made
    cdef size_t i
    cdef size_t count = 0
    run_state_root(made, &root, workers)
    result["state_root"] = from_hash_bytes(root)
    or_memory_error(job.witness.add_trie(made.root.trie()))
    if world.local() != NULL:
        source = world.local().nodes()
        read_from = &source
    lease = lease_signals()
    with nogil:
        is_made = parts.collect(job.witness, read_from, lease.poll)
    lease.finish_whole("the witness")
    if parts.missing().is_missing:
        raise missing_node(parts.missing(), parts.missing_account())
    or_memory_error(is_made)
    nodes = set()
    for i in range(parts.nodes().size()):
        nodes.add(from_bytes(parts.nodes()[i]))
        check_often(&count)
    codes = set()
    for i in range(parts.codes().size()):
        codes.add(from_view(parts.codes()[i].view()))
    oldest = job.witness.oldest_block()
    headers = () if ancestors is None else ancestors.since(min(oldest, job.job.context.number - 1))
    job.witness.clear()
    return ExecutionWitness(tuple(sorted(nodes)), tuple(sorted(codes)), headers)
