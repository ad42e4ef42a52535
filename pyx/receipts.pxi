# Floor 8: receipts: Python's, made of outcomes, and those of pieces of a block as bytes, of which Python's are made when somebody asks.
from cpython.object cimport PyObject_GenericSetAttr

from core.base.rlp cimport open_rlp_list, RlpReader, RlpWriter
from core.base.status cimport Status
from core.base.types cimport Bytes, ByteView
from core.base.vector cimport Vector
from core.state.journal cimport Log
from core.vm.block_job cimport BlockJob
from core.vm.outcome cimport encode_receipt, Outcome
from core.vm.receipt_codec cimport pack_receipt, PackedReceipt, unpack_receipt


cdef object make_value(object class_, dict fields):
    """A value of a frozen dataclass with slots, of all its fields: its own __init__ makes a Python call for each of them."""
    cdef object value = class_.__new__(class_)
    if len(fields) != len(class_.__slots__):
        raise SystemError(f"{class_.__name__}: {len(fields)} fields given, {len(class_.__slots__)} wanted")
    for name, field in fields.items():
        PyObject_GenericSetAttr(value, name, field)
    return value


cdef object make_logs(const Outcome* out):
    cdef size_t i
    cdef uint32_t t
    cdef const Log* log
    Log_ = _types().Log
    logs = []
    for i in range(out.logs.size()):
        log = &out.logs[i]
        topics = tuple(from_hash_bytes(out.topics[log.topic_begin + t]) for t in range(log.topic_count))
        logs.append(make_value(Log_, {
            "address": from_address_bytes(log.address), "topics": topics,
            "data": (<const char*>out.log_data.data())[log.data_begin:log.data_begin + log.data_size]}))
    return tuple(logs)


cdef object make_receipt(const Outcome* out, cbool has_status):
    """`has_status`: since Byzantium (EIP-658)."""
    return make_value(_types().Receipt, {
        "type": out.type,
        "status": int(out.status == Status.SUCCESS) if has_status else None,
        "cumulative_gas_used": out.cumulative_gas,
        "gas_used": out.gas_used,
        "logs": make_logs(out),
        "logs_bloom": (<const char*>(<Outcome*>out).bloom.data())[:256],
        "contract_address": from_address_bytes(out.contract) if out.has_contract else None,
        "output": from_bytes(out.output),
        "outcome": status_name(out.status),
        "gas_refund": out.gas_refund,
        "effective_gas_price": to_int(out.effective_gas_price),
        "state_root": from_hash_bytes(out.state_root) if out.has_state_root else None,
        "blob_gas_used": out.blob_gas,
        "execution_gas_used": out.execution_gas,
        "state_gas_used": out.state_gas,
    })


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
        return PackedReceipts.joined, ([PackedReceipts(*each) for each in self.runs],)

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
