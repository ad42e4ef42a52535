# Floor 8: many calls, transactions or bundles of both, each on the same state, on all workers and without the GIL.
from libc.string cimport memset

from core.base.status cimport is_limit, Kind, kind_of, Status
from core.base.transaction cimport CTransaction
from core.base.types cimport u256
from core.base.vector cimport Vector
from core.math.u256 cimport plus, to_big_endian
from core.parallel.engine cimport Engine
from core.parallel.engine_cache cimport process_generation
from core.parallel.waiting cimport wait_turn
from core.state.journal cimport JournalAccount, JournalSlot
from core.state.view cimport MissingKey, StateView
from core.state.world cimport World
from core.vm.block_job cimport BlockJob
from core.vm.frame cimport Machine
from core.vm.outcome cimport Outcome
from core.vm.simulation cimport SimulatedRow, Simulation, SimulationFault, SimulationWorker


# What the workers share. `worlds`: one for each of them, to write to; null where no bundle has a second item.
cdef struct _SimulationJob:
    Simulation* simulation
    BlockJob* job
    Engine* engine
    World* world
    World** worlds


cdef enum:
    SIMULATION_CLAIM = 8  # bundles that a worker claims at once


cdef void simulate_on_worker(void* context, int worker) noexcept nogil:
    cdef _SimulationJob copied = (<_SimulationJob*>context)[0]  # the caller's stack is written to by the caller
    cdef _SimulationJob* job = &copied
    cdef Machine* m = &job.engine.workers[worker].machine
    cdef size_t count = job.simulation.todo_count()
    cdef size_t at
    cdef size_t end
    cdef size_t i
    cdef uint32_t turn
    cdef SimulationWorker* own
    if worker >= <int>job.simulation.workers.size():
        return
    own = job.simulation.workers[worker]
    open_machine(m, job.job)
    # The state is the job's, and that of a bundle the worker's: both keep their codes. References would be counted in lines that all write to.
    m.holds_codes = False
    while not m.poll.abort.load():
        at = job.engine.next_item.fetch_add(SIMULATION_CLAIM)
        if at >= count:
            return
        end = min(at + SIMULATION_CLAIM, count)
        turn = 0
        while job.simulation.ready() < end:  # the caller still makes them
            if m.poll.abort.load():
                return
            wait_turn(turn)
            turn += 1
        for i in range(at, end):
            if not simulate_bundle(job, m, own, worker, job.simulation.todo_at(i)):
                stop_workers(job.engine)
                return


cdef cbool simulate_bundle(_SimulationJob* job, Machine* m, SimulationWorker* own, int worker, uint32_t bundle) noexcept nogil:
    """Execute the items of a bundle. False: nobody is to go on."""
    cdef Simulation* simulation = job.simulation
    cdef size_t begin = simulation.bundle_begin(bundle)
    cdef size_t end = simulation.bundle_end(bundle)
    cdef cbool is_written = end - begin > 1
    cdef World* world = job.worlds[worker] if is_written else job.world
    cdef uint64_t checkpoint = 0
    cdef Status status = Status.RUNNING
    cdef size_t item = begin
    if is_written:
        checkpoint = world.checkpoint()
        if checkpoint == 0:
            status = Status.OUT_OF_MEMORY
    while status == Status.RUNNING and item < end:
        status = simulate_item(job, m, own, world, is_written, item)
        simulation.rows[item].bundle = bundle
        simulation.rows[item].worker = <uint16_t>worker
        item += 1
    if checkpoint != 0:
        world.revert(checkpoint)
    if status != Status.RUNNING:
        return note_fault(own, begin if item == begin else item - 1, status, m) and status != Status.ABORTED and status != Status.OUT_OF_MEMORY
    return True


cdef cbool note_fault(SimulationWorker* own, size_t item, Status status, Machine* m) noexcept nogil:
    cdef SimulationFault* fault = own.faults.add()
    if fault == NULL:
        return False
    fault.item = item
    fault.status = status
    fault.missing = own.outcome.missing
    fault.block_number = m.missing_block_number
    return True


