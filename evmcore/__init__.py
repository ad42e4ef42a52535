"""evmcore: an Ethereum virtual machine for Python. Blocks, transactions, calls and bare programs, without the GIL.

Start with `Block.load(path)` and `execute_block(block, state)`, or with `run(code)`.
"""

import importlib
from typing import TYPE_CHECKING, Any

from . import _core
from . import native as _native
from ._core import (
    CHECKS,
    FORKS,
    NEWEST_FORK,
    OPCODES,
    PRECOMPILES,
    STATUSES,
    TRANSACTION_TYPES,
    BlockAccessList,
    BlockHashes,
    BlockResult,
    Changes,
    PrecompileCall,
    State,
    StateTrie,
    Transaction,
    auto_history,
    call,
    execute_block,
    fork_includes,
    fork_index,
    fork_name,
    keccak256,
    message,
    ordered_trie_root,
    recover_senders,
    run,
    set_code_cache_limit,
    transact,
)
from ._version import __version__
from .caches import CacheFigures, caches, empty_caches
from .codes import CodeCacheInfo, code_cache_info
from .errors import (
    DecodeError,
    EvmError,
    ExecutionAborted,
    ExecutionFailed,
    InvalidAccessList,
    InvalidBlock,
    InvalidProof,
    InvalidTransaction,
    InvalidWitness,
    MissingBlockHash,
    MissingCode,
    MissingNode,
    MissingState,
    PrecompileUnavailable,
    ResourceLimit,
    Revert,
    StateDiffers,
    TimeLimitExceeded,
    UnusableInput,
)
from .types import (
    Account,
    Block,
    BlockStatistics,
    CallResult,
    Expected,
    Header,
    Log,
    Overrides,
    Receipt,
    Strategy,
    Withdrawal,
    to_address,
)

if TYPE_CHECKING:
    from .accesses import Accesses
    from .assembler import assemble
    from .block_builder import BlockBuilder
    from .building import Skipped, build_block
    from .disassembler import disassemble
    from .estimation import estimate_gas
    from .pieces import Piece, join_pieces
    from .proofs import AccountProof, StorageProof, verify_proof
    from .ranges import BlockSummary, replay_range
    from .simulation import Simulations, simulate_many
    from .time_limits import time_limit
    from .tracing import Tracer
    from .witness import ExecutionWitness, execute_stateless

__all__ = [
    "CHECKS",
    "FORKS",
    "NEWEST_FORK",
    "OPCODES",
    "PRECOMPILES",
    "STATUSES",
    "TRANSACTION_TYPES",
    "Accesses",
    "Account",
    "AccountProof",
    "Block",
    "BlockAccessList",
    "BlockBuilder",
    "BlockHashes",
    "BlockResult",
    "BlockStatistics",
    "BlockSummary",
    "CacheFigures",
    "CallResult",
    "Changes",
    "CodeCacheInfo",
    "DecodeError",
    "EvmError",
    "ExecutionAborted",
    "ExecutionFailed",
    "ExecutionWitness",
    "Expected",
    "Header",
    "InvalidAccessList",
    "InvalidBlock",
    "InvalidProof",
    "InvalidTransaction",
    "InvalidWitness",
    "Log",
    "MissingBlockHash",
    "MissingCode",
    "MissingNode",
    "MissingState",
    "Overrides",
    "Piece",
    "PrecompileCall",
    "PrecompileUnavailable",
    "Receipt",
    "ResourceLimit",
    "Revert",
    "Simulations",
    "Skipped",
    "State",
    "StateDiffers",
    "StateTrie",
    "StorageProof",
    "Strategy",
    "TimeLimitExceeded",
    "Tracer",
    "Transaction",
    "UnusableInput",
    "Withdrawal",
    "__version__",
    "assemble",
    "auto_history",
    "build_block",
    "caches",
    "call",
    "code_cache_info",
    "disassemble",
    "empty_caches",
    "estimate_gas",
    "execute_block",
    "execute_stateless",
    "fork_includes",
    "fork_index",
    "fork_name",
    "join_pieces",
    "keccak256",
    "message",
    "ordered_trie_root",
    "recover_senders",
    "replay_range",
    "run",
    "set_code_cache_limit",
    "simulate_many",
    "time_limit",
    "to_address",
    "transact",
    "verify_proof",
]

# Packages whose native library is not there; evmcore works without them, native.py says how.
MISSING_PACKAGES = tuple(_native.install(_core))


# Names that are loaded once they are asked for: Accesses brings NumPy, which takes longer to import than all of evmcore.
_LATER = {
    "Accesses": "accesses",
    "AccountProof": "proofs",
    "BlockBuilder": "block_builder",
    "BlockSummary": "ranges",
    "ExecutionWitness": "witness",
    "Piece": "pieces",
    "Simulations": "simulation",
    "Skipped": "building",
    "StorageProof": "proofs",
    "Tracer": "tracing",
    "assemble": "assembler",
    "build_block": "building",
    "disassemble": "disassembler",
    "estimate_gas": "estimation",
    "execute_stateless": "witness",
    "join_pieces": "pieces",
    "replay_range": "ranges",
    "simulate_many": "simulation",
    "time_limit": "time_limits",
    "verify_proof": "proofs",
}


def __getattr__(name: str) -> Any:
    """A name of `_LATER`, once it is asked for."""
    if name in _LATER:
        value = getattr(importlib.import_module(f".{_LATER[name]}", __package__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
