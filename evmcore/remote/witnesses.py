"""A witness of a block out of eth_getProof, for nodes that have no debug_executionWitness.

Proofs of what the block touches, in the state before it, are a witness of all but its deletions: where one leaves a branch with a single child,
that child is needed. A leaf is shown by the proofs in the state after the block, joined with the nibbles above it; a branch by a proof, in the
state before, of any key below it. All of it is checked by its hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from .. import rlp
from .._core import BlockResult, keccak256
from ..block import Block
from ..errors import MissingBlockHash, MissingNode
from ..header import Header
from ..proofs import AccountProof
from ..witness import ExecutionWitness, execute_stateless
from .blocks import header_of_json
from .client import Call
from .source import RpcSource
from .state_reader import StateReader

__all__ = ["witness_of_proofs"]

# Of paths of five nibbles all but one in 3,000 have a key among eight million; looking through those takes seconds.
_SEARCHED_NIBBLES = 5
_SEARCHED = 8 << 20

Said = Mapping[tuple[bytes, int | None], Any]


def witness_of_proofs(source: RpcSource, block: Block, said: Said) -> tuple[ExecutionWitness, BlockResult]:
    """A witness, and what the block comes to on it.

    source  of the state before the block
    said    the accounts and slots that the block reads of it
    raise   MissingNode where a deletion needs a node that no proof shows; RemoteError
    """
    keys = _keys(said)
    before = _proofs(source, source.number, source.hash, keys, source.header.state_root)
    codes = {told["code"] for (_, slot), told in said.items() if slot is None and told is not None and told["code"]}
    made = replace(ExecutionWitness.of_proofs(before.values(), codes), headers=(source.header.encode(),))
    later: dict[bytes, bytes] | None = None
    while True:
        try:
            return made, execute_stateless(block, made, workers=1)
        except MissingBlockHash as error:
            made = replace(made, headers=_headers(source, error.number))
        except MissingNode as error:
            if later is None:
                proofs = _proofs(source, block.number, block.header.hash, keys, block.header.state_root)
                later = dict(_nodes_below(_all_nodes(proofs.values())))
            found = {later[error.node]} if error.node in later else _nodes_on_the_way(source, keys, error)
            if found <= {*made.state}:
                raise
            made = replace(made, state=tuple(sorted({*made.state, *found})))


def _keys(said: Said) -> dict[bytes, list[int]]:
    keys: dict[bytes, list[int]] = {}
    for address, slot in said:
        keys.setdefault(address, [])
        if slot is not None:
            keys[address].append(slot)
    return keys


def _proofs(
    source: RpcSource, number: int, block_hash: bytes, keys: Mapping[bytes, Iterable[int]], state_root: bytes
) -> dict[bytes, AccountProof]:
    return StateReader(source.client, number, block_hash, state_root).proofs(keys)


def _headers(source: RpcSource, oldest: int) -> tuple[bytes, ...]:
    """The RLP of the headers from that number to the parent."""

    def read(value: Any) -> Header:
        return header_of_json(value, source.chain_id, None)[0]

    calls = [Call("eth_getBlockByNumber", (hex(number), False), read) for number in range(oldest, source.number)]
    return (*(header.encode() for header in source.client.ask_all(calls)), source.header.encode())


def _all_nodes(proofs: Iterable[AccountProof]) -> set[bytes]:
    nodes: set[bytes] = set()
    for proof in proofs:
        nodes.update(proof.nodes)
        for one in proof.storage:
            nodes.update(one.nodes)
    return nodes


def _nodes_on_the_way(source: RpcSource, keys: Iterable[bytes], missing: MissingNode) -> set[bytes]:
    """The nodes to a missing one, by a proof of some key that lies below it; none where no such key is found."""
    address = None
    if missing.account is not None:
        address = next((one for one in keys if keccak256(one) == missing.account), None)
        if address is None:
            return set()
    size = 20 if address is None else 32
    for number in range(_SEARCHED if len(missing.path) <= _SEARCHED_NIBBLES else 0):
        key = number.to_bytes(size, "big")
        if keccak256(key).hex().startswith(missing.path):
            wanted = {key: []} if address is None else {address: [number]}
            return _all_nodes(_proofs(source, source.number, source.hash, wanted, source.header.state_root).values())
    return set()


def _nodes_below(nodes: Iterable[bytes]) -> Iterable[tuple[bytes, bytes]]:
    """(hash, node) of each, and of what a leaf or an extension was before it took over nibbles of the branch above."""
    for node in nodes:
        yield keccak256(node), node
        items = rlp.decode(node, "node")
        if not isinstance(items, list) or len(items) != 2 or not isinstance(items[0], bytes):
            continue
        nibbles, is_leaf = _nibbles(items[0])
        for kept in range(len(nibbles) if is_leaf else len(nibbles) - 1, -1, -1):
            if kept == 0 and not is_leaf:
                break
            shorter = rlp.encode([_packed(nibbles[len(nibbles) - kept :], is_leaf), items[1]])
            yield keccak256(shorter), shorter


def _nibbles(path: bytes) -> tuple[list[int], bool]:
    """The nibbles of a node's encoded path, and whether it is a leaf's (Yellow Paper C)."""
    every = [nibble for byte in path for nibble in (byte >> 4, byte & 15)]
    flag = every[0] if every else 0
    return every[1 if flag & 1 else 2 :], bool(flag & 2)


def _packed(nibbles: list[int], is_leaf: bool) -> bytes:
    """The path of a node as it is encoded."""
    flag = 2 * is_leaf + len(nibbles) % 2
    every = [flag, *nibbles] if len(nibbles) % 2 else [flag, 0, *nibbles]
    return bytes(16 * high + low for high, low in zip(every[::2], every[1::2]))
