"""A chain of one's own: genesis, blocks, import, and a block that is refused. `python examples/custom_chain.py`."""

from dataclasses import replace

from evmcore import Block, EvmError, Header, Transaction, ordered_trie_root
from evmcore.chain import Chain, Genesis

KEY = (1).to_bytes(32, "big")  # known to everybody
SENDER = Transaction(to=bytes(20), chain_id=777).sign(KEY).sender
FRIEND = bytes([0xB0]) * 20
# In go-ethereum's form; every fork up to Shanghai holds from the first block.
EIPS = ["eip150", "eip155", "eip158"]
OLD = ["homestead", *EIPS, "byzantium", "constantinople", "petersburg", "istanbul", "berlin", "london"]
CONFIG = {"chainId": 777, "terminalTotalDifficulty": 0, "shanghaiTime": 0} | {fork + "Block": 0 for fork in OLD}
ALLOC = {SENDER.hex(): {"balance": hex(10**21)}}


def block_on(chain: Chain, transactions: tuple[Transaction, ...]) -> Block:
    """A block on the head of the chain, with the results of its execution in the header."""
    parent = chain.head.header
    header = Header(
        parent_hash=chain.head.hash,
        number=parent.number + 1,
        timestamp=parent.timestamp + 12,
        gas_limit=parent.gas_limit,
        # Blocks below half of the gas limit make gas cheaper by up to an eighth (EIP-1559).
        base_fee_per_gas=parent.base_fee_per_gas
        - parent.base_fee_per_gas * (parent.gas_limit // 2 - parent.gas_used) // (parent.gas_limit // 2) // 8,
        transactions_root=ordered_trie_root([tx.encode() for tx in transactions]),
        withdrawals_root=ordered_trie_root([]),
    )
    block = Block(header, transactions, withdrawals=())
    result, _ = chain.execute(block, chain.head)
    names = ("gas_used", "logs_bloom", "receipts_root", "state_root")
    return block.with_header(**{name: getattr(result, name) for name in names})


def main() -> None:
    chain = Chain(Genesis.from_json({"config": CONFIG, "alloc": ALLOC, "gasLimit": hex(30_000_000)}))
    print(f"genesis 0x{chain.head.hash.hex()[:16]}… ({chain.head.header.fork})")
    for nonce in range(3):
        payment = Transaction(
            to=FRIEND, value=10**18, nonce=nonce, max_fee_per_gas=10**10, max_priority_fee_per_gas=1, chain_id=777
        ).sign(KEY)
        entry = chain.add(block_on(chain, (payment,)).encode())
        balance = chain.state_of(entry).get_balance(FRIEND)
        base_fee = entry.header.base_fee_per_gas
        print(f"block {entry.number} 0x{entry.hash.hex()[:16]}… base fee {base_fee:,}: the friend has {balance:,} wei")

    good = block_on(chain, ())
    bad = replace(good, header=replace(good.header, gas_used=21_000))
    try:
        chain.add(bad.encode())
    except EvmError as error:
        print(f"refused: {error}; the head is still block {chain.head.number}")


if __name__ == "__main__":
    main()
