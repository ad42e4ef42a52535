"""`python -m bench.layers`: ranges over processes, what messages cost, and what predictions are worth. Written to bench/layers.md.

    python -m bench.layers [--parts range,messages,router,pieces] [--repeat 20] [--blocks DIR]

Figures of a part that isn't measured stay.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import pickle
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from evmcore import Block, BlockAccessList, BlockResult, Header, State, Transaction, assemble, execute_block, keccak256
from evmcore.chain.schedule import rules_of
from evmcore.fixtures import block_paths
from evmcore.layers import (
    Assignment,
    Learned,
    Prediction,
    PreExecuted,
    Router,
    cut,
    execute_piece,
    merge_pieces,
    processes,
    replay_block,
    replay_range,
)
from evmcore.layers.carried import Carried
from evmcore.layers.prediction import actual
from evmcore.layers.replicas import share_of
from evmcore.layers.schedule import Scheduled, schedule_apart, schedule_together

from .machine import ROOT, description
from .synthetic import CONTENDED_BLOCKS, GIGAGAS_BLOCKS
from .tables import duration, table, times, write_marked

OUTPUT = ROOT / "bench" / "layers.md"
PROCESSORS = (2, 4, 16)
CHUNKS = (1, 25)
LAYERS = (1, 2, 4)


def cpu_of_all() -> float:
    """Of this process and of its children that have ended, in seconds."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def measured(run: Callable[[], None]) -> tuple[float, float]:
    """Wall time and processor time of it all, processes that it began and ended included."""
    wall, cpu = time.perf_counter(), cpu_of_all()
    run()
    return time.perf_counter() - wall, cpu_of_all() - cpu


def spin(count: int) -> int:
    """Work that shares nothing with anybody."""
    for _ in range(count):
        pass
    return count


def by_hand(paths: Sequence[str]) -> int:
    """A process's share of the range, without a word to anybody."""
    return sum(replay_block(path).is_ok for path in paths)


