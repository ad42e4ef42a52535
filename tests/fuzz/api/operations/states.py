"""A State's own methods: those that the model follows, and what has to hold of fetched states and of memory."""

from __future__ import annotations

from random import Random

from ..sequence import CHANGES, MARKS, MODELLED, STATES, operation
from ..values import address, data, kinds, state, thing, word

# What the model understands.
ADDRESSES = ("A", "B", "D", "D", "AT['count']", "AT['die']", "bytes([7])*20", "created_by(A)", "b'1'*19", "None")
WORDS = ("0", "0", "1", "2", "2**64", "2**255", "2**256-1", "'0x10'", "'31'", "-1", "2**256", "None")
CODE = ("b''", "b'\\x60'", "CODES['count']", "CODES['spin']", "bytes(5000)", "bytearray(b'12')", "None")


def _write(random: Random, on: str) -> str:
    key, slot = random.choice(ADDRESSES), random.choice(WORDS)
    return random.choice(
        (
            f"{on}.set_balance({key}, {random.choice(WORDS)})",
            f"{on}.set_nonce({key}, {random.choice(WORDS)})",
            f"{on}.set_code({key}, {random.choice(CODE)})",
            f"{on}.set_storage({key}, {slot}, {random.choice(WORDS)})",
            f"{on}.set_storage({key}, {slot}, {random.choice(WORDS)})",
            f"{on}.delete_account({key})",
            f"{on}.set_account({key}, None)",
            f"{on}.set_account({key}, {{'nonce': {random.choice(WORDS)}, 'storage': {{{slot}: {random.choice(WORDS)}}}}})",
        )
    )


@operation(4, MODELLED)
def write(random: Random) -> str:
    return _write(random, random.choice(STATES))


@operation(3, MODELLED)
def read(random: Random) -> str:
    on, key = random.choice(STATES), random.choice(ADDRESSES)
    name = random.choice(("get_balance", "get_nonce", "get_code", "get_code_hash", "storage", "get_account", "exists"))
    return random.choice(
        (
            f"{on}.{name}({key})",
            f"{on}.get_storage({key}, {random.choice(WORDS)})",
            f"{key} in {on}",
            f"len({on})",
            f"{on}.addresses()",
            f"{on} == {random.choice(STATES)}",
        )
    )


@operation(3, MODELLED)
def snapshot(random: Random) -> str:
    return f"{random.choice(MARKS)} = {random.choice(STATES[:2])}.snapshot()"


@operation(3, MODELLED)
def undo(random: Random) -> str:
    return f"{random.choice(STATES[:2])}.{random.choice(('revert', 'revert', 'release'))}({random.choice(MARKS)})"


@operation(2, MODELLED)
def copy(random: Random) -> str:
    return f"{random.choice(STATES)} = {random.choice(STATES)}.copy()"


@operation(2, CHANGES)
def hostile_write(random: Random) -> str:
    """Whatever is given, the value that reads back is the one that was given, or the call is refused and nothing changes."""
    on, key, value = random.choice(STATES), address(random, 0.3), word(random, 0.5)
    storage = random.choice((f"{{{word(random, 0.4)}: {value}}}", "WildDict()", thing(random), f"Like({value})"))
    account = f"{{'balance': {value}, 'nonce': {word(random)}, 'code': {data(random)}, 'storage': {storage}}}"
    call = random.choice(
        (
            f"{on}.set_balance({key}, {value})",
            f"{on}.set_nonce({key}, {value})",
            f"{on}.set_code({key}, {data(random, 0.5)})",
            f"{on}.set_storage({key}, {word(random, 0.3)}, {value})",
            f"{on}.set_account({key}, {random.choice((account, thing(random), f'Thing(balance={value})', f'Account({value})'))})",
            f"{on}.set_storage_complete({key}, {thing(random)})",
            f"{on}.revert({word(random, 0.4)})",
            f"{on}.release({word(random, 0.4)})",
            f"{on}.root(workers={word(random, 0.6)})",
        )
    )
    return f"unchanged({on}, lambda: {call})"


@operation(2, CHANGES)
def reads_back(random: Random) -> str:
    return f"reads_back({random.choice(STATES)}, {random.choice(('A', 'D'))}, {word(random, 0.7)})"


@operation(1, CHANGES)
def made_anew(random: Random) -> str:
    """The constructor, also on what is there, and copies of odd kinds."""
    given = random.choice(
        ("accounts()", "None", "WildDict(accounts())", thing(random), f"{{{address(random)}: {thing(random)}}}")
    )
    on = random.choice(STATES)
    return random.choice(
        (
            f"{on}.__init__({given}, strict={thing(random)})",
            f"{on} = State({given}, source={random.choice(('stop', 'None', thing(random)))})",
            f"{on}.__init__(source=source_of({on}))",
            f"attempt(lambda: pickle.loads(pickle.dumps({state(random)})))",
            f"type('Sub', (State,), {{'__init__': lambda self: None}})().{random.choice(('root()', 'copy()', 'to_alloc()', 'size_bytes'))}",
            f"State.__new__(State).set_balance(A, {word(random)})",
            f"list(({state(random)}).items())",
            f"copy.deepcopy({state(random)}) == {random.choice(STATES)}",
            f"repr({state(random)})",
        )
    )


def _changes(random: Random, on: str) -> str:
    return ", ".join(_write(random, on) for _ in range(random.randint(1, 3)))


@operation(3)
def fetched_is_whole(random: Random) -> str:
    """Writes and reverts on a fetched or partly given state show the same as on the whole one, or raise MissingState."""
    undone = random.choice(("True", "False"))
    return f"fetched(lambda s: [{_changes(random, 's')}], {undone}, {random.choice(('A', 'D', chr(65) + 'T[' + repr('count') + ']'))})"


@operation(2)
def undone_is_not_kept(random: Random) -> str:
    change = random.choice(
        (
            "transact(transaction('deploy', i), s, header())",
            "s.set_code(D, i.to_bytes(3000, 'big'))",
            "s.set_balance(i.to_bytes(20, 'big'), 1)",
            "s.set_storage(D, i, 1)",
            "execute_block(block('deploy', 'make', first=i), s, workers=2, strategy='optimistic')",
        )
    )
    if "i)" in change and "transact" in change:
        change = f"(s.set_nonce(A, i), {change})"
    return f"(lambda s: steady(s, lambda i: {change}))(State(accounts()))"


@operation(0.3)
def lists_in_proportion(random: Random) -> str:
    call = random.choice(
        ("s.to_alloc()", "list(s.items())", "s == many(n, 100)", "s.root()", "s.copy().set_balance(A, 1)")
    )
    return f"proportional(lambda n: many(n, 100), lambda s, n: {call})"


@operation(0.5, ordinary=True)
def results_are_light(random: Random) -> str:
    """What is kept of a block doesn't make the next one copy the state."""
    way = random.choice(("workers=1", "workers=2, strategy='optimistic'", "workers=2, strategy='groups'"))
    return (
        "(lambda s: (s.set_balance(A, 10**30), light(lambda: [execute_block("
        f"block('send', first=n, fork='Berlin'), s, {way}) for n in range(30)])))(many(30000))"
    )


@operation(0.7, ordinary=True)
def runs_are_light(random: Random) -> str:
    call = random.choice(
        (
            "run(CODES['count'], state=s)",
            "call(s, header(), to=D)",
            f"execute_block(block({kinds(random)}), s.copy()) and None",
        )
    )
    return f"(lambda s: light(lambda: [{call} for n in range(40)]))(many(30000))"
