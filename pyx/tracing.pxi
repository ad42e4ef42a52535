# Floor 8: tracers. A run that is traced reports to one of these; it goes on without the GIL, and a tracer takes that for
# its own moments. The Python side is evmcore/tracing.py.
from core.base.status cimport Kind, kind_of, Status
from core.vm.frame cimport Machine
from core.vm.trace cimport Eip3155Lines, opcode_name, TraceEnter, TraceExit, TraceRecorder, TraceStep

import io as _io


cdef BaseTracer tracer_of(object tracer, bint is_block=False):
    """The native tracer behind what a caller gave; None for None. `is_block`: transactions are told, too."""
    if tracer is None or isinstance(tracer, BaseTracer):
        return tracer
    return _CallbackTracer(tracer, is_block)


cdef class LineTracer(BaseTracer):
    """Writes a run as EIP-3155 lines to a stream. evmcore.tracing.Eip3155 adds the line at the end."""
    cdef Eip3155Lines lines
    cdef readonly object stream
    cdef cbool is_binary
    cdef cbool is_open

    def __init__(self, stream, *, stack=True, memory=False, return_data=True, inner_exits=False, geth=False, frames=False):
        wants_stack, wants_memory, wants_return_data = bool(stack), bool(memory), bool(return_data)
        is_binary = (isinstance(stream, (_io.RawIOBase, _io.BufferedIOBase))
                     or "b" in str(getattr(stream, "mode", "")))
        shows_inner_exits, is_as_geth, shows_frames = bool(inner_exits), bool(geth), bool(frames)
        if shows_frames and not is_as_geth:
            raise ValueError("frames: lines of frames that begin are go-ethereum's; pass geth=True as well")
        if self.is_busy:
            raise errors.EvmError("the tracer is at work on a run")
        self.stream = stream
        self.is_binary = is_binary
        self.recorder.wants_stack = wants_stack
        self.recorder.wants_memory = wants_memory
        self.recorder.wants_return_data = wants_return_data
        self.lines.shows_inner_exits = shows_inner_exits
        self.lines.is_as_geth = is_as_geth
        self.lines.shows_frames = shows_frames
        self.lines.attach(&self.recorder)
        self.lines.flush = evmcore_lines
        self.lines.flush_context = <void*>self
        self.is_open = True

    cdef int prepare(self) except -1:
        if not self.is_open:
            raise errors.EvmError(f"the tracer has no stream: __init__ of {type(self).__name__} didn't call that of LineTracer")
        return BaseTracer.prepare(self)

    cdef void write_rest(self) noexcept:
        if self.lines.is_out_of_memory:
            self.lines.is_out_of_memory = False
            self.recorder.is_out_of_memory = True
        BaseTracer.write_rest(self)
        try:
            self.write_out()
        except BaseException as error:
            if self.error is None:
                self.error = error

    cdef int write_out(self) except -1:
        cdef bytes lines = from_bytes(self.lines.text)
        self.lines.text.clear()
        if lines:
            self.stream.write(lines if self.is_binary else lines.decode("ascii"))
        return 0

    def write_line(self, line):
        """Write one more line, given without its end."""
        line += "\n"
        self.stream.write(line.encode("ascii") if self.is_binary else line)


cdef cbool flush_lines(void* context) noexcept with gil:
    evmcore_has_gil()
    try:
        (<LineTracer>context).write_out()
        return True
    except BaseException as error:
        (<LineTracer>context).error = error
    return False


cdef class _CallbackTracer(BaseTracer):
    """Calls the methods on_enter, on_step and on_exit of a Python object, those that it has."""
    cdef object on_enter, on_step, on_exit
    cdef object call_start, step, call_end  # the classes of what is told
    cdef SingleRun single  # the Python object, if it is one

    def __init__(self, target, is_block=False):
        import evmcore.tracing as module
        if self.is_busy:
            raise errors.EvmError("the tracer is at work on a run")
        self.call_start, self.step, self.call_end = module.CallStart, module.Step, module.CallEnd
        self.on_enter, self.on_step, self.on_exit = (
            own_method(target, name) for name in ("on_enter", "on_step", "on_exit"))
        more = ("on_transaction_start", "on_transaction_end") if is_block else ()
        if (self.on_enter is None and self.on_step is None and self.on_exit is None
                and all([own_method(target, name) is None for name in more])):
            raise TypeError(f"tracer: {type(target).__name__} has none of {', '.join(('on_enter', 'on_step', 'on_exit', *more))}")
        self.recorder.wants_stack = bool(getattr(target, "wants_stack", True))
        self.recorder.wants_memory = bool(getattr(target, "wants_memory", False))
        self.recorder.wants_return_data = bool(getattr(target, "wants_return_data", True))
        choose_steps(&self.recorder, getattr(target, "wants_opcodes", None), getattr(target, "wants_addresses", None))
        self.recorder.sink.context = <void*>self
        if self.on_enter is not None:
            self.recorder.sink.enter = evmcore_enter
        if self.on_step is not None:
            self.recorder.sink.step = evmcore_step
        if self.on_exit is not None:
            self.recorder.sink.exit = evmcore_exit
        if isinstance(target, SingleRun):
            self.single = target

    cdef int take(self) except -1:
        if self.single is not None:
            if self.single.is_busy:
                raise errors.EvmError("the tracer is at work on another run")
            self.single.is_busy = True
        return BaseTracer.take(self)

    cdef void give_back(self) noexcept:
        if self.single is not None:
            self.single.is_busy = False
        BaseTracer.give_back(self)


cdef dict _opcode_numbers = {row.name: row.number for row in OPCODES}


