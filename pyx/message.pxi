# Floor 5: a transaction's call or creation, from its fields to how its first frame ended; and what is paid before that frame.
# Yellow Paper section 6; EIP-2780, 7702, 8037.
from core.base.status cimport Kind, kind_of, Status
from core.base.transaction cimport CTransaction
from core.base.types cimport Address, ByteView
from core.precompiles.precompiles cimport find_precompile
from core.rules.rules cimport OP_CALL
from core.state.code cimport Code
from core.state.journal cimport JournalAccount, Snapshot
from core.vm.frame cimport create_address, Machine, Request
from core.vm.outcome cimport Outcome
from core.vm.state_gas cimport charge_state_gas, refill_state_gas


# What a message without a transaction around it may have beside a transaction's fields.
cdef struct MessageForm:
    const Code* code        # that runs; NULL with `has_code`: none does
    cbool has_code          # `code` takes the place of the account's
    cbool has_code_address  # the code is that of another account
    Address code_address
    uint32_t start_pc       # where the code begins; behind its end: it stops at once
    cbool has_target        # a creation at `to`, and not where the sender's nonce says
    Address origin
    cbool is_static
    uint32_t unchecked      # bits of `Machine.unchecked`
    cbool is_balance_unchecked


cdef Status find_message_code(Machine* m, const MessageForm* form) noexcept nogil:
    """Put the code that the caller names in the place of the target's."""
    cdef JournalAccount* account
    if form.has_code:
        m.request.code = form.code
        m.request.is_delegated = True  # no precompile is looked for
        return Status.RUNNING
    if not form.has_code_address:
        return Status.RUNNING
    account = m.journal.account(form.code_address)
    if account == NULL:
        return m.journal.failure
    m.journal.warm(account)
    m.request.code_address = form.code_address
    m.request.is_delegated = False
    m.request.code = m.journal.read_code(account)
    if m.rules.has_delegation and m.request.code != NULL and m.request.code.is_delegation():
        return follow_delegation(m)
    return m.journal.failure


cdef Status follow_delegation(Machine* m) noexcept nogil:
    """Run the delegate's code in the place of the designator that `m.request` has; it is warm then. EIP-7702."""
    cdef JournalAccount* delegate = m.journal.account(m.request.code.delegate())
    if delegate == NULL:
        return m.journal.failure
    m.journal.warm(delegate)
    m.request.is_delegated = True
    m.request.code = m.journal.read_code(delegate)
    return m.journal.failure


cdef void fill_request(Machine* m, const CTransaction* tx, JournalAccount* sender) noexcept nogil:
    """What `m.request` has of the transaction itself."""
    cdef Request* request = &m.request
    request.caller = tx.sender
    request.value = tx.value
    request.payer = sender
    if tx.value.is_zero():
        request.payer = NULL
    request.is_static = False
    request.is_create = tx.is_create
    request.is_delegated = False
    request.input = ByteView(tx.data.data(), tx.data.size())
    request.input_begin = request.output_begin = request.output_size = 0


cdef Status prepare_message(Machine* m, const CTransaction* tx, JournalAccount* sender,
                            const MessageForm* form) noexcept nogil:
    """Make `m.request` out of the transaction.

    form    of a message without one; null: it is a transaction's
    return  ADDRESS_COLLISION when its contract can't be made; OUT_OF_GAS where its account has to be paid for and can't be
    """
    cdef Request* request = &m.request
    cdef JournalAccount* target
    cdef cbool collides
    fill_request(m, tx, sender)
    if tx.is_create and not (form != NULL and form.has_target):
        target = m.journal.account(create_address(tx.sender, tx.nonce))
    else:
        target = m.journal.account(tx.to)
    if target == NULL:
        return m.journal.failure
    m.journal.warm(target)
    request.target = target
    request.code_address = target.address
    request.code = NULL
    if m.rules.has_state_gas and not pay_new_account(m, tx, target):
        return Status.OUT_OF_GAS
    if tx.is_create:
        collides = m.journal.read_collision(target) if m.rules.storage_collides else m.journal.read_occupied(target)
        return Status.ADDRESS_COLLISION if collides and m.journal.failure == Status.RUNNING else m.journal.failure
    if form != NULL:
        request.is_static = form.is_static
        if form.has_code or form.has_code_address:
            return find_message_code(m, form)
    request.code = m.journal.read_code(target)
    if m.rules.has_delegation and request.code != NULL and request.code.is_delegation():
        if m.rules.has_state_gas and not pay_delegate(m):
            return Status.OUT_OF_GAS
        return follow_delegation(m)
    return m.journal.failure


