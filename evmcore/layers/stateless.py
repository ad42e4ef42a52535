"""Layers without a state, over TCP: a block and its witness go out, a signed digest comes back.

Neither side trusts the other: what a layer is sent hangs on the block's hash, what it answers is its signature's. Nothing is pickled.
A frame is its length (4 bytes, big-endian) and as many bytes: a letter, then RLP.

    H                     who are you?                    A  address, engine
    B  block, cpu ms      execute it (Witnessed.encode)   S  certificate or nothing, summary as JSON
                                                          C  hashes of codes that the layer lacks: send the block again, with them
                                                          E  what is wrong with the request
"""

from __future__ import annotations

import contextlib
import socket
import threading
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import orjson

from .. import __version__, rlp
from ..errors import EvmError, UnusableInput
from ..hexadecimal import checked_quantity, shown, to_address
from .carried import CodeStore
from .certificate import Certificate, address_of
from .executors import DaemonThreads
from .frames import FrameServer, ServerLimits, receive, send
from .layer import Answer, answer_block
from .stateless_block import Witnessed
from .summary import plain_of, said, summary_of

__all__ = ["LayerServer", "RemoteLayer", "ServerLimits"]

_CONNECT_SECONDS = 10.0
_LONGEST_SECONDS = 1e8  # of a socket's timeout


