"""Signals, exceptions out of nowhere, other threads, no memory, forks, and the end of the interpreter, in the middle of calls."""

from __future__ import annotations

from random import Random

from ..sequence import CHANGES, STATES, operation
from ..values import GREEDY, kinds
from .blocks import sound


def work(random: Random) -> str:
    """A function of a state that takes a while and may change it. What it is given is made before."""
    strategy = random.choice(("optimistic", "optimistic", "groups", "groups", "groups", "sequential", "auto"))
    kind = random.choice(("fill", "scan", "deploy", "count", "spin"))
    call = random.choice(
        (
            f"execute_block(b, s, workers={random.randint(1, 6)}, strategy={strategy!r})",
            f"execute_block(b, s, workers={random.randint(2, 4)}, strategy={strategy!r})",
            f"execute_block(b, s, workers={random.randint(2, 4)}, strategy={strategy!r})",
            "execute_block(b, s, workers=2, record=True, state_roots=False)",
            f"execute_block(b, s, workers={random.randint(1, 4)}, changes=True)",
            f"execute_block(b, s, workers={random.randint(1, 4)}, witness=True)",
            f"build_block(replace(b.header, withdrawals_root=None), b.transactions, s, workers={random.randint(1, 3)})",
            "State.from_bytes(s.to_bytes()).root()",
            "s.prove(AT['count'], range(5))",
            "transact(t, s, h)",
            "transact(t, s, h)",
            "execute_block(b, State(source=source_of(s)), workers=2)",
            "call(s, h, to=AT['scan'], gas=10**6)",
            "run(CODES['spin'], gas=10**7, state=s)",
            "transact(t, s, h, tracer=Stepper())",
            "core.prefetch(b, State(source=source_of(s)), workers=2)",
            "s.root(workers=2)",
            "s.set_account(D, {'balance': 7, 'code': b'1', 'storage': {1: 2}})",
        )
    )
    return f"(lambda b, h, t: lambda s: {call})(block({kinds(random, 40) or repr('count')}), header(), transaction({kind!r}))"


@operation(2.5, CHANGES)
def storm(random: Random) -> str:
    """Interrupted at any moment, a block is executed or not; no thread, engine or checkpoint stays behind."""
    longest = random.choice(("0.0005", "0.002", "0.006"))
    return f"stormed({random.choice((30, 100))}, {longest}, {work(random)}, {random.choice(STATES)}, {random.randint(0, 99)})"


@operation(2, CHANGES)
def interrupted(random: Random) -> str:
    seconds = random.choice(("1e-5", "5e-5", "2e-4", "1e-3", "4e-3"))
    return f"whole({random.choice(STATES)}, {work(random)}, lambda go: interrupted({seconds}, go))"


@operation(3, CHANGES)
def raised_anywhere(random: Random) -> str:
    """An exception, as of a signal's handler, at some call of Python code within."""
    at = random.choice((*range(1, 40), *range(40, 300, 7)))
    return f"whole({random.choice(STATES)}, {work(random)}, lambda go: raised_at({at}, go))"


@operation(1.5)
def raised_everywhere(random: Random) -> str:
    """The same at each of the first calls, then: nothing is open, and copies share."""
    begin = random.choice((1, 1, 20, 60))
    return f"everywhere({work(random)}, State({{**accounts(), **dict(many(3000).items())}}), {begin})"


@operation(1.5, CHANGES)
def no_python_memory(random: Random) -> str:
    at = random.choice((*range(1, 40), *range(40, 400, 9)))
    return f"whole({random.choice(STATES)}, {work(random)}, lambda go: without_memory({at}, go))"


