# Floor 8: a block as Python calls it. Convert, release, work, take back, convert.
from core.base.clock cimport evmcore_seconds
from core.base.status cimport Kind, kind_of, Status
from core.base.transaction cimport CTransaction
from core.vm.block_job cimport BlockJob, BlockOmmer, BlockWithdrawal


STRATEGIES = ("auto", "sequential", "groups", "optimistic", "recorded", "recorded-hint", "listed")


def execute_block(block, State state not None, *, workers=None, strategy="auto", state_roots=None, record=False, accesses=None,
                  tracer=None, piece=None, changes=False, witness=False, ancestors=None, access_list=False, predicted=None):
    """Execute a block's transactions on a state, and return what it came to.

    block        header, transactions, ommers, withdrawals; senders are recovered if they are not known
    state        the state before the block; afterwards the state after it
    workers      threads; None: as many as there are processors
    strategy     "sequential", "groups", "optimistic", "recorded" (accesses are given, and one that differs is an error),
                 "recorded-hint" (where one differs the block runs optimistically), "listed" (a list is beside the block: the state root
                 is made meanwhile; "optimistic" where lists don't tell all: before Spurious Dragon, of pieces, witnesses, recorded
                 blocks) or "auto"
    record       whether to keep what each transaction read and wrote, in `BlockResult.accesses`
    accesses     an Accesses of an earlier run, or in the shape of EIP-7928; makes "auto" choose "recorded-hint"
    tracer       told what the transactions do (evmcore.tracing), and of each before and after. They are executed sequentially:
                 `workers` is None or 1, `strategy` "auto" or "sequential", `record` and `accesses` aren't given. An error
                 of the tracer ends the block. On a lazy state a block that misses something is told from its beginning again
    piece        a Piece: these transactions alone are executed, `state` is that before them, and the block's begin and end are left
                 out unless the piece has them; `accesses` are the piece's (`Accesses.piece`). None: the whole block
    state_roots  whether receipts before Byzantium get their state root; None: yes, unless the block's own state is partial
    changes      whether to keep what the block changed of the state, in `BlockResult.changes`: it can't be told later
    witness      whether `BlockResult.witness` is to be what of the state before the block its execution needs: an ExecutionWitness, the
                 same with any strategy. The state is whole, or came from a witness; its root, before and after, is made for it
    ancestors    headers, as Header or RLP, from the oldest to the parent: for the witness, which gets the parent and as many more as
                 BLOCKHASH asks for. None: the witness has no headers
    access_list  whether `BlockResult.access_list` is to be the block's access list (EIP-7928), the same with any strategy. It always is
                 where the fork has them. A list beside the block (`Block.access_list`) is checked first, and has to be the block's own
    predicted    what the transactions may read and write: an Accesses, of this block or another, or for each transaction something with
                 `reads` and `writes` (sets of keys, such as evmcore.layers.Prediction), or None. The optimistic strategy, also as the
                 choice of "auto", begins one that is predicted to conflict when the earlier one is executed, on six workers or more:
                 fewer gain nothing by it. It may be wrong in any way: that costs time, never a result
    return       BlockResult; its `statistics` say how the work went: BlockStatistics
    raise        InvalidTransaction with its index, InvalidBlock, MissingState, MissingBlockHash; the state is then as before.
                 InvalidAccessList, an InvalidBlock, for a list beside the block that isn't its own

    Parallel and sequential execution give the same result. The GIL is free while transactions run.
    Source: Yellow Paper section 11.
    """
    if state.source is not None:
        return execute_lazily(block, state, workers=workers, strategy=strategy, state_roots=state_roots, record=record,
                              accesses=accesses, tracer=tracer, piece=piece, changes=changes, witness=witness,
                              ancestors=ancestors, access_list=access_list, predicted=predicted)
    return _execute_block(block, state, workers, strategy, state_roots, record, accesses, tracer, piece, changes, witness,
                          ancestors, access_list, predicted)


def execute_lazily(block, State state not None, **options):
    """`execute_block` on a state with a source: prefetch, execute, and fetch again what only the true order of the
    transactions has shown to be needed. `statistics` tells of `fetched_batches` and `fetched_keys`."""
    cdef _Fetcher fetcher = _Fetcher(state)
    batches = keys = 0
    if not isinstance(state.source, _WitnessSource):  # workers read that themselves
        batches, keys = prefetch(block, state, workers=options.get("workers"), accesses=options.get("accesses"))
    while True:
        try:
            result = _execute_block(block, state, **options)
        except errors.MissingState as error:
            fetcher.fetch_missing(error)
            continue
        (<BlockResult>result).told["fetched_batches"] = batches + fetcher.batches
        (<BlockResult>result).told["fetched_keys"] = keys + fetcher.keys
        return result


