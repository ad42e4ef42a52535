"""Rows of `Changes`: what differs between two states, as NumPy arrays."""

from __future__ import annotations

import numpy as np

__all__ = ["ACCOUNT_CHANGE_DTYPE", "CLEARED", "CLEARED_UNKNOWN", "KEPT", "SLOT_CHANGE_DTYPE"]

# Of `storage`: what became of the storage that the account had. CLEARED: its life ended, and all slots that it had or has are listed,
# equal ones, too; CLEARED_UNKNOWN: the same, but the state, a strict one, didn't know all that it had.
KEPT, CLEARED, CLEARED_UNKNOWN = 0, 1, 2

# Numbers are 32 bytes, big-endian, but for nonces. Of an account that doesn't exist they are 0, and the code hash is that of no code.
ACCOUNT_CHANGE_DTYPE = np.dtype(
    [
        ("address", "u1", 20),
        ("existed", "?"),
        ("exists", "?"),
        ("storage", "u1"),
        ("balance_before", "u1", 32),
        ("balance_after", "u1", 32),
        ("nonce_before", "<u8"),
        ("nonce_after", "<u8"),
        ("code_hash_before", "u1", 32),
        ("code_hash_after", "u1", 32),
    ]
)
SLOT_CHANGE_DTYPE = np.dtype([("account", "<u4"), ("key", "u1", 32), ("before", "u1", 32), ("after", "u1", 32)])
