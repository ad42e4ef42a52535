"""Runs a case on evmcore: the block of all transactions that may be included, and each of the others where it stands."""

from __future__ import annotations

from evmcore import Block, Header, InvalidBlock, InvalidTransaction, State, Transaction, Withdrawal, execute_block
from evmcore._core import fork_rules

from .case import Case, Ran, Report


def make_state(case: Case) -> State:
    return State(
        {
            address: {"balance": balance, "nonce": nonce, "code": code, "storage": storage}
            for address, (balance, nonce, code, storage) in case.accounts.items()
        }
    )


def make_block(case: Case, transactions: list[bytes]) -> Block:
    rules = fork_rules(case.fork)
    return Block(
        case.header(rules),
        tuple(Transaction.decode(raw) for raw in transactions),
        ()
        if rules["is_proof_of_stake"]
        else tuple(Header(coinbase=coinbase, number=number) for coinbase, number in case.ommers),
        tuple(Withdrawal(*item) for item in case.withdrawals) if rules["has_withdrawals"] else None,
    )


def expect_untouched(state: State, root: bytes) -> None:
    assert state.root() == root, "a refused block changed the state"


def run(case: Case, *, workers: int = 1, strategy: str = "auto") -> Report:
    """The report of a case. Refused transactions are found one by one: the block is tried again without each."""
    state = make_state(case)
    included: list[int] = list(range(len(case.transactions)))
    outcomes: list[Ran | str] = ["never reached"] * len(case.transactions)
    root_before = state.root()
    while True:
        block_state = state.copy()
        try:
            decoded: list[bytes] = []
            for place in list(included):
                try:
                    Transaction.decode(case.transactions[place])
                except InvalidTransaction as error:
                    outcomes[place] = error.status
                    included.remove(place)
                else:
                    decoded.append(case.transactions[place])
            result = execute_block(make_block(case, decoded), block_state, workers=workers, strategy=strategy)
        except InvalidTransaction as error:
            expect_untouched(block_state, root_before)
            outcomes[included.pop(error.index)] = error.status
            continue
        except InvalidBlock:
            expect_untouched(block_state, root_before)
            return Report(outcomes, failure="InvalidBlock")
        break
    for place, receipt in zip(included, result.receipts):
        is_creation = Transaction.decode(case.transactions[place]).to is None
        outcomes[place] = Ran(
            receipt.gas_used, receipt.gas_refund, None if is_creation else receipt.output, receipt.encode()
        )
    return Report(
        outcomes,
        result.gas_used,
        result.blob_gas_used,
        result.receipts_root,
        result.requests or (),
        None,
        {
            address: (account.balance, account.nonce, account.code, dict(account.storage))
            for address, account in block_state.items()
        },
        result.state_root,
        result.access_list.hash if result.access_list is not None else b"",
    )
