"""go-ethereum's answers, made of what was recorded: the names that `debug_traceTransaction` takes as `tracer`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from .._core import State, Transaction, transact
from ..errors import UnusableInput
from ..executed import Execution
from ..header import Header
from ..receipt import Receipt
from .log import Trace

__all__ = ["TRACERS", "Answer", "Execution", "trace_transaction"]


class Answer(ABC):
    """One of go-ethereum's tracers. `trace` is to be given as tracer to the execution, `result` makes the answer of it."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self.trace = self.make_trace()

    def make_trace(self) -> Trace:
        """What has to be recorded."""
        return Trace()

    @abstractmethod
    def result(self, execution: Execution) -> Any:
        """The answer, as JSON's values."""

    def is_on(self, name: str) -> bool:
        """Whether the configuration has this switch on."""
        return bool(self.config.get(name, False))


def _tracers() -> dict[str, type[Answer]]:
    from .calls import CallTracer, FlatCallTracer
    from .counters import FourByteTracer, KeccakTracer, MuxTracer, NoopTracer, OpcodeCounter
    from .prestate import PrestateTracer
    from .structs import StructLogger

    return {
        "": StructLogger,
        "structLogger": StructLogger,
        "callTracer": CallTracer,
        "flatCallTracer": FlatCallTracer,
        "prestateTracer": PrestateTracer,
        "4byteTracer": FourByteTracer,
        "opcodeCounter": OpcodeCounter,
        "keccak256PreimageTracer": KeccakTracer,
        "muxTracer": MuxTracer,
        "noopTracer": NoopTracer,
    }


class _Tracers(dict[str, type[Answer]]):
    """Filled when it is first asked, since they need this module."""

    def __missing__(self, name: str) -> type[Answer]:
        if not self:
            self.update(_tracers())
            return self[name]
        raise KeyError(name)


TRACERS: dict[str, type[Answer]] = _Tracers()


def answer_of(name: str | None, config: Mapping[str, Any] | None) -> Answer:
    """A tracer by its name; None or "": the struct logger. Raises UnusableInput."""
    if config is not None and not isinstance(config, Mapping):
        raise UnusableInput("tracer's configuration: not an object")
    try:
        kind = TRACERS[name or ""]
    except KeyError:
        known = ", ".join(sorted(filter(None, TRACERS)))
        raise UnusableInput(
            f"tracer: {name!r:.80} is not one of {known}; tracers in JavaScript are not supported"
        ) from None
    return kind(config or {})


def trace_transaction(
    transaction: Transaction,
    state: State,
    header: Header,
    *,
    tracer: str | None = None,
    config: Mapping[str, Any] | None = None,
    index: int = 0,
    checks: Mapping[str, bool] | None = None,
    limit_bytes: int | None = None,
) -> tuple[Any, Receipt]:
    """Execute a transaction as `transact` does; (what go-ethereum's tracer says of it, its receipt).

    state   changed by the transaction
    tracer  one of TRACERS: callTracer, flatCallTracer, prestateTracer, 4byteTracer, opcodeCounter, muxTracer, keccak256PreimageTracer,
            noopTracer; None: the struct logger
    config  its configuration, such as {"onlyTopCall": True}, {"diffMode": True}, {"enableMemory": True}
    index   the transaction's place in the block, for flatCallTracer
    checks  what isn't held against the transaction, as for `transact`
    limit_bytes  that may be recorded. An answer takes up to ten times as many
    raise   UnusableInput for another tracer; ResourceLimit where more would be recorded; what `transact` raises
    """
    answer = answer_of(tracer, config)
    if not isinstance(state, State):
        raise TypeError(f"state: expected a State, got {type(state).__name__}")
    answer.trace.limit_bytes = limit_bytes
    before = state.copy()
    receipt = transact(transaction, state, header, checks=checks, tracer=answer.trace)
    return answer.result(Execution(transaction, header, before, state, receipt, index)), receipt
