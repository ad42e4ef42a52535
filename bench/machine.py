"""What a figure was measured on: machine, compiler, flags, Python, commit. Read from the machine and from the built module
itself, so that a table can't be headed by what was only meant."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def processor() -> str:
    """The processor's own name, and how many of it this process may use."""
    name = platform.processor() or platform.machine()
    try:
        found = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        name = found.group(1).strip() if found else name
    except OSError:
        pass
    return f"{name}, {cores()} cores"


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def compiler() -> str:
    """The compiler that the built module names."""
    from evmcore import _core

    found = re.search(rb"GCC: \([^)]*\) [\d.]+|clang version [\d.]+", Path(_core.__file__).read_bytes())
    return found.group().decode() if found else "unknown compiler"


def flags() -> str:
    """The flags of a normal build, as setup.py has them."""
    text = (ROOT / "setup.py").read_text()
    standard, core, module = (
        re.search(pattern, text)
        for pattern in (r'"(-std=[^"]+)"', r'CORE_FLAGS\.append\("(-O.)"\)', r'MODULE_FLAGS\.append\("(-O.)"\)')
    )
    if not (standard and core and module):
        raise RuntimeError("setup.py says its flags in another way")
    return f"{standard[1]}, core {core[1]}, module {module[1]}"


def commit() -> str:
    """The commit of the checkout, marked if files that were committed have changed since."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("EVMCORE_COMMIT", "unknown commit")


def load() -> str:
    """How busy the machine is with other things: runnable threads over the last minute."""
    return f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""


def description() -> str:
    """All of it, in a line."""
    parts = (
        processor(),
        f"{platform.system()} {platform.machine()}",
        f"{compiler()} {flags()}",
        f"Python {platform.python_version()}",
        f"commit {commit()}",
        load(),
    )
    return " · ".join(part for part in parts if part)


if __name__ == "__main__":
    print(description())
