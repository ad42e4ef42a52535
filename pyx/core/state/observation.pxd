from libcpp cimport bool as cbool
from libcpp.memory cimport shared_ptr

from core.state.world cimport World

cdef extern from "core/state/observation.hpp" namespace "evmcore" nogil:
    cppclass ObservedWorld:
        cbool open(const shared_ptr[World]&)
        void close()
        cbool is_open()
        const shared_ptr[World]& world()
        cbool is_changed()
        World* restored()
