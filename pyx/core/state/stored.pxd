cdef extern from "core/state/stored.hpp" namespace "evmcore" nogil:
    cdef enum KnownBits:
        KNOWS_BALANCE
        KNOWS_NONCE
        KNOWS_CODE
        KNOWS_EXISTENCE
        KNOWS_ACCOUNT
    cdef enum class OtherSlots:
        NONE
        SOME
        UNKNOWN
