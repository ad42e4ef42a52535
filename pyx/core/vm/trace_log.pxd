from libc.stdint cimport uint16_t, uint32_t, uint64_t, uint8_t
from libcpp cimport bool as cbool

from core.base.mapped_rows cimport MappedRows
from core.base.types cimport Address, Bytes, u256
from core.base.vector cimport Vector
from core.vm.frame cimport Tracer

cdef extern from "core/vm/trace_log.hpp" namespace "evmcore" nogil:
    cppclass CallRow:
        pass
    cppclass StepRow:
        pass
    cppclass LogRow:
        pass
    cppclass HashRow:
        pass
    cppclass TraceLogRows "evmcore::TraceLog":
        cbool wants_steps
        cbool wants_counts
        cbool wants_data
        cbool wants_memory
        cbool wants_last_memory
        uint32_t hash_most
        uint64_t steps_skipped
        uint16_t stack_most
        uint64_t steps_most
        uint32_t depth_least
        uint32_t depth_most
        uint64_t ops[4]
        Vector[Address] addresses
        Vector[CallRow] calls
        MappedRows[StepRow] steps
        Vector[LogRow] logs
        Vector[HashRow] hashes
        MappedRows[u256] words
        Bytes data
        Bytes memories
        Bytes last_memories
        Bytes hashed
        uint64_t counts[256]
        uint64_t steps_left_out
        cbool is_out_of_memory
        cbool is_over_limit
        uint64_t bytes_most
        Tracer* tracer()
        void clear()
