# Floor 7: letting go of states and tries: of large ones while other threads run Python code.
from libcpp.memory cimport shared_ptr

from core.state.shared_trie cimport is_free_long, Ref
from core.state.world cimport World


cdef void let_go(shared_ptr[World]* world) noexcept:
    """Of a reference that nobody else reads or writes meanwhile."""
    if world.use_count() == 1 and world.get().is_free_long():
        with nogil:
            world.reset()
    else:
        world.reset()


cdef void let_go_of_trie(Ref* trie) noexcept:
    if is_free_long(trie.get()):
        with nogil:
            trie.reset()
    else:
        trie.reset()


cdef void let_go_of_waste(World* world) noexcept:
    """Of what a world of which the caller is the only holder has left; afterwards it may have others."""
    cdef shared_ptr[World] other
    cdef Ref trie
    world.take_waste(&other, &trie)
    let_go(&other)
    let_go_of_trie(&trie)


cdef void end_checkpoint(World* world, uint64_t number, bint is_kept) noexcept:
    """Keep what was written since a checkpoint, or undo it. The caller has the world for itself, also while others run Python code."""
    if world.is_end_long(number, is_kept):
        with nogil:
            end_number(world, number, is_kept)
    else:
        end_number(world, number, is_kept)


cdef bint end_number(World* world, uint64_t number, bint is_kept) noexcept nogil:
    """False: there is no such checkpoint."""
    return world.release(number) if is_kept else world.revert(number)
