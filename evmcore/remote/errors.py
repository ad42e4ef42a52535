"""What may go wrong with a node and with what is kept of its answers. No message has more of a URL than scheme, host and port."""

from __future__ import annotations

from ..errors import EvmError

__all__ = [
    "BadAnswer",
    "BlockReorganised",
    "CacheUnusable",
    "NodeRefused",
    "NodeUnreachable",
    "RemoteBlockNotFound",
    "RemoteError",
    "StatePruned",
]


class RemoteError(EvmError):
    """A node didn't give what was asked of it. `.node` is its scheme, host and port."""

    def __init__(self, node: str, fault: str) -> None:
        super().__init__(node, fault)
        self.node = node
        self.fault = fault

    def __str__(self) -> str:
        return f"{self.node}: {self.fault}"


class NodeUnreachable(RemoteError):
    """No usable answer after all attempts: no connection, timeouts, "too many requests", errors of the server."""


class BadAnswer(RemoteError):
    """What came is no answer to what was asked: not JSON, another request's, too long, or not of the form that the method has."""


class NodeRefused(RemoteError):
    """The node answered with an error. `.method` was asked, `.code` is the error's number (HTTP's, where it is no JSON-RPC error)."""

    def __init__(self, node: str, fault: str, method: str = "", code: int | None = None) -> None:
        super().__init__(node, fault)
        self.args = (node, fault, method, code)
        self.method = method
        self.code = code

    def __str__(self) -> str:
        name = f"{self.method}: " if self.method else ""
        number = "" if self.code is None else f" ({self.code})"
        return f"{self.node}: {name}{self.fault}{number}"


class StatePruned(NodeRefused):
    """The node doesn't have the state of that block any more; one that keeps all states (an archive node) does."""

    def __str__(self) -> str:
        return f"{super().__str__()}; an archive node has the state of such a block"


class RemoteBlockNotFound(RemoteError, LookupError):
    """The node has no such block. `.block` is what was asked for."""

    def __init__(self, node: str, block: object) -> None:
        super().__init__(node, f"no block {block}")
        self.args = (node, block)
        self.block = block


class BlockReorganised(RemoteError):
    """The block that a fork is of isn't the chain's any more. `.number`; `.have`: the hash that it has now (None: none), `.want`: the fork's."""

    def __init__(self, node: str, number: int, have: bytes | None, want: bytes) -> None:
        now = "gone" if have is None else f"0x{have.hex()}"
        super().__init__(node, f"block {number} was 0x{want.hex()} and is {now}: the chain was reorganised")
        self.args = (node, number, have, want)
        self.number = number
        self.have = have
        self.want = want


class CacheUnusable(EvmError):
    """The file that keeps a node's answers can't be used. `.path`."""

    def __init__(self, path: str, fault: str) -> None:
        super().__init__(path, fault)
        self.path = path
        self.fault = fault

    def __str__(self) -> str:
        return f"{self.path}: {self.fault}"
