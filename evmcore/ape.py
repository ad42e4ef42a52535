"""ape's local network on evmcore: `ape test` with `default_provider: evmcore` in ape-config.yaml, once `pip install evmcore[ape]`.

ape's provider "evmcore" is the plugin `ape_evmcore`, which stands beside this package, since ape looks for plugins by such names.
"""

from __future__ import annotations

from typing import Any

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
