# Floor 4: the frame loop. Calls never recurse: a frame that asks for a call is left where it is, the callee is pushed,
# and the caller goes on when the callee has ended. Yellow Paper sections 7 to 9.
from core.base.limits cimport CODE_BYTES_MOST
from core.base.status cimport Kind, kind_of, Status
from core.base.types cimport Address, ByteView, u256
from core.math.u256 cimport from_address
from core.precompiles.precompiles cimport find_precompile, Precompile
from core.rules.rules cimport ripemd160_precompile
from core.state.code cimport Code
from core.state.journal cimport JournalAccount, Snapshot
from core.vm.frame cimport execute, Frame, Machine, POLL_GAS, Request
from core.vm.state_gas cimport (
    charge_state_gas_of, join_state_gas, join_state_gas_of_request, open_state_gas, revert_state_gas)
from core.vm.transfer_log cimport log_transfer


# A check that a simulation may leave out: a bit of `Machine.unchecked`, beside those of transaction.pxi.
cdef enum:
    UNCHECKED_CODE_SIZE = 256


cdef inline Status push_frame(Machine* m, const Code* code, Snapshot snapshot) noexcept nogil:
    """Open a frame for `m.request` that runs `code`, which it keeps a reference to unless others do."""
    cdef Request* request = &m.request
    cdef Frame* frame = &m.frames[m.depth + 1]
    cdef Frame* caller
    frame.jump_destinations = code.analysis()
    if frame.jump_destinations == NULL:
        return Status.OUT_OF_MEMORY
    if m.depth >= 0:
        caller = &m.frames[m.depth]
        frame.stack_base = caller.stack_top + 1
        frame.memory_begin = caller.memory_begin + caller.memory_size
    else:
        frame.stack_base = m.stack_arena + 1
        frame.memory_begin = 0
    frame.stack_top = frame.stack_base - 1
    frame.memory = m.memory.data() + frame.memory_begin
    frame.memory_size = 0
    frame.gas = request.gas
    frame.poll_below = request.gas - POLL_GAS
    frame.code = frame.pc = code.bytes()
    frame.code_size = code.size
    frame.owned_code = code.acquire() if m.holds_codes or request.is_create else NULL
    frame.input = ByteView() if request.is_create else request.input
    frame.input_begin = request.input_begin
    frame.machine = m
    frame.self = request.target
    frame.caller = request.caller
    frame.value = request.value
    frame.snapshot = snapshot
    frame.output_begin = request.output_begin
    frame.output_size = request.output_size
    frame.is_static = request.is_static
    frame.is_create = request.is_create
    # Loaded by now, since its code was looked at: what the transaction found there holds for all frames of this storage.
    frame.is_tracked = m.tracks_values and request.target.original.is_tracked
    m.depth += 1
    frame.depth = m.depth
    if m.rules.has_state_gas:
        open_state_gas(m[0], frame[0])
    m.return_data.clear()
    return Status.RUNNING


cdef inline Status call_precompile(Machine* m, const Precompile* precompile, Snapshot snapshot) noexcept nogil:
    """Price and run; the output is the machine's return data. Gas left stays in the request."""
    cdef Request* request = &m.request
    cdef int64_t price = precompile.price(request.input, m.rules[0])
    cdef Status status
    m.return_data.clear()
    if price > request.gas:
        status = Status.OUT_OF_GAS
    else:
        request.gas -= price
        status = precompile.run(request.input, m.return_data, m.poll)
    if status != Status.SUCCESS:
        if kind_of(status) == Kind.BROKEN:
            return status
        m.return_data.clear()
        request.gas = 0
        undo(m, snapshot)
    return status


cdef inline Status call_given_precompile(Machine* m, Snapshot snapshot) noexcept nogil:
    """One that the caller of the execution has brought."""
    cdef Status status
    m.return_data.clear()
    status = m.given_precompiles.run(m.given_precompiles.context, m)
    if status != Status.SUCCESS:
        if kind_of(status) == Kind.BROKEN:
            return status
        if status != Status.REVERT:
            m.return_data.clear()
            m.request.gas = 0
        undo(m, snapshot)
    return status


cdef inline void undo(Machine* m, Snapshot snapshot) noexcept nogil:
    """Take back everything since the snapshot, but for one touch that history kept.

    At block 2,675,119 the empty account 0x3 was deleted although the call that touched it had failed; the chain kept
    that (EIP-161).
    """
    cdef JournalAccount* ripemd
    if m.rules.deletes_empty_accounts:
        ripemd = m.journal.peek(ripemd160_precompile)
        if ripemd != NULL and ripemd.is_touched and not m.journal.read_alive(ripemd):
            m.ripemd_touch_survives = True
    m.journal.revert(snapshot)


