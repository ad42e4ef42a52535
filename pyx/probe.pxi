# Floor 8: small doors for tests: the machines that no public function shows by themselves.
from core.base.status cimport Status
from core.base.transaction cimport CTransaction
from core.base.types cimport Hash, u256
from core.crypto.keccak cimport c_keccak256_x4
from core.crypto.secp256k1 cimport recover_public_key, recover_public_key_portable, sign_recoverable_portable, Signature
from core.math.prepared_modulus cimport c_mulmod, PreparedModulus
from core.math.u256 cimport (
    add_overflow, bit_length, c_addmod, c_byte, c_div, c_exp, c_leading_zeros, c_mod, c_mul_overflow, c_negative,
    c_sar, c_sdiv, c_shl, c_shr, c_sign_extend, c_signed_less, c_smod, c_square, c_sub_borrow, c_times, from_big_endian,
    less, minus, mul_u64_overflow, plus, to_big_endian)
from core.parallel.pool cimport AtomicSize
from core.parallel.schedule_point cimport schedule_enter, schedule_leave
from core.parallel.scheduler cimport Claim, Scheduler
from core.state.effects cimport Effects, SlotEffect
from core.state.view cimport StateView
from core.vm.outcome cimport Outcome


cdef PreparedModulus probed_modulus


def probe_u256(name, a, b=0, c=0):
    """One operation of core/math/u256.hpp on ints below 2**256; (overflowed, result) where it tells of an overflow."""
    cdef u256 x = to_word(a, "a")
    cdef u256 y = to_word(b, "b")
    cdef u256 z = to_word(c, "c")
    cdef u256 out
    cdef cbool overflowed
    if name == "add_overflow":
        overflowed = add_overflow(x, y, &out)
        return overflowed, to_int(out)
    if name == "sub_borrow":
        overflowed = c_sub_borrow(x, y, &out)
        return overflowed, to_int(out)
    if name == "mul_overflow":
        overflowed = c_mul_overflow(x, y, &out)
        return overflowed, to_int(out)
    if name == "mul_u64_overflow":
        overflowed = mul_u64_overflow(x, y.limb[0], &out)
        return overflowed, to_int(out)
    if name == "less":
        return less(x, y)
    if name == "signed_less":
        return c_signed_less(x, y)
    if name == "leading_zeros":
        return c_leading_zeros(x)
    if name == "bit_length":
        return bit_length(x)
    if name == "add":
        out = plus(x, y)
    elif name == "sub":
        out = minus(x, y)
    elif name == "negative":
        out = c_negative(x)
    elif name == "mul":
        out = c_times(x, y)
    elif name == "square":
        out = c_square(x)
    elif name == "div":
        out = c_div(x, y)
    elif name == "mod":
        out = c_mod(x, y)
    elif name == "sdiv":
        out = c_sdiv(x, y)
    elif name == "smod":
        out = c_smod(x, y)
    elif name == "addmod":
        out = c_addmod(x, y, z)
    elif name == "mulmod":
        out = c_mulmod(x, y, z, &probed_modulus)
    elif name == "exp":
        out = c_exp(x, y)
    elif name == "shl":
        out = c_shl(x, y)
    elif name == "shr":
        out = c_shr(x, y)
    elif name == "sar":
        out = c_sar(x, y)
    elif name == "byte":
        out = c_byte(x, y)
    elif name == "sign_extend":
        out = c_sign_extend(x, y)
    else:
        raise ValueError(f"no operation {name!r}")
    return to_int(out)


def probe_keccak_of_four(messages):
    """The keccak-256 of four messages, computed side by side."""
    cdef const uint8_t* data[4]
    cdef size_t sizes[4]
    cdef Hash hashes[4]
    cdef Hash* out[4]
    cdef int i
    kept = [to_data(message, "message") for message in messages]
    if len(kept) != 4:
        raise ValueError(f"messages: {len(kept)}, not four")
    for i in range(4):
        data[i] = <const uint8_t*><const char*>(<bytes>kept[i])
        sizes[i] = len(kept[i])
        out[i] = &hashes[i]
    c_keccak256_x4(data, sizes, out)
    return tuple(from_hash_bytes(hashes[i]) for i in range(4))


