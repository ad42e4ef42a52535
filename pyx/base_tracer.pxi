# Floor 8: what the native tracers have in common, and who lends a machine knows of them.
from core.vm.frame cimport Tracer
from core.vm.trace cimport TraceRecorder

import copyreg as _copyreg


cdef class SingleRun:
    """Base of tracers in Python that serve one run at a time; another one meanwhile is an error."""
    cdef cbool is_busy

    def __reduce__(self):
        """A copy isn't at work."""
        return _copyreg.__newobj__, (type(self),), getattr(self, "__dict__", None)


cdef class BaseTracer:
    """What a traced run reports to. One run at a time."""
    cdef TraceRecorder recorder
    cdef object error
    cdef cbool is_busy

    cdef Tracer* tracer(self) noexcept:
        """What the machine reports to."""
        return self.recorder.tracer()

    cdef int prepare(self) except -1:
        """Before a run: forget the last one's failure. Raises where it can't report to anybody."""
        self.error = None
        self.recorder.is_out_of_memory = False
        return 0

    cdef int take(self) except -1:
        """The tracer is that run's until it gives it back."""
        if self.is_busy:
            raise errors.EvmError("the tracer is at work on another run")
        self.is_busy = True
        return 0

    cdef void give_back(self) noexcept:
        self.is_busy = False

    cdef void write_rest(self) noexcept:
        """After a run, however it ended: write what there is left. What goes wrong is `error`, if nothing went wrong before."""
        if self.recorder.is_out_of_memory and self.error is None:
            self.error = MemoryError("what a tracer is told")
