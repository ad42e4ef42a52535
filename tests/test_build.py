"""setup.py compiles again what its inputs changed, and nothing else. Its functions are taken out of it: it is a program."""

import ast
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

SETUP = Path(__file__).resolve().parent.parent / "setup.py"
NAMES = ("Inputs", "COMMENT", "without_comments", "hash_of_text", "now_of", "is_fresh", "note_inputs")


@pytest.fixture(scope="module")
def setup():
    def is_wanted(node):
        if isinstance(node, ast.Import | ast.ImportFrom):
            return "Cython" not in ast.dump(node) and "setuptools" not in ast.dump(node)
        name = node.targets[0].id if isinstance(node, ast.Assign) else getattr(node, "name", "")
        return name in NAMES

    tree = ast.parse(SETUP.read_text())
    tree.body = [node for node in tree.body if is_wanted(node)]
    found = {}
    exec(compile(tree, SETUP, "exec"), found)
    return SimpleNamespace(**{name: found[name] for name in NAMES})


@pytest.fixture
def compilation(tmp_path, setup):
    """A source with a header, and `compile(meanwhile)`, which takes as long as `meanwhile` does."""
    source, header, made = tmp_path / "a.cpp", tmp_path / "a b.hpp", tmp_path / "out" / "a.o"
    source.write_text('#include "a b.hpp"\nint one() { return ONE; }\n')
    header.write_text("// One.\n#define ONE 1\n")
    for path in (source, header):
        os.utime(path, ns=(1, 1))

    def compile(meanwhile=lambda: None):
        began = setup.now_of(made.with_suffix(".began"))
        meanwhile()
        made.write_text("")
        made.with_suffix(".d").write_text(f"out/a.o: {source} \\\n " + str(header).replace(" ", "\\ ") + "\n")
        setup.note_inputs(made, began, False)

    return SimpleNamespace(source=source, header=header, made=made, compile=compile)


def test_an_object_is_fresh_until_the_text_of_an_input_changes(setup, compilation):
    assert not setup.is_fresh(compilation.made, False)
    compilation.compile()
    assert setup.is_fresh(compilation.made, False)
    compilation.header.write_text("/* The number\n   one. */\n\n#define  ONE 1  // 1\n")
    assert setup.is_fresh(compilation.made, False)
    assert setup.is_fresh(compilation.made, False)
    compilation.header.write_text("// One.\n#define ONE 2\n")
    assert not setup.is_fresh(compilation.made, False)
    compilation.compile()
    compilation.header.unlink()
    assert not setup.is_fresh(compilation.made, False)


def test_a_line_more_is_a_change_where_lines_show(setup, compilation):
    compilation.compile()
    compilation.header.write_text("// One,\n// and no more.\n#define ONE 1\n")
    assert not setup.is_fresh(compilation.made, True)


def test_a_header_that_changes_while_it_is_compiled_makes_the_object_stale(setup, compilation):
    compilation.compile(lambda: compilation.header.write_text("#define ONE 2\n"))
    assert not setup.is_fresh(compilation.made, False)
    compilation.compile()
    assert setup.is_fresh(compilation.made, False)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a // b\nc", "a \nc"),
        ("a /* b\n c */ d", "a d"),
        ("a // b \\\n c\nd", "a \nd"),
        ('"// a" // b', '"// a" '),
        ('"\\"// a" /* b */', '"\\"// a" '),
        ("'\"' // a", "'\"' "),
        ("x = 1'000'000; // it's", "x = 1'000'000; "),
        ("u'/' /* a */ / b", "u'/' / b"),
        ("#error don't /* a */", "#error don't "),
        ('f(R"(// a)") // b', 'f(R"(// a)") // b'),
        ('ERROR"a" // b', 'ERROR"a" '),
    ],
)
def test_comments_are_told_from_what_looks_like_them(setup, text, code):
    kept = setup.without_comments(text, False)
    assert [line.strip() for line in kept.split("\n")] == [line.strip() for line in code.split("\n")]
