"""Random cases: a few accounts with code that know each other, and a block of transactions of every type at them."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

from evmcore import TRANSACTION_TYPES, Transaction, assemble, fork_includes, fork_index, keccak256
from evmcore._core import fork_rules, sign_hash

from .case import Case
from .programs import PRECOMPILE_NUMBERS, SHARED_INITS, program
from .specification import FORK_MODULES

FORKS = tuple(FORK_MODULES)
KEYS = [bytes([0] * 31 + [n]) for n in range(1, 7)]
# Most cases run where most rules meet; each fork has its share.
WEIGHTS = {
    "Prague": 4,
    "Osaka": 3,
    "BPO2": 4,
    "Cancun": 3,
    "London": 2,
    "Berlin": 2,
    "Frontier": 2,
    "Istanbul": 2,
    "Byzantium": 2,
}
TYPE_SINCE = {row.type: row.since for row in TRANSACTION_TYPES}

# System contracts of EIP-4788, 2935, 7002, 7251 and 8282. The last ones must be there from Prague on; short stand-ins return
# nothing, or a request now and then.
BEACON_ROOTS = bytes.fromhex("000f3df6d732807ef1319fb7b8bb8522d0beac02")
HISTORY = bytes.fromhex("0000f90827f1c53a10cb7a02335b175320002935")
WITHDRAWALS = bytes.fromhex("00000961ef480eb55e80d19ad83579a64c007002")
CONSOLIDATIONS = bytes.fromhex("0000bbddc7ce488642fb579f8b00f3a590007251")
BUILDERS = [
    bytes.fromhex("0000bff46984e3725691fa540a8c7589300d8282"),
    bytes.fromhex("000064d678505ad48f8ccb093bc65613800e8282"),
]
BEACON_ROOTS_CODE = bytes.fromhex(
    "3373fffffffffffffffffffffffffffffffffffffffe14604d57602036146024575f5ffd5b5f35801560495762001fff810690815414603c575f5ffd"
    "5b62001fff01545f5260205ff35b5f5ffd5b62001fff42064281555f359062001fff015500"
)
HISTORY_CODE = bytes.fromhex(
    "3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff81430311604257611fff9006545f"
    "5260205ff35b5f5ffd5b5f35611fff60014303065500"
)
# Logs its input as a deposit (EIP-6110).
DEPOSITS = bytes.fromhex("00000000219ab540356cbb839cbe05303d7705fa")
DEPOSIT_CODE = assemble(
    f"CALLDATASIZE PUSH1 0 PUSH1 0 CALLDATACOPY PUSH32 0x{keccak256(b'DepositEvent(bytes,bytes,bytes,bytes,bytes)').hex()} "
    "CALLDATASIZE PUSH1 0 LOG1 STOP"
)
# Nothing; a counter of blocks as the request; nothing but a log; a failure, which refuses the block.
REQUEST_CODES = [bytes.fromhex(code) for code in ("00", "6001545f526001548060010160015560205ff3", "5f5fa000")] * 10 + [
    bytes.fromhex("5f5ffd")
]


@cache
def address_of(key: bytes) -> bytes:
    """The address of a private key."""
    return Transaction(to=bytes(20), chain_id=1).sign(key).sender


def make_case(seed: int, fork: str | None = None) -> Case:
    """The case of a seed. Without a fork, the seed chooses that too."""
    random = Random(seed)
    chosen = random.choices(FORKS, [WEIGHTS.get(name, 1) for name in FORKS])[0]
    return Scenario(random, fork or chosen).make()


class Scenario:
    def __init__(self, random: Random, fork: str) -> None:
        self.random = random
        self.fork = fork
        self.index = fork_index(fork)
        self.rules = fork_rules(fork)
        self.senders = [address_of(key) for key in KEYS]
        self.contracts = [bytes([0xC0 + n]) * 20 for n in range(random.randint(1, 5))]
        self.strangers = [bytes([0xE0 + n]) * 20 for n in range(2)]  # not in the state
        self.coinbase = random.choice(
            [bytes([0xCB]) * 20, self.senders[0], self.contracts[0], self.strangers[0], bytes(19) + b"\x03"]
        )
        self.targets = [*self.contracts * 3, *self.senders[:3], *self.strangers, self.coinbase]
        self.nonces: dict[bytes, int] = {}
        self.inits = random.sample(SHARED_INITS, random.randrange(3))

    def make(self) -> Case:
        random = self.random
        case = Case(
            self.fork,
            number=random.choice([1, 5, 1000, 20_000_000]),
            gas_limit=random.choice([30_000_000, 30_000_000, 30_000_000, 1_500_000]),
            coinbase=self.coinbase,
            prev_randao=random.randbytes(32),
            base_fee=random.choice([0, 7, 1000]),
            excess_blob_gas=random.choice([0, 393_216, 60_000_000]),
            beacon_root=random.randbytes(32),
        )
        if self.rules["has_slot_number"]:
            case.slot_number = random.choice([0, 1, 20_000_000, 2**64 - 1])
        if self.rules["has_state_gas"] and random.random() < 0.8:
            case.gas_limit *= 4
        self.case = case
        self.fill_accounts(case)
        for _ in range(random.choice([1, 1, 2, 3, 5])):
            raw = self.transaction()
            case.transactions.append(raw)
        if self.rules["has_withdrawals"] and random.random() < 0.4:
            case.withdrawals = [
                (n, n + 5, random.choice(self.targets), random.choice([0, 1, 10**9]))
                for n in range(random.randrange(1, 4))
            ]
        if not self.rules["is_proof_of_stake"] and random.random() < 0.2:
            case.ommers = [
                (random.choice(self.targets), max(0, case.number - random.randint(1, min(6, case.number))))
                for _ in range(random.randint(1, 2))
            ]
        return case

    def fill_accounts(self, case: Case) -> None:
        random = self.random
        for address in self.senders:
            rich = random.random() < 0.93
            case.accounts[address] = (
                10**20 if rich else random.choice([0, 21_000 * 10, 10**6]),
                random.choice([0, 0, 1, 5]),
                b"",
                {},
            )
        for address in self.contracts:
            storage = {
                slot: random.choice([1, 2, 2**255]) for slot in (0, 1, 2, 5, 2**256 - 1) if random.random() < 0.4
            }
            code = program(random, self.index, self.targets, inits=self.inits)
            if self.rules["has_requests"] and random.random() < 0.15:
                code = b"\xef\x01\x00" + random.choice(self.targets)
            case.accounts[address] = (random.choice([0, 0, 1, 1000, 10**18]), 1, code, storage)
        is_delegated = random.random() < 0.1
        if is_delegated and self.rules["has_requests"]:
            balance, nonce, _, storage = case.accounts[self.senders[1]]
            target = random.choice([*self.targets, bytes(19) + b"\x01"])
            case.accounts[self.senders[1]] = (balance, nonce + 1, b"\xef\x01\x00" + target, storage)
        if random.random() < 0.06:  # a sender with code
            balance, nonce, code, storage = case.accounts[self.senders[2]]
            case.accounts[self.senders[2]] = (balance, nonce, code or b"\x00", storage)
        # Spurious Dragon found empty accounts and cleared them one by one; later forks have none (EIP-7523).
        may_be_empty = not self.rules["deletes_empty_accounts"] or self.fork == "SpuriousDragon"
        while may_be_empty and random.random() < 0.5:
            case.accounts[random.choice([*self.strangers, bytes(19) + b"\x03", bytes(19) + b"\x02"])] = (0, 0, b"", {})
        if random.random() < 0.05:
            number = random.choice(PRECOMPILE_NUMBERS)
            case.accounts[number.to_bytes(20, "big")] = (random.choice([1, 5]), 0, b"", {})
        if not may_be_empty:
            case.accounts = {
                a: account for a, account in case.accounts.items() if account[0] or account[1] or account[2]
            }
        self.add_system_contracts(case)
        self.nonces = {
            address: case.accounts[address][1] if address in case.accounts else 0 for address in self.senders
        }

    def add_system_contracts(self, case: Case) -> None:
        random = self.random
        if self.rules["has_beacon_root"] and random.random() < 0.7:
            case.accounts[BEACON_ROOTS] = (0, 1, BEACON_ROOTS_CODE, {})
            self.targets.append(BEACON_ROOTS)
        if self.rules["stores_parent_hash"] and random.random() < 0.7:
            case.accounts[HISTORY] = (0, 1, HISTORY_CODE, {})
        if self.rules["has_requests"]:
            if random.random() < 0.15:
                case.accounts[DEPOSITS] = (0, 1, DEPOSIT_CODE, {})
                self.targets.append(DEPOSITS)
                self.contracts.append(DEPOSITS)
            for address in (WITHDRAWALS, CONSOLIDATIONS, *(BUILDERS if self.rules["has_builder_requests"] else ())):
                # Of four contracts one fails more often than of two.
                are_sound = self.rules["has_builder_requests"] and random.random() < 0.8
                code = random.choice(REQUEST_CODES[:-1] if are_sound else REQUEST_CODES)
                if random.random() < 0.98:
                    case.accounts[address] = (0, 1, code, {})

    # ------------------------------------------------------------ transactions

    def transaction(self) -> bytes:
        random = self.random
        types = [
            number for number, since in TYPE_SINCE.items() if fork_includes(self.index, since) or random.random() < 0.01
        ]
        # A blob or set-code transaction every so often, else what programs need.
        type_ = random.choices(types, [{0: 3, 1: 1, 2: 2, 3: 1, 4: 3}[number] for number in types])[0]
        at = random.choices(range(len(KEYS)), [6, 2, 1, 1, 1, 1])[0]
        sender = self.senders[at]
        is_create = random.random() < 0.12 and (type_ < 3 or random.random() < 0.05)
        fields: dict[str, Any] = {
            "type": type_,
            "nonce": self.nonces[sender]
            + (random.choice([-1, 1]) if random.random() < 0.01 and self.nonces[sender] else 0),
            "gas_limit": random.choice(
                [200_000, 400_000, 600_000, 1_000_000, 100_000, random.randrange(40_000, 100_000)]
            ),
            "to": None if is_create else self.receiver(),
            "value": random.choice([0, 0, 0, 1, 10**9, 10**18]) if random.random() < 0.99 else 10**21,
            "data": self.input(is_create),
        }
        if self.rules["has_state_gas"]:  # which a reservoir has beyond the cap on execution gas
            fields["gas_limit"] = random.choice([fields["gas_limit"] * 3, 500_000, 2_000_000, 16_900_000, 17_500_000])
        base = self.case.base_fee if self.rules["has_base_fee"] else 0
        if type_ < 2:
            fields["gas_price"] = base + random.choice([0, 1, 10])
            if type_ == 0 and fork_includes(self.index, "SpuriousDragon") and random.random() < 0.5:
                fields["chain_id"] = 1 if random.random() < 0.99 else 2
        else:
            fields["max_fee_per_gas"] = base + random.choice([0, 1, 10])
            fields["max_priority_fee_per_gas"] = random.choice([0, 1, fields["max_fee_per_gas"]])
        if type_ >= 1 and random.random() < 0.6:
            fields["access_list"] = [
                (self.any_address(), [random.choice([0, 1, 2, 5]) for _ in range(random.randrange(3))])
                for _ in range(random.randrange(3))
            ]
        if type_ == 3:
            fields["max_fee_per_blob_gas"] = random.choice([1, 10**12])
            count = random.choice([1, 1, 2, 6]) if random.random() < 0.97 else random.choice([0, 7, 10])
            fields["blob_versioned_hashes"] = [
                (b"\x01" if random.random() < 0.995 else b"\x02") + random.randbytes(31) for _ in range(count)
            ]
        if type_ == 4:
            fields["authorization_list"] = self.authorizations()
        if random.random() < 0.01:
            fields["gas_limit"] = random.choice([0, 20_999, 21_000, 16_777_217, 40_000_000])
        tx = Transaction(**fields).sign(KEYS[at])
        if tx.nonce == self.nonces[sender]:
            self.nonces[sender] += 1
        raw = tx.encode()
        if random.random() < 0.005:
            place = random.randrange(len(raw) - 65, len(raw))
            raw = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        return raw

    def receiver(self) -> bytes:
        kind = self.random.random()
        if kind < 0.8:
            return self.random.choice(self.contracts)
        return self.any_address()

    def any_address(self) -> bytes:
        if self.random.random() < 0.15:
            return self.random.choice(PRECOMPILE_NUMBERS).to_bytes(20, "big")
        return self.random.choice(self.targets)

    def input(self, is_create: bool) -> bytes:
        from .programs import Writer

        random = self.random
        if is_create:
            code = Writer(random, self.index, self.targets, 1, self.inits).init_code()
            return code if random.random() < 0.99 else code.ljust(49_153, b"\0")
        if DEPOSITS in self.contracts and random.random() < 0.5:
            return deposit_event(random)
        return random.choice(
            [
                b"",
                b"\1",
                bytes(32),
                random.randbytes(random.randrange(100)),
                random.randbytes(random.choice([500, 1500])),
            ]
        )

    def authorizations(self) -> list[tuple[int, bytes, int, int, int, int]]:
        random = self.random
        made = []
        for _ in range(random.choice([1, 1, 2, 3]) if random.random() < 0.98 else 0):
            at = random.randrange(len(KEYS))
            authority = self.senders[at]
            chain = random.choice([0, 1, 1, 1]) if random.random() < 0.97 else 2
            to = random.choice([*self.targets, bytes(20), self.any_address()])
            nonce = self.nonces[authority] + random.choice([0, 0, 0, 1, 1, 2])
            made.append(sign_authorization(KEYS[at], chain, to, nonce))
            if random.random() < 0.03:
                chain, to, nonce, parity, r, s = made[-1]
                made[-1] = random.choice(
                    [
                        (chain, to, nonce, 1 - parity, r, s),
                        (chain, to, nonce, 2, r, s),
                        (chain, to, 2**64 - 1, parity, r, s),
                        (chain, to, nonce, 1 - parity, r, ORDER - s),
                    ]
                )
            elif nonce == self.nonces[authority]:
                self.nonces[authority] += 1
        return made


def deposit_event(random: Random) -> bytes:
    """A deposit's log as the contract packs it; now and then with a word or the length changed, which refuses the block."""
    head, tail = b"", b""
    for size in (48, 32, 8, 96, 8):
        head += (160 + len(tail)).to_bytes(32, "big")
        tail += size.to_bytes(32, "big") + random.randbytes(size) + bytes(-size % 32)
    event = bytearray(head + tail)
    if random.random() < 0.05:
        event[random.randrange(len(event))] ^= 1
    return bytes(event if random.random() < 0.97 else event[:-1])


ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def sign_authorization(key: bytes, chain_id: int, address: bytes, nonce: int) -> tuple[int, bytes, int, int, int, int]:
    """A signed tuple of EIP-7702, as `Transaction` takes it."""
    from evmcore import rlp

    payload = rlp.encode([rlp.number(chain_id), address, rlp.number(nonce)])
    r, s, y_parity = sign_hash(keccak256(b"\x05" + payload), key)
    return (chain_id, address, nonce, y_parity, r, s)
