# Floor 8: what a state's getters and its account's slots are read with. What a lazy state lacks is asked of its source here.
from libcpp.memory cimport shared_ptr

from core.base.status cimport Status
from core.base.types cimport Address, u256
from core.state.view cimport AccountState
from core.state.world cimport AccountRecord, state_of, World


cdef enum:
    SLOT_PASSES_MOST = 4


@cython.auto_pickle(False)  # State says how it is pickled
cdef class _WorldReader(_WorldOwner):
    """A world whose accounts are looked up, of a source too. A record is borrowed until Python code may run again."""
    cdef readonly object source

    cdef const AccountRecord* find(self, object address, int fields) except? NULL:
        """The record, with these fields (KnownBits) known; null: there is none, and nothing is missing."""
        return self.record_of(to_address_value(address, "address"), fields)

    cdef const AccountRecord* record_of(self, Address key, int fields) except? NULL:
        cdef World* world = self.reader()
        cdef const AccountRecord* record = world.find(key)
        if world.is_strict() and (record == NULL or not World.knows(record[0], <uint8_t>fields)):
            if fields != 0:  # no source tells all slots
                self.provide(from_address_bytes(key), None)
            world = self.reader()
            record = world.find(key)
            if record == NULL or not World.knows(record[0], <uint8_t>fields):
                raise errors.MissingState(from_address_bytes(key))
        return record

    cdef int provide(self, bytes address, object slot) except -1:
        """Have the source asked for what a getter misses, where there is one, and it isn't its own function that reads the state."""
        cdef unsigned long thread = PyThread_get_thread_ident()
        cdef size_t i
        if self.source is None:
            return 0
        for i in range(self.fetchers.size()):
            if self.fetchers[i] == thread:
                return 0
        from evmcore.reading import fetch_keys
        fetch_keys(self, ((address, slot),))
        return 0

    cdef AccountState told(self, object address, int fields) except *:
        """The account, with these fields (KnownBits) known; the code is borrowed until Python code may run again."""
        cdef AccountState account
        cdef const AccountRecord* record
        cdef World* world = self.reader()
        cdef Address key
        if world.local() == NULL:
            record = self.find(address, fields)
            return account if record == NULL else state_of(record[0])
        key = to_address_value(address, "address")
        if world.account(key, &account) != Status.RUNNING:
            check_local(world)
            raise MemoryError("an account of the state's source")
        return account

    cdef dict slots_of(self, World* world, const AccountRecord* record):
        """By a pass over all slots; who asks for many accounts gets a list of all. The caller holds the world, which need not be
        the state's any more: Python code may run in between."""
        cdef _SlotTable table = self.slots if self.world.get() == world else None
        if record.slot_count == 0:
            return {}
        if table is None:
            table = _SlotTable.__new__(_SlotTable)
            self.slot_passes += 1
            if self.slot_passes > SLOT_PASSES_MOST:
                table.build(world, NULL)
                if self.world.get() == world:
                    self.slots = table
            else:
                table.build(world, record)
        return table.of(record)

    cdef u256 slot_told(self, const Address& key, const u256& word) except *:
        cdef u256 value
        if self.reader().slot(key, word, &value) != Status.RUNNING:
            check_local(self.world.get())
            self.provide(from_address_bytes(key), to_int(word))
            if self.reader().slot(key, word, &value) != Status.RUNNING:
                raise errors.MissingState(from_address_bytes(key), to_int(word))
        return value
