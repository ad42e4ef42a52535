"""Looks into the wheel and the sdist that `make wheel` built, and tries them where nothing else of evmcore is.

    python -m tests.try_wheel dist [--python python3.12]

The wheel has to hold what runs and no more, and its extension module to be linked as setup.py says. It is installed, with its
dependencies as wheels, into a new virtual environment; there the commands, README's example and, from the unpacked sdist, a part
of the tests have to run. An error ends it with a sentence.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "wheel"
IN_WHEEL = (
    "ape_evmcore/*.py",
    # What ape finds the plugin by.
    "ape_evmcore.egg-info/PKG-INFO",
    "ape_evmcore.egg-info/top_level.txt",
    "evmcore/*.py",
    "evmcore/_core.*.so",
    "evmcore/_core.pyi",
    "evmcore/store/*.py",
    "evmcore/store/_mdbx.*.so",
    "evmcore/store/_mdbx.pyi",
    "evmcore/py.typed",
    "evmcore/example/block.json.gz",
)
IN_INFO = ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "top_level.txt", "licenses/LICENSE")
IN_SDIST = (
    *("LICENSE", "README.md", "CHANGELOG.md", "CITATION.cff", "SECURITY.md", "Makefile", "pyproject.toml", "setup.py"),
    *(
        "pyx/_core.pyx",
        "pyx/exports.map",
        "pyx/core/rules/forks.def",
        "pyx/core/state/world.pxd",
        "pyx/store/_mdbx.pyx",
        "pyx/store/mdbx_symbols.def",
        "evmcore/_core.pyi",
        "evmcore/example/block.json.gz",
    ),
    *(
        "tests/conftest.py",
        "tests/opcodes/test_stack.py",
        "tests/fuzz/decode.cpp",
        "bench/report.py",
        "examples/replay.py",
    ),
    *("ethereum-tests/README.md", "ethereum-tests/fetch", "ethereum-tests/pin", "ethereum-tests/skips.txt", ".ci/run"),
)
NOT_IN_SDIST = ("*/_core.cpp", "*/_mdbx.cpp", "*.so", "*.o", "*.pyc", "*/target/*", "*/.git/*")
# Fast ones, from each floor; those that need fixtures from outside are skipped.
TESTS = (
    *(
        "accesses_face",
        "cli",
        "disassembler",
        "docs",
        "example",
        "examples",
        "floors",
        "journal",
        "lazy",
        "precompiles",
    ),
    *("readme", "signatures", "state", "tracing", "transaction", "types"),
)
# The glibc that manylinux_2_28 promises.
GLIBC = (2, 28)


def fail(message: str) -> None:
    sys.exit(f"try_wheel: {message}")


def run(*command: str | Path, cwd: Path = WORK) -> str:
    """Standard output of a command that has to succeed. Nothing of the checkout is on its path."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE, check=False
    )
    if done.returncode != 0:
        fail(f"{' '.join(map(str, command))} ended with {done.returncode}\n{done.stdout[-4000:]}")
    return done.stdout


