"""What a block needs of the state before it, to be executed by who has the state root alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import UnusableInput
from .hexadecimal import data, field
from .proofs import AccountProof

__all__ = ["ExecutionWitness"]


@dataclass(frozen=True)
class ExecutionWitness:
    """The form of debug_executionWitness, on which geth, reth and the executable specification agree.

    state    encoded nodes of the account trie and of storage tries, in ascending order, each once
    codes    codes of accounts as they were before the block, in ascending order, each once
    headers  the RLP of ancestors, from the oldest to the parent
    """

    state: tuple[bytes, ...] = ()
    codes: tuple[bytes, ...] = ()
    headers: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        return f"<ExecutionWitness: {len(self.state)} nodes, {len(self.codes)} codes, {len(self.headers)} headers>"

    @classmethod
    def of_proofs(cls, proofs: Iterable[AccountProof], codes: Iterable[bytes] = ()) -> ExecutionWitness:
        """One that has the accounts and slots which proofs show, and these codes."""
        nodes: set[bytes] = set()
        for proof in proofs:
            if not isinstance(proof, AccountProof):
                raise TypeError(f"proofs: expected AccountProof, got {type(proof).__name__}")
            nodes.update(proof.nodes)
            for one in proof.storage:
                nodes.update(one.nodes)
        given = list(codes)
        for code in given:
            if not isinstance(code, bytes):
                raise TypeError(f"codes: expected bytes, got {type(code).__name__}")
        return cls(tuple(sorted(nodes)), tuple(sorted(set(given))))

    def to_json(self) -> dict[str, list[str]]:
        """The object that debug_executionWitness gives."""
        return {name: ["0x" + item.hex() for item in getattr(self, name)] for name in ("state", "codes", "headers")}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> ExecutionWitness:
        """Of such an object; `keys`, which some clients add, aren't needed. UnusableInput where it has another shape."""
        lists = {}
        for name in ("state", "codes", "headers"):
            items = field(given, name, "witness")
            if not isinstance(items, (list, tuple)):
                raise UnusableInput(f"witness.{name}: expected a list, got {type(items).__name__}")
            lists[name] = tuple(data(item, f"witness.{name}") for item in items)
        return cls(**lists)