cdef Status simulate_item(_SimulationJob* job, Machine* m, SimulationWorker* own, World* world, cbool is_written,
                          size_t place) noexcept nogil:
    """Execute one and fill in its row. RUNNING, or why there is no answer."""
    cdef CTransaction* transaction = job.simulation.transaction(place)
    cdef SimulatedRow* row = &job.simulation.rows[place]
    cdef Outcome* out = &own.outcome
    cdef StateView view = world.view()
    cdef JournalAccount* sender
    cdef Status status
    memset(row, 0, sizeof(SimulatedRow))
    out.has_contract = False
    out.gas_used = out.gas_refund = 0
    out.output.clear()
    if transaction != NULL:
        status = apply_transaction(m, &view, transaction, &job.job.blobs, NULL, False, out)
    else:
        if not job.simulation.fill(&own.message, place):
            return Status.OUT_OF_MEMORY
        if own.message.is_create:
            m.journal.begin(&view)
            sender = m.journal.account(own.message.sender)
            if sender == NULL:
                return give_up(m, m.journal.failure, out)
            own.message.nonce = sender.nonce
        status = run_call(m, &view, &own.message, out)
    row.status = <uint8_t>status
    if kind_of(status) == Kind.BROKEN:
        if not is_limit(status):
            return status
        m.journal.begin(&view)  # what it did is left out: wanted values are those before it
    elif kind_of(status) != Kind.INVALID:
        row.gas_used, row.gas_refund = out.gas_used, out.gas_refund
        row.log_count = <uint32_t>out.logs.size()
        row.output_begin, row.output_size = own.outputs.size(), out.output.size()
        if not own.outputs.append(out.output.data(), out.output.size()):
            return Status.OUT_OF_MEMORY
        if out.has_contract:
            row.has_contract = 1
            memcpy(row.contract, out.contract.bytes, 20)
    status = read_asked(job.simulation, m, place)
    if status != Status.RUNNING:
        return give_up(m, status, out)
    if not is_written or kind_of(<Status>row.status) in (Kind.INVALID, Kind.BROKEN):
        return Status.RUNNING
    if transaction == NULL:
        m.spare_effects.open(&out.effects)
        if not m.journal.extract(&out.effects):
            return Status.OUT_OF_MEMORY
    status = world.apply(out.effects, job.job.rules.deletes_empty_accounts)
    m.spare_effects.close(&out.effects)
    return status


cdef Status read_asked(Simulation* simulation, Machine* m, size_t place) noexcept nogil:
    """The balances and slots that are wanted, as the item leaves them."""
    cdef size_t count = simulation.balances.size() + simulation.slots.size()
    cdef size_t at = place * count
    cdef JournalAccount* account
    cdef JournalSlot* slot
    cdef u256 value
    cdef u256 fee
    cdef size_t i
    for i in range(simulation.balances.size()):
        account = m.journal.peek(simulation.balances[i])
        if account == NULL:
            return m.journal.failure
        # The beneficiary was paid unseen: its balance is the fee alone.
        fee = account.balance if account.has_blind_credit else u256()
        account.has_blind_credit = False
        account = m.journal.account(simulation.balances[i])
        if account == NULL:
            return m.journal.failure
        account.balance = plus(account.balance, fee)
        value = account.balance
        if account.is_destroyed:
            value = u256()
        to_big_endian(value, simulation.values[at + i].bytes)
    at += simulation.balances.size()
    for i in range(simulation.slots.size()):
        account = m.journal.account(simulation.slots[i].address)
        if account == NULL:
            return m.journal.failure
        slot = m.journal.slot(account, simulation.slots[i].key)
        if slot == NULL:
            return m.journal.failure
        value = slot.value
        if account.is_destroyed:
            value = u256()
        to_big_endian(value, simulation.values[at + i].bytes)
    return Status.RUNNING


