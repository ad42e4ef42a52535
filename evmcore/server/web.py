"""The server: HTTP and WebSocket by aiohttp on one event loop; the node on one thread of its own, executions on some more.

A request is read and limited on the loop, begun on the node's thread, and, where it needs the node no more, ended on a worker.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import signal
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..errors import EvmError, UnusableInput
from .dispatch import Call, Dispatcher, encoded, joined, limited, parse
from .errors import INTERNAL_ERROR, TIMED_OUT, RpcError
from .methods.table import Going, Later
from .node import Node

try:
    from aiohttp import WSMsgType, web
except ImportError:  # pragma: no cover - said where a server is made
    web = None

__all__ = ["Server"]

_LOGGER = logging.getLogger("evmcore.server")
_LOGGER.addHandler(logging.NullHandler())
_LOGGER.propagate = False
_JSON_TYPES = ("application/json", "application/json-rpc", "application/jsonrequest")
# Requests of one WebSocket that are at work at a time; then its next ones wait in the socket.
_AT_ONCE = 16


class Server:
    """Serves a DevChain, or a Node of one, on a thread of its own: `with Server(chain) as server: … server.url …`.

    host, port  0: a port that is free, which `port` then is
    workers     threads for executions
    hosts       names by which clients may call it, beside `host`, localhost and addresses
    origins     web sites whose scripts may call it ("*": all); none by default
    raise       UnusableInput where aiohttp isn't there; OSError where the port can't be had
    """

    def __init__(
        self,
        chain: Any,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        workers: int = 8,
        hosts: Iterable[str] = (),
        origins: Iterable[str] = (),
    ) -> None:
        if web is None:
            raise UnusableInput("a server needs aiohttp: pip install evmcore[server]")
        self.node: Node = chain if isinstance(chain, Node) else Node(chain)
        self.host, self.port = host, port
        self.limits = self.node.limits
        self._dispatcher = Dispatcher(self.node)
        self._owner = ThreadPoolExecutor(1, "evmcore-node")
        self._workers = ThreadPoolExecutor(workers, "evmcore-call")
        self._hosts = {host.lower(), "localhost", *(name.lower() for name in hosts)}
        self._origins = frozenset(origins)
        self._sockets: set[Any] = set()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._clock: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """For HTTP; that for WebSocket has "ws" in place of "http"."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    # -------------------------------------------------------------- start and stop

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Serve on a thread, from now on."""
        ready: threading.Event = threading.Event()
        failures: list[BaseException] = []

        def work() -> None:
            try:
                asyncio.run(self._serve(ready.set))
            except BaseException as error:
                failures.append(error)
            finally:
                ready.set()

        self._thread = threading.Thread(target=work, name="evmcore-server", daemon=True)
        self._thread.start()
        ready.wait()
        if failures:
            self._thread.join()
            raise failures[0]

    def stop(self) -> None:
        """End what is served; may be called again."""
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def run(self, ready: Any = None) -> None:
        """Serve in this thread until it is told to end, by Ctrl-C or SIGTERM. `ready()` is called once it listens."""

        async def serve() -> None:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self._end)
            await self._serve(ready or (lambda: None))

        asyncio.run(serve())

    def _end(self) -> None:
        if self._stop is not None:
            self._stop.set()

    async def _serve(self, ready: Any) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        # What clients do wrong isn't written to standard error, which may be a pipe that nobody reads.
        self._loop.set_exception_handler(lambda _, context: _LOGGER.error("%s", context.get("message")))
        server = _make_server(self)
        runner = web.ServerRunner(server, shutdown_timeout=1.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self.host, self.port, backlog=1024)
            await site.start()
            sockets = site._server.sockets
            self.port = sockets[0].getsockname()[1]
            self.node.listeners.append(self._heard)
            self._restart_clock()
            ready()
            await self._stop.wait()
        finally:
            if self._heard in self.node.listeners:
                self.node.listeners.remove(self._heard)
            if self._clock is not None:
                self._clock.cancel()
            for socket in list(self._sockets):
                socket.end()
            await runner.cleanup()
            self._owner.shutdown(wait=True, cancel_futures=True)
            self._workers.shutdown(wait=True, cancel_futures=True)

    # -------------------------------------------------------------- mining by the clock

    def _restart_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None
        if isinstance(self.node.mining, (int, float)) and self._loop is not None:
            self._clock = self._loop.create_task(self._tick(float(self.node.mining)))

    async def _tick(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await asyncio.get_running_loop().run_in_executor(self._owner, self._mine_by_clock)
            except EvmError as error:  # of a fork's node: the clock goes on
                _LOGGER.error("no block was made: %s", error)

    def _mine_by_clock(self) -> None:
        if isinstance(self.node.mining, (int, float)):
            self.node.mine()

    # -------------------------------------------------------------- events

    def _heard(self, kind: str, what: Any) -> None:
        """From the node's thread."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        if kind == "mining":
            loop.call_soon_threadsafe(self._restart_clock)
            return
        for socket in list(self._sockets):
            for message in socket.subscriptions.messages(self.node, kind, what):
                loop.call_soon_threadsafe(socket.put, message)

    # -------------------------------------------------------------- requests

    async def answer(self, body: bytes | str, extra: Any = None) -> bytes | None:
        """The answer to a body; None: it wants none. extra: methods of one connection, call -> value or NotImplemented."""
        try:
            calls, is_batch = parse(body, self.limits)
        except RpcError as error:
            return encoded(None, error)
        deadline = asyncio.get_running_loop().time() + self.limits.request_seconds
        answers: list[bytes] = []
        size = 0
        for call in calls:
            if isinstance(call, RpcError):
                answers.append(encoded(None, call))
                continue
            answer = await self._one(call, deadline, extra)
            if call.is_notification:
                continue
            size += len(answer)
            if size > self.limits.response_bytes and is_batch:
                answer = limited(call.id, RpcError(-32003, "response too large"), self.limits)
            answers.append(answer)
        return joined(answers, is_batch, self.limits)

    async def _one(self, call: Call, deadline: float, extra: Any) -> bytes:
        loop = asyncio.get_running_loop()
        if extra is not None:
            value = await extra(call)
            if value is not NotImplemented:
                return limited(call.id, value, self.limits)
        left = deadline - loop.time()
        try:
            if left <= 0:
                raise asyncio.TimeoutError
            return await asyncio.wait_for(self._execute(call), left)
        except asyncio.TimeoutError:
            return encoded(call.id, RpcError(TIMED_OUT, "request timed out"))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            return encoded(call.id, RpcError(INTERNAL_ERROR, f"internal error: {type(error).__name__}"))

    async def _execute(self, call: Call) -> bytes:
        """An answer. On the node's thread are its beginning and its steps, one at a time, so that others get their turn there."""
        loop = asyncio.get_running_loop()
        dispatcher = self._dispatcher

        def shown(value: Any) -> Any:
            return value if isinstance(value, (Later, Going)) else limited(call.id, value, self.limits)

        def step(*given: Any) -> Any:
            return shown(dispatcher.step(call, *given))

        if dispatcher.is_free(call):
            return bytes(shown(dispatcher.begin(call)))
        made = await loop.run_in_executor(self._owner, lambda: shown(dispatcher.begin(call)))
        while isinstance(made, Going):
            going, sent, error = made, None, None
            if going.later is not None:
                sent, error = await loop.run_in_executor(self._workers, _tried, dispatcher, going.later)
            made = await loop.run_in_executor(self._owner, step, going, sent, error)
        if isinstance(made, bytes):
            return made
        return await loop.run_in_executor(
            self._workers, lambda: limited(call.id, dispatcher.end(call, made), self.limits)
        )

    def in_node(self, function: Any) -> Any:
        """Call a function on the node's thread; what it returns."""
        return self._owner.submit(function).result()

    # -------------------------------------------------------------- HTTP

    def is_host_allowed(self, given: str) -> bool:
        """Whether a client may call the server so: a name that leads here may be another's (DNS rebinding)."""
        name = given.rsplit(":", 1)[0] if not given.startswith("[") else given.partition("]")[0][1:]
        if name.lower() in self._hosts or "*" in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def origin_headers(self, origin: str | None) -> dict[str, str]:
        """What lets a web site's scripts see the answer."""
        if origin is None or not ({"*", origin} & self._origins):
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Headers": "Content-Type",
            "Access-Control-Allow-Methods": "POST",
            "Vary": "Origin",
        }

    async def handle(self, request: Any) -> Any:
        """An HTTP request."""
        if not self.is_host_allowed(request.headers.get("Host", "localhost")):
            return web.Response(status=403, text="invalid host specified\n")
        origin = request.headers.get("Origin")
        headers = self.origin_headers(origin)
        if request.method == "GET" and request.headers.get("Upgrade", "").lower() == "websocket":
            if origin is not None and not headers:
                return web.Response(status=403, text="origin not allowed\n")
            return await self._websocket(request)
        if request.method == "OPTIONS":
            return web.Response(status=200, headers=headers)
        if request.method == "GET":
            return web.Response(
                status=200, headers=headers
            )  # as go-ethereum answers those who look whether it is there
        if request.method != "POST":
            return web.Response(status=405, text="method not allowed\n")
        if request.content_type not in _JSON_TYPES:
            return web.Response(status=415, text="invalid content type, only application/json is supported\n")
        if (request.content_length or 0) > self.limits.body_bytes:
            return self._too_large()
        try:
            body = await asyncio.wait_for(request.read(), self.limits.read_seconds)
        except asyncio.TimeoutError:
            return web.Response(status=408, text="the body took too long\n", headers={"Connection": "close"})
        except web.HTTPRequestEntityTooLarge:
            return self._too_large()
        answer = await self.answer(body)
        return web.Response(body=answer or b"", headers=headers, content_type="application/json")

    def _too_large(self) -> Any:
        text = f"content length too large: may be {self.limits.body_bytes}\n"
        return web.Response(status=413, text=text, headers={"Connection": "close"})

    # -------------------------------------------------------------- WebSocket

    async def _websocket(self, request: Any) -> Any:
        from .sockets import Socket

        response = web.WebSocketResponse(max_msg_size=self.limits.body_bytes, heartbeat=30.0, timeout=5.0)
        await response.prepare(request)
        socket = Socket(self, response)
        self._sockets.add(socket)
        writer = asyncio.ensure_future(socket.write())
        gate = asyncio.Semaphore(_AT_ONCE)
        tasks: set[asyncio.Task[None]] = set()

        async def one(body: bytes | str) -> None:
            try:
                answer = await self.answer(body, socket.extra)
                if answer is not None:
                    socket.put(answer)
            finally:
                gate.release()

        try:
            async for message in response:
                if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    break
                await gate.acquire()
                task = asyncio.ensure_future(one(message.data))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        finally:
            self._sockets.discard(socket)
            for task in tasks:
                task.cancel()
            writer.cancel()
        return response


