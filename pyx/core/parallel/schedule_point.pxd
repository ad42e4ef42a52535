from libc.stdint cimport uint64_t

cdef extern from "core/parallel/schedule_point.hpp" namespace "evmcore" nogil:
    void schedule_enter(int worker)
    void schedule_leave()
    cppclass ScheduleController:
        ScheduleController(uint64_t seed) except +
        uint64_t points()
    cppclass AtomicController "std::atomic<evmcore::ScheduleController*>":
        void store(ScheduleController*)
        ScheduleController* load()
    AtomicController schedule_controller
