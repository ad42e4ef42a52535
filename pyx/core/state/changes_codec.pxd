from libcpp cimport bool as cbool

from core.base.poll cimport Poll
from core.base.types cimport Bytes, ByteView
from core.state.changes cimport StateChanges
from core.state.flat_codec cimport DecodedState

cdef extern from "core/state/changes_codec.hpp" namespace "evmcore" nogil:
    cbool encode_changes(const StateChanges&, Poll* poll, Bytes* out)
    cbool decode_changes(ByteView bytes, size_t most_code_bytes, Poll* poll, StateChanges* changes, DecodedState* result)