def probe_checkpoints(State state not None):
    """How many checkpoints of the state are open: snapshots, and those of calls at work."""
    return state.reader().checkpoint_count()


# ---------------------------------------------------------------- what a run depends on


cdef extern from *:
    """
    namespace evmcore {
    // A state whose slots are all to be tracked.
    struct TrackedView {
        StateView below;
        StateView view() noexcept {
            StateView view;
            view.context = this;
            view.account = [](void* context, const Address& address, AccountState* out) noexcept {
                const StateView& below = static_cast<TrackedView*>(context)->below;
                const Status status = below.account(below.context, address, out);
                out->is_tracked = true;
                return status;
            };
            view.slot = [](void* context, const Address& address, uint32_t place, const u256& key, SlotState* out) noexcept {
                const StateView& below = static_cast<TrackedView*>(context)->below;
                return below.slot(below.context, address, place, key, out);
            };
            return view;
        }
    };
    }
    """
    cppclass TrackedView "evmcore::TrackedView":
        StateView below
        StateView view() nogil


def probe_slots(State state not None, header, to, data=b"", gas=1_000_000):
    """A call with value tracking of `to`: (call result, {slot: (seen, value, bounds)}).

    bounds  (lowest, highest) of what the slot might have been when the call began, if the execution depends on no more than that
            and changes it by a difference; None: it depends on the exact value
    """
    cdef CTransaction tx
    cdef _Job job = _Job()
    cdef _Lease lease
    cdef TrackedView tracked
    cdef StateView view
    cdef Outcome out
    cdef Effects effects
    cdef SlotEffect* slot
    cdef Status status
    cdef size_t i
    tx.to = to_address_value(to, "to")
    assign_bytes(&tx.data, to_data(data, "data"))
    tx.gas_limit = to_u64(gas, "gas")
    fill_context(job, header)
    job.world = state.shared()
    tracked.below = job.world.get().view()
    view = tracked.view()
    lease = lease_machine()
    open_machine(lease.machine, &job.job)
    lease.machine.track_values(True)
    with nogil:
        status = run_call(lease.machine, &view, &tx, &out)
        lease.machine.journal.extract(&effects)
    lease.finish()
    slots = {}
    for i in range(effects.slots.size()):
        slot = &effects.slots[i]
        bounds = None
        if slot.has_range():
            bounds = to_int(effects.ranges[slot.range].lowest), to_int(effects.ranges[slot.range].highest)
        if from_address_bytes(effects.accounts[slot.account].address) == to:
            slots[to_int(slot.key)] = to_int(slot.seen), to_int(slot.value), bounds
    return make_call_result(status, &out, tx.gas_limit, 0), slots


# ---------------------------------------------------------------- the scheduler, with counters for work

from libc.stdlib cimport calloc, free


cdef extern from "<thread>" namespace "std::this_thread" nogil:
    void yield_processor "std::this_thread::yield"()


cdef cppclass Counters:
    Scheduler scheduler
    vector[uint32_t] needs     # of each index, the lower one whose value it adds 1 to; itself: none
    AtomicSize* committed
    vector[uint64_t] seen
    uint64_t executions
    uint64_t aborted
    uint64_t order             # the indices as they were committed, hashed in turn


cdef uint64_t value_below(Counters* c, uint32_t i) noexcept nogil:
    """What i counts on, as it is now."""
    return 0 if c.needs[i] == i else c.committed[c.needs[i]].load()


cdef void commit_counter(Counters* c, uint32_t i) noexcept nogil:
    c.committed[i].store(value_below(c, i) + 1)
    c.order = c.order * 31 + i


cdef void count_ahead(Counters* c, uint32_t i) noexcept nogil:
    """Execute i on what is committed so far, without waiting for what it needs."""
    c.seen[i] = value_below(c, i)
    c.scheduler.set_executed(i)


