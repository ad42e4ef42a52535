"""What in a block keeps it from being faster: who waits for whom and why, as NumPy arrays, graphs, tables and pictures.

Start with `analyse(block)`; `evmcore report` makes a page of it.
"""

from .block import EDGE_DTYPE, HOT_DTYPE, TRANSACTION_DTYPE, BlockAnalysis, analyse
from .export import to_csv, to_dot, to_networkx
from .page import report

__all__ = [
    "EDGE_DTYPE",
    "HOT_DTYPE",
    "TRANSACTION_DTYPE",
    "BlockAnalysis",
    "analyse",
    "report",
    "to_csv",
    "to_dot",
    "to_networkx",
]
