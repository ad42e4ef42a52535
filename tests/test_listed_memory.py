"""A list that isn't the block's takes no more memory than an honest one, and leaves nothing behind."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache

import lying_lists
import pytest

from evmcore import BlockAccessList, InvalidAccessList, execute_block, rlp

ITEMS = 8_000
ROOM = 3 << 20  # what a process may hold more or less, whatever it does


@cache
def measured(kind):
    return lying_lists.measured(kind, ITEMS)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a process's peak and forgets it")
@pytest.mark.parametrize(
    ("lie", "honest"),
    [
        ("surplus accounts", "honest: accounts"),
        ("surplus changed slots", "honest: changed slots"),
        ("a wrong balance everywhere", "honest: paid accounts"),
    ],
)
def test_a_lying_list_takes_no_more_memory_than_an_honest_one(lie, honest):
    """As many accounts, or slots, of the same sort."""
    assert measured(honest)["end"] == ""
    assert measured(lie)["end"] != ""
    assert measured(lie)["peak"] <= measured(honest)["peak"] + ROOM


def test_what_is_refused_leaves_nothing_behind():
    block, state = lying_lists.block_that("reads", 80)
    own = rlp.decode(lying_lists.own_list(block, state).encode())
    lists = [BlockAccessList.decode(make(own)) for name, make in lying_lists.lies(400) if name in STATIC_ARE_RIGHT]
    sizes = []
    for _ in range(6):
        for lie in lists:
            with pytest.raises(InvalidAccessList):
                execute_block(replace(block, access_list=lie), state, strategy="listed", workers=2, state_roots=False)
        sizes.append(state.size_bytes)
    assert sizes[1:] == sizes[:1] * 5
    assert len(state) == 2


STATIC_ARE_RIGHT = (
    "surplus accounts",
    "surplus reads",
    "surplus changed slots",
    "a wrong balance everywhere",
    "balances and nonces at all indices",
    "codes of the largest size",
)
