# Floor 8: what differs between two states, as Python sees it.
from core.base.status cimport Status
from core.base.types cimport Bytes, ByteView
from core.math.u256 cimport to_big_endian
from core.state.changes cimport (
    AccountChange, CHANGE_BALANCE, CHANGE_EXISTENCE, CHANGE_NONCE, CHANGE_NONE, CHANGE_SLOT, CHANGE_SLOT_COUNT, ChangeField,
    ChangeMismatch, SlotChange, StateChanges)
from core.state.changes_codec cimport decode_changes, encode_changes
from core.state.code cimport view_of
from core.state.flat_codec cimport DecodedState
from core.state.view cimport MissingKey
from core.state.world cimport World

cdef extern from *:
    """
    // Rows of evmcore.changes.ACCOUNT_CHANGE_DTYPE and SLOT_CHANGE_DTYPE, packed.
    struct __attribute__((packed)) EvmcoreAccountChangeRow {
        uint8_t address[20], existed, exists, storage;
        uint8_t balance_before[32], balance_after[32];
        uint64_t nonce_before, nonce_after;
        uint8_t code_hash_before[32], code_hash_after[32];
    };
    struct __attribute__((packed)) EvmcoreSlotChangeRow {
        uint32_t account;
        uint8_t key[32], before[32], after[32];
    };
    // Whether it takes milliseconds to go through all of them, or to free them.
    static bool evmcore_are_changes_long(const evmcore::StateChanges& changes) noexcept {
        return changes.accounts.size() + changes.slots.size() > (size_t{1} << 13);
    }
    static void evmcore_free_changes(evmcore::StateChanges* changes) noexcept {
        changes->clear();  // codes that they hold
        changes->codes.release();
        changes->accounts.release();
        changes->slots.release();
    }
    """
    cbool are_changes_long "evmcore_are_changes_long"(const StateChanges&) noexcept nogil
    void free_changes "evmcore_free_changes"(StateChanges*) noexcept nogil
    cppclass AccountChangeRow "EvmcoreAccountChangeRow":
        uint8_t address[20]
        uint8_t existed
        uint8_t exists
        uint8_t storage
        uint8_t balance_before[32]
        uint8_t balance_after[32]
        uint64_t nonce_before
        uint64_t nonce_after
        uint8_t code_hash_before[32]
        uint8_t code_hash_after[32]
    cppclass SlotChangeRow "EvmcoreSlotChangeRow":
        uint32_t account
        uint8_t key[32]
        uint8_t before[32]
        uint8_t after[32]


