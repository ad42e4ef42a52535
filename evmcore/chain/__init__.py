"""Chains of blocks: a genesis, which rules hold where, what a header and a body have to be, and the import of blocks.

Start with `Chain(Genesis.load(path))` and `chain.add(encoded)`.
"""

from .genesis import Genesis
from .importer import Chain, ChainBlock
from .schedule import Schedule, network_schedule

__all__ = ["Chain", "ChainBlock", "Genesis", "Schedule", "network_schedule"]
