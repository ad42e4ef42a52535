"""prestateTracer: the accounts and slots that a transaction looked at, as they were before it; with diffMode also what it changed."""

from __future__ import annotations

from typing import Any

from .._core import STATUSES, State
from ..errors import EvmError
from ..executed import Execution
from ..hexadecimal import to_hex
from ..receipt import Account
from .answers import Answer
from .log import OPCODE_NAMES, OPCODE_NUMBERS, Trace

__all__ = ["PrestateTracer"]

# Instructions that look at an account, and the place from the top of the stack that names it.
_ACCOUNTS = {
    "EXTCODECOPY": 1, "EXTCODEHASH": 1, "EXTCODESIZE": 1, "BALANCE": 1, "SELFDESTRUCT": 1,
    "CALL": 2, "CALLCODE": 2, "DELEGATECALL": 2, "STATICCALL": 2,
}  # fmt: skip
_SLOTS = ("SLOAD", "SSTORE")
_LOOKING = frozenset(OPCODE_NUMBERS[name] for name in (*_ACCOUNTS, *_SLOTS))
_CREATIONS = ("CREATE", "CREATE2")
_FAILED_BEFORE = tuple(
    row.number for row in STATUSES if row.name in ("OUT_OF_GAS", "STACK_UNDERFLOW", "STACK_OVERFLOW")
)


class PrestateTracer(Answer):
    """Configuration: diffMode, disableCode, disableStorage, includeEmpty."""

    def make_trace(self) -> Trace:
        return Trace(steps=True, opcodes=[*_ACCOUNTS, *_SLOTS], stack=2, data=False)

    def result(self, execution: Execution) -> dict[str, Any]:
        touched = self.touched(execution)
        before, after = execution.before, execution.after
        accounts = {address: before.get_account(address) for address in touched}
        if not self.is_on("diffMode"):
            return {
                to_hex(address): self._shown(before, address, account, slots)
                for address, slots in touched.items()
                if not is_empty(account := accounts[address]) or self.is_on("includeEmpty")
            }
        pre: dict[str, Any] = {}
        post: dict[str, Any] = {}
        for address, slots in touched.items():
            account = accounts[address]
            left = after.get_account(address)
            if account is None and left is None:
                post[to_hex(address)] = {"codeHash": _word(0)}  # as go-ethereum has it of an account that isn't there
                continue
            is_gone = left is None
            changed = None if is_gone else self._changed(account, left, before, after, address, slots)
            if changed is None and not is_gone:
                continue
            if not is_empty(account) or self.is_on("includeEmpty"):
                kept = {  # of what is gone all that was looked at
                    slot
                    for slot in slots
                    if is_gone
                    or (
                        before.get_storage(address, slot)
                        and before.get_storage(address, slot) != after.get_storage(address, slot)
                    )
                }
                pre[to_hex(address)] = self._shown(before, address, account, kept)
            if changed is not None:
                post[to_hex(address)] = changed
        return {"pre": pre, "post": post}

    def _shown(self, state: State, address: bytes, account: Account | None, slots: set[int]) -> dict[str, Any]:
        shown: dict[str, Any] = {"balance": hex(account.balance if account is not None else 0)}
        if account is not None and account.nonce:
            shown["nonce"] = account.nonce
        if account is not None and account.code:
            if not self.is_on("disableCode"):
                shown["code"] = to_hex(account.code)
            shown["codeHash"] = to_hex(account.code_hash)
        if slots and not self.is_on("disableStorage"):
            shown["storage"] = {_word(slot): _word(state.get_storage(address, slot)) for slot in sorted(slots)}
        return shown

    def _changed(
        self,
        account: Account | None,
        left: Account | None,
        before: State,
        after: State,
        address: bytes,
        slots: set[int],
    ) -> dict[str, Any] | None:
        old, new = account or Account(), left or Account()
        changed: dict[str, Any] = {}
        if old.balance != new.balance:
            changed["balance"] = hex(new.balance)
        if old.nonce != new.nonce:
            changed["nonce"] = new.nonce
        if old.code != new.code:
            if not self.is_on("disableCode"):
                changed["code"] = to_hex(new.code)
            changed["codeHash"] = to_hex(new.code_hash)
        storage: dict[str, str] = {}
        is_changed = bool(changed)
        for slot in sorted(slots):
            value = after.get_storage(address, slot)
            if value != before.get_storage(address, slot):
                is_changed = True
                if value:
                    storage[_word(slot)] = _word(value)
        if storage and not self.is_on("disableStorage"):
            changed["storage"] = storage
        return changed if is_changed else None

    def touched(self, execution: Execution) -> dict[bytes, set[int]]:
        """Accounts that were looked at, each with its slots."""
        trace = self.trace
        calls, stacks = trace.calls, trace.stacks()
        touched: dict[bytes, set[int]] = {}
        # Delegations are made by the transaction's authorizations, before its first call, and stay.
        before, after = execution.before, execution.after

        def look(address: bytes) -> None:
            touched.setdefault(address, set())

        look(execution.transaction.sender)
        for row, call in enumerate(calls):
            name = OPCODE_NAMES[int(call["op"])]
            if name in _CREATIONS:
                look(call["address"].tobytes())
            elif row == 0:
                look(call["address"].tobytes())
                self._look_behind(call["address"].tobytes(), before, look)
        look(execution.header.coinbase)
        for authority in _authorities(execution):
            look(authority)
        slot_ops = {OPCODE_NUMBERS[name] for name in _SLOTS}
        for place, step in enumerate(trace.steps):
            op = int(step["op"])
            if int(step["status"]) in _FAILED_BEFORE or op not in _LOOKING:
                continue
            items = stacks[place]
            if op in slot_ops:
                if items:
                    address = calls[int(step["call"])]["address"].tobytes()
                    look(address)
                    touched[address].add(items[-1])
            else:
                depth = _ACCOUNTS[OPCODE_NAMES[op]]
                if len(items) >= depth:
                    address = (items[-depth] % (1 << 160)).to_bytes(20, "big")
                    look(address)
                    if depth == 2:
                        self._look_behind(address, after, look)
        return touched

    @staticmethod
    def _look_behind(address: bytes, state: State, look: Any) -> None:
        target = delegation_target(state.get_code(address))
        if target is not None:
            look(target)


def delegation_target(code: bytes) -> bytes | None:
    """The account whose code a delegation (EIP-7702) runs; None of a code that is none."""
    return code[3:] if len(code) == 23 and code.startswith(b"\xef\x01\x00") else None


def is_empty(account: Account | None) -> bool:
    """Whether there was nothing, as go-ethereum's tracer sees it: storage doesn't count."""
    return account is None or not (account.balance or account.nonce or account.code)


def _authorities(execution: Execution) -> list[bytes]:
    """Who signed the transaction's authorizations (EIP-7702)."""
    from .. import rlp
    from .._core import keccak256, run_precompile

    found = []
    for chain_id, address, nonce, parity, r, s in execution.transaction.authorization_list:
        if parity > 1:
            continue
        message = keccak256(b"\x05" + rlp.encode([rlp.number(chain_id), address, rlp.number(nonce)]))
        words = b"".join(number.to_bytes(32, "big") for number in (27 + parity, r, s))
        try:
            signer = run_precompile(1, message + words)
        except EvmError:
            continue
        if signer:
            found.append(signer[12:])
    return found


def _word(number: int) -> str:
    return f"0x{number:064x}"
