"""Makes a failing case small: drops what isn't needed for it to fail, as long as anything can be dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy

from .case import Case

JUMPDEST = 0x5B


def shrink(case: Case, fails: Callable[[Case], bool], budget: int = 2000) -> Case:
    """The smallest case found, by greedy steps, that still fails. `budget`: how many tries."""
    tries = 0
    while True:
        for candidate in candidates(case):
            tries += 1
            if tries > budget:
                return case
            if fails(candidate):
                case = candidate
                break
        else:
            return case


def candidates(case: Case) -> Iterator[Case]:
    """Smaller cases, the much smaller ones first."""
    for name in ("transactions", "withdrawals", "ommers"):
        for place in range(len(getattr(case, name))):
            yield _with(case, **{name: getattr(case, name)[:place] + getattr(case, name)[place + 1 :]})
    for address in case.accounts:
        accounts = {other: account for other, account in case.accounts.items() if other != address}
        yield _with(case, accounts=accounts)
    for address, (balance, nonce, code, storage) in case.accounts.items():
        if storage:
            yield _with_account(case, address, (balance, nonce, code, {}))
        if code:
            yield _with_account(case, address, (balance, nonce, b"", storage))
        yield from (_with_account(case, address, (balance, nonce, shorter, storage)) for shorter in shorter_codes(code))


def shorter_codes(code: bytes) -> Iterator[bytes]:
    """Codes with a part cut off, taken out or made into JUMPDESTs, which keeps the jumps right."""
    size = len(code) // 2
    while size >= 1:
        yield code[:-size]
        for begin in range(0, len(code), size):
            blank = bytes([JUMPDEST]) * len(code[begin : begin + size])
            if code[begin : begin + size] != blank:
                yield code[:begin] + blank + code[begin + size :]
        if size <= 8:
            for begin in range(0, len(code), size):
                yield code[:begin] + code[begin + size :]
        size //= 2


def _with(case: Case, **changes: object) -> Case:
    other = deepcopy(case)
    other.__dict__.update(changes)
    return other


def _with_account(case: Case, address: bytes, account: tuple[int, int, bytes, dict[int, int]]) -> Case:
    return _with(case, accounts={**case.accounts, address: account})
