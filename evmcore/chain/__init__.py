"""Chains of blocks: a genesis, which rules hold where, what a header and a body have to be, and the import of blocks.

Start with `Chain(Genesis.load(path))` and `chain.add(encoded)`.
"""

from .genesis import Genesis
from .importer import Chain, ChainBlock
from .networks import NETWORKS, Network, fork_of_block, known_network
from .schedule import Schedule, network_schedule

__all__ = [
    "NETWORKS",
    "Chain",
    "ChainBlock",
    "Genesis",
    "Network",
    "Schedule",
    "fork_of_block",
    "known_network",
    "network_schedule",
]
