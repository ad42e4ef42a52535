"""Where a node is: a URL whose secrets (keys in its path, passwords) are shown to nobody but the node.

A URL's path and query, and the values of headers, count as secrets.
"""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import logging
import re
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from ..errors import UnusableInput
from ..hexadecimal import shown

try:
    import urllib3
except ImportError:
    raise ImportError("evmcore.remote wants urllib3: pip install evmcore[remote]", name="urllib3") from None

__all__ = ["Endpoint", "urllib3"]

# Shorter parts of a path are words such as "v3", which may stand in any message.
_SHORTEST_SECRET = 8
_LOGGER = "urllib3.connectionpool"  # writes the path of each request at level DEBUG
_hidden_paths: set[str] = set()
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, token
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")


class Endpoint:
    """A node's URL, taken apart. Its repr and text are scheme, host and port."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        if not isinstance(url, str):
            raise UnusableInput(f"url: expected text, got {type(url).__name__}")
        # Nothing of the text is in these messages: what can't be read may be a secret.
        try:
            parts = urlsplit(url.strip())
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = urlsplit(""), None, None
        if not host or any(character.isspace() for character in url.strip()):
            raise UnusableInput("url: not one with a host, such as https://node.example/key")
        if parts.scheme not in ("http", "https"):
            raise UnusableInput(f"url: scheme {parts.scheme!r:.12}, wants http or https")
        self.host = host
        bracketed = f"[{host}]" if ":" in host else host
        self.origin = f"{parts.scheme}://{bracketed}" + ("" if port is None else f":{port}")
        self.scheme = parts.scheme
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self.url = self.origin + path
        self.headers = _checked_headers(headers)
        secrets = [*parts.path.split("/"), parts.query, *(piece.partition("=")[2] for piece in parts.query.split("&"))]
        secrets += list(self.headers.values())
        if parts.username is not None:
            user, password = unquote(parts.username), unquote(parts.password or "")
            token = base64.b64encode(f"{user}:{password}".encode()).decode()
            self.headers["authorization"] = f"Basic {token}"
            secrets += [user, password, token, parts.username, parts.password or ""]
        self._secrets = sorted({one for one in secrets if len(one) >= _SHORTEST_SECRET}, key=len, reverse=True)
        if path != "/":
            _hide_in_logs(path, self.url)

    def __str__(self) -> str:
        return self.origin

    def __repr__(self) -> str:
        return f"<Endpoint {self.origin}>"

    def __reduce__(self) -> Any:
        raise TypeError("an Endpoint can't be pickled: its URL may hold a key")

    def hide(self, text: str) -> str:
        """A text of the node's, which may repeat its own URL, without the secrets, cut to a readable length."""
        for secret in self._secrets:
            text = text.replace(secret, "…")
        text = " ".join("".join(one if one.isprintable() else " " for one in text).split())
        return text if len(text) <= 300 else text[:300] + "…"

    @property
    def is_loopback(self) -> bool:
        """Whether the node is on this machine, as development nodes are, whose states change without a block."""
        try:
            found = {ipaddress.ip_address(self.host.partition("%")[0])}
        except ValueError:
            if self.host == "localhost" or self.host.endswith(".localhost"):
                return True
            try:
                infos = socket.getaddrinfo(self.host, None, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError):
                return False
            found = {ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in infos}
        return any((getattr(one, "ipv4_mapped", None) or one).is_loopback or one.is_unspecified for one in found)


def _checked_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Headers that can be sent. No value is in a message: it may be a secret."""
    if headers is not None and not isinstance(headers, Mapping):
        raise UnusableInput(f"headers: expected a mapping, got {type(headers).__name__}")
    checked = {}
    for name, value in (headers or {}).items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise UnusableInput(f"headers: {shown(name)} is not the name of a header")
        if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
            raise UnusableInput(f"headers: the value of {name} can't be sent: it wants printable ASCII")
        checked[name] = value
    return checked


class _Hider(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        arguments = record.args if isinstance(record.args, tuple) else (record.args,)
        if any(isinstance(one, str) and one in _hidden_paths for one in arguments):
            record.args = tuple("/…" if isinstance(one, str) and one in _hidden_paths else one for one in arguments)
        return True


_hider = _Hider()


def _hide_in_logs(path: str, url: str) -> None:
    # The log has the path as urllib3 writes it, and the whole URL where a proxy is asked.
    _hidden_paths.update((path, url))
    with contextlib.suppress(urllib3.exceptions.HTTPError, ValueError):
        normal = urllib3.util.parse_url(url)
        _hidden_paths.update((normal.request_uri, normal.url))
    logging.getLogger(_LOGGER).addFilter(_hider)  # which is there once, however often it is added
