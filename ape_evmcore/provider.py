"""ape's provider for tests, `LocalProvider`, with evmcore in the place of py-evm."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from ape_test.provider import ApeTester, LocalProvider
from eth_tester import EthereumTester

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