@cython.final
cdef class Changes:
    """What differs between two states: accounts and slots with the values before and after. Frozen.

    `execute_block(..., changes=True)` gives those of a block (`BlockResult.changes`), `State.changes_since` those since a snapshot.
    `State.apply` applies them. They hold all that the block did: rewards, withdrawals and system calls, too.

    Two are equal if they say the same. Pickled they are their bytes (`encode`).
    """
    cdef StateChanges core
    cdef dict made

    def __cinit__(self):
        self.made = {}

    def __dealloc__(self):
        if are_changes_long(self.core):
            with nogil:
                free_changes(&self.core)

    @staticmethod
    cdef Changes since(World* world, uint64_t checkpoint):
        """Since an open checkpoint of a world that the caller holds."""
        cdef Changes self = Changes.__new__(Changes)
        cdef _Lease lease = lease_signals()
        cdef MissingKey missing
        cdef Status status
        with nogil:
            status = world.changes_since(checkpoint, lease.poll, &self.core, &missing)
        lease.finish_whole("the changes of a state")
        if status == Status.MISSING_STATE:
            raise errors.MissingState(from_address_bytes(missing.address), to_int(missing.slot) if missing.is_slot else None)
        raise_status(status)
        return self

    def encode(self):
        """The changes as bytes: flat, each code once, the same for equal changes (core/state/changes_codec.hpp)."""
        cdef Bytes encoded
        cdef _Lease lease = lease_signals()
        cdef cbool is_done
        with nogil:
            is_done = encode_changes(self.core, lease.poll, &encoded)
        lease.finish_whole("the encoding of changes")
        or_memory_error(is_done)
        return from_bytes(encoded)

    @classmethod
    def decode(cls, encoded):
        """The changes of such bytes, of which nothing is taken for granted.

        raise   UnusableInput, which says what is wrong, and at which byte
        """
        cdef bytes data = to_data(encoded, "changes")
        cdef ByteView view = view_bytes(data)
        cdef DecodedState result
        cdef size_t most_code_bytes = <size_t>MAX_GIVEN_CODE_BYTES
        cdef Changes made = Changes.__new__(Changes)
        cdef StateChanges* core = &made.core
        cdef _Lease lease = lease_signals()
        cdef cbool is_done
        with nogil:
            is_done = decode_changes(view, most_code_bytes, lease.poll, core, &result)
        lease.finish_whole("the decoding of changes")
        if not is_done and result.fault != NULL:
            raise errors.UnusableInput(f"changes: {result.fault.decode()}, at byte {result.offset} of {len(data)}")
        or_memory_error(is_done)
        return made

    def __reduce__(self):
        return Changes.decode, (self.encode(),)

    @property
    def accounts(self):
        """ACCOUNT_CHANGE_DTYPE (evmcore.changes): the accounts that differ, ascending by address."""
        return self._rows("accounts", "ACCOUNT_CHANGE_DTYPE", self._account_rows)

    @property
    def slots(self):
        """SLOT_CHANGE_DTYPE: the slots that differ, by account, ascending; `account` is a row of `accounts`."""
        return self._rows("slots", "SLOT_CHANGE_DTYPE", self._slot_rows)

    @property
    def codes(self):
        """{hash: code} of the codes that accounts got or lost."""
        cdef size_t i
        codes = {}
        for i in range(self.core.codes.size()):
            if self.core.codes[i].code != NULL:
                codes[from_hash_bytes(self.core.codes[i].hash)] = from_view(view_of(self.core.codes[i].code))
        return codes

    def _rows(self, str name, str dtype, make):
        if name not in self.made:
            import numpy
            from evmcore import changes
            self.made[name] = numpy.frombuffer(make(), getattr(changes, dtype))
        return self.made[name]

    def _account_rows(self):
        cdef bytes rows = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>(self.core.accounts.size() * sizeof(AccountChangeRow)))
        cdef AccountChangeRow* row = <AccountChangeRow*>PyBytes_AS_STRING(rows)  # which nobody else has yet
        if are_changes_long(self.core):
            with nogil:
                fill_account_rows(&self.core, row)
        else:
            fill_account_rows(&self.core, row)
        return rows

    def _slot_rows(self):
        cdef bytes rows = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>(self.core.slots.size() * sizeof(SlotChangeRow)))
        cdef SlotChangeRow* row = <SlotChangeRow*>PyBytes_AS_STRING(rows)
        if are_changes_long(self.core):
            with nogil:
                fill_slot_rows(&self.core, row)
        else:
            fill_slot_rows(&self.core, row)
        return rows

    @staticmethod
    def joined(changes):
        """The Changes that lead where several lead, applied one after the other: of the blocks of a range, or of a block's pieces.

        Each value is that before the first and that after the last; what is again as it was, or came and went, is not in them.

        changes  an iterable of Changes, in order; none: no changes
        raise    StateDiffers where one doesn't begin with the values that those before it leave: `have`, by them, and `want`
        """
        kept = list(changes)
        for each in kept:
            if not isinstance(each, Changes):
                raise TypeError(f"changes: expected Changes, got {type(each).__name__}")
        if not kept:
            return Changes.__new__(Changes)
        while len(kept) > 1:  # neighbours, so that each row is copied log(n) times
            kept = [join_two(kept[i], kept[i + 1]) if i + 1 < len(kept) else kept[i] for i in range(0, len(kept), 2)]
        return kept[0]

    def inverse(self):
        """The Changes that lead back. ValueError where a storage or a code went of which the state didn't know all."""
        cdef Changes made = Changes.__new__(Changes)
        cdef cbool is_done
        if not self.core.has_inverse():
            raise ValueError("changes: they have no inverse, since a storage or a code went of which the state knew a part")
        if are_changes_long(self.core):
            with nogil:
                is_done = self.core.invert(&made.core)
        else:
            is_done = self.core.invert(&made.core)
        or_memory_error(is_done)
        return made

    def __eq__(self, other):
        if not isinstance(other, Changes):
            return NotImplemented
        cdef Changes second = other
        cdef cbool is_same
        if are_changes_long(self.core):
            with nogil:
                is_same = self.core == second.core
            return is_same
        return self.core == second.core

    __hash__ = None

    def __bool__(self):
        return not self.core.accounts.empty()

    def __repr__(self):
        return f"<Changes: {self.core.accounts.size()} accounts, {self.core.slots.size()} slots>"

    @property
    def size_bytes(self):
        """Memory that they take, codes included."""
        return self.core.size_bytes()


