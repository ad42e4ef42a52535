"""A call as JSON-RPC has it: any of a transaction's fields may be missing, and nobody has signed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._core import State, Transaction, transact
from ..header import Header
from ..receipt import Receipt
from ..tracing import Tracer

__all__ = ["SIMULATED", "Call", "execute_call"]

# What a call isn't held to: it is no transaction that somebody signed. Its value, and its fees where it names some, have to be there.
SIMULATED = {"nonce": False, "sender_code": False, "gas_cap": False, "block_gas": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A transaction's fields, None where nothing is said. Without fees it costs nothing, and the base fee is then 0.

    sender  20 bytes; its nonce, if none is given, is the state's
    gas     None: as much as there may be
    """

    sender: bytes = bytes(20)
    to: bytes | None = None
    data: bytes = b""
    value: int = 0
    gas: int | None = None
    gas_price: int | None = None
    max_fee_per_gas: int | None = None
    max_priority_fee_per_gas: int | None = None
    nonce: int | None = None
    chain_id: int | None = None
    access_list: Sequence[tuple[bytes, Sequence[int]]] | None = None
    max_fee_per_blob_gas: int | None = None
    blob_versioned_hashes: Sequence[bytes] | None = None
    authorization_list: Sequence[tuple[int, bytes, int, int, int, int]] | None = None

    @property
    def type(self) -> int:
        """Of the transaction that it would be: the least that has all fields, but 2 where no price is named."""
        if self.authorization_list is not None:
            return 4
        if self.blob_versioned_hashes is not None:
            return 3
        if self.gas_price is None:
            return 2
        return 0 if self.access_list is None else 1

    @property
    def names_fees(self) -> bool:
        """Whether it costs anything."""
        return bool(self.gas_price or self.max_fee_per_gas or self.max_priority_fee_per_gas)

    def transaction(
        self,
        *,
        nonce: int,
        gas: int,
        chain_id: int,
        has_dynamic_fees: bool = True,
        signature: tuple[int, int] | None = None,
    ) -> Transaction:
        """The transaction that it is, with what it doesn't say; unsigned.

        has_dynamic_fees  whether the block has a base fee: else it is of type 0 or 1
        signature         (r, s) to have all the same: nobody's, but they make its hash another
        """
        kind = self.type
        if not has_dynamic_fees and kind == 2:
            kind = 0 if self.access_list is None else 1
        fields: dict[str, Any] = {
            "type": kind,
            "sender": self.sender,
            "to": self.to,
            "data": self.data,
            "value": self.value,
            "gas_limit": gas if self.gas is None else min(gas, self.gas),
            "nonce": nonce if self.nonce is None else self.nonce,
        }
        if signature is not None:
            fields["r"], fields["s"] = signature
        if kind:
            fields["chain_id"] = chain_id if self.chain_id is None else self.chain_id
            fields["access_list"] = self.access_list or ()
        if kind < 2:
            fields["gas_price"] = self.gas_price or 0
        elif self.gas_price is not None:
            fields["max_fee_per_gas"] = fields["max_priority_fee_per_gas"] = self.gas_price
        else:
            fields["max_fee_per_gas"] = self.max_fee_per_gas or 0
            fields["max_priority_fee_per_gas"] = self.max_priority_fee_per_gas or 0
        if kind == 3:
            fields["max_fee_per_blob_gas"] = self.max_fee_per_blob_gas or 0
            fields["blob_versioned_hashes"] = self.blob_versioned_hashes or ()
        if kind == 4:
            fields["authorization_list"] = self.authorization_list or ()
        return Transaction(**fields)

    def placed(self, state: State, header: Header, gas: int) -> tuple[Transaction, Header]:
        """(transaction, header) to execute it with: its nonce is the state's, and where it costs nothing there is no base fee."""
        has_base_fee = header.base_fee_per_gas is not None
        transaction = self.transaction(
            nonce=state.get_nonce(self.sender), gas=gas, chain_id=header.chain_id, has_dynamic_fees=has_base_fee
        )
        if has_base_fee and not self.names_fees:
            header = replace(header, base_fee_per_gas=0)
        return transaction, header


def execute_call(
    call: Call,
    state: State,
    header: Header,
    *,
    gas: int,
    checks: Mapping[str, bool] | None = None,
    tracer: Tracer | Any | None = None,
) -> Receipt:
    """What a call comes to in a block.

    state   changed by it
    gas     the most that it may have, whatever it says
    checks  what else isn't held against it, as for `transact`
    raise   InvalidTransaction: it can't pay, has too little gas to begin, or is none of the fork's
    """
    transaction, header = call.placed(state, header, gas)
    left_out = {**SIMULATED, **(checks or {})}
    if not call.max_fee_per_blob_gas:
        left_out.setdefault("base_fee", call.names_fees)
    return transact(transaction, state, header, checks=left_out, tracer=tracer)
