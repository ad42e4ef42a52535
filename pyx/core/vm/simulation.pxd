from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t, uint8_t
from libcpp cimport bool as cbool

from core.base.status cimport Status
from core.base.transaction cimport CTransaction
from core.base.types cimport Address, Bytes, Hash, u256
from core.base.vector cimport Vector
from core.state.view cimport MissingKey
from core.vm.outcome cimport Outcome

cdef extern from "core/vm/simulation.hpp" namespace "evmcore" nogil:
    cppclass SimulatedItem:
        SimulatedItem()
        CTransaction* transaction
        Address sender
        Address to
        cbool is_create
        u256 value
        u256 gas_price
        uint64_t gas
        size_t data_begin
        size_t data_size
    cppclass SimulatedRow:
        int64_t gas_used
        int64_t gas_refund
        uint64_t output_begin
        uint64_t output_size
        uint32_t bundle
        uint32_t log_count
        uint8_t status
        uint8_t has_contract
        uint8_t contract[20]
        uint16_t worker
    cppclass AskedSlot:
        Address address
        u256 key
    cppclass SimulationFault:
        size_t item
        Status status
        MissingKey missing
        uint64_t block_number
    cppclass SimulationWorker:
        CTransaction message
        Outcome outcome
        Bytes outputs
        Vector[SimulationFault] faults
    cppclass Simulation:
        Vector[SimulatedItem] items
        Bytes data
        Vector[size_t] bundle_ends
        Vector[uint32_t] todo
        Vector[Address] balances
        Vector[AskedSlot] slots
        Vector[SimulatedRow] rows
        Vector[Hash] values
        Vector[SimulationWorker*] workers
        cbool open(size_t worker_count)
        size_t bundle_begin(uint32_t bundle)
        cbool fill(CTransaction* tx, const SimulatedItem& item)
        cbool gather(Bytes* all)
