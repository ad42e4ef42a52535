"""Follow the recipes in a copy of the tree, build it, and run the tests that hold rows to what they say: `make recipes`."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from . import rows

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("pyx", "evmcore", "tests", "setup.py", "pyproject.toml", "README.md", "LICENSE")
TESTS = ("test_tables", "test_forks", "test_stack_depth", "test_transaction_fields", "test_floors", "test_disassembler")


def main() -> None:
    """Every step's output is shown; the exit status is that of the first that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--blocks", type=int, default=300, metavar="N", help="blocks that are run in parallel (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the first block (default: %(default)s)")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where the copy is made, and kept, with its objects")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="recipes-"))
    try:
        copy_tree(folder)
        run(folder, "setup.py", "-q", "build_ext", "--inplace", EVMCORE_DEBUG="1")
        run(folder, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *(f"tests/{name}.py" for name in TESTS))
        run(folder / "tests", "-m", "recipes.blocks", str(arguments.seed), str(arguments.blocks))
    finally:
        if arguments.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


def copy_tree(folder: Path) -> None:
    """The tree with the additions; a file that is the same already keeps its time, and with that its objects."""
    additions: dict[str, str] = {}
    rows.apply(lambda path: (ROOT / path).read_text(), additions.__setitem__)
    for name in COPIED:
        source = ROOT / name
        for file in sorted(source.rglob("*")) if source.is_dir() else [source]:
            path = file.relative_to(ROOT).as_posix()
            if file.is_dir() or file.suffix in (".so", ".pyc") or file.name == "_core.cpp":
                continue
            content = additions[path].encode() if path in additions else file.read_bytes()
            target = folder / path
            if not target.exists() or target.read_bytes() != content:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)


def run(folder: Path, *words: str, **environment: str) -> None:
    """Run Python in the copy, which is what `import evmcore` finds there."""
    print("+ python", *words, flush=True)
    path = os.pathsep.join((str(folder), str(folder.parent), str(folder / "tests")))
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env={**os.environ, "PYTHONPATH": path, **environment}, check=False
    )
    if done.returncode != 0:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
