"""Blocks fetched from a node with all that executing them takes: the part of the state before them, and a witness.

What is written was executed from what is written, and held against the header.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .._core import PARAMETERS, State, execute_block
from .._version import __version__
from ..block import Block
from ..chain.schedule import rules_of
from ..errors import EvmError, InvalidWitness, MissingBlockHash, MissingState, UnusableInput
from ..fixtures import BLOCK_FORMAT, block_from_json
from ..header import Header
from ..hexadecimal import to_hex
from ..verification import Verification
from ..witness import ExecutionWitness, execute_stateless
from .blocks import block_of_json, chain_id_of, check_named, header_of_json, named_block
from .client import Call, RpcClient
from .errors import BadAnswer, NodeRefused, RemoteBlockNotFound
from .source import RpcSource
from .witnesses import witness_of_proofs

__all__ = ["FetchedBlock", "fetch_block"]

_OMMERS_MOST = 2  # Yellow Paper section 4.4.3


@dataclass(frozen=True)
class FetchedBlock:
    """A block, and what a file of it holds.

    block    as it was executed: its pre-state has what it read, and is otherwise empty
    file     the JSON of a block file (mainnet-block/1)
    checks   what was held against the header: "gas_used", "receipts_root" …, with True, or None where it can't be told
    witness  what executing it without a state takes; None where none was asked for
    """

    block: Block
    file: Mapping[str, Any]
    checks: Mapping[str, bool | None]
    witness: ExecutionWitness | None = None


class _Recorder:
    """A source that remembers what it said."""

    def __init__(self, source: RpcSource) -> None:
        self.source = source
        self.said: dict[tuple[bytes, int | None], Any] = {}

    def __call__(self, keys: list[tuple[bytes, int | None]]) -> dict[tuple[bytes, int | None], Any]:
        answers = self.source(keys)
        self.said.update(answers)
        return answers


def fetch_block(
    node: str | RpcClient,
    block: int | str | bytes,
    *,
    witness: bool = False,
    workers: int | None = None,
    fork: str | None = None,
    **options: Any,
) -> FetchedBlock:
    """A block of a node's chain with what it reads of the state before it.

    node     a URL or an RpcClient
    block    a number, a hash or a tag; not the first one, which nothing executes
    witness  whether to bring one: debug_executionWitness, or made of proofs where the node hasn't that. With it the state root is checked
    fork     whose rules hold, as for RpcSource
    options  those of RpcSource: verify, cache, and an RpcClient's
    raise    RemoteError; EvmError where executing the block doesn't give what its header says; MissingNode where a witness of
             proofs lacks what a deletion needs
    """
    client_options = {
        name: options.pop(name) for name in ("timeout", "retries", "rate", "batch", "headers") if name in options
    }
    if isinstance(node, RpcClient) and client_options:
        raise TypeError(f"{', '.join(client_options)}: the RpcClient has its own")
    if fork is not None:
        Header(fork=fork)  # for its refusal of forks that there aren't
    client = node if isinstance(node, RpcClient) else RpcClient(node, **client_options)
    given, chain_id, which = _whole_block(client, block)
    try:
        fetched = block_of_json(given, chain_id, fork)
        header = fetched.header
        check_named(which, header.number, header.hash)
        if header.number == 0:
            raise UnusableInput("block: the first one isn't executed: it is a genesis")
        fetched = replace(fetched, ommers=_ommers(client, given, header))
    except UnusableInput as error:
        raise BadAnswer(str(client.endpoint), str(error)) from None
    source = RpcSource(client, header.parent_hash, fork=fork, **options)
    hashes = {**source.header.block_hashes, source.number: source.hash}
    first = max(0, header.number - PARAMETERS["block_hash_window"])
    fetched = fetched.with_header(block_hashes={number: one for number, one in hashes.items() if number >= first})
    recorder = _Recorder(source)
    execute_block(fetched, State(source=recorder), workers=workers, state_roots=False)
    file = _file(fetched, given, recorder.said)
    executed, checks = _executed(file, workers)
    brought = None
    if witness:
        brought = _witness(client, source, executed, recorder)
        checks = {**checks, "state_root": True}
    return FetchedBlock(executed, file, checks, brought)


def _whole_block(client: RpcClient, block: int | str | bytes) -> tuple[Mapping[str, Any], int, str]:
    method, which = named_block(block)
    chain_id, given = client.ask_all([Call("eth_chainId", (), chain_id_of), Call(method, (which, True))])
    if given is None:
        raise RemoteBlockNotFound(str(client.endpoint), which)
    if not isinstance(given, Mapping):
        raise BadAnswer(str(client.endpoint), f"{method}: no block came")
    return given, chain_id, which


def _ommers(client: RpcClient, given: Mapping[str, Any], header: Header) -> tuple[Header, ...]:
    from .. import rlp
    from ..receipt import keccak256

    named = given.get("uncles") or []
    if not isinstance(named, list):
        raise UnusableInput("block.uncles: not a list")
    if len(named) > _OMMERS_MOST:  # which no rules have allowed, and each is a request
        raise UnusableInput(f"block {header.number}: {len(named)} uncles, may have {_OMMERS_MOST}")
    count = len(named)
    calls = [Call("eth_getUncleByBlockHashAndIndex", (to_hex(header.hash), hex(place))) for place in range(count)]
    ommers = tuple(header_of_json(one, header.chain_id, header.fork)[0] for one in client.ask_all(calls))
    if keccak256(rlp.encode_list(one.encode() for one in ommers)) != header.ommers_hash:
        raise UnusableInput(f"block {header.number}: its ommers aren't those of its ommers' hash")
    return ommers


def _file(block: Block, given: Mapping[str, Any], said: Mapping[tuple[bytes, int | None], Any]) -> dict[str, Any]:
    """The JSON of a block file; the state is what the source said of it."""
    accounts: dict[str, dict[str, Any]] = {}
    for (address, slot), told in said.items():
        if slot is None and told is not None:
            entry = {"balance": hex(told["balance"]), "nonce": told["nonce"], "storage": {}}
            if told["code"]:
                entry["code"] = to_hex(told["code"])
            accounts[to_hex(address)] = entry
    for (address, slot), told in said.items():
        if slot is not None and told and to_hex(address) in accounts:
            accounts[to_hex(address)]["storage"][hex(slot)] = hex(told)
    header = block.header
    senders = [one.get("from") for one in given["transactions"]]
    expected = {"gasUsed": hex(header.gas_used), "logsBloom": to_hex(header.logs_bloom)}
    # Earlier receipts hold state roots, which a part of the state doesn't give.
    if rules_of(header.fork).receipt_has_status:
        expected["receiptsRoot"] = to_hex(header.receipts_root)
    return {
        "format": BLOCK_FORMAT,
        "source": f"evmcore {__version__}",
        "number": header.number,
        "chainId": header.chain_id,
        "fork": header.fork,
        "header": header.to_json(),
        "ommers": [one.to_json() for one in block.ommers],
        "withdrawals": None
        if block.withdrawals is None
        else [
            {
                "index": hex(one.index),
                "validatorIndex": hex(one.validator_index),
                "address": to_hex(one.address),
                "amount": hex(one.amount_gwei),
            }
            for one in block.withdrawals
        ],
        "blockHashes": {str(number): to_hex(one) for number, one in sorted(header.block_hashes.items())},
        "transactions": [
            {**_plain(one), "raw": to_hex(tx.raw), "from": sender}
            for one, tx, sender in zip(given["transactions"], block.transactions, senders)
        ],
        "preState": dict(sorted(accounts.items())),
        "expected": expected,
    }


def _plain(transaction: Mapping[str, Any]) -> dict[str, Any]:
    """A node's transaction without what its place in the block says."""
    places = ("blockHash", "blockNumber", "blockTimestamp", "transactionIndex")
    return {name: value for name, value in transaction.items() if name not in places}


