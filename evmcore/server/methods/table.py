"""What a method is."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from types import GeneratorType
from typing import Any

from ..decode import Decoder, anything

__all__ = ["Going", "Later", "Method", "Parameter", "Steps", "finish", "go_on", "optional", "required", "rows"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One of a method's parameters. An optional one that isn't there, or is null, has its default."""

    name: str
    decode: Decoder = anything
    is_required: bool = True
    default: Any = None


@dataclass(frozen=True, slots=True)
class Method:
    """A method: handler(node, arguments…) gives what JSON can say, a Later, or Steps.

    is_free  whether any thread may run the handler at any time: it reads what is whole whatever the node is at
    """

    name: str
    handler: Callable[..., Any]
    parameters: tuple[Parameter, ...] = ()
    is_free: bool = False


@dataclass(frozen=True, slots=True)
class Later:
    """The rest of a handler that needs the node no more: any thread may run it.

    is_call  whether it is one call or a few: then its time is shorter
    """

    run: Callable[[], Any]
    is_call: bool = False


# A handler that is a generator runs on the node's thread from one `yield` to the next: others get their turn there, and of a Later that it
# yields it gets the value. It may be left at a `yield` for good.
Steps = Generator["Later | None", Any, Any]


@dataclass(frozen=True, slots=True)
class Going:
    """Steps that are at a `yield`, and the Later that they wait for."""

    steps: Steps
    later: Later | None


def go_on(steps: Any, sent: Any = None, error: BaseException | None = None) -> Any:
    """The next step of a handler: its value, or a Going. What is no generator is a value already."""
    if not isinstance(steps, GeneratorType):
        return steps
    try:
        return Going(steps, steps.send(sent) if error is None else steps.throw(error))
    except StopIteration as end:
        return end.value


def finish(value: Any) -> Any:
    """The value that a handler's answer, or what goes on of it, comes to: all in this thread."""
    made = value if isinstance(value, Going) else go_on(value)
    while isinstance(made, Going):
        sent, error = None, None
        if made.later is not None:
            try:
                sent = made.later.run()
            except Exception as raised:
                error = raised
        made = go_on(made.steps, sent, error)
    return made.run() if isinstance(made, Later) else made


def required(name: str, decode: Decoder = anything) -> Parameter:
    """A parameter that has to be there."""
    return Parameter(name, decode)


def optional(name: str, decode: Decoder = anything, default: Any = None) -> Parameter:
    """A parameter that may be left out."""
    return Parameter(name, decode, False, default)


def rows(*given: tuple[Any, ...], is_free: bool = False) -> dict[str, Method]:
    """(name or names, handler, parameters…), … as a table."""
    table = {}
    for names, handler, *parameters in given:
        for name in (names,) if isinstance(names, str) else names:
            table[name] = Method(name, handler, tuple(parameters), is_free)
    return table
