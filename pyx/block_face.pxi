# Floor 8: a block as Python calls it, and what it came to. Convert, release, work, take back, convert.
from core.base.clock cimport evmcore_seconds
from core.base.status cimport is_limit, Kind, kind_of, Status
from core.base.transaction cimport CTransaction
from core.base.types cimport Bytes, ByteView, Hash, u256
from core.base.vector cimport Vector
from core.base.withdrawal cimport CWithdrawal, encode_withdrawal
from core.parallel.lender cimport process_generation
from core.parallel.waiting cimport wait_turn
from core.rules.rules cimport blob_base_fee_minimum_wei, blob_gas_per_blob, Fork, Rules, rules_of
from core.state.journal cimport Log
from core.state.view cimport MissingKey
from core.state.world cimport AccountRecord, World
from core.vm.block_job cimport BlobLimits, BlockJob, BlockOmmer, BlockWithdrawal, job_block_hash
from core.vm.frame cimport BlockContext
from core.vm.outcome cimport Outcome

from hashlib import sha256 as _sha256

cdef object most_cost(const CTransaction* tx):
    """Wei that a transaction may cost, whatever that takes."""
    return (to_int(tx.max_fee_per_gas) * tx.gas_limit
            + to_int(tx.max_fee_per_blob_gas) * (tx.blob_versioned_hashes.size() * <uint64_t>blob_gas_per_blob)
            + to_int(tx.value))


cdef int raise_outcome(Status status, const u256& have, const u256& want, const MissingKey& missing,
                       uint64_t missing_block_number, object index, const CTransaction* tx) except -1:
    """The exception of an INVALID or BROKEN status. `tx`: the transaction that buys gas; null for none."""
    if kind_of(status) == Kind.INVALID:
        wanted = to_int(want)
        if tx != NULL and (status == Status.INSUFFICIENT_FUNDS or status == Status.GASLIMIT_PRICE_OVERFLOW):
            wanted = most_cost(tx)
        raise errors.rejection(status_name(status), status_text(status), index=index, have=to_int(have), want=wanted)
    if status == Status.MISSING_STATE:
        raise errors.MissingState(from_address_bytes(missing.address), to_int(missing.slot) if missing.is_slot else None,
                                  missing.is_storage)
    if status == Status.MISSING_BLOCK_HASH:
        raise errors.MissingBlockHash(missing_block_number)
    if status == Status.PRECOMPILE_UNAVAILABLE:
        raise errors.PrecompileUnavailable("ckzg")
    if status == Status.OUT_OF_MEMORY:
        raise MemoryError("evmcore ran out of memory")
    if is_limit(status):
        raise errors.ResourceLimit(status_text(status))
    if status == Status.ACCESSES_DIFFER:
        raise errors.AccessesDiffer(index)
    if status == Status.ABORTED:
        raise errors.ExecutionAborted("the run was told to stop")
    raise errors.EvmError(f"evmcore failed: {status_text(status)}")


# ---------------------------------------------------------------- the block's context


# e^177.4 is 2^256. Without a bound the series would go on for as many terms as the exponent is large.
BLOB_FEE_EXPONENT_MAX = 178


def fake_exponential(factor, numerator, denominator):
    """factor · e^(numerator / denominator), by its Taylor series in integers (EIP-4844).

    raise   UnusableInput where the price would not fit 256 bits, as no chain's does
    """
    factor, numerator, denominator = (exact_int(value, name) for value, name in (
        (factor, "factor"), (numerator, "excess_blob_gas"), (denominator, "blob_schedule")))
    if denominator <= 0:
        raise errors.UnusableInput(f"blob_schedule: an update fraction of {shown(denominator)}")
    if numerator > BLOB_FEE_EXPONENT_MAX * denominator:
        raise errors.UnusableInput(f"excess_blob_gas: {shown(numerator)} makes a blob base fee of more than 256 bits")
    i = 1
    output = 0
    term = factor * denominator
    while term > 0:
        output += term
        term = term * numerator // (denominator * i)
        i += 1
    return output // denominator


def blob_base_fee(excess_blob_gas, fork, update_fraction=None):
    """Blob base fee in wei a blob gas for a block's excess blob gas (EIP-4844)."""
    if update_fraction is None:
        update_fraction = fork_rules(fork)["blob_fee_update_fraction"]
    return fake_exponential(blob_base_fee_minimum_wei, excess_blob_gas, update_fraction)