def _executed(file: Mapping[str, Any], workers: int | None) -> tuple[Block, dict[str, bool | None]]:
    """The block as its file has it, executed and held against its header."""
    block = block_from_json(file)
    assert block.pre_state is not None
    verification = Verification(block)
    result = execute_block(block, block.pre_state.copy(), workers=workers, state_roots=False)
    verification.senders([tx.sender for tx in block.transactions])
    verification.result(result)
    if not verification.is_ok:
        raise EvmError(f"block {block.number}: {'; '.join(verification.faults)}")
    return block, {**verification.checks, "transactions_root": True}


def _witness(client: RpcClient, source: RpcSource, block: Block, recorder: _Recorder) -> ExecutionWitness:
    """One on which the block comes to its state root."""
    try:
        given = client.ask("debug_executionWitness", hex(block.number))
        brought = ExecutionWitness.from_json(given)
        result = execute_stateless(block, brought, workers=1)
    except (NodeRefused, UnusableInput, InvalidWitness, MissingState, MissingBlockHash):
        brought, result = witness_of_proofs(source, block, recorder.said)
    if result.state_root != block.header.state_root:
        raise EvmError(
            f"block {block.number}: state root is {to_hex(result.state_root)} instead of {to_hex(block.header.state_root)}"
        )
    return brought
