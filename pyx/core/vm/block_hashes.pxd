from libc.stdint cimport uint64_t
from libcpp cimport bool as cbool

from core.base.types cimport Hash
from core.base.vector cimport Vector

cdef extern from "core/vm/block_hashes.hpp" namespace "evmcore" nogil:
    cppclass KnownBlockHash "evmcore::KnownBlockHashes::Entry":
        uint64_t number
        Hash hash
    cppclass KnownBlockHashes:
        Vector[KnownBlockHash] entries
        cbool is_synthetic
        cbool find(uint64_t number, Hash* out)
