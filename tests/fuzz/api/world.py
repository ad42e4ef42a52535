"""The little world of a fuzzed program: three senders, contracts of a few sorts, and blocks of transactions at them.

Self-contained: what a failing program uses of this file is printed with it.
"""

from __future__ import annotations

from evmcore import Block, Header, State, Transaction, Withdrawal, assemble, keccak256

A, B, C, D = (bytes([0x11 * n]) * 20 for n in (1, 2, 3, 4))
# Init code that leaves a code of its own for each number.
DEPLOY = "PUSH32 {} PUSH 1 MSTORE PUSH2 4000 PUSH 0 RETURN"
TEXTS = {
    "count": "PUSH 1 PUSH 0 SLOAD ADD PUSH 0 SSTORE",
    "fill": "PUSH 40 again: NUMBER DUP2 SSTORE PUSH 1 SWAP1 SUB DUP1 PUSH @again JUMPI",
    "scan": "PUSH 0 again: DUP1 SLOAD POP PUSH 1 ADD DUP1 PUSH2 400 GT PUSH @again JUMPI",
    "log": "PUSH 7 PUSH 32 PUSH 0 LOG1 PUSH 0 PUSH 0 LOG0",
    "revert": "PUSH 9 PUSH 1 SSTORE PUSH 0 PUSH 0 REVERT",
    "die": "PUSH20 0x" + "44" * 20 + " SELFDESTRUCT",
    "make": "PUSH32 0x63600160005560005260046000f3 PUSH 0 MSTORE PUSH 32 PUSH 0 PUSH 1 CREATE POP",
    "pay": "PUSH 0 PUSH 0 PUSH 0 PUSH 0 CALLVALUE PUSH20 0x" + "44" * 20 + " GAS CALL POP",
    "hash": "PUSH 64 PUSH 0 KECCAK256 PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN",
    "recur": "PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 ADDRESS GAS CALL POP PUSH 3 SLOAD PUSH 1 ADD PUSH 3 SSTORE",
    "transient": "PUSH 1 PUSH 2 TSTORE PUSH 2 TLOAD PUSH 4 SSTORE",
    "pairing": "PUSH 32 PUSH 0 PUSH 0 PUSH 0 PUSH 8 GAS STATICCALL PUSH 5 SSTORE",
    # These take all the gas that there is.
    "spin": "again: PUSH @again JUMP",
    "hog": "PUSH 0 again: PUSH 1 DUP2 SSTORE PUSH 1 ADD PUSH @again JUMP",
    "logs": "again: PUSH2 4096 PUSH 0 LOG0 PUSH @again JUMP",
    "tstore": "PUSH 0 again: PUSH 1 DUP2 TSTORE PUSH 1 ADD PUSH @again JUMP",
    "sloads": "PUSH 0 again: DUP1 SLOAD POP PUSH 1 ADD PUSH @again JUMP",
    "return": "PUSH4 0x04000000 PUSH 0 RETURN",
    "deploys": "PUSH4 0x01000000 PUSH 0 PUSH 0 CREATE",
}
CODES = {name: assemble(text) for name, text in TEXTS.items()}
AT = {name: bytes([0xC0, n]) * 10 for n, name in enumerate(CODES)}
# As a program sees an account: balance, code size, code hash and slot 1, each at the address in the data.
LOOK = assemble(
    "PUSH 0 CALLDATALOAD DUP1 BALANCE PUSH 0 MSTORE DUP1 EXTCODESIZE PUSH 32 MSTORE EXTCODEHASH PUSH 64 MSTORE"
    " PUSH 96 PUSH 0 RETURN"
)


def accounts():
    """The accounts that a world begins with."""
    given = {
        AT[name]: {"balance": 5, "nonce": 1, "code": code, "storage": {0: 1, 1: 2}} for name, code in CODES.items()
    }
    given.update({address: {"balance": 10**30} for address in (A, B, C)})
    return given


def header(**changes):
    """A header of block 1; the newest fork's fields are set, older forks don't look at them."""
    fields = {"number": 1, "gas_limit": 10**9, "base_fee_per_gas": 7, "excess_blob_gas": 0, "fork": "Cancun"}
    return Header(**{**fields, **changes})


def transaction(kind, nonce=0, sender=A, gas=200_000, **changes):
    """A payment to D, a deployment, or a call of one of the contracts."""
    fields = {"sender": sender, "nonce": nonce, "gas_limit": gas, "gas_price": 10}
    if kind == "deploy":
        fields.update(data=assemble(DEPLOY.format(hex(nonce + 1))), gas_limit=2_000_000)
    elif kind == "send":
        fields.update(to=D, value=1)
    else:
        fields.update(to=AT[kind], value=1 if kind == "pay" else 0)
    return Transaction(**{**fields, **changes})


def block(*kinds, first=0, gas=200_000, withdrawals=0, **changes):
    """A block of such transactions, from A, B and C in turn, whose nonces begin at `first`."""
    count = {A: first, B: first, C: first}
    made = []
    for index, kind in enumerate(kinds):
        sender = (A, B, C)[index % 3]
        made.append(transaction(kind, count[sender], sender, gas))
        count[sender] += 1
    paid = tuple(Withdrawal(n, n, D, n) for n in range(withdrawals))
    return Block(header(**changes), tuple(made), (), paid)


def created_by(sender, nonce=0):
    """The address of what a sender creates first (the Yellow Paper's equation 88, nonce 0)."""
    assert nonce == 0
    return keccak256(b"\xd6\x94" + sender + b"\x80")[12:]


def many(count, slots=0):
    """A state of so many accounts of so many slots each."""
    return State(
        {n.to_bytes(20, "big"): {"balance": n, "storage": dict.fromkeys(range(slots), 1)} for n in range(1, count)}
    )
