"""Forks of a node: states that are fetched over JSON-RPC as they are needed, and blocks with what they need.

Start with `source = RpcSource(url, "latest")`, `State(source=source)` and `source.header`. Wants `pip install evmcore[remote]`.
"""

from .cache import RpcCache
from .client import RpcClient
from .errors import (
    BadAnswer,
    BlockReorganised,
    CacheUnusable,
    NodeRefused,
    NodeUnreachable,
    RemoteBlockNotFound,
    RemoteError,
    StatePruned,
)
from .fetching import FetchedBlock, fetch_block
from .source import RpcSource

__all__ = [
    "BadAnswer",
    "BlockReorganised",
    "CacheUnusable",
    "FetchedBlock",
    "NodeRefused",
    "NodeUnreachable",
    "RemoteBlockNotFound",
    "RemoteError",
    "RpcCache",
    "RpcClient",
    "RpcSource",
    "StatePruned",
    "fetch_block",
]
