"""Requests out of JSON, and answers into it: batches, ids, errors, limits. Knows no HTTP and no threads."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from ..errors import TimeLimitExceeded
from ..time_limits import time_limit
from .decode import Unfit
from .errors import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    RESPONSE_TOO_LARGE,
    SERVER_ERROR,
    RpcError,
    of_exception,
)
from .limits import Limits
from .methods import METHODS
from .methods.table import Going, Later, Method, finish, go_on

__all__ = ["Call", "Dispatcher", "decode_arguments", "parse"]

_WANTED = (str, int, float, type(None))


@dataclass(frozen=True, slots=True)
class Call:
    """A request that is well formed. `is_notification`: it has no id, and gets no answer."""

    id: Any
    method: str
    params: Any
    is_notification: bool


def parse(body: bytes | str, limits: Limits) -> tuple[list[Call | RpcError], bool]:
    """(requests, whether they came as a batch). What isn't one is an RpcError in its place; raises RpcError where nothing can be read."""
    try:
        value = orjson.loads(body)
    except (ValueError, RecursionError):
        raise RpcError(PARSE_ERROR, "parse error") from None
    if not isinstance(value, list):
        return [_request(value)], False
    if not value:
        raise RpcError(INVALID_REQUEST, "empty batch")
    if len(value) > limits.batch_items:
        raise RpcError(INVALID_REQUEST, f"batch too large: {len(value)} requests, may have {limits.batch_items}")
    return [_request(one) for one in value], True


def _request(value: Any) -> Call | RpcError:
    if not isinstance(value, dict):
        return RpcError(INVALID_REQUEST, "invalid request")
    given = value.get("id")
    method = value.get("method")
    if not isinstance(method, str) or not isinstance(given, _WANTED) or isinstance(given, bool):
        return RpcError(INVALID_REQUEST, "invalid request")
    return Call(given, method, value.get("params"), "id" not in value)


def decode_arguments(method: Method, params: Any) -> list[Any]:
    """A handler's arguments. Raises RpcError that names the parameter."""
    if params is None:
        params = []
    if isinstance(params, dict):
        unknown = set(params) - {parameter.name for parameter in method.parameters}
        if unknown:
            raise RpcError(INVALID_PARAMS, f"unknown argument {sorted(unknown)[0][:80]!r}")
        params = [params.get(parameter.name) for parameter in method.parameters]
    if not isinstance(params, list):
        raise RpcError(INVALID_PARAMS, "non-array args")
    most = len(method.parameters)
    if len(params) > most:
        raise RpcError(INVALID_PARAMS, f"too many arguments, want at most {most}")
    arguments = []
    for index, parameter in enumerate(method.parameters):
        value = params[index] if index < len(params) else None
        if value is None:
            if parameter.is_required:
                raise RpcError(INVALID_PARAMS, f"missing value for required argument {index} ({parameter.name})")
            arguments.append(parameter.default)
            continue
        try:
            arguments.append(parameter.decode(value))
        except Unfit as error:
            raise RpcError(INVALID_PARAMS, _unfit(index, parameter.name, str(error))) from None
    return arguments


def _unfit(index: int, name: str, message: str) -> str:
    return (
        message if re.match(r"invalid hex in storage key", message) else f"invalid argument {index} ({name}): {message}"
    )


