from core.base.types cimport u256
from core.state.journal cimport JournalAccount
from core.vm.frame cimport Machine

cdef extern from "core/vm/transfer_log.hpp" namespace "evmcore" nogil:
    void log_transfer(Machine& m, const JournalAccount& sender, const JournalAccount& to, const u256& value)
