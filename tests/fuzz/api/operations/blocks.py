"""Blocks: every strategy gives the same, tracers change nothing, fetched states come out as whole ones."""

from __future__ import annotations

from random import Random

from ..sequence import CHANGES, STATES, operation
from ..values import FORK_NAMES, KINDS, fork, kinds, listed, thing, word


def sound(random: Random, most: int = 14) -> str:
    """A block that may be invalid only by what it meets."""
    changes = f"withdrawals={random.randint(0, 2)}, fork={random.choice(FORK_NAMES)!r}"
    return f"block({kinds(random, most)}, {changes})".replace("(, ", "(")


@operation(3)
def strategies_agree(random: Random) -> str:
    return f"agreeing({sound(random)}, {random.choice((*STATES, 'State(accounts())', 'State(accounts())'))}, {random.randint(2, 5)})"


@operation(2, CHANGES)
def next_block(random: Random) -> str:
    """On a state, with the result kept."""
    way = random.choice(
        ("", ", workers=2, strategy='optimistic'", ", workers=3, strategy='groups'", ", record=True, state_roots=False")
    )
    return f"r{random.randint(0, 2)} = execute_block({sound(random)}, {random.choice(STATES)}{way})"


@operation(1)
def recorded_again(random: Random) -> str:
    """Accesses, right ones and changed ones, give the block's own result or are refused."""
    change = random.choice(
        (
            "a",
            "Accesses.from_json(a.to_json())",
            "pickle.loads(pickle.dumps(a))",
            "Accesses(a.transactions, a.accounts[:1], a.slots, a.codes)",
            "Accesses(a.transactions, a.accounts, a.slots[1:], ())",
            "Accesses(a.slots, a.accounts, a.transactions, a.codes)",
            "a.to_json()",
            "Accesses(accounts=numpy.zeros(5, ACCOUNT_DTYPE), slots=numpy.full(3, 255, SLOT_DTYPE))",
            "Accesses(accounts=numpy.full(4, 255, numpy.uint8).repeat(27).view(numpy.uint8), slots=a.slots[::-1])",
            "Accesses(a.transactions, numpy.concatenate([a.accounts, numpy.full(9, 77, ACCOUNT_DTYPE)]), a.slots, a.codes)",
            f"Accesses.from_rows({thing(random)}, b'', b'', ())",
            f"Accesses.from_json([{{'address': '0x' + '11'*20, {random.choice(('balanceChanges', 'storageReads', 'codeChanges'))!r}: {listed(random, word(random))}}}])",
            thing(random),
        )
    )
    return f"recorded({sound(random)}, lambda a: {change})"


@operation(2)
def fetched_block(random: Random) -> str:
    kind = random.choice(("", "", "made of"))
    if kind:  # creations onto what has only storage, or a nonce, or code
        there = random.choice(
            ("'storage': {1: 1}", "'balance': 1, 'storage': {1: 1}", "'nonce': 1", "'code': b'1'", "'balance': 1")
        )
        return (
            f"fetched_block(block('deploy', 'count', fork={random.choice(FORK_NAMES)!r}), "
            f"{{**accounts(), created_by(A): {{{there}}}}})"
        )
    return f"fetched_block({sound(random)}, accounts())"


@operation(1.5)
def traced(random: Random) -> str:
    """A tracer that raises takes the transaction back; another run then finds all in order."""
    kind, spin = random.choice(KINDS), "run(CODES['spin'], gas=3*10**7)"
    action = random.choice(
        ("stop", "lambda: s.__init__()", "lambda: s.set_balance(A, 1)", "lambda: s.copy()", "lambda: s.root()")
    )
    action = random.choice(
        (action, "lambda: execute_block(block('count'), s)", "lambda: s.revert(0)", "lambda: gc.collect()")
    )
    return (
        f"(lambda s: (attempt(lambda: whole(s, lambda on: transact(transaction({kind!r}), on, header(), "
        f"tracer=None if on is not s else Acting({random.randint(1, 12)}, {action})), lambda go: go())), "
        f"together(1, lambda: {spin}, lambda: junk())))(State(accounts()))"
    )


