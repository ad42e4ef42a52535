"""The traces of `evmcore t8n`: a file for each transaction, and the counts of instructions."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._core import OPCODES, TraceLog
from ..errors import UnusableInput
from ..tracing import Eip3155
from ..transition import faults
from ..transition.faults import TransitionFault
from .geth import Given, Outputs

if TYPE_CHECKING:
    from .._core import Transaction
    from ..executed import Execution
    from ..traces.answers import Answer

_NAMES = {opcode.number: opcode.name for opcode in OPCODES}


class Traces:
    """What of traces the flags ask for."""

    def __init__(self, given: Given, outputs: Outputs) -> None:
        self.given, self.outputs = given, outputs
        self.tracer = given["trace.tracer"].strip()
        self.counts: Counter[str] = Counter()
        self.counted = given["opcode.count"]
        if not self.tracer:
            return
        if not self.tracer.isidentifier() and not self.tracer[0].isdigit():
            raise TransitionFault(
                faults.CONFIG,
                "trace.tracer: JavaScript tracers are not supported; name a native one, such as callTracer",
            )
        try:
            self.config = json.loads(given["trace.jsonconfig"] or "{}")
        except ValueError as error:
            raise TransitionFault(faults.JSON, f"trace.jsonconfig: not JSON: {error}") from None
        self._answer()

    def _answer(self) -> Answer:
        from ..traces.answers import answer_of

        try:
            return answer_of(self.tracer, self.config)
        except UnusableInput as error:
            raise TransitionFault(faults.CONFIG, f"trace.tracer: {error}") from None

    @property
    def is_wanted(self) -> bool:
        """Whether anything is to be traced."""
        return bool(self.given["trace"] or self.tracer or self.counted)

    def start(self, index: int, transaction: Transaction) -> tuple[Any, Callable[[Execution | None], None]]:
        """The tracer of a transaction, and what is done when it was executed."""
        name = f"trace-{index}-0x{transaction.hash.hex()}"
        if self.tracer:
            answer = self._answer()

            def write(execution: Execution | None) -> None:
                value = None if execution is None else answer.result(execution)
                self.outputs.write(f"{name}.json", json.dumps(value).encode())

            return answer.trace, write
        if self.counted:
            log = TraceLog(counts=True, data=False)
            return log, lambda execution: self._count(log)
        stream = io.BytesIO()
        tracer = Eip3155(
            stream,
            stack=not self.given["trace.nostack"],
            memory=self.given["trace.memory"] or not self.given["trace.nomemory"],
            return_data=self.given["trace.returndata"] or not self.given["trace.noreturndata"],
            geth=True,
            frames=self.given["trace.callframes"],
        )
        return tracer, lambda execution: self.outputs.write(f"{name}.jsonl", stream.getvalue())

    def finish(self) -> None:
        """Write the counts of instructions."""
        if self.counted:
            self.outputs.put(self.counted, "opcodeCount", dict(sorted(self.counts.items())))

    def _count(self, log: TraceLog) -> None:
        for number, count in enumerate(log.opcode_counts()):
            if count:
                self.counts[_NAMES.get(number, f"opcode 0x{number:x} not defined")] += count
