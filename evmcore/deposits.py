"""Deposits out of a receipt's logs (EIP-6110), for blocks whose transactions are executed one by one."""

from __future__ import annotations

from collections.abc import Iterable

from ._core import PARAMETERS, SYSTEM_ADDRESSES
from .errors import rejection
from .receipt import Log

__all__ = ["deposits_of"]

# keccak-256 of DepositEvent(bytes,bytes,bytes,bytes,bytes).
_TOPIC = bytes.fromhex("649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5")
_EVENT_BYTES = 576
# (offset, size) of public key, withdrawal credentials, amount, signature and index: ABI encoding has a word with the size before each.
_FIELDS = ((160, 48), (256, 32), (320, 8), (384, 96), (512, 8))


def _contract_of(chain_id: int) -> bytes:
    """Where validators deposit: a contract that some test networks have elsewhere."""
    for network in ("sepolia", "holesky"):
        if chain_id == PARAMETERS[f"{network}_chain_id"]:
            return SYSTEM_ADDRESSES[f"{network}_deposit_contract"]
    return SYSTEM_ADDRESSES["deposit_contract"]


def deposits_of(logs: Iterable[Log], chain_id: int, checks_layout: bool = True) -> bytes:
    """The data of the deposits that these logs tell of, in order. Raises InvalidBlock where one has another layout, or length."""
    made = bytearray()
    contract = _contract_of(chain_id)
    for log in logs:
        if log.address != contract or log.topics[:1] != (_TOPIC,):
            continue
        words = [
            int.from_bytes(log.data[at : at + 32], "big") for at in (*range(0, 160, 32), *(at for at, _ in _FIELDS))
        ]
        wanted = [*(at for at, _ in _FIELDS), *(size for _, size in _FIELDS)]
        if len(log.data) != _EVENT_BYTES or (checks_layout and words != wanted):
            raise rejection("BLOCK_DEPOSIT_LAYOUT", "BlockException.INVALID_DEPOSIT_EVENT_LAYOUT")
        for at, size in _FIELDS:
            made += log.data[at + 32 : at + 32 + size]
    return bytes(made)
