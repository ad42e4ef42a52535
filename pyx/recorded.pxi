# Floor 7: recorded accesses. A run that tells what it read and wrote; and a run of which that is known beforehand: every
# transaction sees at once what those before it will have written, so all are independent, in any order, on any number of
# workers. What each writes is held against what was said; if all of it holds, so does all that was read. EIP-7928.


cdef tuple read_accesses(Engine* e):
    """(transaction rows, account rows, slot rows, codes) of a recorded run, as bytes and a tuple of bytes."""
    cdef vector[TransactionAccess] transactions
    cdef vector[AccountAccess] accounts
    cdef vector[SlotAccess] slots
    cdef TransactionAccess transaction
    cdef AccountAccess account
    cdef SlotAccess slot
    cdef Effects* effects
    cdef AccountEffect* effect
    cdef uint32_t i
    cdef size_t k
    codes = []
    for i in range(e.job.outcomes.size()):
        effects = &e.job.outcomes[i].effects
        transaction.transaction = i
        transaction.gas_used = e.job.outcomes[i].gas_used
        transaction.executions = e.job.outcomes[i].execution_count
        transaction.waited_for = e.tasks[i].waited_for
        transaction.finish_gas = e.tasks[i].finish_gas
        transactions.push_back(transaction)
        for k in range(effects.accounts.size()):
            effect = &effects.accounts[k]
            account.transaction = i
            memcpy(account.address, effect.address.bytes, 20)
            account.reads = effect.reads
            account.writes = effect.writes
            account.nonce = effect.nonce if effect.writes & WROTE_NONCE else 0
            account.code = -1
            if effect.writes & WROTE_CODE:
                account.code = len(codes)
                codes.append(from_view(view_of(effect.code)))
            to_big_endian(effect.balance_after, account.balance)
            accounts.push_back(account)
        for k in range(effects.slots.size()):
            slot.transaction = i
            memcpy(slot.address, effects.accounts[effects.slots[k].account].address.bytes, 20)
            to_big_endian(effects.slots[k].key, slot.slot)
            to_big_endian(effects.slots[k].value, slot.value)
            slot.is_write = effects.slots[k].is_write
            slots.push_back(slot)
    return ((<const char*>transactions.data())[:transactions.size() * sizeof(TransactionAccess)],
            (<const char*>accounts.data())[:accounts.size() * sizeof(AccountAccess)],
            (<const char*>slots.data())[:slots.size() * sizeof(SlotAccess)], tuple(codes))


cdef class _Plan:
    """Given accesses, arranged for a block of `count` transactions."""
    cdef AccessPlan plan
    cdef readonly uint32_t count

    @staticmethod
    def of(accesses, uint32_t count):
        """The plan of an Accesses, which keeps it. Raises UnusableInput."""
        known = accesses._plan
        if known is None or (<_Plan?>known).count != count:
            known = accesses._plan = _Plan._build(accesses, count)
        return known

    @staticmethod
    def _build(accesses, uint32_t count):
        cdef _Plan self = _Plan()
        cdef vector[const Code*] codes
        cdef Code* code
        cdef bytes account_rows = accesses.in_order("accounts").tobytes()
        cdef bytes slot_rows = accesses.in_order("slots").tobytes()
        cdef size_t account_count = len(account_rows) // sizeof(AccountAccess)
        cdef size_t slot_count = len(slot_rows) // sizeof(SlotAccess)
        cdef const AccountAccess* first_account = <const AccountAccess*><const char*>account_rows
        cdef const SlotAccess* first_slot = <const SlotAccess*><const char*>slot_rows
        cdef size_t k
        cdef bytes gas_used
        cdef const uint64_t* gas = NULL
        cdef Status status
        if len(account_rows) % sizeof(AccountAccess) or len(slot_rows) % sizeof(SlotAccess):
            raise errors.UnusableInput("accesses: rows of another shape")
        if len(accesses.transactions) == count:
            gas_used = accesses.transactions["gas_used"].tobytes()
            gas = <const uint64_t*><const char*>gas_used
        self.count = count
        try:
            for data in accesses.codes:
                code = NULL
                if data:
                    code = Code.create(view_bytes(data), NULL, False)
                    if code == NULL:
                        raise MemoryError("accesses: a code")
                codes.push_back(code)
            with nogil:
                status = self.plan.build(first_account, account_count, first_slot, slot_count, codes.data(),
                                         codes.size(), gas, count)
        finally:
            for k in range(codes.size()):
                if codes[k] != NULL:
                    codes[k].release()
        if status == Status.OUT_OF_MEMORY:
            raise MemoryError("accesses: a plan")
        if status != Status.RUNNING:
            raise errors.UnusableInput(f"accesses: a row has a code that is not among the {len(accesses.codes)} given")
        return self


