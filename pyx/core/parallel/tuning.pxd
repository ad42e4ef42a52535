from libc.stdint cimport uint32_t

cdef extern from "core/parallel/tuning.hpp" namespace "evmcore" nogil:
    cppclass Tuning:
        uint32_t predicted_workers
    Tuning tuning
    cppclass TuningRow:
        const char* name
        const char* unit
        const char* meaning
        uint32_t standard
    const TuningRow* tuning_rows
    const size_t TUNING_ROW_COUNT
    uint32_t tuning_value(size_t row)
    void set_tuning_value(size_t row, uint32_t value)
