"""A state transition as test tools ask for it: an alloc, an environment and transactions in, an alloc and a result out.

`transition` is the procedure, in go-ethereum's terms (`evm t8n`); `evmcore t8n` and `evmcore.eest` call it.
"""

from .environment import Environment
from .execution import Transition, transition
from .faults import TransitionFault

__all__ = ["Environment", "Transition", "TransitionFault", "transition"]
