from libc.stdint cimport uint8_t, uint64_t
from libcpp cimport bool as cbool

from core.base.poll cimport Poll
from core.base.types cimport ByteView, Hash, u256
from core.state.shared_trie cimport MissingNode, Ref
from core.state.world cimport World

cdef extern from "core/state/state_root.hpp" namespace "evmcore" nogil:
    cdef enum RootStep "evmcore::StateRoot::Step":
        ROOT_KEYS "evmcore::StateRoot::KEYS"
        ROOT_DONE "evmcore::StateRoot::DONE"
    cppclass StoredAccount:
        uint64_t nonce
        u256 balance
        Hash storage_root
        Hash code_hash
        cbool decode(ByteView value)
        size_t encode(uint8_t* out)
    enum: ACCOUNT_BYTES_MOST "evmcore::StoredAccount::BYTES_MOST"
    cppclass StateRoot:
        StateRoot(World*) except +
        void open(cbool is_alone)
        cbool is_known()
        size_t work()
        size_t begin(RootStep, Poll*)
        void run(RootStep, size_t part, Poll*)
        cbool root(Hash* out, Poll*)
        const MissingNode& missing()
        const Hash* missing_account()
        const Ref& trie()
