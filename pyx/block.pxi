# Floor 6: a block: system calls, transactions, withdrawals or rewards, requests. Yellow Paper section 11;
# EIP-2935, 4788, 4895, 6110, 7002, 7251, 7685, 8037, 8282.
from core.base.poll cimport Poll
from core.base.status cimport Kind, kind_of, Status
from core.base.types cimport Address, Bytes, ByteView, u256
from core.math.u256 cimport mul_u64, plus
from core.rules.rules cimport (
    beacon_roots_contract, builder_deposit_contract, builder_exit_contract, consolidation_contract, history_contract,
    system_call_gas, system_caller, withdrawal_contract)
from core.state.journal cimport JournalAccount
from core.state.view cimport AccountState, MissingKey, StateView
from core.vm.block_job cimport BlockJob
from core.vm.frame cimport Machine, Request
from core.vm.outcome cimport append_deposits, append_logs, deposit_contract_of, Outcome


cdef void open_machine(Machine* m, BlockJob* job) noexcept nogil:
    """Point a worker's machine at the block."""
    m.rules = job.rules
    m.block = job.context
    m.recover_seconds = 0
    m.journal.keeps_own_reads = job.system_accesses.is_wanted
    m.tracer = NULL
    m.unchecked = 0


cdef Status system_call(Machine* m, BlockJob* job, const Address& contract, ByteView data, cbool is_checked,
                        Outcome* out) noexcept nogil:
    """Call a system contract as the system, and keep what it did. A checked one has to be there and to succeed."""
    cdef StateView view = job.world.view()
    cdef JournalAccount* target
    cdef Status status
    cdef Request* request = &m.request
    m.journal.begin(&view)
    m.ripemd_touch_survives = False
    target = m.journal.account(contract)
    if target == NULL:
        return give_up(m, m.journal.failure, out)
    if job.witness != NULL and not job.witness.add_account(contract):
        return Status.OUT_OF_MEMORY
    if job.system_accesses.is_wanted and not job.system_accesses.note(job.world[0], contract):
        return Status.OUT_OF_MEMORY
    request.code = m.journal.read_code(target)
    request.is_delegated = False
    if m.journal.failure != Status.RUNNING:
        return give_up(m, m.journal.failure, out)
    if request.code == NULL:
        return Status.BLOCK_SYSTEM_CONTRACT_EMPTY if is_checked else Status.RUNNING
    if m.rules.has_delegation and request.code.is_delegation():
        status = follow_delegation(m)
        if status != Status.RUNNING:
            return give_up(m, status, out)
    m.transaction.origin = system_caller
    m.transaction.gas_price = m.block.base_fee
    m.transaction.blob_hashes = NULL
    m.transaction.blob_hash_count = 0
    request.gas = system_call_gas
    if m.rules.has_state_gas:
        m.reservoir = m.rules.system_call_state_gas
        m.state_gas = request.new_account_gas = 0
    request.target = target
    request.payer = NULL
    request.code_address = contract
    request.caller = system_caller
    request.value = u256()
    request.is_static = request.is_create = False
    request.input = data
    request.input_begin = request.output_begin = request.output_size = 0
    m.transaction.starts_cold = True
    status = run_frames(m)
    m.transaction.starts_cold = False
    if kind_of(status) == Kind.BROKEN:
        return give_up(m, status, out)
    if status != Status.SUCCESS and is_checked:
        return Status.BLOCK_SYSTEM_CALL_FAILED
    if not m.journal.extract(&job.system_effects):
        return Status.OUT_OF_MEMORY
    if job.witness != NULL and not job.witness.add(job.system_effects):
        return Status.OUT_OF_MEMORY
    if job.system_accesses.is_wanted and not job.system_accesses.note(job.world[0], job.system_effects):
        return Status.OUT_OF_MEMORY
    if not append_logs(m[0], &job.system_logs):
        return Status.OUT_OF_MEMORY
    return job.world.apply(job.system_effects, job.rules.deletes_empty_accounts)


cdef Status begin_block(Machine* m, BlockJob* job, Outcome* out) noexcept nogil:
    """The system calls before the first transaction. EIP-4788, EIP-2935."""
    cdef Status status = Status.RUNNING
    if job.rules.has_beacon_root and job.has_beacon_root:
        status = system_call(m, job, beacon_roots_contract, ByteView(job.beacon_root.bytes, 32), False, out)
    if status == Status.RUNNING and job.rules.stores_parent_hash:
        status = system_call(m, job, history_contract, ByteView(job.parent_hash.bytes, 32), False, out)
    return status


