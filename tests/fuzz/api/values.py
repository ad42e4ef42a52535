"""Arguments as Python text: mostly right ones, some of the wrong size or type, and some that lie."""

from __future__ import annotations

from random import Random

from evmcore import FORKS

from .world import CODES

GREEDY = ("spin", "hog", "logs", "tstore", "sloads", "return", "deploys")
KINDS = [name for name in CODES if name not in GREEDY] + ["send", "send", "deploy"]
FORK_NAMES = [fork.mainnet_name for fork in FORKS]
NUMBERS = ("0", "1", "2", "255", "2**32", "2**63", "2**64-1", "2**64", "2**128+5", "2**255", "2**256-1")
WRONG_NUMBERS = (
    "-1",
    "2**256",
    "2**70000",
    "None",
    "1.5",
    "'x'",
    "'0x'",
    "b'1'",
    "[]",
    "True",
    "float('nan')",
    "object()",
)
LYING_NUMBERS = (
    "ShortInt(2**200)",
    "ShortInt(5)",
    "WildInt(2**200)",
    "WildInt(-1)",
    "Index(5)",
    "Index(2**300)",
    "Index('x')",
)
LYING_NUMBERS = (*LYING_NUMBERS, "Raising()", "PlainStr('0x10')", "int")
WRONG_BYTES = (
    "None",
    "5",
    "b''",
    "b'1'*19",
    "b'1'*21",
    "b'1'*33",
    "'0x'",
    "'0xzz'",
    "'0x1'",
    "'\\ud800'",
    "[]",
    "object()",
)
LYING_BYTES = (
    *(
        "PlainBytes(b'\\x11'*20)",
        "LongBytes(b'1')",
        "LongBytes(b'1'*32)",
        "bytearray(20)",
        "memoryview(bytes(40))[::2]",
    ),
    *("memoryview(bytes(20)).cast('I')", "Raising()", "PlainStr('0x' + '11'*20)", "bytes", "memoryview(bytes(20))"),
)
LYING_LISTS = (
    "LongList([{}])",
    "ShortList([{}])",
    "Growing([{}])",
    "iter([{}])",
    "({} for _ in range(3))",
    "{{{}: 1}}",
)
WRONG_LISTS = ("None", "5", "'x'", "[None]", "[[]]", "[()]", "Raising()", "b'123'", "[5]", "{{}}", "Like(5)", "list")
WRONG_THINGS = ("None", "5", "'x'", "b''", "()", "[]", "Raising()", "Thing()", "object", "{}", "State", "Like(5)")


def _choose(random: Random, right, wrong, lying, rate: float) -> str:
    """Right with 1 - rate; else wrong or lying."""
    if random.random() >= rate:
        return right() if callable(right) else random.choice(right)
    return random.choice(random.choice((wrong, lying)))


def address(random: Random, rate: float = 0.2) -> str:
    return _choose(
        random, ("A", "B", "C", "D", "AT['count']", "AT['scan']", "bytes([7])*20"), WRONG_BYTES, LYING_BYTES, rate
    )


def word(random: Random, rate: float = 0.25) -> str:
    return _choose(random, NUMBERS, WRONG_NUMBERS, LYING_NUMBERS, rate)


def data(random: Random, rate: float = 0.25) -> str:
    right = (
        f"CODES[{random.choice(list(CODES))!r}]",
        "b''",
        "bytes(100)",
        "'0x00'",
        "bytearray(b'12')",
        "bytes(100000)",
    )
    return _choose(random, right, WRONG_BYTES, LYING_BYTES, rate)


def fork(random: Random, rate: float = 0.1) -> str:
    return _choose(
        random, [repr(name) for name in FORK_NAMES], ("None", "-1", "99", "'x'", "2**70", "b''"), LYING_NUMBERS, rate
    )


def listed(random: Random, item: str, rate: float = 0.3) -> str:
    """A sequence of such items."""
    if random.random() >= rate:
        return f"[{', '.join([item] * random.randint(0, 3))}]"
    form = random.choice(random.choice((LYING_LISTS, WRONG_LISTS)))
    return form.format(item)


def thing(random: Random) -> str:
    return random.choice(WRONG_THINGS)


def state(random: Random, rate: float = 0.1) -> str:
    right = ("s0", "s0", "s1", "s2", "s0.copy()", "State(accounts(), strict=True)", "State(source=source_of(s0))")
    return _choose(random, right, WRONG_THINGS, ("State.__new__(State)", "State()"), rate)


