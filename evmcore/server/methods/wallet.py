"""eth_: transactions that are sent, and what the node's accounts sign."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson

from ..._core import Transaction, keccak256, sign_hash, transact
from ...chain.schedule import rules_of
from ...errors import InvalidTransaction
from ...hexadecimal import to_hex
from ...whatif import Call, estimate_gas
from .. import decode, objects
from ..encode import transaction_json
from ..errors import INVALID_PARAMS, SERVER_ERROR, RpcError
from ..node import IMPERSONATED, Node
from ..sidecars import split
from ..typed_data import typed_data_hash
from .calls import check_chain
from .table import Later, Steps, optional, required, rows

_TIP_WEI = 10**9


def accounts(node: Node) -> list[str]:
    return [to_hex(address) for address in node.accounts]


def decoded(node: Node, raw: bytes) -> Steps:
    """A transaction as it is sent, its blobs held against their proofs. Raises DecodeError, RpcError."""
    encoded, sidecar = split(raw)
    transaction = Transaction.decode(encoded)
    if transaction.chain_id is not None and transaction.chain_id != node.chain.chain_id:
        raise RpcError(
            SERVER_ERROR, f"invalid chain id for signer: have {transaction.chain_id} want {node.chain.chain_id}"
        )
    if sidecar is not None:
        hashes, fork = transaction.blob_versioned_hashes, node.chain.pending.header.fork
        yield Later(lambda: sidecar.check(hashes, fork))
    return transaction


def send_raw(node: Node, raw: bytes) -> Steps:
    transaction = yield from decoded(node, raw)
    is_bare = transaction.type == 3 and transaction.raw == raw  # as blocks have it, without its blobs
    if is_bare and rules_of(node.chain.pending.header.fork).has_blobs:
        raise RpcError(SERVER_ERROR, "missing sidecar in blob transaction")  # go-ethereum's words
    return (yield from _submitted(node, transaction))


def filled(node: Node, call: Call) -> Steps:
    """A transaction's fields, with those that it leaves out. It is estimated beside the node."""
    check_chain(node, call)
    if node.fork is not None:
        yield node.fork.fetched_ahead(node, 1)  # the pending block begins with system calls
        state = node.chain.state_at("pending")
        yield Later(lambda: state.get_nonce(call.sender))  # the source then has it at hand
    pending = node.chain.pending
    fields: dict[str, Any] = {}
    if call.nonce is None:
        fields["nonce"] = pending.state.get_nonce(call.sender)
    fee = pending.header.base_fee_per_gas
    if call.gas_price is None and fee is None:
        fields["gas_price"] = _TIP_WEI
    elif call.gas_price is None:
        tip = call.max_priority_fee_per_gas
        if tip is None:
            tip = _TIP_WEI if call.max_fee_per_gas is None else min(_TIP_WEI, call.max_fee_per_gas)
        fields["max_priority_fee_per_gas"] = tip
        if call.max_fee_per_gas is None:
            fields["max_fee_per_gas"] = min(2 * fee + tip, 2**256 - 1) if fee is not None else tip
    made = replace(call, **fields)
    if made.gas is None:
        most = min(node.limits.gas, pending.header.gas_limit)
        transaction = made.transaction(
            nonce=0, gas=most, chain_id=node.chain.chain_id, has_dynamic_fees=fee is not None
        )
        state, header = node.chain.state_at("pending"), pending.header
        gas = yield Later(lambda: estimate_gas(transaction, state, header), is_call=True)
        made = replace(made, gas=gas)
    return made


def _transaction(node: Node, call: Call) -> Steps:
    made = yield from filled(node, call)
    has_dynamic_fees = node.chain.pending.header.base_fee_per_gas is not None
    assert made.gas is not None
    signature = None if call.sender in node.accounts else (int.from_bytes(call.sender, "big") or 1, 1)
    return made.transaction(
        nonce=0, gas=made.gas, chain_id=node.chain.chain_id, has_dynamic_fees=has_dynamic_fees, signature=signature
    )


def _submitted(node: Node, transaction: Transaction, checks: dict[str, bool] | None = None) -> Steps:
    """Its hash, once the node has it. What it needs of a fork's state is fetched before, beside the node."""
    if node.fork is not None:
        yield node.fork.fetched_ahead(node, 1)
        state, header = node.chain.state_at("pending"), node.chain.pending.header

        def rehearse() -> None:
            with suppress(InvalidTransaction):
                transact(transaction, state, header, checks=checks)

        yield Later(rehearse)
    return to_hex(node.submit(transaction, checks=checks))