cdef Status commit(BlockJob* job, size_t i, Poll* poll) noexcept nogil:
    """Apply the effects of transaction i and count its gas."""
    cdef Outcome* out = &job.outcomes[i]
    cdef Status status
    if job.witness != NULL and not job.witness.add(out.effects):
        return Status.OUT_OF_MEMORY
    if job.access_list != NULL and not job.access_list.add_on(job.world[0], job.first_index + <uint32_t>i, &out.effects,
                                                              job.rules.deletes_empty_accounts):
        return Status.OUT_OF_MEMORY
    status = job.world.apply(out.effects, job.rules.deletes_empty_accounts)
    if status != Status.RUNNING:
        out.missing = MissingKey()
        out.missing.address = job.context.coinbase  # the one account that is credited unseen
        return job.fail(status, i)
    job.count_in(out)
    if job.wants_state_roots and not job.rules.receipt_has_status:
        out.has_state_root = True
        if not job.world.root(&out.state_root, poll):
            return Status.ABORTED if poll != NULL and poll.abort.load() else Status.OUT_OF_MEMORY
        if job.witness != NULL and not job.witness.add_trie_of(job.world[0]):
            return Status.OUT_OF_MEMORY
    return Status.RUNNING


cdef Status run_in_order(Machine* m, BlockJob* job, size_t i) noexcept nogil:
    """Run transaction i on the state as it is, and commit it."""
    cdef StateView view = job.world.view()
    cdef Outcome* out = &job.outcomes[i]
    cdef Status status
    job.prefetch_after(i)
    status = apply_transaction(m, &view, job.transactions[i], &job.blobs, &job.room, False, out)
    job.counts.executions += 1
    out.status = status
    if kind_of(status) == Kind.INVALID or kind_of(status) == Kind.BROKEN:
        return job.fail(status, i)
    status = commit(job, i, &m.poll)
    m.spare_effects.close(&out.effects)
    return status


cdef Status run_transactions(Machine* m, BlockJob* job) noexcept nogil:
    """All transactions in order, on one machine."""
    cdef size_t i
    cdef Status status
    for i in range(job.transactions.size()):
        status = run_in_order(m, job, i)
        if status != Status.RUNNING:
            return status
    return Status.RUNNING


cdef Status add_balance(BlockJob* job, const Address& address, const u256& amount, Outcome* out) noexcept nogil:
    """Credit outside any transaction. An empty account that nothing reaches goes, as any touched one does."""
    cdef AccountState account
    cdef Status status = job.world.account(address, &account)
    if job.witness != NULL and not job.witness.add_account(address):
        return Status.OUT_OF_MEMORY
    if status != Status.RUNNING:
        out.missing = MissingKey()
        out.missing.address = address
        return status
    if job.system_accesses.is_wanted and not job.system_accesses.note(job.world[0], address):
        return Status.OUT_OF_MEMORY
    if amount.is_zero():
        if not account.exists:
            return Status.RUNNING if job.rules.deletes_empty_accounts else job.world.create(address)
        if (job.rules.deletes_empty_accounts and account.nonce == 0 and account.code == NULL
                and account.balance.is_zero()):
            return job.world.destroy(address)
        return Status.RUNNING
    return job.world.set_balance(address, plus(account.balance, amount))


