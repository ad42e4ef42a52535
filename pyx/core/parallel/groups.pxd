from libc.stdint cimport uint32_t

from core.base.status cimport Status
from core.parallel.hooks cimport ExecutionHooks
from core.vm.block_job cimport BlockJob
from core.vm.frame cimport Machine

cdef extern from "core/parallel/groups.hpp" namespace "evmcore" nogil:
    void execute_on_base(Machine*, BlockJob*, const ExecutionHooks*, uint32_t)
    Status commit_in_order(Machine*, BlockJob*, const ExecutionHooks*)