cdef cppclass RecordedRun:
    Engine* engine
    const AccessPlan* plan
    BoundPlan bound
    ClaimCounter claims
    vector[uint8_t] is_met  # bytes: workers write side by side
    AtomicU32 first_wrong  # the lowest transaction so far that didn't come to a result or not to the one that was said


cdef void work_on_plan(void* context, int worker) noexcept nogil:
    """Run transactions on the state that is planned for them, until there are none left."""
    cdef RecordedRun* run = <RecordedRun*>context
    cdef Engine* e = run.engine
    cdef BlockJob* job
    cdef EngineWorker* w = e.workers[worker]
    cdef PlannedView planned
    cdef StateView view
    cdef Outcome* out
    cdef size_t batch
    cdef size_t turn
    cdef uint32_t i
    cdef double began
    if not wait_at_gate(e):
        return
    began = evmcore_seconds()
    job = e.job  # set by now
    open_machine(&w.machine, job)
    planned.plan = &run.bound
    view = planned.view()
    while not w.machine.poll.abort.load():
        batch = run.claims.next.fetch_add(1)
        if batch >= run.plan.batch_count():
            break
        for turn in range(run.plan.batch_begin(batch), run.plan.batch_end(batch)):
            i = run.plan.at_turn(turn)
            if i > run.first_wrong.load():
                continue  # what comes after a wrong one is not needed
            if turn + 2 < run.plan.count():
                job.prefetch_fields(run.plan.at_turn(turn + 2))
                run.bound.prefetch(run.plan.at_turn(turn + 1))
            planned.begin(i)
            out = &job.outcomes[i]
            out.status = apply_transaction(&w.machine, &view, job.transactions[i], &job.blobs, NULL, False, out)
            w.executions += 1
            run.is_met[i] = is_result(out.status) and run.bound.matches(i, out.effects)
            w.machine.spare_effects.close(&out.effects)
            if not run.is_met[i]:
                lower(&run.first_wrong, i)
    if w.machine.poll.abort.load():
        e.stop_all()
    w.busy_seconds = evmcore_seconds() - began


cdef void lower(AtomicU32* to, uint32_t value) noexcept nogil:
    cdef uint32_t known = to.load()
    while value < known and not to.compare_exchange_weak(known, value):
        pass


cdef Status settle_plan(RecordedRun* run, BlockJob* job) noexcept nogil:
    """In order: room in the block, gas and blooms. Then the state, all at once."""
    cdef Outcome* out
    cdef size_t i
    cdef Status status
    for i in range(job.transactions.size()):
        job.outcomes.prefetch(i + 4)
        out = &job.outcomes[i]
        if out.execution_count == 0:
            return Status.ABORTED
        status = Status.RUNNING
        if is_result(out.status):
            status = check_room(job.transactions[i], &job.context, &job.blobs, &job.room, out)
        else:
            status = out.status
        if status != Status.RUNNING:
            return fail_block(job, status, out, i)
        if not run.is_met[i]:
            return fail_block(job, Status.ACCESSES_DIFFER, out, i)
        count_in(job, out)
    status = run.bound.fold(job.world)
    if status == Status.MISSING_STATE:
        job.missing.address = job.context.coinbase  # the one account that is credited unseen
        job.missing.is_slot = False
    return status


cdef Status run_recorded(RecordedRun* run, BlockJob* job) noexcept nogil:
    """The whole block, of which is known what each transaction writes. ACCESSES_DIFFER where that isn't so."""
    cdef Engine* e = run.engine
    cdef Machine* m = &e.workers[0].machine
    cdef Status status
    cdef uint32_t turn = 0
    cdef size_t i
    e.gate.store(GATE_CLOSED)
    e.pool.start(work_on_plan, run)
    status = begin_job(m, job)
    e.begin_workers(job)
    run.is_met.assign(job.transactions.size(), 0)
    run.first_wrong.store(<uint32_t>0xFFFFFFFF)
    if status == Status.RUNNING:
        run.bound.bind(run.plan, job.world, job.rules.deletes_empty_accounts)
    e.gate.store(GATE_OPEN if status == Status.RUNNING else GATE_CANCELLED)
    if status == Status.RUNNING:
        work_on_plan(run, 0)
        # Nothing is left for this worker but to look for signals, which reach it alone.
        while not e.pool.is_done():
            if m.poll.poll(weight_of_turn(turn)):
                e.stop_all()
                break
            wait_turn(turn)
            turn += 1
    e.pool.join()
    for i in range(e.workers.size()):
        job.execution_count += e.workers[i].executions
        if e.workers[i].machine.poll.abort.load() and status == Status.RUNNING:
            status = Status.ABORTED
        e.workers[i].machine.poll.abort.store(False)
    if status == Status.RUNNING:
        status = settle_plan(run, job)
    if status == Status.RUNNING:
        status = end_job(m, job)
    return status