cdef Status pay_rewards(BlockJob* job, Outcome* out) noexcept nogil:
    """Reward the beneficiary and the ommers', before Paris. Yellow Paper 11.3; EIP-649, EIP-1234."""
    cdef u256 reward = mul_u64(u256(<uint64_t>job.rules.block_reward_finney), FINNEY_WEI)
    cdef u256 share
    cdef size_t i
    cdef uint64_t age
    cdef Status status
    if job.rules.block_reward_finney == 0:
        return Status.RUNNING
    for i in range(job.ommers.size()):
        age = job.context.number - job.ommers[i].number
        share = mul_u64(u256(<uint64_t>job.rules.block_reward_finney * (8 - age)), FINNEY_WEI // 8)
        status = add_balance(job, job.ommers[i].coinbase, share, out)
        if status != Status.RUNNING:
            return status
    share = mul_u64(u256(<uint64_t>job.rules.block_reward_finney * job.ommers.size()), FINNEY_WEI // 32)
    return add_balance(job, job.context.coinbase, plus(reward, share), out)


cdef enum:
    FINNEY_WEI = 1000000000000000
    GWEI_WEI = 1000000000


cdef Status pay_withdrawals(BlockJob* job, Outcome* out) noexcept nogil:
    """Credit the withdrawals. EIP-4895."""
    cdef size_t i
    cdef Status status
    for i in range(job.withdrawals.size()):
        status = add_balance(job, job.withdrawals[i].address,
                             mul_u64(u256(job.withdrawals[i].amount_gwei), GWEI_WEI), out)
        if status != Status.RUNNING:
            return status
    return Status.RUNNING


cdef Status collect_request(Machine* m, BlockJob* job, uint8_t type, const Address& contract, Outcome* out) noexcept nogil:
    """The output of a request contract, if there is any. EIP-7002, EIP-7251, EIP-8282."""
    cdef Bytes* request
    cdef Status status = system_call(m, job, contract, ByteView(), True, out)
    if status != Status.RUNNING or m.return_data.empty():
        return status
    request = job.requests.add()
    if request == NULL or not request.push_back(type) or not request.append(m.return_data.data(), m.return_data.size()):
        return Status.OUT_OF_MEMORY
    return Status.RUNNING


cdef Status collect_requests(Machine* m, BlockJob* job, Outcome* out) noexcept nogil:
    """Deposits out of the logs, withdrawals, consolidations and builders' requests out of their contracts. EIP-6110, 7002, 7251, 7685, 8282."""
    cdef Status status
    if not job.rules.has_requests:
        return Status.RUNNING
    if not job.defers_deposits:
        status = collect_deposits(job)
        if status != Status.RUNNING:
            return status
    status = collect_request(m, job, 1, withdrawal_contract, out)
    if status == Status.RUNNING:
        status = collect_request(m, job, 2, consolidation_contract, out)
    if job.rules.has_builder_requests:
        if status == Status.RUNNING:
            status = collect_request(m, job, 3, builder_deposit_contract, out)
        if status == Status.RUNNING:
            status = collect_request(m, job, 4, builder_exit_contract, out)
    return status


cdef Status collect_deposits(BlockJob* job) noexcept nogil:
    """The deposits of all transactions, as the first request, if there are any. EIP-6110."""
    cdef Bytes* deposits
    cdef size_t i
    cdef Status status
    if not job.rules.has_requests:
        return Status.RUNNING
    deposits = job.requests.add()
    if (deposits == NULL or not deposits.push_back(0)  # the type
            or not deposits.append(job.deposits_before.data(), job.deposits_before.size())):
        return Status.OUT_OF_MEMORY
    for i in range(job.outcomes.size()):
        status = append_deposits(job.outcomes[i], deposit_contract_of(job.context.chain_id), job.rules.checks_deposit_layout,
                                 deposits)
        if status != Status.RUNNING:
            return status
    if deposits.size() == 1:
        job.requests.pop_back()
        return Status.RUNNING
    for i in range(job.requests.size() - 1, 0, -1):
        job.requests[i].swap(job.requests[i - 1])
    return Status.RUNNING


cdef Status end_block(Machine* m, BlockJob* job, Outcome* out) noexcept nogil:
    """What follows the last transaction."""
    cdef Status status = pay_rewards(job, out)
    if status == Status.RUNNING:
        status = pay_withdrawals(job, out)
    if status == Status.RUNNING:
        status = collect_requests(m, job, out)
    return status


cdef Status begin_job(Machine* m, BlockJob* job) noexcept nogil:
    """Forget earlier results, then the system calls before the first transaction."""
    open_machine(m, job)
    if not job.reset_results():
        return Status.OUT_OF_MEMORY
    return begin_opened_job(m, job)


cdef Status begin_opened_job(Machine* m, BlockJob* job) noexcept nogil:
    """The same where results are forgotten and the machine is open."""
    cdef Outcome system
    cdef Status status = begin_block(m, job, &system) if job.begins else Status.RUNNING
    if status == Status.RUNNING and not job.finish_index(0):
        status = Status.OUT_OF_MEMORY
    return status if status == Status.RUNNING else job.fail_outside(status, system)


cdef Status end_job(Machine* m, BlockJob* job) noexcept nogil:
    cdef Outcome system
    cdef Status status = end_block(m, job, &system) if job.ends else Status.RUNNING
    if status == Status.RUNNING and not job.finish_index(<uint32_t>job.transactions.size() + 1):
        status = Status.OUT_OF_MEMORY
    return status if status == Status.RUNNING else job.fail_outside(status, system)


cdef Status run_block(Machine* m, BlockJob* job) noexcept nogil:
    """The whole block, sequentially, on `job.world`. The caller holds a checkpoint to go back to."""
    cdef Status status = begin_job(m, job)
    if status == Status.RUNNING:
        status = run_transactions(m, job)
    if status == Status.RUNNING:
        status = end_job(m, job)
    return status
