# Floor 8: many calls, transactions or bundles of both, each on the same state, on all workers and without the GIL.
from libc.string cimport memset

from core.base.status cimport is_limit, Kind, kind_of, Status
from core.base.types cimport Bytes, u256
from core.base.vector cimport Vector
from core.math.u256 cimport plus, to_big_endian
from core.parallel.engine cimport Engine
from core.state.journal cimport JournalAccount, JournalSlot
from core.state.view cimport MissingKey, StateView
from core.state.world cimport World
from core.vm.block_job cimport BlockJob
from core.vm.frame cimport Machine
from core.vm.outcome cimport Outcome
from core.vm.simulation cimport AskedSlot, SimulatedItem, SimulatedRow, Simulation, SimulationFault, SimulationWorker


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
    cdef _SimulationJob* job = <_SimulationJob*>context
    cdef Machine* m = &job.engine.workers[worker].machine
    cdef size_t count = job.simulation.todo.size()
    cdef size_t at
    cdef size_t i
    if worker >= <int>job.simulation.workers.size():
        return
    open_machine(m, job.job)
    while not m.poll.abort.load():
        at = job.engine.next_item.fetch_add(SIMULATION_CLAIM)
        if at >= count:
            return
        for i in range(at, min(at + SIMULATION_CLAIM, count)):
            if not simulate_bundle(job, m, worker, job.simulation.todo[i]):
                stop_workers(job.engine)
                return


cdef cbool simulate_bundle(_SimulationJob* job, Machine* m, int worker, uint32_t bundle) noexcept nogil:
    """Execute the items of a bundle. False: nobody is to go on."""
    cdef Simulation* simulation = job.simulation
    cdef SimulationWorker* own = simulation.workers[worker]
    cdef size_t begin = simulation.bundle_begin(bundle)
    cdef size_t end = simulation.bundle_ends[bundle]
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
    cdef const SimulatedItem* item = &job.simulation.items[place]
    cdef SimulatedRow* row = &job.simulation.rows[place]
    cdef Outcome* out = &own.outcome
    cdef StateView view = world.view()
    cdef JournalAccount* sender
    cdef Status status
    memset(row, 0, sizeof(SimulatedRow))
    out.has_contract = False
    out.gas_used = out.gas_refund = 0
    out.output.clear()
    if item.transaction != NULL:
        status = apply_transaction(m, &view, item.transaction, &job.job.blobs, NULL, False, out)
    else:
        if not job.simulation.fill(&own.message, item[0]):
            return Status.OUT_OF_MEMORY
        if item.is_create:
            m.journal.begin(&view)
            sender = m.journal.account(item.sender)
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
    if item.transaction == NULL:
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


cdef class _Simulation:
    """What is asked, with the Python objects it borrows from."""
    cdef Simulation core
    cdef list transactions

    def __cinit__(self):
        self.transactions = []

    cdef int add(self, object item, uint64_t gas_limit) except -1:
        cdef SimulatedItem made
        if isinstance(item, Transaction):
            self.transactions.append(item)
            made.transaction = core_transaction(item)
        elif isinstance(item, dict):
            self.read_message(<dict>item, gas_limit, &made)
        else:
            raise TypeError(f"calls: expected a dict or a Transaction, got {type(item).__name__}")
        append_to(self.core.items, made)
        return 0

    cdef int read_message(self, dict item, uint64_t gas_limit, SimulatedItem* made) except -1:
        cdef bytes data
        made.gas = min(gas_limit, <uint64_t>INT64_MAX)
        made.is_create = True
        for name, value in item.items():
            if name == "to":
                made.is_create = value is None
                if value is not None:
                    made.to = to_address_value(value, "to")
            elif name == "sender":
                made.sender = to_address_value(value, "sender")
            elif name == "data":
                data = to_data(value, "data")
                made.data_begin, made.data_size = self.core.data.size(), <size_t>len(data)
                or_memory_error(self.core.data.append(<const uint8_t*><const char*>data, len(data)))
            elif name == "value":
                made.value = to_word(value, "value")
            elif name == "gas":
                if value is not None:
                    made.gas = min(to_u64(value, "gas"), <uint64_t>INT64_MAX)
            elif name == "gas_price":
                made.gas_price = to_word(value, "gas_price")
            else:
                raise TypeError(f"calls: a message has no {shown(name)}")
        return 0

    cdef int want(self, object balances, object slots) except -1:
        cdef AskedSlot asked
        for address in balances:
            append_to(self.core.balances, to_address_value(address, "balances"))
        for item in slots:
            address, key = to_parts(item, 2, "slots", "(address, slot)")
            asked.address, asked.key = to_address_value(address, "slots"), to_word(key, "slots")
            append_to(self.core.slots, asked)
        return 0


