# Floor 8: states that are fetched as they are needed. A miss is data, not a callback: transactions run ahead on what is
# known, collect every key that they miss, and the source is asked for all of them in one batch. No worker takes the GIL.
from core.base.poll cimport AtomicFlag, Poll
from core.base.status cimport Status
from core.base.types cimport Address, u256
from core.base.vector cimport Vector
from core.parallel.engine cimport Engine
from core.state.stored cimport OtherSlots
from core.state.view cimport AccountState, MissingKey, StateView
from core.state.world cimport AccountFacts, AccountRecord, World
from core.vm.block_job cimport BlockJob
from core.vm.frame cimport Machine


cdef extern from * nogil:
    """
    #include <algorithm>
    #include "core/parallel/engine.hpp"
    namespace evmcore {
    // A view that answers "empty" where a strict world doesn't know, and remembers what it was asked: the run goes on and
    // finds more keys; its result is thrown away.
    struct ProbingView {
        // A guess brings this many keys at least, and at most; else twice as many as the run has asked for since the last one, since
        // those that follow an empty answer may not be the run's own.
        static constexpr size_t GUESS_LEAST = 8, GUESS_MOST = 4096;

        const World* world = nullptr;
        StateView below;              // of the world, or over it
        size_t* reached = nullptr;    // of guesses for one run: how many keys it asked for before the first miss of the last one
        size_t asked = 0;             // keys
        size_t most = SIZE_MAX;       // missing keys; with one more the run ends
        Vector<MissingKey> missing;

        void look_at(const World* at) noexcept {
            world = at;
            below = at->view();
            missing.clear();
        }
        // OUT_OF_MEMORY is an answer, too: the run ends with it.
        Status miss(const MissingKey& key) noexcept {
            if (missing.empty() && reached != nullptr) {
                most = std::clamp(2 * (asked > *reached ? asked - *reached : 0), GUESS_LEAST, GUESS_MOST);
                *reached = asked;
            }
            if (missing.size() >= most)
                return Status::MISSING_STATE;
            return missing.push_back(key) ? Status::RUNNING : Status::OUT_OF_MEMORY;
        }
        StateView view() noexcept {
            StateView view;
            view.context = this;
            view.account = [](void* context, const Address& address, AccountState* out) noexcept {
                auto* self = static_cast<ProbingView*>(context);
                const Status status = self->below.account(self->below.context, address, out);
                ++self->asked;
                if (!out->is_storage_known)
                    out->has_storage = false, out->is_storage_known = true;
                return status == Status::MISSING_STATE ? self->miss({address, {}, false}) : Status::RUNNING;
            };
            view.slot = [](void* context, const Address& address, uint32_t place, const u256& key, SlotState* out) noexcept {
                auto* self = static_cast<ProbingView*>(context);
                const Status status = self->below.slot(self->below.context, address, place, key, out);
                ++self->asked;
                if (status == Status::MISSING_STATE && self->world->find(address) != nullptr)
                    return self->miss({address, key, true});
                return Status::RUNNING;
            };
            return view;
        }
    };

    // Ends a run that goes on for longer on empty answers than it took to come to the first one, and 4 million gas.
    struct GuessLimit {
        const ProbingView* view = nullptr;
        bool (*hook)(void*) = nullptr;  // that was there before
        void* hook_context = nullptr;
        uint32_t looks_before = 0, looks_after = 0;  // one an interval of the poll

        void watch(const ProbingView* probing, Poll* poll) noexcept {
            view = probing;
            hook = poll->hook;
            hook_context = poll->hook_context;
            poll->hook = [](void* context) noexcept {
                auto* self = static_cast<GuessLimit*>(context);
                ++(self->view->missing.empty() ? self->looks_before : self->looks_after);
                return self->looks_after > self->looks_before + 16 || (self->hook != nullptr && self->hook(self->hook_context));
            };
            poll->hook_context = this;
        }
    };

    // One pass over the transactions that still miss something.
    struct Probe {
        Engine* engine = nullptr;
        Vector<ProbingView> views;      // one a worker
        Vector<uint8_t> is_satisfied;   // one a transaction
        std::atomic<bool> is_out_of_memory{false};
    };
    template <>
    inline constexpr bool is_relocatable<ProbingView> = true;
    }
    """
    cppclass ProbingView "evmcore::ProbingView":
        StateView below
        size_t* reached
        Vector[MissingKey] missing
        void look_at(const World*)
        StateView view()
    cppclass GuessLimit "evmcore::GuessLimit":
        void watch(const ProbingView*, Poll*)
    cppclass Probe "evmcore::Probe":
        Engine* engine
        Vector[ProbingView] views
        Vector[uint8_t] is_satisfied
        AtomicFlag is_out_of_memory


