# Floor 8: State: owned natively, seen from Python.
from libcpp.memory cimport shared_ptr, make_shared



def _quantity(value, name):
    """An int out of an int, a 0x string or a decimal string."""
    if isinstance(value, str):
        try:
            return int(value, 16) if value[:2] in ("0x", "0X") else int(value)
        except ValueError:
            raise ValueError(f"{name}: {value!r} is not a number") from None
    return value


cdef int raise_status(Status status) except -1:
    """Turn a failed write of the state into an exception."""
    if status == Status.RUNNING:
        return 0
    if status == Status.OUT_OF_MEMORY:
        raise MemoryError("the state could not grow")
    raise errors.EvmError(status_text(status))


cdef class State:
    """World state: accounts and storage, owned natively.

    accounts  mapping of address to Account, or to a mapping with balance, nonce, code, storage; numbers as int or 0x strings
    strict    True: reading an account or slot that was never given raises MissingState; False: it is empty
    source    a function that fetches what a strict state doesn't have; makes the state strict. It gets a list of keys,
              (address, None) for an account and (address, slot) for a slot, and returns a mapping of each key to an
              Account (its storage is not looked at) or None where there is none, or to the slot's value. It is asked
              for everything that a block's transactions miss at once, never by a worker

    `copy` is cheap: both share their data until one of them writes. `snapshot` and `revert` undo in place.
    Any thread may use a state. What `transact` or `execute_block` is at work on is refused to all others, and what is being
    fetched may be read, not changed: EvmError says by what.
    """
    cdef shared_ptr[World] world
    cdef const char* use          # who is at work on it, alone; NULL: nobody. This and the next two are guarded by the GIL
    cdef const char* fetch        # who fetches what it lacks, last
    cdef vector[unsigned long] fetchers  # the threads that do
    cdef unsigned long user       # the thread of `use`, and of the last `fetch`
    cdef unsigned user_process    # and its process
    cdef readonly object source

    def __cinit__(self):
        self.world = make_world(False)

    def __init__(self, accounts=None, *, strict=False, source=None):
        cdef bint is_strict = bool(strict) or source is not None
        cdef State made = self
        cdef size_t count = 0
        if source is not None and not callable(source):
            raise TypeError("source: not a function")
        accounts = () if accounts is None else dict(accounts).items()
        if self.is_watched() or self.world.get().account_count() != 0:
            made = State.__new__(State)  # first complete, then in the other's place
        made.world = make_world(is_strict)
        try:
            for address, account in accounts:
                made.set_account(address, account)
                check_often(&count)
            self.check_writable()
        except BaseException:
            if made is self and self.use == NULL:
                self.world = make_world(is_strict)
            raise
        self.world = made.world
        self.source = source

    @classmethod
    def from_alloc(cls, alloc, *, strict=False):
        """A state out of geth's alloc form: address to {balance, nonce, code, storage}, hex strings."""
        return cls(alloc, strict=strict)

    @property
    def is_strict(self):
        return self.world.get().is_strict()

    cdef bint is_watched(self) noexcept:
        """Whether something would notice that the state is another now."""
        return self.use != NULL or not self.fetchers.empty() or self.world.use_count() > 1 or self.world.get().has_checkpoints()

    cdef World* reader(self) except NULL:
        """The state to be read until Python code may run again: another thread may then change it."""
        if self.use != NULL:
            self.refuse(self.use)
        return self.world.get()

    cdef shared_ptr[World] shared(self) except *:
        """The state as it is now, to be read for as long as it is held: whoever changes it meanwhile changes a copy."""
        self.reader()
        return self.world

    cdef int refuse(self, const char* user) except -1:
        what = user.decode()
        if self.user_process != process_generation():
            raise errors.EvmError(f"the state was in use by {what} in another thread when this process was forked")
        if self.user == PyThread_get_thread_ident():
            raise errors.EvmError(f"the state is in use by {what}, which has called this")
        raise errors.EvmError(f"the state is in use by {what} in another thread")

    cdef int check_writable(self) except -1:
        self.reader()
        if not self.fetchers.empty():
            self.user = self.fetchers.back()
            self.refuse(self.fetch)
        return 0

    cdef World* writer(self) except NULL:
        """The state to be changed, shared with nobody, until Python code may run again."""
        self.check_writable()
        return self.filler()

    cdef void forget_fetcher(self, unsigned long thread) noexcept:
        cdef size_t i
        for i in range(self.fetchers.size()):
            if self.fetchers[i] == thread:
                self.fetchers[i] = self.fetchers.back()
                self.fetchers.pop_back()
                return

    cdef World* filler(self) except NULL:
        """The same for what is put into it because it was fetched."""
        cdef World* own
        self.reader()
        if self.world.use_count() > 1:
            own = self.world.get().clone()
            if own == NULL:
                raise MemoryError("the state could not be copied")
            self.world.reset(own)
        return self.world.get()

    def copy(self):
        """An independent state with the same contents; snapshots don't carry over. Costs nothing until one writes."""
        cdef State other = State.__new__(State)
        cdef World* own
        self.reader()
        other.source = self.source
        if self.world.get().has_checkpoints():
            own = self.world.get().clone()
            if own == NULL:
                raise MemoryError("the state could not be copied")
            other.world.reset(own)
        else:
            other.world = self.world
        return other

    __copy__ = copy

    def __deepcopy__(self, memo):
        return self.copy()

    # ------------------------------------------------------------ reading

    cdef const AccountRecord* find(self, object address) except? NULL:
        cdef Address key = to_address_value(address, "address")
        cdef World* world = self.reader()
        cdef const AccountRecord* record = world.find(key)
        if record == NULL and world.is_strict():
            raise errors.MissingState(from_address_bytes(key))
        return record

    def exists(self, address):
        """Whether there is an account, maybe an empty one."""
        cdef const AccountRecord* record = self.find(address)
        return record != NULL and record.exists

    def get_balance(self, address):
        """Balance in wei; 0 for an account that doesn't exist."""
        cdef const AccountRecord* record = self.find(address)
        return 0 if record == NULL else to_int(record.balance)

    def get_nonce(self, address):
        cdef const AccountRecord* record = self.find(address)
        return 0 if record == NULL else record.nonce

    def get_code(self, address):
        cdef const AccountRecord* record = self.find(address)
        return b"" if record == NULL else from_view(view_of(record.code))

    def get_code_hash(self, address):
        """keccak-256 of the code, 32 bytes; of nothing, for an account without code."""
        cdef const AccountRecord* record = self.find(address)
        cdef const Code* code = NULL
        if record != NULL:
            code = record.code
        return from_hash_bytes(hash_of(code))

    def get_storage(self, address, slot):
        """The value of a slot, an int; 0 for one that was never written."""
        cdef Address key = to_address_value(address, "address")
        cdef u256 word = to_word(_quantity(slot, "slot"), "slot")
        cdef u256 value
        if self.reader().slot(key, word, &value) != Status.RUNNING:
            raise errors.MissingState(from_address_bytes(key), to_int(word))
        return to_int(value)

    def storage(self, address):
        """All slots that are not zero, as a dict of int to int."""
        cdef shared_ptr[World] held = self.shared()
        cdef const AccountRecord* record = self.find(address)
        cdef vector[u256] keys
        cdef vector[u256] values
        cdef size_t i
        if record == NULL:
            return {}
        held.get().collect_slots(record[0], &keys, &values)
        return {key: value for key, value in sorted((to_int(keys[i]), to_int(values[i])) for i in range(keys.size()))}

    def get_account(self, address):
        """The Account, with its storage; None if it doesn't exist."""
        cdef shared_ptr[World] world = self.shared()
        cdef const AccountRecord* record = self.find(address)
        if record == NULL or not record.exists:
            return None
        return _types().Account(to_int(record.balance), record.nonce, from_view(view_of(record.code)),
                                self.storage(address))

    def addresses(self):
        """The addresses of all accounts that exist, sorted."""
        cdef shared_ptr[World] held = self.shared()
        cdef World* world = held.get()
        cdef size_t i
        return sorted(from_address_bytes(world.record(i).address)
                      for i in range(world.account_count()) if world.record(i).exists)

    def __iter__(self):
        return iter(self.addresses())

    def __len__(self):
        cdef World* world = self.reader()
        cdef size_t i
        cdef Py_ssize_t total = 0
        for i in range(world.account_count()):
            total += world.record(i).exists
        return total

    def __contains__(self, address):
        cdef Address key = to_address_value(address, "address")
        cdef const AccountRecord* record = self.reader().find(key)
        return record != NULL and record.exists

    def items(self):
        """(address, Account) for all accounts, sorted by address: as they were when the first was asked for."""
        cdef State frozen = State.__new__(State)
        frozen.world = self.shared()
        for address in frozen.addresses():
            yield address, frozen.get_account(address)

    def __eq__(self, other):
        if not isinstance(other, State):
            return NotImplemented
        if (<State>other).world.get() == self.world.get():
            return True
        return dict(self.items()) == dict(other.items())

    __hash__ = None

    def __repr__(self):
        return f"<State: {len(self)} accounts{', strict' if self.is_strict else ''}>"

    def root(self, *, workers=None):
        """The state root, 32 bytes (Yellow Paper 4.1).

        workers   threads, for a state that is worth it; None: as many as there are processors
        """
        cdef shared_ptr[World] world = self.shared()
        return from_hash_bytes(make_state_root(world.get(), _worker_count(workers)))

    def to_alloc(self):
        """geth's alloc form: address to {balance, nonce, code, storage}, hex strings, defaults left out."""
        alloc = {}
        for address, account in self.items():
            entry = {"balance": hex(account.balance)}
            if account.nonce:
                entry["nonce"] = hex(account.nonce)
            if account.code:
                entry["code"] = "0x" + account.code.hex()
            if account.storage:
                entry["storage"] = {f"0x{key:064x}": f"0x{value:064x}" for key, value in account.storage.items()}
            alloc["0x" + address.hex()] = entry
        return alloc

    @property
    def size_bytes(self):
        """Memory that the state takes, codes included; shared parts count in each copy."""
        return self.reader().size_bytes()

    # ------------------------------------------------------------ writing

    def set_balance(self, address, balance):
        """Set the balance in wei; the account exists from then on."""
        cdef Address key = to_address_value(address, "address")
        cdef u256 word = to_word(_quantity(balance, "balance"), "balance")
        raise_status(self.writer().set_balance(key, word))

    def set_nonce(self, address, nonce):
        cdef Address key = to_address_value(address, "address")
        cdef uint64_t number = to_u64(_quantity(nonce, "nonce"), "nonce")
        raise_status(self.writer().set_nonce(key, number))

    def set_code(self, address, code):
        cdef Address key = to_address_value(address, "address")
        cdef bytes data = to_data(code, "code")
        if len(data) > MAX_GIVEN_CODE_BYTES:
            raise ValueError(f"code: {len(data)} bytes, at most {MAX_GIVEN_CODE_BYTES} are taken")
        raise_status(self.writer().set_code(key, view_bytes(data)))

    def set_storage(self, address, slot, value):
        cdef Address key = to_address_value(address, "address")
        cdef u256 slot_word = to_word(_quantity(slot, "slot"), "slot")
        cdef u256 word = to_word(_quantity(value, "value"), "value")
        raise_status(self.writer().set_slot(key, slot_word, word))

    def set_account(self, address, account):
        """Replace an account: an Account, a mapping with balance, nonce, code and storage, or None to delete it."""
        cdef Address key = to_address_value(address, "address")
        cdef World* world
        if account is None:
            self.delete_account(address)
            return
        get = account.get if hasattr(account, "get") else (lambda field, default: getattr(account, field, default))
        balance = to_int(to_word(_quantity(get("balance", 0), "balance"), "balance"))
        nonce = _quantity(get("nonce", 0), "nonce")
        code = to_data(get("code", b""), "code")
        storage = [(to_int(to_word(_quantity(slot, "slot"), "slot")), to_int(to_word(_quantity(value, "value"), "value")))
                   for slot, value in dict(get("storage", {}) or {}).items()]
        to_u64(nonce, "nonce")
        world = self.writer()
        if world.find(key) != NULL:
            raise_status(world.destroy(key))
            raise_status(world.set_storage_complete(key, False))
        raise_status(world.create(key))
        self.set_balance(key_bytes := from_address_bytes(key), balance)
        self.set_nonce(key_bytes, nonce)
        if code:
            self.set_code(key_bytes, code)
        for slot, value in storage:
            self.set_storage(key_bytes, slot, value)

    def delete_account(self, address):
        """Remove an account with its code and storage; in a strict state it is then known to be absent."""
        cdef Address key = to_address_value(address, "address")
        raise_status(self.writer().destroy(key))

    def set_storage_complete(self, address, complete=True):
        """In a strict state: say that all slots of an account are given, so that the others are zero, not missing."""
        cdef Address key = to_address_value(address, "address")
        raise_status(self.writer().set_storage_complete(key, bool(complete)))

    def snapshot(self):
        """A number to go back to with `revert`. Snapshots nest: reverting to one forgets the later ones."""
        return self.writer().checkpoint()

    def revert(self, snapshot):
        """Undo everything since the snapshot, which is then gone."""
        if not self.writer().revert(to_u64(snapshot, "snapshot")):
            raise ValueError(f"no such snapshot: {snapshot}")

    def release(self, snapshot):
        """Keep the changes since the snapshot and forget it, with the later ones."""
        if not self.writer().release(to_u64(snapshot, "snapshot")):
            raise ValueError(f"no such snapshot: {snapshot}")