@operation(0.5)
def signals_reach(random: Random) -> str:
    """Ctrl-C ends whatever takes long."""
    kinds_ = ", ".join(repr(random.choice(("spin", "sloads"))) for _ in range(random.randint(1, 3)))
    block_ = f"block({kinds_}, gas=10**13, gas_limit=10**15)"
    on = random.choice(("State(accounts())", "State(source=source_of(State(accounts())))"))
    way = random.choice(
        (
            f"execute_block({block_}, {on}, workers={random.randint(1, 3)}, strategy={random.choice(('auto', 'optimistic', 'groups', 'sequential'))!r})",
            f"execute_block({block_}, {on}, workers=2)",
            f"core.prefetch({block_}, State(source=source_of(State(accounts()))), workers=2)",
            f"transact(transaction('spin', gas=10**13), {on}, header(gas_limit=10**15))",
            f"call({on}, header(gas_limit=10**15), to=AT['spin'])",
            f"call({on}, header(gas_limit=10**15), to=AT['spin'], tracer=Thing(on_exit=stop))",
            "run(CODES['spin'], gas=10**15)",
            "run(CODES['spin'], gas=10**15, tracer=Stepper())",
            "core.run_precompile(5, (2**20).to_bytes(32, 'big')*3 + b'\\xff'*(3*2**20), fork='Byzantium')",
        )
    )
    return f"soon(0.1, lambda: {way})"


@operation(0.1)
def signals_reach_much(random: Random) -> str:
    return random.choice(
        (
            "(lambda made: soon(0.1, lambda: recover_senders(made), 1.5))([transaction('send', n).sign(bytes([1])*32).forget_sender() for n in range(12000)] * 6)",
            "(lambda given: soon(0.1, lambda: keccak256(given), 1.0))(bytes(9*10**8))",
            "(lambda s: soon(0.1, lambda: s.root(), 1.0))(many(400000))",
            "(lambda s: soon(0.1, lambda: s.to_alloc(), 2.0))(many(300000))",
        )
    )


@operation(2, CHANGES)
def threads(random: Random) -> str:
    """Several threads use one state, one tracer, one set of transactions: right, or a clear error."""
    on = random.choice(("s", "s", "z"))
    calls = (
        *(
            f"{on}.set_balance(os.urandom(20), 1)",
            f"{on}.set_storage(os.urandom(20), 1, 1)",
            f"{on}.copy().set_balance(A, 1)",
        ),
        *(
            f"{on}.root(workers=2)",
            f"{on}.get_account(A)",
            f"{on}.to_alloc()",
            f"len({on})",
            f"{on}.revert({on}.snapshot())",
        ),
        *(f"call({on}, header(), to=AT['scan'], gas=10**6)", f"call({on}, header(), to=AT['count'], tracer=t)"),
        *(
            f"execute_block(b, {on}, workers=2, strategy='optimistic')",
            f"execute_block(b, {on}, workers=3, strategy='groups')",
        ),
        *(
            f"execute_block(b, {on}, workers=2)",
            f"transact(b.transactions[0], {on}, b.header)",
            f"{on}.__init__(accounts())",
        ),
        *("r.receipts", "r.state_root", "r.receipts_root", "r == r", "recover_senders(b.transactions, workers=2)"),
        *(
            "[tx.forget_sender() for tx in b.transactions]",
            "[tx.access_list for tx in b.transactions]",
            f"{on}.delete_account(A)",
        ),
        *(
            f"{on}.set_account(D, {{'storage': {{1: 1}}}})",
            "execute_block(b, State(accounts()), accesses=r.accesses, workers=2)",
        ),
        *(
            "core.prefetch(b, z, workers=2)",
            f"list({on}.items())",
            f"{on}.set_code(D, os.urandom(5))",
            f"call({on}, header(), to=D)",
        ),
    )
    picked = random.choices(calls, k=random.randint(2, 4))
    if random.random() < 0.5:
        picked[:2] = (
            random.choice([one for one in calls if "set_" in one or "copy" in one]),
            random.choice([one for one in calls if "b, " in one]),
        )
    chosen = ", ".join(f"lambda: {one}" for one in picked)
    return (
        f"(lambda s, z, b, r, t: together({random.choice((5, 20, 60))}, {chosen}))(State(accounts()), "
        f"State(source=source_of(State(accounts()))), block({kinds(random) or repr('count')}), "
        "execute_block(block('count', 'send'), State(accounts()), record=True), Stepper())"
    )


