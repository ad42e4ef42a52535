# Floor 8: Ethash, asked from Python.
from core.base.status cimport Status
from core.base.types cimport Hash
from core.crypto.ethash cimport ethash_epoch_blocks, ethash_light, ethash_maximum_epoch, EthashResult


ETHASH_MAXIMUM_BLOCK = (ethash_maximum_epoch + 1) * ethash_epoch_blocks - 1


def ethash(block_number, seal_hash, nonce):
    """What a proof of work comes to: (mix hash, result), 32 bytes each. Without the GIL; safe from several threads.

    seal_hash  32 bytes: keccak-256 of the header's RLP without mix hash and nonce
    nonce      8 bytes, as in the header
    raise      ResourceLimit for a block beyond ETHASH_MAXIMUM_BLOCK

    The proof is good if the mix hash is the header's and the result, as a number, at most 2**256 // difficulty.
    The first call for an epoch of 30,000 blocks makes a cache of 16 MiB and more, in about a second; two are kept.
    """
    cdef uint64_t number = to_u64(block_number, "block_number")
    cdef Hash hash = to_hash_value(seal_hash, "seal_hash")
    cdef uint64_t nonce_number = int.from_bytes(fixed_bytes(nonce, 8, "nonce"), "big")
    cdef EthashResult out
    cdef _Lease lease
    cdef Status status
    if number > ETHASH_MAXIMUM_BLOCK:
        raise errors.ResourceLimit(f"block {number}: evmcore checks proofs of work up to block {ETHASH_MAXIMUM_BLOCK}")
    lease = lease_signals()
    with nogil:
        status = ethash_light(number, hash, nonce_number, &out, lease.poll)
    lease.finish()
    if status == Status.ABORTED:
        raise errors.ExecutionAborted("the proof was told to stop")
    if status != Status.SUCCESS:
        raise MemoryError("no memory for the Ethash cache")
    return from_hash_bytes(out.mix_hash), from_hash_bytes(out.result)
