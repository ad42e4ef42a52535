"""Runs a case on the executable specification (package ethereum-execution), fork module by fork module."""

from __future__ import annotations

import importlib
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any

from .case import Case, Ran, Report, block_hash

# Our mainnet names of the forks that the specification has. Its `constantinople` is what mainnet ran: Petersburg.
FORK_MODULES = {
    "Frontier": "frontier",
    "Homestead": "homestead",
    "DAOFork": "dao_fork",
    "TangerineWhistle": "tangerine_whistle",
    "SpuriousDragon": "spurious_dragon",
    "Byzantium": "byzantium",
    "Petersburg": "constantinople",
    "Istanbul": "istanbul",
    "MuirGlacier": "muir_glacier",
    "Berlin": "berlin",
    "London": "london",
    "ArrowGlacier": "arrow_glacier",
    "GrayGlacier": "gray_glacier",
    "Paris": "paris",
    "Shanghai": "shanghai",
    "Cancun": "cancun",
    "Prague": "prague",
    "Osaka": "osaka",
    "BPO1": "bpo1",
    "BPO2": "bpo2",
}


class Specification:
    """One fork of the specification, with hooks that take note of what its block function keeps to itself."""

    def __init__(self, fork: str) -> None:
        base = f"ethereum.forks.{FORK_MODULES[fork]}"
        load = importlib.import_module
        self.fork: ModuleType = load(f"{base}.fork")
        self.state: ModuleType = load(f"{base}.state")
        self.types: ModuleType = load(f"{base}.fork_types")
        self.transactions: ModuleType = load(f"{base}.transactions")
        self.blocks: ModuleType = load(f"{base}.blocks")
        self.vm: ModuleType = load(f"{base}.vm")
        self.trie: ModuleType = load(f"{base}.trie")
        self.numeric: ModuleType = load("ethereum_types.numeric")
        self.bytes32 = load("ethereum_types.bytes").Bytes32
        self.rlp: ModuleType = load("ethereum_rlp.rlp")
        self.rlp_error = load("ethereum_rlp.exceptions").RLPException
        self.exceptions: ModuleType = load("ethereum.exceptions")
        self.refund_quotient = 5 if hasattr(self.transactions, "FeeMarketTransaction") else 2
        self.outcomes: list[Ran | str] = []
        self.message: Any = None
        self.output = b""
        self._process_transaction = self.fork.process_transaction
        self._process_message_call = self.fork.process_message_call
        self.fork.process_transaction = self._note_transaction
        self.fork.process_message_call = self._note_message_call
        interpreter = load(f"{base}.vm.interpreter")
        self._process_message = interpreter.process_message
        interpreter.process_message = self._note_message

    # ------------------------------------------------------------ hooks

    def _note_message(self, message: Any) -> Any:
        evm = self._process_message(message)
        if int(message.depth) == 0:
            self.output = bytes(evm.output)
        return evm

    def _note_message_call(self, message: Any) -> Any:
        self.output = b""
        self.message = self._process_message_call(message)
        return self.message

    def _note_transaction(self, block_env: Any, block_output: Any, tx: Any, index: Any) -> None:
        """Run it as the specification does, but go on behind one that may not be included."""
        place = self.numeric.Uint(len(block_output.receipt_keys))
        before = int(block_output.block_gas_used)
        key = self.rlp.encode(place)
        try:
            self._process_transaction(block_env, block_output, tx, place)
        except (self.exceptions.InvalidBlock, self.exceptions.InvalidTransaction) as error:
            self.trie.trie_set(block_output.transactions_trie, key, None)
            self.outcomes.append(type(error).__name__)
            return
        spent = int(tx.gas) - int(self.message.gas_left)
        receipt = self.trie.trie_get(block_output.receipts_trie, key)
        self.outcomes.append(
            Ran(
                int(block_output.block_gas_used) - before,
                min(spent // self.refund_quotient, int(self.message.refund_counter)),
                self.output if tx.to else None,
                bytes(receipt) if isinstance(receipt, bytes) else bytes(self.rlp.encode(receipt)),
            )
        )

    # ------------------------------------------------------------ the run

    def make_state(self, case: Case) -> Any:
        state = self.state.State()
        u256, uint = self.numeric.U256, self.numeric.Uint
        for address, (balance, nonce, code, storage) in case.accounts.items():
            key = self.types.Address(address)
            self.state.set_account(state, key, self.types.Account(uint(nonce), u256(balance), code))
            for slot, value in storage.items():
                self.state.set_storage(state, key, self.bytes32(slot.to_bytes(32, "big")), u256(value))
        return state

    def decode(self, raw: bytes) -> Any:
        """What the fork's apply_body wants: bytes of a typed transaction, an object of a legacy one."""
        if raw[0] < 0xC0:
            if not hasattr(self.transactions, "decode_transaction"):
                raise self.exceptions.InvalidTransaction("no typed transactions")
            self.transactions.decode_transaction(raw)
            return raw
        kind = getattr(self.transactions, "LegacyTransaction", None) or self.transactions.Transaction
        return self.rlp.decode_to(kind, raw)

    def run(self, case: Case) -> Report:
        u64, u256, uint = self.numeric.U64, self.numeric.U256, self.numeric.Uint
        state = self.make_state(case)
        fields = {
            "chain_id": u64(1),
            "state": state,
            "block_gas_limit": uint(case.gas_limit),
            "block_hashes": [self.bytes32(block_hash(n)) for n in range(max(0, case.number - 256), case.number)],
            "coinbase": self.types.Address(case.coinbase),
            "number": uint(case.number),
            "time": u256(case.timestamp),
            "difficulty": uint(case.difficulty),
            "base_fee_per_gas": uint(case.base_fee),
            "prev_randao": self.bytes32(case.prev_randao),
            "excess_blob_gas": u64(case.excess_blob_gas),
            "parent_beacon_block_root": self.bytes32(case.beacon_root),
        }
        decoded, refused = {}, {}
        for place, raw in enumerate(case.transactions):
            try:
                decoded[place] = self.decode(raw)
            except (self.exceptions.EthereumException, self.rlp_error) as error:
                refused[place] = type(error).__name__
        wanted = self.vm.BlockEnvironment.__dataclass_fields__
        block_env = self.vm.BlockEnvironment(**{name: value for name, value in fields.items() if name in wanted})
        arguments: dict[str, Any] = {
            "block_env": block_env,
            "transactions": tuple(decoded.values()),
        }
        if hasattr(self.blocks, "Withdrawal"):
            arguments["withdrawals"] = tuple(
                self.blocks.Withdrawal(u64(index), u64(validator), self.types.Address(to), u256(gwei))
                for index, validator, to, gwei in case.withdrawals
            )
        elif "difficulty" in wanted:
            arguments["ommers"] = tuple(
                SimpleNamespace(coinbase=self.types.Address(coinbase), number=uint(number))
                for coinbase, number in case.ommers
            )
        self.outcomes = []
        try:
            output = self.fork.apply_body(**arguments)
        except self.exceptions.InvalidBlock as error:
            return Report([], failure=type(error).__name__)
        places = {**dict(zip(decoded, self.outcomes)), **refused}
        return Report(
            [places[place] for place in sorted(places)],
            int(output.block_gas_used),
            int(getattr(output, "blob_gas_used", 0)),
            bytes(self.trie.root(output.receipts_trie)),
            tuple(bytes(request) for request in getattr(output, "requests", ())),
            None,
            self.dump(state),
            bytes(self.state.state_root(state)),
        )

    def dump(self, state: Any) -> dict[bytes, tuple[int, int, bytes, dict[int, int]]]:
        accounts = {}
        for address, account in state._main_trie._data.items():
            trie = state._storage_tries.get(address)
            storage = {} if trie is None else {int.from_bytes(k, "big"): int(v) for k, v in trie._data.items()}
            accounts[bytes(address)] = (int(account.balance), int(account.nonce), bytes(account.code), storage)
        return accounts


@cache
def specification(fork: str) -> Specification:
    """The specification of a fork; made once, since its hooks stay in place."""
    return Specification(fork)
