"""A state that is fetched as execution needs it, in batches, as from a node or a database: `python examples/lazy_state.py`."""

from evmcore import Block, State, execute_block
from evmcore.example import EXAMPLE_FILE


def main() -> None:
    block = Block.load(EXAMPLE_FILE)
    database = block.pre_state  # stands for what is far away
    batches = []

    def fetch(keys: list) -> dict:
        """Answers all keys at once. (address, None) asks for an account, (address, slot) for a storage slot."""
        batches.append(keys)
        answers = {}
        for address, slot in keys:
            if slot is None:
                answers[address, slot] = database.get_account(address)  # None: there is no such account
            else:
                answers[address, slot] = database.get_storage(address, slot)
        return answers

    state = State(source=fetch)
    result = execute_block(block, state, workers=2, state_roots=False)

    # What isn't known of a transaction's keys is collected for all transactions first: few batches, however many keys.
    for number, keys in enumerate(batches, 1):
        slots = sum(slot is not None for _, slot in keys)
        print(f"batch {number}: {len(keys) - slots} accounts, {slots} slots")
    print(f"{sum(map(len, batches))} keys in {len(batches)} batches; the state now knows {len(state)} accounts")
    print("receipts as in the header:", result.receipts_root == block.header.receipts_root)


if __name__ == "__main__":
    main()
