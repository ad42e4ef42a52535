"""go-ethereum's own cases of its tracers: a transaction on a state, and what callTracer, flatCallTracer and prestateTracer say of it.

Optional: they come with its source, of which `go install github.com/ethereum/go-ethereum/cmd/evm@v1.17.10` leaves a copy among Go's modules;
else EVMCORE_GETH_SOURCE names the folder.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from differential import geth

from evmcore import Header, State, Transaction
from evmcore._core import fork_rules
from evmcore.dev.tracing import LET_IN
from evmcore.traces import trace_transaction

FOLDERS = {
    "call_tracer": "callTracer",
    "call_tracer_withLog": "callTracer",
    "call_tracer_flat": "flatCallTracer",
    "prestate_tracer": "prestateTracer",
    "prestate_tracer_with_diff_mode": "prestateTracer",
}
# Of a block that isn't there, as go-ethereum's harness has it.
PLACE = ("blockHash", "blockNumber", "transactionHash", "transactionPosition")


def source() -> Path | None:
    """The folder of the cases."""
    modules = Path(os.environ.get("GOPATH") or Path.home() / "go") / "pkg" / "mod"
    given = os.environ.get("EVMCORE_GETH_SOURCE") or modules / f"github.com/ethereum/go-ethereum@{geth.VERSION}"
    folder = Path(given) / "eth" / "tracers" / "internal" / "tracetest" / "testdata"
    return folder if folder.is_dir() else None


FOLDER = source()
CASES = [] if FOLDER is None else sorted(path for name in FOLDERS for path in (FOLDER / name).glob("*.json"))


def number(value) -> int:
    return int(value, 0) if isinstance(value, str) else int(value or 0)


# Not in the order in which evmcore wants a chain's forks: some of these configurations leave forks out.
FORKS = {
    "homestead": "Homestead", "eip150": "TangerineWhistle", "eip158": "SpuriousDragon", "byzantium": "Byzantium",
    "constantinople": "Constantinople", "petersburg": "Petersburg", "istanbul": "Istanbul", "berlin": "Berlin", "london": "London",
    "shanghai": "Shanghai", "cancun": "Cancun", "prague": "Prague", "osaka": "Osaka",
}  # fmt: skip


def fork_of(config: dict, height: int, timestamp: int) -> str:
    """The newest fork that has begun. Names come in any case."""
    config = {name.lower(): value for name, value in config.items()}
    fork = "Frontier"
    for name, one in FORKS.items():
        block, time = config.get(f"{name}block"), config.get(f"{name}time")
        if (block is not None and number(block) <= height) or (time is not None and number(time) <= timestamp):
            fork = one
    return fork


def executed(case: dict, tracer: str):
    """What evmcore says of a case."""
    genesis, context = case["genesis"], case["context"]
    height, timestamp = number(context["number"]), number(context["timestamp"])
    fork = fork_of(genesis["config"], height, timestamp)
    later = {}
    if genesis.get("excessBlobGas") is not None:
        later["excess_blob_gas"] = number(genesis["excessBlobGas"])
    fee = number(context.get("baseFeePerGas") or genesis.get("baseFeePerGas") or 0)
    header = Header(
        number=height,
        timestamp=timestamp,
        difficulty=number(context["difficulty"]),
        gas_limit=number(context["gasLimit"]),
        coinbase=bytes.fromhex(context["miner"][2:]),
        base_fee_per_gas=fee if fork_rules(fork)["has_base_fee"] else None,
        fork=fork,
        chain_id=number(genesis["config"]["chainId"]),
        **later,
    )
    state = State(
        {
            address: {
                "balance": number(account.get("balance")),
                "nonce": number(account.get("nonce")),
                "code": account.get("code") or "0x",
                "storage": {number(slot): number(value) for slot, value in (account.get("storage") or {}).items()},
            }
            for address, account in genesis["alloc"].items()
        }
    )
    raw = bytes.fromhex(case["input"].removeprefix("0x"))
    return trace_transaction(
        Transaction.decode(raw), state, header, tracer=tracer, config=case.get("tracerConfig"), checks=LET_IN
    )[0]


def plain(value, drops=()):
    """Without the place in a chain and what says nothing, with addresses in one case."""
    if isinstance(value, dict):
        found = {
            (name.lower() if name[:2] == "0x" else name): plain(one, drops)
            for name, one in value.items()
            if name not in PLACE
        }
        if "topics" in found:
            found.setdefault("index", "0x0")
        return {name: one for name, one in found.items() if one not in drops}
    if isinstance(value, list):
        return [plain(one, drops) for one in value]
    return value.lower() if isinstance(value, str) and value[:2] == "0x" else value


# A creation before Homestead that can't pay for its code succeeds without it; go-ethereum shows what would have been the code.
SHOWN_OTHERWISE = {"call_tracer_withLog/frontier_create_outofstorage": ("output",)}


@pytest.mark.skipif(not CASES, reason=f"no source of go-ethereum {geth.VERSION} among Go's modules")
@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_tracer_says_what_go_ethereum_wants_of_it(path):
    case = json.loads(path.read_text())
    tracer = FOLDERS[path.parent.name]
    # In the flat list go-ethereum reads what isn't there as zeros.
    drops = (None, {}, "0x", "0x0", "0x" + "00" * 20) if tracer == "flatCallTracer" else ()
    found, wanted = plain(executed(case, tracer), drops), plain(case["result"], drops)
    for name in SHOWN_OTHERWISE.get(f"{path.parent.name}/{path.stem}", ()):
        assert found.pop(name, None) != wanted.pop(name)
    assert found == wanted
