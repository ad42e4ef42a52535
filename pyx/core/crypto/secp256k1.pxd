from libc.stdint cimport uint8_t
from libcpp cimport bool as cbool

from core.base.status cimport Status
from core.base.types cimport Address, Hash

cdef extern from "core/crypto/secp256k1.hpp" namespace "evmcore" nogil:
    Status recover_sender(const Hash& signing_hash, const uint8_t* r, const uint8_t* s, uint8_t y_parity, Address* out)
    cppclass Signature:
        uint8_t r[32]
        uint8_t s[32]
        uint8_t y_parity
    cbool sign_recoverable(const uint8_t* hash, const uint8_t* private_key, Signature* out)
    cbool sign_recoverable_portable(const uint8_t* hash, const uint8_t* private_key, Signature* out)
    cbool recover_public_key(const uint8_t* hash, const uint8_t* r, const uint8_t* s, uint8_t y_parity, uint8_t* key)
    cbool recover_public_key_portable(const uint8_t* hash, const uint8_t* r, const uint8_t* s, uint8_t y_parity, uint8_t* key)
