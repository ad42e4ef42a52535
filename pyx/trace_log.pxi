# Floor 8: a run as rows, natively recorded. evmcore/traces makes arrays and go-ethereum's answers of them.
from core.base.types cimport Address
from core.base.vector cimport Vector
from core.vm.frame cimport Tracer
from core.vm.trace_log cimport CallRow, HashRow, LogRow, StepRow, TraceLogRows


cdef class TraceLog(BaseTracer):
    """Records a run's calls, and, if wanted, its instructions: the rows of core/vm/trace_log.hpp, as bytes. evmcore.traces.Trace shows them.

    Each run forgets the one before.
    """
    cdef TraceLogRows* rows

    def __cinit__(self):
        self.rows = make_trace_log()
        if self.rows == NULL:
            raise MemoryError("a trace")

    def __dealloc__(self):
        free_trace_log(self.rows)

    def __init__(self, *, steps=False, counts=False, data=True, memory=False, stack=None, opcodes=None, addresses=None,
                 depth=None, limit=None, skip=0, hashes=0, last_memory=False):
        cdef uint64_t ops[4]
        cdef Vector[Address] wanted
        wants = bool(steps), bool(counts), bool(data), bool(memory), bool(last_memory)
        stack_most = 1024 if stack is None else number_between(stack, 0, 1024, "stack")
        first, last = ((1, 1025) if depth is None else to_parts(depth, 2, "depth", "(first, last)") if isinstance(depth, tuple)
                       else (1, depth))
        first, last = number_between(first, 1, 1025, "depth"), number_between(last, 1, 1025, "depth")
        most = UINT64_MAX if limit is None else to_u64(limit, "limit")
        skipped = to_u64(skip, "skip")
        hash_most = number_between(hashes, 0, 0xFFFFFFFF, "hashes")
        for i in range(4):
            ops[i] = UINT64_MAX if opcodes is None else 0
        for opcode in () if opcodes is None else opcodes:
            number = number_between(opcode, 0, 255, "opcodes")
            ops[number // 64] |= <uint64_t>1 << <int>(number % 64)
        for address in () if addresses is None else addresses:
            or_memory_error(wanted.push_back(to_address_value(address, "addresses")))
        if addresses is not None and wanted.empty():
            last, first = 1, 1025  # of no frame
        if self.is_busy:
            raise errors.EvmError("the tracer is at work on a run")
        (self.rows.wants_steps, self.rows.wants_counts, self.rows.wants_data, self.rows.wants_memory,
         self.rows.wants_last_memory) = wants
        self.rows.hash_most, self.rows.steps_skipped = hash_most, skipped
        self.rows.stack_most, self.rows.steps_most = stack_most, most
        self.rows.depth_least, self.rows.depth_most = first, last
        for i in range(4):
            self.rows.ops[i] = ops[i]
        self.rows.addresses.swap(wanted)
        self.rows.clear()

    cdef Tracer* tracer(self) noexcept:
        return self.rows.tracer()

    cdef int prepare(self) except -1:
        self.rows.clear()
        return BaseTracer.prepare(self)

    cdef void write_rest(self) noexcept:
        if self.rows.is_out_of_memory:
            self.rows.is_out_of_memory = False
            self.recorder.is_out_of_memory = True
        if self.rows.is_over_limit and self.error is None:
            self.error = errors.ResourceLimit(f"a trace: more than the {self.rows.bytes_most} bytes that it may keep")
        BaseTracer.write_rest(self)

    @property
    def limit_bytes(self):
        """How many bytes a run may leave here; one that would leave more ends with ResourceLimit. None: as many as there is memory for."""
        return None if self.rows.bytes_most == UINT64_MAX else self.rows.bytes_most

    @limit_bytes.setter
    def limit_bytes(self, value):
        cdef uint64_t most = UINT64_MAX if value is None else to_u64(value, "limit_bytes")
        self.check_idle()
        self.rows.bytes_most = most

    cdef int check_idle(self) except -1:
        """The rows hold still."""
        if self.is_busy:
            raise errors.EvmError("the tracer is at work on a run")
        return 0

    def call_rows(self):
        """The rows of calls, in the order in which they began."""
        self.check_idle()
        return bytes_of(self.rows.calls.data(), self.rows.calls.size() * sizeof(CallRow))

    def step_rows(self):
        """The rows of steps, in their order."""
        self.check_idle()
        return bytes_of(self.rows.steps.data(), self.rows.steps.size() * sizeof(StepRow))

    def log_rows(self):
        """(call, position) of each log that was kept, in the order of the receipts'."""
        self.check_idle()
        return bytes_of(self.rows.logs.data(), self.rows.logs.size() * sizeof(LogRow))

    def words(self):
        """The stack's items that were kept, of all steps: 32 bytes each, little-endian."""
        self.check_idle()
        return bytes_of(self.rows.words.data(), self.rows.words.size() * 32)

    def opcode_counts(self):
        """How often each instruction was executed, by its number: 256 numbers."""
        self.check_idle()
        return tuple([self.rows.counts[i] for i in range(256)])

    def data(self, uint64_t begin, uint64_t size):
        """Bytes that a row points to."""
        self.check_idle()
        if begin > self.rows.data.size() or size > self.rows.data.size() - begin:
            raise IndexError(f"bytes {begin} to {begin + size} of {self.rows.data.size()}")
        return bytes_of(self.rows.data.data() + begin, size)

    def memories(self):
        """The memories that steps have kept, one after the other."""
        self.check_idle()
        return bytes_of(self.rows.memories.data(), self.rows.memories.size())

    def last_memories(self):
        """The memories that frames had as they ended, one after the other."""
        self.check_idle()
        return bytes_of(self.rows.last_memories.data(), self.rows.last_memories.size())

    def hash_rows(self):
        """(call, size) of each input of a KECCAK256 that was kept."""
        self.check_idle()
        return bytes_of(self.rows.hashes.data(), self.rows.hashes.size() * sizeof(HashRow))

    def hashed(self):
        """Those inputs, one after the other."""
        self.check_idle()
        return bytes_of(self.rows.hashed.data(), self.rows.hashed.size())

    @property
    def steps_left_out(self):
        """Steps beyond `limit`."""
        self.check_idle()
        return self.rows.steps_left_out


cdef bytes bytes_of(const void* data, size_t size):
    return b"" if size == 0 else (<const char*>data)[:size]


cdef extern from *:
    """
    static evmcore::TraceLog* evmcore_make_trace_log() noexcept { return new (std::nothrow) evmcore::TraceLog; }
    static void evmcore_free_trace_log(evmcore::TraceLog* log) noexcept { delete log; }
    """
    TraceLogRows* make_trace_log "evmcore_make_trace_log"() nogil
    void free_trace_log "evmcore_free_trace_log"(TraceLogRows*) nogil
