"""Questions to a state that leave it as it was: `python examples/what_if.py`."""

from evmcore import Block, Transaction, call, transact
from evmcore.example import EXAMPLE_FILE
from evmcore.example.contracts import APPROVE, call_data
from evmcore.example.generate import FIRST_TOKEN, PAIR_ADDRESS, Person

BALANCE_OF = 0x70A08231  # of the ERC-20 function balanceOf(address)


def main() -> None:
    block = Block.load(EXAMPLE_FILE)
    state, header = block.pre_state.copy(), block.header
    trader = Person(0)

    # A call changes nothing and needs no signature.
    held = call(state, header, to=FIRST_TOKEN, data=call_data(BALANCE_OF, trader.address))
    print(f"the trader holds {held.word:,} of the first token (asked for {held.gas_used} gas)")

    # What would the pair pay for different amounts? Each swap starts from the same state.
    root = state.root()
    print(f"{'paid':>10} {'received':>10} {'price':>7} {'gas':>8}")
    for amount in (1_000, 10_000, 100_000, 1_000_000):
        snapshot = state.snapshot()
        nonce = state.get_nonce(trader.address)

        def send(to: bytes, data: bytes, nonce: int) -> Transaction:
            fees = {"max_fee_per_gas": header.base_fee_per_gas, "max_priority_fee_per_gas": 0}
            # with_sender: executed as the trader's, without a signature.
            return Transaction(to=to, data=data, nonce=nonce, gas_limit=300_000, chain_id=1337, **fees).with_sender(
                trader.address
            )

        transact(send(FIRST_TOKEN, call_data(APPROVE, PAIR_ADDRESS, amount), nonce), state, header)
        receipt = transact(send(PAIR_ADDRESS, call_data(None, amount, 0), nonce + 1), state, header)
        received = int.from_bytes(receipt.logs[-1].data, "big")
        print(f"{amount:10,} {received:10,} {received / amount:7.4f} {receipt.gas_used:8,}")
        state.revert(snapshot)
    assert state.root() == root
    print("and the state is as it was: root 0x" + root.hex()[:16] + "…")


if __name__ == "__main__":
    main()