cdef enum:
    PROBE_WEIGHT = 21000  # what a transaction takes at least, in gas


cdef void probe_some(void* context, int worker) noexcept nogil:
    """Run transactions that miss something, on what is known, until there are none left."""
    cdef Probe* probe = <Probe*>context
    cdef Engine* e = probe.engine
    cdef BlockJob* job = e.job
    cdef Machine* m = &e.workers[worker].machine
    cdef StateView view = probe.views[worker].view()
    cdef size_t before
    cdef uint32_t i
    open_machine(m, job)
    while True:
        i = e.next_item.fetch_add(1)
        if i >= job.transactions.size():
            break
        if m.poll.poll(PROBE_WEIGHT):
            stop_workers(e)
            break
        if probe.is_satisfied[i]:
            continue
        before = probe.views[worker].missing.size()
        if apply_transaction(m, &view, job.transactions[i], &job.blobs, NULL, True, &job.outcomes[i]) == Status.OUT_OF_MEMORY:
            probe.is_out_of_memory.store(True)
            break
        probe.is_satisfied[i] = probe.views[worker].missing.size() == before


cdef class _Fetcher:
    """Asks a state's source for keys, and puts the answers into the state."""
    cdef State state
    cdef const char* user  # for whom: what others are told
    cdef readonly long batches
    cdef readonly long keys
    cdef size_t reached           # ProbingView
    cdef bint is_tired            # of guesses: the source has none of what was guessed
    cdef set beyond               # keys that a witness doesn't have; None: one that is wanted is an error

    def __cinit__(self, State state not None):
        self.state = state
        self.user = "prefetch"

    def fetch(self, wanted, guessed=frozenset()):
        """One batch: `wanted` is a set of (address, slot or None). The source need not have what was guessed."""
        cdef size_t count = 0
        keys = sorted(wanted | guessed, key=lambda key: (key[0], -1 if key[1] is None else key[1]))
        if not keys:
            return
        self.batches += 1
        self.keys += len(keys)
        try:
            if self.beyond is not None and isinstance(self.state.source, _WitnessSource):
                keys, answers = self.ask_witness(keys)
            else:
                answers = self.ask(keys)
        except (LookupError, errors.EvmError):
            if len(keys) == len(wanted):
                raise
            self.is_tired = True
            self.fetch(wanted)
            return
        for key in keys:
            if key in answers:
                self.put(key, answers[key])
            elif key in wanted:
                raise errors.MissingState(key[0], key[1])
            check_often(&count)

    cdef tuple ask_witness(self, list wanted):
        """The keys that a witness has, and its answers. What a block names, or seems to need, need not be in it."""
        answers = {}
        for key in wanted:
            try:
                answers.update(self.ask([key]))
            except errors.MissingNode:
                self.beyond.add(key)
        return list(answers), answers

    cdef object ask(self, list wanted):
        """The source's answer. It may read the state meanwhile, and others may; nobody changes it."""
        cdef _StateUse use = use_to_fetch(self.state, self.user)
        if self.state.source is None:
            raise ValueError("state: it has no source to fetch from")
        answers = self.state.source(list(wanted))  # its own: it may take keys out of it
        if not hasattr(answers, "keys"):
            raise TypeError(f"source: expected a mapping of keys to what they have, got {type(answers).__name__}")
        return answers

    cdef int check(self, object error) except -1:
        """Raises it again where there is nothing to fetch: without a source, and where it isn't this state that misses it, but a
        tracer or a signal handler has raised it. Without memory what was caught may be a MemoryError."""
        if not isinstance(error, errors.MissingState) or self.state.source is None or error._is_foreign:
            raise error
        return 0

    def fetch_missing(self, error, guessed=frozenset()):
        """What a MissingState names, and what was guessed with it. Raises it again where the source has no word of whether an account
        has storage."""
        self.check(error)
        key = (error.address, error.slot)
        self.fetch({key}, guessed)
        if error.is_storage and is_storage_unknown(self.state.reader(), key):
            raise error

    cdef int put(self, tuple key, object value) except -1:
        return put_key(key, value, self.state)


