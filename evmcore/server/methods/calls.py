"""eth_: executions of which nothing stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..._core import State
from ...header import Header
from ...hexadecimal import to_hex
from ...receipt import Receipt
from ...whatif import (
    BlockOverride,
    Call,
    apply_overrides,
    create_access_list,
    estimate_gas,
    execute_call,
    simulate_blocks,
)
from .. import decode, objects
from ..encode import block_json, log_json, word
from ..errors import (
    INVALID_PARAMS,
    REVERTED,
    SERVER_ERROR,
    VM_ERROR,
    RpcError,
    execution_error,
    halt_message,
    invalid_params,
    revert_message,
)
from ..node import Node
from .table import Later, optional, required, rows


def place(
    node: Node, which: Any, accounts: Any = None, block: BlockOverride | None = None, *, is_next: bool = False
) -> tuple[State, Header]:
    """(state, header) of a block, with overrides; the state is the caller's. is_next: with the last block's state in the next block."""
    chain = node.chain
    is_pending = which == "pending"
    header = chain.pending.header if is_pending or is_next else chain.block(which).header
    if header.chain_id != chain.chain_id and header.number == chain.head.number:
        header = replace(header, chain_id=chain.chain_id)  # which was changed since
    state = chain.state_at(which)
    if block is not None:
        for name in ("parent_beacon_block_root", "withdrawals"):
            if getattr(block, name) is not None:
                shown = {"parent_beacon_block_root": "beaconRoot"}.get(name, name)
                raise invalid_params(f'block override "{shown}" is not supported for this RPC method')
        header = block.apply(header)
    return state, apply_overrides(state, header, accounts) if accounts else header


def check_chain(node: Node, call: Call) -> None:
    if call.chain_id is not None and call.chain_id != node.chain.chain_id:
        raise RpcError(
            SERVER_ERROR, f"chainId does not match node's (have={call.chain_id}, want={node.chain.chain_id})"
        )


def output_of(call: Call, state: State, receipt: Receipt) -> str:
    """What a call has given back: a creation its code. Raises RpcError where it failed."""
    failure = execution_error(receipt)
    if failure is not None:
        raise failure
    if call.to is None and receipt.contract_address is not None:
        return to_hex(state.get_code(receipt.contract_address))
    return to_hex(receipt.output)


def eth_call(node: Node, call: Call, which: Any, accounts: Any, block: Any) -> Later:
    check_chain(node, call)
    state, header = place(node, which, accounts, block)

    def run() -> str:
        return output_of(call, state, execute_call(call, state, header, gas=node.limits.gas))

    return Later(run, is_call=True)


def eth_estimate(node: Node, call: Call, which: Any, accounts: Any, block: Any) -> Later:
    check_chain(node, call)
    is_next = which in ("latest", "safe", "finalized")
    state, header = place(node, which, accounts, block, is_next=is_next)

    def run() -> str:
        transaction, surroundings = call.placed(state, header, node.limits.gas)
        return hex(estimate_gas(transaction, state, surroundings))

    return Later(run, is_call=True)


def eth_access_list(node: Node, call: Call, which: Any, accounts: Any) -> Later:
    check_chain(node, call)
    state, header = place(node, which, accounts)

    def run() -> dict[str, Any]:
        found, receipt = create_access_list(call, state, header, gas=node.limits.gas)
        shown: dict[str, Any] = {
            "accessList": [
                {"address": to_hex(address), "storageKeys": [word(slot) for slot in slots]} for address, slots in found
            ],
            "gasUsed": hex(receipt.gas_used),
        }
        if not receipt.is_success:
            is_revert = receipt.outcome == "REVERT"
            shown["error"] = "execution reverted" if is_revert else halt_message(receipt)
        return shown

    return Later(run, is_call=True)


def eth_simulate(node: Node, wanted: dict[str, Any], which: Any) -> Later:
    blocks = wanted["blocks"]
    if not blocks:
        raise RpcError(INVALID_PARAMS, "empty input")
    if len(blocks) > 256:
        raise RpcError(-38026, "too many blocks")
    chain = node.chain
    base = chain.block(which)
    state = base.state.copy()
    total = chain.total_difficulty_of(base.number) if which != "pending" else chain.total_difficulty

    def run() -> list[dict[str, Any]]:
        made = simulate_blocks(
            base.header,
            state,
            blocks,
            forks=chain.place,
            total_difficulty=total,
            validation=wanted.get("validation", False),
            trace_transfers=wanted.get("trace_transfers", False),
            gas=node.limits.gas,
        )
        return [
            {
                **block_json(block, wanted.get("is_full", False)),
                "calls": [_call_json(call, block.header, block.hash, index) for index, call in enumerate(calls)],
            }
            for block, calls in made
        ]

    return Later(run, is_call=True)


def _call_json(call: Any, header: Header, block_hash: bytes, index: int) -> dict[str, Any]:
    receipt = call.receipt
    output = receipt.output if receipt.outcome in ("SUCCESS", "REVERT") else b""
    shown: dict[str, Any] = {
        "returnData": to_hex(output if receipt.is_success else b""),
        "logs": [
            log_json(log, header, block_hash, call.transaction.hash, index, log_index) for log, log_index in call.logs
        ],
        "gasUsed": hex(receipt.gas_used),
        "maxUsedGas": hex(receipt.gas_used + receipt.gas_refund),
        "status": hex(int(receipt.is_success)),
    }
    if receipt.outcome == "REVERT":
        shown["error"] = {"message": revert_message(output), "code": REVERTED, "data": to_hex(output)}
    elif not receipt.is_success:
        shown["error"] = {"message": halt_message(receipt), "code": VM_ERROR}
    return shown


CALL, AT = required("transaction", objects.call), optional("block", decode.block, "latest")
ACCOUNTS = optional("stateOverrides", objects.account_overrides)
BLOCK = optional("blockOverrides", objects.block_override)
ROWS = rows(
    ("eth_call", eth_call, CALL, AT, ACCOUNTS, BLOCK),
    ("eth_estimateGas", eth_estimate, CALL, AT, ACCOUNTS, BLOCK),
    ("eth_createAccessList", eth_access_list, CALL, AT, ACCOUNTS),
    ("eth_simulateV1", eth_simulate, required("options", objects.simulation), AT),
)
