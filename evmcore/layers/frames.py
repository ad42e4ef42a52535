"""Frames over TCP, and a server of them that no client can hold up: bounds on connections, memory and time.

A frame is its length (4 bytes, big-endian) and as many bytes.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import UnusableInput
from ..hexadecimal import checked_quantity, shown

__all__ = ["FRAME_BYTES_MOST", "FrameServer", "ServerLimits", "receive", "send"]

FRAME_BYTES_MOST = 256 << 20
_PART_BYTES = 1 << 18
_LONGEST_SECONDS = 1e8  # of a socket's timeout
_NO_DESCRIPTORS_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What clients may take of a server. Who takes more is hung up on.

    connections   at a time
    frame_bytes   of one request
    memory_bytes  of the requests of all clients that are coming in, or not yet answered
    idle_s        seconds that a client may be silent between its requests, and within one
    request_s     seconds that a request may take to come in, and an answer to go out
    """

    connections: int = 64
    frame_bytes: int = 64 << 20
    memory_bytes: int = 512 << 20
    idle_s: float = 60.0
    request_s: float = 60.0

    def __post_init__(self) -> None:
        for name in ("connections", "frame_bytes", "memory_bytes"):
            if checked_quantity(getattr(self, name), f"limits.{name}", 64) < 1:
                raise UnusableInput(f"limits.{name}: 0 is less than 1")
        for name in ("idle_s", "request_s"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value <= _LONGEST_SECONDS:
                raise UnusableInput(f"limits.{name}: {shown(value)} is no number of seconds above 0")
        if self.frame_bytes > FRAME_BYTES_MOST:
            raise UnusableInput(f"limits.frame_bytes: {self.frame_bytes} is more than {FRAME_BYTES_MOST}")


class _Memory:
    """Bytes that requests take, of all clients together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self.taken = 0

    def take(self, count: int) -> bool:
        with self._lock:
            if self.taken + count > self._most:
                return False
            self.taken += count
            return True

    def give_back(self, count: int) -> None:
        with self._lock:
            self.taken -= count


class FrameServer(socketserver.ThreadingTCPServer):
    """Answers each frame of each client by what `answer` makes of it, one at a time for each.

    `refused` counts connections that were hung up on at once, `dropped` those that took too much memory or time.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 4096  # who doesn't fit tries again a second later, for all of a flood's connections

    def __init__(self, address: tuple[str, int], answer: Callable[[bytes], bytes], limits: ServerLimits) -> None:
        self._answer, self._limits = answer, limits
        self._memory = _Memory(limits.memory_bytes)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.refused = self.dropped = 0
        super().__init__(address, socketserver.BaseRequestHandler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def get_request(self) -> tuple[socket.socket, object]:
        try:
            return super().get_request()
        except OSError:  # most likely there are no more descriptors: it would be tried again at once
            time.sleep(_NO_DESCRIPTORS_PAUSE_S)
            raise

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        with self._lock:
            is_refused = len(self._open) >= self._limits.connections
            if is_refused:
                self.refused += 1
            else:
                self._open.add(request)
        if is_refused:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that fails is no news; no thread for it neither."""

    def finish_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        try:
            while self._serve_one(request):
                pass
        except TimeoutError:
            with self._lock:
                self.dropped += 1
        except (OSError, EOFError):
            pass

    def _serve_one(self, connection: socket.socket) -> bool:
        """One frame and its answer; false where the client hangs up, or takes too much."""
        limits = self._limits
        connection.settimeout(limits.idle_s)
        first = connection.recv(1)
        if not first:
            return False
        end = time.monotonic() + limits.request_s
        taken = 0

        def read(size: int, into: bytearray) -> bool:
            nonlocal taken
            while len(into) < size:
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                connection.settimeout(min(left, limits.idle_s))
                part = connection.recv(min(size - len(into), _PART_BYTES))
                if not part:
                    return False
                if not self._memory.take(len(part)):
                    raise TimeoutError  # counted like one
                taken += len(part)
                into += part
            return True

        try:
            head, frame = bytearray(first), bytearray()
            if not read(4, head):
                return False
            (size,) = struct.unpack(">I", head)
            if size > limits.frame_bytes:
                connection.settimeout(limits.request_s)
                send(connection, b"E" + f"a frame of {size} bytes, more than {limits.frame_bytes}".encode())
                return False
            if not read(size, frame):
                return False
            answer = self._answer(bytes(frame))
            del frame
            connection.settimeout(limits.request_s)  # of all of it
            send(connection, answer)
            return True
        finally:
            self._memory.give_back(taken)

    @property
    def connections(self) -> int:
        """How many clients there are."""
        return len(self._open)

    @property
    def taken_bytes(self) -> int:
        """What their requests take."""
        return self._memory.taken

    def close(self) -> None:
        """Take no more connections, and hang up on those there are."""
        self.shutdown()
        self.server_close()
        with self._lock:
            open_ = list(self._open)
        for connection in open_:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def send(connection: socket.socket, frame: bytes) -> None:
    """One frame."""
    if len(frame) > FRAME_BYTES_MOST:
        raise UnusableInput(f"{len(frame)} bytes to send, more than {FRAME_BYTES_MOST}")
    connection.sendall(struct.pack(">I", len(frame)) + frame)


def receive(connection: socket.socket) -> bytes | None:
    """One frame; None where the other side has hung up."""
    head = _exactly(connection, 4)
    if head is None:
        return None
    (size,) = struct.unpack(">I", head)
    if size > FRAME_BYTES_MOST:
        raise ConnectionError(f"a frame of {size} bytes, more than {FRAME_BYTES_MOST}")
    return _exactly(connection, size)


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(min(size - len(parts), 1 << 20))
        if not part:
            return None
        parts += part
    return bytes(parts)
