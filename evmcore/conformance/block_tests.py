"""Blockchain tests: a genesis, blocks to import or to refuse, and the head and state that have to come out.

A block that has to be refused counts only if it is refused for the reason that the test names. Format: classic
BlockchainTests of ethereum/tests and blockchain_tests of execution-spec-tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from .._core import State
from ..block import Block
from ..chain.genesis import Genesis, read_alloc, read_blob_limits
from ..chain.importer import Chain
from ..chain.schedule import Schedule, network_schedule
from ..errors import EvmError, InvalidBlock, InvalidTransaction
from ..header import Header
from ..hexadecimal import data, field, quantity
from ..statistics import Strategy
from .discovery import Selection, load_tests
from .exceptions import comes_before, is_expected
from .listed import ListedChain, ListFault
from .pickled import PickledChain, PickleFault
from .results import CaseResult
from .stateless import StatelessChain, WitnessFault
from .stored import StoreFault, run_in_store

__all__ = ["Way", "run_block_test", "run_file"]

# What a test's blocks go through: executed again from its witness alone, each; kept in a store (evmcore.store), which has to be whole at
# the end; executed again with block and state unpickled.
Way = Literal["stateless", "stored", "pickled"]

# The test's name for a header's member -> JSON-RPC's, where they differ.
_HEADER_NAMES = {
    "uncleHash": "sha3Uncles",
    "coinbase": "miner",
    "transactionsTrie": "transactionsRoot",
    "receiptTrie": "receiptsRoot",
    "bloom": "logsBloom",
}
# Proofs of work are checked where the test says so, and in old files that say nothing.
_CHECKED_SEALS = (None, "Ethash")
_CHAINS: dict[Way, type[Chain]] = {"stateless": StatelessChain, "pickled": PickledChain}
# With a strategy, but without a number of threads: each test runs with both of these.
_PARALLEL_WORKERS = (2, 4)


def run_file(
    path: str,
    selection: Selection | None = None,
    *,
    network: str | None = None,
    workers: int | None = None,
    strategy: Strategy | None = None,
    way: Way | None = None,
) -> list[CaseResult]:
    """The tests of a file that are wanted; a file without block tests gives none. Raises UnusableInput.

    network   only tests of this one, in any case: a fork, or a transition such as BerlinToLondonAt5
    strategy  as for `execute_block`; None: sequential. With "listed" each block is executed again, with its own access list
    workers   threads to execute a block with; None: 1, or, if there is a strategy, 2 and then 4
    way       what the blocks go through
    """
    selection = selection or Selection()
    counts = (workers,) if workers is not None else (1,) if strategy is None else _PARALLEL_WORKERS
    results = []
    for name, test in load_tests(path, "blockchain").items():
        of = str(test.get("network"))
        if network is not None and of.lower() != network.lower():
            continue
        if not (selection.wants(name) and selection.wants_in(name, of)):
            continue
        reason = selection.reason_to_skip(path, of)
        if reason is not None:
            results.append(CaseResult(name, of, 0, False, None, None, path, reason))
            continue
        for count in counts:
            result = run_block_test(
                name,
                test,
                path,
                workers=count,
                strategy=strategy or "sequential",
                way=way,
            )
            if not result.is_passed:
                break
        if not result.is_passed and len(counts) > 1:
            result = result._replace(error=f"{count} workers: {result.error}")
        results.append(result)
    return results


def run_block_test(
    name: str,
    test: Mapping[str, Any],
    file: str = "",
    *,
    workers: int | None = 1,
    strategy: Strategy = "auto",
    way: Way | None = None,
) -> CaseResult:
    """Run one test. Nothing that it holds makes it raise: what is wrong is in the result.

    workers, strategy  as for `execute_block`; with "listed" each block is executed again, with its own access list
    way                what the blocks go through
    """
    network = str(test.get("network"))
    head: Header | None = None
    error_text: str | None = None

    def imports(chain: Chain) -> None:
        nonlocal head
        head = chain.head.header
        try:
            _import_blocks(chain, test["blocks"], network)
        finally:
            head = chain.head.header
        _check_end(chain, test)

    try:
        genesis = _genesis(test, _schedule(test, network))
        if way == "stored":
            run_in_store(name, genesis, workers, strategy, imports)
        else:
            kind = _CHAINS[way] if way is not None else ListedChain if strategy == "listed" else Chain
            imports(kind(genesis, workers=workers, strategy=strategy))
    except (_Failure, WitnessFault, ListFault, StoreFault, PickleFault) as failure:
        error_text = str(failure)
    except (EvmError, KeyError, TypeError, ValueError, AttributeError) as error:
        error_text = f"{type(error).__name__}: {error}"
    root = None if head is None else "0x" + head.state_root.hex()
    return CaseResult(name, network, 0, error_text is None, root, error_text, file)


class _Failure(Exception):
    """The test fails, for this reason."""


def _schedule(test: Mapping[str, Any], network: str) -> Schedule:
    config = test.get("config") or {}
    return network_schedule(
        network,
        chain_id=quantity(config.get("chainid", 1), "config.chainid", 64),
        blob_limits=read_blob_limits(config.get("blobSchedule") or {}),
        checks_seals=test.get("sealEngine") in _CHECKED_SEALS,
    )


def _genesis(test: Mapping[str, Any], schedule: Schedule) -> Genesis:
    """The genesis, from the JSON; its hash, its state root and its RLP have to agree."""
    members = {_HEADER_NAMES.get(key, key): value for key, value in test["genesisBlockHeader"].items()}
    fork = schedule.genesis_fork(quantity(members["number"], "number"), quantity(members["timestamp"], "timestamp"))
    header = Header.from_json(members, fork=fork, chain_id=schedule.chain_id)
    state = read_alloc(test["pre"])
    _equal("genesis hash", header.hash, data(members["hash"], "genesisBlockHeader.hash"))
    _equal("genesis state root", state.root(), header.state_root)
    if test.get("genesisRLP"):
        block = Block.decode(data(test["genesisRLP"], "genesisRLP"))
        _equal("hash of genesisRLP", block.hash, header.hash)
    return Genesis(header, state, schedule)


def _import_blocks(chain: Chain, blocks: list[Mapping[str, Any]], network: str) -> None:
    for index, block in enumerate(blocks):
        expected = _expected_exception(block, network)
        must_be_refused = expected is not None or "blockHeader" not in block
        encoded = data(field(block, "rlp", f"blocks[{index}]"), f"blocks[{index}].rlp")
        try:
            entry = chain.add(encoded)
        except (InvalidBlock, InvalidTransaction) as error:
            if not must_be_refused:
                raise _Failure(f"block {index}: refused: {error}") from None
            is_right = expected is None or is_expected(expected, error.status, _field_of(error))
            if not is_right and not ("note" in block and comes_before(error.status, str(expected))):
                raise _Failure(f"block {index}: refused for {error.status} ({error}), wants {expected}") from None
        else:
            if must_be_refused:
                raise _Failure(f"block {index}: imported, has to be refused: {expected or 'it is malformed'}")
            wanted = data(block["blockHeader"]["hash"], f"blocks[{index}].blockHeader.hash")
            _equal(f"hash of block {index}", entry.hash, wanted)


def _field_of(error: InvalidBlock | InvalidTransaction) -> str | None:
    """What a label may ask beyond the row: where decoding stopped, or a transaction's type."""
    if error.status == "TYPE_NOT_SUPPORTED":
        return str(error.have)
    return getattr(error, "field", None)


