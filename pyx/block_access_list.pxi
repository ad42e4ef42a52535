# Floor 8: block access lists as Python sees them. EIP-7928.
from core.base.status cimport Kind, kind_of, Status
from core.base.types cimport Bytes, ByteView
from core.rules.rules cimport access_list_item_gas, Fork, Rules, rules_of
from core.state.access_list_builder cimport AccessListBuilder
from core.state.block_access_list cimport (
    AccessListFault, CBlockAccessList, FAULT_DIFFERS, FAULT_MALFORMED, FAULT_MISSING, FIELD_ADDRESS, FIELD_BALANCE, FIELD_CODE,
    FIELD_NONCE, FIELD_READ, FIELD_STORAGE, ListAccount)
from core.state.changes cimport AccountChange, StateChanges
from core.state.list_values cimport ChangeCounts, count_changes, write_list_below
from core.state.view cimport MissingKey


@cython.final
cdef class BlockAccessList:
    """A block access list (EIP-7928): each account and slot that a block reads or changes, with the values after each change. Frozen.

    `BlockResult.access_list` is that of an executed block; `Block.access_list` carries one beside a block. Two are equal if they say
    the same. Pickled they are their bytes (`encode`). It has no `len()`: `item_count` is what the limit on lists counts.
    """
    cdef CBlockAccessList core
    cdef object kept_hash

    def __init__(self):
        raise TypeError("a BlockAccessList is decoded, read from JSON, or what BlockResult.access_list gives; it can't be made by itself")

    @staticmethod
    def decode(encoded):
        """The list of such bytes (RLP), of which nothing is taken for granted.

        raise   InvalidAccessList, which names account, field and index
        """
        cdef bytes data = to_data(encoded, "access list")
        cdef ByteView view = view_bytes(data)
        cdef BlockAccessList self = BlockAccessList.__new__(BlockAccessList)
        cdef CBlockAccessList* core = &self.core
        cdef AccessListFault fault
        cdef _Lease lease = lease_signals()
        cdef Status status
        with nogil:
            status = core.decode(view, lease.poll, &fault)
        lease.finish_whole("the decoding of an access list")
        raise_list_fault(status, fault)
        return self

    @staticmethod
    def from_json(value):
        """From the form in which fixtures and clients show it. Raises UnusableInput for what is no list, else as `decode` does."""
        from evmcore.access_list_json import encode_json
        return BlockAccessList.decode(encode_json(value))

    @staticmethod
    def from_accesses(accesses):
        """Of the Accesses of a recorded run, or of those that were read. Raises UnusableInput, as `Accesses.encode` does."""
        from evmcore.accesses import Accesses
        if not isinstance(accesses, Accesses):
            raise TypeError(f"accesses: expected Accesses, got {type(accesses).__name__}")
        return BlockAccessList.decode(accesses.encode())

    @staticmethod
    def from_changes(Changes changes not None, *, index=0):
        """What Changes lead to, as rows of EIP-7928: the values afterwards of all that differs, each at one block access index.

        They say nothing of what was read, and of an account that ended that its balance, nonce, code and known slots are none
        afterwards: of one that was empty before, its address alone.

        index   0 to 2**32 - 1
        raise   MissingCode where an account got a code of which only the hash is known
        """
        cdef AccessListBuilder builder
        cdef uint32_t at = number_between(index, 0, 0xFFFFFFFF, "index")
        cdef const AccountChange* hidden = NULL
        cdef StateChanges* core = &changes.core
        cdef BlockAccessList made = BlockAccessList.__new__(BlockAccessList)
        cdef cbool is_done
        with nogil:
            is_done = builder.add_changes(at, core[0], &hidden) and builder.finish(&made.core)
        or_memory_error(is_done)
        if hidden != NULL:
            raise errors.MissingCode(from_address_bytes(hidden.address), from_hash_bytes(core.code_hash(hidden.after)))
        return made

    @staticmethod
    def joined(lists):
        """That of a block, of those of its pieces, in order. Raises InvalidAccessList for lists whose indices don't follow each other."""
        cdef AccessListBuilder builder
        for each in lists:
            if not isinstance(each, BlockAccessList):
                raise TypeError(f"lists: expected BlockAccessList, got {type(each).__name__}")
            or_memory_error(builder.add_list((<BlockAccessList>each).core))
        return BlockAccessList.decode(BlockAccessList.built(&builder).encode())  # the builder takes the order for granted

    @staticmethod
    cdef BlockAccessList built(AccessListBuilder* builder):
        cdef BlockAccessList self = BlockAccessList.__new__(BlockAccessList)
        or_memory_error(builder.finish(&self.core))
        return self

    def encode(self):
        """The list as RLP, as the header's hash is taken over."""
        cdef Bytes encoded
        cdef CBlockAccessList* core = &self.core
        cdef _Lease lease = lease_signals()
        cdef cbool is_done
        with nogil:
            is_done = core.encode(lease.poll, &encoded)
        lease.finish_whole("the encoding of an access list")
        or_memory_error(is_done)
        return from_bytes(encoded)

    @property
    def hash(self):
        """keccak-256 of `encode`, 32 bytes: a header's `block_access_list_hash`."""
        if self.kept_hash is None:
            self.kept_hash = keccak256(self.encode())
        return self.kept_hash

    def to_json(self):
        """The list in the form in which fixtures and clients show it."""
        from evmcore.access_list_json import shown_json
        return shown_json(self.encode())

    @property
    def accesses(self):
        """The Accesses of this list: rows of changes by transaction; which transaction read what it doesn't say."""
        from evmcore.accesses import Accesses
        return Accesses.decode(self.encode())

    @property
    def item_count(self):
        """Addresses, and slots that are read or change: at most the gas limit / 2,000."""
        return self.core.item_count()

    @property
    def size_bytes(self):
        """Memory that it takes, codes included."""
        return self.core.size_bytes()

    def change_counts(self, transactions):
        """What changes at each block access index of a block of so many transactions, from 0 to one above theirs, as (fields, slots) each: of
        accounts the balances, nonces and codes, and slots. It says something of what each transaction takes."""
        cdef uint32_t count = number_between(transactions, 0, 0xFFFFFFFD, "transactions")
        cdef ChangeCounts counts
        cdef const CBlockAccessList* core = &self.core
        cdef cbool is_done
        cdef size_t i
        with nogil:
            is_done = count_changes(core[0], count + 1, &counts)
        or_memory_error(is_done)
        return [(counts.fields[i], counts.slots[i]) for i in range(<size_t>count + 2)]

    def check(self, header, transactions):
        """Hold the list to what can be said before its block is executed. Only forks that have lists limit their size.

        header        of the block: gas limit, fork, and where it has one the list's hash
        transactions  how many the block has
        raise         InvalidAccessList, which names account, field and index
        """
        cdef AccessListFault fault
        cdef uint32_t count = number_between(transactions, 0, 0xFFFFFFFD, "transactions")
        cdef const Rules* rules = &rules_of(<Fork><uint8_t>(<int>fork_index(of_header(header, "fork"))))
        cdef uint64_t most = UINT64_MAX
        wanted = header.block_access_list_hash
        if wanted is not None and wanted != self.hash:
            raise errors.InvalidAccessList(f"its hash is 0x{self.hash.hex()}, the header has 0x{wanted.hex()}",
                                           status="BLOCK_ACCESS_LIST_HASH", exception=status_text(Status.BLOCK_ACCESS_LIST_HASH),
                                           have=self.hash, want=wanted)
        if rules.has_block_access_list:
            most = to_u64(header.gas_limit, "gas_limit") // <uint64_t>access_list_item_gas
        raise_list_fault(self.core.check(count + 1, most, <uint64_t>rules.max_code_size_bytes, &fault), fault)

    def compare(self, BlockAccessList own not None):
        """Hold the list to that of the executed block. Raises InvalidAccessList, which names the first difference by account."""
        cdef AccessListFault fault
        if self.core.differs_from(own.core, &fault):
            raise_list_fault(Status.BLOCK_ACCESS_LIST, fault)

    cdef set keys(self):
        """(address, slot or None) of all that it names."""
        cdef const ListAccount* account
        cdef size_t i, k
        cdef size_t count = 0
        keys = set()
        for i in range(self.core.accounts.size()):
            account = &self.core.accounts[i]
            address = from_address_bytes(account.address)
            keys.add((address, None))
            for k in range(account.slots.begin, account.slots.end):
                keys.add((address, to_int(self.core.slots[k].key)))
            for k in range(account.reads.begin, account.reads.end):
                keys.add((address, to_int(self.core.reads[k])))
            check_often(&count)
        return keys

    def __reduce__(self):
        return BlockAccessList.decode, (self.encode(),)

    def __eq__(self, other):
        cdef AccessListFault fault
        if not isinstance(other, BlockAccessList):
            return NotImplemented
        return not self.core.differs_from((<BlockAccessList>other).core, &fault)

    def __hash__(self):
        return hash(self.hash)

    def __repr__(self):
        return f"<BlockAccessList 0x{self.hash.hex()}: {self.core.item_count()} accounts and slots>"


