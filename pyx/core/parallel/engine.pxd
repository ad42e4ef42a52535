from libc.stdint cimport int64_t, uint32_t, uint64_t
from libcpp cimport bool as cbool

from core.base.status cimport Status
from core.base.vector cimport Vector
from core.parallel.hooks cimport ExecutionHooks
from core.parallel.pool cimport WorkerPool
from core.parallel.predicted cimport PredictedConflicts
from core.vm.block_job cimport BlockJob
from core.vm.frame cimport Machine

cdef extern from "core/parallel/engine.hpp" namespace "evmcore" nogil:
    cppclass EngineWorker:
        Machine machine
        double busy_seconds
    cppclass TransactionState:
        int64_t waited_for
        uint64_t finish_gas
    cppclass AtomicU32 "std::atomic<uint32_t>":
        uint32_t fetch_add(uint32_t)
        uint32_t load()
        void store(uint32_t)
    cppclass Engine:
        Engine(int) except +
        const ExecutionHooks* hooks
        WorkerPool pool
        BlockJob* job
        Vector[EngineWorker*] workers
        Vector[TransactionState] transactions
        AtomicU32 next_item
        const PredictedConflicts* predicted
        cbool records
        size_t room
        uint64_t critical_path_gas
        cbool has_all_room()
        void trim()
    Status execute_optimistically(Engine*)
