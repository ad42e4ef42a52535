"""Makes the example block: `python -m evmcore.example.generate [FILE]`.

A block of Osaka's time on a chain of its own (chain id 1337, so that nothing signed here means anything elsewhere): plain
transfers, token transfers, swaps on one pair, a counter, a creation, calls that fail, an access list, a blob carrier and a
delegation. The whole state is in the file, so that its root is checked too. The same file comes out every time.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from .. import Block, Header, State, Transaction, Withdrawal, execute_block, keccak256, ordered_trie_root
from ..assembler import init_code
from ..files import write_file
from ..fixtures import BLOCK_FORMAT
from ..hexadecimal import to_hex, to_quantity_hex
from . import EXAMPLE_FILE
from .contracts import APPROVE, COUNTER, HISTORY, NOTHING, PAIR, ROOTS, TOKEN, TRANSFER, call_data

CHAIN_ID = 1337
FORK = "Osaka"
NUMBER = 1_000_000
ACCOUNTS = 24
GWEI = 10**9
ETHER = 10**18
BASE_FEE = 7 * GWEI


def _address(name: str) -> bytes:
    return keccak256(f"evmcore example {name}".encode())[12:]


FIRST_TOKEN, SECOND_TOKEN, PAIR_ADDRESS, COUNTER_ADDRESS = map(
    _address, ("first token", "second token", "pair", "counter")
)
SYSTEM_CONTRACTS = {
    "0000f90827f1c53a10cb7a02335b175320002935": HISTORY,
    "000f3df6d732807ef1319fb7b8bb8522d0beac02": ROOTS,
    "00000961ef480eb55e80d19ad83579a64c007002": NOTHING,
    "0000bbddc7ce488642fb579f8b00f3a590007251": NOTHING,
}


class Person:
    """An account with a key: anyone can compute the keys, so nothing of worth may ever lie on these accounts."""

    def __init__(self, index: int) -> None:
        self.key = keccak256(f"evmcore example key {index}".encode())
        self.address = Transaction(chain_id=CHAIN_ID).sign(self.key).sender
        self.nonce = 0

    def sign(self, **fields: Any) -> Transaction:
        """The next transaction of this account."""
        if "gas_price" not in fields:
            fields = {"max_fee_per_gas": 3 * BASE_FEE, "max_priority_fee_per_gas": GWEI, **fields}
        transaction = Transaction(nonce=self.nonce, chain_id=CHAIN_ID, **fields).sign(self.key)
        self.nonce += 1
        return transaction


def _balance_slot(owner: bytes) -> int:
    return int.from_bytes(keccak256(owner.rjust(32, b"\0") + bytes(32)), "big")


def pre_state(people: list[Person]) -> State:
    """Everything there is before the block."""
    accounts: dict[bytes, dict[str, Any]] = {person.address: {"balance": 100 * ETHER} for person in people}
    tokens = {_balance_slot(person.address): 1_000_000 for person in people}
    tokens[_balance_slot(PAIR_ADDRESS)] = 50_000_000
    for token in (FIRST_TOKEN, SECOND_TOKEN):
        accounts[token] = {"nonce": 1, "code": TOKEN, "storage": tokens}
    accounts[PAIR_ADDRESS] = {
        "nonce": 1,
        "code": PAIR,
        "storage": {
            0: 50_000_000,
            1: 50_000_000,
            2: int.from_bytes(FIRST_TOKEN, "big"),
            3: int.from_bytes(SECOND_TOKEN, "big"),
        },
    }
    accounts[COUNTER_ADDRESS] = {"nonce": 1, "code": COUNTER, "storage": {0: 41}}
    for address, code in SYSTEM_CONTRACTS.items():
        accounts[bytes.fromhex(address)] = {"nonce": 1, "code": code}
    return State(accounts)


def transactions(people: list[Person]) -> Iterator[Transaction]:
    """What happens, in order."""
    # Plain transfers, to others and to accounts that were not there before.
    for index, person in enumerate(people):
        yield person.sign(
            type=0, to=people[(index + 7) % len(people)].address, value=index * GWEI, gas_price=2 * BASE_FEE
        )
        yield person.sign(to=_address(f"stranger {index % 5}"), value=ETHER // (index + 1))
    # Token transfers: those within one token share no slot unless they share a person.
    for index, person in enumerate(people):
        token = (FIRST_TOKEN, SECOND_TOKEN)[index % 2]
        to = people[(index * 5 + 1) % len(people)].address
        yield person.sign(to=token, data=call_data(TRANSFER, to, 1000 + index), gas_limit=100_000)
    # Swaps: each depends on the one before, through the reserves.
    for index, person in enumerate(people[:8]):
        token = (FIRST_TOKEN, SECOND_TOKEN)[index % 2]
        yield person.sign(to=token, data=call_data(APPROVE, PAIR_ADDRESS, 40_000), gas_limit=100_000)
        slots = (_balance_slot(person.address), _balance_slot(PAIR_ADDRESS))
        yield person.sign(
            type=1,
            to=PAIR_ADDRESS,
            data=call_data(None, 10_000 + index, index % 2),
            gas_limit=300_000,
            gas_price=2 * BASE_FEE,
            access_list=[(FIRST_TOKEN, slots), (SECOND_TOKEN, slots)],
        )
    # A counter that all want, a second one made in the block, and two calls that fail: too little token, too little gas.
    for person in people[:6]:
        yield person.sign(to=COUNTER_ADDRESS, gas_limit=60_000)
    yield people[0].sign(to=None, data=init_code(COUNTER, "PUSH 99 PUSH 0 SSTORE"), gas_limit=200_000)
    yield people[1].sign(to=FIRST_TOKEN, data=call_data(TRANSFER, people[2].address, 1 << 200), gas_limit=100_000)
    yield people[2].sign(to=COUNTER_ADDRESS, gas_limit=22_000)
    # A blob carrier, and an account that becomes a counter itself.
    yield people[3].sign(
        type=3,
        to=people[4].address,
        max_fee_per_blob_gas=GWEI,
        blob_versioned_hashes=[b"\x01" + keccak256(b"a blob")[1:], b"\x01" + keccak256(b"another")[1:]],
    )
    yield people[5].sign(
        type=4,
        to=people[6].address,
        gas_limit=200_000,
        authorization_list=[_authorization(people[6], COUNTER_ADDRESS)],
    )


def _authorization(person: Person, code_address: bytes) -> tuple[int, bytes, int, int, int, int]:
    """The account's word that it wants that code (EIP-7702)."""
    from .. import rlp
    from .._core import sign_hash

    fields = rlp.encode([rlp.number(CHAIN_ID), code_address, rlp.number(person.nonce)])
    r, s, y_parity = sign_hash(keccak256(b"\x05" + fields), person.key)
    return CHAIN_ID, code_address, person.nonce, y_parity, r, s


