from libcpp cimport bool as cbool

from core.base.transaction cimport Authorization, CTransaction
from core.base.types cimport Hash

cdef extern from "core/crypto/transaction_hash.hpp" namespace "evmcore" nogil:
    cbool hash_transaction(CTransaction* tx)
    Hash authorization_signing_hash(const Authorization& authorization)
