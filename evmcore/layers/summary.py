"""How one block went, in a few words: what a layer answers, and the digest that layers compare."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Union

from .. import rlp
from ..block import Block
from ..errors import EvmError, ExecutionAborted, PrecompileUnavailable, ResourceLimit, UnusableInput
from ..files import parse_json
from ..fixtures import block_of
from ..hexadecimal import data, shown
from ..receipt import keccak256
from ..statistics import Strategy
from ..verification import CHECKS, Verification

if TYPE_CHECKING:
    from .._core import BlockResult
    from .carried import Carried

__all__ = ["OF_THE_LAYER", "BlockSource", "BlockSummary", "OutOfCpuTime", "digest_of", "load_block", "replay_block"]

# A block as it may be given: a Block, the path of a block file, the content of one (gzipped or not), or its JSON.
BlockSource = Union[Block, str, "os.PathLike[str]", bytes, Mapping[str, Any]]
# What goes wrong with a layer, and says nothing about its block.
OF_THE_LAYER = (MemoryError, ResourceLimit, ExecutionAborted, PrecompileUnavailable)


class OutOfCpuTime(ExecutionAborted):
    """A block took more of the processor's time than the layer was allowed to give it."""


@dataclass(frozen=True, slots=True)
class BlockSummary:
    """How one block went, in words that pickle and weigh little.

    source         the file's path, or None where the block was not given as one
    number         None if the block could not be read; `error` says why
    is_ok          executed, and right as far as the data can tell
    checks         name -> true, false, or None where the data can't tell (evmcore.verification.CHECKS)
    receipts_root  None before Byzantium on a partial state, and where the block was refused
    state_root     None where the state is partial
    seconds        load, recover, execute, roots: wall time where it ran
    error          what is wrong, in a sentence; None if nothing is
    digest         of what the block read, changed and left, 32 bytes (`evmcore.layers.digest_of`); None where it wasn't asked for, and where the
                   block was refused
    block_hash     None if the block could not be read
    is_conclusive  false: it failed for want of memory, a worker or a library, and nothing is said about the block
    cpu_seconds    of the thread that executed it, and of workers within the block
    chain_id       of the block
    """

    source: str | None = None
    number: int | None = None
    fork: str = ""
    transactions: int = 0
    is_ok: bool = False
    checks: Mapping[str, bool | None] = field(default_factory=lambda: dict.fromkeys(CHECKS))
    gas_used: int = 0
    receipts_root: bytes | None = None
    state_root: bytes | None = None
    seconds: Mapping[str, float] = field(
        default_factory=lambda: dict.fromkeys(("load", "recover", "execute", "roots"), 0.0)
    )
    executions: int = 0
    aborted: int = 0
    error: str | None = None
    digest: bytes | None = None
    block_hash: bytes | None = None
    is_conclusive: bool = True
    cpu_seconds: float = 0.0
    chain_id: int = 1


def digest_of(result: BlockResult) -> bytes:
    """keccak-256 of the hash of the block access list and the receipts root: 32 bytes, the same whichever layer executed the block.

    result  of `execute_block(…, access_list=True)`

    Where receipts have no root (before Byzantium on a partial state) that of what they have without the states takes its place.
    """
    if result.access_list_hash is None:
        raise UnusableInput("digest: the result has no access list (execute_block(…, access_list=True))")
    receipts = result.receipts_root
    if receipts is None:
        receipts = keccak256(rlp.encode_list(replace(one, state_root=b"").encode() for one in result.receipts))
    return keccak256(result.access_list_hash + receipts)


def replay_block(
    block: BlockSource | Carried,
    *,
    workers: int = 1,
    strategy: Strategy = "auto",
    digest: bool = False,
    codes: Mapping[bytes, bytes] | None = None,
) -> BlockSummary:
    """Execute one block on a copy of its pre-state and verify it. What is wrong is in the summary.

    digest  whether to make `BlockSummary.digest`, which takes the block's access list
    codes   by hash, for a block that travels without them
    """
    source = os.fspath(block) if isinstance(block, (str, os.PathLike)) else None
    started, cpu_started = time.perf_counter(), time.thread_time()
    try:
        loaded = load_block(block, codes)
    except (EvmError, MemoryError) as error:
        return BlockSummary(source, error=said(error), is_conclusive=not isinstance(error, OF_THE_LAYER))
    seconds = {"load": time.perf_counter() - started, "recover": 0.0, "execute": 0.0, "roots": 0.0}
    verification = Verification(loaded)
    result: BlockResult | None = None
    made: bytes | None = None
    is_conclusive = True
    try:
        result = _execute(loaded, verification, seconds, workers, strategy, digest)
        made = digest_of(result) if digest else None
    except (EvmError, MemoryError) as error:
        is_conclusive = not isinstance(error, OF_THE_LAYER)
        verification.faults.append(said(error))
    has_state_root = result is not None and loaded.is_pre_state_complete
    statistics = result.statistics if result is not None else None
    return BlockSummary(
        source,
        loaded.number,
        loaded.header.fork,
        len(loaded.transactions),
        verification.is_ok,
        verification.checks,
        gas_used=result.gas_used if result is not None else 0,
        receipts_root=result.receipts_root if result is not None else None,
        state_root=result.state_root if result is not None and has_state_root else None,
        seconds=seconds,
        executions=statistics.executions if statistics is not None else 0,
        aborted=statistics.aborted if statistics is not None else 0,
        error="; ".join(verification.faults) or None,
        digest=made,
        block_hash=loaded.hash,
        is_conclusive=is_conclusive,
        cpu_seconds=time.thread_time() - cpu_started + sum(statistics.busy_seconds if statistics is not None else ()),
        chain_id=loaded.header.chain_id,
    )


