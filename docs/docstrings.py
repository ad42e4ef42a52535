"""A griffe extension for evmcore: docstrings, whose arguments stand in aligned columns, as Markdown lists; and constructors of
compiled classes, which show themselves as (*args, **kwargs), as the stubs have them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import griffe

# "name  what it is", with names as in "key, message" and at least two spaces between.
ROW = re.compile(r"^((?:\*{0,2}\w[\w.]*)(?:, \*{0,2}\w[\w.]*)*)\s{2,}(\S.*)$")
CONTINUED = re.compile(r"^\s{4,}(\S.*)$")


def as_markdown(text: str) -> str:
    """The text with each aligned row as a list item, and what follows it indented as a part of the item."""
    lines: list[str] = []
    in_list = False
    for line in text.splitlines():
        if row := ROW.match(line):
            if not in_list:
                lines.append("")
            lines.append(f"- `{row.group(1)}`: {row.group(2)}")
            in_list = True
        elif in_list and (more := CONTINUED.match(line)):
            lines[-1] += " " + more.group(1)
        else:
            if in_list and line:
                lines.append("")
            in_list = False
            lines.append(line)
    return "\n".join(lines)


class Evmcore(griffe.Extension):
    """Docstrings of all objects, constructors of the compiled classes."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        if "_core" not in pkg.members:
            return
        core, path = pkg["_core"], Path(__file__).resolve().parent.parent / "evmcore" / "_core.pyi"
        for name, stub in griffe.visit("_core", filepath=path, code=path.read_text()).classes.items():
            if name in core.members and "__init__" in stub.members:
                core[name].set_member("__init__", stub.members["__init__"])
