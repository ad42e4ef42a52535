"""A node for tools and tests: JSON-RPC over HTTP and WebSocket on a DevChain, with go-ethereum's answers and errors.

`evmcore serve` starts one; in a program, `with Server(DevChain(…)) as server: server.url`. Needs `pip install evmcore[server]`.
"""

from .accounts import DevAccount, dev_accounts
from .dispatch import Dispatcher
from .errors import RpcError
from .forking import Fork
from .limits import Limits
from .methods import METHODS
from .node import Node
from .web import Server

__all__ = ["METHODS", "DevAccount", "Dispatcher", "Fork", "Limits", "Node", "RpcError", "Server", "dev_accounts"]
