from libc.stdint cimport uint32_t

cdef extern from "core/parallel/waiting.hpp" namespace "evmcore" nogil:
    void wait_turn(uint32_t turn)
    uint32_t weight_of_turn(uint32_t turn)
