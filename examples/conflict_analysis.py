"""What keeps a block from running in parallel: `python examples/conflict_analysis.py [BLOCK_FILE]`."""

import sys
from collections import defaultdict

from evmcore import Block, execute_block
from evmcore.example import EXAMPLE_FILE


def main() -> None:
    block = Block.load(sys.argv[1] if len(sys.argv) > 1 else EXAMPLE_FILE)
    result = execute_block(block, block.pre_state.copy(), workers=1, record=True)
    slots, gas = result.accesses.slots, [int(used) for used in result.accesses.transactions["gas_used"]]

    # A transaction depends on the last one before it that wrote a slot which it reads or writes.
    writer: dict[bytes, int] = {}
    depends_on: dict[int, set[int]] = defaultdict(set)
    conflicts: dict[bytes, int] = defaultdict(int)
    for row in slots:  # in the order of the transactions
        index, key = int(row["transaction"]), row["address"].tobytes() + row["slot"].tobytes()
        if key in writer and writer[key] != index:
            depends_on[index].add(writer[key])
            conflicts[key] += 1
        if row["is_write"]:
            writer[key] = index

    # The longest chain, in gas: with any number of processors, the block takes at least as long as this one takes.
    finish, before = [0] * len(gas), [-1] * len(gas)
    for index, used in enumerate(gas):
        if index in depends_on:
            before[index] = max(depends_on[index], key=finish.__getitem__)
        finish[index] = used + (finish[before[index]] if before[index] >= 0 else 0)
    at = max(range(len(gas)), key=finish.__getitem__)
    longest, chain = finish[at], []
    while at >= 0:
        chain.append(at)
        at = before[at]

    total = sum(gas)
    waiting = sum(index >= 0 for index in before)
    print(
        f"block {block.number}: {len(gas)} transactions, {total:,} gas; {waiting} depend on an earlier one through storage"
    )
    print(f"longest chain: {longest:,} gas in {len(chain)} transactions: {' → '.join(map(str, reversed(chain)))}")
    print(f"speed-up that storage conflicts allow: {total / longest:.1f}, with processors without number")
    print("slots that make most transactions wait:")
    for key, count in sorted(conflicts.items(), key=lambda item: -item[1])[:3]:
        print(f"  0x{key[:20].hex()} slot 0x{key[20:].hex()[-8:]}: {count}")


if __name__ == "__main__":
    main()
