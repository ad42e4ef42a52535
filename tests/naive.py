"""Slow and plain second implementations to test against: the Merkle Patricia trie and the state root by their definitions."""

from __future__ import annotations

from collections.abc import Mapping

from evmcore import Account, keccak256, rlp

EMPTY_ROOT = keccak256(b"\x80")


def _compact(nibbles: list[int], is_leaf: bool) -> bytes:
    """Yellow Paper C, HP."""
    flag = 2 * is_leaf + len(nibbles) % 2
    padded = [flag, *([] if len(nibbles) % 2 else [0]), *nibbles]
    return bytes(16 * padded[i] + padded[i + 1] for i in range(0, len(padded), 2))


def _reference(encoded: bytes) -> bytes:
    return encoded if len(encoded) < 32 else rlp.encode(keccak256(encoded))


def _node(items: list[tuple[list[int], bytes]]) -> bytes:
    """The RLP of the node that holds these paths. Yellow Paper D, c(J, i)."""
    if len(items) == 1:
        path, value = items[0]
        return rlp.encode([_compact(path, True), value])
    shared = 0
    while all(len(path) > shared and path[shared] == items[0][0][shared] for path, _ in items):
        shared += 1
    if shared:
        inner = _node([(path[shared:], value) for path, value in items])
        return rlp.encode_list([rlp.encode(_compact(items[0][0][:shared], False)), _reference(inner)])
    branches = []
    for nibble in range(16):
        below = [(path[1:], value) for path, value in items if path and path[0] == nibble]
        branches.append(_reference(_node(below)) if below else b"\x80")
    own = [value for path, value in items if not path]
    return rlp.encode_list([*branches, rlp.encode(own[0] if own else b"")])


def trie_root(items: Mapping[bytes, bytes]) -> bytes:
    """The root of a trie with these keys and values; an empty value is an absent one."""
    paths = [
        ([nibble for byte in key for nibble in (byte >> 4, byte & 15)], value)
        for key, value in sorted(items.items())
        if value
    ]
    return keccak256(_node(paths)) if paths else EMPTY_ROOT


def ordered_root(items: list[bytes]) -> bytes:
    return trie_root({rlp.encode(rlp.number(index)): item for index, item in enumerate(items)})


def storage_root(storage: Mapping[int, int]) -> bytes:
    return trie_root(
        {keccak256(slot.to_bytes(32, "big")): rlp.encode(rlp.number(value)) for slot, value in storage.items() if value}
    )


def state_root(accounts: Mapping[bytes, Account]) -> bytes:
    return trie_root(
        {
            keccak256(address): rlp.encode(
                [rlp.number(a.nonce), rlp.number(a.balance), storage_root(a.storage), keccak256(a.code)]
            )
            for address, a in accounts.items()
        }
    )