def _simulate(State state not None, header, items, is_bundled, workers, balances, slots, columns=None):
    """simulate_many's work: (rows, outputs, values) as bytes. `items`: dicts and Transactions, or iterables of them; or how many messages
    there are in `columns`."""
    cdef _Simulation asked = _Simulation()
    cdef _Job job = _Job()
    cdef _Fetcher fetcher = None
    cdef size_t count = 0
    cdef int worker_count = worker_count_of(workers)
    fill_context(job, header)
    asked.want(balances, slots)
    asked.core.default_gas = min(job.job.context.gas_limit, <uint64_t>INT64_MAX)
    if columns is None:
        asked.count(items, is_bundled)
    else:
        asked.take_columns(columns, to_u64(items, "calls"))
    asked.make_rows()
    worker_count = min(worker_count, <int>max(1, asked.core.bundle_count // SIMULATION_CLAIM))
    or_memory_error(asked.core.open(<size_t>worker_count))
    while True:
        missed = simulate_todo(asked, job, state, worker_count)
        if not missed:
            break
        keys = set()
        for bundle, error in missed:
            fetcher = fetcher_for(state, fetcher, error)
            keys.add((error.address, error.slot))
            check_often(&count)
        asked.core.todo.clear()
        for bundle in sorted({bundle for bundle, _ in missed}):
            append_to(asked.core.todo, <uint32_t>bundle)
        fetcher.fetch_missing(missed[0][1], keys - {(missed[0][1].address, missed[0][1].slot)})
    return asked.rows, asked.gather(), asked.values


cdef list simulate_todo(_Simulation asked, _Job job, State state, int worker_count):
    """Execute the bundles that are left; (bundle, MissingState) of those that lack something. Raises what else stands in the way.

    The caller makes what the workers execute, if that isn't done yet, and then is one of them.
    """
    cdef Simulation* core = &asked.core
    cdef _SimulationJob work
    cdef _Lease lease
    cdef list copies = []
    cdef Vector[World*] worlds
    cdef const SimulationFault* fault
    cdef unsigned generation = process_generation()
    cdef bint is_stopped
    cdef size_t i
    cdef size_t k
    for i in range(<size_t>worker_count if asked.has_long_bundles else 0):
        copies.append(state.copy())
        append_to(worlds, (<State>copies[i]).writer())
    for i in range(core.workers.size()):
        core.workers[i].faults.clear()
    job.world = state.shared()
    lease = lease_engine(worker_count)
    work.simulation, work.job, work.engine = core, &job.job, lease.engine
    work.world, work.worlds = job.world.get(), worlds.data()
    lease.engine.next_item.store(0)
    core.set_ready(asked.made)
    lease.engine.pool.start(simulate_on_worker, &work)
    evmcore_begin_nesting()  # what converts an item may be Python code
    try:
        asked.make_items()
        if process_generation() != generation:
            raise errors.EvmError("the process was forked while simulate_many was at work, whose other threads are not here")
        core.set_ready(core.todo_count())
    except BaseException:
        stop_workers(lease.engine)
        raise
    finally:
        evmcore_end_nesting()
        with nogil:
            finish_on_workers(lease.engine, simulate_on_worker, &work)
    is_stopped = lease.poll.abort.load()
    lease.finish()
    first = None
    missed = []
    for i in range(core.workers.size()):
        for k in range(core.workers[i].faults.size()):
            fault = &core.workers[i].faults[k]
            if fault.status == Status.MISSING_STATE:
                try:
                    raise_outcome(fault.status, u256(), u256(), fault.missing, fault.block_number, None, NULL)
                except errors.MissingState as error:
                    missed.append((core.rows[fault.item].bundle, error))
            elif first is None or fault.item < first[0]:
                first = fault.item, <int>fault.status, fault.block_number
    or_memory_error(first is not None or not is_stopped)  # a fault for which there was no room
    if first is not None:
        check_local(job.world.get())
        raise_outcome(<Status><uint8_t>first[1], u256(), u256(), MissingKey(), first[2], None, NULL)
    missed.sort(key=lambda pair: pair[0])
    return missed
