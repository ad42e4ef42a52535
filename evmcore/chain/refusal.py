"""Why a block is refused: the rows of status.def that are about blocks, put into words with both numbers."""

from __future__ import annotations

from .._core import STATUSES
from ..errors import InvalidBlock

__all__ = ["refusal"]

_EXCEPTIONS = {row.name: row.text for row in STATUSES if row.kind == "INVALID"}

# `have` is the block's own number or hash, `want` what it is held against.
_MESSAGES = {
    "BLOCK_PARENT_UNKNOWN": "unknown parent: {have}",
    "BLOCK_PARENT_ZERO": "unknown parent: zero",
    "BLOCK_NUMBER": "wrong block number: header has {have}, wants {want}",
    "BLOCK_TIMESTAMP": "timestamp not after the parent's: header has {have}, parent {want}",
    "BLOCK_EXTRA_DATA_TOO_LONG": "extra data too long: header has {have} bytes, may have {want}",
    "BLOCK_EXTRA_DATA_DAO": "wrong extra data in a block of the DAO fork: header has {have}, wants {want}",
    "BLOCK_GAS_LIMIT_TOO_HIGH": "gas limit too high: header has {have}, may have {want}",
    "BLOCK_GAS_LIMIT": "gas limit out of bounds: header has {have}, the nearest it may have is {want}",
    "BLOCK_GAS_USED_ABOVE_LIMIT": "gas used above the gas limit: header has {have}, limit is {want}",
    "BLOCK_BASE_FEE": "wrong base fee: header has {have} wei, wants {want}",
    "BLOCK_DIFFICULTY": "wrong difficulty: header has {have}, wants {want}",
    "BLOCK_BEFORE_PARIS": "proof of stake too early: total difficulty is {have}, Paris begins at {want}",
    "BLOCK_DIFFICULTY_NOT_ZERO": "difficulty not zero after Paris: header has {have}",
    "BLOCK_NONCE_NOT_ZERO": "nonce not zero after Paris: header has {have}",
    "BLOCK_OMMERS_NOT_EMPTY": "ommers after Paris: block has {have}",
    "BLOCK_MIX_HASH": "wrong mix hash: header has {have}, its nonce gives {want}",
    "BLOCK_SEAL": "proof of work too weak: result is {have}, may be {want}",
    "BLOCK_EXCESS_BLOB_GAS": "wrong excess blob gas: header has {have}, wants {want}",
    "BLOCK_BLOB_GAS_ABOVE_LIMIT": "blob gas used above the limit: header has {have}, may have {want}",
    "BLOCK_BLOB_GAS_USED": "wrong blob gas used: header has {have}, its transactions use {want}",
    "BLOCK_TOO_LARGE": "block too large: {have} bytes, may have {want}",
    "BLOCK_TRANSACTIONS_ROOT": "wrong transactions root: header has {have}, transactions give {want}",
    "BLOCK_OMMERS_HASH": "wrong ommers hash: header has {have}, ommers give {want}",
    "BLOCK_WITHDRAWALS_MISSING": "withdrawals missing: {have} wants them in the block",
    "BLOCK_WITHDRAWALS_ROOT": "wrong withdrawals root: header has {have}, withdrawals give {want}",
    "OMMER_COUNT": "too many ommers: block has {have}, may have {want}",
    "OMMER_AGE": "ommer too old: {have} blocks, may be {want}",
    "OMMER_DUPLICATE": "ommer already included: {have}",
    "OMMER_IS_ANCESTOR": "ommer is an ancestor: {have}",
    "OMMER_IS_BROTHER": "ommer is a brother of the block: {have}",
    "OMMER_PARENT": "ommer's parent is not a recent ancestor: {have}",
    "OMMER_PARENT_UNKNOWN": "ommer's parent is unknown: {have}",
    "BLOCK_GAS_USED": "wrong gas used: header has {have}, transactions used {want}",
    "BLOCK_LOGS_BLOOM": "wrong logs bloom: header has {have}, execution gives {want}",
    "BLOCK_RECEIPTS_ROOT": "wrong receipts root: header has {have}, execution gives {want}",
    "BLOCK_STATE_ROOT": "wrong state root: header has {have}, execution gives {want}",
    "BLOCK_ACCESS_LIST_HASH": "wrong hash of the block access list: header has {have}, execution gives {want}",
    "BLOCK_REQUESTS_HASH": "wrong requests hash: header has {have}, execution gives {want}",
}


def refusal(
    status: str, have: int | bytes | str | None = None, want: int | bytes | str | None = None, *, message: str = ""
) -> InvalidBlock:
    """The exception of a row of status.def; `message` in place of the row's own words."""
    text = message or _MESSAGES[status].format(have=_shown(have), want=_shown(want))
    return InvalidBlock(message=text, status=status, exception=_EXCEPTIONS[status], have=have, want=want)


def _shown(value: int | bytes | str | None) -> int | str | None:
    """A number as it is, bytes as hexadecimal."""
    return "0x" + value.hex() if isinstance(value, bytes) else value
