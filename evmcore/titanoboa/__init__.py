"""titanoboa on evmcore: `boa.set_env(evmcore.titanoboa.Env())`, once `pip install evmcore[boa]`.

`Env` is boa's environment with an `Engine` in the place of its PyEVM. An Engine serves any of boa's environments:
`env.evm = Engine(env)`.
"""

from __future__ import annotations

from typing import Any

import boa

from .._core import NEWEST_FORK
from .engine import Engine

__all__ = ["Engine", "Env"]


class Env(boa.Env):  # type: ignore[misc]
    """boa's environment on evmcore. `fork_name`: whose rules hold."""

    def __init__(
        self, fork_try_prefetch_state: bool = False, fast_mode_enabled: bool = False, *, fork_name: str = NEWEST_FORK
    ) -> None:
        super().__init__(fork_try_prefetch_state, fast_mode_enabled)
        self.nickname = "evmcore"
        self.evm: Any = Engine(self, fast_mode_enabled, fork_try_prefetch_state, fork=fork_name)