cdef int set_blob_limits(BlobLimits* limits, object most, object fraction) except -1:
    """The limits that a header or a test names in place of its fork's."""
    # No block has so many; their gas fits 63 bits.
    limits.max_blobs = min(to_u64(most, "blob_schedule"), <uint64_t>(1 << 32))
    limits.update_fraction = to_i64(fraction, "blob_schedule")
    return 0


cdef int fill_context(_Job owner, object header) except -1:
    """The parts of a job that come from the header."""
    cdef BlockJob* job = &owner.job
    cdef BlockContext* context = &job.context
    cdef const Rules* rules = &rules_of(<Fork><uint8_t>(<int>fork_index(header.fork)))
    job.rules = rules
    context.number = to_u64(header.number, "number")
    context.timestamp = to_u64(header.timestamp, "timestamp")
    context.gas_limit = to_u64(header.gas_limit, "gas_limit")
    context.coinbase = to_address_value(header.coinbase, "coinbase")
    if rules.is_proof_of_stake:
        context.prev_randao = to_word(int.from_bytes(fixed_bytes(header.mix_hash, 32, "mix_hash"), "big"), "mix_hash")
    else:
        context.prev_randao = to_word(header.difficulty, "difficulty")
    context.base_fee = to_word(0 if header.base_fee_per_gas is None else header.base_fee_per_gas, "base_fee_per_gas")
    context.chain_id = to_word(header.chain_id, "chain_id")
    job.blobs.max_blobs = rules.blob_max
    job.blobs.update_fraction = rules.blob_fee_update_fraction
    if header.blob_schedule is not None:
        _, most, fraction = to_parts(header.blob_schedule, 3, "blob_schedule", "(target, max, update fraction)")
        set_blob_limits(&job.blobs, most, fraction)
    if rules.has_blobs:
        excess = to_u64(0 if header.excess_blob_gas is None else header.excess_blob_gas, "excess_blob_gas")
        fee = fake_exponential(blob_base_fee_minimum_wei, excess, job.blobs.update_fraction)
        if fee >> 256:
            raise errors.UnusableInput(f"excess_blob_gas: {excess} makes a blob base fee of {fee.bit_length()} bits")
        context.blob_base_fee = to_word(fee, "blob_base_fee")
    job.parent_hash = to_hash_value(header.parent_hash, "parent_hash")
    job.has_beacon_root = header.parent_beacon_block_root is not None
    if job.has_beacon_root:
        job.beacon_root = to_hash_value(header.parent_beacon_block_root, "parent_beacon_block_root")
    owner.block_hashes = block_hashes_of(header)
    job.block_hashes = &owner.block_hashes.known
    context.block_hash = job_block_hash
    context.block_hash_context = job
    return 0


# ---------------------------------------------------------------- results


cdef object make_logs(const Outcome* out):
    cdef size_t i
    cdef uint32_t t
    cdef const Log* log
    Log_ = _types().Log
    logs = []
    for i in range(out.logs.size()):
        log = &out.logs[i]
        topics = tuple(from_hash_bytes(out.topics[log.topic_begin + t]) for t in range(log.topic_count))
        logs.append(Log_(from_address_bytes(log.address), topics,
                         (<const char*>out.log_data.data())[log.data_begin:log.data_begin + log.data_size]))
    return tuple(logs)


cdef object make_receipt(const Outcome* out, cbool has_status):
    """`has_status`: since Byzantium (EIP-658)."""
    return _types().Receipt(
        type=out.type,
        status=int(out.status == Status.SUCCESS) if has_status else None,
        cumulative_gas_used=out.cumulative_gas,
        gas_used=out.gas_used,
        logs=make_logs(out),
        logs_bloom=(<const char*>(<Outcome*>out).bloom.data())[:256],
        contract_address=from_address_bytes(out.contract) if out.has_contract else None,
        output=from_bytes(out.output),
        outcome=status_name(out.status),
        gas_refund=out.gas_refund,
        effective_gas_price=to_int(out.effective_gas_price),
        state_root=from_hash_bytes(out.state_root) if out.has_state_root else None,
        blob_gas_used=out.blob_gas,
    )


