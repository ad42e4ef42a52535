"""Public functions and types with arguments of every sort: each call gives an answer or a plain exception."""

from __future__ import annotations

from random import Random

from .. import values
from ..sequence import CHANGES, STATES, operation
from ..values import (
    address,
    block,
    data,
    fork,
    header,
    listed,
    state,
    strategy,
    thing,
    tracer,
    transaction,
    word,
    workers,
)

SEND = '"send"'


@operation(3)
def make_transaction(random: Random) -> str:
    """What it shows reads as what was given, and survives its encoding."""
    made = f"Transaction({values.transaction_fields(random)})"
    return f"shown({random.choice((made, made, transaction(random, 0.5)))})"


@operation(1)
def lists_that_lie(random: Random) -> str:
    """Sequences of sound items that lie of themselves, wherever one is taken."""
    keys, some = listed(random, "5", 0.8), listed(random, "(D, [5])", 0.5)
    return random.choice(
        (
            f"shown(Transaction(type=1, access_list=[(D, {keys}), (A, {keys})], to=D, sender=A))",
            f"shown(Transaction(type=1, access_list={some}, to=D, sender=A))",
            f"shown(Transaction(access_list=[{{'address': D, 'storageKeys': {keys}}}], to=D, sender=A))",
            f"shown(Transaction(type=3, blob_versioned_hashes={listed(random, 'bytes(32)', 0.9)}, to=D, sender=A))",
            f"shown(Transaction(authorization_list={listed(random, '(1, D, 0, 1, 5, 6)', 0.9)}, to=D, sender=A))",
            f"execute_block(Thing(header=header(), transactions={listed(random, f'transaction({SEND})', 0.9)}, "
            "ommers=(), withdrawals=None, pre_state=None, is_pre_state_complete=True), State(accounts()), workers=2)",
            f"recover_senders({listed(random, f'transaction({SEND}).forget_sender()', 0.9)})",
            f"core.withdrawals_root({listed(random, 'Withdrawal(1, 2, D, 3)', 0.9)})",
            f"ordered_trie_root({listed(random, 'bytes(9)', 0.9)})",
            f"Block(header(), {listed(random, f'transaction({SEND})', 0.9)}).encode()",
        )
    )


@operation(1.5)
def transaction_members(random: Random) -> str:
    made = transaction(random, 0.3)
    bare = random.choice((made, made, made, "Transaction.__new__(Transaction)", "t0"))
    return random.choice(
        (
            f"Transaction.decode({data(random, 0.5)})",
            f"Transaction.decode(PlainBytes({made}.encode()))",
            f"{bare}.sign({random.choice(('bytes([1])*32', 'bytes(32)', data(random, 0.6)))}).sender",
            f"{bare}.with_sender({address(random, 0.5)}).sender",
            f"{bare}.forget_sender().sender",
            f"[getattr({bare}, name) for name in dir(Transaction) if name[0] != '_' and not callable(getattr(Transaction, name))]",
            f"{bare}.__init__({values.transaction_fields(random)})",
            f"({bare}, hash({bare}), repr({bare}), {bare} == {thing(random)})",
            f"same_after_copies({made})",
            f"t0 = {made}",
        )
    )


@operation(2)
def honest_subclasses(random: Random) -> str:
    """A subclass of bytes, str or int that adds nothing counts as what it is."""
    return random.choice(
        (
            "agree(lambda b: State({b(D): {'balance': 1, 'code': b(bytes(3))}}).root())",
            "agree(lambda b: keccak256(b(bytes(3))))",
            "agree(lambda b: Transaction(to=b(D), data=b(bytes(9)), sender=b(A)).encode())",
            "agree(lambda b: Transaction.decode(b(transaction('send').encode())))",
            "agree(lambda b: ordered_trie_root([b(bytes(4))]))",
            "agree(lambda b: run(b(CODES['count']), b(bytes(4)), sender=b(A)).gas_used)",
            "agree(lambda b: call(State(accounts()), header(), to=b(AT['count']), data=b(D)).gas_used)",
            "agree(lambda b: core.run_precompile(2, b(D)))",
            "agree(lambda b: Header(parent_hash=b(bytes(32)), coinbase=b(D)).hash)",
            "agree(lambda b: Block.decode(b(block('send').encode())).hash)",
            "agree(lambda b: (lambda s: (s.set_code(b(D), b(bytes(3))), s.get_storage(b(D), 1), s.root())[2])(State()))",
            "agree(lambda b: Block(header(), [], (), [Withdrawal(1, 2, b(D), 3)]).encode())",
            "agree(lambda b: str(disassemble(b(bytes(3)))))",
        )
    )