cdef int choose_steps(TraceRecorder* recorder, object opcodes, object addresses) except -1:
    """Have a tracer told of some instructions only, and of some accounts' frames; None: of all."""
    if opcodes is not None:
        for i in range(4):
            recorder.ops[i] = 0
        for opcode in opcodes:
            number = _opcode_numbers.get(opcode.upper()) if isinstance(opcode, str) else opcode
            if not isinstance(number, int) or not 0 <= number <= 255:
                raise ValueError(f"tracer.wants_opcodes: {shown(opcode)} is no instruction")
            recorder.ops[number // 64] |= <uint64_t>1 << <int>(number % 64)
    if addresses is not None:
        for address in addresses:
            or_memory_error(recorder.addresses.push_back(to_address_value(address, "tracer.wants_addresses")))
        if recorder.addresses.empty():  # of none
            for i in range(4):
                recorder.ops[i] = 0
    return 0


cdef object own_method(object tracer, str name):
    """What a tracer is to be told by; None if it has no such method, or that of the base class, which does nothing."""
    import evmcore.tracing as module
    method = getattr(tracer, name, None)
    return None if getattr(method, "__func__", None) is getattr(module.Tracer, name) else method


cdef str opcode_text(uint8_t op):
    cdef const char* name = opcode_name(op)
    return f"0x{op:02x}" if name == NULL else name.decode()


cdef object failure_text(Status status):
    return None if kind_of(status) == Kind.FLOW or kind_of(status) == Kind.OK else status_text(status)


cdef cbool call_on_enter(void* context, const TraceEnter& enter) noexcept with gil:
    evmcore_has_gil()
    cdef _CallbackTracer tracer = <_CallbackTracer>context
    try:
        tracer.on_enter(tracer.call_start(
            opcode_text(enter.op), enter.depth, from_address_bytes(enter.caller), from_address_bytes(enter.self),
            from_address_bytes(enter.code_address), to_int(enter.value), enter.gas, from_view(enter.input),
            enter.is_static))
        return True
    except BaseException as error:
        tracer.error = error
    return False


cdef cbool call_on_step(void* context, const TraceStep& step) noexcept with gil:
    evmcore_has_gil()
    cdef _CallbackTracer tracer = <_CallbackTracer>context
    cdef size_t i
    try:
        stack = tuple([to_int(step.stack[i]) for i in range(step.stack.size())])
        tracer.on_step(tracer.step(
            step.pc, step.op, opcode_text(step.op), step.depth, step.gas, step.gas_cost, step.refund, step.memory_size,
            from_address_bytes(step.self), stack if tracer.recorder.wants_stack else None,
            from_bytes(step.memory) if tracer.recorder.wants_memory else None,
            from_bytes(step.return_data) if tracer.recorder.wants_return_data else None,
            failure_text(step.status), step.reservoir, step.state_gas))
        return True
    except BaseException as error:
        tracer.error = error
    return False


cdef cbool call_on_exit(void* context, const TraceExit& exit) noexcept with gil:
    evmcore_has_gil()
    cdef _CallbackTracer tracer = <_CallbackTracer>context
    try:
        tracer.on_exit(tracer.call_end(
            exit.depth, exit.gas_used, from_view(exit.output), failure_text(exit.status)))
        return True
    except BaseException as error:
        tracer.error = error
    return False


cdef int check_traced(object strategy, int workers, bint record, object accesses) except -1:
    """Refuse what can't be had of a block that is traced: its transactions run in order, on this thread."""
    if strategy not in ("auto", "sequential"):
        raise ValueError(f"tracer: a traced block is executed sequentially, not by strategy {strategy!r}")
    if workers != 1:
        raise ValueError(f"tracer: a traced block is executed by one worker, not by {workers}")
    if record or accesses is not None:
        raise ValueError(f"tracer: a traced block {'is not recorded' if record else 'takes no accesses'}")
    return 0


cdef Status run_traced(_Job job, object tracer, BaseTracer native) except *:
    """A block in order, on one machine. The tracer is told of its transactions, not of the system calls around them."""
    cdef _Lease lease = lease_machine()
    cdef Machine* m = lease.machine
    cdef Status status
    cdef size_t i
    on_start, on_end = own_method(tracer, "on_transaction_start"), own_method(tracer, "on_transaction_end")
    lease.attach(native)
    with nogil:
        status = begin_job(m, &job.job)  # which opens the machine without a tracer
    m.tracer = native.tracer()
    for i in range(job.job.transactions.size()):
        if status == Status.RUNNING and on_start is not None:
            status = tell(native, on_start, job.first + i, job.transactions[i])
        if status != Status.RUNNING:
            break
        with nogil:
            status = run_in_order(m, &job.job, i)
        if status == Status.RUNNING and on_end is not None:
            status = tell(native, on_end, job.first + i, make_receipt(&job.job.outcomes[i], job.job.rules.receipt_has_status))
    m.tracer = NULL
    if status == Status.RUNNING:
        with nogil:
            status = end_job(m, &job.job)
    job.recover_seconds = m.recover_seconds
    lease.finish()
    return status


cdef Status tell(BaseTracer tracer, object method, size_t index, object what) noexcept:
    """Call one of a tracer's methods. What it raises is the tracer's error, which ends the block."""
    evmcore_begin_nesting()
    try:
        method(index, what)
    except BaseException as error:
        tracer.error = error
    evmcore_end_nesting()
    return Status.RUNNING if tracer.error is None else Status.ABORTED


evmcore_ask_lines = flush_lines
evmcore_ask_enter = call_on_enter
evmcore_ask_step = call_on_step
evmcore_ask_exit = call_on_exit