def look_into_sdist(sdist: Path) -> Path:
    """The unpacked sdist."""
    with tarfile.open(sdist) as archive:
        names = [name.split("/", 1)[1] for name in archive.getnames() if "/" in name]
        for wanted in IN_SDIST:
            if wanted not in names:
                fail(f"{sdist.name} lacks {wanted}")
        for pattern in NOT_IN_SDIST:
            if found := fnmatch.filter(names, pattern):
                fail(f"{sdist.name} has {found[0]}")
        archive.extractall(WORK, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    return WORK / sdist.name.removesuffix(".tar.gz")


def look_into_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        for name in names:
            in_info = re.match(r"evmcore-[^/]+\.dist-info/(.+)", name)
            if in_info and in_info.group(1) not in IN_INFO:
                fail(f"{wheel.name}: {name} does not belong there")
            if not in_info and not any(fnmatch.fnmatch(name, pattern) for pattern in IN_WHEEL):
                fail(f"{wheel.name}: {name} does not belong there")
        for pattern in IN_WHEEL:
            if not fnmatch.filter(names, pattern):
                fail(f"{wheel.name} lacks {pattern}")
        [module] = fnmatch.filter(names, "evmcore/_core.*.so")
        archive.extract(module, WORK)
    if sys.platform == "linux":
        look_into_module(WORK / module)


def look_into_module(module: Path) -> None:
    """Linking of an ELF file: full RELRO, no rpath, one exported function. Prints the newest glibc symbols that it needs."""
    if shutil.which("readelf") is None:
        print("  readelf is missing: how the module is linked was not looked at")
        return
    dynamic = run("readelf", "-dW", module)
    if "BIND_NOW" not in dynamic or "GNU_RELRO" not in run("readelf", "-lW", module):
        fail(f"{module.name}: no full RELRO")
    if "RPATH" in dynamic or "RUNPATH" in dynamic:
        fail(f"{module.name}: has an rpath")
    symbols = [line.split() for line in run("readelf", "--dyn-syms", "-W", module).splitlines() if " UND " not in line]
    exported = [words[7] for words in symbols if len(words) == 8 and words[4] in ("GLOBAL", "WEAK")]
    if exported != ["PyInit__core"]:
        fail(f"{module.name}: exports {exported}")
    needed = re.findall(r"UND (\S+)@(GLIBC_([\d.]+))", run("readelf", "--dyn-syms", "-W", module))
    newer = sorted({f"{name}@{text}" for name, text, number in needed if tuple(map(int, number.split("."))) > GLIBC})
    print(f"  linked with full RELRO, no rpath, one exported function, {module.stat().st_size // 1000:,} kB")
    limit = "manylinux_{}_{}".format(*GLIBC)
    print(f"  glibc symbols newer than {limit}'s: {', '.join(newer) or 'none'}")


def try_in_clean_environment(wheel: Path, sources: Path, python: str) -> None:
    environment = WORK / "venv"
    run(python, "-m", "venv", environment)
    programs = environment / "bin"
    install = (programs / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    # From wheels alone: a user without a compiler can install it.
    run(*install, "--only-binary", ":all:", wheel)
    where = run(programs / "python", "-c", "import evmcore; print(evmcore.__file__, evmcore.MISSING_PACKAGES)")
    if str(environment) not in where:
        fail(f"imported from {where}")
    print(
        f"  {run(programs / 'evmcore', '--version').strip()}, packages that are missing: {where.split(' ', 1)[1].strip()}"
    )
    run(programs / "evmcore", "--help")
    run(programs / "evmcore", "replay", sources / "evmcore" / "example" / "block.json.gz")
    # README's example names the file as it lies in a checkout.
    [code] = re.findall(r"```python\n(.*?)```", (sources / "README.md").read_text(), re.DOTALL)
    run(programs / "python", "-c", code.replace("evmcore/example/", f"{sources}/evmcore/example/"))
    run(*install, "pytest", "hypothesis", "pytest-benchmark")
    files = [name for name in (f"tests/test_{stem}.py" for stem in TESTS) if (sources / name).is_file()]
    # From another folder, so that neither the tests nor the programs that they start import the sources.
    paths = (sources / name for name in (*files, "tests/opcodes"))
    said = run(programs / "pytest", "-p", "no:cacheprovider", "-c", sources / "pyproject.toml", *paths)
    print("  tests from the sdist:", said.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.try_wheel", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where one wheel and one sdist lie")
    parser.add_argument("--python", default=sys.executable, help="the interpreter of the new environment")
    arguments = parser.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    [wheel], [sdist] = arguments.folder.resolve().glob("*.whl"), arguments.folder.resolve().glob("*.tar.gz")
    print(sdist.name)
    sources = look_into_sdist(sdist)
    print(wheel.name)
    look_into_wheel(wheel)
    try_in_clean_environment(wheel, sources, arguments.python)
    print("The wheel and the sdist are good.")


if __name__ == "__main__":
    main()