cdef void fill_account_rows(const StateChanges* core, AccountChangeRow* row) noexcept nogil:
    cdef const AccountChange* change
    cdef size_t i
    for i in range(core.accounts.size()):
        change = &core.accounts[i]
        memcpy(row.address, change.address.bytes, 20)
        row.existed, row.exists = change.before.exists, change.after.exists
        row.storage = <uint8_t>change.storage
        to_big_endian(change.before.balance, row.balance_before)
        to_big_endian(change.after.balance, row.balance_after)
        row.nonce_before, row.nonce_after = change.before.nonce, change.after.nonce
        memcpy(row.code_hash_before, core.code_hash(change.before).bytes, 32)
        memcpy(row.code_hash_after, core.code_hash(change.after).bytes, 32)
        row += 1


cdef void fill_slot_rows(const StateChanges* core, SlotChangeRow* row) noexcept nogil:
    cdef const SlotChange* change = core.slots.data()
    cdef size_t i
    cdef uint32_t k
    for i in range(core.accounts.size()):
        for k in range(core.accounts[i].slot_count):
            row.account = <uint32_t>i
            to_big_endian(change.key, row.key)
            to_big_endian(change.before, row.before)
            to_big_endian(change.after, row.after)
            row += 1
            change += 1


cdef Changes join_two(Changes first, Changes second):
    cdef Changes made = Changes.__new__(Changes)
    cdef _Lease lease = lease_signals()
    cdef ChangeMismatch mismatch
    cdef Status status
    with nogil:
        status = made.core.join(first.core, second.core, lease.poll, &mismatch)
    lease.finish_whole("the joining of changes")
    if status == Status.INTERNAL:
        raise_mismatch(mismatch)
    raise_status(status)
    return made


def _state_changes(State state not None, snapshot):
    """What State.changes_since says."""
    cdef uint64_t number = to_u64(snapshot, "snapshot")
    cdef shared_ptr[World] held = state.shared()
    if not held.get().has_checkpoint(number):
        raise ValueError(f"no such snapshot: {number}")
    return Changes.since(held.get(), number)


cdef int write_changes(State state, Changes changes, bint checks) except -1:
    """All or nothing. Raises StateDiffers, MissingState."""
    cdef _Lease lease = lease_signals()
    cdef _StateUse use = use_to_write(state, "apply")
    cdef ChangeMismatch mismatch
    cdef Status status
    with nogil:
        status = use.world.apply_changes(changes.core, checks, lease.poll, &mismatch)
    lease.finish_whole("the changes of a state")
    if status == Status.MISSING_STATE:
        raise errors.MissingState(from_address_bytes(mismatch.address),
                                  to_int(mismatch.key) if mismatch.field == CHANGE_SLOT else None)
    if status == Status.INTERNAL and mismatch.field != CHANGE_NONE:
        raise_mismatch(mismatch)
    raise_status(status)
    use.keep()
    return 0


cdef int raise_mismatch(const ChangeMismatch& mismatch) except -1:
    cdef ChangeField field = mismatch.field
    cdef object slot = None
    have, want = to_int(mismatch.have), to_int(mismatch.want)
    if field == CHANGE_EXISTENCE:
        name, have, want = "existence", bool(have), bool(want)
    elif field == CHANGE_BALANCE:
        name = "balance"
    elif field == CHANGE_NONCE:
        name = "nonce"
    elif field == CHANGE_SLOT:
        name, slot = "slot", to_int(mismatch.key)
    elif field == CHANGE_SLOT_COUNT:
        name = "slot count"
    else:
        name, have, want = "code hash", have.to_bytes(32, "big"), want.to_bytes(32, "big")
    raise errors.StateDiffers(from_address_bytes(mismatch.address), name, have, want, slot)