class Dispatcher:
    """Answers requests with the methods of a table. One thread owns it, with the node that the handlers are given."""

    def __init__(self, node: Any, methods: dict[str, Method] | None = None) -> None:
        self.node = node
        self.methods = METHODS if methods is None else methods

    def is_free(self, call: Call) -> bool:
        """Whether any thread may begin it, and at any time."""
        method = self.methods.get(call.method)
        return method is None or method.is_free

    def begin(self, call: Call) -> Any:
        """What a request comes to: a value, an RpcError, a `Later` whose `run` any thread may call, or a `Going`."""
        method = self.methods.get(call.method)
        try:
            if method is None:
                raise RpcError(METHOD_NOT_FOUND, f"the method {call.method[:80]} does not exist/is not available")
            arguments = decode_arguments(method, call.params)
            fork = self.node.fork
            moved = None if fork is None else fork.redirected(self.node, method, call.params, arguments)
            if moved is not None or method.is_free:
                return method.handler(self.node, *arguments) if moved is None else moved
            with time_limit(self.node.limits.request_seconds):
                return go_on(method.handler(self.node, *arguments))
        except Exception as error:
            return self._refused(call, error)

    def step(self, call: Call, going: Going, sent: Any = None, error: Exception | None = None) -> Any:
        """The next step of what goes on: `sent` is the value of the Later that it waited for, `error` what that raised."""
        try:
            with time_limit(self.node.limits.request_seconds):
                return go_on(going.steps, sent, error)
        except Exception as raised:
            return self._refused(call, raised)

    def run(self, later: Later) -> Any:
        """The value of a Later, which has its time; raises what it raises."""
        with time_limit(self._seconds(later)):
            return later.run()

    def end(self, call: Call, begun: Any) -> Any:
        """The value of what has begun, all the rest of it in this thread, or an RpcError."""
        later = begun.later if isinstance(begun, Going) else begun
        try:
            with time_limit(self._seconds(later)):
                return finish(begun)
        except Exception as error:
            return self._refused(call, error, later)

    def _seconds(self, later: Any) -> float:
        """A fork's node may take its time."""
        limits, is_call = self.node.limits, isinstance(later, Later) and later.is_call
        return float(limits.call_seconds if is_call and self.node.fork is None else limits.request_seconds)

    def _refused(self, call: Call, error: Exception, later: Any = None) -> RpcError:
        if isinstance(error, TimeLimitExceeded):
            return RpcError(SERVER_ERROR, f"execution aborted (timeout = {self._seconds(later):g}s)")
        return of_exception(error, is_simulation=call.method == "eth_simulateV1")

    def answer(self, body: bytes | str) -> bytes | None:
        """The answer to a body, all at once in this thread; None: there is none."""
        limits: Limits = self.node.limits
        try:
            calls, is_batch = parse(body, limits)
        except RpcError as error:
            return encoded(None, error)
        return joined(
            [self._one(call, limits) for call in calls if not isinstance(call, Call) or not call.is_notification],
            is_batch,
            limits,
        )

    def _one(self, call: Call | RpcError, limits: Limits) -> bytes:
        if isinstance(call, RpcError):
            return encoded(None, call)
        return limited(call.id, self.end(call, self.begin(call)), limits)


def encoded(identifier: Any, value: Any) -> bytes:
    """One answer."""
    shown: dict[str, Any] = {"jsonrpc": "2.0", "id": identifier}
    if isinstance(value, RpcError):
        shown["error"] = value.to_json()
    else:
        shown["result"] = value
    try:
        return orjson.dumps(shown)
    except (TypeError, ValueError):
        shown.pop("result", None)
        shown["error"] = {"code": INTERNAL_ERROR, "message": "internal error: an answer that JSON can't say"}
        return orjson.dumps(shown)


def limited(identifier: Any, value: Any, limits: Limits) -> bytes:
    """The same, or an error where it is too long."""
    answer = encoded(identifier, value)
    if len(answer) > limits.response_bytes:
        return encoded(identifier, RpcError(RESPONSE_TOO_LARGE, "response too large"))
    return answer


def joined(answers: list[bytes], is_batch: bool, limits: Limits) -> bytes | None:
    """The answers of a body. Those of a batch that don't fit any more are errors."""
    if not answers:
        return None
    if not is_batch:
        return answers[0]
    kept, size = [], 2
    for answer in answers:
        if size + len(answer) + 1 > limits.response_bytes:
            identifier = orjson.loads(answer)["id"]
            answer = encoded(identifier, RpcError(RESPONSE_TOO_LARGE, "response too large"))
        kept.append(answer)
        size += len(answer) + 1
    return b"[" + b",".join(kept) + b"]"


Handler = Callable[..., Any]