cdef inline Status begin_call(Machine* m) noexcept nogil:
    """Start what `m.request` asks for: RUNNING when a frame was pushed, else the result of a call that needed none."""
    cdef Request* request = &m.request
    cdef Snapshot snapshot = m.journal.snapshot()
    cdef const Precompile* precompile
    m.journal.touch(request.target)
    if request.payer != NULL:
        m.journal.debit(request.payer, request.value)
        m.journal.credit(request.target, request.value)
        log_transfer(m[0], request.payer[0], request.target[0], request.value)
    if not request.is_delegated:
        if m.given_precompiles != NULL and m.given_precompiles.has(request.code_address):
            return call_given_precompile(m, snapshot)
        precompile = find_precompile(
            request.code_address, m.rules[0], m.block.moved_precompiles, m.block.moved_precompile_count)
        if precompile != NULL:
            return call_precompile(m, precompile, snapshot)
    if request.code == NULL:
        m.return_data.clear()
        return Status.SUCCESS
    return push_frame(m, request.code, snapshot)


cdef inline Status begin_create(Machine* m) noexcept nogil:
    """Make the account and push a frame that runs the init code."""
    cdef Request* request = &m.request
    cdef Snapshot snapshot = m.journal.snapshot()
    cdef Code* code
    cdef Status status
    if request.input.size > CODE_BYTES_MOST:
        return Status.CODE_LIMIT
    code = Code.create(request.input, NULL, True)
    if code == NULL:
        return Status.OUT_OF_MEMORY
    m.journal.mark_created(request.target)
    m.journal.touch(request.target)
    if m.rules.contract_start_nonce != 0:
        m.journal.set_nonce(request.target, m.rules.contract_start_nonce)
    if request.payer != NULL:
        m.journal.debit(request.payer, request.value)
        m.journal.credit(request.target, request.value)
        log_transfer(m[0], request.payer[0], request.target[0], request.value)
    status = push_frame(m, code, snapshot)
    code.release()
    return status


cdef inline Status deposit_code(Machine* m, Frame* frame) noexcept nogil:
    """Pay for the output of init code and make it the account's code. EIP-2, EIP-170, EIP-3541, EIP-8037."""
    cdef size_t size = m.return_data.size()
    cdef int64_t price
    if size != 0 and m.rules.rejects_ef_code and m.return_data[0] == 0xEF:
        return Status.INVALID_CODE_PREFIX
    if (m.rules.max_code_size_bytes != 0 and size > <size_t>m.rules.max_code_size_bytes
            and not m.unchecked & UNCHECKED_CODE_SIZE):
        return Status.CODE_SIZE_EXCEEDED
    price = <int64_t>size * m.rules.code_deposit_byte_gas + (<int64_t>size + 31) // 32 * m.rules.code_deposit_word_gas
    if not frame.charge(price):
        if not m.rules.keeps_contract_without_deposit:
            return Status.OUT_OF_GAS
        frame.gas += price
        m.return_data.clear()
        return Status.SUCCESS
    if m.rules.has_state_gas and not charge_state_gas_of(frame[0], <int64_t>size * m.rules.code_byte_state_gas):
        return Status.OUT_OF_GAS
    if size != 0 and not m.journal.set_code(frame.self, ByteView(m.return_data.data(), size)):
        return m.journal.failure
    return Status.SUCCESS


cdef inline void resume_caller(Machine* m, Frame* caller, Status status, int64_t gas_left, cbool is_create,
                               const Address& created, uint64_t output_begin, uint64_t output_size) noexcept nogil:
    """Give the caller its gas, its output and the word that says how the call went."""
    cdef u256 word
    cdef size_t count
    # A callee may have moved the arena.
    caller.memory = m.memory.data() + caller.memory_begin
    if caller.depth > 0:
        caller.input.data = m.memory.data() + caller.input_begin
    caller.gas += gas_left
    if status == Status.SUCCESS:
        word = from_address(created) if is_create else u256(1)
    caller.push(word)
    if is_create:
        if status == Status.SUCCESS:
            m.return_data.clear()
        return
    count = min(<size_t>output_size, m.return_data.size())
    if count != 0:
        memcpy(caller.memory + output_begin, m.return_data.data(), count)


