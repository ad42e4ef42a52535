"""Fuzz the decoders with libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer. Needs clang.

    python -m tests.fuzz --seconds 60

Starts from sound transactions of each type and a block. An input that finds something stays in the folder it prints.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    "tests/fuzz/decode.cpp",
    *(
        str(path.relative_to(ROOT))
        for folder in ("base", "math")
        for path in sorted((ROOT / "pyx/core" / folder).glob("*.cpp"))
    ),
    "pyx/core/crypto/keccak.cpp",
]
FLAGS = ["-std=c++20", "-O1", "-g", "-Ipyx", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]


def write_corpus(folder: Path) -> None:
    """Sound inputs to change, so that the fuzzer needn't find RLP by itself."""
    from evmcore import Block, Header, Transaction, Withdrawal

    blob, to = b"\x01" * 32, b"\x02" * 20
    signed = {"to": to, "r": 5, "s": 7, "y_parity": 1}
    transactions = [
        Transaction(**signed, gas_price=9),
        Transaction(**signed, gas_price=9, chain_id=1, data=b"data"),
        Transaction(**signed, type=1, access_list=[(to, [1, 2]), (to, [])]),
        Transaction(**signed, type=2, max_fee_per_gas=9),
        Transaction(**signed, type=3, max_fee_per_gas=9, max_fee_per_blob_gas=2, blob_versioned_hashes=[blob]),
        Transaction(**signed, type=4, max_fee_per_gas=9, authorization_list=[(1, to, 2, 0, 5, 6)]),
    ]
    newest = Header(
        base_fee_per_gas=7, withdrawals_root=bytes(32), blob_gas_used=0, excess_blob_gas=0,
        parent_beacon_block_root=bytes(32), requests_hash=bytes(32),
    )  # fmt: skip
    block = Block(newest, transactions, (Header(),), (Withdrawal(1, 2, to, 3),))
    for number, raw in enumerate(
        [*(tx.encode() for tx in transactions), Header().encode(), newest.encode(), block.encode()]
    ):
        (folder / f"sound-{number}").write_bytes(raw)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60, help="how long to look (default 60)")
    parser.add_argument("--seed", type=int, default=0, help="libFuzzer's seed; 0: a random one")
    options = parser.parse_args()
    if shutil.which("clang++") is None:
        print("fuzzing needs clang++ with libFuzzer", file=sys.stderr)
        return 2
    folder = ROOT / "build" / "fuzz"
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    write_corpus(corpus)
    program = folder / "decode"
    subprocess.run(["clang++", *FLAGS, *SOURCES, "-o", str(program)], cwd=ROOT, check=True)
    print(f"inputs that find something: {folder}", flush=True)
    limits = [f"-max_total_time={options.seconds}", f"-seed={options.seed}", "-max_len=4096", "-timeout=10"]
    return subprocess.run(
        [str(program), *limits, f"-artifact_prefix={folder}/", str(corpus)], cwd=ROOT, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
