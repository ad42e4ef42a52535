"""evmcore against go-ethereum's `evm t8n`, on forks that it knows and the specification's package doesn't: random blocks.

Optional: tests/differential/geth.py says what it needs. `python -m tests.differential --engine geth` goes on for as long as it is told to.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from differential import geth, subject
from differential.edges import cases_at_edges
from differential.scenarios import make_case

from evmcore import Transaction

CASES_A_FORK = 20
FIRST_SEED = 90_000

needs_geth = pytest.mark.skipif(
    geth.program() is None,
    reason=f"no go-ethereum evm that knows Amsterdam ({geth.VERSION}): EVMCORE_GETH names it, or it is `evm` on the path",
)


@needs_geth
@pytest.mark.parametrize("fork", geth.FORKS)
def test_random_blocks(fork):
    for seed in range(FIRST_SEED, FIRST_SEED + CASES_A_FORK):
        found = geth.faults(make_case(seed, fork), workers=2)
        assert not found, f"seed {seed} fork {fork}: " + "; ".join(found[:3])


@needs_geth
def test_a_difference_is_seen():
    """Other prices, another state, another list."""
    seen = 0
    for seed in range(FIRST_SEED, FIRST_SEED + 10):
        case = make_case(seed, "Amsterdam")
        case = replace(case, transactions=case.transactions_that_decode())
        want = geth.run(case)
        seen += bool(geth.differences(want, geth.run(replace(case, fork="Osaka"))))
        seen += bool(geth.differences(want, geth.run(replace(case, coinbase=b"\x77" * 20))))
    assert seen > 10


@needs_geth
def test_the_gas_limits_at_which_something_changes():
    for seed in range(FIRST_SEED, FIRST_SEED + 8):
        for case in cases_at_edges(make_case(seed, "Amsterdam"), seed):
            found = geth.faults(case)
            assert not found, f"seed {seed}: " + "; ".join(found[:3])


def test_an_edge_is_two_gas_limits_that_lie_side_by_side():
    """At the one the transaction does something else than at the other."""
    seen = 0
    for seed in range(FIRST_SEED, FIRST_SEED + 24):
        cases = list(cases_at_edges(make_case(seed, "Amsterdam"), seed))
        for below, above in zip(cases[::2], cases[1::2]):
            low, high = (Transaction.decode(case.transactions[0]) for case in (below, above))
            assert (high.gas_limit, high.data, high.sender) == (low.gas_limit + 1, low.data, low.sender)
            assert subject.run(below).outcomes != subject.run(above).outcomes
            seen += 1
    assert seen > 4


def test_a_case_is_what_t8n_reads():
    """Typed transactions are strings in the list, old ones are lists; numbers are hexadecimal."""
    for seed in range(FIRST_SEED, FIRST_SEED + 10):
        case = make_case(seed, "Amsterdam")
        shown = geth.given(case, case.transactions_that_decode())
        assert shown["env"]["slotNumber"] == hex(case.slot_number)
        assert shown["txsRlp"].startswith("0x")
        assert len(shown["alloc"]) == len(case.accounts)
        assert all(Transaction.decode(raw) for raw in case.transactions_that_decode())
