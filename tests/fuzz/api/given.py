"""Files that are sound, to be changed; and commands run in this process.

Self-contained: what a failing program uses of this file is printed with it.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import random
import tempfile
from pathlib import Path

from evmcore import __main__ as command_line

from .hostile import Stop

ONE, TWO, TO = "0x" + "11" * 20, "0x" + "22" * 20, "0x" + "33" * 20
STATE_TEST = {
    "x": {
        "env": {
            "currentCoinbase": TWO, "currentGasLimit": "0x07270e00", "currentNumber": "0x01", "currentTimestamp": "0x03e8",
            "currentDifficulty": "0x00", "currentRandom": "0x00", "currentBaseFee": "0x07", "currentExcessBlobGas": "0x00",
        },
        "pre": {
            ONE: {"nonce": "0x00", "balance": "0x3635c9adc5dea00000", "code": "0x", "storage": {}},
            TO: {"nonce": "0x01", "balance": "0x00", "code": "0x60015400", "storage": {"0x01": "0x05"}},
        },
        "transaction": {
            "nonce": "0x00", "gasPrice": "0x0a", "gasLimit": ["0x01e974", "0x0186a0"], "to": TO, "value": ["0x00", "0x01"],
            "data": ["0x", "0x00"], "accessLists": [[{"address": TO, "storageKeys": ["0x" + "00" * 32]}], []], "sender": ONE,
        },
        "post": {"Cancun": [{"hash": "0x" + "00" * 32, "logs": "0x" + "00" * 32, "indexes": {"data": 0, "gas": 0, "value": 0}}]},
    }
}  # fmt: skip
BLOCK_FILE = {
    "format": "mainnet-block/1", "number": "0x1", "fork": "London", "chainId": "0x1", "preStateComplete": True,
    "header": {
        "parentHash": "0x" + "00" * 32, "sha3Uncles": "0x" + "00" * 32, "miner": TWO, "stateRoot": "0x" + "00" * 32,
        "transactionsRoot": "0x" + "00" * 32, "receiptsRoot": "0x" + "00" * 32, "logsBloom": "0x" + "00" * 256,
        "difficulty": "0x1", "number": "0x1", "gasLimit": "0x1c9c380", "gasUsed": "0x0", "timestamp": "0x1", "extraData": "0x",
        "mixHash": "0x" + "00" * 32, "nonce": "0x" + "00" * 8, "baseFeePerGas": "0x7",
    },
    "transactions": [], "ommers": [], "withdrawals": None, "blockHashes": {"0": "0x" + "00" * 32},
    "preState": {ONE: {"balance": "0x5", "nonce": "0x1", "code": "0x60", "storage": {"0x1": "0x2"}}},
    "expected": {"gasUsed": "0x0", "stateRoot": "0x" + "00" * 32},
}  # fmt: skip
ODD = (
    None, [], {}, "", "0x", "0x0", "0xzz", "-1", "0x-1", -1, 0, 1, 10**6, 2**63, 1.5, True, "0x" + "ff" * 33, "0x" + "ff" * 32, [None],
    {"": None}, "\ud800", "x" * 300, "0x:bigint 0x1", "0x" + "11" * 20, [[]], "0x1_0", " 0x1", "٣",
)  # fmt: skip


def altered(data, seed):
    """Bytes of which a few are others, or gone, or there twice."""
    chance = random.Random(seed)
    data = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(data) + 1)
        piece = data[at : at + chance.choice((1, 1, 8, 32))]
        data[at : at + len(piece)] = chance.choice(
            (b"", piece * 2, bytes(len(piece)), chance.randbytes(len(piece)), bytes([255]) * len(piece))
        )
    return bytes(data)


def altered_items(items, seed):
    """Some bytes of which one is altered, gone, there twice or elsewhere."""
    chance = random.Random(seed)
    items = list(items)
    if items:
        at = chance.randrange(len(items))
        one = items.pop(at)
        items[at:at] = chance.choice(([], [one, one], [altered(one, seed)], [b""]))
        if chance.random() < 0.3:
            chance.shuffle(items)
    return items


def changed(value, seed, times=1):
    """A JSON value with something odd in some places, or without what was there, or with it twice."""
    chance = random.Random(seed)
    value = copy.deepcopy(value)
    for _ in range(times):
        places = []

        def visit(at, places=places):
            for key in list(at) if isinstance(at, dict) else range(len(at)):
                places.append((at, key))
                if isinstance(at[key], (dict, list)):
                    visit(at[key])

        visit(value)
        if not places:
            break
        at, key = chance.choice(places)
        way = chance.randrange(6)
        if way == 0:
            del at[key]
        elif way == 1 and isinstance(at[key], list):
            at[key] = at[key][:-1] if at[key] else [None]
        elif way == 2 and isinstance(at, dict):
            at[chance.choice(("", "0x1", "0xzz", "x"))] = at.pop(key)
        else:
            at[key] = copy.deepcopy(chance.choice(ODD))
    return value


def in_file(content):
    """The path of a file with this in it: bytes, or JSON. None: a folder with nothing in it; an ellipsis: nothing there."""
    folder = Path(tempfile.gettempdir()) / f"evmcore-fuzz-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    if content is None:
        (folder / "empty").mkdir(exist_ok=True)
        return str(folder / "empty")
    path = folder / f"{random.randrange(4)}.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode("utf-8", "surrogatepass"))
    return str(path)


def closed_file():
    """A file that was closed."""
    file = io.StringIO()
    file.close()
    return file


def command(arguments, content, output=None):
    """Run a command on such a file, in place of each `...`: it ends with a status that it documents, whatever it is given."""
    path = in_file(content)
    given = [path if argument is ... else argument for argument in arguments]
    complaints = io.StringIO()
    with contextlib.redirect_stdout(output or io.StringIO()), contextlib.redirect_stderr(complaints):
        try:
            status = command_line.main(given)
        except SystemExit as error:
            status = error.code
        except (Stop, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise AssertionError(f"evmcore {given[0]} shows a traceback: {type(error).__name__}: {error}") from error
    assert status in (0, 1, 2, 130), f"evmcore {given[0]} ends with {status}"
    if status == 1 and isinstance(content, bytes) and b"{" not in content and given[0] not in ("run", "import"):
        raise AssertionError(
            f"evmcore {given[0]} says mismatch of what is no file of its kind: {complaints.getvalue()[:200]}"
        )
