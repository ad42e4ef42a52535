"""ape's local network on evmcore: `ape test` with `default_provider: evmcore` in ape-config.yaml, once `pip install evmcore[ape]`.

ape's provider "evmcore" is the plugin `ape_evmcore`, which stands beside this package, since ape looks for plugins by such names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._core import Transaction
from .chain.schedule import rules_of
from .ethtester import EvmcoreBackend

__all__ = ["ApeEvmcoreBackend"]


class ApeEvmcoreBackend(EvmcoreBackend):
    """The backend of eth-tester that ape's provider for tests has, in the place of `ape_test.provider.ApeEVMBackend`.

    config    ape's section `test`: mnemonic, hd_path, number_of_accounts and balance of the accounts
    chain_id  of the chain
    fork      its name; None: that of eth-tester
    """

    def __init__(self, config: Any, chain_id: int, fork: str | None = None) -> None:
        self.config = config
        self.default_chain_id = chain_id
        hd_path = config.hd_path.rstrip("/") if config.hd_path else None
        accounts = self.generate_genesis_state(
            {"balance": config.balance}, config.number_of_accounts, config.mnemonic, hd_path
        )
        forks = None if fork is None else ((0, fork),)
        super().__init__(None, accounts, forks, config.mnemonic, hd_path)

    @property
    def chain_id(self) -> int:
        """Of the chain."""
        return self.default_chain_id

    @property
    def max_gas(self) -> int:
        """The most that a transaction may have in the pending block: its gas limit, or what the fork allows (EIP-7825)."""
        header = self.dev.pending.header
        return min(header.gas_limit, rules_of(header.fork).transaction_gas_cap or header.gas_limit)

    def trace_transaction(self, transaction_hash: Any, config: Mapping[str, Any]) -> Any:
        """What `debug_traceTransaction` answers. `config`: its second parameter: tracer, tracerConfig, enableMemory …"""
        return self.dev.trace(_bytes(transaction_hash), *_tracer_of(config))

    def trace_call(self, call: Mapping[str, Any], which: Any, config: Mapping[str, Any]) -> Any:
        """What `debug_traceCall` answers of a call in ape's words: from, to, data, value."""
        to = call.get("to")
        made = Transaction(
            to=None if not to else _bytes(to),
            sender=_bytes(call.get("from") or bytes(20)),
            data=_bytes(call.get("data") or b""),
            value=_number(call.get("value") or 0),
            gas_price=0,
            gas_limit=self.max_gas,
        )
        tracer, options = _tracer_of(config)
        return self.dev.trace_call(made, which, tracer=tracer, config=options)


def _tracer_of(config: Mapping[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """(tracer, its configuration): that of the struct logger stands beside them."""
    tracer = config.get("tracer")
    return tracer, dict(config.get("tracerConfig") or {}) if tracer else dict(config)


def _bytes(value: Any) -> bytes:
    return bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else bytes(value)


def _number(value: Any) -> int:
    return int(value, 0) if isinstance(value, str) else int(value)
