# Floor 8: what a run came to, as Python sees it: receipts, the result of a block, exceptions.
from core.base.clock cimport evmcore_seconds
from core.base.status cimport is_limit, Kind, kind_of, Status
from core.base.transaction cimport CTransaction
from core.base.types cimport Bytes, ByteView, Hash, u256
from core.base.vector cimport Vector
from core.base.withdrawal cimport CWithdrawal, encode_withdrawal
from core.parallel.engine_cache cimport process_generation
from core.parallel.waiting cimport wait_turn
from core.rules.rules cimport blob_gas_per_blob
from core.state.view cimport MissingKey
from core.state.world cimport World
from core.vm.block_job cimport BlockJob
from core.vm.outcome cimport append_deposits, deposit_contract_of, encode_receipt

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
    if status == Status.MISSING_STATE and missing.is_code:
        raise errors.MissingCode(from_address_bytes(missing.address), to_int(missing.slot).to_bytes(32, "big"))
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
    cdef PackedReceipts packed     # of pieces: what receipts and their root are made from; None of others
    cdef tuple transactions        # of a block in pieces: what their root is made from; else None
    cdef BlockResult end           # of a block in pieces: its last piece, which has the state root; else None

    def __cinit__(self, job=None):
        if job is not _PICKLED:
            if not isinstance(job, _Job) or (<_Job>job).job.rules == NULL:
                raise TypeError("a BlockResult is what execute_block returns; it can't be made by itself")
            self.job = job
        self.made = {}
        self.told = {}

    # What has to be the same whatever the strategy and the number of workers.
    CONSENSUS = ("receipts", "gas_used", "execution_gas_used", "state_gas_used", "cumulative_gas_used", "blob_gas_used", "logs_bloom", "receipts_root", "transactions_root",
                 "withdrawals_root", "requests", "requests_hash", "state_root")

    KEPT = ("accesses", "access_list", "changes", "piece", "deposits", "witness")  # beside these, when a result is pickled

    def __reduce__(self):
        from evmcore.packing import pack_receipts, squeeze
        packed = pack_receipts(self.receipts) if self.job is None else squeeze(packed_outcomes(self.core()))
        made = {name: packed if name == "receipts" else getattr(self, name) for name in (*self.CONSENSUS, *self.KEPT)}
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
        """As the header has it: the larger of execution and state gas, of the transactions of a piece alone (EIP-8037)."""
        return max(self.execution_gas_used, self.state_gas_used)

    @property
    def execution_gas_used(self):
        """Execution gas of its transactions. Where there is no state gas: gas; else before refunds, which come off receipts alone (EIP-7778)."""
        if self.job is None:
            return self.made["execution_gas_used"]
        return self.core().room.gas_used - self.core().room_before.gas_used

    @property
    def state_gas_used(self):
        """State gas of its transactions, that for making the state grow; 0 before Amsterdam (EIP-8037)."""
        if self.job is None:
            return self.made["state_gas_used"]
        return self.core().room.state_gas_used - self.core().room_before.state_gas_used

    @property
    def cumulative_gas_used(self):
        """What its transactions pay for, all together, as their receipts sum it up. The same as `gas_used` before Amsterdam."""
        if self.job is None:
            return self.made["cumulative_gas_used"]
        return self.core().room.cumulative_gas - self.core().room_before.cumulative_gas

    @property
    def blob_gas_used(self):
        if self.job is None:
            return self.made["blob_gas_used"]
        return self.core().room.blob_gas_used - self.core().room_before.blob_gas_used

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
        if self.packed is not None:
            return self.packed.receipts()
        receipts = []
        for i in range(self.core().outcomes.size()):
            receipts.append(make_receipt(&self.core().outcomes[i], self.core().rules.receipt_has_status))
            check_often(&count)
        return tuple(receipts)

    def _system_logs(self):
        """The Logs of the block's system calls, in order, which no receipt and no bloom has. Not of a result that was pickled."""
        return make_logs(&self.core().system_logs)

    @property
    def transaction_gas(self):
        """What the block counts of each of its transactions: a list of (execution gas, state gas), as the receipts have it."""
        cdef size_t i
        if self.packed is not None:
            return self.packed.transaction_gas()
        if self.job is None:
            return [(receipt.execution_gas_used, receipt.state_gas_used) for receipt in self.receipts]
        return [(self.core().outcomes[i].execution_gas, self.core().outcomes[i].state_gas)
                for i in range(self.core().outcomes.size())]

    @property
    def encoded_receipts(self):
        """Each receipt as the receipts root is made of it, bytes: RLP, after the type byte from type 1 on (EIP-2718)."""
        cdef size_t i
        cdef size_t count = 0
        cdef Bytes encoded
        if self.job is None or not (self.core().rules.receipt_has_status or self.core().wants_state_roots):
            return tuple([receipt.encode() for receipt in self.receipts])
        receipts = []
        for i in range(self.core().outcomes.size()):
            encoded.clear()
            or_memory_error(encode_receipt(self.core().outcomes[i], &encoded))
            receipts.append(from_bytes(encoded))
            check_often(&count)
        return tuple(receipts)

    @property
    def receipts_root(self):
        """Of the receipts trie. None of a piece, and before Byzantium when the state roots that receipts held then were not asked for.
        """
        return self._list_root("receipts_root")

    @property
    def transactions_root(self):
        """Of the trie of the block's transactions; None of a piece."""
        return self._list_root("transactions_root")

    def _list_root(self, str name):
        if self.piece is not None:
            return None
        if name not in self.made:
            self._make_list_roots()
        return self.made[name]

    def _make_list_roots(self):
        """Both roots at once, by the workers that the block had: receipts are encoded in parts, then there is a trie each."""
        cdef Hash receipts_root, transactions_root
        cdef BlockJob* core
        cdef cbool has_receipts
        cdef double began = evmcore_seconds()
        if self.packed is not None:
            self.made["transactions_root"] = ordered_trie_root([transaction.raw for transaction in self.transactions])
            self.made["receipts_root"] = self.packed.root()
            return
        core = self.core()
        has_receipts = core.rules.receipt_has_status or core.wants_state_roots
        make_list_roots(core, has_receipts, self.told["workers"], &receipts_root, &transactions_root)
        self.told["list_roots_seconds"] = evmcore_seconds() - began
        self.made["receipts_root"] = from_hash_bytes(receipts_root) if has_receipts else None
        self.made["transactions_root"] = from_hash_bytes(transactions_root)

    @property
    def withdrawals_root(self):
        """Of the trie of withdrawals; None before Shanghai (EIP-4895)."""
        if self.job is None:
            return self.made["withdrawals_root"]
        if self.withdrawals is None or not self.core().ends:
            return None
        return self.once("withdrawals_root", lambda: withdrawals_root(self.withdrawals))

    @property
    def requests(self):
        """Type byte and data of each kind that is not empty; None before Prague, and of a piece without the block's end (EIP-7685)."""
        cdef size_t i
        if self.job is None:
            return self.made["requests"]
        if not (self.core().rules.has_requests and self.core().ends):
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
        if self.end is not None:
            self.made["state_root"] = self.end.state_root
            return
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
        world = self.job.observed.world()  # counts as a share: a write from here on writes a copy
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

    @property
    def access_list(self):
        """BlockAccessList: what the block reads and changes, index by index (EIP-7928); None unless it was executed with
        `access_list=True`, or its fork has them. Of a piece its part."""
        if "access_list" in self.made:
            return self.made["access_list"]
        if self.core().access_list == NULL:
            return None
        return self.once("access_list", self._make_access_list)

    def _make_access_list(self):
        return BlockAccessList.built(&self.job.list_builder)

    @property
    def access_list_hash(self):
        """keccak-256 of the RLP of `access_list`, 32 bytes; None where there is none."""
        made = self.access_list
        return None if made is None else made.hash

    @property
    def changes(self):
        """Changes: accounts and slots that the block changed, before and after; None unless it was executed with `changes=True`."""
        return self.made.get("changes")

    @property
    def witness(self):
        """The ExecutionWitness of the block; None unless it was executed with `witness=True`."""
        return self.made.get("witness")

    @property
    def piece(self):
        """The Piece that was executed; None: the whole block."""
        return self.made["piece"] if self.job is None else self.job.piece

    @property
    def deposits(self):
        """The data of the deposits that its transactions made, as the request of type 0 has it; None before Prague (EIP-6110).

        Raises InvalidBlock for a log of the deposit contract that is no deposit.
        """
        cdef size_t i
        cdef Bytes found
        cdef Status status
        if self.job is None:
            return self.made["deposits"]
        if not self.core().rules.has_requests:
            return None
        for i in range(self.core().outcomes.size()):
            status = append_deposits(self.core().outcomes[i], deposit_contract_of(self.core().context.chain_id),
                                     self.core().rules.checks_deposit_layout, &found)
            if status != Status.RUNNING:
                or_memory_error(status != Status.OUT_OF_MEMORY)
                raise errors.rejection(status_name(status), status_text(status))
        return from_bytes(found)

    def differences(self, BlockResult other not None):
        """The names of what came out differently, most telling first."""
        return [name for name in self.CONSENSUS if getattr(self, name) != getattr(other, name)]

    def __eq__(self, other):
        if not isinstance(other, BlockResult):
            return NotImplemented
        return not self.differences(other)

    __hash__ = None

    def __repr__(self):
        if self.job is not None:
            count = self.core().transactions.size()
        else:
            count = len(self.receipts if self.packed is None else self.packed)
        return f"<BlockResult: {count} transactions, {self.gas_used} gas>"


