"""A JSON-RPC client over HTTP: calls in batches, each attempted until it has an answer or there is no hope of one.

Synchronous, with a pool of connections; any thread may use a client, and after a fork each process has connections of its own.
"""

from __future__ import annotations

import itertools
import os
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from ..errors import UnusableInput
from ..hexadecimal import checked_quantity, shown
from ..locks import lock_of_process
from .answers import Meaning, meaning_of, text_of
from .connections import limited
from .endpoint import Endpoint, urllib3
from .errors import BadAnswer, NodeRefused, NodeUnreachable, RemoteError, StatePruned
from .pace import Pace, asked_to_wait, backoff_seconds

__all__ = ["Call", "RpcClient"]

_FIRST_BATCH = 64
_LARGEST_BATCH = 1000  # go-ethereum's own limit
_ANSWER_BYTES_MOST = 256 << 20
_PIECE_BYTES = 1 << 16
_CONNECTIONS = 4
_LONGEST_SECONDS = 1e8  # sockets take no more than some 1e9
# Of HTTP: the request may succeed later.
_TRY_AGAIN = frozenset((408, 425, 429, *range(500, 600)))


def _as_it_is(value: Any) -> Any:
    return value


def _above_zero(value: float, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = 0.0
    if not number > 0 or isinstance(value, (bool, str)):
        raise UnusableInput(f"{name}: {shown(value)} is no number above 0")
    return number


class Call(NamedTuple):
    """A call, and what makes a value of its answer; `read` raises UnusableInput where it is none."""

    method: str
    parameters: tuple[Any, ...] = ()
    read: Callable[[Any], Any] = _as_it_is


@dataclass
class _Round:
    """What one request came to: results and errors by place, and what has to be asked for again."""

    done: dict[int, Any] = field(default_factory=dict)
    again: list[int] = field(default_factory=list)
    reason: str = ""
    is_bad: bool = False  # what came was no answer
    wait_seconds: float | None = None
    is_too_large: bool = False


class RpcClient:
    """A node, asked over HTTP.

    url      http or https; a user and password in it are sent as such. Only scheme, host and port are ever shown
    timeout  seconds for one request, from the connection to the answer's last byte
    retries  how often to ask again, in a row without any answer, before giving up
    rate     calls a second at most; None: no limit of ours
    batch    calls in one request at most; None: found out, from 64 to 1,000. 1: no batches
    headers  to send along, such as an authorization
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 30.0,
        retries: int = 6,
        rate: float | None = None,
        batch: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.endpoint = Endpoint(url, headers)
        self._timeout = min(_above_zero(timeout, "timeout"), _LONGEST_SECONDS)
        self._retries = checked_quantity(retries, "retries")
        self._pace = Pace(None if rate is None else _above_zero(rate, "rate"))
        self._largest = _LARGEST_BATCH if batch is None else checked_quantity(batch, "batch", 31)
        if self._largest < 1:
            raise UnusableInput("batch: 0 is less than 1")
        self._size = min(_FIRST_BATCH, self._largest)
        self._numbers = itertools.count(1)
        self._lock = lock_of_process()
        self._pool: urllib3.PoolManager | None = None
        self._process = 0
        self.requests = 0  # that were sent, over HTTP
        self.calls = 0  # in them

    def __repr__(self) -> str:
        return f"<RpcClient {self.endpoint}>"

    def __reduce__(self) -> Any:
        raise TypeError("an RpcClient can't be pickled: its URL may hold a key")

    # -------------------------------------------------------------- what is asked

    def ask(self, method: str, *parameters: Any, read: Callable[[Any], Any] = _as_it_is) -> Any:
        """The answer to one call. Raises RemoteError."""
        return self.ask_all([Call(method, parameters, read)])[0]

    def ask_all(self, calls: Sequence[Call]) -> list[Any]:
        """The answers, in order. Raises the first one's error where there are any, or RemoteError."""
        answers = self.try_all(calls)
        for answer in answers:
            if isinstance(answer, RemoteError):
                raise answer
        return answers

    def try_all(self, calls: Sequence[Call]) -> list[Any]:
        """The answers, in order; in the place of one that was refused a NodeRefused. Raises NodeUnreachable, BadAnswer."""
        answers: dict[int, Any] = {}
        todo = list(range(len(calls)))
        fruitless = 0
        while todo:
            size = min(self._size, self._largest)
            group = todo[:size]
            made = self._request([(place, calls[place]) for place in group])
            answers.update(made.done)
            todo = [place for place in todo if place not in made.done]
            if made.is_too_large:
                if len(group) == 1:
                    raise BadAnswer(str(self.endpoint), f"{calls[group[0]].method}: {made.reason}")
                with self._lock:
                    self._largest = min(self._largest, max(1, len(group) // 2))
                continue
            if made.again:
                fruitless = 1 if made.done else fruitless + 1
                if fruitless > self._retries:
                    attempts = f"{fruitless} attempts" if fruitless > 1 else "one attempt"
                    kind = BadAnswer if made.is_bad else NodeUnreachable
                    raise kind(str(self.endpoint), f"{made.reason} ({attempts})")
                own = backoff_seconds(fruitless)
                time.sleep(own if made.wait_seconds is None else max(made.wait_seconds, own))
            else:
                fruitless = 0
                if len(group) == size:
                    with self._lock:
                        self._size = min(2 * self._size, self._largest)
        return [answers[place] for place in range(len(calls))]

    # -------------------------------------------------------------- one request

    def _request(self, group: list[tuple[int, Call]]) -> _Round:
        self._pace.take(len(group))
        with self._lock:
            numbers = {next(self._numbers): place for place, _ in group}
        bodies = [
            {"jsonrpc": "2.0", "id": number, "method": call.method, "params": call.parameters}
            for number, (_, call) in zip(numbers, group)
        ]
        try:
            body = orjson.dumps(bodies[0] if len(bodies) == 1 else bodies)
        except TypeError as error:  # also of a number beyond 64 bits, which JSON-RPC writes as text
            raise UnusableInput(f"the parameters of {group[0][1].method}: {error}") from None
        self.requests += 1
        self.calls += len(group)
        status, content, retry_after, reason = self._post(body)
        places = [place for place, _ in group]
        if reason:
            return _Round(again=places, reason=reason)
        wait = asked_to_wait(retry_after)
        if content is None or status == 413:
            fault = f"an answer of more than {_ANSWER_BYTES_MOST >> 20} MB" if content is None else "HTTP 413"
            return _Round(again=places, reason=fault, is_bad=True, is_too_large=True)
        try:
            value = orjson.loads(content)
        except orjson.JSONDecodeError:
            value = None
        if not isinstance(value, (dict, list)) or not value:
            if status in _TRY_AGAIN:
                return _Round(again=places, reason=f"HTTP {status}", wait_seconds=wait)
            if not 200 <= status < 300:
                raise NodeRefused(str(self.endpoint), f"HTTP {status}", group[0][1].method, status)
            return _Round(again=places, reason=f"{len(content)} bytes that are no JSON-RPC answer", is_bad=True)
        made = self._sort(value, numbers, dict(group))
        made.wait_seconds = wait
        if not made.done and status in (401, 403):
            raise NodeRefused(str(self.endpoint), made.reason or f"HTTP {status}", group[0][1].method, status)
        return made

    def _sort(self, value: Any, numbers: dict[int, int], calls: dict[int, Call]) -> _Round:
        """The parts of an answer by the calls that they answer."""
        made = _Round()
        items = value if isinstance(value, list) else [value]
        whole = next((one for one in items if isinstance(one, dict) and one.get("id") is None and "error" in one), None)
        if whole is not None and len(items) == 1:
            return self._refusal_of_all(whole["error"], list(numbers.values()), calls)
        seen: set[int] = set()
        for item in items:
            number = item.get("id") if isinstance(item, dict) else None
            if type(number) is not int or number not in numbers or number in seen:
                fault = "an answer to what wasn't asked, or to what was answered already"
                return _Round(again=list(numbers.values()), reason=fault, is_bad=True)
            seen.add(number)
        for item in items:
            self._take(item, numbers[item["id"]], calls[numbers[item["id"]]], made)
        unanswered = [place for number, place in numbers.items() if number not in seen]
        if unanswered and not made.again:
            made.reason, made.is_bad = "an answer that leaves out some of the calls", True
        made.again += unanswered
        return made

    def _take(self, item: dict[str, Any], place: int, call: Call, made: _Round) -> None:
        """One call's answer into what the round came to."""
        if item.get("error") is not None:
            code, text = text_of(item["error"])
            meaning = meaning_of(code, text)
            if meaning in (Meaning.AGAIN, Meaning.TOO_LARGE):
                made.again.append(place)
                made.reason = f"{call.method}: {self.endpoint.hide(text)}"
                made.is_too_large |= meaning is Meaning.TOO_LARGE
            else:
                kind = StatePruned if meaning is Meaning.PRUNED else NodeRefused
                made.done[place] = kind(str(self.endpoint), self.endpoint.hide(text), call.method, code)
            return
        try:
            if "result" not in item:
                raise UnusableInput("it has neither result nor error")
            made.done[place] = call.read(item["result"])
        except UnusableInput as error:
            made.again.append(place)
            made.reason, made.is_bad = f"{call.method}: {self.endpoint.hide(str(error))}", True

    def _refusal_of_all(self, error: Any, places: list[int], calls: dict[int, Call]) -> _Round:
        code, text = text_of(error)
        meaning = meaning_of(code, text)
        reason = self.endpoint.hide(text)
        if meaning is Meaning.AGAIN:
            return _Round(again=places, reason=reason)
        if len(places) > 1:  # whatever it is, it may be about batches
            return _Round(again=places, reason=reason, is_too_large=True)
        method = calls[places[0]].method
        kind = StatePruned if meaning is Meaning.PRUNED else NodeRefused
        return _Round(done={places[0]: kind(str(self.endpoint), reason, method, code)})

    # -------------------------------------------------------------- HTTP

    def _post(self, body: bytes) -> tuple[int, bytes | None, str | None, str]:
        """(status, content, Retry-After, ""), with None for what is too long; or (0, b"", None, why nothing came)."""
        fault = ""
        is_hopeless = False
        response = None
        try:
            deadline = time.monotonic() + self._timeout
            response = self._connections().request(
                "POST",
                self.endpoint.url,
                body=body,
                headers={
                    "content-type": "application/json",
                    "accept": "application/json",
                    "accept-encoding": "gzip",
                    **self.endpoint.headers,
                },
                timeout=urllib3.Timeout(total=self._timeout),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            content = self._read(response, deadline)
            retry_after = response.headers.get("retry-after")
            return response.status, content, retry_after, ""
        except TimeoutError:
            fault = f"no whole answer within {self._timeout:g} s"
        except urllib3.exceptions.SSLError:
            fault, is_hopeless = "its certificate isn't accepted, or it speaks no TLS", True
        except urllib3.exceptions.NameResolutionError:
            fault = "no such host"
        except urllib3.exceptions.NewConnectionError:
            fault = "no connection"
        except urllib3.exceptions.TimeoutError:
            fault = f"no whole answer within {self._timeout:g} s"
        except urllib3.exceptions.LocationValueError:
            fault, is_hopeless = "not a URL that can be asked", True
        except (urllib3.exceptions.HTTPError, OSError, ValueError):
            fault = "the connection ended before the answer did"
        finally:
            # Whatever is left unread would be taken for the next answer.
            if response is not None:
                if fault or not response.closed:
                    response.close()
                response.release_conn()
        # Raised here, where no exception that knows the URL is at hand.
        if is_hopeless:
            raise NodeUnreachable(str(self.endpoint), fault)
        return 0, b"", None, fault

    @staticmethod
    def _read(response: urllib3.BaseHTTPResponse, deadline: float) -> bytes | None:
        pieces: list[bytes] = []
        size = 0
        while piece := response.read1(_PIECE_BYTES):
            size += len(piece)
            if size > _ANSWER_BYTES_MOST:
                return None
            if time.monotonic() > deadline:
                raise TimeoutError
            pieces.append(piece)
        return b"".join(pieces)

    def _connections(self) -> urllib3.PoolManager:
        with self._lock:
            if self._pool is None or self._process != os.getpid():
                self._pool, self._process = self._new_pool(), os.getpid()
            return self._pool

    def _new_pool(self) -> urllib3.PoolManager:
        proxy = urllib.request.getproxies().get(self.endpoint.scheme)
        if proxy and not urllib.request.proxy_bypass(self.endpoint.host) and not self.endpoint.is_loopback:
            return limited(urllib3.ProxyManager(proxy, maxsize=_CONNECTIONS))
        return limited(urllib3.PoolManager(maxsize=_CONNECTIONS))

    def close(self) -> None:
        """Give the connections back; the client may be used again."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.clear()