def _tried(dispatcher: Dispatcher, later: Later) -> tuple[Any, Exception | None]:
    """(value, what was raised in its place)."""
    try:
        return dispatcher.run(later), None
    except Exception as error:
        return None, error


def _make_server(owner: Server) -> Any:
    """aiohttp's server, with a limit to connections, and to the time that one may take for its first request."""
    limits = owner.limits
    loop = asyncio.get_running_loop()
    asked: Any = set()

    class Limited(web.Server):  # type: ignore[misc]
        def connection_made(self, handler: Any, transport: Any) -> None:
            super().connection_made(handler, transport)
            if len(self.connections) > limits.connections:
                loop.call_soon(transport.abort)  # once the handler's task has begun, which would fail without it
                return

            def look() -> None:
                if id(handler) not in asked and handler in self._connections:
                    transport.abort()

            loop.call_later(limits.read_seconds, look)

        def connection_lost(self, handler: Any, error: BaseException | None = None) -> None:
            asked.discard(id(handler))
            super().connection_lost(handler, error)

    async def handle(request: Any) -> Any:
        asked.add(id(request.protocol))
        return await owner.handle(request)

    def make_request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> Any:
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=limits.body_bytes)

    return Limited(
        handle,
        request_factory=make_request,
        access_log=None,
        logger=_LOGGER,  # a client's mistakes are nothing for the operator's screen
        keepalive_timeout=limits.idle_seconds,
        lingering_time=1.0,
    )
