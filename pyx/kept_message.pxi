# Floor 8: a message that may stay: what a contract's call does, without a transaction around it.
from core.base.clock cimport evmcore_seconds
from core.base.status cimport Kind, kind_of, Status
from core.base.transaction cimport CTransaction
from core.base.types cimport u256
from core.math.u256 cimport minus
from core.rules.rules cimport ripemd160_precompile
from core.state.code cimport Code
from core.state.journal cimport JournalAccount
from core.state.view cimport StateView
from core.state.world cimport World
from core.vm.frame cimport Machine
from core.vm.outcome cimport copy_logs, Outcome


cdef Status apply_message(Machine* m, const StateView* view, CTransaction* tx, const MessageForm* form, cbool keeps,
                          Outcome* out) noexcept nogil:
    """Run a message. Its effects are in `out` if it `keeps` them; nothing outside the machine has changed."""
    cdef JournalAccount* sender
    cdef JournalAccount* ripemd
    cdef Status status
    m.journal.begin(view)
    m.spare_effects.open(&out.effects)
    sender = m.journal.account(tx.sender)
    if sender == NULL:
        return give_up(m, m.journal.failure, out)
    if not m.journal.can_pay(sender, tx.value):
        out.have, out.want = sender.balance, tx.value
        if not form.is_balance_unchecked:
            return Status.INSUFFICIENT_FUNDS
        m.journal.credit(sender, minus(tx.value, sender.balance))
    tx.nonce = m.journal.read_nonce(sender)
    if tx.is_create and tx.nonce == UINT64_MAX:
        out.have = u256(tx.nonce)
        return Status.NONCE_IS_MAX
    m.transaction.origin = form.origin
    m.transaction.gas_price = tx.max_fee_per_gas
    m.transaction.blob_hashes = tx.blob_versioned_hashes.data()
    m.transaction.blob_hash_count = tx.blob_versioned_hashes.size()
    m.transaction.start_pc = form.start_pc
    m.reservoir = 0
    status = warm_up(m, tx, sender)
    if status == Status.RUNNING:
        if tx.is_create:
            m.journal.set_nonce(sender, tx.nonce + 1)
        status = unless_failed(m, run_message(m, tx, sender, form, <int64_t>tx.gas_limit, out))
    m.transaction.start_pc = 0
    if m.ripemd_touch_survives and status == Status.SUCCESS:
        ripemd = m.journal.account(ripemd160_precompile)
        if ripemd == NULL:
            return give_up(m, m.journal.failure, out)
        m.journal.touch(ripemd)
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
    if not copy_logs(m, out) or (keeps and not m.journal.extract(&out.effects)):
        return give_up(m, Status.OUT_OF_MEMORY, out)
    return status


cdef object run_kept_message(State state, object header, CTransaction* tx, MessageForm* form, bint keeps,
                            _GivenPrecompiles precompiles, object tracer):
    """The message on the state itself, or on one that is left as it is."""
    cdef _Job job = _Job()
    cdef BaseTracer traced = tracer_of(tracer)
    cdef _Lease lease
    cdef _StateUse use = None
    cdef World* world
    cdef StateView view
    cdef Outcome out
    cdef Status status
    cdef double seconds
    fill_context(job, header)
    lease = lease_machine()
    if keeps:
        use = use_to_write(state, "message")
        world = use.world
    else:
        job.world = state.shared()
        world = job.world.get()
    view = world.view()
    open_machine(lease.machine, &job.job)
    lease.machine.unchecked = form.unchecked
    if precompiles is not None:
        precompiles.begin(lease)  # which lets go of the lease that it had, and that of the tracer
    lease.attach(traced)
    with nogil:
        seconds = evmcore_seconds()
        status = apply_message(lease.machine, &view, tx, form, keeps, &out)
        if keeps and kind_of(status) != Kind.INVALID and kind_of(status) != Kind.BROKEN:
            if world.apply(out.effects, job.job.rules.deletes_empty_accounts) != Status.RUNNING:
                status = Status.OUT_OF_MEMORY
        lease.machine.spare_effects.close(&out.effects)
        seconds = evmcore_seconds() - seconds
    lease.finish()
    if kind_of(status) == Kind.INVALID or kind_of(status) == Kind.BROKEN:
        if kind_of(status) != Kind.INVALID:
            check_local(world)
        raise_missing_node(world)
        raise_outcome(status, out.have, out.want, out.missing, out.missing_block_number, None, NULL)
    result = make_call_result(status, &out, tx.gas_limit, seconds)
    if keeps:
        use.keep()
    return result


