"""What a method is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..decode import Decoder, anything

__all__ = ["Later", "Method", "Parameter", "optional", "required", "rows"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One of a method's parameters. An optional one that isn't there, or is null, has its default."""

    name: str
    decode: Decoder = anything
    is_required: bool = True
    default: Any = None


@dataclass(frozen=True, slots=True)
class Method:
    """A method: handler(node, arguments…) gives what JSON can say, or a Later."""

    name: str
    handler: Callable[..., Any]
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True)
class Later:
    """The rest of a handler that needs the node no more: any thread may run it."""

    run: Callable[[], Any]


def required(name: str, decode: Decoder = anything) -> Parameter:
    """A parameter that has to be there."""
    return Parameter(name, decode)


def optional(name: str, decode: Decoder = anything, default: Any = None) -> Parameter:
    """A parameter that may be left out."""
    return Parameter(name, decode, False, default)


def rows(*given: tuple[Any, ...]) -> dict[str, Method]:
    """(name or names, handler, parameters…), … as a table."""
    table = {}
    for names, handler, *parameters in given:
        for name in (names,) if isinstance(names, str) else names:
            table[name] = Method(name, handler, tuple(parameters))
    return table
