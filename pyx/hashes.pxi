# Floor 8: hashes, asked from Python.
from core.base.types cimport Hash
from core.crypto.keccak cimport c_keccak256, keccak256_polled


# More takes about a millisecond, for which others may have the GIL.
cdef enum:
    KECCAK_MIN_BYTES = 65536


def keccak256(data):
    """keccak-256, 32 bytes. Of long data without the GIL."""
    cdef bytes given = to_data(data, "data")
    cdef const uint8_t* begin = <const uint8_t*><const char*>given
    cdef size_t size = len(given)
    cdef _Lease lease
    cdef Hash hash
    if size < KECCAK_MIN_BYTES:
        c_keccak256(begin, size, &hash)
        return from_hash_bytes(hash)
    lease = lease_signals()
    with nogil:
        keccak256_polled(begin, size, &hash, lease.poll[0])
    lease.finish_whole("the hash")
    return from_hash_bytes(hash)
