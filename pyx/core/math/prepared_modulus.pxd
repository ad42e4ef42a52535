from core.base.types cimport u256

cdef extern from "core/math/prepared_modulus.hpp" namespace "evmcore" nogil:
    cdef cppclass PreparedModulus:
        pass

    u256 c_mulmod "evmcore::mulmod"(const u256&, const u256&, const u256&, PreparedModulus*)
