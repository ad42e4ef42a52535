from libc.stdint cimport uint32_t, uint64_t
from libcpp cimport bool as cbool

from core.parallel.access_rows cimport AccountAccess, SlotAccess

cdef extern from "core/parallel/predicted.hpp" namespace "evmcore" nogil:
    cppclass PredictedConflicts:
        cbool is_empty()
    cppclass ConflictFinder:
        ConflictFinder(PredictedConflicts*)
        cbool read(uint64_t key)
        cbool write(uint64_t key)
        cbool finish()
    cbool find_conflicts(const AccountAccess*, size_t, const SlotAccess*, size_t, uint32_t count, PredictedConflicts*)