def host_gain(count: int = 30_000_000) -> float:
    """How much more two processes get done than one on this host, where they share nothing."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, spawn) as pool:
        list(pool.map(spin, [1000, 1000]))
        started = time.perf_counter()
        pool.submit(spin, count).result()
        one = time.perf_counter() - started
        started = time.perf_counter()
        list(pool.map(spin, [count, count]))
        two = time.perf_counter() - started
    return 2 * one / two


def range_part(paths: list[str], repeat: int) -> str:
    """Real blocks over two processes: by hand, and by replay_range."""
    every = paths * repeat
    spawn = multiprocessing.get_context("spawn")

    def alone() -> None:
        with ProcessPoolExecutor(1, spawn) as pool:
            assert pool.submit(by_hand, every).result() == len(every)

    def divided() -> None:
        with ProcessPoolExecutor(2, spawn) as pool:
            assert sum(pool.map(by_hand, [every[0::2], every[1::2]])) == len(every)

    def ranged(chunk: int) -> Callable[[], None]:
        def run() -> None:
            assert all(one.is_ok for one in replay_range(every, 2, processes, chunk=chunk))

        return run

    gain = host_gain()
    runs = {"one process": alone, "two processes, the files divided by hand, no messages": divided}
    runs |= {f"replay_range, chunk={chunk}": ranged(chunk) for chunk in CHUNKS}
    found = {name: measured(run) for name, run in runs.items()}
    one, hand = found["one process"], found["two processes, the files divided by hand, no messages"]
    rows = [
        [
            name,
            f"{wall:.2f} s",
            f"{cpu:.2f} s",
            times(one[0] / wall),
            times(one[1] / cpu),
            times(hand[1] / cpu) if name != "one process" else "-",
        ]
        for name, (wall, cpu) in found.items()
    ]
    return (
        f"{len(paths)} blocks × {repeat} from files, each on one thread, starts of the processes included. This host's two processors get "
        f"{gain:.2f} times as much done as one where two processes share nothing at all; more than that no way of dividing work gives here. "
        "CPU efficiency: processor time of one process over that of all; beside it over that of two processes without messages, which "
        "leaves out what the host's processors take from each other.\n\n"
        + table(["", "wall", "processor", "× one process", "CPU efficiency", "beside no messages"], rows)
        + f"\n\n{description()}"
    )


def echo(item: object) -> object:
    """A task that does nothing."""
    return None


def messages_part(paths: list[str]) -> str:
    """What a task and a block cost who gives them out; and how far that goes."""
    blocks = [Block.load(path) for path in paths]
    packed = [Carried.pack(block) for block in blocks]
    sizes = [len(pickle.dumps(carried)) for carried, _ in packed]
    codes = [sum(map(len, codes.values())) for _, codes in packed]
    whole = [len(pickle.dumps(block)) for block in blocks]

    def per(run: Callable[[], None], count: int) -> float:
        best = min(measured_cpu(run) for _ in range(5))
        return best / count

    def measured_cpu(run: Callable[[], None]) -> float:
        started = time.process_time()
        run()
        return time.process_time() - started

    packing = per(lambda: [Carried.pack(block) for block in blocks] and None, len(blocks))
    pickling = per(lambda: [pickle.dumps(carried) for carried, _ in packed] and None, len(blocks))
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        pool.submit(echo, 1).result()
        small = per(lambda: [one.result() for one in [pool.submit(echo, "path") for _ in range(500)]] and None, 500)
    executing = statistics.mean(min(replay_block(path).cpu_seconds for _ in range(2)) for path in paths)
    rows = [
        ["a task, for the client", duration(small)],
        ["a block made ready to travel, for the client", duration(packing)],
        ["its pickle", duration(pickling)],
        ["a block with its codes", f"{statistics.mean(whole) / 1e3:.0f} kB"],
        ["a block without its codes", f"{statistics.mean(sizes) / 1e3:.0f} kB"],
        ["its codes, sent once to each worker", f"{statistics.mean(codes) / 1e3:.0f} kB"],
        ["a block for a worker: read, execute, verify", duration(executing)],
    ]
    counts = (1, 2, 10, 100, 1000)
    plans = []
    for name, chunk, per_block in (
        ("paths, chunk=1", 1, 0.0),
        ("paths, chunk=25", 25, 0.0),
        ("blocks, chunk=1", 1, packing + pickling),
        ("blocks, chunk=25", 25, packing + pickling),
    ):
        plans.append([name, *(times(planned(n, chunk, small, per_block, executing)) for n in counts)])
    return (
        table(["means of the real blocks, processor time", ""], rows)
        + "\n\nPlanned from these: times as fast as one worker, for 200 chunks a worker. The client gives out one task after the other, workers "
        "take what comes, the network isn't the limit.\n\n"
        + table(["workers", *map(str, counts)], plans)
        + f"\n\n{description()}"
    )


def planned(workers: int, chunk: int, per_task: float, per_block: float, executing: float) -> float:
    """How many times as fast so many workers are as one that is given work for nothing: a simulation, task by task."""
    import heapq

    tasks = 200 * workers
    free = [0.0] * workers
    client = end = 0.0
    for _ in range(tasks):
        client += per_task + chunk * per_block
        begin = max(client, heapq.heappop(free))
        end = max(end, begin + chunk * executing)
        heapq.heappush(free, begin + chunk * executing)
    return tasks * chunk * executing / max(end, client)


def known(block: Block) -> list[Prediction]:
    """What the transactions of a block do."""
    result = execute_block(
        block, block.pre_state.copy(), workers=1, strategy="sequential", record=True, state_roots=False
    )
    return actual(result.accesses, block.transactions)


def by_random(done: list[Prediction], layers: int) -> Assignment:
    picks = random.Random(1)
    groups: list[list[int]] = [[] for _ in range(layers)]
    for index in range(len(done)):
        groups[picks.randrange(layers)].append(index)
    return Assignment(tuple(map(tuple, groups)))


def by_sender(done: list[Prediction], layers: int) -> Assignment:
    groups: list[list[int]] = [[] for _ in range(layers)]
    for index, one in enumerate(done):
        groups[int.from_bytes(one.sender or b"", "big") % layers].append(index)
    return Assignment(tuple(map(tuple, groups)))


def by_gas(limits: list[int], layers: int) -> Assignment:
    """The largest gas limit first, to the layer with the least."""
    return Router(layers).assign_units(limits)


def router_table(blocks: Sequence[Block], before: Sequence[Block] = ()) -> str:
    """Speed-ups in gas time by who assigns, the mean of the blocks; wasted gas at the most processors."""
    apart: dict[str, dict[int, list[Scheduled]]] = {}
    together: dict[str, dict[int, list[Scheduled]]] = {}
    learned = Learned()
    for block in before:
        learned.state = block.pre_state
        for one, did in zip(block.transactions, known(block)):
            learned.learn(one, did)
    for block in blocks:
        done = known(block)
        if not done:
            continue
        pre = PreExecuted(block.pre_state, block.header)
        learned.state = block.pre_state
        predictions = {
            "learned": [learned.predict(one) for one in block.transactions],
            "pre-executed": [pre.predict(one) for one in block.transactions],
            "oracle": done,
        }
        for one, did in zip(block.transactions, done):
            learned.learn(one, did)
        limits = [one.gas_limit for one in block.transactions]
        for count in PROCESSORS:
            ways = {
                "random": by_random(done, count),
                "by sender": by_sender(done, count),
                "by gas": by_gas(limits, count),
                **{name: Router(count).assign(said) for name, said in predictions.items()},
            }
            for name, assignment in ways.items():
                apart.setdefault(name, {}).setdefault(count, []).append(schedule_apart(done, assignment))
            for name, said in {"none": None, **predictions}.items():
                together.setdefault(name, {}).setdefault(count, []).append(schedule_together(done, count, said))
    return "\n\n".join(
        table(
            [head, *(f"{count} processors" for count in PROCESSORS), "wasted gas"],
            [
                [
                    name,
                    *(times(statistics.mean(one.speed_up for one in per[count])) for count in PROCESSORS),
                    f"{sum(one.wasted for one in per[PROCESSORS[-1]]) / sum(one.total for one in per[PROCESSORS[-1]]):.1%}",
                ]
                for name, per in found.items()
            ],
        )
        for head, found in (("layers that don't see each other", apart), ("one engine, by what predicts", together))
    )


def router_part(paths: list[str]) -> str:
    """Real blocks, and blocks that conflict much."""
    real = router_table([Block.load(path) for path in paths])
    hard = router_table(
        [make(300) for _, make in CONTENDED_BLOCKS.values()], [make(100) for _, make in CONTENDED_BLOCKS.values()]
    )
    return (
        f"{len(paths)} real blocks, in the order of the chain; time is gas, and messages cost nothing. `learned` has seen the blocks before "
        "each, which are months apart here.\n\n"
        + real
        + f"\n\nBlocks of 300 transactions that conflict much ({', '.join(name for name, _ in CONTENDED_BLOCKS.values())}); `learned` has seen one of 100 of each:\n\n"
        + hard
    )


def balance(blocks: Sequence[Block], layers: int) -> str:
    """What a change that the list has costs, fitted to the blocks' transactions, and how even `cut` is on them."""
    ff = fs = ss = fg = sg = 0
    count, unevenness = 0, []
    for block in blocks:
        result = execute_block(block, block.pre_state.copy(), workers=1, access_list=True)
        listed = replace(block, access_list=result.access_list)
        gas = [execution for execution, _ in result.transaction_gas]
        base = rules_of(block.header.fork).transaction_gas
        for (fields, slots), used in zip(result.access_list.change_counts(len(gas))[1:-1], gas):
            ff, fs, ss = ff + fields * fields, fs + fields * slots, ss + slots * slots
            fg, sg = fg + fields * (used - base), sg + slots * (used - base)
        count += len(gas)
        pieces = cut(listed, layers)
        unevenness.append(max(sum(gas[first:last]) for first, last in pieces) * len(pieces) / sum(gas))
    scale = ff * ss - fs * fs
    return (
        f"What `cut` takes a transaction to cost, fitted by least squares to the {count} of the real blocks: its fork's `transaction_gas`, "
        f"{(fg * ss - sg * fs) / scale:.0f} gas for each field of an account that the list says it changes, {(sg * ff - fg * fs) / scale:.0f} for each slot. "
        f"The longest of {layers} pieces has {statistics.mean(unevenness):.2f} times the mean's gas, {max(unevenness):.2f} at worst."
    )