cdef class BlockResult:
    """What a block came to. Receipts and roots are made when they are first asked for, and kept.

    Two results are equal if the block came out the same; how the work went doesn't count. To pickle or copy one makes all
    that it has, the state root too; the state doesn't go along.
    """
    cdef _Job job                  # None: it was pickled, and all that it has is in `made`
    cdef object withdrawals
    cdef dict made
    cdef unsigned long root_maker  # the thread that makes the state root; 0: none does. Guarded by the GIL
    cdef unsigned root_process     # in this process
    cdef dict told                 # the fields of its BlockStatistics
    cdef bint is_of_witness        # the state came from a witness

    def __cinit__(self, job=None):
        if job is not _PICKLED:
            if not isinstance(job, _Job) or (<_Job>job).job.rules == NULL:
                raise TypeError("a BlockResult is what execute_block returns; it can't be made by itself")
            self.job = job
        self.made = {}
        self.told = {}

    # What has to be the same whatever the strategy and the number of workers.
    CONSENSUS = ("receipts", "gas_used", "blob_gas_used", "logs_bloom", "receipts_root", "transactions_root",
                 "withdrawals_root", "requests", "requests_hash", "state_root")

    def __reduce__(self):
        made = {name: getattr(self, name) for name in (*self.CONSENSUS, "accesses")}
        return _restore_result, (made, self.told)

    cdef BlockJob* core(self) except NULL:
        if self.job is None:
            raise errors.EvmError("a BlockResult that was pickled has no block to make anything from")
        return &self.job.job

    cdef object once(self, str name, make):
        if name not in self.made:
            self.made[name] = make()
        return self.made[name]

    @property
    def statistics(self):
        """BlockStatistics: how the work went. The times of roots are in it once those have been asked for."""
        return _types().BlockStatistics(**self.told)

    @property
    def gas_used(self):
        return self.made["gas_used"] if self.job is None else self.core().room.gas_used

    @property
    def blob_gas_used(self):
        return self.made["blob_gas_used"] if self.job is None else self.core().room.blob_gas_used

    @property
    def logs_bloom(self):
        """256 bytes: the blooms of all receipts, or-ed (Yellow Paper 4.4.1)."""
        return self.made["logs_bloom"] if self.job is None else (<const char*>self.core().bloom.data())[:256]

    @property
    def receipts(self):
        """A Receipt a transaction, in order."""
        return self.once("receipts", self._make_receipts)

    def _make_receipts(self):
        cdef size_t i
        cdef size_t count = 0
        receipts = []
        for i in range(self.core().outcomes.size()):
            receipts.append(make_receipt(&self.core().outcomes[i], self.core().rules.receipt_has_status))
            check_often(&count)
        return tuple(receipts)

    @property
    def receipts_root(self):
        """Of the receipts trie. None before Byzantium when the state roots that receipts held then were not asked for."""
        return self._list_root("receipts_root")

    @property
    def transactions_root(self):
        """Of the trie of the block's transactions."""
        return self._list_root("transactions_root")

    def _list_root(self, str name):
        if name not in self.made:
            self._make_list_roots()
        return self.made[name]

    def _make_list_roots(self):
        """Both roots at once, by the workers that the block had: receipts are encoded in parts, then there is a trie each."""
        cdef Hash receipts_root, transactions_root
        cdef BlockJob* core = self.core()
        cdef cbool has_receipts = core.rules.receipt_has_status or core.wants_state_roots
        cdef double began = evmcore_seconds()
        make_list_roots(core, has_receipts, self.told["workers"], &receipts_root, &transactions_root)
        self.told["list_roots_seconds"] = evmcore_seconds() - began
        self.made["receipts_root"] = from_hash_bytes(receipts_root) if has_receipts else None
        self.made["transactions_root"] = from_hash_bytes(transactions_root)

    @property
    def withdrawals_root(self):
        """Of the trie of withdrawals; None before Shanghai (EIP-4895)."""
        if self.job is None:
            return self.made["withdrawals_root"]
        if self.withdrawals is None:
            return None
        return self.once("withdrawals_root", lambda: withdrawals_root(self.withdrawals))

    @property
    def requests(self):
        """Type byte and data of each kind that is not empty; None before Prague (EIP-7685)."""
        cdef size_t i
        if self.job is None:
            return self.made["requests"]
        if not self.core().rules.has_requests:
            return None
        return tuple([from_bytes(self.core().requests[i]) for i in range(self.core().requests.size())])

    @property
    def requests_hash(self):
        """sha256 over the sha256 of each request; None before Prague (EIP-7685)."""
        requests = self.requests
        if requests is None:
            return None
        return _sha256(b"".join(_sha256(request).digest() for request in requests)).digest()

    @property
    def state_root(self):
        """Root of the state after the block, whenever it is asked. Right only if the state was given whole.

        Until it is asked the state notes what each cell was that changes after the block, once; then the root takes a copy of
        the state, if it has changed by then. Waits while the state is at work in another thread.
        """
        if "state_root" not in self.made:
            self._make_state_root()
        return self.made["state_root"]

    def _make_state_root(self):
        """One thread makes it, the others wait: it closes what it is made from."""
        while self.root_maker != 0 and self.root_process == process_generation():
            if self.root_maker == PyThread_get_thread_ident():
                raise errors.EvmError("the state root is being made, which has called this")
            with nogil:
                wait_turn(LONG_WAIT)
            PyErr_CheckSignals()
            if "state_root" in self.made:
                return
        self.root_maker = PyThread_get_thread_ident()
        self.root_process = process_generation()
        try:
            self.made["state_root"] = self._make_state_root_alone()
        finally:
            self.root_maker = 0

    cdef object _make_state_root_alone(self):
        cdef shared_ptr[World] world
        cdef World* past
        cdef double began = evmcore_seconds()
        cdef Hash root
        self.core()
        if not self.job.observed.is_open():
            raise MemoryError("the state after the block")
        wait_for_world(self.job.observed.world().get())
        world = self.job.observed.world()  # counts as a share: whoever writes from here on writes a copy
        if self.job.observed.is_changed():
            if self.is_of_witness:
                raise errors.EvmError("the state, of which a witness has a part, has changed since the block")
            with nogil:
                past = self.job.observed.restored()
            if past == NULL:
                raise MemoryError("the state as it was after the block")
            try:
                root = make_state_root(past, True, self.told["workers"])
            finally:
                del past
        else:
            root = make_state_root(world.get(), is_held_twice(world), self.told["workers"])
        self.told["state_root_seconds"] = evmcore_seconds() - began
        self.job.observed.close()
        return from_hash_bytes(root)

    @property
    def accesses(self):
        """Accesses: what each transaction read and wrote; None unless the block was executed with `record=True`."""
        return self.made.get("accesses")

    def differences(self, BlockResult other not None):
        """The names of what came out differently, most telling first."""
        return [name for name in self.CONSENSUS if getattr(self, name) != getattr(other, name)]

    def __eq__(self, other):
        if not isinstance(other, BlockResult):
            return NotImplemented
        return not self.differences(other)

    __hash__ = None

    def __repr__(self):
        count = len(self.receipts) if self.job is None else self.core().transactions.size()
        return f"<BlockResult: {count} transactions, {self.gas_used} gas>"


