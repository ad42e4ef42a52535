"""Runs a case on go-ethereum's `evm t8n`, which is an engine of its own, and compares: for forks that the specification's package lacks.

    go install github.com/ethereum/go-ethereum/cmd/evm@v1.17.10
    python -m tests.differential --engine geth --fork Amsterdam --minutes 10

`EVMCORE_GETH` names the program; else `evm` is looked for on the path. Only one that knows Amsterdam will do.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from typing import Any

from evmcore import Transaction, rlp
from evmcore._core import fork_rules

from . import subject
from .case import Case, Ran, Report
from .scenarios import DEPOSITS

FORKS = ("Osaka", "Amsterdam")
VERSION = "v1.17.10"


@cache
def program() -> str | None:
    """The path of `evm`; None: there is none, or none that knows Amsterdam."""
    found = os.environ.get("EVMCORE_GETH") or shutil.which("evm")
    if found is None or shutil.which(found) is None:
        return None
    said = subprocess.run([found, "t8n", "--help"], capture_output=True, text=True, check=False)
    return found if "Amsterdam" in said.stdout else None


def _hex(value: int) -> str:
    return hex(value)


def _data(value: bytes) -> str:
    return "0x" + value.hex()


def given(case: Case, transactions: list[bytes]) -> dict[str, Any]:
    """A case as t8n reads it from its standard input."""
    rules = fork_rules(case.fork)
    env = {
        "currentCoinbase": _data(case.coinbase),
        "currentDifficulty": "0x0",
        "currentRandom": _data(case.prev_randao),
        "currentNumber": _hex(case.number),
        "currentTimestamp": _hex(case.timestamp),
        "currentGasLimit": _hex(case.gas_limit),
        "currentBaseFee": _hex(case.base_fee),
        "currentExcessBlobGas": _hex(case.excess_blob_gas),
        "parentBeaconBlockRoot": _data(case.beacon_root),
        "blockHashes": {str(number): _data(value) for number, value in case.block_hashes().items()},
        "withdrawals": [
            {"index": _hex(index), "validatorIndex": _hex(validator), "address": _data(to), "amount": _hex(gwei)}
            for index, validator, to, gwei in case.withdrawals
        ],
    }
    if rules["has_slot_number"]:
        env["slotNumber"] = _hex(case.slot_number)
    alloc = {
        _data(address): {
            "balance": _hex(balance),
            "nonce": _hex(nonce),
            "code": _data(code),
            "storage": {
                _data(slot.to_bytes(32, "big")): _data(value.to_bytes(32, "big")) for slot, value in storage.items()
            },
        }
        for address, (balance, nonce, code, storage) in case.accounts.items()
    }
    # In a list of RLP a typed transaction is a string, an old one a list.
    body = rlp.encode_list(tuple(raw if raw[0] >= 0xC0 else rlp.encode(raw) for raw in transactions))
    return {"alloc": alloc, "env": env, "txsRlp": _data(body)}


def run(case: Case) -> Report:
    """The report of a case, as far as t8n gives one: its outcomes are gas of receipts and reasons. All transactions decode."""
    command = [
        program() or "evm", "t8n", "--input.alloc=stdin", "--input.env=stdin", "--input.txs=stdin", "--output.result=stdout",
        "--output.alloc=", "--state.chainid=1", "--state.reward=-1", f"--state.fork={case.fork}",
    ]  # fmt: skip
    done = subprocess.run(
        command, input=json.dumps(given(case, case.transactions)), capture_output=True, text=True, check=False
    )
    if done.returncode:
        return Report([], failure=done.stderr.strip())
    result = json.loads(done.stdout)["result"]
    refused = {int(str(each["index"]), 0): each["error"] for each in result.get("rejected") or ()}
    receipts = iter(result.get("receipts") or ())
    outcomes: list[Ran | str] = [
        refused[place] if place in refused else Ran(int(next(receipts)["gasUsed"], 16), 0, None, b"")
        for place in range(len(case.transactions))
    ]
    return Report(
        outcomes,
        int(result["gasUsed"], 16),
        int(result.get("blobGasUsed") or "0x0", 16),
        bytes.fromhex(result["receiptsRoot"][2:]),
        tuple(bytes.fromhex(each[2:]) for each in result.get("requests") or ()),
        None,
        {},
        bytes.fromhex(result["stateRoot"][2:]),
        bytes.fromhex((result.get("blockAccessListHash") or "0x")[2:]),
    )


def faults(case: Case, *, workers: int = 1) -> list[str]:
    """What evmcore does otherwise than go-ethereum, in words; empty if nothing."""
    sound = []
    for raw in case.transactions_that_decode():
        if Transaction.decode(raw).type in fork_rules(case.fork)["transaction_types"]:
            sound.append(raw)
    accounts = case.accounts
    if fork_rules(case.fork)["checks_deposit_layout"]:  # of which go-ethereum looks at the length alone
        accounts = {address: account for address, account in accounts.items() if address != DEPOSITS}
    case = replace(case, transactions=sound, accounts=accounts)
    want = run(case)
    found = []
    for have, who in [(subject.run(case), "evmcore")] + (
        [(subject.run(case, workers=workers, strategy="optimistic"), f"evmcore with {workers} workers")]
        if workers > 1
        else []
    ):
        found += [f"{who}: {text}" for text in differences(want, have)]
    return found


def differences(want: Report, have: Report) -> list[str]:
    """What differs between go-ethereum's report and ours."""
    if want.failure is not None or have.failure is not None:
        is_same = want.failure is not None and have.failure is not None
        return [] if is_same else [f"block: go-ethereum {want.failure}, evmcore {have.failure}"]
    found = []
    for index, (a, b) in enumerate(zip(want.outcomes, have.outcomes)):
        said = [each if isinstance(each, str) else each.gas_used for each in (a, b)]
        if isinstance(a, str) != isinstance(b, str) or (isinstance(a, Ran) and said[0] != said[1]):
            found.append(f"transaction {index}: go-ethereum {said[0]}, evmcore {said[1]}")
    names = ["gas_used", "blob_gas_used", "receipts_root", "requests", "state_root"]
    # What a refused transaction has looked at stays in its list.
    if not any(isinstance(each, str) for each in want.outcomes):
        names.append("access_list_hash")
    found += [
        f"{name}: go-ethereum {getattr(want, name)!r}, evmcore {getattr(have, name)!r}"
        for name in names
        if getattr(want, name) != getattr(have, name)
    ]
    return found
