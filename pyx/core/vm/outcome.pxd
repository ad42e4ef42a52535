from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libcpp cimport bool as cbool

from core.base.status cimport Status
from core.base.types cimport Address, Bytes, Hash, u256
from core.base.vector cimport Vector
from core.state.effects cimport Effects
from core.state.journal cimport Log
from core.state.view cimport MissingKey
from core.vm.frame cimport Machine

cdef extern from "core/vm/outcome.hpp" namespace "evmcore" nogil:
    cppclass Bloom:
        uint8_t* data()
    cppclass Outcome:
        Outcome()
        Status status
        uint8_t type
        cbool has_contract
        Address contract
        int64_t gas_used
        int64_t execution_gas
        int64_t state_gas
        int64_t gas_refund
        uint64_t cumulative_gas
        uint64_t blob_gas
        u256 effective_gas_price
        cbool has_state_root
        Hash state_root
        Bloom bloom
        Bytes output
        Vector[Log] logs
        Vector[Hash] topics
        Bytes log_data
        Effects effects
        MissingKey missing
        u256 have
        u256 want
        uint64_t missing_block_number
        uint32_t execution_count
    cbool copy_logs(Machine*, Outcome*)
    cbool append_logs(const Machine&, Outcome*)
    cbool take_logs(Machine*, Outcome*)
    cbool encode_receipt(const Outcome&, Bytes*)
    cbool encode_logs(const Outcome&, Bytes*)
    const Address& deposit_contract_of(const u256& chain_id)
    Status append_deposits(const Outcome&, const Address& contract, cbool checks_layout, Bytes*)