# Far above any chain's limit; keeps sizes within 32 bits.
MAX_GIVEN_CODE_BYTES = 64 * 1024 * 1024


cdef extern from *:
    """
    #include <memory>
    static std::shared_ptr<evmcore::World> evmcore_make_world(bool is_strict) {
        return std::make_shared<evmcore::World>(is_strict);
    }
    """
    shared_ptr[World] make_world "evmcore_make_world"(cbool is_strict) except +


@cython.final
@cython.no_gc
@cython.freelist(8)
cdef class _StateUse:
    """A state in use by one call, until this goes.

    To write, the state is that call's alone, and what it did is undone unless it says `keep`. To fetch, others may read it.
    """
    cdef State state
    cdef World* world        # that is written; NULL: the state is fetched
    cdef uint64_t checkpoint
    cdef bint is_kept
    cdef unsigned long thread

    def __dealloc__(self):
        if self.state is None:
            return
        if self.world == NULL:
            self.state.forget_fetcher(self.thread)
            (&evmcore_nesting)[0] -= 1
            return
        if self.is_kept:
            self.world.release(self.checkpoint)
        else:
            self.world.revert(self.checkpoint)
        self.state.use = NULL

    cdef void keep(self) noexcept:
        self.is_kept = True

    cdef void rewind(self) noexcept:
        """Undo what was done so far, and go on."""
        self.world.revert(self.checkpoint)
        self.checkpoint = self.world.checkpoint()


cdef _StateUse use_to_write(State state, const char* user):
    """`user` is a name that stays: what the others are told."""
    cdef _StateUse use = _StateUse.__new__(_StateUse)
    cdef World* world = state.writer()
    use.checkpoint = world.checkpoint()
    use.world = world
    use.state = state
    state.use = user
    state.user = PyThread_get_thread_ident()
    state.user_process = process_generation()
    return use


cdef _StateUse use_to_fetch(State state, const char* user):
    cdef _StateUse use = _StateUse.__new__(_StateUse)
    cdef size_t i
    state.reader()
    check_nesting()
    use.thread = PyThread_get_thread_ident()
    state.user_process = process_generation()
    for i in range(state.fetchers.size()):
        if state.fetchers[i] == use.thread:
            raise errors.EvmError("the state's source asks the state for what it is to give")
    state.fetchers.push_back(use.thread)
    (&evmcore_nesting)[0] += 1
    use.state = state
    state.fetch = user
    return use