def make_block() -> Block:
    """The block, its header filled in with what its execution gives."""
    people = [Person(index) for index in range(ACCOUNTS)]
    state = pre_state(people)
    parent_hash = keccak256(b"evmcore example parent")
    header = Header(
        fork=FORK,
        chain_id=CHAIN_ID,
        parent_hash=parent_hash,
        coinbase=_address("beneficiary"),
        number=NUMBER,
        gas_limit=30_000_000,
        timestamp=1_800_000_000,
        extra_data=b"evmcore example",
        mix_hash=keccak256(b"evmcore example randao"),
        base_fee_per_gas=BASE_FEE,
        blob_gas_used=0,
        excess_blob_gas=0,
        parent_beacon_block_root=keccak256(b"evmcore example beacon root"),
        block_hashes={NUMBER - 1: parent_hash},
    )
    withdrawals = tuple(Withdrawal(index, 100 + index, people[index].address, 17_000_000 + index) for index in range(4))
    block = Block(header, tuple(transactions(people)), withdrawals=withdrawals, pre_state=state)
    result = execute_block(block, state.copy(), workers=1)
    return block.with_header(
        gas_used=result.gas_used,
        blob_gas_used=result.blob_gas_used,
        logs_bloom=result.logs_bloom,
        receipts_root=result.receipts_root,
        transactions_root=result.transactions_root,
        withdrawals_root=ordered_trie_root([withdrawal.encode() for withdrawal in withdrawals]),
        requests_hash=result.requests_hash,
        state_root=result.state_root,
    )


def _transaction_json(transaction: Transaction) -> dict[str, Any]:
    """The members that a reader needs, and a few for people."""
    return {
        "type": to_quantity_hex(transaction.type),
        "hash": to_hex(transaction.hash),
        "from": to_hex(transaction.sender),
        "to": None if transaction.to is None else to_hex(transaction.to),
        "nonce": to_quantity_hex(transaction.nonce),
        "gas": to_quantity_hex(transaction.gas_limit),
        "value": to_quantity_hex(transaction.value),
        "input": to_hex(transaction.data),
        "raw": to_hex(transaction.raw),
    }


def block_json(block: Block) -> dict[str, Any]:
    """The block as a file of the format has it."""
    assert block.pre_state is not None
    header = block.header
    return {
        "format": BLOCK_FORMAT,
        "source": "evmcore.example.generate",
        "chainId": header.chain_id,
        "number": header.number,
        "fork": header.fork,
        "rules": header.fork,
        "header": header.to_json(),
        "ommerHashes": [],
        "withdrawals": [
            {
                "index": to_quantity_hex(withdrawal.index),
                "validatorIndex": to_quantity_hex(withdrawal.validator_index),
                "address": to_hex(withdrawal.address),
                "amount": to_quantity_hex(withdrawal.amount_gwei),
            }
            for withdrawal in block.withdrawals or ()
        ],
        "blockHashes": {str(number): to_hex(hash_) for number, hash_ in header.block_hashes.items()},
        "transactions": [_transaction_json(transaction) for transaction in block.transactions],
        "preStateComplete": True,
        "preState": _state_json(block.pre_state),
        "expected": {
            "gasUsed": to_quantity_hex(header.gas_used),
            "receiptsRoot": to_hex(header.receipts_root),
            "logsBloom": to_hex(header.logs_bloom),
            "stateRoot": to_hex(header.state_root),
        },
    }


def _state_json(state: State) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for address, account in state.items():
        members[to_hex(address)] = member = {
            "balance": to_quantity_hex(account.balance),
            "nonce": account.nonce,
            "storage": {to_quantity_hex(slot): to_quantity_hex(value) for slot, value in account.storage.items()},
        }
        if account.code:
            member |= {"codeHash": to_hex(account.code_hash), "code": to_hex(account.code)}
    return members


def main(argv: list[str]) -> None:
    """Write the file; its name may be given."""
    path = Path(argv[0]) if argv else EXAMPLE_FILE
    text = orjson.dumps(block_json(make_block()), option=orjson.OPT_INDENT_2)
    write_file(path, gzip.compress(text, mtime=0))
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
