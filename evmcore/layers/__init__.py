"""Execution layers: many threads, processes or machines that execute blocks, one result.

`replay_range` spreads blocks over any executor and keeps a journal.
"""

from .executors import open_executor, processes
from .journal import Journal
from .ranges import replay_range
from .summary import BlockSummary, digest_of, replay_block

__all__ = ["BlockSummary", "Journal", "digest_of", "open_executor", "processes", "replay_block", "replay_range"]