def _simulate(State state not None, header, bundles, is_bundled, workers, balances, slots):
    """simulate_many's work: (rows, outputs, values) as bytes. `bundles`: items, or iterables of items."""
    cdef _Simulation asked = _Simulation()
    cdef _Job job = _Job()
    cdef _Fetcher fetcher = None
    cdef uint64_t gas_limit
    cdef size_t count = 0
    cdef int worker_count = worker_count_of(workers)
    cdef uint32_t i
    cdef Bytes outputs
    fill_context(job, header)
    gas_limit = job.job.context.gas_limit
    asked.want(balances, slots)
    for bundle in bundles:
        if is_bundled:
            for item in bundle:
                asked.add(item, gas_limit)
        else:
            asked.add(bundle, gas_limit)
        append_to(asked.core.bundle_ends, asked.core.items.size())
        check_often(&count)
    if asked.core.bundle_ends.size() > 0xFFFF0000:
        raise ValueError(f"bundles: {asked.core.bundle_ends.size()} are too many")
    for i in range(<uint32_t>asked.core.bundle_ends.size()):
        append_to(asked.core.todo, i)
    worker_count = min(worker_count, <int>max(1, asked.core.todo.size() // SIMULATION_CLAIM))
    or_memory_error(asked.core.open(<size_t>worker_count))
    while not asked.core.todo.empty():
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
    or_memory_error(asked.core.gather(&outputs))
    return (bytes_of(asked.core.rows.data(), asked.core.rows.size() * sizeof(SimulatedRow)), from_bytes(outputs),
            bytes_of(asked.core.values.data(), asked.core.values.size() * 32))


cdef list simulate_todo(_Simulation asked, _Job job, State state, int worker_count):
    """Run the bundles that are left; (bundle, MissingState) of those that lack something. Raises what else stands in the way."""
    cdef Simulation* core = &asked.core
    cdef _SimulationJob work
    cdef _Lease lease
    cdef list copies = []
    cdef Vector[World*] worlds
    cdef const SimulationFault* fault
    cdef size_t i
    cdef size_t k
    cdef bint is_written = False
    for i in range(core.todo.size()):
        is_written = is_written or core.bundle_ends[core.todo[i]] - core.bundle_begin(core.todo[i]) > 1
    for i in range(<size_t>worker_count if is_written else 0):
        copies.append(state.copy())
        append_to(worlds, (<State>copies[i]).writer())
    for i in range(core.workers.size()):
        core.workers[i].faults.clear()
    job.world = state.shared()
    lease = lease_engine(worker_count)
    work.simulation, work.job, work.engine = core, &job.job, lease.engine
    work.world, work.worlds = job.world.get(), worlds.data()
    lease.engine.next_item.store(0)
    with nogil:
        run_on_workers(lease.engine, simulate_on_worker, &work)
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
    if first is not None:
        check_local(job.world.get())
        raise_outcome(<Status><uint8_t>first[1], u256(), u256(), MissingKey(), first[2], None, NULL)
    missed.sort(key=lambda pair: pair[0])
    return missed
