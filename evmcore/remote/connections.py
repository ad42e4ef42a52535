"""urllib3's connections with one time limit for a whole answer: its own begins anew with each byte that comes."""

from __future__ import annotations

import http.client
import socket
import time
from typing import Any

from .endpoint import urllib3

__all__ = ["limited"]


class _Answer(http.client.HTTPResponse):
    """What the socket's timeout is when the answer is awaited, is left for all of it, head and body."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        seconds = sock.gettimeout()
        if seconds is None:
            return
        deadline = time.monotonic() + seconds
        raw = self.fp.raw  # a socket.SocketIO
        read_into = raw.readinto

        def read_in_time(buffer: Any) -> int | None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the time for the answer is over")
            sock.settimeout(left)
            count: int | None = read_into(buffer)
            return count

        raw.readinto = read_in_time  # type: ignore[method-assign]


class _Http(urllib3.connection.HTTPConnection):  # type: ignore[misc]
    response_class = _Answer


class _Https(urllib3.connection.HTTPSConnection):  # type: ignore[misc]
    response_class = _Answer


class _HttpPool(urllib3.HTTPConnectionPool):  # type: ignore[misc]
    ConnectionCls = _Http


class _HttpsPool(urllib3.HTTPSConnectionPool):  # type: ignore[misc]
    ConnectionCls = _Https


def limited(pools: urllib3.PoolManager) -> urllib3.PoolManager:
    """The same, with connections that keep a whole answer's time."""
    pools.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
    return pools
