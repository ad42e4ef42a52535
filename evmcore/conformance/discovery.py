"""Finding test files: those that a command is pointed at, and the whole corpus with its suites and the list of skips.

A test file is JSON, {name: test}; what a test is shows in its members.
"""

from __future__ import annotations

import fnmatch
import lzma
import os
import re
import sys
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._core import FORKS, NEWEST_FORK, fork_includes, fork_index
from ..errors import UnusableInput
from ..files import max_json_bytes, parse_json, read_file, write_file

__all__ = [
    "EVERYTHING",
    "Selection",
    "Skip",
    "Suite",
    "cache_folder",
    "find_corpus",
    "fixture_files",
    "kind_of",
    "load_skips",
    "load_tests",
    "suites_of",
]

# In the order in which they are told apart: a kind, and the members that only its tests have.
_KINDS = (
    ("state", ("pre", "post", "transaction", "env")),
    ("blockchain", ("blocks", "genesisBlockHeader")),
    ("transaction", ("txbytes", "result")),
)


def kind_of(test: object) -> str | None:
    """ "state", "blockchain" or "transaction"; None for anything else."""
    if isinstance(test, Mapping):
        for kind, members in _KINDS:
            if all(member in test for member in members):
                return kind
    return None


@dataclass(frozen=True, slots=True)
class Skip:
    """A line of the list of skips: which cases, and why."""

    fork: str  # as the test names it, with * and ?
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Which tests and cases of the files are wanted; None: all.

    fork    the place of a fork in FORKS
    index   of a case among those of its fork in its test
    names   a regular expression that is searched for in the test's name
    skips   cases that are not run but counted, with the reason
    sample  one test in that many, chosen by its name; `takes_newest`: and all cases of the newest forks
    """

    fork: int | None = None
    index: int | None = None
    names: re.Pattern[str] | None = None
    skips: tuple[Skip, ...] = ()
    sample: int = 1
    takes_newest: bool = True

    def wants(self, name: str) -> bool:
        """Whether the test with this name may be wanted."""
        return self.names is None or self.names.search(name) is not None

    def wants_in(self, name: str, fork: str) -> bool:
        """Whether the test is wanted under a fork or transition, named as the test does: `fork` and `sample` decide."""
        if self.fork is not None and not _is_fork(fork, self.fork):
            return False
        if self.sample == 1 or zlib.crc32(name.encode()) % self.sample == 0:
            return True
        return self.takes_newest and fork.startswith(_NEWEST)

    def reason_to_skip(self, path: str, fork: str) -> str | None:
        """Why the cases of a file under a fork are not to be run; None: they are."""
        for skip in self.skips:
            if fnmatch.fnmatchcase(fork, skip.fork) and fnmatch.fnmatchcase(path, skip.path):
                return skip.reason
        return None


EVERYTHING = Selection()


def newest_of_substance() -> str:
    """The newest fork that a chain can't leave out, by its mainnet name."""
    fork = FORKS[fork_index(NEWEST_FORK)]
    while fork.may_be_left_out and fork.parent is not None:
        fork = FORKS[fork_index(fork.parent)]
    return fork.mainnet_name


# Forks, and transitions from them, that a sample takes whole: the newest that changes more than blob limits, and what follows.
_NEWEST = tuple(
    name
    for fork in FORKS
    if fork_includes(fork.mainnet_name, newest_of_substance())
    for name in (fork.test_name, fork.mainnet_name)
)


def _is_fork(name: str, fork: int) -> bool:
    try:
        return fork_index(name) == fork
    except ValueError:
        return False


def load_skips(path: Path) -> tuple[Skip, ...]:
    """The list of skips: a line is fork, file and reason, with * and ? in the first two; "#" begins a comment."""
    if not path.exists():
        return ()
    try:
        lines = read_file(path, max_json_bytes()).decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise UnusableInput(f"{path}: not text") from None
    words = [line.split(maxsplit=2) for line in lines if line.strip() and not line.startswith("#")]
    for entry in words:
        if len(entry) != 3:
            raise UnusableInput(f"{path}: {' '.join(entry)!r} has no reason")
    return tuple(Skip(*entry) for entry in words)


def load_tests(path: str, kind: str) -> dict[str, Any]:
    """The tests of a file that are of that kind, by name. Raises UnusableInput for what is no JSON object."""
    content = parse_json(read_file(path, max_json_bytes()), path)
    if not isinstance(content, dict):
        raise UnusableInput(f"{path}: not an object of tests")
    return {name: test for name, test in content.items() if kind_of(test) == kind}


