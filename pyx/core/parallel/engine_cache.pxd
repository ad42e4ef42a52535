from core.parallel.engine cimport Engine
from core.vm.frame cimport Machine

cdef extern from "core/parallel/engine_cache.hpp" namespace "evmcore" nogil:
    Machine* take_machine()
    void return_machine(Machine*)
    Engine* take_engine(int workers)
    Engine* take_idle_engine(int workers)
    void return_engine(Engine*)
    unsigned process_generation()
