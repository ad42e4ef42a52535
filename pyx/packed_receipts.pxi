# Floor 8: receipts of pieces of a block, as bytes; Python's are made of them when somebody asks.
from core.base.rlp cimport open_rlp_list, RlpReader, RlpWriter
from core.base.status cimport Status
from core.base.types cimport Bytes, ByteView, Hash
from core.base.vector cimport Vector
from core.vm.block_job cimport BlockJob
from core.vm.outcome cimport encode_receipt, Outcome
from core.vm.receipt_codec cimport pack_receipt, PackedReceipt, unpack_receipt


cdef cppclass PackedWalk:
    """A walk over the receipts of one run of bytes."""
    RlpReader items
    Outcome outcome  # the last that was read
    PackedReceipt packed
    Status status

    void open(ByteView view) noexcept nogil:
        this.status = open_rlp_list(view, &this.items)

    cbool next() noexcept nogil:
        """Read one; false at the end, and where the status isn't SUCCESS."""
        if this.status != Status.SUCCESS or this.items.at_end():
            return False
        this.status = unpack_receipt(&this.items, &this.outcome, &this.packed)
        return this.status == Status.SUCCESS


@cython.final
cdef class PackedReceipts:
    """Receipts of consecutive transactions as RLP, in the layout of evmcore/packing.py. Frozen.

    packed  the bytes, of which nothing is taken for granted;  cumulative_gas_used  of what came before in the block, which theirs are without
    raise   DecodeError, which names the receipt and the field
    """
    cdef list runs             # (bytes, cumulative gas before them)
    cdef size_t count
    cdef readonly bint is_whole  # each has a status or a state root, so that there is a root

    def __init__(self, packed, cumulative_gas_used=0):
        cdef bytes data = to_data(packed, "receipts")
        cdef uint64_t before = to_u64(cumulative_gas_used, "cumulative_gas_used")
        cdef PackedWalk walk
        cdef ByteView view = view_bytes(data)
        cdef uint64_t most = 0
        cdef size_t count = 0
        cdef cbool is_whole = True
        with nogil:
            walk.open(view)
            while walk.next():
                count += 1
                most = max(most, walk.outcome.cumulative_gas)
                is_whole = is_whole and (walk.packed.has_status or walk.outcome.has_state_root)
        if walk.status != Status.SUCCESS:
            or_memory_error(walk.status != Status.OUT_OF_MEMORY)
            field = "" if walk.packed.field == NULL else "." + walk.packed.field.decode()
            raise errors.not_rlp(status_name(walk.status), f"receipts[{count}]{field}")
        if most > <uint64_t>0xffffffffffffffff - before:
            raise ValueError(f"receipts: their cumulative gas is up to {most}, with {before} before them")
        self.runs = [(data, before)]
        self.count = count
        self.is_whole = is_whole

    @staticmethod
    def of(BlockResult result not None):
        """Those of a result."""
        cdef PackedReceipts self
        if result.job is None and result.packed is None:
            from evmcore.packing import encode_receipts
            return PackedReceipts(encode_receipts(result.receipts))
        if result.job is None:
            return result.packed
        self = PackedReceipts.__new__(PackedReceipts)
        self.runs = [(packed_outcomes(result.core()), 0)]
        self.count = result.core().outcomes.size()
        self.is_whole = result.core().rules.receipt_has_status or result.core().wants_state_roots
        return self

    @staticmethod
    def joined(parts):
        """Those of several runs, one after the other."""
        cdef PackedReceipts self = PackedReceipts.__new__(PackedReceipts)
        self.runs = []
        self.is_whole = True
        for part in parts:
            if not isinstance(part, PackedReceipts):
                raise TypeError(f"parts: expected PackedReceipts, got {type(part).__name__}")
            self.runs += (<PackedReceipts>part).runs
            self.count += (<PackedReceipts>part).count
            self.is_whole = self.is_whole and (<PackedReceipts>part).is_whole
        return self

    @property
    def packed(self):
        """The bytes of a run by itself. ValueError of several, or where gas is before it."""
        if len(self.runs) != 1 or self.runs[0][1] != 0:
            raise ValueError("receipts: they are of several runs, or have gas before them")
        return self.runs[0][0]

    def __len__(self):
        return self.count

    def __reduce__(self):
        if len(self.runs) == 1:
            return PackedReceipts, self.runs[0]
        return PackedReceipts.joined, ([PackedReceipts(*run) for run in self.runs],)

    def receipts(self):
        """A Receipt each, in order."""
        cdef PackedWalk walk
        cdef size_t count = 0
        made = []
        for data, before in self.runs:
            walk.open(view_bytes(data))
            while walk.next():
                walk.outcome.cumulative_gas += <uint64_t>before
                made.append(make_receipt(&walk.outcome, walk.packed.has_status))
                check_often(&count)
            or_memory_error(walk.status == Status.SUCCESS)
        return tuple(made)

    def root(self):
        """Of the trie of receipts; None where one has neither status nor state root."""
        cdef PackedWalk walk
        cdef Vector[Bytes] encoded
        cdef Vector[ByteView] views
        cdef ByteView view
        cdef uint64_t offset
        cdef size_t i = 0
        cdef cbool is_done = True
        if not self.is_whole:
            return None
        or_memory_error(encoded.resize(self.count) and views.resize(self.count))
        for data, before in self.runs:
            view = view_bytes(data)
            offset = before
            with nogil:
                walk.open(view)
                while is_done and walk.next():
                    walk.outcome.cumulative_gas += offset
                    is_done = encode_receipt(walk.outcome, &encoded[i])
                    i += 1
            or_memory_error(is_done and walk.status == Status.SUCCESS)
            PyErr_CheckSignals()
        for i in range(self.count):
            views[i] = ByteView(encoded[i].data(), encoded[i].size())
        return list_root(views)

    def transaction_gas(self):
        """(execution gas, state gas) of each, in order."""
        cdef PackedWalk walk
        cdef size_t count = 0
        found = []
        for data, _ in self.runs:
            walk.open(view_bytes(data))
            while walk.next():
                found.append((walk.outcome.execution_gas, walk.outcome.state_gas))
                check_often(&count)
            or_memory_error(walk.status == Status.SUCCESS)
        return found


cdef bytes packed_outcomes(BlockJob* core):
    """The receipts of a block's outcomes, packed."""
    cdef Bytes out
    cdef RlpWriter* writer = new RlpWriter(&out)
    cdef size_t list_
    cdef size_t i
    try:
        with nogil:
            list_ = writer.begin_list()
            for i in range(core.outcomes.size()):
                writer.note(pack_receipt(core.outcomes[i], core.rules.receipt_has_status, &out))
            writer.end_list(list_)
        or_memory_error(writer.ok())
    finally:
        del writer
    return from_bytes(out)
