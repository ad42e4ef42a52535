# Floor 8: local states: what they don't hold is read from a database on this machine, by whoever needs it, without the GIL.
from libcpp.memory cimport shared_ptr

from core.base.types cimport Bytes, Hash
from core.base.vector cimport Vector
from core.state.local_reads cimport LocalReads
from core.state.local_source cimport EVMCORE_LOCAL_SOURCE_CAPSULE, EVMCORE_LOCAL_SOURCE_VERSION, EvmcoreLocalSource
from core.state.shared_trie cimport make_unknown_root, MissingNode, Ref
from core.state.trie_rows cimport c_unsaved_nodes, read_ways
from core.state.world cimport World

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_IsValid


cdef extern from *:
    """
    static std::shared_ptr<evmcore::LocalReads> evmcore_make_local(const EvmcoreLocalSource& source) {
        return std::make_shared<evmcore::LocalReads>(source);
    }
    """
    shared_ptr[LocalReads] make_local "evmcore_make_local"(const EvmcoreLocalSource&) except +


cdef int open_local(World* world, object source, object state_root) except -1:
    """Make an empty, strict world one over a local source, whose trie has that root."""
    cdef EvmcoreLocalSource* table
    cdef Hash root = to_hash_value(state_root, "state_root")
    cdef Ref trie
    if not PyCapsule_IsValid(source, EVMCORE_LOCAL_SOURCE_CAPSULE):
        raise TypeError(f"source: expected a capsule {EVMCORE_LOCAL_SOURCE_CAPSULE.decode()}, got {type(source).__name__}")
    table = <EvmcoreLocalSource*>PyCapsule_GetPointer(source, EVMCORE_LOCAL_SOURCE_CAPSULE)
    if table.version != EVMCORE_LOCAL_SOURCE_VERSION:
        raise ValueError(f"source: version {table.version}, expected {EVMCORE_LOCAL_SOURCE_VERSION}")
    or_memory_error(make_unknown_root(root, &trie))
    world.set_local(make_local(table[0]))
    world.set_partial_trie(trie)
    return 0


cdef int check_local(World* world) except -1:
    """Raise the fault of a source that has failed, if that is why there is no answer."""
    cdef char text[512]
    if world.local() != NULL and world.local().has_failed():
        world.local().fault(text, sizeof(text))
        raise errors.EvmError(text.decode("utf-8", "replace") or "the state's source has failed")
    return 0


cdef object prove_local_account(World* world, const Ref& trie, bytes address, list slots):
    """`prove_account` of a local state: the nodes on the ways are read first."""
    cdef Hash key = hashed_bytes(address)
    cdef Vector[Hash] keys
    cdef Ref known
    cdef MissingNode missing
    cdef cbool in_storage = False
    for hashed in sorted({from_hash_bytes(hashed_slot(to_word(slot, "slot"))) for slot in slots}):
        append_to(keys, to_hash_value(hashed, "slot"))
    if not read_ways(trie, world.local(), key, keys, &known, &missing, &in_storage):
        check_local(world)
        if missing.is_missing:
            raise missing_node(missing, &key if in_storage else NULL)
        raise MemoryError("a proof")
    return prove_account(known.get(), address, slots)


cdef bytes rows_of_trie(World* world, _StateRoot made):
    """`unsaved_nodes` of a root that is made."""
    cdef _Lease lease = lease_signals()
    cdef Bytes rows
    cdef cbool is_done
    with nogil:
        is_done = c_unsaved_nodes(made.root.trie().get(), world.local(), lease.poll, &rows)
    lease.finish_whole("the nodes of a trie")
    or_memory_error(is_done)
    return from_bytes(rows)
