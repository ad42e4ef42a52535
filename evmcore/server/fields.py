"""What JSON-RPC names a transaction's fields: as their table does (transaction_fields.def), but for a few."""

from __future__ import annotations

from .._core import TRANSACTION_FIELDS

__all__ = ["RPC_NAMES"]

# Ours -> JSON-RPC's, where that isn't the state tests' name, or there is none.
_OTHERWISE = {"chain_id": "chainId", "gas_limit": "gas", "access_list": "accessList"}
RPC_NAMES = {field.name: _OTHERWISE.get(field.name, field.json_name) for field in TRANSACTION_FIELDS}
