from libc.stdint cimport uint8_t, uint32_t

from core.base.status cimport Status
from core.state.view cimport StateView
from core.vm.block_job cimport BlockJob
from core.vm.frame cimport Machine

cdef extern from "core/parallel/hooks.hpp" namespace "evmcore" nogil:
    cdef enum class ApplyMode(uint8_t):
        SPECULATIVE
        EXACT
    cppclass ExecutionHooks:
        Status (*apply)(Machine*, BlockJob*, uint32_t, const StateView*, ApplyMode) noexcept
        Status (*check_room)(BlockJob*, uint32_t) noexcept
        Status (*commit)(BlockJob*, uint32_t) noexcept
        Status (*execute_in_order)(Machine*, BlockJob*, uint32_t) noexcept
        void (*open)(Machine*, BlockJob*) noexcept
        Status (*begin_block)(Machine*, BlockJob*) noexcept
        Status (*end_block)(Machine*, BlockJob*) noexcept
