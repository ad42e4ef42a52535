"""Blocks made for measuring: a gigagas of independent transfers, of token transfers in clusters, of swaps on many pairs; and
two that can't be parallel, all on one counter and all on one pair. The contracts are the example block's.

Transactions are unsigned and name their senders, so these blocks measure execution alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from evmcore import Block, Header, State, Transaction, assemble, keccak256, transact
from evmcore.example.contracts import COUNTER, PAIR, TOKEN, TRANSFER, call_data

FORK = "Cancun"
GIGAGAS = 10**9
ETHER = 10**18
SUPPLY = 10**12
CLUSTER_PEOPLE = 10
CLUSTER_TRANSFERS = 10  # of each of its people
PAIR_SWAPS = 10


def address(name: str, *numbers: int) -> bytes:
    return keccak256(f"evmcore bench {name} {numbers}".encode())[12:]


def _balance_slot(owner: bytes) -> int:
    return int.from_bytes(keccak256(owner.rjust(32, b"\0") + bytes(32)), "big")


def _allowance_slot(owner: bytes, spender: bytes) -> int:
    inner = keccak256(owner.rjust(32, b"\0") + (1).to_bytes(32, "big"))
    return int.from_bytes(keccak256(spender.rjust(32, b"\0") + inner), "big")


def _block(transactions: list[Transaction], accounts: dict[bytes, dict]) -> Block:
    header = Header(
        number=1,
        fork=FORK,
        coinbase=address("beneficiary"),
        timestamp=1_700_000_000,
        gas_limit=max(30_000_000, sum(tx.gas_limit for tx in transactions)),
        base_fee_per_gas=1,
        excess_blob_gas=0,
        parent_beacon_block_root=bytes(32),
    )
    return Block(header, tuple(transactions), withdrawals=(), pre_state=State(accounts))


def _sent(sender: bytes, nonce: int, to: bytes, gas_limit: int, **fields) -> Transaction:
    return Transaction(sender=sender, nonce=nonce, to=to, gas_limit=gas_limit, gas_price=2, **fields)


def transfers(gas: int = GIGAGAS) -> Block:
    """Every transaction has a sender and a recipient of its own."""
    count = gas // 21_000
    senders = [address("sender", index) for index in range(count)]
    recipients = [address("recipient", index) for index in range(count)]
    accounts: dict[bytes, dict] = {sender: {"balance": ETHER} for sender in senders}
    accounts |= {recipient: {"balance": 1} for recipient in recipients}
    return _block([_sent(one, 0, two, 21_000, value=1) for one, two in zip(senders, recipients)], accounts)


def _erc20(clusters: int) -> Block:
    picks = random.Random(1)
    accounts: dict[bytes, dict] = {}
    people = [[address("holder", cluster, index) for index in range(CLUSTER_PEOPLE)] for cluster in range(clusters)]
    tokens = [address("token", cluster) for cluster in range(clusters)]
    for token, holders in zip(tokens, people):
        accounts[token] = {"nonce": 1, "code": TOKEN, "storage": {_balance_slot(one): SUPPLY for one in holders}}
        accounts |= {holder: {"balance": ETHER} for holder in holders}
    transactions = [
        _sent(holder, nonce, token, 60_000, data=call_data(TRANSFER, picks.choice(holders), 1 + nonce))
        for nonce in range(CLUSTER_TRANSFERS)
        for index in range(CLUSTER_PEOPLE)
        for token, holders in zip(tokens, people)
        for holder in (holders[index],)
    ]
    return _block(transactions, accounts)


def erc20(gas: int = GIGAGAS) -> Block:
    """Tokens with ten holders each, who send each other what they have, ten times each."""
    return _erc20(_clusters(_erc20, gas, CLUSTER_PEOPLE * CLUSTER_TRANSFERS))


def _swaps(pairs: int, swaps_each: int = PAIR_SWAPS) -> Block:
    accounts: dict[bytes, dict] = {}
    trades: list[list[Transaction]] = []
    for index in range(pairs):
        pair, *tokens = (address(name, index) for name in ("pair", "first", "second"))
        traders = [address("trader", index, trader) for trader in range(swaps_each)]
        reserve = SUPPLY * 1000
        accounts[pair] = {
            "nonce": 1,
            "code": PAIR,
            "storage": {
                0: reserve,
                1: reserve,
                2: int.from_bytes(tokens[0], "big"),
                3: int.from_bytes(tokens[1], "big"),
            },
        }
        storage = {_balance_slot(pair): reserve}
        for trader in traders:
            accounts[trader] = {"balance": ETHER}
            storage |= {_balance_slot(trader): SUPPLY, _allowance_slot(trader, pair): 1 << 255}
        for token in tokens:
            accounts[token] = {"nonce": 1, "code": TOKEN, "storage": storage}
        trades.append(
            [
                _sent(trader, 0, pair, 300_000, data=call_data(None, 1000 + at, at % 2))
                for at, trader in enumerate(traders)
            ]
        )
    return _block([trade for turn in zip(*trades) for trade in turn], accounts)


def swaps(gas: int = GIGAGAS) -> Block:
    """Pairs of tokens with ten swaps each: within a pair each depends on the one before, through the reserves."""
    return _swaps(_clusters(_swaps, gas, PAIR_SWAPS))


def one_pair(count: int = 1000) -> Block:
    """All swap on one pair: no two transactions can run at a time."""
    return _swaps(1, count)


def one_counter(count: int = 3000) -> Block:
    """All count on one counter."""
    counter = address("counter")
    people = [address("counting", index) for index in range(count)]
    accounts: dict[bytes, dict] = {person: {"balance": ETHER} for person in people}
    accounts[counter] = {"nonce": 1, "code": COUNTER, "storage": {0: 1}}
    return _block([_sent(person, 0, counter, 60_000) for person in people], accounts)


def deposits(count: int = 3000) -> Block:
    """All send some of one token to one holder, as to an exchange: each changes the sum that the next one reads."""
    token, exchange = address("token"), address("exchange")
    people = [address("depositor", index) for index in range(count)]
    accounts: dict[bytes, dict] = {person: {"balance": ETHER} for person in people}
    storage = {_balance_slot(one): SUPPLY for one in (exchange, *people)}
    accounts[token] = {"nonce": 1, "code": TOKEN, "storage": storage}
    return _block(
        [
            _sent(person, 0, token, 60_000, data=call_data(TRANSFER, exchange, 1 + at))
            for at, person in enumerate(people)
        ],
        accounts,
    )


# mint(): slot 0 counts the tokens; owners are in mapping 1, by number, and how many each has in mapping 2, by owner.
MINT = assemble("""
    PUSH 0 SLOAD                                ; id
    DUP1 PUSH 1 ADD PUSH 0 SSTORE
    CALLER DUP2 PUSH 0 MSTORE PUSH 1 PUSH 32 MSTORE PUSH 64 PUSH 0 KECCAK256 SSTORE
    CALLER PUSH 0 MSTORE PUSH 2 PUSH 32 MSTORE PUSH 64 PUSH 0 KECCAK256      ; id slot
    DUP1 SLOAD PUSH 1 ADD SWAP1 SSTORE
    CALLER PUSH 0 PUSH 0 PUSH 0 LOG3 STOP
