"""Counting results: by suite or folder and fork, for a summary on the terminal and for the table in `conformance.md`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..files import write_file
from .results import CaseResult
from .runner import is_slow

__all__ = ["Count", "Speed", "Tally", "conformance_page", "readme_section", "short_table", "write_between"]


@dataclass(slots=True)
class Count:
    """Cases by how they ended."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, result: CaseResult) -> None:
        """Count one case."""
        if result.skipped is not None:
            self.skipped += 1
        elif result.is_passed:
            self.passed += 1
        else:
            self.failed += 1

    def __iadd__(self, other: Count) -> Count:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        return self

    @property
    def total(self) -> int:
        """All cases."""
        return self.passed + self.failed + self.skipped


class Tally:
    """Counts by (group, fork): a group is a folder or a suite."""

    def __init__(self, groups: Sequence[str] = ()) -> None:
        """`groups`: the order in which they are reported; any other comes after them, as it comes."""
        self.groups = tuple(groups)
        self.counts: defaultdict[tuple[str, str], Count] = defaultdict(Count)
        self.reasons: defaultdict[str, int] = defaultdict(int)

    def add(self, group: str, results: Iterable[CaseResult]) -> None:
        """Count a file's results."""
        for result in results:
            self.counts[group, result.fork].add(result)
            if result.skipped is not None:
                self.reasons[result.skipped] += 1

    @property
    def total(self) -> Count:
        """Everything together."""
        total = Count()
        for count in self.counts.values():
            total += count
        return total

    def rows(self) -> list[tuple[str, str, Count]]:
        """(group, fork, count): groups in their order, forks in that of the chain."""
        return [
            (group, fork, self.counts[group, fork])
            for group in dict.fromkeys((*self.groups, *(group for group, _ in self.counts)))
            for fork in sorted((fork for of, fork in self.counts if of == group), key=fork_order)
        ]


class Speed:
    """How fast state tests run, the folders aside that are there to take long; and which files took longest."""

    # Below this a rate is noise.
    FEWEST_SECONDS = 1.0
    TOLD_FILES = 5

    def __init__(self) -> None:
        self.cases = 0
        self.cpu_seconds = 0.0  # of those cases
        self.all_seconds = 0.0
        self.files: list[tuple[float, str]] = []

    def add(self, path: str, kind: str, cases: int, cpu_seconds: float) -> None:
        """Count a file, which took so many seconds of one processor from its JSON to its results."""
        self.files = sorted([*self.files, (cpu_seconds, path)], reverse=True)[: self.TOLD_FILES]
        self.all_seconds += cpu_seconds
        if kind == "state" and not is_slow(path):
            self.cases += cases
            self.cpu_seconds += cpu_seconds

    def rate(self) -> str:
        """The rate, as a sentence; empty where too little ran."""
        if self.cpu_seconds < self.FEWEST_SECONDS:
            return ""
        rate = self.cases / self.cpu_seconds
        return (
            f"State tests: {rate:,.0f} cases a second of one core, their JSON included and folders of slow tests aside."
        )

    def slowest(self) -> str:
        """The files that took longest, in seconds of one processor."""
        named = ", ".join(f"{Path(path).name} {seconds:.0f} s" for seconds, path in self.files if seconds >= 1)
        return f"Slowest files: {named}" if named else ""


def fork_order(name: str) -> tuple[int, str]:
    """Forks as the chain has them, a transition right after the fork that it leaves, unknown names last."""
    from .._core import FORKS, fork_index

    try:
        return 2 * fork_index(name), name
    except ValueError:
        pass
    try:
        return 2 * fork_index(name.partition("To")[0]) + 1, name
    except ValueError:
        return 2 * len(FORKS), name


def markdown_table(tally: Tally) -> str:
    """The table by suite and fork, with totals."""
    lines = ["| suite | fork | passed | failed | skipped |", "|---|---|--:|--:|--:|"]
    rows = tally.rows()
    for group in dict.fromkeys(group for group, _, _ in rows):
        own = [(fork, count) for of, fork, count in rows if of == group]
        lines += [f"| {group} | {fork} | {c.passed:,} | {c.failed:,} | {c.skipped:,} |" for fork, c in own]
        if len(own) > 1:
            sum_ = Count()
            for _, count in own:
                sum_ += count
            lines.append(
                f"| **{group}** | **all** | **{sum_.passed:,}** | **{sum_.failed:,}** | **{sum_.skipped:,}** |"
            )
    total = tally.total
    lines.append(f"| **everything** | **all** | **{total.passed:,}** | **{total.failed:,}** | **{total.skipped:,}** |")
    return "\n".join(lines) + "\n"


def short_table(tally: Tally) -> str:
    """One row a suite, for the README."""
    lines = ["| suite | forks | passed | failed | skipped |", "|---|---|--:|--:|--:|"]
    rows = tally.rows()
    for group in dict.fromkeys(group for group, _, _ in rows):
        own = [(fork, count) for of, fork, count in rows if of == group]
        total = Count()
        for _, count in own:
            total += count
        plain = [fork for fork, _ in own if "To" not in fork]
        forks = plain[0] if len(plain) == 1 else f"{plain[0]} – {plain[-1]}" if plain else ""
        transitions = len(own) - len(plain)
        if transitions:
            forks += f"{' and ' if forks else ''}{transitions} transition{'s' if transitions > 1 else ''}"
        lines.append(f"| {group} | {forks} | {total.passed:,} | {total.failed:,} | {total.skipped:,} |")
    total = tally.total
    lines.append(f"| **everything** | | **{total.passed:,}** | **{total.failed:,}** | **{total.skipped:,}** |")
    return "\n".join(lines) + "\n"


def conformance_page(tally: Tally, command: str, how: str = "") -> str:
    """The whole of conformance.md. `how`: a sentence on how the run went."""
    from .. import __version__

    reasons = "".join(f"- {count:,} cases: {reason}\n" for reason, count in sorted(tally.reasons.items()))
    return (
        f"# Conformance\n\nevmcore {__version__}, `{command}`. A case is one transaction of a state test under one fork, a "
        "blockchain test, or what one fork says of a transaction test; it passes if state root and logs, head and state, or "
        "hash, sender and gas are those of the test, or the rejection is of the kind that the test names. RLP, trie, "
        f"difficulty and basic tests are part of `make test`.{' ' if how else ''}{how}\n\n"
        f"{short_table(tally)}\n"
        + (f"Skipped, from `ethereum-tests/skips.txt`:\n\n{reasons}\n" if reasons else "Nothing is skipped.\n\n")
        + f"## By suite and fork\n\n{markdown_table(tally)}"
    )


def readme_section(tally: Tally, command: str, how: str = "") -> str:
    """What README.md shows between its markers."""
    skipped = "".join(f" Skipped, {count:,}: {reason}." for reason, count in sorted(tally.reasons.items()))
    text = f"Written by `{command}`; by fork in [conformance.md](conformance.md). {how}{skipped}"
    return f"{short_table(tally)}\n{text.strip()}\n"


BEGIN = "<!-- conformance: written by make conformance -->"
END = "<!-- end of conformance -->"


def write_between(path: Path, text: str) -> bool:
    """Put `text` between the markers of a file; False where it has none."""
    content = path.read_text("utf-8") if path.is_file() else ""
    before, begin, rest = content.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        return False
    write_file(path, f"{before}{BEGIN}\n{text}{END}{after}".encode())
    return True
