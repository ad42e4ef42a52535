"""A WebSocket's client: what it has subscribed to, and what is on its way to it."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import orjson

from ..hexadecimal import to_hex
from . import decode, objects
from .decode import Unfit
from .dispatch import Call, decode_arguments
from .encode import header_json, transaction_json
from .errors import INVALID_PARAMS, SERVER_ERROR, RpcError
from .methods.filters import logs_of, removed_logs
from .methods.table import Method, optional, required

__all__ = ["Socket", "Subscriptions"]

KINDS = ("newHeads", "logs", "newPendingTransactions", "syncing")
_SUBSCRIBE = Method("eth_subscribe", lambda: None, (required("kind", decode.text), optional("options")))
_UNSUBSCRIBE = Method("eth_unsubscribe", lambda: None, (required("subscription", decode.text),))


class Subscriptions:
    """Those of one client: name -> (kind, what it wants). Changed on the loop, read on the node's thread."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.known: dict[str, tuple[str, Any]] = {}

    def add(self, kind: str, options: Any) -> str:
        """A new one; its name."""
        if kind not in KINDS:
            raise RpcError(INVALID_PARAMS, f'no "{kind[:80]}" subscription in eth namespace')
        if len(self.known) >= self.most:
            raise RpcError(SERVER_ERROR, f"too many subscriptions: there may be {self.most}")
        try:
            if kind == "logs":
                options = objects.filter_(options or {})
            elif kind == "newPendingTransactions":
                options = options is not None and decode.boolean(options)
        except Unfit as error:
            raise RpcError(INVALID_PARAMS, f"invalid argument 1 (options): {error}") from None
        name = "0x" + secrets.token_hex(16)
        self.known = {**self.known, name: (kind, options)}
        return name

    def remove(self, name: str) -> bool:
        """Whether there was one."""
        if name not in self.known:
            raise RpcError(SERVER_ERROR, "subscription not found")
        self.known = {other: one for other, one in self.known.items() if other != name}
        return True

    def messages(self, node: Any, kind: str, what: Any) -> list[bytes]:
        """What an event makes for this client."""
        made = []
        for name, (wanted, options) in self.known.items():
            results: list[Any] = []
            if kind == "block" and wanted == "newHeads":
                results = [header_json(what.header)]
            elif kind == "block" and wanted == "logs":
                results = logs_of(node, options, what)
            elif kind == "removed" and wanted == "logs":
                results = removed_logs(node, options, what)
            elif kind == "pending" and wanted == "newPendingTransactions":
                results = [transaction_json(what) if options else to_hex(what.hash)]
            for result in results:
                params = {"subscription": name, "result": result}
                made.append(orjson.dumps({"jsonrpc": "2.0", "method": "eth_subscription", "params": params}))
        return made


class Socket:
    """A client, and the messages that it hasn't taken yet. One that takes none is let go."""

    def __init__(self, server: Any, response: Any) -> None:
        self.server = server
        self.response = response
        self.subscriptions = Subscriptions(server.limits.filters)
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(server.limits.queued_messages)
        self._queued_bytes = 0

    def put(self, message: bytes) -> None:
        """Have a message sent, after those before it."""
        self._queued_bytes += len(message)
        try:
            if self._queued_bytes > 2 * self.server.limits.response_bytes:
                raise asyncio.QueueFull
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            self.end()

    def end(self) -> None:
        """Let the client go, whatever it does."""
        transport = self.response._req.transport if self.response._req is not None else None
        if transport is not None:
            transport.abort()

    async def write(self) -> None:
        """Send what is put."""
        while True:
            message = await self._queue.get()
            if message is None:
                return
            self._queued_bytes -= len(message)
            try:
                await asyncio.wait_for(self.response.send_str(message.decode()), self.server.limits.read_seconds)
            except (asyncio.TimeoutError, ConnectionError, RuntimeError):
                self.end()
                return

    async def extra(self, call: Call) -> Any:
        """The methods that a connection has for itself."""
        try:
            if call.method == "eth_subscribe":
                return self.subscriptions.add(*decode_arguments(_SUBSCRIBE, call.params))
            if call.method == "eth_unsubscribe":
                return self.subscriptions.remove(*decode_arguments(_UNSUBSCRIBE, call.params))
        except RpcError as error:
            return error
        return NotImplemented