def _execute_block(block, State state not None, workers, strategy, state_roots, record, accesses, tracer, piece, changes,
                   witness, ancestors, access_list, predicted):
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
    if piece is not None:
        open_piece(job, piece)
    if ancestors is not None:
        from evmcore.witness import Ancestors
        ancestors = Ancestors.of(header, ancestors)
    if not isinstance(witness, bool):
        raise TypeError(f"witness: expected a bool, got {type(witness).__name__}")
    if witness:
        want_witness(job, state)
    given = block_list(block, piece)
    core.first_index = <uint32_t>job.first + 1
    if given is not None:
        given.check(header, len(job.transactions))
    if access_list or given is not None or job.job.rules.has_block_access_list:
        core.access_list = &job.list_builder
    for tx in job.transactions:
        append_to(core.transactions, core_transaction(tx))
        check_often(&count)
    withdrawals = None if block.withdrawals is None else tuple(block.withdrawals)
    for item in (withdrawals or ()) if core.ends else ():
        withdrawal.address = to_address_value(item.address, "withdrawal")
        withdrawal.amount_gwei = to_u64(item.amount_gwei, "amount_gwei")
        append_to(core.withdrawals, withdrawal)
    for item in block.ommers if core.ends else ():
        ommer.coinbase = to_address_value(item.coinbase, "ommer")
        ommer.number = to_u64(item.number, "ommer")
        if not core.context.number > ommer.number or core.context.number - ommer.number > 8:
            raise errors.InvalidBlock(f"ommer of block {ommer.number} in block {core.context.number}", status="OMMER_AGE")
        append_to(core.ommers, ommer)
    predicted = predictions_of(predicted, core.transactions.size())
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
    if strategy == "listed" and given is None:
        raise ValueError("strategy: 'listed' needs a list beside the block (block.access_list)")
    if accesses is not None and strategy == "auto":
        strategy = "recorded-hint"
    can_be_listed = not record and core.witness == NULL and core.rules.deletes_empty_accounts
    if strategy == "listed" and not can_be_listed:
        strategy = "optimistic"
    if strategy == "auto":
        work = estimate_block(core, state, worker_count)
        if given is not None and can_be_listed:
            strategy, worker_count = "listed", choose_listed_workers(work, worker_count)
            is_estimated = worker_count == 1  # what several take for a listed block tells of its root as well
        else:
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
    if predicted is not None and strategy in ("optimistic", "recorded-hint"):
        find_predicted(job, predicted, worker_count)
    use = use_to_write(state, "execute_block")
    core.world = use.world
    if core.witness != NULL:
        begin_witness(job, use.world, worker_count)
    use.read_part()
    core.system_accesses.is_wanted = bool(record) or core.access_list != NULL
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
            job.witness.begin_again()
            status = run_with_room(job, worker_count, record, use)
            job.notes["mismatch"] = notes["mismatch"]
        elif record:
            job.accesses = (accesses,)
    elif strategy == "listed":
        status = job.run_listed(worker_count, given, state.source is None and use.world.local() == NULL)
        if status == Status.BLOCK_ACCESS_LIST:
            raise_list_fault(status, job.listed.fault)
    elif strategy == "optimistic" or record:
        status = run_with_room(job, worker_count, record, use)
        if status == Status.OUT_OF_MEMORY and not record:
            # The block writes more cells than speculation may hold; in order it needs none of them.
            use.rewind()
            job.witness.begin_again()
            strategy = "sequential"
            status = job.run_sequentially(machines)
    else:
        status = job.run_sequentially(machines)
    started = evmcore_seconds() - started
    if status != Status.RUNNING:
        if kind_of(status) != Kind.INVALID:  # a fault of its source long ago has nothing to do with it
            check_local(use.world)
        raise_missing_node(use.world)
        if core.failed_index < core.transactions.size():
            buyer = core.transactions[core.failed_index]
        raise_outcome(status, core.have, core.want, core.missing, core.missing_block_number,
                      None if core.failed_index == SIZE_MAX else core.failed_index + job.first, buyer)
    result = BlockResult(job)
    result.withdrawals = withdrawals
    if given is not None:
        if core.access_list != NULL:
            given.compare(result.access_list)
        result.made["access_list"] = given
    if changes:
        result.made["changes"] = Changes.since(use.world, use.checkpoint)
    use.read_part_no_more()  # from here on it is a strict state again
    gas_used = result.gas_used
    job.observed.open(use.state.world)  # without memory the result is whole but for its state root
    result.told = {
        "transactions": core.transactions.size(), "gas_used": gas_used, "workers": worker_count,
        "strategy": strategy, **counts_of(core.counts),
        "recover_seconds": job.recover_seconds, "execute_seconds": started}
    if job.notes is not None:
        result.told.update(job.notes)
        if "critical_path_gas" in job.notes and job.notes["critical_path_gas"]:
            result.told["speedup_bound"] = result.cumulative_gas_used / job.notes["critical_path_gas"]
    if is_estimated:
        if job.notes is None:
            learn_from(work, started - job.recover_seconds, 0)
        elif strategy == "listed":
            learn_from(work, job.listed.transaction_seconds - job.recover_seconds, 0)
        else:
            # What one worker had to do alone was no less in vain for the others.
            learn_from(work, sum(job.notes["busy_seconds"]) - job.recover_seconds,
                       max(core.counts.aborted_gas / max(1, result.cumulative_gas_used),
                           core.counts.fallback_transactions / max(1, core.transactions.size())))
    if job.accesses is not None:
        from evmcore.accesses import Accesses
        result.made["accesses"] = job.accesses[0] if len(job.accesses) == 1 else Accesses.from_rows(*job.accesses)
        job.accesses = None
    result.is_of_witness = isinstance(state.source, _WitnessSource)
    if job.listed.has_root:
        result.made["state_root"] = from_hash_bytes(job.listed.root)
        job.observed.close()
    elif core.witness != NULL:
        result.made["witness"] = finish_witness(job, use.world, worker_count, ancestors, result.made)
        job.observed.close()
    elif result.is_of_witness or use.world.local() != NULL:
        # At once: what is learned of the state later can't be told from what changes later.
        try:
            result.made["state_root"] = from_hash_bytes(make_state_root(use.world, False, worker_count))
            job.observed.close()
        except errors.MissingNode:
            if use.world.local() != NULL:
                raise
            # for who asks for it
    use.keep()
    return result


