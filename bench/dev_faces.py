"""eth-tester on evmcore and on py-evm: what its users wait for. The second table of bench/dev_chain.md, where both are installed.

Each takes the same steps through `EthereumTester`, in turn, round by round.
"""

from __future__ import annotations

import contextlib
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

STEPS = 40
ROUNDS = 7
# Counts in slot 0: PUSH0 SLOAD PUSH1 1 ADD DUP1 PUSH0 SSTORE PUSH0 MSTORE PUSH1 32 PUSH0 RETURN, behind what deploys it.
COUNTER = "0x600e80600a5f395ff3" + "00" + "5f54600101805f555f5260205ff3"


def testers() -> dict[str, Any]:
    """An EthereumTester on each backend that there is; empty without eth-tester."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from eth_tester import EthereumTester, PyEVMBackend

            from evmcore.ethtester import EvmcoreBackend
        except ImportError:
            return {}
        found = {"evmcore": EthereumTester(EvmcoreBackend())}
        with contextlib.suppress(ImportError):  # py-evm isn't installed
            found["py-evm"] = EthereumTester(PyEVMBackend())
    return found


def steps(tester: Any) -> dict[str, Callable[[], Any]]:
    """What is done, by name."""
    first, second = tester.get_accounts()[:2]
    sent = tester.send_transaction({"from": first, "data": COUNTER, "gas": 200_000})
    counter = tester.get_transaction_receipt(sent)["contract_address"]
    asked = {"from": first, "to": counter, "gas": 100_000}

    def back_and_forth() -> None:
        mark = tester.take_snapshot()
        tester.send_transaction({"from": first, "to": second, "value": 1, "gas": 21_000})
        tester.revert_to_snapshot(mark)

    return {
        "An empty block": lambda: tester.mine_block(),
        "A payment, mined": lambda: tester.send_transaction({"from": first, "to": second, "value": 1, "gas": 21_000}),
        "A call that writes, mined": lambda: tester.send_transaction(asked),
        "A call of which nothing is kept": lambda: tester.call(asked),
        "An estimate": lambda: tester.estimate_gas(asked),
        "A snapshot, a payment, and back": back_and_forth,
    }


def lines() -> list[str]:
    """The table, or none where there is nothing to compare."""
    found = {name: steps(tester) for name, tester in testers().items()}
    if "py-evm" not in found:
        return []
    table = ["| through eth-tester | evmcore, µs | py-evm, µs | times as fast |", "| --- | ---: | ---: | ---: |"]
    for what in found["evmcore"]:
        taken: dict[str, list[float]] = {name: [] for name in found}
        for _ in range(ROUNDS):
            for name, work in found.items():
                began = time.perf_counter()
                for _ in range(STEPS):
                    work[what]()
                taken[name].append((time.perf_counter() - began) / STEPS * 1e6)
        ours, theirs = (statistics.median(taken[name]) for name in ("evmcore", "py-evm"))
        ratio = statistics.median(b / a for a, b in zip(taken["evmcore"], taken["py-evm"]))
        table.append(f"| {what} | {ours:,.0f} | {theirs:,.0f} | {ratio:.1f} |")
    return table
