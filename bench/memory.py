"""The most memory that one execution takes, in a process of its own: `python -m bench.memory BLOCK STRATEGY WORKERS`.

BLOCK is a block file or the name of a synthetic block. Prints one JSON object: resident KiB before the execution and at its
peak. The peak of loading is forgotten first, where the system can do that (Linux); else it is part of the peak.
"""

from __future__ import annotations

import contextlib
import gc
import json
import re
import subprocess
import sys
from pathlib import Path

from .machine import ROOT
from .synthetic import GIGAGAS_BLOCKS


def peak(block: str, strategy: str, workers: int) -> dict[str, int]:
    """Run this file for one execution."""
    command = [sys.executable, "-m", "bench.memory", block, strategy, str(workers)]
    return json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


def _status(name: str) -> int:
    """A KiB figure of this process, as Linux has it."""
    found = re.search(rf"^{name}:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found.group(1)) if found else 0


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def main(name: str, strategy: str, workers: str) -> None:
    from evmcore import Block, execute_block, recover_senders

    block = GIGAGAS_BLOCKS[name][1](10**9) if name in GIGAGAS_BLOCKS else Block.load(name)
    assert block.pre_state is not None
    recover_senders(block.transactions, fork=block.header.fork)
    state = block.pre_state
    block.pre_state = None  # so that the execution owns the only copy
    gc.collect()
    _forget_peak()
    before = _status("VmRSS")
    result = execute_block(block, state, workers=int(workers), strategy=strategy, state_roots=False)
    print(json.dumps({"before_kib": before, "peak_kib": _status("VmHWM"), "gas_used": result.gas_used}))


if __name__ == "__main__":
    main(*sys.argv[1:])
