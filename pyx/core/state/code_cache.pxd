from libc.stdint cimport uint64_t
from libcpp cimport bool as cbool

cdef extern from "core/state/code_cache.hpp" namespace "evmcore" nogil:
    cppclass CodeCacheFigures "evmcore::CodeCache::Figures":
        size_t codes
        size_t bytes
        size_t limit_bytes
        uint64_t hits
        uint64_t misses

    cppclass CodeCache:
        cbool figures(CodeCacheFigures*)
        cbool set_limit(size_t)
        cbool empty()

    CodeCache& shared_codes()
