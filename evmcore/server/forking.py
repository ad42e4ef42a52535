"""A chain that goes on from another node's block: what is asked of the time before it, that node says.

Blocks, transactions and receipts come as they are there; calls and reads after an older block are executed here, on its state.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .._core import PARAMETERS, SYSTEM_ADDRESSES, State
from ..dev import BlockNotFound, DevChain, TransactionNotFound
from ..errors import UnusableInput
from ..hexadecimal import to_hex
from ..locks import lock_of_process
from .accounts import DevAccount
from .errors import SERVER_ERROR, RpcError
from .methods.table import Later, Method, finish

if TYPE_CHECKING:
    from ..remote import RpcSource
    from .node import Node

__all__ = ["Fork", "fork_of"]

# Method -> which of its parameters is a block. What the block is made of, or a proof, which only the node has, that of the fork's too:
_CONTENT = {
    "eth_getBlockByNumber": 0, "eth_getBlockByHash": 0, "eth_getBlockReceipts": 0,
    "eth_getBlockTransactionCountByNumber": 0, "eth_getBlockTransactionCountByHash": 0,
    "eth_getUncleCountByBlockNumber": 0, "eth_getUncleCountByBlockHash": 0,
    "eth_getUncleByBlockNumberAndIndex": 0, "eth_getUncleByBlockHashAndIndex": 0,
    "eth_getTransactionByBlockNumberAndIndex": 0, "eth_getTransactionByBlockHashAndIndex": 0,
    "eth_getRawTransactionByBlockNumberAndIndex": 0, "eth_getRawTransactionByBlockHashAndIndex": 0,
    "debug_getRawBlock": 0, "debug_getRawReceipts": 0, "debug_traceBlockByNumber": 0, "debug_traceBlockByHash": 0,
    "debug_executionWitness": 0, "trace_block": 0, "trace_replayBlockTransactions": 0, "eth_getProof": 2, "eth_getAccount": 1,
}  # fmt: skip
# and the state after it, or its header:
_STATE = {
    "eth_getBalance": 1, "eth_getTransactionCount": 1, "eth_getCode": 1, "eth_getStorageAt": 2, "eth_getStorageValues": 1,
    "eth_call": 1, "eth_estimateGas": 1, "eth_createAccessList": 1, "eth_simulateV1": 1, "debug_traceCall": 1,
    "trace_call": 2, "trace_callMany": 1,
    "erigon_getHeaderByNumber": 0, "eth_getHeaderByNumber": 0, "eth_getHeaderByHash": 0, "debug_getRawHeader": 0,
}  # fmt: skip
# The first parameter is a transaction's hash.
_TRANSACTION = frozenset(
    (
        "eth_getTransactionByHash", "eth_getRawTransactionByHash", "eth_getTransactionReceipt", "debug_getRawTransaction",
        "debug_traceTransaction", "trace_transaction", "trace_replayTransaction", "trace_get",
    )
)  # fmt: skip
_SOURCES_KEPT = 32
# A block's time is that of the clock: it may go on until the block is made.
_SECONDS_AHEAD = 4
_UNKNOWN = -1


class Fork:
    """Where a chain goes on from another node's.

    source    the state after the block, and how its node is asked
    accounts  that have `balance` wei in it, and no code
    gas_limit of the blocks after it; None: the block's
    rules     the fork whose rules hold, where the source was told
    """

    def __init__(
        self,
        source: RpcSource,
        *,
        accounts: Sequence[DevAccount] = (),
        balance: int = 10_000 * 10**18,
        gas_limit: int | None = None,
        rules: str | None = None,
    ) -> None:
        self.source = source
        self.accounts = tuple(accounts)
        self.balance = balance
        self.gas_limit = gas_limit
        self.rules = rules
        self._older: dict[int | str | bytes, RpcSource] = {}
        self._lock = lock_of_process()

    @property
    def number(self) -> int:
        """The block's number."""
        return self.source.number

    @property
    def url(self) -> str:
        """The node's, as far as it may be shown: scheme, host and port."""
        return str(self.source.client.endpoint)

    def chain(self) -> DevChain:
        """One that goes on from the block."""
        state = State(source=self.source)
        for account in self.accounts:
            state.set_balance(account.address, self.balance)
            state.set_code(
                account.address, b""
            )  # on public chains others have delegated the accounts whose keys all know
        header = self.source.header
        if self.gas_limit is not None:
            header = replace(header, gas_limit=self.gas_limit)
        return DevChain.from_block(header, state, block_hash=self.source.hash)

    def again(self, url: str | None, block: int | str | bytes) -> Fork:
        """A fork of another block, or (url) of another node. Raises RemoteError, UnusableInput."""
        kind = type(self.source)
        source = self._source_at(block) if url is None else kind(url, block, fork=self.rules)
        return Fork(source, accounts=self.accounts, balance=self.balance, gas_limit=self.gas_limit, rules=self.rules)

    def _source_at(self, block: int | str | bytes) -> RpcSource:
        source = self.source
        cache = False if source.cache is None else source.cache
        return type(source)(source.client, block, verify=source.is_verifying, cache=cache, fork=self.rules)

    def _older_source(self, block: int | str | bytes) -> RpcSource:
        with self._lock:
            found = self._older.get(block)
        if found is None:
            found = self._source_at(block)
            if found.number > self.number:
                raise BlockNotFound(block)
            with self._lock:
                while len(self._older) >= _SOURCES_KEPT:
                    del self._older[next(iter(self._older))]
                self._older[block] = found
        return found

    def ask(self, method: str, parameters: Sequence[Any]) -> Any:
        """The node's own answer. Raises RpcError where that is an error, RemoteError."""
        from ..remote import NodeRefused

        try:
            return self.source.client.ask(method, *parameters)
        except NodeRefused as error:
            raise RpcError(SERVER_ERROR if error.code is None else error.code, error.fault) from None

    def fetched_ahead(self, node: Node, count: int, interval: int | None = None) -> Later:
        """Has the source know what the next blocks' system calls read, in one batch: each block reads other slots of their rings
        (EIP-4788, EIP-2935), and would ask for them while others wait."""
        state, number, last = node.chain.state_at("latest"), node.chain.head.number, node.chain.head.header.timestamp
        begin, step = node.now(), max(interval or 1, 1)
        moments = {begin + at for at in range(count + _SECONDS_AHEAD)}
        if interval is not None:  # a block is begun a second after the one before, and then has its own time
            moments |= {last + at * step + after for at in range(count + 1) for after in (1, step)}
        ring = PARAMETERS["history_buffer_slots"]
        roots, hashes = (SYSTEM_ADDRESSES[name] for name in ("beacon_roots_contract", "history_contract"))
        keys: set[tuple[bytes, int | None]] = {(roots, None), (hashes, None)}
        keys |= {(roots, moment % ring + offset) for moment in moments for offset in (0, ring)}
        keys |= {(hashes, (number + at) % ring) for at in range(count + 1)}
        return Later(lambda: state.fetch_keys(keys))

    # -------------------------------------------------------------- requests

    def redirected(self, node: Node, method: Method, params: Any, arguments: list[Any]) -> Later | None:
        """How a request is answered that is about the time before the chain begins; None: the chain answers it."""
        name = method.name
        if name in _TRANSACTION:
            return None if _has_transaction(node, arguments[0]) else self._asked(name, method, params)
        if name in _STATE:
            place = _STATE[name]
            which = arguments[place]
            number = self._number(node, which)
            if number is None or number >= self.number:
                return None
            older = which if number == _UNKNOWN else number
            return Later(lambda: self._executed(node, method, arguments, place, older))
        if name in _CONTENT:
            place = _CONTENT[name]
            which = arguments[place]
            number = self._number(node, which)
            if number is None or number > self.number:
                return None
            if number != _UNKNOWN and isinstance(which, str):
                params = _positional(method, params)
                params += [None] * (place + 1 - len(params))
                params[place] = hex(number)
            return self._asked(name, method, params)
        return None

    def block_number(self, node: Node, which: int | str) -> int:
        """The number of a block that is mined, "pending" being the last. Raises BlockNotFound for one that isn't there yet."""
        number = self._number(node, which)
        if number is None:
            return node.chain.head.number
        if number > node.chain.head.number:
            raise BlockNotFound(which)
        return number

    def _number(self, node: Node, which: int | str | bytes) -> int | None:
        """The number of a block, _UNKNOWN for a hash that the chain doesn't know; None: pending."""
        if isinstance(which, bytes):
            try:
                return node.chain.block(which).number
            except BlockNotFound:
                return _UNKNOWN
        if isinstance(which, int):
            return which
        return {"earliest": 0, "pending": None}.get(which, node.chain.head.number)

    def _asked(self, name: str, method: Method, params: Any) -> Later:
        return Later(lambda: self._as_of_fork(name, self.ask(name, _positional(method, params))))

    def bad_answer(self, method: str) -> RpcError:
        """What the node said isn't what it was asked for."""
        return RpcError(SERVER_ERROR, f"{self.url}: {method}: an answer of another form")

    def _as_of_fork(self, method: str, value: Any) -> Any:
        """An answer, without what the other chain has come to since the fork."""
        first = value[0] if isinstance(value, list) and value else value
        if not isinstance(first, dict):
            return value
        for name in ("number", "blockNumber"):
            number = first.get(name)
            if not isinstance(number, str):
                continue
            try:
                at = int(number, 16)
            except ValueError:
                raise self.bad_answer(method) from None
            if at > self.number:
                return None
            block_hash = first.get("hash" if name == "number" else "blockHash")
            if at == self.number and block_hash != to_hex(self.source.hash):
                raise RpcError(
                    SERVER_ERROR, f"{self.url}: block {at} was reorganised: it was {to_hex(self.source.hash)}"
                )
        return value

    def _executed(self, node: Node, method: Method, arguments: list[Any], place: int, block: int | bytes) -> Any:
        """A handler's value after an older block."""
        from .node import Node

        source = self._older_source(block)
        chain = DevChain.from_block(source.header, State(source=source), block_hash=source.hash)
        older = Node(chain, limits=node.limits)
        given = list(arguments)
        given[place] = source.number
        return finish(method.handler(older, *given))


def _has_transaction(node: Node, transaction_hash: bytes) -> bool:
    from .methods.blocks import waiting

    try:
        node.chain.transaction(transaction_hash)
    except TransactionNotFound:
        return waiting(node, transaction_hash) is not None
    return True


def _positional(method: Method, params: Any) -> list[Any]:
    """A request's parameters as a list."""
    if isinstance(params, dict):
        params = [params.get(parameter.name) for parameter in method.parameters]
        while params and params[-1] is None:
            params.pop()
    return list(params or ())


def fork_of(url: str, block: int | str | bytes, accounts: Iterable[DevAccount] = ()) -> Fork:
    """A fork of a node, by its URL. Raises UnusableInput where it is none, or where evmcore.remote isn't there; RemoteError."""
    try:
        from ..remote import RpcSource
    except ImportError as error:
        raise UnusableInput(str(error)) from None
    return Fork(RpcSource(url, block), accounts=tuple(accounts))
