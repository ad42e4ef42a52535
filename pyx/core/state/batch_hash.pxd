from libcpp cimport bool as cbool

from core.base.types cimport ByteView, Hash

cdef extern from "core/state/batch_hash.hpp" namespace "evmcore" nogil:
    cbool hash_many(const ByteView* items, size_t count, Hash* out)
