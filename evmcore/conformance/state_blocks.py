"""State tests as blocks: what one transaction does, and what several of a test do in a row, is the same with any strategy.

Each case alone is a block, held against the case's logs, rejection and, where a block does nothing else to the state, its
root. Then the cases of a test and fork together are blocks of up to 16 transactions, of three senders. Every block runs
sequentially, and with 2 and 4 workers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .. import rlp
from .._core import (
    SYSTEM_ADDRESSES,
    BlockAccessList,
    BlockResult,
    State,
    Transaction,
    execute_block,
    fork_index,
    fork_rules,
    keccak256,
)
from ..block import Block
from ..errors import DecodeError, EvmError, InvalidAccessList, InvalidBlock, InvalidTransaction, UnusableInput
from ..header import Header
from ..hexadecimal import data
from ..statistics import Strategy
from .discovery import EVERYTHING, Selection, load_tests
from .objects import header_of, sender_of, state_of, transaction_of
from .results import CaseResult
from .state_tests import config_of

__all__ = ["run_file"]

WORKERS = (2, 4)
_BLOCK_SIZE = 16
# A test with fewer cases repeats them: that many transactions make conflicts worth the name.
_FEWEST_TRANSACTIONS = 4
_MAX_GAS_LIMIT = (1 << 63) - 1
# Enough for any of the tests' gas prices and values, and far from 2^256.
_FUNDS_WEI = 1 << 200
# The contracts that a block calls in the end, from Prague on or Amsterdam: a STOP in their place asks for nothing (EIP-7002, 7251, 8282).
_SYSTEM_CONTRACTS = tuple(
    SYSTEM_ADDRESSES[f"{name}_contract"] for name in ("withdrawal", "consolidation", "builder_deposit", "builder_exit")
)
_OTHER_SENDERS = (b"\xe1" * 20, b"\xe2" * 20)


def run_file(path: str, selection: Selection = EVERYTHING, strategy: Strategy = "auto") -> list[CaseResult]:
    """All cases of a file that are wanted, as blocks. Raises UnusableInput."""
    results: list[CaseResult] = []
    for name, test in load_tests(path, "state").items():
        if not selection.wants(name):
            continue
        for fork, cases in test["post"].items():
            if not selection.wants_in(name, fork) or selection.reason_to_skip(path, fork) is not None:
                continue
            try:
                number = fork_index(fork)
            except ValueError:
                continue
            wanted = [i for i in range(len(cases)) if selection.index is None or selection.index == i]
            try:
                errors = _Test(test, fork, number, strategy).run(cases, wanted)
            except (KeyError, TypeError, IndexError, AttributeError) as error:
                raise UnusableInput(f"{path}: {name}: {type(error).__name__}: {error}") from None
            results += [CaseResult(name, fork, i, errors[i] is None, None, errors[i], path) for i in wanted]
    return results


class _Test:
    """One test under one fork."""

    def __init__(self, test: dict[str, Any], fork: str, number: int, strategy: Strategy) -> None:
        self.fields = test["transaction"]
        self.sender = data(self.fields.get("sender") or sender_of(self.fields["secretKey"]), "sender", 20)
        self.strategy = strategy
        self.rules = fork_rules(number)
        self.header = header_of(test["env"], number, *config_of(test, fork))
        self.state = state_of(test["pre"])
        if self.rules["has_requests"]:
            for address in _SYSTEM_CONTRACTS:
                if not self.state.get_code(address):
                    self.state.set_code(address, b"\x00")
        # No reward, no request: the block leaves what its transaction leaves.
        self.is_root_comparable = self.rules["is_proof_of_stake"] and not self.rules["has_requests"]

    def run(self, cases: list[dict[str, Any]], wanted: list[int]) -> dict[int, str | None]:
        """Case -> what was wrong with it."""
        errors: dict[int, str | None] = {}
        accepted = []
        for index in wanted:
            errors[index] = self.run_alone(cases[index])
            if errors[index] is None and "expectException" not in cases[index]:
                accepted.append(index)
        self.run_together(cases, accepted, errors)
        return errors

    def run_alone(self, case: dict[str, Any]) -> str | None:
        """One case as a block of its own."""
        try:
            transaction = transaction_of(self.fields, case)
        except (DecodeError, UnusableInput, ValueError):
            return None if "expectException" in case else "the transaction can't be decoded"
        result, error = self.compare(self.header, (transaction,), self.state)
        if error is not None:
            return error
        if isinstance(result, str):
            return None if "expectException" in case else f"rejected: {result}"
        if "expectException" in case:
            return f"accepted, wants {case['expectException']}"
        logs: rlp.Item = [[log.address, list[rlp.Item](log.topics), log.data] for log in result.receipts[0].logs]
        if keccak256(rlp.encode(logs)).hex() != case["logs"][2:]:
            return f"logs hash differs from {case['logs']}"
        if self.is_root_comparable and result.state_root.hex() != case["hash"][2:]:
            return f"state root 0x{result.state_root.hex()}, wants {case['hash']}"
        return None

    def run_together(self, cases: list[dict[str, Any]], indexes: list[int], errors: dict[int, str | None]) -> None:
        """The accepted cases as blocks of several transactions."""
        for begin in range(0, len(indexes), _BLOCK_SIZE):
            chunk = indexes[begin : begin + _BLOCK_SIZE]
            row = chunk * -(-_FEWEST_TRANSACTIONS // len(chunk))
            state = self.state.copy()
            senders = [self.sender, *_OTHER_SENDERS]
            for sender in senders:
                state.set_balance(sender, max(state.get_balance(sender), _FUNDS_WEI))
            transactions = []
            for place, index in enumerate(row):
                sender = senders[place % len(senders)]
                nonce = state.get_nonce(sender) + place // len(senders)
                transactions.append(transaction_of(self.fields, cases[index], sender=sender, nonce=nonce))
            gas_limit = min(_MAX_GAS_LIMIT, max(self.header.gas_limit, sum(tx.gas_limit for tx in transactions)))
            header = replace(self.header, gas_limit=gas_limit)
            _, error = self.compare(header, tuple(transactions), state)
            if error is not None:
                for index in chunk:
                    errors[index] = f"in a block of {len(row)}: {error}"

    def compare(
        self, header: Header, transactions: tuple[Transaction, ...], state: State
    ) -> tuple[BlockResult | str, str | None]:
        """The sequential result, or the status of its rejection; and how the others differ from it."""
        expected = self.execute(header, transactions, state, 1, "sequential")
        if self.strategy == "listed" and not self.has_list(header, expected):
            return expected, None
        for workers in WORKERS:
            listed = expected.access_list if self.strategy == "listed" and isinstance(expected, BlockResult) else None
            found = self.execute(header, transactions, state, workers, self.strategy, listed)
            if isinstance(expected, str) or isinstance(found, str):
                difference = "" if expected == found else f"{found} in place of {expected}"
            else:
                difference = ", ".join(expected.differences(found))
            if difference:
                return expected, f"{self.strategy} with {workers} workers differs: {difference}"
        return expected, None

    @staticmethod
    def has_list(header: Header, expected: BlockResult | str) -> bool:
        """Whether the block has a list to be executed with: not one that is refused, or that touches more than its gas limit allows."""
        if isinstance(expected, str) or expected.access_list is None:
            return False
        try:
            expected.access_list.check(header, len(expected.receipts))
        except InvalidAccessList:
            return False
        return True

    def execute(
        self,
        header: Header,
        transactions: tuple[Transaction, ...],
        state: State,
        workers: int,
        strategy: Strategy,
        listed: BlockAccessList | None = None,
    ) -> BlockResult | str:
        withdrawals = () if self.rules["has_withdrawals"] else None
        block = Block(header, transactions, withdrawals=withdrawals, access_list=listed)
        try:
            return execute_block(
                block, state.copy(), workers=workers, strategy=strategy, access_list=self.strategy == "listed"
            )
        except (InvalidTransaction, InvalidBlock) as error:
            return f"{error.status} at {error.index}"
        except EvmError as error:
            return f"{type(error).__name__}: {error}"
