"""The parts that `_core.pyx` includes use names of earlier parts only, and take of the core what they use.

An include says nothing of what is used: all parts share one module. So the names themselves are read: what each part defines at
its top, and what it mentions. Nothing is compiled.
"""

import re
from pathlib import Path

import pytest

PYX = Path(__file__).resolve().parent.parent / "pyx"
TOKEN = re.compile(
    r'#[^\n]*|[rbRB]?"""(?s:.*?)"""|[fF]?"(?:[^"\\\n]|\\.)*"|[rbfRBF]?\'(?:[^\'\\\n]|\\.)*\'|\d[\w.]*|[A-Za-z_]\w*|\s+|.'
)
WORD = re.compile(r"[A-Za-z_]\w*")
PARTS = re.findall(r'^include "(\w+\.pxi)"', (PYX / "_core.pyx").read_text(), re.MULTILINE)


def tokens(text):
    """What is code, f-strings' expressions too. A string is one token, in quotes."""
    found = []
    for token in TOKEN.findall(text):
        if token[0] == "#" or token.isspace():
            continue
        if token[-1] in "\"'":
            found.append('""')
            if token[0] in "fF":
                for expression in re.findall(r"(?<!\{)\{([^{}]+)\}", token):
                    found += ["(", *tokens(re.sub(r"![rsa]$", "", expression.split(":")[0])), ")"]
            continue
        found.append(token)
    return found


def statements(text):
    """The lines of each statement at the top of a file."""
    found = []
    for line in re.sub(r'"""(?s:.*?)"""', '""', text).splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line[0] in " )" and found:
            found[-1].append(line)
        else:
            found.append([line])
    return found


def is_import(statement):
    return re.match(r"(from|import|cimport) ", statement[0]) is not None


def imported(statement):
    """(module, names) of an import or cimport."""
    text = " ".join(line.split("#")[0].strip() for line in statement)
    if found := re.match(r"from (\S+) c?import \(?(.*?)\)?$", text):
        return found[1], {word.split()[-1] for word in found[2].split(",") if word.strip()}
    name = text.split()[-1]
    return name, {name.split(".")[0]}


def name_of_member(line):
    """The name in a declaration of an extern block or an enum."""
    line = line.strip()
    for pattern in (
        r"(?:cdef )?(?:cppclass|enum class|enum|struct) (\w+)",
        r'(\w+) "[^"]*"',
        r"\(\*(\w+)\)",
        r"[^(]*?(\w+)\(",
        r"(\w+) *=",
        r".*?(\w+)$",
    ):
        if found := re.match(pattern, line) or (pattern[0] in "(\\" and re.search(pattern, line)):
            return found[1]
    return None


def defined(statement):
    """The names that a statement at the top of a part gives to those after it."""
    first = statement[0].split("#")[0].rstrip()
    if is_import(statement) or (re.match(r"cdef class \w+$", first) and len(statement) == 1):
        return set()  # a declaration of what comes later defines nothing
    if re.match(r"cdef (extern|enum:)", first):
        members = (line.split("#")[0] for line in statement[1:] if re.match(r"    \w", line))
        return {name_of_member(member) for member in members} - {None, "pass"}
    if found := re.match(r"(?:c?p?def )?(?:inline )?(?:class|cppclass|struct|enum class|enum) (\w+)", first):
        return {found[1]}
    if found := re.match(r"def (\w+)|c(?:p)?def [^=(]*?(\w+)\(|cdef [^=(]*?(\w+)(?: *=.*)?$", first):
        return {found[1] or found[2] or found[3]}
    if found := re.match(r"(?:for )?([\w, ]+?) (?:=|in) ", first):
        return {name.strip() for name in found[1].split(",")}
    return set()


def used(statement):
    """The names that a statement mentions, but for attributes of something else."""
    words = tokens("\n".join(statement))
    return {word for before, word in zip(["", *words], words) if WORD.fullmatch(word) and before != "."}


def definitions():
    """{name: the number of the part that defines it}."""
    places = {}
    for number, part in enumerate(PARTS):
        for statement in statements((PYX / part).read_text()):
            for name in defined(statement):
                places.setdefault(name, number)
    return places


def looks_up(text, number, places):
    """(name, part) of what a part uses of later ones."""
    return {
        (name, PARTS[places[name]])
        for statement in statements(text)
        for name in used(statement)
        if places.get(name, -1) > number
    }


@pytest.mark.parametrize("part", PARTS)
def test_a_part_uses_names_of_earlier_parts_only(part):
    number = PARTS.index(part)
    assert looks_up((PYX / part).read_text(), number, definitions()) == set()


def core_names():
    """{name: module} of all that is declared beside the headers."""
    names = {}
    for path in (PYX / "core").rglob("*.pxd"):
        module = ".".join(path.relative_to(PYX).with_suffix("").parts)
        for statement in statements(path.read_text()):
            for name in defined(statement):
                names[name] = module
            inside = ""
            for line in statement[1:]:
                if re.match(r"    \w", line):
                    inside = line
                elif re.match(r"    (cdef )?enum \w", inside):
                    names[line.split()[0]] = module  # a member of an enum without a scope
    return names


@pytest.mark.parametrize("part", ["_core.pyx", *PARTS])
def test_a_part_takes_of_the_core_what_it_uses(part):
    pieces = statements((PYX / part).read_text())
    taken = {
        name
        for piece in pieces
        if is_import(piece) and imported(piece)[0].startswith("core.")
        for name in imported(piece)[1]
    }
    mentioned = set().union(*(used(piece) for piece in pieces if not is_import(piece)))
    own = set().union(
        *(defined(piece) for piece in pieces), *(imported(piece)[1] for piece in pieces if is_import(piece))
    )
    assert taken - mentioned == set(), "taken and not used"
    # A local variable may have the name of something in the core.
    types = {name for name in core_names() if name[0].isupper()}
    assert (mentioned & types) - own == set(), "used and not taken"


def test_uses_are_found():
    places = definitions()
    name, number = next((name, number) for name, number in places.items() if number == len(PARTS) - 1)
    for line in (
        f"x = {name}(1)",
        f"cdef int f({name} a):\n    return 1",
        f'raise E(f"a {{{name}}} b")',
        f"def f():\n    {name}()",
    ):
        assert looks_up(line, 0, places) == {(name, PARTS[number])}, line
    for line in (f"x = a.{name}", f"# {name}", f'x = "{name}"', f"x = f'{{{{{name}}}}}'", f'"""{name}"""'):
        assert looks_up(line, 0, places) == set(), line
