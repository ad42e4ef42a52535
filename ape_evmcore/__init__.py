"""ape's plugin "evmcore": a provider of the local network, whose settings are the section `evmcore` of ape-config.yaml.

It stands beside the package evmcore because ape (0.8) loads the top-level module that a distribution `ape-…` is named after.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ape import plugins
from ape.api import PluginConfig

__all__ = ["EvmcoreConfig"]


class EvmcoreConfig(PluginConfig):  # type: ignore[misc]
    """The section `evmcore`; accounts, chain id and mining are those of the section `test`."""

    fork: str | None = None
    """The fork's name, such as "Osaka"; None: that of eth-tester, Prague."""


@plugins.register(plugins.Config)  # type: ignore[untyped-decorator]
def config_class() -> type[EvmcoreConfig]:
    """ape's hook for a plugin's settings."""
    return EvmcoreConfig


@plugins.register(plugins.ProviderPlugin)  # type: ignore[untyped-decorator]
def providers() -> Iterator[tuple[str, str, Any]]:
    """ape's hook for (ecosystem, network, provider)."""
    from .provider import EvmcoreProvider

    yield "ethereum", "local", EvmcoreProvider