cdef int write_list(State state, BlockAccessList given, uint32_t below, const Rules* rules) except -1:
    """The state before that block access index. All or nothing. Raises MissingState."""
    cdef _Lease lease = lease_signals()
    cdef _StateUse use = use_to_write(state, "apply")
    cdef const CBlockAccessList* core = &given.core
    cdef MissingKey missing
    cdef Status status
    with nogil:
        status = write_list_below(core[0], below, rules[0], use.world, lease.poll, &missing)
    lease.finish_whole("the values of an access list")
    if status == Status.MISSING_STATE:
        raise errors.MissingState(from_address_bytes(missing.address), to_int(missing.slot) if missing.is_slot else None)
    raise_status(status)
    use.keep()
    return 0


cdef BlockAccessList block_list(block, piece):
    """The list beside a block; of a piece there is none to hold it to."""
    given = getattr(block, "access_list", None)
    if given is None or piece is not None:
        return None
    if not isinstance(given, BlockAccessList):
        raise TypeError(f"block.access_list: expected BlockAccessList, got {type(given).__name__}")
    return given


cdef dict LIST_FIELDS = {FIELD_ADDRESS: "address", FIELD_STORAGE: "storage", FIELD_READ: "reads", FIELD_BALANCE: "balance", FIELD_NONCE: "nonce",
               FIELD_CODE: "code"}


