# Floor 8: what Python calls beside blocks: a transaction, a call, a bare program. Convert, release, work, take back, convert.
from core.base.clock cimport evmcore_seconds
from core.base.status cimport is_limit, Kind, kind_of, Status
from core.base.transaction cimport CTransaction
from core.base.types cimport Address, Bytes, ByteView, u256
from core.base.vector cimport Vector
from core.crypto.native_library cimport c_native_symbols, c_set_native_symbol, NATIVE_SYMBOL_COUNT
from core.math.u256 cimport to_big_endian
from core.precompiles.precompiles cimport find_precompile, Precompile
from core.rules.rules cimport Fork, Rules, rules_of
from core.state.changes cimport SlotChange
from core.state.code cimport Code
from core.state.journal cimport JournalAccount
from core.state.view cimport MissingKey, StateView
from core.state.world cimport World
from core.vm.block_job cimport BlockJob
from core.vm.frame cimport Machine
from core.vm.outcome cimport copy_logs, Outcome


# What `transact` checks of a transaction and leaves out if it is told to -> the bit of `Machine.unchecked`.
cdef dict _check_bits = {
    "base_fee": UNCHECKED_BASE_FEE, "balance": UNCHECKED_BALANCE, "nonce": UNCHECKED_NONCE, "sender_code": UNCHECKED_SENDER_CODE,
    "chain_id": UNCHECKED_CHAIN_ID, "block_gas": UNCHECKED_BLOCK_GAS, "gas_cap": UNCHECKED_GAS_CAP,
    "blob_hash_version": UNCHECKED_BLOB_HASH_VERSION, "code_size": UNCHECKED_CODE_SIZE}
CHECKS = tuple(_check_bits)


cdef uint32_t unchecked_of(object checks) except? 0xFFFFFFFF:
    """The bits of the checks that a mapping of names says False to; None: of none."""
    cdef uint32_t bits = 0
    if checks is None:
        return 0
    for name, wanted in dict(checks).items():
        if name not in _check_bits:
            raise ValueError(f"checks: {shown(name)} is not one of {', '.join(CHECKS)}")
        if not isinstance(wanted, bool):
            raise TypeError(f"checks: {name}: expected a bool, got {type(wanted).__name__}")
        if not wanted:
            bits |= <uint32_t>_check_bits[name]
    return bits


def transact(Transaction tx not None, State state not None, header, *, checks=None, tracer=None):
    """Apply one transaction and return its receipt.

    tx      signed, or made with a sender; fees in wei, gas in gas units
    state   changed by the transaction
    header  the block it runs in; its whole gas limit is taken to be free
    checks  for simulations: names of `CHECKS` -> False, such as {"nonce": False}: what isn't held against the transaction.
            Without "balance" the sender gets what it lacks; without "base_fee" a price below it is paid as it is, and
            without "nonce" the account's own is counted on (the highest is followed by 0), while the transaction's makes the
            address of a creation; without "code_size" its init code and new contracts' codes may have any length
    tracer  told what runs (evmcore.tracing); None: nobody
    return  Receipt; a transaction that reverts or halts is a result, not an error
    raise   InvalidTransaction if it may not be included; the state is then untouched

    Holds the GIL only while converting arguments and result.
    Source: Yellow Paper section 6; EIP-1559, EIP-2930, EIP-4844, EIP-7702.
    """
    cdef _Fetcher fetcher = None
    cdef uint32_t unchecked = unchecked_of(checks)
    while True:
        try:
            return _transact(tx, state, header, unchecked, tracer)
        except errors.MissingState as error:
            fetcher = fetcher_for(state, fetcher, error)
            fetcher.fetch_missing(error, guess_of_transaction(fetcher, tx, header, unchecked))


def _apply_changes(State state not None, Changes changes not None, check):
    """What State.apply says of a Changes."""
    cdef _Fetcher fetcher = None
    cdef bint checks = bool(check)
    while True:
        try:
            write_changes(state, changes, checks)
            return
        except errors.MissingState as error:
            fetcher = fetcher_for(state, fetcher, error)
            fetcher.fetch_missing(error, unknown_of(state, changed_keys(changes)))


