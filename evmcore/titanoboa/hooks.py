"""What boa has registered of Python that runs within an execution: precompiles and opcodes.

boa keeps both in its module boa.vm.py_evm, for all environments: `register_raw_precompile` and `patch_opcode`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from boa.vm import py_evm
from eth.exceptions import Revert as PyEvmRevert
from eth.exceptions import VMError

from .._core import PrecompileCall
from ..errors import Revert
from ..tracing import CallEnd, CallStart, Step, Tracer
from .frames import Code, Memory, Message, Stack

__all__ = ["Answers", "OpcodeHooks", "patched_opcodes"]


class _PrecompileComputation:
    """What boa's precompiles get: a message, and an output to set."""

    def __init__(self, call: PrecompileCall) -> None:
        self._call = call
        self.output = b""
        self.msg = Message(
            sender=call.caller,
            to=call.code_address,
            value=call.value,
            gas=call.gas,
            data=call.input,
            code=b"",
            depth=call.depth - 1,
            storage_address=call.address,
            code_address=call.code_address,
            is_static=call.is_static,
        )

    def consume_gas(self, amount: int, reason: str = "") -> None:
        """Use gas of the call's."""
        self._call.charge(amount)


class Answers:
    """boa's precompiles for one execution, and what they answer, so that it can be run again without them."""

    def __init__(self) -> None:
        self.precompiles: Mapping[bytes, Callable[[PrecompileCall], bytes]] = {
            address: self._ask(function) for address, function in py_evm._precompiles.items()
        }
        self._given: list[tuple[int, bytes | None, Revert | None]] = []

    def _ask(self, function: Callable[[Any], Any]) -> Callable[[PrecompileCall], bytes]:
        def ask(call: PrecompileCall) -> bytes:
            computation, before = _PrecompileComputation(call), call.gas
            try:
                function(computation)
            except PyEvmRevert as error:
                revert = Revert(error.args[0] if error.args else b"")
                self._given.append((before - call.gas, None, revert))
                raise revert from None
            except VMError:
                self._given.append((before + 1, None, None))
                call.charge(before + 1)
            self._given.append((before - call.gas, bytes(computation.output), None))
            return bytes(computation.output)

        return ask

    def replayed(self) -> Mapping[bytes, Callable[[PrecompileCall], bytes]]:
        """Precompiles that answer as these did, in the same order."""
        given = iter(list(self._given))

        def answer(call: PrecompileCall) -> bytes:
            gas, output, revert = next(given)
            call.charge(gas)
            if revert is not None:
                raise revert
            return output or b""

        return dict.fromkeys(self.precompiles, answer)


def patched_opcodes() -> dict[int, Callable[[Any], Any]]:
    """The functions that `boa.patch_opcode` has put in the place of instructions."""
    return dict(py_evm._opcode_overrides)


class _StepComputation:
    """What a function for an opcode sees: things as they are before the instruction runs."""

    def __init__(self, step: Step, message: Message) -> None:
        self.msg = message
        self._stack = Stack(list(step.stack or ()))
        self._memory = Memory(step.memory or b"")
        self.code = Code(b"", [step.pc])
        self.gas = step.gas


class OpcodeHooks(Tracer):
    """Tells the functions for opcodes of the instructions that they are for, before each runs. They look on, and change nothing."""

    wants_memory = True
    wants_return_data = False

    def __init__(self, functions: Mapping[int, Callable[[Any], Any]], contract: Any) -> None:
        self.functions, self.contract = functions, contract
        self.wants_opcodes = tuple(functions)
        self._messages: list[Message] = []

    def on_enter(self, start: CallStart) -> None:
        is_create = start.kind in ("CREATE", "CREATE2")
        self._messages.append(
            Message(
                sender=start.caller,
                to=b"" if is_create else start.code_address,
                value=start.value,
                gas=start.gas,
                data=b"" if is_create else start.input,
                code=start.input if is_create else b"",
                depth=start.depth - 1,
                storage_address=start.address,
                code_address=b"" if is_create else start.code_address,
                is_static=start.is_static,
                is_delegation=start.kind == "DELEGATECALL",
                create_address=start.address if is_create else None,
                _contract=self.contract if start.depth == 1 else None,
            )
        )

    def on_step(self, step: Step) -> None:
        if step.op in self.functions:
            self.functions[step.op](_StepComputation(step, self._messages[-1]))

    def on_exit(self, end: CallEnd) -> None:
        self._messages.pop()
