from libc.stdint cimport uint64_t
from libcpp cimport bool as cbool

from core.base.poll cimport Poll
from core.base.types cimport Address, Bytes, Hash
from core.base.vector cimport Vector
from core.state.code cimport Code
from core.state.effects cimport Effects
from core.state.shared_trie cimport MissingNode, NodeSource, Ref
from core.state.world cimport World

cdef extern from "core/state/witness.hpp" namespace "evmcore" nogil:
    cppclass WitnessRecord:
        cbool add(const Effects&)
        cbool add_account "add"(const Address&)
        void set_before(const Ref&)
        cbool add_trie(const Ref&)
        cbool add_trie_of(const World&)
        void begin_again()
        void clear()
        uint64_t oldest_block()
    cppclass WitnessParts:
        cbool collect(const WitnessRecord&, const NodeSource*, Poll*)
        const Vector[Bytes]& nodes()
        const Vector[const Code*]& codes()
        const MissingNode& missing()
        const Hash* missing_account()
