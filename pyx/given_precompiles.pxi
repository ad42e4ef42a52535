# Floor 8: precompiles in Python, which a caller gives to an execution; they may call contracts within it.
from cpython.pythread cimport PyThread_get_thread_ident

from core.base.status cimport Kind, kind_of, Status
from core.base.types cimport Address, ByteView, u256
from core.rules.rules cimport call_depth_limit
from core.state.journal cimport JournalAccount
from core.vm.frame cimport GivenPrecompiles, Machine, Request


class _OutOfGas(Exception):
    """A precompile has charged more than there was."""


cdef class PrecompileCall:
    """What a precompile in Python is asked, and what it may do; good until the function returns.

    input                  the call data
    caller, value          of the call, in wei
    address, code_address  whose storage is used, and the precompile's own
    is_static, depth       whether nothing may be changed; 1 is the outermost
    """
    cdef Machine* machine  # NULL once the function has returned
    cdef Request request   # as it was asked
    cdef unsigned long thread
    cdef Status failure    # why the execution can't go on; RUNNING: it can
    cdef readonly bytes input
    cdef readonly bytes caller
    cdef readonly bytes address
    cdef readonly bytes code_address
    cdef readonly object value
    cdef readonly bint is_static
    cdef readonly int depth

    def __init__(self):
        raise TypeError("PrecompileCall: is made by an execution")

    cdef int check_open(self) except -1:
        if self.machine == NULL:
            raise errors.EvmError("the call of the precompile has ended")
        if self.thread != PyThread_get_thread_ident():
            raise errors.EvmError("the call of the precompile belongs to another thread")
        return 0

    @property
    def gas(self):
        """Gas that is left to it."""
        self.check_open()
        return self.request.gas

    def charge(self, gas):
        """Use gas; where there isn't so much, the call fails for want of it, whatever the function does then."""
        cdef uint64_t amount = to_u64(gas, "gas")
        self.check_open()
        if amount > <uint64_t>self.request.gas:
            self.request.gas = -1
            raise _OutOfGas
        self.request.gas -= <int64_t>amount

    def call(self, to, data=b"", *, value=0, gas=None, static=False):
        """Call a contract, as the account that the precompile acts for; what it changes stays if the whole does.

        to      20 bytes
        gas     None: all but a 64th of what is left. What is used of it is charged
        return  CallResult, without logs, which are the execution's
        """
        cdef bytes given = to_data(data, "data")
        cdef ByteView view = view_bytes(given)
        cdef Address target = to_address_value(to, "to")
        cdef u256 wei = to_word(value, "value")
        cdef int64_t limit
        cdef cbool holds_still
        cdef Status status
        cdef Machine* m = self.machine
        self.check_open()
        check_nesting()
        if not isinstance(static, bool):
            raise TypeError(f"static: expected a bool, got {type(static).__name__}")
        if self.request.gas < 0:
            raise _OutOfGas
        limit = self.request.gas - self.request.gas // 64
        if gas is not None:
            limit = <int64_t>min(to_u64(gas, "gas"), <uint64_t>limit)
        holds_still = self.is_static or static
        if holds_still and not wei.is_zero():
            raise ValueError("static: a static call has no value")
        if self.failure != Status.RUNNING:
            raise errors.EvmError("the execution has failed")
        if m.depth + 2 > call_depth_limit:
            return make_nested_result(Status.CALL_DEPTH_EXCEEDED, 0, limit, b"")
        if not m.journal.can_pay(self.request.target, wei):
            return make_nested_result(Status.INSUFFICIENT_BALANCE, 0, limit, b"")
        # `self` is closed meanwhile: a tracer's or another precompile's code may run within.
        self.machine = NULL
        with nogil:
            status = run_nested(m, self.request.target, target, view, wei, limit, holds_still)
        self.machine = m
        if kind_of(status) == Kind.BROKEN:
            self.failure = status
            raise errors.EvmError("the execution has failed")
        self.request.gas -= limit - m.gas_left
        return make_nested_result(status, limit - m.gas_left, m.gas_left, from_bytes(m.return_data))


cdef object make_nested_result(Status status, int64_t used, int64_t left, bytes output):
    return _types().CallResult(status_name(status), used, left, 0, output, ())


