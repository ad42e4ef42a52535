"""A block out of its parts, as `evm b11r` puts it together: nothing is executed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .. import rlp
from .._core import keccak256, sign_hash
from ..errors import DecodeError, UnusableInput
from ..header import EMPTY_OMMERS_HASH, EMPTY_TRIE_ROOT, Header, Withdrawal
from ..hexadecimal import data, to_address, to_hex
from . import faults
from .faults import TransitionFault
from .transactions import rlp_items

__all__ = ["build"]

_NEEDED = ("stateRoot", "number", "gasLimit", "timestamp")
_DEFAULTS: dict[str, Any] = {
    "parentHash": "0x" + "00" * 32,
    "sha3Uncles": to_hex(EMPTY_OMMERS_HASH),
    "miner": "0x" + "00" * 20,
    "transactionsRoot": to_hex(EMPTY_TRIE_ROOT),
    "receiptsRoot": to_hex(EMPTY_TRIE_ROOT),
    "logsBloom": "0x" + "00" * 256,
    "difficulty": "0x0",
    "gasUsed": "0x0",
    "extraData": "0x",
    "mixHash": "0x" + "00" * 32,
    "nonce": "0x" + "00" * 8,
}
# Fields that a header may end before, in their order; those that are numbers.
_LATER = (
    "baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash",
)  # fmt: skip
_LATER_NUMBERS = ("baseFeePerGas", "blobGasUsed", "excessBlobGas")
# A clique block's extra data: 32 bytes of its signer's choice, and the signature.
_VANITY_BYTES, _SEAL_BYTES = 32, 65


def build(header: Any, txs: Any, *, ommers: Any = None, withdrawals: Any = None, clique: Any = None) -> dict[str, str]:
    """`rlp` and `hash` of the block.

    header       an object of JSON-RPC's names; roots and others may be left out
    txs          the RLP of the list of transactions, in hexadecimal
    ommers       a list of blocks' RLP, in hexadecimal
    withdrawals  a list of objects; None: the block has no such list
    clique       `secretKey`, and if wanted `voted`, `authorize`, `vanity`: the block is signed (EIP-225)
    raise        TransitionFault
    """
    try:
        made = _header(header)
        older = [_ommer(item) for item in ommers or ()]
        if older and "sha3Uncles" not in header:
            made = replace(made, ommers_hash=keccak256(rlp.encode_list(older)))
        body = [rlp.encode_list(older)]
        if withdrawals is not None:
            parts = [Withdrawal.from_json(item, f"withdrawals[{i}]").encode() for i, item in enumerate(withdrawals)]
            body.append(rlp.encode_list(parts))
        transactions = [encoded if is_list else rlp.encode(encoded) for is_list, encoded in rlp_items(txs or "0xc0")]
        if clique is not None:
            made = _signed(made, clique)
    except DecodeError as error:
        raise TransitionFault(faults.IO, str(error)) from None
    except (UnusableInput, TypeError, ValueError, AttributeError) as error:
        raise TransitionFault(faults.JSON, str(error)) from None
    encoded = rlp.encode_list([made.encode(), rlp.encode_list(transactions), *body])
    return {"rlp": to_hex(encoded), "hash": to_hex(made.hash)}


def _header(value: Any) -> Header:
    if not isinstance(value, Mapping):
        raise UnusableInput("header: not an object")
    for name in _NEEDED:
        if value.get(name) is None:
            raise UnusableInput(f"missing required field '{name}' for header")
    given = {name: member for name, member in value.items() if member is not None}
    missing = {name: "0x0" for name in _LATER_NUMBERS if name not in given and _comes_later(name, given)}
    return Header.from_json({**_DEFAULTS, **missing, **given})


def _comes_later(name: str, given: Mapping[str, Any]) -> bool:
    """Whether a later field is there, so that the header can't end before this one: it is written as zero."""
    return any(later in given for later in _LATER[_LATER.index(name) + 1 :])


def _ommer(text: Any) -> bytes:
    """The header, encoded, of a block's RLP."""
    content = data(text, "ommers")
    items = rlp.read_list(content, 0, len(content), "ommers")
    if not items or not items[0][0]:
        raise UnusableInput("ommers: a block has a header")
    _, begin, _, end = items[0]
    return Header.decode(content[begin:end]).encode()


def _signed(header: Header, clique: Any) -> Header:
    """The header with a signer's vote and signature. Voting someone in has nonce 0 here, as go-ethereum's tool writes it."""
    if not isinstance(clique, Mapping):
        raise UnusableInput("clique: not an object")
    if header.extra_data:
        raise UnusableInput("clique: extraData is given; the signature takes its place")
    if clique.get("secretKey") is None:
        raise UnusableInput("clique: missing required field 'secretKey'")
    vanity = data(clique.get("vanity") or bytes(_VANITY_BYTES), "clique.vanity", _VANITY_BYTES)
    changes: dict[str, Any] = {"extra_data": vanity + bytes(_SEAL_BYTES)}
    if clique.get("voted") is not None:
        changes["coinbase"] = to_address(clique["voted"], "clique.voted")
    if clique.get("authorize") is not None:
        changes["nonce"] = bytes(8) if clique["authorize"] else b"\xff" * 8
    header = replace(header, **changes)
    # What is signed is the header's hash without the signature.
    unsigned = replace(header, extra_data=header.extra_data[:-_SEAL_BYTES]).encode()
    r, s, parity = sign_hash(keccak256(unsigned), data(clique["secretKey"], "clique.secretKey", 32))
    seal = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([parity])
    return replace(header, extra_data=header.extra_data[:-_SEAL_BYTES] + seal)
