"""What would be: calls with another state or another block, gas estimates, access lists, and blocks that nobody mines.

Start with `Call(to=…, data=…)` and `estimate_gas`, `create_access_list` or `simulate_blocks`. Nothing here changes the state it is given.
"""

from ..errors import ExecutionFailed
from ..estimation import estimate_gas
from .access_lists import create_access_list
from .blocks import SimulatedBlock, SimulatedCall, SimulationRefused, simulate_blocks
from .call import Call, execute_call
from .overrides import AccountOverride, BlockOverride, apply_overrides

__all__ = [
    "AccountOverride",
    "BlockOverride",
    "Call",
    "ExecutionFailed",
    "SimulatedBlock",
    "SimulatedCall",
    "SimulationRefused",
    "apply_overrides",
    "create_access_list",
    "estimate_gas",
    "execute_call",
    "simulate_blocks",
]
