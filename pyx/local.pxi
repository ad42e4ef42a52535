# Floor 8: local states: what they don't hold is read from a database on this machine, by the worker that needs it, without the GIL.
from libcpp.memory cimport shared_ptr

from core.base.types cimport Hash
from core.base.vector cimport Vector
from core.state.local_reads cimport LocalReads
from core.state.shared_trie cimport MissingNode, Ref
from core.state.trie_rows cimport read_ways
from core.state.world cimport World


cdef int open_local(World* world, object source, object state_root) except -1:
    """Make an empty, strict world one over a local source, whose trie has that root, or is that StateTrie."""
    cdef StateTrie trie = state_root if isinstance(state_root, StateTrie) else StateTrie(state_root)
    cdef shared_ptr[LocalReads] local = local_of(source)
    local.get().set_trie(trie.trie)
    world.set_local(local)
    world.set_partial_trie(trie.trie)
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
