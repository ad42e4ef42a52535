from core.parallel.engine cimport Engine
from core.vm.frame cimport Machine

cdef extern from "core/parallel/engine_cache.hpp" namespace "evmcore" nogil:
    Machine* take_machine()
    void return_machine(Machine*)
    Engine* take_engine(int workers)
    Engine* take_idle_engine(int workers)
    void return_engine(Engine*)
    cppclass IdleFigures:
        size_t machines
        size_t machines_most
        size_t engines
        size_t workers
        size_t workers_most
    IdleFigures idle_figures()
    void end_idle()
    unsigned process_generation()