def prepared(node: Node, call: Call) -> Steps:
    """(transaction, checks that are left out) of what an account of the node, or one that is impersonated, is to send."""
    account = node.accounts.get(call.sender)
    is_impersonated = call.sender in node.impersonated or node.impersonates_all
    if account is None and not is_impersonated:
        raise RpcError(SERVER_ERROR, "unknown account")
    transaction = yield from _transaction(node, call)
    return (transaction, IMPERSONATED) if account is None else (transaction.sign(account.key), None)


def send(node: Node, call: Call) -> Steps:
    transaction, checks = yield from prepared(node, call)
    return (yield from _submitted(node, transaction, checks))


def sign_transaction(node: Node, call: Call) -> Steps:
    account = _account(node, call.sender)
    transaction = (yield from _transaction(node, call)).sign(account.key)
    return {"raw": to_hex(transaction.raw), "tx": transaction_json(transaction)}


def fill(node: Node, call: Call) -> Steps:
    transaction = yield from _transaction(node, call)
    return {"raw": to_hex(transaction.raw), "tx": transaction_json(transaction)}


def sign(node: Node, address: bytes, message: bytes) -> str:
    return _signature(node, address, keccak256(b"\x19Ethereum Signed Message:\n%d" % len(message) + message))


def _signature(node: Node, address: bytes, digest: bytes) -> str:
    r, s, parity = sign_hash(digest, _account(node, address).key)
    return to_hex(r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + parity]))


def _typed_data(value: Any) -> Any:
    """Typed data, an object or (as wallets are asked) its text."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except ValueError:
            raise decode.Unfit("expected an object, or its JSON") from None
    return value


def sign_typed_data(node: Node, address: bytes, value: Any) -> Later:
    _account(node, address)

    def run() -> str:
        try:
            return _signature(node, address, typed_data_hash(value))
        except decode.Unfit as error:
            raise RpcError(INVALID_PARAMS, f"invalid argument 1 (data): {error}") from None

    return Later(run)


def pending_transactions(node: Node) -> list[dict[str, Any]]:
    """Those of the node's accounts that wait to be mined."""
    queued = [one for waiting in node.pool.values() for _, one in sorted(waiting.items())]
    return [transaction_json(one) for one in (*node.chain.pending.transactions, *queued) if one.sender in node.accounts]


def personal_sign(node: Node, message: bytes, address: bytes, password: Any) -> str:
    return sign(node, address, message)


def _account(node: Node, address: bytes) -> Any:
    account = node.accounts.get(address)
    if account is None:
        raise RpcError(SERVER_ERROR, "unknown account")
    return account


def raw_receipt(node: Node, raw: bytes) -> Steps:
    """eth_sendRawTransactionSync: the receipt, where blocks are made at once."""
    from .blocks import receipt_by_hash

    if node.mining != "auto":
        raise RpcError(INVALID_PARAMS, "blocks are not made at once; mining is " + str(node.mining))
    sent = yield from send_raw(node, raw)
    return receipt_by_hash(node, bytes.fromhex(sent[2:]))


RAW, CALL = required("transaction", decode.data), required("transaction", objects.call)
ADDRESS, MESSAGE = required("address", decode.address), required("message", decode.data)
PASSWORD = optional("password")
ROWS = rows(
    (("eth_accounts", "eth_requestAccounts"), accounts),
    ("eth_sendRawTransaction", send_raw, RAW),
    ("eth_sendRawTransactionSync", raw_receipt, RAW),
    (("eth_sendTransaction", "eth_sendUnsignedTransaction"), send, CALL),
    ("eth_signTransaction", sign_transaction, CALL),
    ("eth_fillTransaction", fill, CALL),
    ("eth_sign", sign, ADDRESS, MESSAGE),
    (
        ("eth_signTypedData", "eth_signTypedData_v3", "eth_signTypedData_v4"),
        sign_typed_data,
        ADDRESS,
        required("data", _typed_data),
    ),
    ("eth_pendingTransactions", pending_transactions),
    ("personal_sign", personal_sign, MESSAGE, ADDRESS, PASSWORD),
)