cdef inline Status end_frame(Machine* m, Status status) noexcept nogil:
    """Pop the top frame: keep or take back what it did. Returns how it ended, a deposit counted in."""
    cdef Frame* frame = &m.frames[m.depth]
    if frame.is_create and status == Status.SUCCESS:
        status = deposit_code(m, frame)
    if status != Status.SUCCESS and kind_of(status) != Kind.BROKEN:
        undo(m, frame.snapshot)
        if m.rules.has_state_gas:
            revert_state_gas(m[0], frame[0])
        if status != Status.REVERT:
            frame.gas = 0
            m.return_data.clear()
    if frame.owned_code != NULL:
        frame.owned_code.release()
    m.depth -= 1
    return unless_failed(m, status)


cdef inline Status unless_failed(Machine* m, Status status) noexcept nogil:
    """The status, unless the journal can't go on: then nothing may, whatever a program has made of it."""
    return status if m.journal.failure == Status.RUNNING else m.journal.failure


cdef void abandon_frames(Machine* m) noexcept nogil:
    """Drop all frames after a failure of our own."""
    while m.depth >= 0:
        if m.frames[m.depth].owned_code != NULL:
            m.frames[m.depth].owned_code.release()
        m.depth -= 1


cdef inline Status begin_request(Machine* m) noexcept nogil:
    """Start what `m.request` asks for, and tell a tracer."""
    if m.tracer != NULL and not m.tracer.enter(m.tracer.context, m):
        return Status.ABORTED
    return unless_failed(m, begin_create(m) if m.request.is_create else begin_call(m))


cdef inline Status run_top_frame(Machine* m) noexcept nogil:
    """Run the top frame until it ends or asks for a call, and tell a tracer."""
    cdef Frame* frame = &m.frames[m.depth]
    cdef Status status = unless_failed(m, execute(frame[0]))
    if m.tracer != NULL and not m.tracer.leave(m.tracer.context, frame, status):
        return Status.ABORTED
    return status


cdef inline Status tell_end(Machine* m, Status status, int64_t gas_left) noexcept nogil:
    """Tell a tracer that what was begun has ended so; the status, unless the tracer stops the run."""
    if m.tracer != NULL and kind_of(status) != Kind.BROKEN:
        if not m.tracer.exit(m.tracer.context, m, status, gas_left):
            return Status.ABORTED
    return status


cdef Status run_frames(Machine* m) noexcept nogil:
    """Run `m.request` to its end, with all the calls it makes. Gas left is in `m.gas_left`, output in `m.return_data`."""
    m.depth = -1
    return run_request(m)


cdef Status run_request(Machine* m) noexcept nogil:
    """The same on top of the frames that there are."""
    cdef int base = m.depth
    cdef Frame* frame
    cdef Status status = begin_request(m)
    if status != Status.RUNNING:
        if kind_of(status) == Kind.BROKEN:
            abandon_frames(m)
        m.gas_left = m.request.gas
        return tell_end(m, status, m.gas_left)
    if base < 0 and not m.is_nested:
        m.frames[0].pc += min(m.transaction.start_pc, m.frames[0].code_size)
    while True:
        status = run_top_frame(m)
        if status == Status.CALL or status == Status.CREATE:
            if m.poll.poll(CALL_POLL_WEIGHT):
                status = Status.ABORTED
            else:
                status = begin_request(m)
            if status == Status.RUNNING:
                continue
            status = tell_end(m, status, m.request.gas)
            if kind_of(status) != Kind.BROKEN:
                if m.rules.has_state_gas:
                    join_state_gas_of_request(m[0], m.frames[m.depth], status)
                resume_caller(m, &m.frames[m.depth], status, m.request.gas, False, m.request.code_address,
                              m.request.output_begin, m.request.output_size)
                continue
        else:
            frame = &m.frames[m.depth]
            status = end_frame(m, status)
            status = tell_end(m, status, frame.gas)
            if kind_of(status) != Kind.BROKEN:
                if m.depth == base:
                    m.gas_left = frame.gas
                    return status
                if m.rules.has_state_gas:
                    join_state_gas(m[0], m.frames[m.depth], frame[0], status)
                resume_caller(m, &m.frames[m.depth], status, frame.gas, frame.is_create, frame.self.address,
                              frame.output_begin, frame.output_size)
                continue
        abandon_frames(m)
        return status


# A call does about as much work as this much gas of plain instructions.
cdef enum:
    CALL_POLL_WEIGHT = 256
