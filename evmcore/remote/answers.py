"""What a node's error means: JSON-RPC names few, and each client and provider has words of its own."""

from __future__ import annotations

import enum
import re
from typing import Any

__all__ = ["Meaning", "meaning_of", "text_of"]


class Meaning(enum.Enum):
    """What to do about an error."""

    AGAIN = "wait and ask again"
    TOO_LARGE = "ask for less at once"
    UNKNOWN_BLOCK = "the node doesn't know the block, or doesn't know it yet"
    PRUNED = "the state isn't there any more"
    FORM = "the node doesn't take the request in this form"
    REFUSED = "anything else"


_METHOD_NOT_FOUND, _INVALID_PARAMS, _INTERNAL = -32601, -32602, -32603
_BUSY_CODES = frozenset((429, -32005, -32029, -32097))
# In this order: the first that fits counts.
_WORDS: tuple[tuple[Meaning, re.Pattern[str]], ...] = tuple(
    (meaning, re.compile(pattern, re.IGNORECASE))
    for meaning, pattern in (
        (
            Meaning.PRUNED,
            r"missing trie node|historical state|state (is |was )?(not available|unavailable|pruned|already discarded)|prun"
            r"|state .{0,90}(is not available|unavailable)|no state available|archive|old data not available"
            r"|proof window|distance to target block|state histories|state recreation|required historical",
        ),
        (
            Meaning.TOO_LARGE,
            r"batch.{0,40}(too large|limit|size|exceed|more than|not (allowed|supported))|too many (requests|calls) in .{0,8}batch"
            r"|(response|request|body|payload|content|result).{0,20}(too large|too big|size)|maximum batch|entity too large",
        ),
        (
            Meaning.AGAIN,
            r"rate.?limit|too many requests|limit exceeded|exceeded .{0,40}(limit|capacity|quota|rate)|capacity|throughput|compute units"
            r"|timed? ?out|temporar|try again|overload|busy|unavailable|bad gateway|connection (reset|refused)|upstream",
        ),
        (
            Meaning.UNKNOWN_BLOCK,
            r"header not found|header for hash not found|unknown block|block .{0,90}(not found|is not known)|hash .{0,90}not found"
            r"|not currently canonical|cannot find block|no such block",
        ),
        (Meaning.FORM, r"cannot unmarshal|invalid argument|invalid (type|params|block)|hex string|deserializ|expected"),
    )
)


def meaning_of(code: object, text: str) -> Meaning:
    """What an error of this number and text means."""
    if code in _BUSY_CODES:
        return Meaning.AGAIN
    for meaning, pattern in _WORDS:
        if pattern.search(text):
            return meaning
    if code == _INVALID_PARAMS:
        return Meaning.FORM
    return Meaning.AGAIN if code == _INTERNAL else Meaning.REFUSED


def text_of(error: Any) -> tuple[int | None, str]:
    """(number, text) of a JSON-RPC error, whatever it is."""
    if isinstance(error, dict):
        code, message = error.get("code"), error.get("message")
        text = message if isinstance(message, str) else "an error without a message"
        return (code if type(code) is int else None), text
    return None, error if isinstance(error, str) else "an error without a message"
