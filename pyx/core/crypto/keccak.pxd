from libc.stdint cimport uint8_t
from libcpp cimport bool as cbool

from core.base.poll cimport Poll
from core.base.types cimport Hash

cdef extern from "core/crypto/keccak.hpp" namespace "evmcore" nogil:
    const Hash EMPTY_KECCAK
    const Hash EMPTY_TRIE_ROOT
    void c_keccak256 "evmcore::keccak256"(const uint8_t* data, size_t size, Hash* out)
    cbool keccak256_polled "evmcore::keccak256"(const uint8_t* data, size_t size, Hash* out, Poll& poll)
    void c_keccak256_x4 "evmcore::keccak256_x4"(const uint8_t* const* inputs, const size_t* sizes, Hash** out)
