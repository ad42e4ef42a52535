# Floor 8: tracers. A run that is traced reports to one of these; it goes on without the GIL, and a tracer takes that for
# its own moments. The Python side is evmcore/tracing.py.
import io as _io


cdef class BaseTracer:
    """What a traced run reports to. One run at a time."""
    cdef TraceRecorder recorder
    cdef object error
    cdef cbool is_busy

    cdef int begin(self, Machine* machine) except -1:
        if self.is_busy:
            raise errors.EvmError("the tracer is at work on another run")
        self.is_busy = True
        self.error = None
        self.recorder.is_out_of_memory = False
        machine.tracer = self.recorder.tracer()
        return 0

    cdef int end(self, Machine* machine) except -1:
        """Let go of the machine, and raise what went wrong in the tracer while it ran."""
        machine.tracer = NULL
        self.is_busy = False
        if self.recorder.is_out_of_memory and self.error is None:
            self.error = MemoryError("what a tracer is told")
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return 0


cdef BaseTracer tracer_of(object tracer):
    """The native tracer behind what a caller gave; None for None."""
    if tracer is None or isinstance(tracer, BaseTracer):
        return tracer
    return _CallbackTracer(tracer)


cdef class LineTracer(BaseTracer):
    """Writes a run as EIP-3155 lines to a stream. evmcore.tracing.Eip3155 adds the line at the end."""
    cdef Eip3155Lines lines
    cdef readonly object stream
    cdef cbool is_binary

    def __init__(self, stream, *, stack=True, memory=False, return_data=True, inner_exits=False):
        self.stream = stream
        self.is_binary = (isinstance(stream, (_io.RawIOBase, _io.BufferedIOBase))
                          or "b" in str(getattr(stream, "mode", "")))
        self.recorder.wants_stack = stack
        self.recorder.wants_memory = memory
        self.recorder.wants_return_data = return_data
        self.lines.shows_inner_exits = inner_exits
        self.lines.attach(&self.recorder)
        self.lines.flush = flush_lines
        self.lines.flush_context = <void*>self

    cdef int end(self, Machine* machine) except -1:
        if self.lines.is_out_of_memory:
            self.lines.is_out_of_memory = False
            self.recorder.is_out_of_memory = True
        if self.error is None:
            try:
                self.write_out()
            except BaseException as error:
                self.error = error
        return BaseTracer.end(self, machine)

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

    def __init__(self, target):
        import evmcore.tracing as module
        self.call_start, self.step, self.call_end = module.CallStart, module.Step, module.CallEnd
        self.on_enter, self.on_step, self.on_exit = (
            self._method(target, name, module.Tracer) for name in ("on_enter", "on_step", "on_exit"))
        if self.on_enter is None and self.on_step is None and self.on_exit is None:
            raise TypeError(f"tracer: {type(target).__name__} has none of on_enter, on_step, on_exit")
        self.recorder.wants_stack = getattr(target, "wants_stack", True)
        self.recorder.wants_memory = getattr(target, "wants_memory", False)
        self.recorder.wants_return_data = getattr(target, "wants_return_data", True)
        self.recorder.sink.context = <void*>self
        if self.on_enter is not None:
            self.recorder.sink.enter = call_on_enter
        if self.on_step is not None:
            self.recorder.sink.step = call_on_step
        if self.on_exit is not None:
            self.recorder.sink.exit = call_on_exit

    @staticmethod
    def _method(target, name, base):
        method = getattr(target, name, None)
        if getattr(method, "__func__", None) is getattr(base, name):
            return None  # the base class's, which does nothing
        return method


cdef str opcode_text(uint8_t op):
    cdef const char* name = opcode_name(op)
    return f"0x{op:02x}" if name == NULL else name.decode()


cdef object failure_text(Status status):
    return None if kind_of(status) == Kind.FLOW or kind_of(status) == Kind.OK else status_text(status)


cdef cbool call_on_enter(void* context, const TraceEnter& enter) noexcept with gil:
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
    cdef _CallbackTracer tracer = <_CallbackTracer>context
    cdef size_t i
    try:
        stack = tuple([to_int(step.stack[i]) for i in range(step.stack.size())])
        tracer.on_step(tracer.step(
            step.pc, step.op, opcode_text(step.op), step.depth, step.gas, step.gas_cost, step.refund, step.memory_size,
            from_address_bytes(step.self), stack if tracer.recorder.wants_stack else None,
            from_bytes(step.memory) if tracer.recorder.wants_memory else None,
            from_bytes(step.return_data) if tracer.recorder.wants_return_data else None,
            failure_text(step.status)))
        return True
    except BaseException as error:
        tracer.error = error
    return False


cdef cbool call_on_exit(void* context, const TraceExit& exit) noexcept with gil:
    cdef _CallbackTracer tracer = <_CallbackTracer>context
    try:
        tracer.on_exit(tracer.call_end(
            exit.depth, exit.gas_used, from_view(exit.output), failure_text(exit.status)))
        return True
    except BaseException as error:
        tracer.error = error
    return False
