from libc.stdint cimport int64_t
from libcpp cimport bool as cbool

from core.base.status cimport Status
from core.vm.frame cimport Frame, Machine

cdef extern from "core/vm/state_gas.hpp" namespace "evmcore" nogil:
    cbool charge_state_gas(Machine& m, int64_t* gas, int64_t* spill, int64_t amount)
    cbool charge_state_gas_of "evmcore::charge_state_gas"(Frame& frame, int64_t amount)
    void refill_state_gas(Machine& m, int64_t* gas, int64_t* spill, int64_t amount)
    void open_state_gas(Machine& m, Frame& frame)
    void revert_state_gas(Machine& m, Frame& frame)
    void join_state_gas(Machine& m, Frame& caller, const Frame& callee, Status status)
    void join_state_gas_of_request "evmcore::join_state_gas"(Machine& m, Frame& caller, Status status)
