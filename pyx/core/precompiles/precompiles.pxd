from libc.stdint cimport int64_t

from core.base.poll cimport Poll
from core.base.status cimport Status
from core.base.types cimport Address, ByteView, Bytes
from core.rules.rules cimport Rules

cdef extern from "core/precompiles/precompiles.hpp" namespace "evmcore" nogil:
    cppclass Precompile:
        int64_t price(ByteView, const Rules&)
        Status run(ByteView, Bytes&, Poll&)
    cppclass MovedPrecompile:
        Address address
        const Precompile* precompile
    const Precompile* find_precompile(const Address&, const Rules&)
    const Precompile* find_precompile(const Address&, const Rules&, const MovedPrecompile*, size_t)
