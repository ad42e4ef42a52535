"""ape's provider for tests, `LocalProvider`, with evmcore in the place of py-evm, and with traces, which py-evm has none of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from ape.api.trace import TraceAPI
from ape.types.trace import SourceTraceback
from ape_ethereum.trace import CallTrace, TraceApproach, TransactionTrace
from ape_test.provider import ApeTester, LocalProvider
from eth_pydantic_types import HexBytes
from eth_tester import EthereumTester
from evm_trace import CallTreeNode, get_calltree_from_geth_call_trace

from evmcore.ape import ApeEvmcoreBackend

__all__ = ["EvmcoreProvider"]


class _Tester(ApeTester):  # type: ignore[misc]
    """web3.py's EthereumTesterProvider, whose tester is made when it is first needed."""

    def __init__(self, config: Any, chain_id: int, fork: str | None) -> None:
        super().__init__(config, chain_id)
        self.fork = fork

    @property
    def backend(self) -> ApeEvmcoreBackend:
        """evmcore's backend of eth-tester."""
        if self._backend is None:
            self.backend = ApeEvmcoreBackend(self.config, self.chain_id, self.fork)
        return self._backend

    @backend.setter
    def backend(self, value: ApeEvmcoreBackend) -> None:
        self._backend = value
        self._ethereum_tester = EthereumTester(value)

    @property
    def ethereum_tester(self) -> EthereumTester:
        """eth-tester, on the backend."""
        _ = self.backend
        return self._ethereum_tester

    @ethereum_tester.setter
    def ethereum_tester(self, value: EthereumTester) -> None:
        self._ethereum_tester = value
        self._backend = value.backend


class _CallTrace(CallTrace):  # type: ignore[misc]
    """The trace of a call that wasn't sent, its tree by go-ethereum's call tracer."""

    def get_calltree(self) -> CallTreeNode:
        """The calls, with what they cost."""
        where = self.arguments[:1] or ["latest"]
        found = self.provider.make_request("debug_traceCall", [self.tx, *where, {"tracer": "callTracer"}])
        return get_calltree_from_geth_call_trace(found)


class EvmcoreProvider(LocalProvider):  # type: ignore[misc]
    """The provider "evmcore" of ape's local network."""

    @property
    def config(self) -> Any:
        """ape's section `test`."""
        return self.config_manager.get_config("test")

    @property
    def max_gas(self) -> int:
        """Of a transaction: the block's gas limit, or what the fork allows (EIP-7825)."""
        return int(self.evm_backend.max_gas)

    @cached_property
    def tester(self) -> _Tester:
        """eth-tester on evmcore."""
        settings = self.config_manager.get_config("evmcore")
        return _Tester(self.config, self.settings.chain_id, settings.fork)

    # Traces.

    @property
    def supports_tracing(self) -> bool:
        """Call trees, gas reports and coverage of statements come from traces."""
        return True

    def make_request(self, rpc: str, parameters: Iterable[Any] | None = None) -> Any:
        """go-ethereum's traces are evmcore's own; the rest is eth-tester's."""
        if rpc == "debug_traceTransaction":
            wanted, config = (*(parameters or ()), {})[:2]
            return self.evm_backend.trace_transaction(wanted, config)
        if rpc == "debug_traceCall":
            call, which, config = (*(parameters or ()), "latest", {})[:3] if parameters else ({}, "latest", {})
            return self.evm_backend.trace_call(call, which, config if isinstance(config, dict) else {})
        return super().make_request(rpc, parameters)

    def stream_request(self, method: str, params: Iterable[Any], iter_path: str = "result.item") -> Iterator[Any]:
        """The items of a list that an answer has, which `iter_path` names as ijson does."""
        found = self.make_request(method, params)
        for name in iter_path.split(".")[1:-1]:
            found = found[name]
        yield from found

    def get_transaction_trace(self, transaction_hash: str, **kwargs: Any) -> TraceAPI:
        """A trace with its tree of calls."""
        kwargs.setdefault("call_trace_approach", TraceApproach.GETH_CALL_TRACER)
        return TransactionTrace(transaction_hash=transaction_hash, **kwargs)

    def send_call(self, txn: Any, block_id: Any = None, state: dict[Any, Any] | None = None, **kwargs: Any) -> HexBytes:
        """What a call returns; its trace where that is to be shown or counted, as ape's providers of nodes do."""
        shows_gas, shows_trace = kwargs.pop("show_gas_report", False), kwargs.pop("show_trace", False)
        runner: Any = None if kwargs.pop("skip_trace", False) else self._test_runner
        tracks_gas = runner is not None and runner.gas_tracker.enabled
        tracks_coverage = runner is not None and runner.coverage_tracker.enabled
        result = super().send_call(txn, block_id, state, **kwargs)
        if not (shows_gas or shows_trace or tracks_gas or tracks_coverage) or kwargs.get("state_override"):
            return result
        asked = txn.model_dump(by_alias=True, mode="json", exclude_none=True)
        trace = _CallTrace(tx=asked, arguments=[block_id or "latest"], supports_debug_trace_call=True)
        if tracks_gas and txn.receiver:
            runner.gas_tracker.append_gas(trace, txn.receiver)
        if tracks_coverage and txn.receiver:
            self._cover(runner, txn, trace)
        if shows_gas:
            trace.show_gas_report()
        if shows_trace:
            trace.show()
        return result

    def _cover(self, runner: Any, txn: Any, trace: TraceAPI) -> None:
        kind = self.chain_manager.contracts.get(txn.receiver)
        source = self.local_project._create_contract_source(kind) if kind else None
        if source is None:
            return
        method = HexBytes(txn.data)
        selector = kind.methods[method].selector if method in kind.methods else None
        traceback = SourceTraceback.create(source, trace, method)
        runner.coverage_tracker.cover(traceback, function=selector, contract=kind.name)