cdef int raise_list_fault(Status status, const AccessListFault& fault) except -1:
    """What the status of a list says, with the place of its fault."""
    if status == Status.SUCCESS:
        return 0
    if kind_of(status) != Kind.INVALID:
        or_memory_error(status != Status.OUT_OF_MEMORY)
        raise errors.ExecutionAborted("told to stop")
    address = from_address_bytes(fault.address) if fault.has_address else None
    have = want = None
    cdef Status told = status
    if fault.kind == FAULT_MISSING:
        reason = "the block has it, the list doesn't"
    elif fault.kind == FAULT_MALFORMED:
        reason = fault.reason.decode()
    elif fault.kind == FAULT_DIFFERS:
        have, want = to_int(fault.have), to_int(fault.want)
        reason = f"the list has {have:#x}, the block {want:#x}" + (" (hashes)" if fault.field == FIELD_CODE else "")
    else:
        reason = "the list has it, the block doesn't"
    if status == Status.BLOCK_ACCESS_LIST_SIZE:
        have, want = to_int(fault.have), to_int(fault.want)
        reason = f"{have} addresses and slots, where the gas limit allows {want}"
    elif status != Status.BLOCK_ACCESS_LIST:
        reason = status_name(status).replace("RLP_", "RLP: ").replace("_", " ").lower().replace("rlp", "RLP")
        told = Status.BLOCK_ACCESS_LIST
    raise errors.InvalidAccessList(
        reason, status=status_name(told), exception=status_text(told), address=address, field=LIST_FIELDS.get(fault.field),
        slot=to_int(fault.slot) if fault.has_slot else None, access_index=fault.index if fault.has_index else None,
        have=have, want=want)