cdef Status run_nested(Machine* m, JournalAccount* caller, const Address& to, ByteView data, const u256& value, int64_t gas,
                       cbool is_static) noexcept nogil:
    """A call out of a precompile: its frames lie above those that there are. How it ended; gas left is in `m.gas_left`."""
    cdef Request asked = m.request
    cdef cbool was_nested = m.is_nested
    cdef Request* request = &m.request
    cdef JournalAccount* target = m.journal.account(to)
    cdef uint64_t kept = 0
    cdef uint64_t size
    cdef Status status
    if target == NULL:
        return m.journal.failure
    m.journal.warm(target)
    request.gas = gas
    request.target = target
    request.payer = caller
    if value.is_zero():
        request.payer = NULL
    request.code_address = target.address
    request.caller = caller.address
    request.value = value
    request.is_static = is_static
    request.is_create = request.is_delegated = False
    request.input = data
    request.input_begin = request.output_begin = request.output_size = 0
    request.new_account_gas = 0
    request.code = m.journal.read_code(target)
    status = m.journal.failure
    if status == Status.RUNNING and m.rules.has_delegation and request.code != NULL and request.code.is_delegation():
        status = follow_delegation(m)
    if status == Status.RUNNING and m.depth >= 0:
        # The input of an inner frame lies in its caller's memory, which moves: it gets a place behind that.
        kept = m.frames[m.depth].memory_size
        size = (data.size + 31) // 32 * 32
        if m.memory.reserve(m.frames[m.depth].memory_begin + kept + size):
            request.input_begin = m.frames[m.depth].memory_begin + kept
            m.memory.clear(request.input_begin, request.input_begin + size)
            if data.size != 0:
                memcpy(m.memory.data() + request.input_begin, data.data, data.size)
            request.input = ByteView(m.memory.data() + request.input_begin, data.size)
            m.frames[m.depth].memory = m.memory.data() + m.frames[m.depth].memory_begin
            m.frames[m.depth].memory_size = kept + size
        else:
            status = Status.OUT_OF_MEMORY
    if status == Status.RUNNING:
        m.is_nested = True
        status = run_request(m)
        m.is_nested = was_nested
        if kind_of(status) != Kind.BROKEN and m.depth >= 0:
            m.frames[m.depth].memory_size = kept
    m.request = asked
    return status


cdef class _GivenPrecompiles:
    """The functions by their addresses, as the machine knows them."""
    cdef GivenPrecompiles native
    cdef dict functions
    cdef _Lease lease

    def __init__(self, given):
        self.functions = {}
        for address, function in dict(given).items():
            if not callable(function):
                raise TypeError(f"precompiles: {shown(function)} is no function")
            self.functions[from_address_bytes(to_address_value(address, "precompiles"))] = function
        for address in self.functions:
            or_memory_error(self.native.addresses.push_back(to_address_value(address, "precompiles")))
        self.native.context = <void*>self
        self.native.run = evmcore_precompile

    cdef void begin(self, _Lease lease) noexcept:
        """Serve the lease's machine until its work is finished."""
        self.lease = lease
        lease.machine.given_precompiles = &self.native


cdef Status ask_precompile(void* context, Machine* m) noexcept with gil:
    evmcore_has_gil()
    cdef _GivenPrecompiles given = <_GivenPrecompiles>context
    cdef PrecompileCall asked
    try:
        asked = PrecompileCall.__new__(PrecompileCall)
        asked.machine = m
        asked.request = m.request
        asked.thread = PyThread_get_thread_ident()
        asked.failure = Status.RUNNING
        asked.input = from_view(m.request.input)
        asked.caller = from_address_bytes(m.request.caller)
        asked.address = from_address_bytes(m.request.target.address)
        asked.code_address = from_address_bytes(m.request.code_address)
        asked.value = to_int(m.request.value)
        asked.is_static = m.request.is_static
        asked.depth = m.depth + 2
        return run_precompile_in_python(given.functions[asked.code_address], asked, m)
    except BaseException as error:
        if given.lease.error is None:
            given.lease.error = error
    return Status.ABORTED


cdef Status run_precompile_in_python(object function, PrecompileCall asked, Machine* m) except *:
    cdef Status status = Status.SUCCESS
    output = b""
    try:
        returned = function(asked)
        output = b"" if returned is None else to_data(returned, "a precompile's output")
    except errors.Revert as error:
        status, output = Status.REVERT, error.output
    except _OutOfGas:
        status = Status.OUT_OF_GAS
    except errors.EvmError:
        if asked.failure == Status.RUNNING:
            raise
    finally:
        asked.machine = NULL
    if asked.failure != Status.RUNNING:
        return asked.failure
    if asked.request.gas < 0:
        return Status.OUT_OF_GAS
    m.request.gas = asked.request.gas
    m.return_data.clear()
    assign_bytes(&m.return_data, output)
    return status


evmcore_ask_precompile = ask_precompile
