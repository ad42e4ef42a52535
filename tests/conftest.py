"""Fixtures that any test may ask for. Helpers to import are in helpers.py."""

from __future__ import annotations

import pytest
from helpers import ALICE, ETHER

from evmcore import State


@pytest.fixture
def state() -> State:
    """A state in which Alice has 100 ether."""
    return State({ALICE: {"balance": 100 * ETHER}})
