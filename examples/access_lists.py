"""Record what a block reads and writes (EIP-7928), and execute the block with that list: `python examples/access_lists.py`."""

from collections import Counter

from evmcore import Block, execute_block
from evmcore.accesses import Accesses
from evmcore.example import EXAMPLE_FILE


def main() -> None:
    block = Block.load(EXAMPLE_FILE)
    recorded = execute_block(block, block.pre_state.copy(), workers=1, record=True)
    accesses = recorded.accesses
    print(f"{len(accesses.accounts)} accesses of accounts, {len(accesses.slots)} of storage slots")

    # NumPy structured arrays: one row for each transaction and account, or slot.
    writes = accesses.slots[accesses.slots["is_write"] == 1]
    by_slot = Counter((row["address"].tobytes(), row["slot"].tobytes()) for row in writes)
    print("slots that most transactions write:")
    for (address, slot), count in by_slot.most_common(3):
        print(f"  0x{address.hex()} slot 0x{slot.hex()[-8:]}: {count} transactions")

    # The shape of EIP-7928, as JSON: accounts in order of address, index 1 is the first transaction.
    as_json = accesses.to_json()
    busiest = max(as_json, key=lambda account: len(account["storageChanges"]))
    print(f"as a block access list: {len(as_json)} accounts; {busiest['address']} changes")
    for change in busiest["storageChanges"][:2]:
        print(
            f"  slot {change['slot'][:12]}…: {len(change['slotChanges'])} times, last to {change['slotChanges'][-1]['postValue']}"
        )

    # With the list each transaction sees at once what earlier ones will have written: nothing is executed twice.
    result = execute_block(block, block.pre_state.copy(), workers=2, accesses=Accesses.from_json(as_json))
    assert result == recorded
    print(
        f"executed with the list: {result.statistics.executions} executions of {len(block.transactions)} transactions"
    )


if __name__ == "__main__":
    main()