_PICKLED = object()  # what a result is made from that was pickled


def _restore_result(made, statistics):
    """What `BlockResult.__reduce__` says."""
    cdef BlockResult self
    if type(made) is not dict or set(made) != {*BlockResult.CONSENSUS, "accesses"} or type(statistics) is not dict:
        raise TypeError("a pickled BlockResult: not what one is made from")
    self = BlockResult.__new__(BlockResult, _PICKLED)
    self.made = made
    self.told = statistics
    self.statistics  # raises TypeError for what are none
    return self


cdef enum:
    LONG_WAIT = 0x7fffffff  # turns: the thread sleeps at once


cdef int wait_for_world(World* world) except -1:
    """Until no other thread writes it."""
    while world.at_work.load() != 0:
        if world.at_work.load() == PyThread_get_thread_ident():
            raise errors.EvmError("the state is in use by the execution that has called this")
        if world.process_at_work != process_generation():
            raise errors.EvmError("the state was in use in another thread when this process was forked")
        with nogil:
            wait_turn(LONG_WAIT)
        PyErr_CheckSignals()
    return 0


def withdrawals_root(withdrawals):
    """Root of the trie of withdrawals (EIP-4895)."""
    cdef Vector[Bytes] encoded
    cdef Vector[ByteView] views
    cdef CWithdrawal item
    cdef Hash root
    cdef size_t i
    for withdrawal in withdrawals:
        item.index = to_u64(withdrawal.index, "index")
        item.validator_index = to_u64(withdrawal.validator_index, "validator_index")
        item.address = to_address_value(withdrawal.address, "address")
        item.amount_gwei = to_u64(withdrawal.amount_gwei, "amount_gwei")
        or_memory_error(encoded.resize(encoded.size() + 1) and encode_withdrawal(item, &encoded[encoded.size() - 1]))
    for i in range(encoded.size()):
        append_to(views, ByteView(encoded[i].data(), encoded[i].size()))
    return list_root(views)