cdef int put_key(tuple key, object value, State state) except -1:
    """Fill in what a state doesn't know of a key: what was written there stays."""
    cdef Address address = to_address_value(key[0], "address")
    cdef AccountFacts facts
    cdef u256 slot
    cdef u256 word
    cdef bytes code = b""
    if key[1] is not None:
        slot = to_word(key[1], "slot")
        word = to_word(_quantity(value, "value"), "value")
        raise_status(state.filler().learn_slot(address, slot, word))
        return 0
    facts.exists = value is not None
    if facts.exists:
        get = fields_of(value)
        facts.balance = to_word(_quantity(get("balance", 0), "balance"), "balance")
        facts.nonce = to_u64(_quantity(get("nonce", 0), "nonce"), "nonce")
        code_hash = get("code_hash", None)
        if code_hash is not None and get("code", None) is None:
            facts.code_hash = to_hash_value(code_hash, "code_hash")
            facts.has_code_hash = from_hash_bytes(facts.code_hash) != _EMPTY_CODE_HASH
        code = given_code(get("code", b"") if not facts.has_code_hash else b"")
        facts.slots = slots_told(get)
    facts.code = view_bytes(code)
    # No Python code from here on: the account is put whole.
    raise_status(state.filler().learn(address, facts))
    return 0


cdef object key_of(const MissingKey& missing):
    return from_address_bytes(missing.address), (to_int(missing.slot) if missing.is_slot else None)


cdef set known_keys(object block, State state):
    """The accounts and slots that a block names before anything has run."""
    cdef size_t count = 0
    keys = {(bytes(block.header.coinbase), None)}
    rules = fork_rules(block.header.fork)
    for has, name in (("has_beacon_root", "beacon_roots_contract"), ("stores_parent_hash", "history_contract"),
                      ("has_requests", "withdrawal_contract"), ("has_requests", "consolidation_contract"),
                      ("has_builder_requests", "builder_deposit_contract"), ("has_builder_requests", "builder_exit_contract")):
        if rules[has]:
            keys.add((SYSTEM_ADDRESSES[name], None))
    for tx in block.transactions:
        keys.add((tx.sender, None))
        if tx.to is not None:
            keys.add((tx.to, None))
        for address, slots in tx.access_list:
            keys.add((address, None))
            keys.update((address, slot) for slot in slots)
        keys.update((authorization[1], None) for authorization in tx.authorization_list)
        check_often(&count)
    keys.update((bytes(item.address), None) for item in block.withdrawals or ())
    keys.update((bytes(item.coinbase), None) for item in block.ommers)
    return unknown_of(state, keys)


cdef set unknown_of(State state, set keys):
    """Those of the keys that the state doesn't know."""
    cdef shared_ptr[World] world = state.shared()
    cdef size_t count = 0
    unknown = set()
    for key in keys:
        if is_unknown(world.get(), key):
            unknown.add(key)
        check_often(&count)
    return unknown


