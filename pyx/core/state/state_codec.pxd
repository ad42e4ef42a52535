from libcpp cimport bool as cbool

from core.base.poll cimport Poll
from core.base.types cimport Bytes, ByteView
from core.state.flat_codec cimport DecodedState
from core.state.world cimport World

cdef extern from "core/state/state_codec.hpp" namespace "evmcore" nogil:
    cbool encode_state(const World&, Poll* poll, Bytes* out)
    cbool decode_state(ByteView bytes, size_t most_code_bytes, Poll* poll, World* world, DecodedState* result)
