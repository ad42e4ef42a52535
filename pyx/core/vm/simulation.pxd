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
        const uint8_t* data
        size_t data_size
    cppclass Column:
        const uint8_t* first
        int64_t stride
        size_t width
        uint64_t small(size_t message)
    cppclass MessageColumns:
        Column sender
        Column to
        Column value
        Column gas
        Column gas_price
        Column data
        Column data_begin
        Column data_size
        size_t first_outside(size_t count)
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
        const SimulatedItem* first_item
        MessageColumns columns
        cbool has_columns
        uint64_t default_gas
        size_t item_count
        size_t bundle_count
        Vector[size_t] bundle_ends
        const size_t* first_end
        Vector[uint32_t] todo
        Vector[Address] balances
        Vector[AskedSlot] slots
        SimulatedRow* rows
        Hash* values
        Vector[SimulationWorker*] workers
        cbool open(size_t worker_count)
        size_t ready()
        void set_ready(size_t bundles)
        size_t todo_count()
        uint32_t todo_at(size_t index)
        size_t bundle_begin(uint32_t bundle)
        size_t bundle_end(uint32_t bundle)
        CTransaction* transaction(size_t item)
        cbool fill(CTransaction* tx, size_t index)
        size_t output_size()
        void gather(uint8_t* all)
