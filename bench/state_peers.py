"""The same work on tries and states of others, where they are installed (`pip install trie py-evm`): rows of bench/state.md.

py-trie's HexaryTrie and py-evm's AccountDB are Python; both keep their nodes in a dict here. Each does what evmcore does beside it.
"""

from __future__ import annotations

import importlib.util
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

from evmcore import State, keccak256, rlp

from .tables import duration

ACCOUNTS, CHANGES, PROOFS = 10_000, 100, 100
EMPTY_ROOT, EMPTY_CODE = keccak256(b"\x80"), keccak256(b"")
BALANCE = 10**18


def addresses() -> list[bytes]:
    return [keccak256(n.to_bytes(4, "big"))[12:] for n in range(ACCOUNTS)]


def seconds_of(run: Callable[[], Any]) -> float:
    began = time.thread_time()
    run()
    return time.thread_time() - began


def changed(known: list[bytes]) -> list[tuple[bytes, int]]:
    chance = random.Random(1)
    return [(address, chance.randrange(1, 2**60)) for address in chance.sample(known, CHANGES)]


# Each yields the seconds of a first root, of a root after changes, and (a trie) of a proof; then the root, to be compared.


def of_evmcore(known: list[bytes], balances: list[tuple[bytes, int]]) -> Iterator[float | bytes]:
    state = State()

    def put(balances: list[tuple[bytes, int]]) -> None:
        for address, balance in balances:
            state.set_balance(address, balance)
        state.root(workers=1)

    yield seconds_of(lambda: put([(address, BALANCE) for address in known]))
    yield seconds_of(lambda: put(balances))
    yield seconds_of(lambda: [state.prove(address) for address in known[:PROOFS]]) / PROOFS
    yield state.root()


def of_py_trie(known: list[bytes], balances: list[tuple[bytes, int]]) -> Iterator[float | bytes]:
    from trie import HexaryTrie  # type: ignore[import-not-found, unused-ignore]

    trie = HexaryTrie({}, prune=True)
    keys = {address: keccak256(address) for address in known}

    def put(balances: list[tuple[bytes, int]]) -> None:
        for address, balance in balances:
            trie[keys[address]] = rlp.encode([b"", rlp.number(balance), EMPTY_ROOT, EMPTY_CODE])

    yield seconds_of(lambda: put([(address, BALANCE) for address in known]))
    yield seconds_of(lambda: put(balances))
    yield seconds_of(lambda: [trie.get_proof(keys[address]) for address in known[:PROOFS]]) / PROOFS
    yield bytes(trie.root_hash)


def of_py_evm(known: list[bytes], balances: list[tuple[bytes, int]]) -> Iterator[float | bytes]:
    from eth.db.account import AccountDB  # type: ignore[import-not-found, unused-ignore]
    from eth.db.atomic import AtomicDB  # type: ignore[import-not-found, unused-ignore]

    state = AccountDB(AtomicDB(), EMPTY_ROOT)

    def put(balances: list[tuple[bytes, int]]) -> None:
        for address, balance in balances:
            state.set_balance(address, balance)
        state.make_state_root()
        state.persist()

    yield seconds_of(lambda: put([(address, BALANCE) for address in known]))
    yield seconds_of(lambda: put(balances))
    yield float("nan")
    yield bytes(state.make_state_root())


# What others have published of their own, on machines of their own: beside ours to see how far apart things are, and no more than that.
PUBLISHED = [
    ("published by others, on other machines", "figure", "machine", "source"),
    (
        "go-ethereum: hash of a trie of 10,000 new accounts that is built, one thread; several",
        "39.3 ms; 28.1 ms",
        "6 threads, else not named",
        "[go-ethereum#20488](https://github.com/ethereum/go-ethereum/pull/20488), 2019",
    ),
    (
        "go-ethereum: proof in a trie of about 200 keys; its verification",
        "3.41 µs; 1.73 µs",
        "Apple M4",
        "[go-ethereum#32705](https://github.com/ethereum/go-ethereum/pull/32705), 2025",
    ),
    (
        "reth: state root of the blocks 19443061 to 19443063, from its database, one thread",
        "251, 168, 78 ms",
        "not named",
        "[reth#7161](https://github.com/paradigmxyz/reth/pull/7161), 2024",
    ),
]

PEERS = {"py-trie": ("trie", of_py_trie), "py-evm": ("eth", of_py_evm)}


def rows() -> list[tuple[str, ...]]:
    """(what, evmcore, a peer each), with a head of its own; empty where no peer is installed."""
    known = addresses()
    installed = {name: run for name, (module, run) in PEERS.items() if importlib.util.find_spec(module) is not None}
    if not installed:
        return []
    balances = changed(known)
    found = {name: list(run(known, balances)) for name, run in {"evmcore": of_evmcore, **installed}.items()}
    roots = {name: figures.pop() for name, figures in found.items()}
    if len(set(roots.values())) != 1:
        raise SystemExit(f"the roots differ: {roots}")
    work = (
        f"{ACCOUNTS:,} accounts written, and the first root",
        f"{CHANGES} of them changed, and the root",
        "proof of an account",
    )
    head = (f"{ACCOUNTS:,} accounts", *found)
    return [head, *((name, *(shown(figures[place]) for figures in found.values())) for place, name in enumerate(work))]


def shown(seconds: Any) -> str:
    return "-" if seconds != seconds else duration(seconds)
