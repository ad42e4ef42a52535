from libcpp cimport bool as cbool

from core.base.poll cimport Poll
from core.base.types cimport Hash
from core.state.world cimport World

cdef extern from "core/state/state_root.hpp" namespace "evmcore" nogil:
    cdef enum RootStep "evmcore::StateRoot::Step":
        ROOT_KEYS "evmcore::StateRoot::KEYS"
        ROOT_DONE "evmcore::StateRoot::DONE"
    cppclass StateRoot:
        StateRoot(const World*) except +
        size_t begin(RootStep)
        void run(RootStep, size_t part, Poll*)
        cbool root(Hash* out)
