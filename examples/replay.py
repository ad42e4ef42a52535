"""Execute a block again and compare every result with its header: `python examples/replay.py [BLOCK_FILE]`."""

import sys

from evmcore import Block, execute_block, recover_senders
from evmcore.example import EXAMPLE_FILE


def main() -> None:
    block = Block.load(sys.argv[1] if len(sys.argv) > 1 else EXAMPLE_FILE)
    print(f"block {block.number} ({block.header.fork}): {len(block.transactions)} transactions")

    # Optional: execution recovers senders that are still missing by itself.
    recover_senders(block.transactions, fork=block.header.fork, workers=2)

    # execute_block changes the state that it is given. copy() shares memory until one of the two changes.
    state = block.pre_state.copy()
    result = execute_block(block, state, workers=1)

    for name in ("gas_used", "logs_bloom", "receipts_root", "transactions_root", "state_root"):
        if name == "state_root" and not block.is_pre_state_complete:
            continue  # the file has only what the block touches: not enough for the whole trie
        have, want = getattr(result, name), getattr(block.header, name)
        shown = have if isinstance(have, int) else "0x" + have.hex()[:16] + "…"
        print(f"  {name:18} {shown!s:20} {'matches the header' if have == want else 'DIFFERS from the header'}")

    failed = [index for index, receipt in enumerate(result.receipts) if not receipt.is_success]
    logs = sum(len(receipt.logs) for receipt in result.receipts)
    print(f"  {logs} logs; failed transactions: {failed}")


if __name__ == "__main__":
    main()