@operation(3, CHANGES)
def execute(random: Random) -> str:
    on = state(random, 0.25)
    options = [f"workers={workers(random)}", f"strategy={strategy(random)}"]
    for name in ("state_roots", "record", "accesses"):
        if random.random() < 0.15:
            options.append(f"{name}={random.choice(('True', 'False', thing(random)))}")
    if random.random() < 0.15:
        options = [f"workers={random.choice(('None', '1', workers(random)))}", f"tracer={tracer(random)}", *options[2:]]
    random.shuffle(options)
    call = f"execute_block({block(random)}, {on}, {', '.join(options[: random.randint(0, 5)])})"
    return f"unchanged({on}, lambda: {call})" if on in STATES else f"r0 = {call}"


@operation(1, CHANGES)
def decoded_block(random: Random) -> str:
    """A block from its bytes has no state before it."""
    return random.choice(
        (
            "(lambda b: execute_block(b, b.pre_state))(Block.decode(block('send').encode(), fork='Cancun'))",
            "(lambda b: list(replay_range([b])))(Block.decode(block('send').encode(), fork='Cancun'))",
            f"same_after_copies({block(random)})",
            f"list(replay_range([{block(random)}, {thing(random)}, b'', b'\\x1f\\x8b', '/nonexistent'], {word(random)}))",
            f"Block({thing(random)}, {listed(random, transaction(random))}, {thing(random)}, {thing(random)}).{random.choice(('encode()', 'hash', 'number'))}",
            f"Block.decode({data(random)})",
            f"Block.from_json({thing(random)})",
        )
    )


@operation(2, CHANGES)
def transact(random: Random) -> str:
    options = random.choice(("", f", tracer={tracer(random)}"))
    on = state(random, 0.2)
    made = thing(random) if random.random() < 0.1 else transaction(random)
    call = f"transact({made}, {on}, {header(random)}{options})"
    return f"unchanged({on}, lambda: {call})" if on in STATES else call


@operation(2)
def call(random: Random) -> str:
    options = {
        "sender": address(random), "to": random.choice(("None", address(random))), "data": data(random), "value": word(random),
        "gas": random.choice(("100000", word(random, 0.6))), "gas_price": word(random), "tracer": tracer(random),
    }  # fmt: skip
    # With no bound of its own, a program that never ends would take all of the header's gas.
    names = ["gas", *random.sample([name for name in options if name != "gas"], random.randint(0, 4))]
    return f"call({state(random, 0.2)}, {header(random)}, {', '.join(f'{name}={options[name]}' for name in names)})"


@operation(2)
def run(random: Random) -> str:
    options = {
        "gas": random.choice(("100000", "2**70", "-1", thing(random))), "fork": fork(random), "value": word(random),
        "sender": address(random), "header": header(random), "state": state(random), "repeat": random.choice(("0", "-1", "2", thing(random))),
        "tracer": tracer(random),
    }  # fmt: skip
    names = random.sample(list(options), random.randint(0, 4))
    return f"run({data(random)}, {', '.join(f'{name}={options[name]}' for name in names)})"


@operation(2)
def result_members(random: Random) -> str:
    bare = random.choice(
        ("BlockResult()", "BlockResult.__new__(BlockResult)", "r0", "r0", "type('Sub', (BlockResult,), {})()")
    )
    names = (
        *("gas_used", "receipts", "receipts_root", "state_root", "accesses", "statistics", "requests", "logs_bloom"),
    )
    names = (*names, "withdrawals_root", "requests_hash", "transactions_root", "blob_gas_used", "__init__()")
    return random.choice(
        (
            f"{bare}.{random.choice(names)}",
            f"{bare}.{random.choice(names)}",
            f"{bare}.differences({random.choice((thing(random), 'r0', 'BlockResult.__new__(BlockResult)'))})",
            f"({bare} == r0, repr({bare}))",
        )
    )


