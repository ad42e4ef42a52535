from libc.stdint cimport uint64_t

from core.base.poll cimport Poll
from core.base.status cimport Status
from core.base.types cimport Hash

cdef extern from "core/crypto/ethash.hpp" namespace "evmcore" nogil:
    cppclass EthashResult:
        Hash mix_hash
        Hash result
    const uint64_t ethash_epoch_blocks "evmcore::ETHASH_EPOCH_BLOCKS"
    const uint64_t ethash_maximum_epoch "evmcore::ETHASH_MAXIMUM_EPOCH"
    cppclass EthashFigures:
        size_t caches_most
        size_t caches
        size_t bytes
    EthashFigures ethash_figures()
    void ethash_forget()
    Status ethash_light(uint64_t block_number, const Hash& seal_hash, uint64_t nonce, EthashResult* out, Poll* poll)
