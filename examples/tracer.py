"""Trace a transaction with a Python object: gas by instruction, and the tree of calls. `python examples/tracer.py`."""

from collections import Counter

from evmcore import Block, transact
from evmcore.example import EXAMPLE_FILE
from evmcore.tracing import CallEnd, CallStart, Step, Tracer


class Profile(Tracer):
    """Sums the gas of each kind of instruction, and prints calls as they begin and end."""

    wants_stack = False  # what a tracer doesn't want isn't made
    wants_return_data = False

    def __init__(self) -> None:
        self.gas: Counter[str] = Counter()
        self.count: Counter[str] = Counter()

    def on_enter(self, start: CallStart) -> None:
        print("  " * start.depth + f"{start.kind} 0x{start.address.hex()[:8]}… with {start.gas:,} gas")

    def on_step(self, step: Step) -> None:
        self.count[step.name] += 1
        # The cost of a call includes the gas it hands on, which is counted inside.
        self.gas[step.name] += 0 if "CALL" in step.name else step.gas_cost

    def on_exit(self, end: CallEnd) -> None:
        print("  " * end.depth + f"used {end.gas_used:,}" + (f", {end.error}" if end.error else ""))


def main() -> None:
    block = Block.load(EXAMPLE_FILE)
    state = block.pre_state.copy()
    for index, tx in enumerate(block.transactions):
        # The swaps of the example block are the transactions with an access list. Those before only change the state.
        if not tx.access_list:
            transact(tx, state, block.header)
            continue
        print(f"transaction {index}:")
        profile = Profile()
        receipt = transact(tx, state, block.header, tracer=profile)
        print(f"{receipt.gas_used:,} gas; the instructions that cost most:")
        for name, gas in profile.gas.most_common(5):
            print(f"  {name:10} {profile.count[name]:4} times {gas:7,} gas")
        break


if __name__ == "__main__":
    main()
