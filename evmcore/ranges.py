"""Many blocks, under the name that they had before there was `evmcore.layers`."""

from .layers.ranges import replay_range
from .layers.summary import BlockSource, BlockSummary, replay_block

__all__ = ["BlockSource", "BlockSummary", "replay_block", "replay_range"]
