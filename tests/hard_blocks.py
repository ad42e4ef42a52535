"""Blocks that are hard to run in parallel: a seed makes one of all the things that conflict, appear, vanish or fall short."""

from __future__ import annotations

import random
from collections.abc import Callable

from evmcore import NEWEST_FORK, Block, Header, State, Transaction, Withdrawal, assemble, keccak256, rlp
from evmcore._core import SYSTEM_ADDRESSES, fork_rules, sign_hash

COINBASE = bytes([0xCB]) * 20
ETHER = 10**18

# Adds 1 to slot 0.
COUNTER = assemble("PUSH 0 SLOAD PUSH 1 ADD PUSH 0 SSTORE STOP")
# transfer(to, amount): slot = address; takes from the caller's slot, gives to the other's; reverts when there is too little.
TOKEN = assemble("""
    PUSH 32 CALLDATALOAD CALLER SLOAD           ; amount balance
    DUP2 DUP2 LT PUSH @short JUMPI
    DUP2 SWAP1 SUB CALLER SSTORE                ; amount
    PUSH 0 CALLDATALOAD SLOAD ADD               ; new balance of the other
    PUSH 0 CALLDATALOAD SSTORE
    PUSH 32 PUSH 32 PUSH 0 CALLDATACOPY PUSH 32 PUSH 0 LOG0
    STOP
short:
    PUSH 0 PUSH 0 REVERT
""")
# swap(amount): two reserves whose product may not shrink, as an AMM keeps them.
POOL = assemble("""
    PUSH 0 SLOAD PUSH 1 SLOAD                   ; x y
    PUSH 0 CALLDATALOAD DUP3 ADD                ; x y x'
    SWAP1 DUP2 SWAP3 MUL DIV                    ; x' y'
    PUSH 1 SSTORE PUSH 0 SSTORE STOP
""")
# Stores the beneficiary's balance, and its own.
WATCHER = assemble("COINBASE BALANCE PUSH 0 SSTORE SELFBALANCE PUSH 1 SSTORE STOP")
# Sends what it has to the caller and is gone (until Cancun).
MORTAL = assemble("PUSH 7 PUSH 3 SSTORE CALLER SELFDESTRUCT")
# CREATE2 with salt 0 of a contract that stores 1 in slot 5 and has the code of MORTAL.
MORTAL_INIT = assemble(
    f"PUSH 1 PUSH 5 SSTORE PUSH {len(MORTAL)} PUSH 0x{MORTAL.hex()} PUSH 0 MSTORE PUSH {32 - len(MORTAL)} RETURN"
)
FACTORY = assemble(f"""
    PUSH {len(MORTAL_INIT) + 1} PUSH @init PUSH 0 CODECOPY
    PUSH 0 PUSH {len(MORTAL_INIT) + 1} PUSH 0 CALLVALUE CREATE2
    PUSH 0 SSTORE STOP
init:
    0x{MORTAL_INIT.hex()}
""")
# The label before it is a JUMPDEST, and part of what is copied.
CREATED_INIT = b"\x5b" + MORTAL_INIT
# Without input closes its shop for good; with any, makes an account by CREATE2 of nothing, unless it is closed.
MAKER = assemble("""
    CALLDATASIZE PUSH @make JUMPI PUSH 1 PUSH 0 SSTORE STOP
make:
    PUSH 0 SLOAD PUSH @closed JUMPI PUSH 0 PUSH 0 PUSH 0 PUSH 0 CREATE2
closed:
    STOP
""")
# CREATE2 with salt 0 of what its input says.
BUILDER = assemble("CALLDATASIZE PUSH 0 PUSH 0 CALLDATACOPY PUSH 0 CALLDATASIZE PUSH 0 PUSH 0 CREATE2 STOP")
# Takes what comes with a call; without value it is gone (until Cancun).
BOX = assemble("CALLVALUE PUSH @keep JUMPI CALLER SELFDESTRUCT keep: STOP")
BOX_HEAD = assemble(f"PUSH {len(BOX)} DUP1 PUSH 11 PUSH 0 CODECOPY PUSH 0 RETURN")
assert len(BOX_HEAD) == 11
BOX_INIT = BOX_HEAD + BOX
# Calls the address in its input with no value: a touch.
TOUCHER = assemble("PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 CALLDATALOAD GAS CALL PUSH 0 SSTORE STOP")
# Adds 1 to slot 0 as the counter does, but looks at many slots and takes its time between reading and writing.
SLOW = assemble("""
    PUSH 0 SLOAD PUSH 12                        ; x k
next:
    DUP1 SLOAD POP
    PUSH 100
spin:
    PUSH 1 SWAP1 SUB DUP1 PUSH @spin JUMPI POP
    PUSH 1 SWAP1 SUB DUP1 PUSH @next JUMPI POP
    PUSH 1 ADD PUSH 0 SSTORE STOP
""")
# pay(amount): from slot 1 to slot 0, or reverts when there is too little; of nothing, destroys itself.
TILL = assemble("""
    PUSH 0 CALLDATALOAD DUP1 ISZERO PUSH @die JUMPI
    PUSH 1 SLOAD                                ; left amount
    DUP2 DUP2 LT PUSH @short JUMPI
    DUP2 SWAP1 SUB PUSH 1 SSTORE                ; amount
    PUSH 0 SLOAD ADD PUSH 0 SSTORE STOP
short:
    PUSH 0 PUSH 0 REVERT
die:
    CALLER SELFDESTRUCT
""")
TILL_ADDRESS = bytes([0xBA]) * 20
# The till's code in its own storage, with 1 more paid whatever comes of it; then, for odd amounts, tells slot 0.
SHOP = assemble(f"""
    PUSH 1 PUSH 0 SLOAD ADD PUSH 0 SSTORE
    PUSH 32 PUSH 0 PUSH 0 CALLDATACOPY
    PUSH 0 PUSH 0 PUSH 32 PUSH 0 PUSH 0x{TILL_ADDRESS.hex()} GAS DELEGATECALL
    PUSH 1 SLOAD ADD PUSH 1 SSTORE
    PUSH 0 CALLDATALOAD PUSH 1 AND ISZERO PUSH @done JUMPI
    PUSH 0 SLOAD PUSH 0 MSTORE PUSH 32 PUSH 0 LOG0
done:
    STOP
""")
# Stores what EXTCODEHASH, EXTCODESIZE and BALANCE say of the address in its input.
INSPECTOR = assemble("""
    PUSH 0 CALLDATALOAD DUP1 DUP1 EXTCODESIZE PUSH 0 SSTORE BALANCE PUSH 1 SSTORE
    PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 DUP6 GAS CALL PUSH 2 SSTORE STOP
""")

