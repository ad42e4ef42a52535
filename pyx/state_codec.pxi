# Floor 8: a state as bytes, for files and pickles.
from core.base.types cimport Bytes, ByteView
from core.state.flat_codec cimport DecodedState
from core.state.state_codec cimport decode_state, encode_state
from core.state.world cimport World


cdef bytes encode_world(World* world):
    """The bytes of a whole state (core/state/state_codec.hpp). The caller holds the world, so that it stays as it is."""
    cdef Bytes encoded
    cdef _Lease lease
    cdef cbool is_done
    if world.is_strict():
        raise TypeError("state: a strict state has no encoding, since what it knows to be absent would be lost")
    lease = lease_signals()
    with nogil:
        is_done = encode_state(world[0], lease.poll, &encoded)
    lease.finish_whole("the encoding of a state")
    or_memory_error(is_done)
    return from_bytes(encoded)


cdef int decode_world(bytes data, size_t most_code_bytes, World* world) except -1:
    """Put what such bytes say, which need not be what they should, into an empty world that nobody else has yet."""
    cdef ByteView view = view_bytes(data)
    cdef DecodedState result
    cdef _Lease lease = lease_signals()
    cdef cbool is_done
    with nogil:
        is_done = decode_state(view, most_code_bytes, lease.poll, world, &result)
    lease.finish_whole("the decoding of a state")
    if not is_done and result.fault != NULL:
        raise errors.UnusableInput(f"state: {result.fault.decode()}, at byte {result.offset} of {len(data)}")
    or_memory_error(is_done)
    return 0