cdef cbool pay_new_account(Machine* m, const CTransaction* tx, JournalAccount* target) noexcept nogil:
    """Charge for an account that the transaction brings to life. False: out of gas. EIP-2780, EIP-8037."""
    if (tx.value.is_zero() and not tx.is_create) or m.journal.read_alive(target):
        return True
    if not charge_state_gas(m[0], &m.request.gas, &m.spill, m.rules.new_account_state_gas):
        return False
    m.transaction.new_account_gas = m.rules.new_account_state_gas
    return True


cdef cbool pay_delegate(Machine* m) noexcept nogil:
    """Charge for the access to the account whose code the recipient runs. False: out of gas; it isn't loaded then. EIP-2780."""
    cdef JournalAccount* delegate = m.journal.peek(m.request.code.delegate())
    if delegate == NULL:
        return True  # `follow_delegation` will fail
    m.request.gas -= m.rules.base_gas[OP_CALL]  # the price of any warm access
    if m.journal.warm(delegate) and find_precompile(delegate.address, m.rules[0]) == NULL:
        m.request.gas -= m.rules.cold_account_gas
    return m.request.gas >= 0


cdef Status run_message(Machine* m, const CTransaction* tx, JournalAccount* sender, const MessageForm* form, int64_t gas,
                        Outcome* out) noexcept nogil:
    """Run the transaction's call or creation with `gas`; how it ended. `form`: as for `prepare_message`."""
    cdef Status status
    m.ripemd_touch_survives = False
    m.return_data.clear()
    m.request.gas = gas
    if m.rules.has_state_gas:
        return run_message_with_state_gas(m, tx, sender, form, out)
    status = apply_authorizations(m, tx)
    if status != Status.RUNNING:
        return status
    status = prepare_message(m, tx, sender, form)
    if status == Status.ADDRESS_COLLISION:
        m.gas_left = 0
        return status
    if status != Status.RUNNING:
        return status
    out.contract = m.request.target.address
    return run_frames(m)


cdef Status run_message_with_state_gas(Machine* m, const CTransaction* tx, JournalAccount* sender, const MessageForm* form,
                                       Outcome* out) noexcept nogil:
    """The same with `m.request.gas` of execution gas, and `m.reservoir`. What is done before the first frame is paid for, too. EIP-2780, EIP-8037.

    Out of gas there, all of that is taken back, delegations included, and the reservoir is left.
    """
    cdef Snapshot before = m.journal.snapshot()
    cdef int64_t reservoir = m.reservoir
    cdef Status status
    m.state_gas = m.spill = 0
    m.request.new_account_gas = m.transaction.new_account_gas = 0
    status = apply_authorizations(m, tx)
    if status == Status.RUNNING:
        status = prepare_message(m, tx, sender, form)
    if status == Status.OUT_OF_GAS:
        m.journal.revert(before)
        m.gas_left = 0
        m.reservoir = reservoir
        m.state_gas = 0
        return status
    if status == Status.RUNNING:
        out.contract = m.request.target.address
        status = run_frames(m)
    elif status == Status.ADDRESS_COLLISION:
        m.gas_left = 0
    if status != Status.SUCCESS and m.transaction.new_account_gas != 0 and kind_of(status) != Kind.BROKEN:
        # There is no such account after all. What its price took out of the reservoir is left even by a frame that takes all gas.
        refill_state_gas(m[0], &m.gas_left, &m.spill, m.transaction.new_account_gas)
        if status != Status.REVERT:
            m.gas_left = 0
    return status
