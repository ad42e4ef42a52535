"""Random programs that get somewhere: statements with a sound stack, on few slots and few addresses so that they meet.

A program is a list of statements, each of which pushes what it needs and puts its result where a difference shows: in
storage, in memory, in a log or in the output. A part of it is broken on purpose (random bytes, stacks run over, jumps
into data), and instructions of later forks are mixed in now and then.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random

from evmcore import OPCODES, assemble, fork_includes

from .precompile_inputs import precompile_input

ROWS = {row.name: row for row in OPCODES}


@cache
def instructions_of(fork: str | int) -> frozenset[str]:
    """The names of a fork's instructions."""
    return frozenset(row.name for row in OPCODES if fork_includes(fork, row.since))


EDGES = [
    0,
    1,
    2,
    31,
    32,
    33,
    255,
    256,
    2**31,
    2**32 - 1,
    2**63,
    2**64 - 1,
    2**64,
    2**128,
    2**255 - 1,
    2**255,
    2**256 - 1,
]
PLAIN = [
    "ADD",
    "MUL",
    "SUB",
    "DIV",
    "SDIV",
    "MOD",
    "SMOD",
    "ADDMOD",
    "MULMOD",
    "EXP",
    "SIGNEXTEND",
    "LT",
    "GT",
    "SLT",
    "SGT",
    "EQ",
    "ISZERO",
    "AND",
    "OR",
    "XOR",
    "NOT",
    "BYTE",
    "SHL",
    "SHR",
    "SAR",
    "CLZ",
]
AMBIENT = [
    "ADDRESS",
    "ORIGIN",
    "CALLER",
    "CALLVALUE",
    "CALLDATASIZE",
    "CODESIZE",
    "GASPRICE",
    "RETURNDATASIZE",
    "COINBASE",
    "TIMESTAMP",
    "NUMBER",
    "PREVRANDAO",
    "GASLIMIT",
    "CHAINID",
    "SELFBALANCE",
    "BASEFEE",
    "BLOBBASEFEE",
    "PC",
    "MSIZE",
    "GAS",
]
OF_AN_ACCOUNT = ["BALANCE", "EXTCODESIZE", "EXTCODEHASH"]
CALLS = ["CALL", "CALLCODE", "DELEGATECALL", "STATICCALL"]
PRECOMPILE_NUMBERS = [*range(1, 0x13), 0x100]


# Init codes of contracts that tell: destroyed by any call, storing its input, destroyed within its own creation, reading
# a slot that an earlier life may have left, logging.
SHARED_INITS = [
    assemble("PUSH2 0x33ff PUSH1 0 MSTORE PUSH1 2 PUSH1 30 RETURN"),  # CALLER SELFDESTRUCT
    assemble("PUSH5 0x6001600155 PUSH1 0 MSTORE PUSH1 5 PUSH1 27 RETURN"),
    assemble("PUSH2 0x30ff PUSH1 0 MSTORE PUSH1 2 PUSH1 30 RETURN"),  # ADDRESS SELFDESTRUCT
    assemble("CALLER SELFDESTRUCT"),
    assemble(
        "PUSH1 1 SLOAD PUSH1 1 ADD PUSH1 1 SSTORE PUSH10 0x60015460010160015500 PUSH1 0 MSTORE PUSH1 10 PUSH1 22 RETURN"
    ),
    assemble("PUSH1 7 PUSH1 0 SSTORE PUSH2 0x33ff PUSH1 0 MSTORE PUSH1 2 PUSH1 30 RETURN"),
]


