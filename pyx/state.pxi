# Floor 8: State: owned natively, seen from Python.
from libcpp.memory cimport shared_ptr

from core.base.types cimport Address, Hash, u256
from core.base.vector cimport Vector
from core.state.code cimport hash_of, view_of
from core.state.shared_trie cimport NodeSource, Ref
from core.state.view cimport AccountState
from core.state.stored cimport KNOWS_ACCOUNT, KNOWS_BALANCE, KNOWS_CODE, KNOWS_EXISTENCE, KNOWS_NONCE, OtherSlots
from core.state.world cimport AccountRecord, World


cdef class State(_WorldReader):
    """World state: accounts and storage, owned natively.

    accounts  mapping of address to Account, or to a mapping with balance, nonce, code, storage; numbers as int or 0x strings
    strict    True: reading what was never given raises MissingState; False: it is empty
    source    a function that fetches what a strict state doesn't have; makes the state strict. It gets a list of keys,
              (address, None) for an account and (address, slot) for a slot, and returns a mapping of each key to an
              Account or mapping, or None where there is none, or to the slot's value. It is asked for everything that a
              block's transactions miss at once, and for what a call seems to miss in a few batches, never by a worker.
              A mapping may have `code_hash` in the place of `code`: what needs the code then raises MissingCode

    `copy` costs nothing, however large the state is: both share what there is, and each keeps what it writes from then on.
    `snapshot` and `revert` undo in place.
    Any thread may use a state. What `transact` or `execute_block` is at work on is refused to all others, and what is being
    fetched may be read, not changed: EvmError says by what.

    The getters of a state with a source ask it for what the state doesn't know; `fetch_keys` asks for many keys at once. What
    goes over all accounts or slots (iteration, `len`, `items`, `storage`, `root`, `prove`) is of what the state has.

    A strict state knows of an account what was given: `set_balance` makes its balance known and that it exists, and nothing
    else; `set_account` all but the slots that it doesn't name; `delete_account` all. Whatever runs needs all of an account
    but its storage. What the source says fills in what isn't known and changes nothing else. `revert` takes back knowledge,
    too, fetched or given.

    A contract can't be created where an account has storage (EIP-7610). Whether it has any an Account or mapping says by
    the slots that it names, by `has_storage` (a bool) or by `storage_root`; `State.get_account` of a state that knows all slots
    says it. Where nothing says it, a creation onto an account without nonce and code raises MissingState with `is_storage`.
    """

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
        self.slots = None
        self.slot_passes = 0
        self.source = source

    @classmethod
    def from_alloc(cls, alloc, *, strict=False):
        """A state out of geth's alloc form: address to {balance, nonce, code, storage}, hex strings."""
        return cls(alloc, strict=strict)

    @classmethod
    def from_witness(cls, witness, state_root):
        """A state of which a witness has a part: what isn't in it raises MissingNode or MissingCode, never reads as empty.

        witness     an ExecutionWitness, or the object that debug_executionWitness gives
        state_root  32 bytes, of the state that the witness is a part of
        raise       InvalidWitness, with the node at fault: it is no node, or the trie doesn't lead to it

        Its `root` and its proofs are those of the whole state, after whatever is done to it, as long as the witness has the nodes
        that the changes need: of a deletion also the sibling that is left alone.
        """
        from evmcore.witness import ExecutionWitness
        cdef _WitnessSource source
        cdef State made
        if not isinstance(witness, ExecutionWitness):
            witness = ExecutionWitness.from_json(witness)
        source = witness_source(witness.state, witness.codes, state_root)
        made = cls(source=source)
        made.writer().set_partial_trie(source.trie)
        return made

    @classmethod
    def from_local(cls, source, state_root):
        """A state over a database on this machine: what it doesn't hold is read there by the workers, at once and without the GIL.

        source      a capsule "evmcore.LocalSource" (pyx/core/state/local_source.hpp); held as long as the state and its copies are
        state_root  32 bytes, of the source's trie: roots follow from its nodes; or its StateTrie, so that those which it knows
                    needn't be read

        What it holds is what it was written. EvmError if the source fails; MissingNode if it lacks a node.
        """
        cdef State made = cls(strict=True)
        open_local(made.writer(), source, state_root)
        return made

    @property
    def is_local(self):
        """Whether it is read from a database (`from_local`)."""
        return self.world.get().local() != NULL

    @property
    def is_strict(self):
        return self.world.get().is_strict()

    def copy(self):
        """An independent state with the same contents; snapshots don't carry over.

        Neither the copy nor the first write to either of them depends on how large the state is: k writes cost O(k), on average over
        a chain of copies, however long it is. With snapshots open it takes along what was changed since the first of them.
        """
        cdef State other = State.__new__(State)
        other.world = self.copied()
        other.source = self.source
        return other

    __copy__ = copy

    def __deepcopy__(self, memo):
        return self.copy()

    def __reduce__(self):
        """Its bytes (`to_bytes`); of one that came from a witness, what `to_witness` gives. TypeError for another strict state."""
        kept = getattr(self, "__dict__", None) or None
        if isinstance(self.source, _WitnessSource):
            return type(self).from_witness, self.known_part(), kept
        return type(self).from_bytes, (self.to_bytes(),), kept

    cdef tuple known_part(self):
        """The ExecutionWitness of all that is known, and the root that it is a part of."""
        from evmcore.witness import ExecutionWitness
        cdef shared_ptr[World] world = self.shared()
        cdef _StateRoot made
        cdef Hash root
        codes = set()
        if isinstance(self.source, _WitnessSource):
            codes.update((<_WitnessSource>self.source).codes.values())
        elif self.is_strict and not self.is_local:
            raise errors.UnusableInput("witness: the state is strict or lazy: it has no whole trie")
        made = _StateRoot.of(world.get(), is_held_twice(world), 1)
        run_state_root(made, &root, 1)
        codes.update(known_codes(world.get()))
        return ExecutionWitness(tuple(known_nodes(made.root.trie().get())), tuple(sorted(codes))), from_hash_bytes(root)

    def to_witness(self):
        """An ExecutionWitness of all that the state knows, as it is now: `State.from_witness` makes a state of it and of `root` that
        knows the same. Of a whole state all nodes; of one over a database those that it has read.

        raise   MissingNode: its root can't be made; UnusableInput for a strict state that didn't come from a witness
        """
        return self.known_part()[0]

    def to_bytes(self):
        """The state as bytes: flat, each code once, the same for equal states.

        raise   TypeError for a strict state: what it knows to be absent would be lost
        """
        cdef shared_ptr[World] held = self.shared()
        return encode_world(held.get())

    @classmethod
    def from_bytes(cls, encoded):
        """The state of such bytes, of which nothing is taken for granted.

        raise   UnusableInput, which says what is wrong, and at which byte
        """
        cdef bytes data = to_data(encoded, "state")
        cdef shared_ptr[World] world = make_world(False)
        cdef State made
        decode_world(data, <size_t>MAX_GIVEN_CODE_BYTES, world.get())
        made = cls.__new__(cls)
        made.world = world
        return made

    def save(self, path, *, form="evmcore"):
        """Write the state to a file, gzipped if the name ends in .gz. Raises UnusableInput; a file that was there is then as it was.

        form    "evmcore": `to_bytes`; "alloc": geth's alloc form, as JSON; "anvil": the JSON that anvil loads and dumps
        """
        from evmcore.state_files import save_state
        save_state(self, path, form)

    @classmethod
    def load(cls, path):
        """The state of a file that `save` wrote, of geth's alloc or genesis, or of anvil's dump; gzipped or not.

        raise   UnusableInput with the path and the reason
        """
        from evmcore.state_files import load_state
        return load_state(cls, path)

    # ------------------------------------------------------------ reading

    def fetch_keys(self, keys):
        """Have a lazy state know accounts and slots, in one batch, and return how many it had to ask for.

        keys    (address, None) for an account, (address, slot) for a slot
        raise   what the source raises; MissingState for what it, or a strict state without one, doesn't have
        """
        from evmcore.reading import fetch_keys
        return fetch_keys(self, keys)

    def exists(self, address):
        """Whether there is an account, maybe an empty one."""
        return self.told(address, KNOWS_EXISTENCE).exists

    def get_balance(self, address):
        """Balance in wei; 0 for an account that doesn't exist."""
        return to_int(self.told(address, KNOWS_BALANCE).balance)

    def get_nonce(self, address):
        return self.told(address, KNOWS_NONCE).nonce

    def get_code(self, address):
        cdef const AccountRecord* record
        if self.is_local:
            return from_view(view_of(self.told(address, KNOWS_CODE).code))
        record = self.find(address, KNOWS_CODE)
        return b"" if record == NULL else code_bytes(record[0])

    def get_code_hash(self, address):
        """keccak-256 of the code, 32 bytes; of nothing, for an account without code."""
        return from_hash_bytes(hash_of(self.told(address, KNOWS_CODE).code))

    def get_storage(self, address, slot):
        """The value of a slot, an int; 0 for one that was never written."""
        cdef Address key = to_address_value(address, "address")
        cdef u256 word = to_word(_quantity(slot, "slot"), "slot")
        return to_int(self.slot_told(key, word))

    def storage(self, address):
        """All slots that are not zero, as a dict of int to int; of a strict state, those that it has."""
        cdef Address key = to_address_value(address, "address")
        cdef shared_ptr[World] held = self.shared()  # the record's
        cdef const AccountRecord* record = held.get().find(key) if self.is_local else self.record_of(key, 0)
        return {} if record == NULL else self.slots_of(held.get(), record)

    def get_account(self, address):
        """The Account, with its storage, as far as the state has it; None if it doesn't exist."""
        cdef Address key = to_address_value(address, "address")
        cdef shared_ptr[World] held
        cdef const AccountRecord* record
        cdef AccountState account
        if self.is_local:
            held = self.shared()
            account = self.told(address, KNOWS_ACCOUNT)
            if not account.exists:
                return None
            record = held.get().find(key)
            code = from_view(view_of(account.code))
            return _types().Account(to_int(account.balance), account.nonce, code,
                                    {} if record == NULL else self.slots_of(held.get(), record),
                                    not account.has_storage if record == NULL else record.other_slots == OtherSlots.NONE)
        record = self.record_of(key, KNOWS_ACCOUNT)
        held = self.shared()  # the record's: what is fetched goes into another
        if record == NULL or not record.exists:
            return None
        return _types().Account(to_int(record.balance), record.nonce, code_bytes(record[0]),
                                self.slots_of(held.get(), record), record.other_slots == OtherSlots.NONE)

    def addresses(self):
        """The addresses of all accounts that exist, as far as is known, sorted."""
        return addresses_of(self.shared())

    def __iter__(self):
        return iter(self.addresses())

    def __len__(self):
        return self.reader().live_account_count()

    def __contains__(self, address):
        cdef Address key = to_address_value(address, "address")
        cdef const AccountRecord* record = self.reader().find(key)
        if self.source is not None or record == NULL and self.is_local:
            return self.exists(address)
        return record != NULL and record.exists

    def items(self):
        """(address, Account) for all accounts, sorted by address, as they are now: writing meanwhile changes nothing here.

        raise   MissingState for one of a strict state of which only a part is known
        """
        return _accounts(_Rows.of(self.shared()))

    def __eq__(self, other):
        cdef size_t count = 0
        if not isinstance(other, State):
            return NotImplemented
        if (<State>other).world.get() == self.world.get():
            return True
        if self.is_local or (<State>other).is_local:  # what they hold isn't all that they are
            return self.root() == (<State>other).root()
        if len(self) != len(other):
            return False
        for mine, theirs in zip(_Rows.of(self.shared()), _Rows.of((<State>other).shared())):
            if mine != theirs:
                return False
            check_often(&count)
        return True

    __hash__ = None

    def __repr__(self):
        return f"<State: {len(self)} accounts{', strict' if self.is_strict else ''}>"

    def root(self, *, workers=None):
        """The state root, 32 bytes (Yellow Paper 4.1).

        workers   threads, for a state that is worth it; None: as many as there are processors
        """
        cdef shared_ptr[World] world = self.shared()
        return from_hash_bytes(make_state_root(world.get(), is_held_twice(world), worker_count_of(workers)))

    def prove(self, address, slots=(), *, workers=None):
        """An AccountProof of an account and of slots of it, or of their absence (EIP-1186), for the state root as of now.

        slots    ints, in the order in which the proof is to have them
        workers  threads for the trie that a first proof or root makes; None: as many as there are processors
        raise    MissingNode if a trie of which a part is known lacks what it takes
        """
        cdef bytes key = fixed_bytes(address, 20, "address")
        cdef list wanted = [_quantity(slot, "slot") for slot in to_list(slots, "slots")]
        cdef shared_ptr[World] world = self.shared()
        cdef Ref trie
        cdef _StateRoot made
        cdef Hash root
        if workers is not None or not world.get().current_trie(&trie):
            count = worker_count_of(workers)
            made = _StateRoot.of(world.get(), is_held_twice(world), count)
            run_state_root(made, &root, count)
            trie = made.root.trie().share()
        if world.get().local() != NULL:
            return prove_local_account(world.get(), trie, key, wanted)
        return prove_account(trie.get(), key, wanted)

    def trie(self, *, workers=None):
        """The StateTrie as of now, whose root is `root`."""
        cdef shared_ptr[World] world = self.shared()
        cdef int count = worker_count_of(workers)
        cdef _StateRoot made = _StateRoot.of(world.get(), is_held_twice(world), count)
        cdef StateTrie trie = StateTrie.__new__(StateTrie)
        cdef Hash root
        run_state_root(made, &root, count)
        share_trie(made.root.trie(), &trie.trie)
        return trie

    @property
    def source_trie(self):
        """The StateTrie that its local source has (`from_local`), as far as its states have read it; None: it has no such source."""
        cdef shared_ptr[World] world = self.shared()
        cdef StateTrie trie
        if world.get().local() == NULL:
            return None
        trie = StateTrie.__new__(StateTrie)
        share_local_trie(world.get().local(), &trie.trie)
        return trie

    def unsaved_nodes(self, *, workers=None):
        """What its trie has that its local source lacks, as rows for a database (pyx/core/state/trie_rows.hpp): bytes.

        Of a state without a source all nodes.
        """
        cdef StateTrie after = self.trie(workers=workers)
        cdef StateTrie before = self.source_trie
        cdef NodeSource source
        if before is None:
            before = StateTrie.__new__(StateTrie)  # the empty one
        else:
            source = self.world.get().local().nodes()
        return nodes_between(before, after, source, None, None)

    def to_alloc(self):
        """geth's alloc form: address to {balance, nonce, code, storage}, hex strings, defaults left out."""
        return alloc_of(self.items())

    @property
    def size_bytes(self):
        """Memory that the state takes, codes included; shared parts count in each copy."""
        return self.reader().size_bytes()

    # ------------------------------------------------------------ writing

    def set_balance(self, address, balance):
        """Set the balance in wei; the account exists from then on."""
        cdef Address key = to_address_value(address, "address")
        cdef u256 word = to_word(_quantity(balance, "balance"), "balance")
        raise_write(self.writer().set_balance(key, word), self.world.get())

    def set_nonce(self, address, nonce):
        cdef Address key = to_address_value(address, "address")
        cdef uint64_t number = to_u64(_quantity(nonce, "nonce"), "nonce")
        raise_write(self.writer().set_nonce(key, number), self.world.get())

    def set_code(self, address, code):
        cdef Address key = to_address_value(address, "address")
        cdef bytes data = given_code(code)
        raise_write(self.writer().set_code(key, view_bytes(data)), self.world.get())
        self.tidy()

    def set_storage(self, address, slot, value):
        cdef Address key = to_address_value(address, "address")
        cdef u256 slot_word = to_word(_quantity(slot, "slot"), "slot")
        cdef u256 word = to_word(_quantity(value, "value"), "value")
        raise_write(self.writer().set_slot(key, slot_word, word), self.world.get())
        self.tidy()

    def set_account(self, address, account):
        """Replace an account: an Account, a mapping with balance, nonce, code and storage, or None to delete it.

        In a strict state slots that it doesn't name are unknown, unless it says that there are none (`has_storage`,
        `storage_root`, `Account.is_storage_complete`).
        """
        cdef Address key = to_address_value(address, "address")
        cdef OtherSlots other_slots
        cdef u256 balance
        cdef uint64_t nonce
        cdef bytes code
        cdef Vector[u256] words
        cdef size_t count = 0
        if account is None:
            self.delete_account(address)
            return
        get = fields_of(account)
        balance = to_word(_quantity(get("balance", 0), "balance"), "balance")
        nonce = to_u64(_quantity(get("nonce", 0), "nonce"), "nonce")
        code = given_code(get("code", b""))
        for slot, value in dict(get("storage", None) or {}).items():
            append_to(words, to_word(_quantity(slot, "slot"), "slot"))
            append_to(words, to_word(_quantity(value, "value"), "value"))
            check_often(&count)
        other_slots = OtherSlots.NONE
        if self.is_strict and not self.is_local and not get("is_storage_complete", False):
            other_slots = slots_told(get)
        put_account(self.writer(), key, balance, nonce, code, words, other_slots)

    def delete_account(self, address):
        """Remove an account with its code and storage; in a strict state it is then known to be absent."""
        cdef Address key = to_address_value(address, "address")
        raise_write(self.writer().destroy(key), self.world.get())
        self.tidy()

    def set_storage_complete(self, address, complete=True):
        """In a strict state: say that all slots of an account are given, so that the others are zero, not missing."""
        cdef Address key = to_address_value(address, "address")
        raise_status(self.writer().set_other_slots(key, OtherSlots.NONE if complete else OtherSlots.UNKNOWN))

    def apply(self, changes, *, check=True, below=None, fork=None):
        """Apply Changes, or the last writes of a BlockAccessList or an Accesses: afterwards the state is the one after them. All or nothing.

        check   whether each value before the changes must be the state's; False: set the values after them, whatever there was
        below   of a BlockAccessList what it writes below this block access index: with i + 1 the state is the one before transaction i.
                None: all of it
        fork    of the block of a BlockAccessList; None: the newest one. An account that loses its code loses its storage before Cancun
                (EIP-6780), and an empty one stays before Spurious Dragon (EIP-161)
        raise   StateDiffers, which names the account, the field and both values; MissingState

        Lists and accesses have no values before. An Accesses is taken to be of a block since Spurious Dragon.
        """
        from evmcore.applying import apply_to
        apply_to(self, changes, check, below, fork)

    def changes_since(self, snapshot):
        """The Changes since a snapshot, which stays: O(what was written since). MissingState for what a strict state didn't know then."""
        from evmcore.applying import changes_since
        return changes_since(self, snapshot)

    def snapshot(self):
        """A number to go back to with `revert`. Snapshots nest: reverting to one forgets the later ones.

        No other snapshot of the process has ever had the number, so that one which is gone, or another state's, is refused.
        """
        cdef uint64_t number = self.open_snapshot()
        try:
            return number
        except MemoryError:  # of the int
            self.world.get().release(number)
            raise

    def revert(self, snapshot):
        """Undo everything since the snapshot, which is then gone."""
        self.end_snapshot(to_u64(snapshot, "snapshot"), False)

    def release(self, snapshot):
        """Keep the changes since the snapshot and forget it, with the later ones."""
        self.end_snapshot(to_u64(snapshot, "snapshot"), True)