def _apply_list(State state not None, BlockAccessList given not None, below, fork):
    """What State.apply says of a BlockAccessList."""
    cdef _Fetcher fetcher = None
    cdef uint32_t end = 0xFFFFFFFF if below is None else number_between(below, 0, 0xFFFFFFFF, "below")
    cdef const Rules* rules = &rules_of(<Fork><uint8_t>(<int>fork_index(NEWEST_FORK if fork is None else fork)))
    while True:
        try:
            write_list(state, given, end, rules)
            return
        except errors.MissingState as error:
            fetcher = fetcher_for(state, fetcher, error)
            fetcher.fetch_missing(error, unknown_of(state, given.keys()))


def _fetch_unknown(State state not None, keys):
    """Have a state know these keys, (address, slot or None), and return how many it didn't. MissingState where it has no source."""
    unknown = unknown_of(state, set(keys))
    if unknown and state.source is None:
        raise errors.MissingState(*min(unknown, key=lambda key: (key[0], -1 if key[1] is None else key[1])))
    _Fetcher(state).fetch(unknown)
    return len(unknown)


cdef set changed_keys(Changes changes):
    """(address, slot or None) of all that differs."""
    cdef const SlotChange* slot = changes.core.slots.data()
    cdef size_t count = 0
    cdef size_t i
    cdef uint32_t k
    keys = set()
    for i in range(changes.core.accounts.size()):
        address = from_address_bytes(changes.core.accounts[i].address)
        keys.add((address, None))
        for k in range(changes.core.accounts[i].slot_count):
            keys.add((address, to_int(slot.key)))
            slot += 1
            check_often(&count)
    return keys


cdef _Fetcher fetcher_for(State state, _Fetcher fetcher, object error):
    """That of a run, made with the first key that it misses. Raises an error that isn't of such a key."""
    if fetcher is None:
        fetcher = _Fetcher(state)
    fetcher.check(error)
    return fetcher


cdef set guess_of_transaction(_Fetcher fetcher, Transaction tx, object header, uint32_t unchecked):
    """The keys that a transaction seems to miss beside the first: it runs on as if what the state lacks were empty, as in
    `prefetch`. Nothing of that stays."""
    cdef _Job job = _Job()
    cdef ProbingView probing
    cdef GuessLimit limit
    cdef StateView view
    cdef _Lease lease
    if fetcher.is_tired:
        return set()
    fill_context(job, header)
    append_to(job.job.transactions, core_transaction(tx))
    or_memory_error(job.job.reset_results())
    job.world = fetcher.state.shared()
    probing.look_at(job.world.get())
    probing.reached = &fetcher.reached
    view = probing.view()
    lease = lease_machine()
    open_machine(lease.machine, &job.job)
    lease.machine.unchecked = unchecked
    limit.watch(&probing, lease.poll)
    with nogil:
        apply_transaction(lease.machine, &view, job.job.transactions[0], &job.job.blobs, NULL, True, &job.job.outcomes[0])
    lease.finish()
    return guessed_keys(probing.missing)


cdef set guess_of_message(_Fetcher fetcher, CTransaction* asked, object header, ProgramView* program):
    """The same of a message. `program`: as for `call_native`."""
    cdef _Job job = _Job()
    cdef ProbingView probing
    cdef GuessLimit limit
    cdef StateView view
    cdef Outcome out
    cdef _Lease lease
    if fetcher.is_tired:
        return set()
    fill_context(job, header)
    job.world = fetcher.state.shared()
    probing.look_at(job.world.get())
    if program != NULL:
        program.world = job.world.get()
        probing.below = program.view()
    probing.reached = &fetcher.reached
    view = probing.view()
    lease = lease_machine()
    open_machine(lease.machine, &job.job)
    limit.watch(&probing, lease.poll)
    with nogil:
        run_call(lease.machine, &view, asked, &out)
    lease.finish()
    return guessed_keys(probing.missing)


cdef set guessed_keys(const Vector[MissingKey]& missing):
    cdef size_t count = 0
    cdef size_t i
    keys = set()
    for i in range(missing.size()):
        keys.add(key_of(missing[i]))
        check_often(&count)
    return keys


