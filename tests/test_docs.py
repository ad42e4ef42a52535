"""The guides tell the truth: their programs run and print what they say, their commands work, and the site has all pages.

The site itself is built by `make docs`, for which a broken link or an unknown name is an error.
"""

import contextlib
import io
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from nodes import Node

from evmcore import Account, Transaction, assemble
from evmcore.__main__ import COMMANDS, main
from evmcore.dev import DevChain
from evmcore.example import EXAMPLE_FILE

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    return [code for named, code in BLOCK.findall(page.read_text()) if named == language]


def run_and_compare(page: Path) -> int:
    """Run a page's programs one after the other, as a reader would; a line `print(…)  # text` prints that text."""
    names: dict = {}
    compared = 0
    for code in blocks(page, "python"):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, name_of(page), "exec"), names)
        said = re.findall(r"^ *print\(.*\)  # (.*)$", code, re.MULTILINE)
        if said:
            assert printed.getvalue().splitlines() == said
        compared += len(said)
    return compared


def small_mainnet() -> Node:
    """A node in mainnet's place, for the page that asks one: of its contracts it has one that has 18 decimals. Its chain is Hoodi's, since
    mainnet's first blocks are Frontier's."""
    weth = bytes.fromhex("c02aaa39b223fe8d0a0e5c4f27ead9083c756cc2")
    code = assemble("PUSH1 18 PUSH0 MSTORE CALLVALUE PUSH0 SLOAD ADD PUSH0 SSTORE PUSH1 32 PUSH0 RETURN")
    payment = Transaction(to=weth, value=5, gas_limit=100_000, gas_price=10**10, chain_id=560_048).sign(b"\x11" * 32)
    chain = DevChain(
        {weth: Account(nonce=1, code=code), payment.sender: Account(balance=10**18)},
        chain_id=560_048,
        forks="Osaka",
        genesis={"timestamp": 1_770_000_000},
    )
    chain.mine(2)
    chain.send(payment)
    return Node(chain)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=name_of)
def test_the_programs_of_a_page_run_and_print_what_they_say(page, tmp_path, monkeypatch):
    if name_of(page) == "store.md":
        pytest.importorskip("mdbx", reason="libmdbx is not installed; it has no package for this Python or machine")
    if name_of(page) == "titanoboa.md":
        pytest.importorskip("boa", reason="titanoboa is not installed (the extra evmcore[boa])")
    if name_of(page) == "server.md":
        pytest.importorskip("aiohttp", reason="aiohttp is not installed: pip install evmcore[server]")
    monkeypatch.chdir(tmp_path)
    if name_of(page) == "fork.md":
        pytest.importorskip("urllib3", reason="evmcore.remote wants urllib3")
        with small_mainnet() as node:
            monkeypatch.setenv("RPC_URL", node.url)
            run_and_compare(page)
        return
    run_and_compare(page)


def test_what_a_program_prints_is_compared(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1 + 1)  # 3\n```\n")
    monkeypatch.setattr(sys.modules[__name__], "DOCS", tmp_path)
    with pytest.raises(AssertionError):
        run_and_compare(page)


def test_the_commands_of_the_guide_work(tmp_path, monkeypatch, capsys):
    shutil.copy(EXAMPLE_FILE, tmp_path / "block.json.gz")
    monkeypatch.chdir(tmp_path)
    lines = [line for page in PAGES for code in blocks(page, "console") for line in code.splitlines()]
    assert lines
    for line in lines:
        prompt, program, *words = shlex.split(line)
        assert (prompt, program) == ("$", "evmcore")
        try:
            status = main(words)
        except SystemExit as left:
            status = left.code
        assert status == 0, line
        assert capsys.readouterr().out


def test_the_guide_names_every_command():
    text = (DOCS / "command-line.md").read_text()
    assert set(re.findall(r"^\| `evmcore (\w+)", text, re.MULTILINE)) == set(COMMANDS)


def test_every_page_is_in_the_navigation_and_every_entry_is_a_page():
    generated = set(re.findall(r'^    "[^"]+": "([^"]+)",$', (DOCS / "hooks.py").read_text(), re.MULTILINE))
    listed = re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert {name_of(page) for page in PAGES} <= set(listed)
    assert set(listed) <= {name_of(page) for page in PAGES} | generated


def test_public_names_are_in_the_reference():
    import evmcore

    text = "".join(page.read_text() for page in (DOCS / "api").glob("*.md"))
    shown = set(re.findall(r"^::: evmcore\.(\w+)$", text, re.MULTILINE)) | set(re.findall(r"`([A-Z_]+)`", text))
    shown |= set(re.findall(r"`(?:evmcore\.)?(Strategy|Accesses|Tracer)`", text))
    from evmcore import errors

    assert set(evmcore.__all__) - shown - set(errors.__all__) == {"__version__"}