_PICKLED = object()  # what a result is made from that was pickled


def _restore_result(made, statistics):
    """What `BlockResult.__reduce__` says."""
    if type(made) is not dict or set(made) != {*BlockResult.CONSENSUS, *BlockResult.KEPT} or type(statistics) is not dict:
        raise TypeError("a pickled BlockResult: not what one is made from")
    if type(made["receipts"]) is bytes:
        from evmcore.packing import unpack_receipts
        made = {**made, "receipts": unpack_receipts(made["receipts"])}
    return result_of(made, statistics)


def _result_of_pieces(made, statistics, PackedReceipts receipts not None, transactions=(), BlockResult end=None):
    """The result of a piece, or with `end`, its last piece, of a block in pieces.

    made  all that results have but receipts and roots, which are made when they are asked for
    """
    if type(made) is not dict or set(made) != {*BlockResult.CONSENSUS, *BlockResult.KEPT} - _MADE_LATER or type(statistics) is not dict:
        raise TypeError("a result of pieces: not what one is made from")
    cdef BlockResult self = result_of(made if end is not None else {**made, "state_root": None}, statistics)
    self.packed = receipts
    self.transactions = tuple(transactions)
    self.end = end
    return self


_MADE_LATER = frozenset(("receipts", "receipts_root", "transactions_root", "state_root"))


def _packed_receipts(BlockResult result not None):
    """The receipts of a result as PackedReceipts."""
    cdef PackedReceipts packed
    if result.job is None and result.packed is None:
        from evmcore.packing import encode_receipts
        return PackedReceipts(encode_receipts(result.receipts))
    if result.job is None:
        return result.packed
    packed = PackedReceipts.__new__(PackedReceipts)
    packed.runs = [(packed_outcomes(result.core()), 0)]
    packed.count = result.core().outcomes.size()
    packed.is_whole = result.core().rules.receipt_has_status or result.core().wants_state_roots
    return packed


cdef BlockResult result_of(dict made, dict statistics):
    cdef BlockResult self = BlockResult.__new__(BlockResult, _PICKLED)
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
