"""The access list of a call: what it reaches, found by executing it until its list is the one that it has."""

from __future__ import annotations

from .._core import PRECOMPILES, State
from ..header import Header
from ..receipt import Receipt, keccak256
from ..rlp import encode, number
from ..traces import Trace
from ..traces.log import OPCODE_NAMES
from .call import Call, execute_call
from .overrides import precompile_addresses

__all__ = ["create_access_list"]

_SLOTS = ("SLOAD", "SSTORE")
_ACCOUNTS = ("BALANCE", "EXTCODESIZE", "EXTCODECOPY", "EXTCODEHASH", "SELFDESTRUCT")
_CALLS = ("CALL", "CALLCODE", "DELEGATECALL", "STATICCALL")
# A list that has cost nothing yet may change what a program does with its gas, which may change the list: a program can go on so forever.
_MOST_ROUNDS = 64

AccessList = tuple[tuple[bytes, tuple[int, ...]], ...]


def create_access_list(call: Call, state: State, header: Header, *, gas: int) -> tuple[AccessList, Receipt]:
    """(access list, receipt with it) of a call after `state`, which stays as it is.

    call    its own access list is where the search begins
    gas     the most that it may have
    return  the list ((address, slots), …) in order: what the call reaches beyond the sender, its recipient and the precompiles, which are warm
            anyway; of these accounts only if slots of theirs are. A call that reverts has a list, too: `receipt.outcome` says so
    raise   InvalidTransaction, as `execute_call` does

    The call is executed with its list again until that is the same (EIP-2930), at most 64 times.
    """
    left_out = {call.sender, *(precompile_addresses(header.fork) if PRECOMPILES else ())}
    nonce = state.get_nonce(call.sender) if call.nonce is None else call.nonce
    left_out.add(call.to if call.to is not None else keccak256(encode([call.sender, number(nonce)]))[12:])
    known = _made({address: set(slots) for address, slots in call.access_list or ()}, left_out)
    for _ in range(_MOST_ROUNDS):
        reached, receipt = _reached(call, state, header, gas, known, left_out)
        if reached == known:
            break
        known = reached
    return known, receipt


def _made(found: dict[bytes, set[int]], left_out: set[bytes]) -> AccessList:
    return tuple(
        (address, tuple(sorted(slots))) for address, slots in sorted(found.items()) if slots or address not in left_out
    )


def _reached(
    call: Call, state: State, header: Header, gas: int, known: AccessList, left_out: set[bytes]
) -> tuple[AccessList, Receipt]:
    """What an execution with the list `known` reaches; that is part of it."""
    from dataclasses import replace

    trace = Trace(steps=True, opcodes=(*_SLOTS, *_ACCOUNTS, *_CALLS), stack=2, data=False)
    receipt = execute_call(replace(call, access_list=known), state.copy(), header, gas=gas, tracer=trace)
    found = {address: set(slots) for address, slots in known}
    calls, stacks = trace.calls, trace.stacks()
    for place, step in enumerate(trace.steps):
        name, items = OPCODE_NAMES[int(step["op"])], stacks[place]
        if name in _SLOTS and items:
            found.setdefault(calls[int(step["call"])]["address"].tobytes(), set()).add(items[-1])
            continue
        depth = 2 if name in _CALLS else 1
        if name not in _SLOTS and len(items) >= depth:
            found.setdefault((items[-depth] % (1 << 160)).to_bytes(20, "big"), set())
    return _made(found, left_out), receipt