# ---------------------------------------------------------------- blocks

STRATEGIES = ("auto", "sequential", "groups", "optimistic", "recorded", "recorded-hint")


def execute_block(block, State state not None, *, workers=None, strategy="auto", state_roots=None, record=False, accesses=None,
                  tracer=None):
    """Execute a block's transactions on a state, and return what it came to.

    block        header, transactions, ommers, withdrawals; senders are recovered if they are not known
    state        the state before the block; afterwards the state after it
    workers      threads; None: as many as there are processors
    strategy     "sequential", "groups", "optimistic", "recorded" (accesses are given, and one that differs is an error),
                 "recorded-hint" (where one differs the block runs optimistically) or "auto"
    record       whether to keep what each transaction read and wrote, in `BlockResult.accesses`
    accesses     an Accesses of an earlier run, or in the shape of EIP-7928; makes "auto" choose "recorded-hint"
    tracer       told what the transactions do (evmcore.tracing), and of each before and after. They are executed sequentially:
                 `workers` is None or 1, `strategy` "auto" or "sequential", `record` and `accesses` aren't given. An error
                 of the tracer ends the block. On a lazy state a block that misses something is told from its beginning again
    state_roots  whether receipts before Byzantium get their state root; None: yes, unless the block's own state is partial
    return       BlockResult; its `statistics` say how the work went: BlockStatistics
    raise        InvalidTransaction with its index, InvalidBlock, MissingState, MissingBlockHash; the state is then as before

    Parallel and sequential execution give the same result. The GIL is free while transactions run.
    Source: Yellow Paper section 11.
    """
    if state.source is not None:
        return execute_lazily(block, state, workers=workers, strategy=strategy, state_roots=state_roots, record=record,
                              accesses=accesses, tracer=tracer)
    return _execute_block(block, state, workers, strategy, state_roots, record, accesses, tracer)