def _expected_exception(block: Mapping[str, Any], network: str) -> str | None:
    """Why a block has to be refused, as the test names it; None if it has not to be, or if it doesn't say why."""
    for key in ("expectException", "expectExceptionALL", "expectException" + network):
        if key in block:
            return str(block[key])
    return None


def _check_end(chain: Chain, test: Mapping[str, Any]) -> None:
    _equal("head", chain.head.hash, data(test["lastblockhash"], "lastblockhash"))
    state = chain.state_of(chain.head)
    if test.get("postState") is not None:
        wanted = read_alloc(test["postState"])
        if state.is_local:  # it holds what was written to it alone
            _equal("state root after the last block", state.root(), wanted.root())
        elif state != wanted:
            raise _Failure(f"state after the last block: {_first_difference(state, wanted)}")
    elif test.get("postStateHash") is not None:
        _equal("state root after the last block", state.root(), data(test["postStateHash"], "postStateHash"))


def _equal(what: str, have: bytes, want: bytes) -> None:
    if have != want:
        raise _Failure(f"{what} is 0x{have.hex()}, wants 0x{want.hex()}")


def _first_difference(have: State, want: State) -> str:
    ours, theirs = dict(have.items()), dict(want.items())
    for address in sorted(ours.keys() | theirs.keys()):
        if ours.get(address) != theirs.get(address):
            return f"account 0x{address.hex()} is {ours.get(address)}, wants {theirs.get(address)}"
    return "no difference"