NAMES = [
    "counter",
    "token",
    "pool",
    "pool2",
    "watcher",
    "factory",
    "toucher",
    "inspector",
    "mortal",
    "slow",
    "till",
    "shop",
    "maker",
    "maker2",
    "builder",
]
CONTRACTS = {name: bytes([0xB0 + i]) * 20 for i, name in enumerate(NAMES)}
assert CONTRACTS["till"] == TILL_ADDRESS
CODES = {
    "counter": COUNTER,
    "token": TOKEN,
    "pool": POOL,
    "pool2": POOL,
    "watcher": WATCHER,
    "factory": FACTORY,
    "toucher": TOUCHER,
    "inspector": INSPECTOR,
    "mortal": MORTAL,
    "slow": SLOW,
    "till": TILL,
    "shop": SHOP,
    "maker": MAKER,
    "maker2": MAKER,
    "builder": BUILDER,
}


def word(value: int | bytes) -> bytes:
    return value.rjust(32, b"\0") if isinstance(value, bytes) else value.to_bytes(32, "big")


def create2_address(creator: bytes, salt: int, init: bytes) -> bytes:
    return keccak256(b"\xff" + creator + word(salt) + keccak256(init))[12:]


def key_of(number: int) -> bytes:
    return word(number + 1)


def address_of(number: int) -> bytes:
    return Transaction(to=bytes(20), chain_id=1).sign(key_of(number)).sender


def authorization(number: int, target: bytes, nonce: int, chain_id: int = 1) -> tuple:
    message = keccak256(b"\x05" + rlp.encode_list([rlp.number(chain_id), rlp.encode(target), rlp.number(nonce)]))
    r, s, y_parity = sign_hash(message, key_of(number))
    return (chain_id, target, nonce, y_parity, r, s)


