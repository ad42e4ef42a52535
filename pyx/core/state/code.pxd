from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libcpp cimport bool as cbool

from core.base.types cimport Address, ByteView, Hash

cdef extern from "core/state/code.hpp" namespace "evmcore" nogil:
    cppclass Code:
        uint32_t size
        Hash hash
        const uint8_t* bytes()
        ByteView view()
        cbool has_bytes()
        cbool is_delegation()
        Address delegate()
        const Code* acquire()
        void release()
        const uint64_t* analysis()
        @staticmethod
        Code* create(ByteView code, const Hash* hash, cbool is_transient)
    ByteView view_of(const Code*)
    const Hash& hash_of(const Code*)
