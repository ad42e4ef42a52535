"""What a header of the core declares is used: a member that nobody reads and a function that nobody calls are dead code.

By names, in text without comments: one that stands only where it is declared and defined. One that two things share, of which one
is used, counts as used.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {".hpp", ".cpp", ".def", ".pxi", ".pyx", ".pxd"}
CPP_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
# Of a .pxd, which repeats what a header declares, only the C++ names that Cython's differ from.
NOT_QUOTED = re.compile(r'(?:^|")[^"]*(?:"|$)', re.MULTILINE)
# A type, a name, and how a declaration goes on: `u64 gas;`, `bool holds(…`, `int rows[…`, `size_t count = …`, `Words words{…`.
DECLARATION = re.compile(
    r"^(?!\s*(?:return|using|typedef|goto|else|case|delete|throw|asm)\b)"
    r"[ \t]*[\w:<>,*&\[\] ]*[\w>*&\]][ *&]+(?:\w+::)?(\w+)(?=\s*[;({=\[])",
    re.MULTILINE,
)


def code_of(file: Path) -> str:
    text = file.read_text("utf-8")
    if file.suffix == ".pxd":
        return NOT_QUOTED.sub("\n", text)
    return CPP_COMMENT.sub("", text) if file.suffix in (".hpp", ".cpp", ".def") else re.sub(r"#[^\n]*", "", text)


def sources_of_core() -> dict[Path, str]:
    """Each with its code, what Cython made of them left out."""
    files = [*(ROOT / "pyx").rglob("*"), *(ROOT / "tests" / "core").rglob("*.[ch]pp")]
    return {file: code_of(file) for file in files if file.suffix in SOURCES and file.name != "_core.cpp"}


def dead_names(sources: dict[Path, str]) -> list[str]:
    counts, declared = Counter[str](), Counter[str]()
    in_headers: dict[str, str] = {}
    for file, text in sources.items():
        counts.update(re.findall(r"\w+", text))
        if file.suffix in (".hpp", ".cpp"):
            names = DECLARATION.findall(text)
            declared.update(names)
            if file.suffix == ".hpp":
                in_headers.update(dict.fromkeys(names, file.name))
    return [f"{file}: {name}" for name, file in in_headers.items() if counts[name] == declared[name]]


def test_what_a_header_declares_is_used():
    assert dead_names(sources_of_core()) == []


def test_a_dead_name_is_found():
    sources = {
        Path("a.hpp"): "struct A {\n    u64 alive;\n    u64 dead_member;\n    bool dead_function(int x) const;\n};\n"
        "inline constexpr std::size_t DEAD_CONSTANT = 1;\n",
        Path("a.cpp"): "u64 sum(A& a) { return a.alive; }\nbool A::dead_function(int x) const {\n    return x;\n}\n",
    }
    assert dead_names(sources) == ["a.hpp: dead_member", "a.hpp: dead_function", "a.hpp: DEAD_CONSTANT"]