cdef bint is_storage_unknown(World* world, tuple key) except *:
    """Whether the state can't say if an account has storage, perhaps since it doesn't know the account."""
    cdef const AccountRecord* record = world.find(to_address_value(key[0], "address"))
    return world.is_strict() and (
        record == NULL or record.slot_count == 0 and record.other_slots == OtherSlots.UNKNOWN)


cdef bint is_unknown(World* world, tuple key) except *:
    cdef Address address = to_address_value(key[0], "address")
    cdef AccountState account
    cdef u256 value
    if key[1] is None:
        return world.account(address, &account) == Status.MISSING_STATE
    return world.slot(address, to_word(key[1], "slot"), &value) == Status.MISSING_STATE


def prefetch(block, State state not None, *, workers=None, accesses=None):
    """Fetch what a block will need of a lazy state, in as few batches as its transactions allow.

    block     senders are recovered if they are not known
    state     a State with a source
    accesses  an Accesses of the block: then one batch is enough, as it is with the block's list beside it
    return    (batches, keys) that the source was asked for
    raise     InvalidAccessList for a list that can't be the block's

    Every transaction runs ahead on what is known and takes what it misses for empty, until none misses anything.
    """
    cdef _Job job = _Job()
    cdef _Fetcher fetcher = _Fetcher(state)
    cdef _Lease lease
    cdef _StateUse use
    cdef shared_ptr[World] world
    cdef Engine* engine
    cdef Probe probe
    cdef size_t seen = 0
    cdef size_t i, k
    cdef int count = worker_count_of(workers)
    if state.source is None:
        raise ValueError("state: it has no source to fetch from")
    fetcher.beyond = set()
    recover_senders(block.transactions, fork=block.header.fork, workers=count)
    wanted = known_keys(block, state)
    if accesses is not None:
        for row in accesses.accounts:
            wanted.add((row["address"].tobytes(), None))
        for row in accesses.slots:
            wanted.add((row["address"].tobytes(), int.from_bytes(row["slot"].tobytes(), "big")))
        wanted = unknown_of(state, wanted)
    fill_context(job, block.header)
    job.transactions = tuple(block.transactions)
    for tx in job.transactions:
        append_to(job.job.transactions, core_transaction(tx))
    if not job.job.reset_results():
        raise MemoryError("the results of a block")
    if accesses is not None:
        fetcher.fetch(wanted)
        return fetcher.batches, fetcher.keys
    given = block_list(block, None)
    if given is not None:
        given.check(block.header, len(job.transactions))  # it is bounded
        fetcher.fetch(wanted, unknown_of(state, given.keys()) - wanted)
        if not fetcher.is_tired:
            return fetcher.batches, fetcher.keys
        wanted = set()  # the source lacks some of what the list names: the block will tell
    or_memory_error(probe.views.resize(count) and probe.is_satisfied.resize(job.job.transactions.size()))
    while True:
        fetcher.fetch(wanted)
        use = use_to_fetch(state, "prefetch")
        world = state.shared()  # nobody changes it while it is held
        job.job.world = world.get()
        for i in range(probe.views.size()):
            probe.views[i].look_at(job.job.world)
        lease = lease_engine(count)
        engine = lease.engine
        engine.job = &job.job
        probe.engine = engine
        engine.next_item.store(0)
        with nogil:
            run_on_workers(engine, probe_some, &probe)
        lease.finish_whole("the prefetch")
        or_memory_error(not probe.is_out_of_memory.load())
        lease = None
        use = None
        world.reset()
        wanted = set()
        for i in range(probe.views.size()):
            for k in range(probe.views[i].missing.size()):
                wanted.add(key_of(probe.views[i].missing[k]))
                check_often(&seen)
        wanted -= fetcher.beyond
        if not wanted:
            break
    return fetcher.batches, fetcher.keys