def _execute_block(block, State state not None, workers, strategy, state_roots, record, accesses, tracer):
    cdef _Job job = _Job()
    cdef BlockJob* core = &job.job
    cdef _StateUse use
    cdef size_t count = 0
    cdef BlockWithdrawal withdrawal
    cdef BlockOmmer ommer
    cdef Status status
    cdef BlockResult result
    cdef const CTransaction* buyer = NULL  # of gas: the transaction that was refused
    cdef double started
    cdef int worker_count
    cdef BlockEstimate work = BlockEstimate(0, 0, 0, 0)
    cdef bint is_estimated = False
    cdef BaseTracer native = None
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy: {strategy!r} is not one of {', '.join(STRATEGIES)}")
    header = block.header
    fill_context(job, header)
    job.transactions = tuple(block.transactions)
    for tx in job.transactions:
        append_to(core.transactions, core_transaction(tx))
        check_often(&count)
    withdrawals = None if block.withdrawals is None else tuple(block.withdrawals)
    for item in withdrawals or ():
        withdrawal.address = to_address_value(item.address, "withdrawal")
        withdrawal.amount_gwei = to_u64(item.amount_gwei, "amount_gwei")
        append_to(core.withdrawals, withdrawal)
    for item in block.ommers:
        ommer.coinbase = to_address_value(item.coinbase, "ommer")
        ommer.number = to_u64(item.number, "ommer")
        if not core.context.number > ommer.number or core.context.number - ommer.number > 8:
            raise errors.InvalidBlock(f"ommer of block {ommer.number} in block {core.context.number}", status="OMMER_AGE")
        append_to(core.ommers, ommer)
    worker_count = worker_count_of(workers)
    if tracer is not None:
        worker_count = 1 if workers is None else worker_count
        check_traced(strategy, worker_count, bool(record), accesses)
        native = tracer_of(tracer, True)
        strategy = "sequential"
    core.wants_state_roots = ((block.pre_state is None or block.is_pre_state_complete) if state_roots is None
                               else bool(state_roots))
    if strategy in ("recorded", "recorded-hint") and accesses is None:
        raise ValueError(f"strategy: {strategy!r} needs accesses")
    if accesses is not None and strategy == "auto":
        strategy = "recorded-hint"
    if strategy == "auto":
        work = estimate_block(core, state.reader())
        strategy = choose_strategy(work, worker_count)
        is_estimated = True
    if record and strategy == "groups":
        raise ValueError("record: strategy 'groups' doesn't; 'optimistic' and 'sequential' do")
    if record and needs_order(core):
        raise ValueError("record: a block before Byzantium on a whole state gets a root after each transaction; "
                         "pass state_roots=False to record it")
    if needs_order(core) or worker_count == 1 and strategy == "optimistic":
        strategy = "sequential"  # one worker at the frontier is the sequential order
    machines = worker_count
    if strategy == "sequential":
        worker_count = 1

    if strategy in ("recorded", "recorded-hint"):
        known = _AccessList.of(accesses, <uint32_t>core.transactions.size())
    use = use_to_write(state, "execute_block")
    core.world = use.world
    started = evmcore_seconds()
    if native is not None:
        status = run_traced(job, tracer, native)
    elif strategy == "groups":
        status = job.run_in_groups(worker_count)
    elif strategy in ("recorded", "recorded-hint"):
        status = job.run_recorded(worker_count, known)
        if status == Status.ACCESSES_DIFFER and strategy == "recorded-hint":
            notes = job.notes
            use.rewind()
            status = run_with_room(job, worker_count, record, use)
            job.notes["mismatch"] = notes["mismatch"]
        elif record:
            job.accesses = (accesses,)
    elif strategy == "optimistic" or record:
        status = run_with_room(job, worker_count, record, use)
        if status == Status.OUT_OF_MEMORY and not record:
            # The block writes more cells than speculation may hold; in order it needs none of them.
            use.rewind()
            strategy = "sequential"
            status = job.run_sequentially(machines)
    else:
        status = job.run_sequentially(machines)
    started = evmcore_seconds() - started
    if status != Status.RUNNING:
        raise_missing_node(use.world)
        if core.failed_index < core.transactions.size():
            buyer = core.transactions[core.failed_index]
        raise_outcome(status, core.have, core.want, core.missing, core.missing_block_number,
                      None if core.failed_index == SIZE_MAX else core.failed_index, buyer)
    result = BlockResult(job)
    result.withdrawals = withdrawals
    job.observed.open(use.state.world)  # without memory the result is whole but for its state root
    result.told = {
        "transactions": core.transactions.size(), "gas_used": core.room.gas_used, "workers": worker_count,
        "strategy": strategy, **counts_of(core.counts),
        "recover_seconds": job.recover_seconds, "execute_seconds": started}
    if job.notes is not None:
        result.told.update(job.notes)
        if "critical_path_gas" in job.notes and job.notes["critical_path_gas"]:
            result.told["speedup_bound"] = core.room.gas_used / job.notes["critical_path_gas"]
    if is_estimated:
        if job.notes is None:
            learn_from(work, started - job.recover_seconds, 0)
        else:
            # What one worker had to do alone was no less in vain for the others.
            learn_from(work, sum(job.notes["busy_seconds"]) - job.recover_seconds,
                       max(core.counts.aborted_gas / max(1, core.room.gas_used),
                           core.counts.fallback_transactions / max(1, core.transactions.size())))
    if job.accesses is not None:
        from evmcore.accesses import Accesses
        result.made["accesses"] = job.accesses[0] if len(job.accesses) == 1 else Accesses.from_rows(*job.accesses)
        job.accesses = None
    if isinstance(state.source, _WitnessSource):
        # At once: what is learned of the state later can't be told from what changes later.
        result.is_of_witness = True
        try:
            result.made["state_root"] = from_hash_bytes(make_state_root(use.world, False, worker_count))
            job.observed.close()
        except errors.MissingNode:
            pass  # for who asks for it
    use.keep()
    return result


cdef Status run_with_room(_Job job, int workers, bint record, _StateUse use) except *:
    """Optimistically. A recorded run, which can't do without versions, gets more room if the block writes more than gas tells."""
    cdef Status status = job.run_optimistically(workers, record, 1)
    for room in (16, 256, 4096) if record else ():
        if status != Status.OUT_OF_MEMORY or job.had_all_room:
            break
        use.rewind()
        status = job.run_optimistically(workers, record, room)
    return status


cdef struct BlockEstimate:
    uint64_t program_gas  # what transactions that run code may use, as far as that says something of their use
    size_t programs
    size_t payments
    size_t unknown_senders