def header(random: Random, rate: float = 0.15) -> str:
    if random.random() < rate:
        return random.choice((thing(random), f"header({random.choice(HEADER_NAMES)}={word(random, 0.6)})"))
    return f"header(fork={fork(random, 0)})"


HEADER_NAMES = (
    *("number", "timestamp", "gas_limit", "coinbase", "base_fee_per_gas", "excess_blob_gas", "fork", "chain_id"),
    *("block_hashes", "blob_schedule", "parent_hash", "mix_hash", "difficulty", "parent_beacon_block_root"),
)


def kinds(random: Random, most: int = 14) -> str:
    few = random.sample(KINDS, random.randint(1, 4))
    return ", ".join(repr(random.choice(few)) for _ in range(random.randint(0, most)))


def block(random: Random, rate: float = 0.1) -> str:
    """A block; not all that is called right is valid."""
    if random.random() < rate:
        parts = ("header()", "[transaction('send')]", "()", "()")
        wrong = [thing(random) if random.random() < 0.3 else part for part in parts]
        members = f"header={wrong[0]}, transactions={wrong[1]}, ommers={wrong[2]}, withdrawals={wrong[3]}"
        return random.choice(
            (thing(random), f"Thing({members}, pre_state=None, is_pre_state_complete=True)", f"Block({members})")
        )
    first = 0 if random.random() < 0.9 else 1
    return f"block({kinds(random)}, first={first}, withdrawals={random.randint(0, 2)}, fork={fork(random, 0)})".replace(
        "(, ", "("
    )


def workers(random: Random, rate: float = 0.1) -> str:
    return _choose(random, ("None", "1", "2", "2", "3", "4", "7"), WRONG_NUMBERS[:9], LYING_NUMBERS, rate)


def strategy(random: Random, rate: float = 0.1) -> str:
    right = ("auto", "sequential", "groups", "groups", "optimistic", "optimistic", "recorded", "recorded-hint")
    return _choose(
        random, [repr(name) for name in right], ("None", "5", "''", "[]"), ("PlainStr('groups')", "Raising()"), rate
    )


def tracer(random: Random, action: str = "") -> str:
    at = random.choice((1, 2, 5, 9))
    some = action or "stop"
    return random.choice(
        (
            f"Acting({at}, {some})",
            f"Acting({at}, {some})",
            "Stepper()",
            f"Thing(on_step={some})",
            f"Thing(on_exit={some}, wants_memory={thing(random)})",
            "tracing.Recorder(memory=True)",
            f"tracing.Eip3155(Stream({at}, {some}), memory=True)",
            "tracing.Eip3155(io.StringIO())",
            "tracing.Eip3155(io.BytesIO())",
            thing(random),
        )
    )


def transaction(random: Random, rate: float = 0.2) -> str:
    if random.random() < rate:
        return f"Transaction({transaction_fields(random)})"
    return f"transaction({random.choice(KINDS)!r}, {random.choice((0, 0, 0, 1))}, {random.choice('ABC')})"


def transaction_fields(random: Random) -> str:
    fields = {
        "nonce": word(random), "gas_limit": word(random), "value": word(random), "to": address(random, 0.4),
        "data": data(random), "sender": address(random, 0.3), "gas_price": word(random), "max_fee_per_gas": word(random),
        "max_priority_fee_per_gas": word(random), "chain_id": word(random), "type": random.choice(("0", "1", "2", "3", "4", word(random, 1))),
        "access_list": listed(random, f"({address(random)}, {listed(random, word(random))})", 0.5),
        "blob_versioned_hashes": listed(random, random.choice(("bytes(32)", "b'\\1'*32", data(random)))),
        "authorization_list": listed(random, f"(1, {address(random)}, {word(random)}, {word(random)}, 5, {word(random)})"),
        "max_fee_per_blob_gas": word(random), "v": word(random), "y_parity": word(random), "r": word(random), "s": word(random),
    }  # fmt: skip
    likely = {"access_list": ["type"], "blob_versioned_hashes": ["type"], "authorization_list": ["type"]}
    names = random.sample(list(fields), random.randint(1, 5))
    for name in names:
        if name in likely:
            fields["type"] = {"access_list": "1", "blob_versioned_hashes": "3", "authorization_list": "4"}[name]
            names += [other for other in likely[name] if other not in names]
    return ", ".join(f"{name}={fields[name]}" for name in dict.fromkeys([*names, "to", "sender"]))