def fresh(block: Block) -> Block:
    """The block with senders that nobody has recovered."""
    return replace(block, transactions=tuple(Transaction.decode(one.raw) for one in block.transactions))


def pieces_part(paths: list[str]) -> str:
    """Each block whole and in pieces, by processor time: of the longest way through the layers, as if each had a processor of its own."""
    real = [Block.load(path) for path in paths]
    groups = {
        "real blocks since Byzantium": [
            one for one in real if rules_of(one.header.fork).receipt_has_status and one.transactions
        ],
        "100 megagas of payments, signed": [signed_payments(10**8)],
        "a gigagas of payments, signed": [signed_payments(10**9)],
        "a gigagas of payments, senders known": [GIGAGAS_BLOCKS["transfers"][1](10**9)],
        "a gigagas of token transfers, senders known": [GIGAGAS_BLOCKS["erc20"][1](10**9)],
        "a gigagas of swaps, senders known": [GIGAGAS_BLOCKS["swaps"][1](10**9)],
        "a gigagas of long calls, senders known": [long_calls(10**9)],
    }
    rows = []
    for name, blocks in groups.items():
        whole, shares = 0.0, dict.fromkeys(("pieces", "merge"), 0.0)
        ways = dict.fromkeys(LAYERS, 0.0)
        right = 0
        for block in blocks:
            result = execute_block(fresh_if_signed(block), block.pre_state.copy(), workers=1, access_list=True)
            whole += min(timed(fresh_if_signed(block)) for _ in range(3))
            for count in LAYERS:
                found, longest, rest = in_pieces(fresh_if_signed(replace(block, access_list=result.access_list)), count)
                right += found == result
                ways[count] += longest + rest
                if count == LAYERS[-1]:
                    shares["pieces"] += longest
                    shares["merge"] += rest
        rows.append(
            [
                name,
                f"{right} of {len(blocks) * len(LAYERS)}",
                duration(whole),
                *(times(whole / ways[count]) for count in LAYERS),
                f"{shares['merge'] / (shares['pieces'] + shares['merge']):.0%}",
            ]
        )
    return (
        "Times as fast as `execute_block` with one worker: its processor time over that of the longest piece, sender recovery included, and of what is "
        "done once: cutting, pickling there and back, merging. Roots and the network aren't in it. The synthetic blocks are `bench.synthetic`'s, but for "
        "signed payments and long calls, of a million gas each.\n\n"
        + table(["", "right", "whole", *(f"{count} layers" for count in LAYERS), f"done once, of {LAYERS[-1]}"], rows)
        + f"\n\n{balance(groups['real blocks since Byzantium'], LAYERS[-1])}"
        + f"\n\n{description()}"
    )


