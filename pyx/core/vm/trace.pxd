from libc.stdint cimport int64_t, uint8_t, uint64_t
from libcpp cimport bool as cbool

from core.base.status cimport Status
from core.base.types cimport Address, ByteView, Bytes, u256
from core.base.vector cimport Vector
from core.vm.frame cimport Tracer

cdef extern from "core/vm/trace.hpp" namespace "evmcore" nogil:
    cppclass TraceStep:
        uint64_t pc
        uint8_t op
        int depth
        int64_t gas
        int64_t gas_cost
        int64_t refund
        int64_t reservoir
        int64_t state_gas
        uint64_t memory_size
        Address self
        Status status
        Vector[u256] stack
        Bytes memory
        Bytes return_data
    cppclass TraceEnter:
        uint8_t op
        int depth
        Address caller
        Address self
        Address code_address
        u256 value
        int64_t gas
        ByteView input
        cbool is_static
    cppclass TraceExit:
        int depth
        Status status
        int64_t gas_used
        ByteView output
    cppclass TraceSink:
        void* context
        cbool (*enter)(void* context, const TraceEnter& enter) noexcept
        cbool (*step)(void* context, const TraceStep& step) noexcept
        cbool (*exit)(void* context, const TraceExit& exit) noexcept
    cppclass TraceRecorder:
        TraceRecorder()
        cbool wants_stack
        cbool wants_memory
        cbool wants_return_data
        uint64_t ops[4]
        Vector[Address] addresses
        TraceSink sink
        cbool is_out_of_memory
        Tracer* tracer()
    cppclass Eip3155Lines:
        Eip3155Lines()
        Bytes text
        cbool is_out_of_memory
        cbool shows_inner_exits
        cbool is_as_geth
        cbool shows_frames
        cbool (*flush)(void* context) noexcept
        void* flush_context
        void attach(TraceRecorder* recorder)
    const char* opcode_name(uint8_t op)
