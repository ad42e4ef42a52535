# Floor 8: the accounts and slots of a state in their order, and the faults of its writes.
from libcpp.memory cimport shared_ptr

from core.base.status cimport Status
from core.base.vector cimport Vector
from core.state.code cimport view_of
from core.state.slot_table cimport SlotTable, sort_accounts
from core.state.stored cimport KNOWS_BALANCE, KNOWS_CODE, KNOWS_NONCE, OtherSlots
from core.state.world cimport AccountRecord, World


cdef int raise_status(Status status) except -1:
    """Turn a failed write of the state into an exception."""
    if status == Status.RUNNING:
        return 0
    if status == Status.OUT_OF_MEMORY:
        raise MemoryError("the state could not grow")
    raise errors.EvmError(status_text(status))


cdef int raise_write(Status status, World* world) except -1:
    """The same, where the source of a local state may have failed."""
    if status != Status.RUNNING:
        check_local(world)
        raise_status(status)
    return 0


cdef class _SlotTable:
    """The slots of a state that are not zero, by account."""
    cdef SlotTable table

    cdef int build(self, World* world, const AccountRecord* record) except -1:
        """Of one account, or of all (NULL). The caller holds the world, so that it stays as it is."""
        cdef _Lease lease = lease_signals()
        cdef cbool is_done
        if is_large(world):
            with nogil:
                is_done = self.table.build(world[0], record, lease.poll)
        else:
            is_done = self.table.build(world[0], record, NULL)
        lease.finish_whole("a list of the state's slots")
        if not is_done:
            raise MemoryError("a list of the state's slots")
        return 0

    cdef dict of(self, const AccountRecord* record):
        """`record` is kept where it is by the caller: signals may come through."""
        cdef size_t i
        cdef size_t count = 0
        slots = {}
        for i in range(self.table.count(record[0])):
            slots[to_int(self.table.slot(record[0], i).key)] = to_int(self.table.slot(record[0], i).value)
            check_often(&count)
        return slots


cdef enum:
    LARGE_CELLS = 1 << 15  # accounts and slots: to go through more takes about a millisecond, for which others may have the GIL


cdef inline bint is_large(World* world):
    return world.account_count() + world.slot_places() > LARGE_CELLS


cdef int list_accounts(World* world, Vector[uint32_t]* places) except -1:
    """The places of the accounts that exist, sorted by address. The caller holds the world, so that it stays as it is."""
    cdef _Lease lease = lease_signals()
    cdef cbool is_done
    if is_large(world):
        with nogil:
            is_done = sort_accounts(world[0], places, lease.poll)
    else:
        is_done = sort_accounts(world[0], places, NULL)
    lease.finish_whole("a list of the state's accounts")
    if not is_done:
        raise MemoryError("a list of the state's accounts")
    return 0


cdef class _Rows:
    """The accounts that exist, sorted by address, of a state as it is now: (address, balance, nonce, code, slots).

    What isn't known is None. What is written to the state meanwhile goes to a copy of it.
    """
    cdef shared_ptr[World] world
    cdef _SlotTable slots
    cdef Vector[uint32_t] order
    cdef size_t next

    def __dealloc__(self):
        let_go(&self.world)

    @staticmethod
    cdef _Rows of(const shared_ptr[World]& world):
        cdef _Rows self = _Rows.__new__(_Rows)
        self.world = world
        self.slots = _SlotTable.__new__(_SlotTable)
        self.slots.build(self.world.get(), NULL)
        list_accounts(self.world.get(), &self.order)
        return self

    def __iter__(self):
        return self

    def __next__(self):
        cdef const AccountRecord* record
        if self.next >= self.order.size():
            raise StopIteration
        record = &self.world.get().record(self.order[self.next])
        self.next += 1
        return (from_address_bytes(record.address),
                to_int(record.balance) if record.known & KNOWS_BALANCE else None,
                record.nonce if record.known & KNOWS_NONCE else None,
                self.code_of(record) if record.known & KNOWS_CODE else None,
                self.slots.of(record))

    cdef object code_of(self, const AccountRecord* record):
        """Its bytes; where only the hash is known, that, in a tuple."""
        if record.code == NULL or record.code.has_bytes():
            return from_view(view_of(record.code))
        return (from_hash_bytes(record.code.hash),)

    cdef bint is_complete(self, bytes address) except *:
        return not self.world.get().is_strict() or (
            self.world.get().find(to_address_value(address, "address")).other_slots == OtherSlots.NONE)


cdef list addresses_of(shared_ptr[World] held):
    """The addresses of all accounts that exist, as far as is known, sorted."""
    cdef Vector[uint32_t] order
    cdef size_t i
    cdef size_t count = 0
    cdef list found = []
    list_accounts(held.get(), &order)
    for i in range(order.size()):
        found.append(from_address_bytes(held.get().record(order[i]).address))
        check_often(&count)
    return found


def _accounts(_Rows rows not None):
    """(address, Account) of each row. MissingState for one of which only a part is known."""
    Account = _types().Account
    cdef size_t count = 0
    for address, balance, nonce, code, slots in rows:
        check_often(&count)
        if balance is None or nonce is None or code is None:
            raise errors.MissingState(address)
        if isinstance(code, tuple):
            raise errors.MissingCode(address, code[0])
        yield address, Account(balance, nonce, code, slots, rows.is_complete(address))
