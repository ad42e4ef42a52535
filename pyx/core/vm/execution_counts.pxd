from libc.stdint cimport uint64_t

cdef extern from "core/vm/execution_counts.hpp" namespace "evmcore" nogil:
    cppclass ExecutionCounts:
        uint64_t executions
        uint64_t aborted
        uint64_t aborted_gas
        uint64_t rebased
        uint64_t rebased_slots
        uint64_t fallback_transactions
        uint64_t parked