class Writer:
    """Bytecode under construction. `targets` are the addresses that calls and account reads choose from."""

    def __init__(
        self, random: Random, fork: int, targets: list[bytes], depth: int = 0, inits: list[bytes] | None = None
    ) -> None:
        self.random = random
        self.fork = fork
        self.targets = targets
        self.depth = depth  # of programs within programs (init code)
        self.inits = inits if inits is not None else []  # that several programs share, so that CREATE2 meets itself
        self.code = bytearray()

    # ------------------------------------------------------------ words

    def op(self, name: str) -> None:
        self.code.append(ROWS[name].number)

    def has(self, name: str) -> bool:
        """Whether to use an instruction: yes if the fork has it, now and then if not."""
        return name in instructions_of(self.fork) or self.random.random() < 0.002

    def choose(self, names: list[str]) -> str:
        return self.random.choice([name for name in names if self.has(name)] or ["ADDRESS"])

    def push(self, value: int) -> None:
        if value == 0 and "PUSH0" in instructions_of(self.fork) and self.random.random() < 0.5:
            self.op("PUSH0")
            return
        size = max(1, (value.bit_length() + 7) // 8)
        if self.random.random() < 0.05:
            size = self.random.randint(size, 32)
        self.code += bytes([0x5F + size]) + value.to_bytes(size, "big")

    def push_label(self) -> int:
        """A push whose value `land` fills in later."""
        self.code += b"\x61\0\0"
        return len(self.code) - 2

    def land(self, label: int) -> None:
        self.code[label : label + 2] = len(self.code).to_bytes(2, "big")
        self.op("JUMPDEST")

    def number(self) -> int:
        kind = self.random.random()
        if kind < 0.4:
            return self.random.choice(EDGES)
        if kind < 0.7:
            return self.random.randrange(256)
        return self.random.getrandbits(self.random.choice([8, 64, 128, 160, 256]))

    def value(self) -> None:
        """Push something: a number, or what the surroundings say."""
        kind = self.random.random()
        if kind < 0.7:
            self.push(self.number())
        elif kind < 0.8:
            self.push(self.random.randrange(3) * 32)
            self.op("CALLDATALOAD")
        elif kind < 0.9:
            self.push(self.slot())
            self.op("SLOAD")
        else:
            self.op(self.choose(AMBIENT))

    def slot(self) -> int:
        return self.random.choice([0, 0, 1, 1, 2, 3, 4, 2**256 - 1])

    def offset(self) -> None:
        kind = self.random.random()
        if kind < 0.996:
            self.push(self.random.choice([0, 0, 1, 31, 32, 64, 96, 100, 128, self.random.randrange(512)]))
        else:
            self.push(self.number())

    def size(self) -> None:
        kind = self.random.random()
        if kind < 0.996:
            self.push(self.random.choice([0, 1, 4, 31, 32, 33, 64, 96, 128, self.random.randrange(300)]))
        else:
            self.push(self.number())

    def address(self) -> None:
        kind = self.random.random()
        if kind < 0.75 and self.targets:
            self.push(int.from_bytes(self.random.choice(self.targets), "big"))
        elif kind < 0.85:
            self.push(self.random.choice(PRECOMPILE_NUMBERS))
        elif kind < 0.93:
            self.op(self.choose(["ADDRESS", "CALLER", "ORIGIN", "COINBASE"]))
        elif kind < 0.97:
            self.push(5)  # where `keep` of a creation puts addresses
            self.op("SLOAD")
        else:
            self.value()

    def keep(self) -> None:
        """Take the result off the stack to where it will be seen."""
        kind = self.random.random()
        if kind < 0.35:
            self.push(self.slot() if self.random.random() < 0.5 else self.random.randrange(16, 64))
            self.op("SSTORE")
        elif kind < 0.7:
            self.offset()
            self.op("MSTORE")
        elif kind < 0.75 and self.has("TSTORE"):
            self.push(self.slot())
            self.op("TSTORE")
        else:
            self.op("POP")

    # ------------------------------------------------------------ statements

    def compute(self) -> None:
        name = self.choose(PLAIN)
        for _ in range(ROWS[name].pops):
            self.value()
        if self.random.random() < 0.2:
            self.op(f"DUP{self.random.randint(1, ROWS[name].pops)}")
            self.op("POP")
        if ROWS[name].pops > 1 and self.random.random() < 0.2:
            self.op(f"SWAP{self.random.randint(1, ROWS[name].pops - 1)}")
        self.op(name)
        self.keep()

    def look_around(self) -> None:
        kind = self.random.random()
        if kind < 0.5:
            self.op(self.choose(AMBIENT))
        elif kind < 0.85:
            self.address()
            self.op(self.choose(OF_AN_ACCOUNT))
        elif kind < 0.93:
            self.op("NUMBER")
            self.push(self.random.choice([0, 1, 2, 255, 256, 257]))
            self.op("SWAP1")
            self.op("SUB")
            self.op("BLOCKHASH")
        else:
            self.push(self.random.choice([0, 1, 5, 2**64]))
            self.op(self.choose(["BLOBHASH", "BALANCE"]))
        self.keep()

    def use_memory(self) -> None:
        name = self.choose(["MLOAD", "MSTORE", "MSTORE8", "MCOPY", "KECCAK256", "CODECOPY", "CALLDATACOPY"])
        if name in ("MSTORE", "MSTORE8"):
            self.value()
            self.offset()
            self.op(name)
        elif name == "MLOAD":
            self.offset()
            self.op(name)
            self.keep()
        elif name == "KECCAK256":
            self.size()
            self.offset()
            self.op(name)
            self.keep()
        else:
            self.size()
            self.offset()
            self.offset()
            self.op(name)

    def copy_code(self) -> None:
        self.size()
        self.offset()
        self.offset()
        self.address()
        self.op("EXTCODECOPY")

    def store(self) -> None:
        if self.random.random() < 0.75:
            self.push(self.random.choice([0, 0, 0, 1, 1, 2, 2**255]))
        else:
            self.value()
        self.push(self.slot())
        self.op("TSTORE" if self.random.random() < 0.2 and self.has("TSTORE") else "SSTORE")

    def load(self) -> None:
        self.push(self.slot())
        self.op("TLOAD" if self.random.random() < 0.25 and self.has("TLOAD") else "SLOAD")
        self.keep()

    def log(self) -> None:
        topics = self.random.randrange(5)
        for _ in range(topics):
            self.value()
        self.size()
        self.offset()
        self.op(f"LOG{topics}")

    def amount(self) -> None:
        kind = self.random.random()
        if kind < 0.55:
            self.push(0)
        elif kind < 0.85:
            self.push(self.random.choice([1, 2, 1000]))
        elif kind < 0.93:
            self.op("ADDRESS")
            self.op("BALANCE")
        else:
            self.value()

    def gas(self) -> None:
        kind = self.random.random()
        if kind < 0.25:
            self.op("GAS")
        elif kind < 0.35:
            self.push(self.random.choice([0, 1, 700, 2300, 2301, 5000]))
        elif kind < 0.4:  # leaves a little, so that calls go deep before EIP-150 too
            self.push(self.random.choice([3000, 10_000]))
            self.op("GAS")
            self.op("SUB")
        elif kind < 0.95:
            self.push(self.random.choice([30_000, 60_000, 100_000, 200_000]))
        else:
            self.value()

    def call(self) -> None:
        name = self.choose(CALLS)
        self.size()
        self.offset()
        self.size()
        self.offset()
        if name in ("CALL", "CALLCODE"):
            self.amount()
        self.address()
        self.gas()
        self.op(name)
        self.keep()
        self.read_output()

    def touch(self) -> None:
        """A call without value and with little gas, which may fail after it touched."""
        for _ in range(5):
            self.push(0)
        if self.random.random() < 0.4:
            self.push(self.random.choice([2, 3, 3, 3, 4]))
        else:
            self.address()
        self.push(self.random.choice([0, 100, 599, 600, 3000]))
        self.op("CALL")
        self.keep()

    def read_output(self) -> None:
        if self.random.random() < 0.4 and self.has("RETURNDATASIZE"):
            if self.random.random() < 0.3:
                self.op("RETURNDATASIZE")
                self.keep()
                return
            if self.random.random() < 0.8:
                self.op("RETURNDATASIZE")
                self.push(0)
            else:
                self.size()
                self.offset()
            self.offset()
            self.op("RETURNDATACOPY")

    def put(self, data: bytes, at: int) -> None:
        """Write bytes to memory; the rest of the last word is zero."""
        for begin in range(0, len(data), 32):
            self.push(int.from_bytes(data[begin : begin + 32].ljust(32, b"\0"), "big"))
            self.push(at + begin)
            self.op("MSTORE")

    def call_precompile(self) -> None:
        number, data = precompile_input(self.random, self.fork)
        at = self.random.choice([0, 0, 32, 7])
        self.put(data, at)
        name = self.choose(CALLS)
        self.push(self.random.choice([0, 32, 64, 96, 256]))
        self.push(self.random.choice([0, 32, 64]))
        self.push(len(data) if self.random.random() < 0.9 else self.random.randrange(len(data) + 64))
        self.push(at)
        if name in ("CALL", "CALLCODE"):
            self.amount()
        self.push(number)
        self.gas()
        self.op(name)
        self.keep()
        self.read_output()

    def create(self) -> None:
        init = self.init_code()
        if len(init) <= 160:
            at = self.random.choice([0, 0, 32, 5])
            self.put(init, at)
        else:  # out of this program's own code
            at = 0
            over = self.push_label()
            self.op("JUMP")
            begin = len(self.code)
            self.code += init
            self.land(over)
            self.push(len(init))
            self.push(begin)
            self.push(at)
            self.op("CODECOPY")
        name = self.choose(["CREATE", "CREATE2"])
        if name == "CREATE2":
            self.push(self.random.choice([0, 0, 1, self.random.getrandbits(256)]))
        self.push(len(init) if self.random.random() < 0.97 else self.random.choice([0, 49152, 49153, 3]))
        self.push(at)
        self.amount()
        self.op(name)
        if self.random.random() < 0.6:
            self.push(5)
            self.op("SSTORE")
        else:
            self.keep()
        self.read_output()
        if self.random.random() < 0.3:
            self.call()

    def init_code(self) -> bytes:
        kind = self.random.random()
        if self.inits and kind < 0.5:
            return self.random.choice(self.inits)
        kind = self.random.random()
        if kind < 0.1:
            return b""
        if kind < 0.2:
            return self.random.randbytes(self.random.randrange(1, 40))
        inner = Writer(self.random, self.fork, self.targets, self.depth + 1, self.inits)
        for _ in range(self.random.randrange(4)):
            inner.statement()
        kind = self.random.random()
        if kind < 0.6 and self.depth < 2:
            runtime = program(
                self.random, self.fork, self.targets, self.depth + 1, self.random.randrange(1, 5), self.inits
            )
            if self.random.random() < 0.05:
                runtime = b"\xef" + runtime
            at = len(inner.code) + 15
            inner.code += b"\x61" + len(runtime).to_bytes(2, "big") + b"\x80\x61" + at.to_bytes(2, "big")
            inner.code += b"\x60\0\x39\x60\0\xf3"  # CODECOPY to 0, RETURN
            inner.code += bytes(at - len(inner.code)) + runtime
        elif kind < 0.9:
            inner.end()
        else:  # code of a size around the limits
            inner.push(self.random.choice([1, 24575, 24576, 24577]))
            inner.push(0)
            inner.op("RETURN")
        return bytes(inner.code)

    def loop(self) -> None:
        """A few rounds; the counter is in memory, out of reach of what the body leaves on the stack."""
        place = 0x2000 + 32 * self.random.randrange(4)
        self.push(self.random.choice([1, 2, 3, 10]))
        self.push(place)
        self.op("MSTORE")
        top = len(self.code)
        self.op("JUMPDEST")
        for _ in range(self.random.randrange(1, 3)):
            self.statement()
        self.push(1)
        self.push(place)
        self.op("MLOAD")
        self.op("SUB")
        self.op("DUP1")
        self.push(place)
        self.op("MSTORE")
        self.push(top)
        self.op("JUMPI")

    def branch(self) -> None:
        self.value()
        over = self.push_label()
        self.op("JUMPI")
        self.statement()
        self.land(over)

    def misbehave(self) -> None:
        """Something that may end the frame, or leave the stack in another shape."""
        kind = self.random.random()
        if kind < 0.3:
            self.code += self.random.randbytes(self.random.randrange(1, 6))
        elif kind < 0.4:
            self.op(self.random.choice(list(ROWS)))
        elif kind < 0.5:
            self.push(self.random.randrange(64))
            self.op("JUMP")
        elif kind < 0.6:  # run the stack full
            top = len(self.code)
            self.op("JUMPDEST")
            self.op(self.choose(["MSIZE", "GAS", "PC"]))
            self.push(top)
            self.op("JUMP")
        elif kind < 0.8:
            self.push(self.number())
        else:
            self.op(self.random.choice(["POP", "DUP16", "SWAP16", "DUP1", "SWAP1"]))

    def end(self) -> None:
        kind = self.random.random()
        if kind < 0.45:
            self.size()
            self.offset()
            self.op("RETURN")
        elif kind < 0.6 and self.has("REVERT"):
            self.size()
            self.offset()
            self.op("REVERT")
        elif kind < 0.8:
            self.address()
            self.op("SELFDESTRUCT")
        elif kind < 0.85:
            self.op("INVALID")
        elif kind < 0.95:
            self.op("STOP")
        else:
            self.code += bytes([0x7F]) + self.random.randbytes(self.random.randrange(32))  # a push cut off by the end

    def leave_early(self) -> None:
        """An end that is taken or not."""
        self.value()
        over = self.push_label()
        self.op("JUMPI")
        self.end()
        self.land(over)

    def reach(self) -> None:
        """What reaches further down the stack, or looks at the slot (Amsterdam)."""
        if self.random.random() < 0.3:
            self.op("SLOTNUM")
            self.keep()
            return
        for _ in range(self.random.choice([2, 17, 19, 40])):
            self.push(self.number())
        immediate = self.random.choice([0, 0x5B, 0x80, 0x8F, 0x8E, 0x52, 0xFF, self.random.randrange(256)])
        self.op(self.random.choice(["DUPN", "SWAPN", "EXCHANGE"]))
        self.code.append(immediate)
        for _ in range(self.random.choice([0, 1, 3])):
            self.keep()

    def statement(self) -> None:
        kinds: list[tuple[Callable[[], None], float]] = [
            (self.compute, 10),
            (self.look_around, 8),
            (self.use_memory, 8),
            (self.copy_code, 1.5),
            (self.store, 14),
            (self.load, 5),
            (self.log, 3),
            (self.call, 16),
            (self.touch, 2),
            (self.call_precompile, 4),
            (self.create, 6 if self.depth < 2 else 1),
            (self.loop, 2 if self.depth < 2 else 0),
            (self.branch, 4),
            (self.misbehave, 1),
            (self.leave_early, 2),
        ]
        if "DUPN" in instructions_of(self.fork):
            kinds.append((self.reach, 3))
        self.random.choices([make for make, _ in kinds], [weight for _, weight in kinds])[0]()


def program(
    random: Random,
    fork: int,
    targets: list[bytes],
    depth: int = 0,
    statements: int | None = None,
    inits: list[bytes] | None = None,
) -> bytes:
    """One contract's code."""
    if random.random() < 0.02:
        return random.randbytes(random.randrange(1, 80))
    writer = Writer(random, fork, targets, depth, inits)
    for _ in range(random.randrange(1, 12) if statements is None else statements):
        writer.statement()
    if random.random() < 0.8:
        writer.end()
    return bytes(writer.code)