cdef BlockEstimate estimate_block(BlockJob* core, World* world):
    """What there is to do, as far as it shows before the block runs."""
    cdef BlockEstimate work = BlockEstimate(0, 0, 0, 0)
    cdef const CTransaction* tx
    cdef const AccountRecord* receiver
    cdef size_t i
    for i in range(core.transactions.size()):
        tx = core.transactions[i]
        work.unknown_senders += not tx.knows_sender()
        if not tx.is_create:
            receiver = world.find(tx.to)
            if receiver == NULL or receiver.code == NULL:
                work.payments += 1
                continue
        work.programs += 1
        work.program_gas += min(tx.gas_limit, <uint64_t>PROGRAM_GAS_MOST)
    return work


# What "auto" has learnt in this process, averages over about four blocks; `auto_history` shows and resets it. Decides on a
# strategy, never on a result. How long a gas takes differs by an order of magnitude between the years of a chain and with
# what else the processors do; the blocks of one process are mostly alike.
cdef double SECONDS_PER_GAS = 1.25e-10
cdef double seconds_per_gas = SECONDS_PER_GAS
cdef double aborted_share = 0

AutoHistory = namedtuple("AutoHistory", "seconds_per_gas aborted_share")
AutoHistory.__doc__ = """What strategy "auto" has learnt: averages over about the last four blocks that it decided on.

seconds_per_gas  of all workers together, for a gas of what programs may use
aborted_share    of the gas that was executed in parallel, or of the transactions that the sequential fallback took; 0 to 1. It
                 fades while blocks are executed sequentially
"""


def auto_history(*, reset=False):
    """AutoHistory: what strategy "auto" has learnt from the blocks that it decided on in this process.

    reset  forget it, once it is told: the next block is weighed as in a new process

    It decides on a strategy, never on a result. All threads of a process share it.
    """
    global seconds_per_gas, aborted_share
    history = AutoHistory(seconds_per_gas, aborted_share)
    if reset:
        seconds_per_gas, aborted_share = SECONDS_PER_GAS, 0
    return history


cdef str choose_strategy(const BlockEstimate& work, int workers):
    """The mode that pays for this block, by what it costs to start workers against what there is to share.

    A plain payment takes less than a microsecond, less than handing it to a worker does: only what runs code counts, and
    senders that are to be recovered.
    """
    if workers == 1:
        return "sequential"
    if work.unknown_senders >= PARALLEL_MIN_TRANSACTIONS:
        return "optimistic"
    if (work.programs < PARALLEL_MIN_PROGRAMS or aborted_share > ABORTED_SHARE_MOST
            or seconds_per_gas * work.program_gas < PARALLEL_MIN_SECONDS + PAYMENT_LOSS_SECONDS * work.payments):
        return "sequential"
    return "optimistic"


cdef void learn_from(const BlockEstimate& work, double seconds, double aborted):
    """Note how long all workers together took for a block, and what share of it was executed in vain, or not in parallel."""
    global seconds_per_gas, aborted_share
    cdef double sample
    aborted_share += (aborted - aborted_share) / 4
    if work.program_gas < LEARN_MIN_GAS:
        return
    sample = max(seconds - PAYMENT_SECONDS * work.payments, 0) / work.program_gas
    seconds_per_gas += (min(sample, SECONDS_PER_GAS_MOST) - seconds_per_gas) / 4


cdef double PARALLEL_MIN_SECONDS = 250e-6  # of programs: what starting the workers costs, several times over
cdef double PAYMENT_SECONDS = 0.7e-6
cdef double PAYMENT_LOSS_SECONDS = 0.6e-6  # by being handed over
cdef double SECONDS_PER_GAS_MOST = 1e-8
cdef double ABORTED_SHARE_MOST = 0.2
cdef enum:
    PROGRAM_GAS_MOST = 300000              # beyond this a limit says nothing of the use
    PARALLEL_MIN_PROGRAMS = 12             # of fewer, most often one is half of the work or needs the one before
    PARALLEL_MIN_TRANSACTIONS = 4          # whose senders are to be recovered, which takes 50 microseconds each
    LEARN_MIN_GAS = 300000


cdef inline bint needs_order(BlockJob* job):
    """Whether receipts hold a state root after each transaction, so that each has to be in the world before the next."""
    return job.wants_state_roots and not job.rules.receipt_has_status