@operation(1, ordinary=True)
def little_memory(random: Random) -> str:
    """MemoryError or ResourceLimit, never the end of the process."""
    kind, gas = random.choice(GREEDY[1:]), "2**50"
    megabytes = random.choice((20, 50, 100, 200))
    way = random.choice(
        (
            f"run(CODES[{kind!r}], gas={gas}, fork='Cancun')",
            f"run(CODES[{kind!r}], gas={gas}, fork='Cancun', tracer=tracing.Recorder())",
            f"execute_block(block({kind!r}, gas=10**12, gas_limit={gas}), s, workers=2, strategy='optimistic')",
            f"execute_block(block({kind!r}, gas=10**12, gas_limit={gas}), s, workers=2, strategy='groups')",
            f"execute_block(block({kind!r}, 'count', gas=10**12, gas_limit={gas}), s, workers=1)",
            f"transact(transaction({kind!r}, gas=10**12), s, header(gas_limit={gas}))",
            f"call(s, header(gas_limit={gas}), to=AT[{kind!r}], gas=10**12)",
            f"call(State(source=source_of(s)), header(), to=AT[{kind!r}], gas=3*10**6)",
            "Transaction(data=bytes(60*2**20), to=D, sender=A).encode()",
            "Transaction(type=1, access_list=[(D, [1]*2000000)], to=D, sender=A)",
            "ordered_trie_root([bytes(10)]*3000000)",
            "[s.set_storage(D, n, 1) for n in range(10**7)]",
            "[s.set_balance(n.to_bytes(20, 'big'), 1) for n in range(10**7)]",
            "[(s.snapshot(), s.set_balance(D, n)) for n in range(10**7)]",
            "execute_block(block('count', 'log'), s, workers=256, strategy='optimistic')",
            "execute_block(block('count', 'log'), s, workers=64, strategy='groups')",
            "s.root(workers=256)",
            "recover_senders([transaction('send', n).sign(bytes([1])*32).forget_sender() for n in range(99)], workers=200)",
            "core.run_precompile(4, bytes(60*2**20))",
            "core.run_precompile(5, (3*10**7).to_bytes(32, 'big')*3 + bytes(9*10**7))",
            "core.ethash(1, bytes(32), bytes(8))",
        )
    )
    return f"(lambda s: unchanged(s, lambda: limited({megabytes}, lambda: {way})) if 'range(10' not in {way[:60]!r} else limited({megabytes}, lambda: {way}))(State(accounts()))"


@operation(0.4)
def forks(random: Random) -> str:
    on = random.choice(STATES)
    then = random.choice(("os._exit", "sys.exit"))
    before = random.choice(
        (
            f"execute_block({sound(random)}, {on}.copy(), workers=3, strategy={random.choice(('optimistic', 'groups'))!r}), ",
            "",
        )
    )
    return f"({before}forked(lambda: {work(random)}({on}), {then}))"


@operation(0.4)
def ends(random: Random) -> str:
    """The interpreter ends while daemon threads are at work."""
    work_ = random.choice(
        (
            "run(CODES['spin'], gas=2**60)",
            "run(CODES['spin'], gas=2**60, tracer=Stepper())",
            "call(s, header(), to=AT['spin'], gas=2**60, tracer=tracing.Eip3155(io.StringIO()))",
            "execute_block(block('spin', 'count', 'spin', gas=10**15, gas_limit=2**60), s, workers=2, strategy='optimistic')",
            "execute_block(block('spin', 'count', 'spin', gas=10**15, gas_limit=2**60), s, workers=2, strategy='groups')",
            "execute_block(block('spin', 'count', gas=10**15, gas_limit=2**60), State(source=source_of(s)), workers=2)",
            "transact(transaction('spin', gas=2**60), s, header(gas_limit=2**61))",
            "[s.copy().root(workers=2) for _ in range(10**9)]",
            "recover_senders([transaction('send', n).sign(bytes([1])*32).forget_sender() for n in range(999)] * 99, workers=2)",
        )
    )
    return f"(lambda s: exiting(lambda: {work_}))(State(accounts()))"


@operation(0.3)
def many_worker_counts(random: Random) -> str:
    """Engines of many sizes don't add up."""
    begin = random.randint(2, 60)
    return f"few_threads(lambda: [execute_block(block('count', 'fill'), State(accounts()), workers=n, strategy='optimistic') for n in range({begin}, {begin + 16})])"