cdef object _transact(Transaction tx, State state, header, uint32_t unchecked, tracer):
    cdef _Job job = _Job()
    cdef BlockJob* core = &job.job
    cdef BaseTracer traced = tracer_of(tracer)
    cdef _Lease lease
    cdef _StateUse use
    cdef Status status
    fill_context(job, header)
    append_to(core.transactions, core_transaction(tx))
    core.wants_state_roots = True
    lease = lease_machine()
    use = use_to_write(state, "transact")
    core.world = use.world
    open_machine(lease.machine, core)
    lease.machine.unchecked = unchecked
    lease.attach(traced)
    with nogil:
        status = run_in_order(lease.machine, core, 0) if core.reset_results() else Status.OUT_OF_MEMORY
    lease.finish()
    if status != Status.RUNNING:
        if kind_of(status) != Kind.INVALID:  # a fault of its source long ago has nothing to do with it
            check_local(use.world)
        raise_missing_node(use.world)
        raise_outcome(status, core.have, core.want, core.missing, core.missing_block_number, None, core.transactions[0])
    receipt = make_receipt(&core.outcomes[0], core.rules.receipt_has_status)
    use.keep()
    return receipt


cdef Status run_call(Machine* m, const StateView* view, const CTransaction* tx, Outcome* out) noexcept nogil:
    """A message without nonce, fees and intrinsic gas. Gas left is in the machine; nothing is extracted."""
    cdef JournalAccount* sender
    cdef Status status
    m.journal.begin(view)
    sender = m.journal.account(tx.sender)
    if sender == NULL:
        return give_up(m, m.journal.failure, out)
    if not m.journal.can_pay(sender, tx.value):
        out.have, out.want = sender.balance, tx.value
        return Status.INSUFFICIENT_FUNDS
    m.transaction.origin = tx.sender
    m.transaction.gas_price = tx.max_fee_per_gas
    m.transaction.blob_hashes = tx.blob_versioned_hashes.data()
    m.transaction.blob_hash_count = tx.blob_versioned_hashes.size()
    if m.rules.has_state_gas:
        m.reservoir = 0
    status = warm_up(m, tx, sender)
    if status == Status.RUNNING:
        if tx.is_create:
            m.journal.set_nonce(sender, tx.nonce + 1)
        status = run_message(m, tx, sender, NULL, <int64_t>tx.gas_limit, out)
    if kind_of(status) == Kind.BROKEN:
        return give_up(m, status, out)
    out.has_contract = tx.is_create and status == Status.SUCCESS
    out.gas_used = <int64_t>tx.gas_limit - m.gas_left
    out.state_gas = 0
    if m.rules.has_state_gas:
        out.gas_used -= m.reservoir
        out.state_gas = m.state_gas
    out.gas_refund = m.journal.refund
    out.output.swap(m.return_data)
    status = unless_failed(m, status)
    if kind_of(status) != Kind.BROKEN and not copy_logs(m, out):
        status = Status.OUT_OF_MEMORY
    return status


cdef object make_call_result(Status status, Outcome* out, uint64_t gas, double seconds):
    return make_value(_types().CallResult, {
        "outcome": status_name(status), "gas_used": out.gas_used, "gas_left": gas - out.gas_used, "gas_refund": out.gas_refund,
        "state_gas_used": out.state_gas,
        "output": from_bytes(out.output), "logs": make_logs(out),
        "contract_address": from_address_bytes(out.contract) if out.has_contract else None, "seconds": seconds})