@operation(2)
def small_functions(random: Random) -> str:
    n, some = word(random, 0.4), thing(random)
    precompile = random.choice(("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "0x100", "11", n))
    return random.choice(
        (
            f"keccak256({data(random, 0.6)})",
            f"ordered_trie_root({listed(random, data(random))})",
            f"core.withdrawals_root({listed(random, f'Withdrawal({n}, 2, {address(random)}, {n})')})",
            f"core.withdrawals_root([Thing(index={n}, validator_index={some}, address={address(random)}, amount_gwei=1)])",
            f"recover_senders({listed(random, transaction(random))}, fork={fork(random)}, workers={workers(random, 0.4)})",
            f"core.run_precompile({precompile}, {data(random)}, gas={random.choice(('10**6', n))}, fork={fork(random)})",
            f"core.base_gas({random.choice(('1', '256', '-1', '2**31-1', '-2**31', n))}, {fork(random)})",
            f"core.fork_rules({fork(random, 0.5)})",
            f"fork_name({fork(random, 0.6)}), fork_index({fork(random, 0.6)})",
            f"core.fake_exponential({n}, {word(random)}, {word(random)})",
            f"core.blob_base_fee({n}, {fork(random)}, {random.choice(('None', word(random)))})",
            f"core.ethash({n}, {data(random)}, {data(random)})",
            f"core.check_transaction({data(random, 0.5)}, {fork(random, 0.6)}, {n})",
            f"core.prefetch({block(random)}, {state(random)}, workers={workers(random)}, accesses={some})",
            f"to_address({address(random, 0.8)})",
            f"rlp.decode({data(random, 0.5)})",
            f"rlp.encode({listed(random, data(random))})",
            f"next(disassemble({data(random, 0.5)}, {fork(random)}).lines(), None)",
            f"assemble({random.choice((repr('PUSH'), repr('PUSH @x'), repr('PUSH 99999999999999999999'), some))})",
            f"header({random.choice(values.HEADER_NAMES)}={word(random, 0.8)}).encode()",
            f"Header.decode({data(random)})",
            f"Header.from_json({some})",
            f"auto_history(reset={some})",
            f"BlockHashes({{{n}: {data(random, 0.6)}, 5: bytes(32)}}, synthetic={some})",
            f"(lambda h: (h.get({n}), {n} in h, {some} in h, h == {some}, list(h.items()), repr(h)))(BlockHashes({{{n}: bytes(32)}}, synthetic=True))",
            f"call(State(), header(block_hashes={random.choice((some, f'BlockHashes({some})', f'{{{n}: bytes(32)}}'))}), gas=10**5)",
            f"core.set_native_symbol({some}, 0)",
        )
    )


@operation(1)
def messages(random: Random) -> str:
    """What an exception says of numbers is right."""
    fee, value = random.choice(("2**255", "2**256-1", "10**20")), random.choice(("0", "2**256-1", "5"))
    fields = f"nonce=0, to=D, value={value}, gas_limit=2**40, sender=A"
    kind = random.choice((f"gas_price={fee}", f"max_fee_per_gas={fee}"))
    return f"costs(Transaction({fields}, {kind}), {fee} * 2**40 + {value}, header(gas_limit=2**50))"


@operation(0.7)
def huge_blob_price(random: Random) -> str:
    excess, fraction = (
        random.choice(("2**64-1", "2**63", "10**9", "6*10**8")),
        random.choice(("1", "3338477", "0", "-1", "2**70")),
    )
    changes = random.choice(
        (f"excess_blob_gas={excess}", f"excess_blob_gas={excess}, blob_schedule=(1, 2, {fraction})")
    )
    return f"refused(lambda: execute_block(block('send', {changes}), State(accounts())))"