class LayerServer:
    """Answers all that connect: a layer that holds nothing but its key and the codes it was sent.

    key       32 bytes
    address   (host, port); port 0: a free one, `address` says which
    workers   threads within a block;  at_once  blocks that are executed at a time, the others wait
    limits    what clients may take: ServerLimits
    cpu_limit_s  of the processor's time that a block may take, whatever the client says; beyond it the layer abstains. None: any

    `clients` is the FrameServer, which counts connections, bytes, and clients that were hung up on.
    """

    def __init__(
        self,
        key: bytes,
        address: tuple[str, int] = ("127.0.0.1", 0),
        *,
        workers: int = 1,
        at_once: int = 1,
        limits: ServerLimits | None = None,
        cpu_limit_s: float | None = None,
    ) -> None:
        for name, value in (("workers", workers), ("at_once", at_once)):
            if checked_quantity(value, name, 16) < 1:
                raise UnusableInput(f"{name}: 0 is less than 1")
        self._key, self._workers, self._cpu_limit_s = key, workers, cpu_limit_s
        self.signer = address_of(key)
        self._codes = CodeStore()
        self._turn = threading.BoundedSemaphore(at_once)
        self.clients = FrameServer(address, self._answer, limits or ServerLimits())
        self.address: tuple[str, int] = self.clients.server_address[:2]  # type: ignore[assignment]

    def _answer(self, frame: bytes) -> bytes:
        try:
            if frame[:1] == b"H":
                return b"A" + rlp.encode([self.signer, f"evmcore {__version__}".encode()])
            if frame[:1] != b"B":
                raise UnusableInput(f"a frame that begins with {frame[:1]!r}")
            items = rlp.to_list(rlp.decode(frame[1:], "request"), "request", 2, 2)
            given = Witnessed.decode(rlp.to_bytes(items[0], "request.block"))
            limit_ms = rlp.to_number(items[1], "request.cpu_ms", 64)
        except (EvmError, MemoryError, RecursionError) as error:
            return b"E" + said(error).encode()
        # The bytes say what a code's hash is, not the sender.
        own = given.codes
        self._codes.add(own)
        found, missing = self._codes.take(one for one in given.code_hashes if one not in own)
        if missing:
            return b"C" + rlp.encode(missing)
        limits = [one for one in (limit_ms / 1000, self._cpu_limit_s) if one]
        try:
            with self._turn:
                answer = answer_block(
                    given, self._key, min(limits, default=None), workers=self._workers, codes={**found, **own}
                )
        except (EvmError, MemoryError, RecursionError) as error:
            return b"E" + said(error).encode()
        certificate = [] if answer.certificate is None else [answer.certificate.encode()]
        return b"S" + rlp.encode([certificate, orjson.dumps(plain_of(answer.summary))])

    def close(self) -> None:
        """Take no more requests, and hang up."""
        self.clients.close()

    def __enter__(self) -> LayerServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RemoteLayer:
    """A LayerServer elsewhere, as a layer.

    address    (host, port)
    signer     the address that its certificates have to be signed by, 20 bytes
    timeout_s  wall time without a byte from it after which it counts as lost
    """

    def __init__(
        self, address: tuple[str, int], signer: bytes, *, name: str | None = None, timeout_s: float = 600.0
    ) -> None:
        if (
            not isinstance(address, tuple)
            or len(address) != 2
            or not isinstance(address[0], str)
            or type(address[1]) is not int
            or not 0 < address[1] < 1 << 16
        ):
            raise UnusableInput(f"address: {shown(address)} is not (host, port)")
        if not isinstance(timeout_s, (int, float)) or not 0 < timeout_s <= _LONGEST_SECONDS:
            raise UnusableInput(
                f"timeout_s: {shown(timeout_s)} is no number of seconds from 0 to {_LONGEST_SECONDS:.0f}"
            )
        self._at, self._signer, self._timeout_s = address, to_address(signer, "signer"), timeout_s
        self._name = name or f"{address[0]}:{address[1]}"
        self._thread = DaemonThreads(1)
        self._lock = threading.Lock()  # for the two below
        self._connection: socket.socket | None = None
        self._turn = 0  # of connections; what was asked in an earlier one may not leave a connection behind

    name = property(lambda self: self._name)
    address = property(lambda self: self._signer)

    def submit(self, block: Any, cpu_limit_s: float | None = None) -> Future[Answer]:
        """Have it execute a Witnessed."""
        if not isinstance(block, Witnessed):
            raise TypeError(f"block: expected Witnessed, got {type(block).__name__}")
        return self._thread.submit(self._ask, self._turn, block, cpu_limit_s)

    def _ask(self, turn: int, block: Witnessed, cpu_limit_s: float | None) -> Answer:
        try:
            connection = self._connected(turn)
            codes = block.codes
            lean = block.without_codes()
            reply = self._exchange(connection, lean, [], cpu_limit_s)
            if reply[:1] == b"C":
                wanted = rlp.to_list(rlp.decode(reply[1:], "codes"), "codes")
                reply = self._exchange(
                    connection,
                    lean,
                    [codes[one] for one in wanted if isinstance(one, bytes) and one in codes],
                    cpu_limit_s,
                )
        except OSError as error:
            self._drop(turn)
            raise ConnectionError(f"{self._name}: {error or type(error).__name__}") from None
        if reply[:1] != b"S":
            raise UnusableInput(f"{self._name}: {shown(reply[1:].decode('utf-8', 'replace'))}")
        items = rlp.to_list(rlp.decode(reply[1:], "answer"), "answer", 2, 2)
        certificates = [rlp.to_bytes(one, "certificate") for one in rlp.to_list(items[0], "answer.certificate", 0, 1)]
        try:
            summary = summary_of(orjson.loads(rlp.to_bytes(items[1], "answer.summary")))
        except (KeyError, TypeError, ValueError) as error:
            raise UnusableInput(f"{self._name}: its summary: {type(error).__name__}: {error}") from None
        return Answer(summary, Certificate.decode(certificates[0]) if certificates else None)

    def _exchange(
        self, connection: socket.socket, block: Witnessed, codes: list[bytes], cpu_limit_s: float | None
    ) -> bytes:
        if codes:
            block = replace(block, witness=replace(block.witness, codes=tuple(codes)))
        send(connection, b"B" + rlp.encode([block.encode(), rlp.number(round((cpu_limit_s or 0) * 1000))]))
        reply = receive(connection)
        if reply is None:
            raise ConnectionError("it hung up")
        return reply

    def _connected(self, turn: int) -> socket.socket:
        """The turn's connection. ConnectionError if the turn is over, maybe while it was being made."""
        with self._lock:
            if turn == self._turn and self._connection is not None:
                return self._connection
        made = socket.create_connection(self._at, _CONNECT_SECONDS)
        with self._lock:
            if turn == self._turn:
                made.settimeout(self._timeout_s)
                self._connection = made
                return made
        made.close()
        raise ConnectionError("it was hung up")

    def _drop(self, turn: int | None = None) -> None:
        """Hang up: in this turn, if it isn't over; without one, and begin another."""
        with self._lock:
            if turn is None:
                self._turn += 1
            elif turn != self._turn:
                return
            connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def restart(self) -> bool:
        """Connect anew, with the next block."""
        self._drop()
        self._thread.shutdown(wait=False)
        self._thread = DaemonThreads(1)
        return True

    def close(self) -> None:
        """Hang up."""
        self._drop()
        self._thread.shutdown(wait=False)