cdef int open_piece(_Job job, piece) except -1:
    """Leave the transactions of a piece, with what those before it have taken."""
    from evmcore.pieces import Piece
    cdef BlockJob* core = &job.job
    if not isinstance(piece, Piece):
        raise TypeError(f"piece: expected Piece, got {type(piece).__name__}")
    count = len(job.transactions)
    first, last = to_u64(piece.first, "piece.first"), to_u64(piece.last, "piece.last")
    if not first <= last <= count:
        raise ValueError(f"piece: transactions {first} to {last} of a block of {count}")
    core.room_before.gas_used = to_u64(piece.gas_used, "piece.gas_used")
    core.room_before.state_gas_used = to_u64(piece.state_gas_used, "piece.state_gas_used")
    core.room_before.cumulative_gas = to_u64(piece.cumulative_gas_used, "piece.cumulative_gas_used")
    core.room_before.blob_gas_used = to_u64(piece.blob_gas_used, "piece.blob_gas_used")
    if core.room_before.gas_used > core.context.gas_limit:
        raise ValueError(f"piece.gas_used: {core.room_before.gas_used} is more than the block's gas limit, {core.context.gas_limit}")
    if core.room_before.state_gas_used > core.context.gas_limit:
        raise ValueError(
            f"piece.state_gas_used: {core.room_before.state_gas_used} is more than the block's gas limit, {core.context.gas_limit}")
    core.begins, core.ends = bool(piece.begins), bool(piece.ends)
    deposits = to_data(piece.deposits, "piece.deposits")
    or_memory_error(core.deposits_before.append(<const uint8_t*><const char*>deposits, len(deposits)))
    job.transactions = job.transactions[first:last]
    job.first = first
    job.piece = piece
    return 0


cdef Status run_with_room(_Job job, int workers, bint record, _StateUse use) except *:
    """Optimistically. A recorded run, which can't do without versions, gets more room if the block writes more than gas tells."""
    cdef Status status = job.run_optimistically(workers, record, 1)
    for room in (16, 256, 4096) if record else ():
        if status != Status.OUT_OF_MEMORY or job.had_all_room:
            break
        use.rewind()
        job.witness.begin_again()
        status = job.run_optimistically(workers, record, room)
    return status


cdef inline bint needs_order(BlockJob* job):
    """Whether receipts hold a state root after each transaction, so that each has to be in the world before the next."""
    return job.wants_state_roots and not job.rules.receipt_has_status