def fixture_files(paths: Sequence[str]) -> list[tuple[str, bool]]:
    """The files to read: (path, whether it was named itself). Directories are walked."""
    found = []
    for name in map(str.strip, paths):
        if not name:
            continue
        if "\0" in name:
            raise UnusableInput(f"{name!r:.80}: no name of a file")
        if os.path.isdir(name):
            found += [(path, False) for path in sorted(_walk(name))]
        elif os.path.exists(name):
            found.append((name, True))
        else:
            raise UnusableInput(f"{name}: no such file or directory")
    return found


def _walk(folder: str) -> Iterator[str]:
    for root, folders, files in os.walk(folder, onerror=_unreadable):
        folders[:] = [inside for inside in folders if not inside.startswith(".")]
        for file in files:
            # Not what is none: a pipe would be waited for.
            if file.endswith(".json") and os.path.isfile(os.path.join(root, file)):
                yield os.path.join(root, file)


def _unreadable(error: OSError) -> None:
    raise UnusableInput(f"{error.filename}: {error.strerror or error}")


# ---------------------------------------------------------------- the corpus


@dataclass(frozen=True, slots=True)
class Suite:
    """A folder of tests of one kind, under the name that the report gives it."""

    name: str
    kind: str
    folder: Path


# Where the public repositories keep their tests: (folder, kind). The name of a suite is its folder's.
_FOLDERS = (
    ("GeneralStateTests", "state"),
    ("BlockchainTests/ValidBlocks", "blockchain"),
    ("BlockchainTests/InvalidBlocks", "blockchain"),
    ("BlockchainTests/TransitionTests", "blockchain"),
    ("BlockchainTests/GeneralStateTests", "blockchain"),  # the state tests again, each as a block
    ("TransactionTests", "transaction"),
    ("LegacyTests/Cancun/GeneralStateTests", "state"),
    ("LegacyTests/Cancun/BlockchainTests", "blockchain"),
    ("LegacyTests/Constantinople/GeneralStateTests", "state"),
    ("LegacyTests/Constantinople/BlockchainTests", "blockchain"),
)
# Releases of execution-spec-tests lie in a folder each, with these inside.
_RELEASES = "eest-fixtures"
_RELEASE_FOLDERS = (
    ("state_tests", "state"),
    ("blockchain_tests", "blockchain"),
    ("transaction_tests", "transaction"),
)


def suites_of(root: Path) -> list[Suite]:
    """The suites that are there, in the order of the report."""
    suites = [Suite(name, kind, root / name) for name, kind in _FOLDERS]
    releases = sorted((root / _RELEASES).iterdir()) if (root / _RELEASES).is_dir() else []
    # A release unpacked by itself has its folders at the top.
    for release in [*releases, root, root / "fixtures"]:
        for name, kind in _RELEASE_FOLDERS:
            folder = release / name
            suites.append(Suite(folder.relative_to(root).as_posix(), kind, folder))
    return [suite for suite in suites if suite.folder.is_dir()]


def find_corpus(project: Path, archives: Sequence[Path], cache: Path) -> Path | None:
    """Where the fixtures lie: $EVMCORE_TESTS, else the project's `ethereum-tests`, else the archives unpacked into `cache`.

    None if there are none anywhere. Unpacking is done once; an archive that changed is unpacked again.
    """
    named = os.environ.get("EVMCORE_TESTS")
    if named:
        root = Path(named).expanduser()
        if not suites_of(root):
            raise UnusableInput(f"EVMCORE_TESTS: no tests in {root}")
        return root
    for root in (project / "ethereum-tests", project / "ethereum-tests" / "checkout"):
        if suites_of(root):
            return root
    found = [archive for folder in archives for archive in sorted(folder.glob("*.tar.xz"))]
    if not found:
        return None
    for archive in found:
        _unpack(archive, cache)
    return cache


def _unpack(archive: Path, cache: Path) -> None:
    """Unpack one archive, unless the stamp says that this very one has been."""
    facts = archive.stat()
    stamp = cache / f".{archive.name}.unpacked"
    mark = f"{facts.st_size} {facts.st_mtime_ns}"
    if stamp.exists() and stamp.read_text() == mark:
        return
    print(f"Unpacking {archive.name} into {cache}", file=sys.stderr, flush=True)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive) as content:
            if hasattr(tarfile, "data_filter"):
                content.extractall(cache, filter="data")
            else:
                content.extractall(cache)
    except (OSError, EOFError, tarfile.TarError, lzma.LZMAError) as error:
        raise UnusableInput(f"{archive}: {getattr(error, 'strerror', None) or error}") from None
    write_file(stamp, mark.encode())


def cache_folder() -> Path:
    """Where unpacked fixtures are kept: $EVMCORE_CACHE, else the user's cache; never in the project."""
    named = os.environ.get("EVMCORE_CACHE")
    if named:
        return Path(named).expanduser() / "ethereum-tests"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "evmcore" / "ethereum-tests"