class HardBlock:
    """Grows one block and the state before it, transaction by transaction."""

    def __init__(self, seed: int, fork: str, size: int, senders: int = 6, flaw: str | None = None):
        self.random = random.Random(seed)
        self.fork = fork
        self.state = State()
        self.size = size
        self.flaw = flaw
        self.has_base_fee = fork.lower() not in (
            "homestead",
            "spuriousdragon",
            "byzantium",
            "petersburg",
            "istanbul",
            "berlin",
        )
        self.base_fee = 7 if self.has_base_fee else None
        self.senders = [address_of(i) for i in range(senders)]
        self.nonces = dict.fromkeys(self.senders, 0)
        self.nonces[COINBASE] = 0
        for address in self.senders:
            self.state.set_balance(address, 10 * ETHER)
        self.state.set_balance(COINBASE, ETHER)
        for name, address in CONTRACTS.items():
            self.state.set_code(address, CODES[name])
            self.state.set_nonce(address, 1)
        for address in (*self.senders, COINBASE):
            self.state.set_storage(CONTRACTS["token"], int.from_bytes(address, "big"), 1000)
        for pool in ("pool", "pool2"):
            self.state.set_storage(CONTRACTS[pool], 0, 10**9)
            self.state.set_storage(CONTRACTS[pool], 1, 10**9)
        for till in ("till", "shop"):
            self.state.set_storage(CONTRACTS[till], 0, self.random.choice((0, 1, 50)))
            self.state.set_storage(CONTRACTS[till], 1, self.random.choice((40, 1000)))
        self.mortal = create2_address(CONTRACTS["factory"], 0, CREATED_INIT)
        self.made = [create2_address(CONTRACTS[maker], 0, b"") for maker in ("maker", "maker2")]
        self.box = create2_address(CONTRACTS["builder"], 0, BOX_INIT)
        if self.random.random() < 0.7:
            self.state.set_code(self.box, BOX)
            self.state.set_nonce(self.box, 1)
        self.theme = self.random.choice((self.count, self.count, self.make, None, None))
        self.poor = bytes([0x99]) * 20
        self.transactions: list[Transaction] = []

    def send(self, sender: bytes, **fields) -> None:
        nonce = self.nonces.setdefault(sender, 0)
        self.nonces[sender] = nonce + 1
        fields.setdefault("gas_limit", 200_000)
        if "authorization_list" in fields:
            fields.setdefault("max_fee_per_gas", 10)
            fields.setdefault("max_priority_fee_per_gas", 1)
        else:
            fields.setdefault("gas_price", self.random.choice((7, 8, 20)))
        self.transactions.append(Transaction(nonce=nonce, sender=sender, **fields))

    def step(self) -> None:
        r = self.random
        sender = r.choice(self.senders)
        other = r.choice([*self.senders, COINBASE, self.poor, bytes([r.randrange(1, 30)]) * 20])
        choices: list[Callable[[], None]] = [
            lambda: self.send(sender, to=other, value=r.choice((0, 1, 10**15)), gas_limit=60_000),
            lambda: self.send(self.senders[0], to=other, value=1, gas_limit=60_000),
            lambda: self.send(COINBASE, to=other, value=r.choice((0, 10**12)), gas_limit=60_000),
            lambda: self.send(sender, to=COINBASE, value=5, gas_limit=60_000),
            lambda: self.send(sender, to=CONTRACTS["counter"]),
            lambda: self.send(sender, to=CONTRACTS["slow"]),
            lambda: self.count(sender),
            lambda: self.make(sender),
            lambda: self.make(sender),
            lambda: self.send(sender, to=CONTRACTS["token"], data=word(other) + word(r.choice((1, 300, 2000)))),
            lambda: self.send(sender, to=CONTRACTS["token"], data=word(r.choice(self.senders)) + word(900)),
            lambda: self.send(sender, to=CONTRACTS[r.choice(("pool", "pool2"))], data=word(r.randrange(1, 10**6))),
            lambda: self.send(sender, to=CONTRACTS["watcher"], value=r.choice((0, 3))),
            lambda: self.send(sender, to=CONTRACTS["factory"], value=r.choice((0, 9)), gas_limit=400_000),
            lambda: self.send(sender, to=self.mortal, value=r.choice((0, 4))),
            lambda: self.send(sender, to=CONTRACTS["mortal"], value=r.choice((0, 4))),
            lambda: self.send(
                sender, to=CONTRACTS["toucher"], data=word(r.choice((other, bytes([0] * 19 + [r.randrange(1, 9)]))))
            ),
            lambda: self.send(
                sender, to=CONTRACTS["inspector"], data=word(r.choice((other, self.mortal, *self.senders)))
            ),
            lambda: self.send(sender, to=None, data=MORTAL_INIT, value=r.choice((0, 2)), gas_limit=300_000),
            lambda: self.send(sender, to=CONTRACTS["counter"], gas_limit=30_000),  # runs out of gas
        ]
        if 4 in fork_rules(self.fork)["transaction_types"]:
            authority = r.randrange(len(self.senders))
            target = r.choice((CONTRACTS["counter"], CONTRACTS["watcher"], CONTRACTS["till"], bytes(20)))
            nonce = self.nonces[self.senders[authority]]

            def delegate() -> None:
                own = self.senders[authority] == sender
                self.send(
                    sender,
                    to=r.choice((other, self.senders[authority])),
                    gas_limit=300_000,
                    authorization_list=(authorization(authority, target, nonce + own),),
                )
                # The authority's own transactions go on behind the delegation.
                self.nonces[self.senders[authority]] += 1

            choices += [delegate, delegate]
        if self.theme is not None and r.random() < 0.7:
            self.theme(sender)
        else:
            r.choice(choices)()

    def count(self, sender: bytes) -> None:
        """What counts slots up and down, mostly under guards."""
        r = self.random
        till = CONTRACTS[r.choice(("till", "shop"))]
        choices: list[Callable[[], None]] = [
            lambda: self.send(sender, to=CONTRACTS["counter"]),
            lambda: self.send(
                sender, to=CONTRACTS["token"], data=word(r.choice(self.senders)) + word(r.choice((1, 300)))
            ),
            lambda: self.send(sender, to=till, data=word(r.choice((*range(1, 21), 0))), gas_limit=90_000),
            lambda: self.send(sender, to=CONTRACTS["shop"], data=word(2 * r.randrange(1, 10))),
        ]
        r.choice(choices)()

    def make(self, sender: bytes) -> None:
        """What makes accounts, or not any more, destroys and pays them."""
        r = self.random
        maker = r.randrange(2)
        choices: list[Callable[[], None]] = [
            lambda: self.send(sender, to=CONTRACTS[("maker", "maker2")[maker]], data=r.choice((b"", b"", b"\1"))),
            lambda: self.send(sender, to=CONTRACTS[("maker", "maker2")[maker]], data=b"\1"),
            lambda: self.send(sender, to=self.made[maker], value=r.choice((0, 5)), gas_limit=60_000),
            lambda: self.send(sender, to=CONTRACTS["builder"], data=BOX_INIT, gas_limit=300_000),
            lambda: self.send(sender, to=self.box, value=r.choice((0, 0, 5)), gas_limit=60_000),
        ]
        r.choice(choices)()

    def add_flaw(self) -> None:
        """One transaction that may not be included, or nearly so."""
        sender = self.senders[1]
        if self.flaw == "nonce":
            self.nonces[sender] += 1
            self.send(sender, to=self.poor)
        elif self.flaw == "exactly enough":
            rich = bytes([0x77]) * 20
            self.state.set_balance(rich, 21_000 * 20 + 5)
            self.send(rich, to=self.poor, value=5, gas_limit=21_000, gas_price=20)
        elif self.flaw == "one wei short":
            rich = bytes([0x77]) * 20
            self.state.set_balance(rich, 21_000 * 20 + 4)
            self.send(rich, to=self.poor, value=5, gas_limit=21_000, gas_price=20)
        elif self.flaw == "funded in the block":
            rich = bytes([0x77]) * 20
            self.send(sender, to=rich, value=21_000 * 20 + 5, gas_limit=21_000)
            self.send(rich, to=self.poor, value=5, gas_limit=21_000, gas_price=20)
        elif self.flaw == "gas limit":
            self.send(sender, to=self.poor, gas_limit=29_900_000)

    def block(self) -> Block:
        flaw_at = self.random.randrange(self.size) if self.flaw else -1
        while len(self.transactions) < self.size:
            if len(self.transactions) >= flaw_at and self.flaw and flaw_at >= 0:
                self.add_flaw()
                flaw_at = -1
            self.step()
        is_new = fork_rules(self.fork)["has_withdrawals"]
        header = Header(
            number=1000,
            timestamp=1_700_000_000,
            coinbase=COINBASE,
            gas_limit=30_000_000,
            fork=self.fork,
            base_fee_per_gas=self.base_fee,
            excess_blob_gas=0 if is_new else None,
            parent_beacon_block_root=bytes(32) if is_new else None,
        )
        withdrawals = (Withdrawal(0, 0, self.senders[0], 5), Withdrawal(1, 1, self.poor, 0)) if is_new else None
        if fork_rules(self.fork)["has_requests"]:
            for name in ("withdrawal", "consolidation", "builder_deposit", "builder_exit"):
                contract = SYSTEM_ADDRESSES[f"{name}_contract"]
                self.state.set_code(contract, b"\x00")  # no requests
                self.state.set_nonce(contract, 1)
        return Block(
            header=header,
            transactions=tuple(self.transactions),
            withdrawals=withdrawals,
            pre_state=self.state,
            is_pre_state_complete=False,
        )


FORKS = (
    "SpuriousDragon",
    "Homestead",
    "Byzantium",
    "Istanbul",
    "Berlin",
    "London",
    "Shanghai",
    "Cancun",
    "Prague",
    NEWEST_FORK,
    "Amsterdam",
)
FLAWS = (None, None, None, "nonce", "exactly enough", "one wei short", "funded in the block", "gas limit")


def hard_block(seed: int, size: int = 12, fork: str | None = None, flaw: str | None = "any") -> Block:
    """The block of a seed; fork and flaw come from the seed unless they are given."""
    pick = random.Random(seed * 7919 + 1)
    return HardBlock(seed, fork or pick.choice(FORKS), size, flaw=pick.choice(FLAWS) if flaw == "any" else flaw).block()