@operation(1)
def reentrant_tracer(random: Random) -> str:
    """A tracer uses what it is called from."""
    action = random.choice(
        (
            "s.__init__(), junk()",
            "s.__init__(accounts())",
            "transact(transaction('count'), s, header())",
            "execute_block(block('count'), s, workers=2, strategy='groups')",
            "execute_block(block('count'), State(accounts()), tracer=Acting(2, stop))",
            "run(CODES['count'], state=s, tracer=t)",
            "t.__init__(2, stop)",
            "s.set_code(AT['count'], b'')",
            "s.delete_account(AT['count']), junk()",
            "call(s, header(), to=AT['count'], tracer=t)",
            "h.block_hashes.clear()",
        )
    )
    way = random.choice(
        (
            "transact(transaction('fill'), s, h, tracer=t)",
            "execute_block(block('count', 'fill'), s, tracer=t)",
            "call(s, h, to=AT['fill'], tracer=t)",
            "run(CODES['fill'], state=s, tracer=t)",
        )
    )
    return (
        f"(lambda s, h, box: [box.append(Acting({random.randint(1, 40)}, lambda: (lambda t: ({action}))(box[0]))), "
        f"(lambda t: {way})(box[0])])(State(accounts()), header(), [])"
    )


@operation(1.5)
def odd_source(random: Random) -> str:
    """A source that raises, lies, or uses the state that it serves."""
    action = random.choice(
        (
            "stop()",
            "s[0].__init__(accounts())",
            "s[0].set_balance(A, 1)",
            "s[0].copy()",
            "s.__setitem__(0, None), gc.collect()",
            "execute_block(block('count'), s[0])",
            "s[0].revert(0)",
            "s[0].delete_account(A), junk()",
        )
    )
    answers = f"answering({random.choice((thing(random), word(random, 0.9), 'Account(5)', f'{{{chr(34)}balance{chr(34)}: {word(random, 0.8)}}}'))})"
    source = random.choice(
        (
            f"source_of(State(accounts()), {random.randint(1, 3)}, lambda: ({action}))",
            f"lambda keys: {thing(random)}",
            answers,
        )
    )
    way = random.choice(
        (
            f"execute_block({sound(random)}, s[0], workers=2)",
            "call(s[0], header(), to=AT['scan'])",
            "transact(transaction('count'), s[0], header())",
            "run(CODES['count'], state=s[0])",
            f"core.prefetch({sound(random)}, s[0], workers=2)",
            f"s[0].get_account({random.choice('AD')})",
        )
    )
    return f"(lambda s: [s.append(State(source={source})), {way}])([])"


@operation(0.7)
def chain(random: Random) -> str:
    """An importer is given bytes that don't fit; its head stays where it was."""
    given = random.choice(
        ("block('send').encode()", "b''", "bytes(600)", f"{thing(random)}", "chain_.genesis.header.encode()")
    )
    genesis = "Genesis.from_json({'config': {'chainId': 1}, 'alloc': {}, 'difficulty': '0x1', 'gasLimit': '0x1c9c380'})"
    odd = f"Genesis.from_json({{'config': {thing(random)}, 'alloc': {{'0x' + '11'*20: {{'balance': {word(random, 0.7)}}}}}, 'timestamp': {word(random)}}})"
    return f"(lambda chain_: (chain_.add({given}), chain_.head))(Chain({random.choice((genesis, genesis, odd))}, workers={random.choice(('1', '2', word(random)))}))"


@operation(0.5)
def forks_of_names(random: Random) -> str:
    return f"execute_block(block({kinds(random, 3)}, fork={fork(random, 0.6)}), State(accounts()))".replace("(, ", "(")