cdef object call_native(State state, object header, CTransaction* tx, int repeat, object tracer, ProgramView* program):
    """A message on a state. `program`: what to see over it, or null."""
    cdef _Job job = _Job()
    cdef _Lease lease
    cdef BaseTracer traced = tracer_of(tracer)
    cdef StateView view
    cdef Outcome out
    cdef Status status = Status.INTERNAL
    cdef double started = 0
    fill_context(job, header)
    job.world = state.shared()
    if program == NULL:
        view = job.world.get().view()
    else:
        program.world = job.world.get()
        view = program.view()
    times = []
    lease = lease_machine()
    open_machine(lease.machine, &job.job)
    lease.attach(traced)
    for _ in range(repeat):
        with nogil:
            started = evmcore_seconds()
            status = run_call(lease.machine, &view, tx, &out)
            started = evmcore_seconds() - started
        times.append(started)
        if kind_of(status) == Kind.BROKEN:
            break
    lease.finish()
    if kind_of(status) == Kind.INVALID or kind_of(status) == Kind.BROKEN:
        if kind_of(status) != Kind.INVALID:
            check_local(job.world.get())
        raise_outcome(status, out.have, out.want, out.missing, out.missing_block_number, None, NULL)
    times.sort()
    return make_call_result(status, &out, tx.gas_limit, times[len(times) // 2])


def call(State state not None, header, *, sender=bytes(20), to=None, data=b"", value=0, gas=None, gas_price=0,
         tracer=None):
    """Run a message on a state and keep nothing.

    sender  20 bytes; its nonce counts for the address of a creation alone, and it pays `value` only
    to      the account to call, or None to run `data` as init code
    gas     for the execution alone: no intrinsic gas is taken; None: the header's gas limit
    tracer  told what runs (evmcore.tracing); None: nobody
    return  CallResult; a revert or halt is a result, not an error
    raise   InvalidTransaction if the sender doesn't have `value`; MissingState

    Safe to call from several threads on one state, also while another thread changes it.
    """
    cdef CTransaction tx
    cdef _Fetcher fetcher = None
    tx.sender = to_address_value(sender, "sender")
    tx.is_create = to is None
    if not tx.is_create:
        tx.to = to_address_value(to, "to")
    assign_bytes(&tx.data, to_data(data, "data"))
    tx.value = to_word(value, "value")
    tx.gas_limit = min(to_u64(of_header(header, "gas_limit") if gas is None else gas, "gas"), <uint64_t>INT64_MAX)
    tx.max_fee_per_gas = to_word(gas_price, "gas_price")
    while True:
        try:
            if tx.is_create:
                tx.nonce = state.get_nonce(from_address_bytes(tx.sender))
            return call_native(state, header, &tx, 1, tracer, NULL)
        except errors.MissingState as error:
            fetcher = fetcher_for(state, fetcher, error)
            fetcher.fetch_missing(error, guess_of_message(fetcher, &tx, header, NULL))


cdef extern from * nogil:
    """
    namespace evmcore {
    // A state with one more program in it, and with what its caller sends along. Of the program's account whatever the state
    // doesn't know is empty; nothing is copied or written.
    struct ProgramView {
        const World* world = nullptr;
        Address program{};
        const Code* code = nullptr;
        Address sender{};
        u256 value;

        StateView view() noexcept {
            StateView view;
            view.context = this;
            view.account = [](void* context, const Address& address, AccountState* out) noexcept {
                auto* self = static_cast<const ProgramView*>(context);
                Status status = self->world->account(address, out);
                if (address == self->program) {
                    status = Status::RUNNING;
                    out->code = self->code;
                    out->exists = true;
                    out->has_storage &= out->is_storage_known;
                    out->is_storage_known = true;
                }
                if (status == Status::RUNNING && address == self->sender && !self->value.is_zero()) {
                    out->balance += self->value;
                    out->exists = true;
                }
                return status;
            };
            view.slot = [](void* context, const Address& address, uint32_t place, const u256& key, SlotState* out) noexcept {
                auto* self = static_cast<const ProgramView*>(context);
                const World* world = self->world;
                const Status status =
                    world->slot(place != NO_PLACE ? &world->record(place) : world->find(address), address, key, out);
                return address == self->program ? Status::RUNNING : status;
            };
            return view;
        }
    };
    }
    """
    cppclass ProgramView "evmcore::ProgramView":
        const World* world
        Address program
        const Code* code
        Address sender
        u256 value
        StateView view()


PROGRAM_ADDRESS = bytes.fromhex("c0de" * 10)


def run(code, data=b"", *, gas=30_000_000, fork=NEWEST_FORK, value=0, sender=bytes(20), header=None, state=None, repeat=1,
        tracer=None):
    """Run a bare program and return how it ended.

    code    EVM bytecode; it runs as the code of an account of its own
    data    its input
    gas     for the execution alone; `gas_used` counts no intrinsic gas and no refund
    fork    whose rules hold, by any of its names
    state   what else there is, the program's account's balance and storage, too; None: nothing. It isn't changed
    repeat  times to run it; `seconds` is the median
    tracer  told what runs (evmcore.tracing); None: nobody
    return  CallResult
    raise   MissingState

    The sender has `value` beside what the state says. Safe to call from several threads on one state.
    """
    cdef CTransaction tx
    cdef ProgramView program
    cdef bytes data_of_code
    cdef Code* owned
    cdef State on
    cdef _Fetcher fetcher = None
    if not isinstance(repeat, int):
        raise ValueError(f"repeat: {shown(repeat)} is not a number of times")
    repeat = number_between(repeat, 1, 2**31 - 1, "repeat")
    if state is None:
        on = State()
    elif isinstance(state, State):
        on = state
    else:
        raise TypeError(f"state: expected a State, got {type(state).__name__}")
    data_of_code = given_code(code)
    tx.sender = program.sender = to_address_value(sender, "sender")
    tx.value = program.value = to_word(value, "value")
    tx.to = to_address_value(PROGRAM_ADDRESS, "to")
    assign_bytes(&tx.data, to_data(data, "data"))
    tx.gas_limit = to_u64(gas, "gas")
    if tx.gas_limit > <uint64_t>INT64_MAX:
        raise ValueError(f"gas: {tx.gas_limit} does not fit 63 bits")
    if header is None:
        header = _types().Header(fork=fork_name(fork), gas_limit=max(30_000_000, tx.gas_limit))
    paid = to_int(tx.value)
    program.program = tx.to
    owned = Code.create(view_bytes(data_of_code), NULL, False)
    if owned == NULL:
        raise MemoryError("the program")
    program.code = owned if len(data_of_code) != 0 else NULL
    try:
        while True:
            try:
                if paid and (on.get_balance(from_address_bytes(tx.sender)) + paid) >> 256:
                    raise ValueError(f"value: {paid} and the sender's balance don't fit 256 bits")
                return call_native(on, header, &tx, repeat, tracer, &program)
            except errors.MissingState as error:
                fetcher = fetcher_for(on, fetcher, error)
                fetcher.fetch_missing(error, guess_of_message(fetcher, &tx, header, &program))
    finally:
        owned.release()


def native_symbols():
    """(name, package) of each function that other packages' libraries are to serve."""
    cdef size_t i
    return tuple((c_native_symbols[i].name.decode(), c_native_symbols[i].package.decode())
                 for i in range(NATIVE_SYMBOL_COUNT))


def set_native_symbol(name, address):
    """Give a native function its address; 0 takes it away. Not while anything runs."""
    cdef uintptr_t place = to_u64(address, "address")
    cdef bytes key
    if not isinstance(name, str):
        raise TypeError(f"name: expected a str, got {type(name).__name__}")
    key = PyUnicode_FromObject(name).encode("ascii", "replace")
    if b"\0" in key or not c_set_native_symbol(key, <void*>place):
        raise ValueError(f"no native symbol {shown(PyUnicode_FromObject(name))}")


def run_precompile(address, data, *, gas=INT64_MAX, fork=NEWEST_FORK):
    """The output of a precompile; None where it fails. `address` is its number.

    raise   ValueError where the fork has no such precompile; PrecompileUnavailable
    """
    price, output = price_and_run_precompile(address, data, gas=gas, fork=fork)
    return output


cdef Address precompile_address(object number) except *:
    """The address whose number this is."""
    cdef Address address
    cdef uint8_t data[32]
    cdef u256 word = to_word(number, "address")
    cdef int i
    to_big_endian(word, data)
    for i in range(12):
        if data[i] != 0:
            raise ValueError(f"address: a number of {to_int(word).bit_length()} bits does not fit 160")
    memcpy(address.bytes, data + 12, 20)
    return address


def price_and_run_precompile(address, data, *, gas=INT64_MAX, fork=NEWEST_FORK):
    """(gas, output) of a precompile; output None where it fails or the gas is not enough, gas None where no gas is."""
    cdef const Rules* rules = &rules_of(<Fork><uint8_t>(<int>fork_index(fork)))
    cdef Address key = precompile_address(address)
    cdef bytes given = to_data(data, "data")
    cdef const Precompile* precompile = find_precompile(key, rules[0])
    cdef ByteView view = view_bytes(given)
    cdef Bytes output
    cdef int64_t price
    cdef int64_t available = to_i64(gas, "gas")
    cdef Status status
    cdef _Lease lease
    if precompile == NULL:
        raise ValueError(f"no precompile {hex(address)} in {fork_name(fork)}")
    lease = lease_machine()
    with nogil:
        price = precompile.price(view, rules[0])
        status = Status.PRECOMPILE_FAILURE
        if price <= available and price != INT64_MAX:
            status = precompile.run(view, output, lease.machine.poll)
    lease.finish()
    if status == Status.PRECOMPILE_UNAVAILABLE:
        raise errors.PrecompileUnavailable("ckzg")
    if status == Status.OUT_OF_MEMORY:
        raise MemoryError("a precompile ran out of memory")
    if is_limit(status):
        raise errors.ResourceLimit(status_text(status))
    if kind_of(status) == Kind.BROKEN:
        raise errors.EvmError(f"precompile {hex(address)}: {status_text(status)}")
    return (None if price == INT64_MAX else price), (from_bytes(output) if status == Status.SUCCESS else None)
