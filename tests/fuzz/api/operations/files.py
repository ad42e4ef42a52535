"""State tests, block files, chains and command lines, given what no tool would write."""

from __future__ import annotations

from random import Random

from ..sequence import operation
from ..values import data, fork, thing, word

COMMANDS = {
    "statetest": "STATE_TEST",
    "blocktest": "{'x': {'network': 'Cancun', 'genesisBlockHeader': {}, 'pre': {}, 'blocks': [{'rlp': '0x00'}], 'lastblockhash': '0x'}}",
    "txtest": "{'x': {'txbytes': '0x00', 'result': {'Cancun': {'exception': 'x', 'intrinsicGas': '0x5208'}}}}",
    "replay": "BLOCK_FILE",
    "import": "b'\\xf9\\x02'",
    "disasm": "b'0x60'",
    "run": "b'0x6001'",
}


@operation(2)
def state_test(random: Random) -> str:
    """The door for state tests, with indexes and lists that don't fit and with steps left out."""
    pre = random.choice(("STATE_TEST['x']['pre']",) * 3 + (thing(random), "changed(STATE_TEST['x']['pre'], 1, 2)"))
    env = random.choice(
        ("STATE_TEST['x']['env']",) * 3
        + (thing(random), f"changed(STATE_TEST['x']['env'], {random.randint(0, 99)}, 2)")
    )
    steps = [
        f"t.use_fork({random.choice(('12', '17', '0', '-1', '300', word(random)))}, {random.choice(('1', word(random)))})"
    ]
    index = [random.choice(("0", "0", "0", "1", "-1", "10**6", "-10**6", "2**62", thing(random))) for _ in range(3)]
    given = random.choice(
        (
            "STATE_TEST['x']['transaction']",
            f"changed(STATE_TEST['x']['transaction'], {random.randint(0, 10**6)}, {random.randint(1, 3)})",
        )
    )
    steps.append(f"t.run({given}, {', '.join(index)}, {random.choice(('None', 'None', repr('0x'), data(random)))})")
    if random.random() < 0.2:
        steps.append(f"t.__init__({pre}, {env})")
    if random.random() < 0.3:
        random.shuffle(steps)
    made = random.choice((f"core.StateTest({pre}, {env})",) * 4 + ("core.StateTest.__new__(core.StateTest)",))
    return f"(lambda t: [{', '.join(random.sample(steps, random.randint(1, len(steps))) if random.random() < 0.2 else steps)}])({made})"


@operation(1.5)
def changed_files(random: Random) -> str:
    """A file with some of its values changed gives results or is refused: no exception leaves a command."""
    name = random.choice(("statetest", "statetest", "statetest", "blocktest", "txtest", "replay", "replay"))
    return f"command([{name!r}, ...], changed({COMMANDS[name]}, {random.randint(0, 10**6)}, {random.randint(1, 3)}))"


@operation(1)
def odd_command(random: Random) -> str:
    name = random.choice(list(COMMANDS))
    content = random.choice(
        (
            COMMANDS[name],
            "b''",
            "b'{'",
            "b'\\x1f\\x8b\\x08'",
            "b'\\xff'*50",
            "b'[]'",
            "b'{\"a\": 5}'",
            "gzip.compress(b'[' * 10**5)",
            "b'[' * 10**5",
            "None",
        )
    )
    # A file, a folder or something that isn't there.
    options = {
        "replay": ("'--workers', '2'", "'--strategy', 'groups'", "'--json'", "'--accesses', '/dev/full'", "'--accesses', '/nonexistent/x'", "'--recorded', ...", "'--repeat', '2'"),
        "statetest": ("'--json'", "'--fork', 'x'", "'--run', '('", "'--workers', '0'", "'--trace'", "'--index', '9'"),
        "import": ("'--genesis', ...", "'--json'", "'--workers', '2'"),
        "run": ("'--gas', '-1'", "'--input', '0xzz'", "'--trace'", "'--fork', 'x'", "'--code', ..."),
    }.get(name, ("'--json'", "'--fork', 'x'", "'--fork', 'Cancun'"))  # fmt: skip
    chosen = ", ".join(random.sample(options, random.randint(0, 2)))
    output = random.choice(("None", "None", "None", "open('/dev/full', 'w')", "closed_file()"))
    return f"command([{name!r}, ..., {chosen}], {content}, {output})"


@operation(1)
def accesses_files(random: Random) -> str:
    content = random.choice(
        (
            "b''", "b'{'", "b'5'", "gzip.compress(b'{}')", "b'{\"format\": \"block-accesses/1\"}'", "b'\\x1f\\x8b'",
            "{'format': 'block-accesses/1', 'accounts': [{'address': '0x00'}]}",
            f"changed({{'format': 'block-accesses/1', 'accounts': [{{'address': '0x' + '11'*20, 'balanceChanges': [{{'blockAccessIndex': '0x1', 'postBalance': '0x5'}}]}}]}}, {random.randint(0, 10**5)}, 2)",
        )
    )  # fmt: skip
    path = random.choice(("replay", "load"))
    if path == "load":
        return f"Accesses.load(in_file({content}))"
    return f"command(['replay', in_file(BLOCK_FILE), '--recorded', ...], {content})"


@operation(0.7)
def block_files(random: Random) -> str:
    return random.choice(
        (
            f"Block.load(in_file(changed(BLOCK_FILE, {random.randint(0, 10**6)}, {random.randint(1, 3)})))",
            f"(lambda b: execute_block(b, b.pre_state, workers=2))(Block.from_json(changed(BLOCK_FILE, {random.randint(0, 10**6)}, 1)))",
            f"list(replay_range([in_file({data(random)}), changed(BLOCK_FILE, {random.randint(0, 10**6)}, 2)]))",
            f"Genesis.from_json({{'config': {{'chainId': {word(random)}, 'londonBlock': {word(random)}}}, 'alloc': {thing(random)}}})",
            f"core.fork_rules({fork(random, 0.7)})",
        )
    )