def said(error: BaseException) -> str:
    """What an error says; its kind where it says nothing."""
    return str(error) or type(error).__name__


def _execute(
    block: Block,
    verification: Verification,
    seconds: dict[str, float],
    workers: int,
    strategy: Strategy,
    access_list: bool,
) -> BlockResult:
    """Run the block and hold all that it gives against its header; `seconds` says where the time went."""
    from .._core import execute_block, ordered_trie_root, recover_senders

    if block.pre_state is None:
        raise UnusableInput(f"block {block.number}: no pre-state")
    started = time.perf_counter()
    verification.transactions_root(ordered_trie_root([tx.raw for tx in block.transactions]))
    rooted = time.perf_counter()
    try:
        recover_senders(block.transactions, fork=block.header.fork, workers=workers)
    except EvmError:
        verification.no_senders()
        raise
    seconds["recover"] = time.perf_counter() - rooted
    verification.senders([tx.sender for tx in block.transactions])
    result = execute_block(block, block.pre_state.copy(), workers=workers, strategy=strategy, access_list=access_list)
    seconds["execute"] = result.statistics.execute_seconds
    executed = time.perf_counter()
    verification.result(result)
    seconds["roots"] = rooted - started + time.perf_counter() - executed
    return result


def load_block(block: BlockSource | Carried, codes: Mapping[bytes, bytes] | None = None) -> Block:
    """The block, in whatever form it was given. Raises UnusableInput."""
    from .carried import Carried

    if isinstance(block, Block):
        return block
    if isinstance(block, Carried):
        return block.unpack(codes or {})
    if isinstance(block, (str, os.PathLike)):
        return Block.load(block)
    if isinstance(block, Mapping):
        return block_of("block", block)
    if isinstance(block, (bytes, bytearray, memoryview)):
        return block_of("block", parse_json(bytes(block), "block"))
    raise UnusableInput(f"{type(block).__name__} is not a block, a path, or the content of a block file")


_HASHES = ("receipts_root", "state_root", "digest", "block_hash")


def plain_of(summary: BlockSummary) -> dict[str, Any]:
    """The summary as JSON can hold it."""
    values = {member.name: getattr(summary, member.name) for member in fields(summary)}
    for name in _HASHES:
        values[name] = None if values[name] is None else "0x" + values[name].hex()
    for name in ("source", "error"):  # a file's name may have bytes that are no text
        if values[name] is not None:
            values[name] = os.fsdecode(values[name]).encode(errors="backslashreplace").decode()
    return values


_NONE = type(None)
_FORMS: dict[str, tuple[type, ...]] = {
    "source": (str, bytes, _NONE),
    "number": (int, _NONE),
    "fork": (str,),
    "transactions": (int,),
    "is_ok": (bool,),
    "gas_used": (int,),
    "executions": (int,),
    "aborted": (int,),
    "error": (str, _NONE),
    "is_conclusive": (bool,),
    "cpu_seconds": (float, int),
    "chain_id": (int,),
    **dict.fromkeys(_HASHES, (bytes, _NONE)),
}
_ENTRIES: dict[str, tuple[type, ...]] = {"checks": (bool, _NONE), "seconds": (float, int)}


def fault_of(summary: BlockSummary) -> str | None:
    """Which member isn't of its type, in a summary that somebody else made."""
    for name, types in _FORMS.items():
        value = getattr(summary, name)
        if type(value) not in types:
            return f"{name}: {shown(value)} is of type {type(value).__name__}"
    for name, types in _ENTRIES.items():
        value = getattr(summary, name)
        if not isinstance(value, Mapping):
            return f"{name}: {shown(value)} is of type {type(value).__name__}"
        if not all(type(key) is str and type(one) in types for key, one in value.items()):
            return f"{name}: {shown(value)} has an entry of another type"
    return None


def summary_of(value: Mapping[str, Any]) -> BlockSummary:
    """Back again. Raises KeyError, TypeError or ValueError."""
    values = dict(value)
    for name in _HASHES:
        if values[name] is not None:
            values[name] = data(values[name], name, 32)
    summary = BlockSummary(**values)
    if (fault := fault_of(summary)) is not None:
        raise TypeError(fault)
    return summary
