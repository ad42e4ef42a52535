"""A call and the calls that it made, in the shape of py-evm's computations, which boa reads."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from eth.vm.gas_meter import allow_negative_refund_strategy

from .failures import failure_of
from .frames import Code, Memory, Message
from .recording import STATUS_NAMES, Run

__all__ = ["Computation"]

_DELEGATECALL = 0xF4


class TransactionContext:
    """What is the same for a call and all that it made."""

    def __init__(self, origin: bytes, gas_price: int) -> None:
        self.origin, self.gas_price = origin, gas_price


class Computation:
    """How a call went. Its instructions, memory and gas by pc are found out when they are first asked for.

    row  of the run's calls; that of a call which never began is 0 of none
    """

    def __init__(self, engine: Any, run: Run, row: int, message: Message, gas_meter_class: type) -> None:
        self._engine, self._run, self._row = engine, run, row
        self.env = engine.env
        self.msg = message
        self._gas_meter_class = gas_meter_class
        began = row < len(run.calls)
        self._outcome = STATUS_NAMES[int(run.calls[row]["status"])] if began else run.result.outcome
        self._returned = run.trace.output(run.calls[row]) if began else b""
        self._gas_used = int(run.calls[row]["gas_used"]) if began else message.gas
        arguments = run.arguments
        self.transaction_context = TransactionContext(arguments["origin"], arguments["gas_price"])

    # -------------------------------------------------------------- how it ended

    @property
    def is_success(self) -> bool:
        """Whether what it did stays."""
        return self._outcome == "SUCCESS"

    @property
    def is_error(self) -> bool:
        """The opposite."""
        return self._outcome != "SUCCESS"

    @cached_property
    def error(self) -> Any:
        """py-evm's exception of how it ended; None for a success."""
        return failure_of(self._outcome, self._returned)

    @property
    def output(self) -> bytes:
        """What it returned or reverted with; of a creation the new code."""
        return self._returned

    @output.setter
    def output(self, output: bytes) -> None:
        self._returned = output

    @property
    def return_data(self) -> bytes:
        """The same."""
        return self._returned

    def raise_if_error(self) -> None:
        """Raise `error`, if there is one."""
        if self.is_error:
            raise self.error

    # -------------------------------------------------------------- what it made

    @cached_property
    def children(self) -> list[Computation]:
        """The calls and creations that it made, precompiles included."""
        rows = self._run.children.get(self._row, ())
        return [self._engine._computation_of(self._run, row, self._gas_meter_class) for row in rows]

    @property
    def beneficiaries(self) -> list[bytes]:
        """Who got its balance by SELFDESTRUCT."""
        return self._run.beneficiaries.get(self._row, [])

    @property
    def _log_entries(self) -> list[tuple[int, bytes, tuple[int, ...], bytes]]:
        return self._run.logs.get(self._row, [])

    def get_raw_log_entries(self) -> tuple[tuple[int, bytes, tuple[int, ...], bytes], ...]:
        """(number, address, topics, data) of its logs and those of the calls that it made, in their order."""
        if self.is_error:
            return ()
        found = list(self._log_entries)
        for child in self.children:
            found.extend(child.get_raw_log_entries())
        return tuple(sorted(found))

    def get_log_entries(self) -> tuple[tuple[bytes, tuple[int, ...], bytes], ...]:
        """The same without numbers."""
        return tuple(entry[1:] for entry in self.get_raw_log_entries())

    # -------------------------------------------------------------- gas

    def get_gas_used(self) -> int:
        """All that it was given where it halted."""
        return self._gas_used

    def get_gas_remaining(self) -> int:
        """What it gave back."""
        return self.msg.gas - self._gas_used

    def get_gas_refund(self) -> int:
        """What a transaction could get back, of the calls that it made too."""
        if self.is_error:
            return 0
        if self._row == 0:
            return self._run.result.gas_refund
        own = sum(refund for _, refund in self._run.details.refunds.get(self._row, ()))
        return own + sum(child.get_gas_refund() for child in self.children)

    @property
    def net_gas_used(self) -> int:
        """Gas used less the refund."""
        return max(0, self.get_gas_used() - self.get_gas_refund())

    @cached_property
    def _gas_meter(self) -> Any:
        """One of the class that was set, told of all instructions after the fact."""
        meter = self._gas_meter_class(self.msg.gas, refund_strategy=allow_negative_refund_strategy)
        code = Code(self.msg.code, [])
        if hasattr(meter, "_set_code"):
            meter._set_code(code)
        refunds: dict[int, list[int]] = {}
        for pc, refund in self._run.details.refunds.get(self._row, ()):
            refunds.setdefault(pc, []).append(refund)
        for pc, op, gas in self._run.details.gas_of(self._row):
            code.program_counter = pc + 1
            if gas > 0:
                meter.consume_gas(gas, f"0x{op:02x}")
            elif gas < 0:  # a call gave back more than its price, with its stipend
                meter.return_gas(-gas)
        for pc, amounts in refunds.items():
            code.program_counter = pc + 1
            for amount in amounts:
                meter.refund_gas(amount)
        return meter

    # -------------------------------------------------------------- instruction by instruction

    @cached_property
    def code(self) -> Code:
        """Its code, with the pc of each instruction that ran."""
        began = self._row < len(self._run.calls)
        return Code(self.msg.code, self._run.details.steps_of(self._row)["pc"].tolist() if began else [])

    @cached_property
    def _child_pcs(self) -> list[int]:
        """The pc behind each instruction that made a call."""
        details = self._run.details
        steps = details.steps_of(self._row)
        # A call's step is the last of this frame before the first of the callee's; precompiles have none, so ops are counted.
        is_call = [op in _CALLS for op in steps["op"].tolist()]
        pcs = [pc for pc, calls in zip(steps["pc"].tolist(), is_call) if calls]
        return [pc + 1 for pc in pcs]

    @cached_property
    def _memory(self) -> Memory:
        """Its memory as it ended."""
        began = self._row < len(self._run.calls)
        return Memory(self._run.details.memory_of(self._row) if began else b"")

    # -------------------------------------------------------------- what boa shows

    @cached_property
    def _contract_repr_before_revert(self) -> str | None:
        """How the contract looked when the call failed: what its storage was then is undone by now."""
        if not self.is_error:
            return None
        contract = self.env._lookup_contract_fast(self.msg.code_address)
        with self._engine._as_it_failed(self._run, self._row):
            return repr(contract)

    @cached_property
    def call_trace(self) -> Any:
        """boa's tree of what was called."""
        return self._get_call_trace()

    def _get_call_trace(self, depth: int = 0) -> Any:
        from boa.contracts.call_trace import TraceFrame

        contract = self.env._lookup_contract_fast(self.msg.code_address)
        source = None if contract is None else contract.trace_source(self)
        return TraceFrame(self, source, depth, [child._get_call_trace(depth + 1) for child in self.children])


_CALLS = frozenset((0xF0, 0xF1, 0xF2, 0xF4, 0xF5, 0xFA))