def message(State state not None, header, *, sender=bytes(20), to=None, data=b"", value=0, gas=None, static=False, code=None,
            code_address=None, start_pc=0, is_create=None, access_list=(), blob_hashes=(), origin=None, gas_price=0, keep=True, checks=None,
            precompiles=None, tracer=None):
    """Run a message as a contract's call does, and keep what it changed.

    sender        20 bytes; any account, one with code too. It pays `value` alone: no fee, no intrinsic gas, and its nonce counts
                  creations only
    to            the account that is called, whose storage and balance these are; None: a contract is created
    data          the input; of a creation the init code
    gas           for the execution alone; None: the header's gas limit
    static        whether nothing may be changed, as in a STATICCALL
    code          runs in the place of the account's, on its storage
    code_address  the account whose code runs, as in a DELEGATECALL
    start_pc      where the code begins to run; at its end or behind, it stops at once
    is_create     True with a `to`: the contract is created there, and not where the sender's nonce says
    access_list   accounts and slots that are warm from the start
    blob_hashes   versioned hashes, for BLOBHASH
    origin        for ORIGIN; None: the sender
    gas_price     for GASPRICE, in wei; it isn't paid
    keep          False: the state stays as it is
    checks        {"balance": False}: the sender gets what it lacks of `value`; {"code_size": False}: new codes may have any length
    precompiles   address -> function: precompiles in Python, before Ethereum's own. A function takes a `PrecompileCall` and returns the output,
                  bytes-like or None
    tracer        told what runs (evmcore.tracing); None: nobody
    return        CallResult; a revert or halt is a result, not an error
    raise         InvalidTransaction if the sender doesn't have `value`; MissingState. The state is then untouched

    Transient storage, warm addresses and refunds end with the message.
    """
    cdef CTransaction tx
    cdef MessageForm form
    cdef Code* owned = NULL
    cdef bytes given
    cdef _Fetcher fetcher = None
    cdef _GivenPrecompiles given_precompiles = None if precompiles is None else _GivenPrecompiles(precompiles)
    cdef uint32_t unchecked = unchecked_of(checks)
    cdef bint keeps
    for name, flag in (("static", static), ("keep", keep)):
        if not isinstance(flag, bool):
            raise TypeError(f"{name}: expected a bool, got {type(flag).__name__}")
    if is_create is not None and not isinstance(is_create, bool):
        raise TypeError(f"is_create: expected a bool or None, got {type(is_create).__name__}")
    if unchecked & ~(<uint32_t>UNCHECKED_BALANCE | <uint32_t>UNCHECKED_CODE_SIZE):
        raise ValueError("checks: a message has balance and code_size alone")
    keeps = keep
    tx.sender = to_address_value(sender, "sender")
    tx.is_create = to is None if is_create is None else is_create
    if to is None and not tx.is_create:
        raise ValueError("to: a call has one")
    form.has_target = tx.is_create and to is not None
    if to is not None:
        tx.to = to_address_value(to, "to")
    assign_bytes(&tx.data, to_data(data, "data"))
    tx.value = to_word(value, "value")
    tx.gas_limit = min(to_u64(of_header(header, "gas_limit") if gas is None else gas, "gas"), <uint64_t>INT64_MAX)
    tx.max_fee_per_gas = to_word(gas_price, "gas_price")
    to_access_list(to_list(access_list, "access_list"), &tx.access_list, &tx.access_keys, "access_list")
    for item in to_list(blob_hashes, "blob_hashes"):
        append_to(tx.blob_versioned_hashes, to_hash_value(item, "blob_hashes"))
    form.origin = tx.sender if origin is None else to_address_value(origin, "origin")
    form.is_static = static
    form.unchecked = unchecked
    form.is_balance_unchecked = unchecked & UNCHECKED_BALANCE != 0
    form.has_code, form.has_code_address = code is not None, code_address is not None
    if form.has_code and form.has_code_address:
        raise ValueError("code: is given beside code_address")
    if tx.is_create and (form.has_code or form.has_code_address):
        raise ValueError("code: a creation runs its data")
    if static and (tx.is_create or not tx.value.is_zero()):
        raise ValueError("static: a static message creates nothing and has no value")
    if form.has_code_address:
        form.code_address = to_address_value(code_address, "code_address")
    form.start_pc = <uint32_t>min(to_u64(start_pc, "start_pc"), <uint64_t>0xFFFFFFFF)
    if form.start_pc != 0 and tx.is_create:
        raise ValueError("start_pc: a creation runs its data from the first byte on")
    form.code = NULL
    if form.has_code:
        given = given_code(code)
        if len(given) != 0:
            owned = Code.create(view_bytes(given), NULL, False)
            if owned == NULL:
                raise MemoryError("the code")
            form.code = owned
    try:
        while True:
            try:
                return run_kept_message(state, header, &tx, &form, keeps, given_precompiles, tracer)
            except errors.MissingState as error:
                fetcher = fetcher_for(state, fetcher, error)
                # What a given code would miss next isn't guessed: the guess is of a call of the account's own.
                fetcher.fetch_missing(error, frozenset() if form.has_code or form.has_code_address else guess_of_message(
                    fetcher, &tx, header, NULL))
    finally:
        if owned != NULL:
            owned.release()
