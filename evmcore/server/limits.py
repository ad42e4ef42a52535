"""How much a server takes from its clients, so that none can take it down."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """body_bytes       of a request; a larger one is refused with HTTP 413, a WebSocket is closed with 1009
    batch_items      requests in one batch; a larger one is refused as a whole
    response_bytes   of one answer, and of the answers of a batch together
    connections      at a time, HTTP and WebSocket together; one more is closed at once
    request_seconds  for an answer; then the request has failed, though what it began may go on
    call_seconds     for the execution of a call, an estimate, a simulation; other executions have request_seconds
    read_seconds     for the headers and body of a request to come in, and for an answer to go out
    idle_seconds     that a connection without a request is kept
    gas              of a call, an estimate, or all calls of a simulation
    log_blocks       that eth_getLogs looks at
    logs             that it answers with
    filters          that are kept, as are subscriptions of one connection
    filter_seconds   that a filter is kept without being asked for
    queued_messages  that a WebSocket's client hasn't taken yet; then it is closed
    pool             transactions that wait to be mined
    mined_blocks     that one request may have made
    trace_steps      of a struct log; there are no more in it
    trace_bytes      that are recorded for a trace; a transaction that would leave more can't be traced
    """

    body_bytes: int = 5 * 1024 * 1024
    batch_items: int = 1000
    response_bytes: int = 64 * 1024 * 1024
    connections: int = 1000
    request_seconds: float = 60.0
    call_seconds: float = 5.0
    read_seconds: float = 30.0
    idle_seconds: float = 120.0
    gas: int = 50_000_000
    log_blocks: int = 100_000
    logs: int = 100_000
    filters: int = 1000
    filter_seconds: float = 300.0
    queued_messages: int = 10_000
    pool: int = 10_000
    mined_blocks: int = 100_000
    trace_steps: int = 500_000
    trace_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise TypeError(f"limits.{name}: expected a number, got {type(value).__name__}")
            if value <= 0:
                raise ValueError(f"limits.{name}: {value} is not above 0")