def in_pieces(block: Block, count: int) -> tuple[BlockResult, float, float]:
    """The result, the processor time of the longest piece, and that of what is done once."""
    state = block.pre_state.copy()
    began = time.process_time()
    pieces = cut(block, count)
    listed = block.access_list.encode()
    shares = [pickle.dumps(share_of(block, *piece)) for piece in pieces]
    rest = time.process_time() - began
    took, answers = [], []
    for share, (first, last) in zip(shares, pieces):
        began = time.process_time()
        own = replace(pickle.loads(share), access_list=BlockAccessList.decode(listed))
        answers.append(pickle.dumps(execute_piece(own, state, first, last)))
        took.append(time.process_time() - began)
    began = time.process_time()
    found = merge_pieces(block, state, [pickle.loads(answer) for answer in answers])
    return found, max(took), rest + time.process_time() - began


def timed(block: Block) -> float:
    """Processor time of one execution by one worker."""
    state = block.pre_state.copy()
    began = time.process_time()
    execute_block(block, state, workers=1)
    return time.process_time() - began


def fresh_if_signed(block: Block) -> Block:
    return fresh(block) if block.transactions and block.transactions[0].r else block


def signed_payments(gas: int) -> Block:
    """Payments between strangers, signed: most of the work is recovering senders."""
    keys = [(index + 1).to_bytes(32, "big") for index in range(gas // 21_000)]
    transactions = tuple(
        Transaction(to=keccak256(key)[12:], value=1, gas_price=2, chain_id=1).sign(key) for key in keys
    )
    accounts = {one.sender: {"balance": 10**18} for one in transactions}
    header = Header(number=1, fork="Cancun", gas_limit=2 * gas, base_fee_per_gas=1, coinbase=bytes([0xC0]) * 20)
    return Block(header, transactions, withdrawals=(), pre_state=State(accounts))


def long_calls(gas: int) -> Block:
    """Calls that compute for a million gas each and leave little."""
    caller, contract = keccak256(b"caller")[12:], keccak256(b"contract")[12:]
    code = assemble(
        "PUSH 20000 loop: JUMPDEST PUSH 1 SWAP1 SUB DUP1 DUP1 MUL POP DUP1 PUSH @loop JUMPI CALLER SLOAD PUSH 1 ADD CALLER SSTORE STOP"
    )
    callers = [keccak256(caller + number.to_bytes(4, "big"))[12:] for number in range(gas // 10**6)]
    accounts = {one: {"balance": 10**18} for one in callers} | {contract: {"code": code, "nonce": 1}}
    transactions = tuple(Transaction(sender=one, to=contract, gas_limit=10**6, gas_price=2) for one in callers)
    header = Header(number=1, fork="Cancun", gas_limit=2 * gas, base_fee_per_gas=1, coinbase=bytes([0xC0]) * 20)
    return Block(header, transactions, withdrawals=(), pre_state=State(accounts))


def main() -> None:
    """Measure, and write each part when it is done."""
    default = ROOT.parent / "shared" / "mainnet-blocks"
    parser = argparse.ArgumentParser(prog="python -m bench.layers", description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=Path, default=default, metavar="DIR")
    parser.add_argument("--parts", default=",".join(PARTS), metavar="P,…", help=", ".join(PARTS))
    parser.add_argument(
        "--repeat", type=int, default=20, metavar="N", help="how often the blocks are in the range (default: 20)"
    )
    arguments = parser.parse_args()
    paths = [str(path) for path, _ in block_paths([arguments.blocks]) if path.name.split(".")[0].isdecimal()]
    for part in arguments.parts.split(","):
        print(part, file=sys.stderr, flush=True)
        text = PARTS[part](paths, arguments.repeat) if part == "range" else PARTS[part](paths)
        write_marked(OUTPUT, part, text)


PARTS: dict[str, Callable[..., str]] = {
    "range": range_part,
    "messages": messages_part,
    "router": router_part,
    "pieces": pieces_part,
}

if __name__ == "__main__":
    main()
