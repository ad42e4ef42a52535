"""What a block needs of the state before it, to be executed by who has the state root alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from . import rlp
from ._core import BlockResult, State, execute_block, keccak256
from .block import Block
from .errors import EvmError, InvalidWitness, UnusableInput
from .header import Header
from .hexadecimal import checked_bytes, data, field
from .proofs import AccountProof

__all__ = ["Ancestors", "ExecutionWitness", "execute_stateless"]

# Of a header's RLP, whatever its fork: which items are its parent's hash, the state root and the number, and how many there are at least.
_PARENT_HASH, _STATE_ROOT, _NUMBER, _ITEMS = 0, 3, 8, 15
_HEADER_BYTES_MOST = 1 << 16  # a hundred times what one takes


@dataclass(frozen=True)
class ExecutionWitness:
    """The form of debug_executionWitness, on which geth, reth and the executable specification agree.

    state    encoded nodes of the account trie and of storage tries, in ascending order, each once: those that lead to what the block
             reads and writes, and the siblings that its deletions leave alone
    codes    codes of accounts as they were before the block whose bytes it needs, in ascending order, each once
    headers  the RLP of ancestors, from the oldest whose hash it asks for to the parent; at least the parent, where there are any
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

    def ancestors(self, header: Header) -> Ancestors:
        """Its headers as ancestors of a block. InvalidWitness, with the hash of the header at fault, where they aren't."""
        return Ancestors.of(header, self.headers)

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


@dataclass(frozen=True)
class Ancestors:
    """Headers that lead to a block: each is the parent of the next, the last that of the block.

    first    the number of the oldest
    encoded  their RLP, from the oldest to the parent
    hashes   of each
    """

    first: int
    encoded: tuple[bytes, ...]
    hashes: tuple[bytes, ...]
    state_root: bytes | None  # of the parent, 32 bytes

    @classmethod
    def of(cls, header: Header, given: Iterable[Header | bytes]) -> Ancestors:
        """Of headers, or of their RLP. InvalidWitness, with the hash of the one at fault, where they don't lead to the block."""
        encoded = tuple(
            one.encode() if isinstance(one, Header) else checked_bytes(one, "ancestors") for one in _listed(given)
        )
        wanted, number = header.parent_hash, header.number - 1
        hashes: list[bytes] = []
        state_root: bytes | None = None
        for one in reversed(encoded):
            own = keccak256(one)
            if own != wanted:
                raise InvalidWitness(f"it should be header {number}, of the hash 0x{wanted.hex()}", own, "header")
            wanted, root, its_number = _facts(one, own)
            if its_number != number:
                raise InvalidWitness(f"it is header {its_number}, and should be {number}", own, "header")
            state_root = root if state_root is None else state_root
            hashes.append(own)
            number -= 1
        return cls(number + 1, encoded, tuple(reversed(hashes)), state_root)

    def since(self, number: int) -> tuple[bytes, ...]:
        """The RLP of those from that number on. UnusableInput where they begin later."""
        if number < self.first:
            raise UnusableInput(
                f"ancestors: they begin with block {self.first}, the block asks for the hash of {number}"
            )
        return self.encoded[number - self.first :]

    @property
    def block_hashes(self) -> dict[int, bytes]:
        """Number -> hash, for `Header.block_hashes`."""
        return dict(enumerate(self.hashes, self.first))


def _listed(given: object) -> list[Any]:
    if isinstance(given, (bytes, bytearray, memoryview, str, Mapping)) or not isinstance(given, Iterable):
        raise TypeError(f"ancestors: expected headers, got {type(given).__name__}")
    return list(given)


def _facts(encoded: bytes, own: bytes) -> tuple[bytes, bytes, int]:
    """The parent's hash, the state root and the number of a header."""
    try:
        if len(encoded) > _HEADER_BYTES_MOST:
            raise ValueError(f"{len(encoded)} bytes")
        items = rlp.to_list(rlp.decode(encoded, "header"), "header", _ITEMS, len(encoded))
        return (
            rlp.to_bytes(items[_PARENT_HASH], "header.parent_hash", 32),
            rlp.to_bytes(items[_STATE_ROOT], "header.state_root", 32),
            rlp.to_number(items[_NUMBER], "header.number", 64),
        )
    except (EvmError, ValueError) as error:
        raise InvalidWitness(f"it is none: {error}", own, "header") from None


def execute_stateless(block: Block, witness: ExecutionWitness | Mapping[str, Any], **options: Any) -> BlockResult:
    """Execute a block on its witness alone: the state root before it and the hashes of earlier blocks are those of the headers.

    block     its header names the parent; its `pre_state` and `block_hashes` play no part
    witness   an ExecutionWitness, or the object that debug_executionWitness gives; it has the parent's header
    options   those of `execute_block`
    return    the BlockResult, with its state root. It is up to you to hold it against the block's header
    raise     InvalidWitness: a node or header that leads nowhere; MissingNode, MissingCode, MissingBlockHash: the
              witness lacks what the execution needs
    """
    if not isinstance(witness, ExecutionWitness):
        witness = ExecutionWitness.from_json(witness)
    ancestors = witness.ancestors(block.header)
    if ancestors.state_root is None:
        raise InvalidWitness("there is none, and it is the parent's", block.header.parent_hash, "header")
    state = State.from_witness(witness, ancestors.state_root)
    result = execute_block(block.with_header(block_hashes=ancestors.block_hashes), state, **options)
    _ = result.state_root  # raises MissingNode
    return result