""")


def mint(count: int = 2000) -> Block:
    """All mint a token of one collection: each needs the number of the one before."""
    collection = address("collection")
    people = [address("minting", index) for index in range(count)]
    accounts: dict[bytes, dict] = {person: {"balance": ETHER} for person in people}
    accounts[collection] = {"nonce": 1, "code": MINT, "storage": {0: 1}}
    return _block([_sent(person, 0, collection, 150_000) for person in people], accounts)


def mixed(count: int = 2000) -> Block:
    """Half are token transfers that share nothing; a quarter are swaps on one pair, a quarter pays one holder of one token."""
    free = erc20_of_strangers(count // 2)
    pool, counted = one_pair(count // 4), deposits(count // 4)
    parts = [free.transactions[0::2], pool.transactions, free.transactions[1::2], counted.transactions]
    accounts = [dict(block.pre_state.items()) for block in (free, pool, counted)]  # type: ignore[union-attr]
    return _block([tx for turn in zip(*parts) for tx in turn], accounts[0] | accounts[1] | accounts[2])


def erc20_of_strangers(count: int) -> Block:
    """Transfers of one token between people who appear once each."""
    token = address("strangers' token")
    people = [(address("giver", index), address("taker", index)) for index in range(count)]
    accounts: dict[bytes, dict] = {one: {"balance": ETHER} for one, _ in people}
    storage = {_balance_slot(one): SUPPLY for pair in people for one in pair}
    accounts[token] = {"nonce": 1, "code": TOKEN, "storage": storage}
    return _block([_sent(one, 0, token, 60_000, data=call_data(TRANSFER, two, 7)) for one, two in people], accounts)


def _clusters(make: Callable[[int], Block], gas: int, each: int) -> int:
    """How many clusters of `each` transactions come to that much gas."""
    sample = make(1)
    assert sample.pre_state is not None
    state = sample.pre_state.copy()
    used = sum(transact(tx, state, sample.header).gas_used for tx in sample.transactions)
    assert len(sample.transactions) == each
    return max(1, gas // used)


GIGAGAS_BLOCKS: dict[str, tuple[str, Callable[[int], Block]]] = {
    "transfers": ("independent transfers", transfers),
    "erc20": ("token transfers, in clusters of ten holders", erc20),
    "swaps": ("swaps, ten on each pair", swaps),
}
CONTENDED_BLOCKS: dict[str, tuple[str, Callable[[], Block]]] = {
    "deposits": ("one hot token", deposits),
    "pair": ("one pool", one_pair),
    "mint": ("an NFT mint", mint),
    "counter": ("one counter", one_counter),
    "mixed": ("mixed", mixed),
}
DEPENDENT_BLOCKS: dict[str, tuple[str, Callable[[], Block]]] = {
    "counter": ("one counter", one_counter),
    "pair": ("one pair", one_pair),
}