cdef void commit_counters(Counters* c) noexcept nogil:
    cdef uint32_t i
    cdef cbool was_aborted
    if not c.scheduler.try_begin_commit():
        return
    while c.scheduler.ready(&i):
        was_aborted = c.seen[i] != value_below(c, i)
        c.executions += 1 + was_aborted
        c.aborted += was_aborted
        commit_counter(c, i)
        c.scheduler.advance(was_aborted)
    c.scheduler.end_commit()


cdef void work_on_counters(void* context, int worker) noexcept nogil:
    cdef Counters* c = <Counters*>context
    cdef Claim claim
    cdef uint32_t i = 0, end = 0
    schedule_enter(worker)
    while True:
        commit_counters(c)
        claim = c.scheduler.claim(worker, &i, &end)
        if claim == Claim.DONE:
            break
        if claim == Claim.EXECUTE:
            count_ahead(c, i)
        elif claim == Claim.FALLBACK:
            c.executions += end - i
            for i in range(i, end):
                commit_counter(c, i)
            c.scheduler.finish_fallback(end)
        else:
            yield_processor()
    schedule_leave()


def probe_scheduler(needs, workers, window):
    """(values, executions, aborted, order): counters run by the scheduler. `needs[i]`: the index, i at the most, that i counts on."""
    cdef Counters* c
    cdef uint32_t places = number_between(window, 1, 1 << 20, "window")
    cdef _Lease lease = lease_engine(<int>number_between(workers, 1, 256, "workers"))
    cdef uint32_t i
    lease.poll.hook = NULL  # the caller is worker 0, whom the schedule fuzzer may keep waiting
    c = new Counters()
    try:
        for index in to_list(needs, "needs"):
            i = <uint32_t>c.needs.size()
            number = exact_int(index, "needs")
            if not 0 <= number <= i:
                raise ValueError(f"needs: {shown(number)} at {i}")
            c.needs.push_back(number)
        c.committed = <AtomicSize*>calloc(c.needs.size() + 1, sizeof(AtomicSize))
        if c.committed == NULL:
            raise MemoryError("counters")
        c.seen.resize(c.needs.size())
        if not c.scheduler.reset(<uint32_t>c.needs.size(), places):
            raise MemoryError("a scheduler")
        with nogil:
            lease.engine.pool.run(work_on_counters, c)
        return [c.committed[i].load() for i in range(<uint32_t>c.needs.size())], c.executions, c.aborted, c.order
    finally:
        free(c.committed)
        del c


def probe_sign(message_hash, private_key):
    """(r, s, y_parity) as evmcore's own code signs, whatever library is there; None if the key is out of range."""
    cdef bytes hash_bytes = fixed_bytes(message_hash, 32, "message_hash")
    cdef bytes key = fixed_bytes(private_key, 32, "private_key")
    cdef const uint8_t* hash_data = <const uint8_t*><const char*>hash_bytes
    cdef const uint8_t* key_data = <const uint8_t*><const char*>key
    cdef Signature signature
    if not sign_recoverable_portable(hash_data, key_data, &signature):
        return None
    return to_int(from_big_endian(signature.r)), to_int(from_big_endian(signature.s)), signature.y_parity


def probe_recover(message_hash, r, s, y_parity, *, portable):
    """The public key, 64 bytes, by evmcore's own code or the one in use; None if no key fits."""
    cdef bytes hash_bytes = fixed_bytes(message_hash, 32, "message_hash")
    cdef uint8_t r_bytes[32]
    cdef uint8_t s_bytes[32]
    cdef uint8_t key[64]
    to_big_endian(to_word(r, "r"), r_bytes)
    to_big_endian(to_word(s, "s"), s_bytes)
    if not (recover_public_key_portable if portable else recover_public_key)(
            <const uint8_t*><const char*>hash_bytes, r_bytes, s_bytes, y_parity, key):
        return None
    return (<const char*>key)[:64]
