# Floor 8: hashes of earlier blocks as Python gives them, converted and checked once, and shared by all executions that use them.
from core.base.types cimport Hash
from core.vm.block_hashes cimport KnownBlockHash, KnownBlockHashes

from collections.abc import Mapping as _Mapping

_NO_ITEMS = {}


@cython.final
cdef class BlockHashes:
    """Hashes of earlier blocks, number -> 32 bytes, for BLOCKHASH: a mapping that can't be changed.

    listed     a mapping; its items are checked and copied, so that what becomes of it later doesn't count
    synthetic  whether a block that isn't listed has keccak-256 of its decimal number for a hash, as test fixtures have it;
               iterating gives those that are listed
    raise      UnusableInput for a number of more than 64 bits, a hash that isn't 32 bytes, or what is no mapping

    A Header makes one of the mapping that it is given, and takes one as it is: headers may share it, and so may threads.
    """
    cdef KnownBlockHashes known

    def __cinit__(self, listed=_NO_ITEMS, *, synthetic=False):
        cdef KnownBlockHash entry
        cdef dict plain = {}
        self.known.is_synthetic = bool(synthetic)
        if not isinstance(listed, _Mapping):
            raise errors.UnusableInput(f"block_hashes: {shown(listed)} is not a mapping")
        try:
            for item in to_list(listed.items(), "block_hashes"):
                number, hash = item if type(item) is tuple and len(<tuple>item) == 2 else to_parts(
                    item, 2, "block_hashes", "(number, hash)")
                number = to_u64(number, "block_hashes")
                if not (PyBytes_CheckExact(hash) and len(<bytes>hash) == 32):
                    hash = fixed_bytes(hash, 32, f"block_hashes[{number}]")
                plain[number] = hash
        except (TypeError, ValueError) as error:
            raise errors.UnusableInput(str(error)) from None
        for number in sorted(plain):
            entry.number = number
            memcpy(entry.hash.bytes, <const char*><bytes>plain[number], 32)
            append_to(self.known.entries, entry)

    cdef object find(self, object number):
        """The hash of a block, or None."""
        cdef Hash hash
        cdef int overflow = 0
        if isinstance(number, bool) or not PyIndex_Check(number):
            return None
        number = PyNumber_Index(number)
        if not 0 <= number <= UINT64_MAX or not self.known.find(number, &hash):
            return None
        return from_hash_bytes(hash)

    def __getitem__(self, number):
        hash = self.find(number)
        if hash is None:
            raise KeyError(number)
        return hash

    def __contains__(self, number):
        return self.find(number) is not None

    def get(self, number, default=None):
        """The hash of a block; `default` if it isn't known."""
        hash = self.find(number)
        return default if hash is None else hash

    def __len__(self):
        return self.known.entries.size()

    def __bool__(self):
        return self.known.is_synthetic or self.known.entries.size() != 0

    def __iter__(self):
        return iter(self._numbers())

    cdef list _numbers(self):
        cdef size_t i
        return [self.known.entries[i].number for i in range(self.known.entries.size())]

    def keys(self):
        return _Mapping.keys(self)

    def values(self):
        return _Mapping.values(self)

    def items(self):
        return _Mapping.items(self)

    @property
    def synthetic(self):
        """Whether blocks that aren't listed have a hash, too."""
        return self.known.is_synthetic

    def __eq__(self, other):
        if isinstance(other, BlockHashes) and (<BlockHashes>other).known.is_synthetic != self.known.is_synthetic:
            return False
        return dict(self.items()) == dict(other.items()) if isinstance(other, _Mapping) else NotImplemented

    __hash__ = None

    def __reduce__(self):
        return _restore_block_hashes, (dict(self.items()), self.known.is_synthetic)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __repr__(self):
        listed = ", ".join([f"{number}: 0x{self.find(number).hex()}" for number in self._numbers()[:3]])
        rest = f", … ({len(self)} blocks)" if len(self) > 3 else ""
        return f"BlockHashes({{{listed}{rest}}}{', synthetic=True' if self.known.is_synthetic else ''})"


_Mapping.register(BlockHashes)


def _restore_block_hashes(listed, synthetic):
    """What `BlockHashes.__reduce__` says, checked as any mapping is."""
    return BlockHashes(listed, synthetic=synthetic)


cdef BlockHashes block_hashes_of(object header):
    """Those of a header; one of evmcore's own converted them when it was made."""
    hashes = header.block_hashes
    return hashes if isinstance(hashes, BlockHashes) else BlockHashes(hashes)
