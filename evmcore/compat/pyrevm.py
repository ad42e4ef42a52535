"""pyrevm's interface on evmcore: `from evmcore.compat.pyrevm import EVM` in place of `from pyrevm import EVM`.

The names, defaults and error texts are those of pyrevm 0.3.7; every fork that evmcore has is a `spec_id`. What differs, on purpose:
each message is a transaction of its own (nothing stays warm, transient storage ends with it); `revert` undoes `set_balance` and
`insert_account_*`, too; codes come without padding; an unknown `spec_id` is a ValueError, and so is a static message with a value or a
static creation; gas counts EIP-7623's floor; errors have fields beside their text. A message runs with at most 2^63 - 1 gas. `limit_contract_code_size` raises
NotImplementedError.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from .._core import (
    FORKS,
    NEWEST_FORK,
    BlockHashes,
    State,
    Transaction,
    all_or_nothing,
    fake_exponential,
    fork_index,
    fork_rules,
    least_gas,
    message,
)
from ..errors import InvalidTransaction, ResourceLimit
from ..header import Header
from ..hexadecimal import to_address as checked_address
from ..receipt import CallResult
from .pyrevm_trace import Printer, closing_line
from .pyrevm_values import (
    CANCUN_UPDATE_FRACTION,
    EMPTY_CODE_HASH,
    GAS_MAX,
    AccountInfo,
    BlockEnv,
    CfgEnv,
    Env,
    ExecutionError,
    ExecutionResult,
    JournalCheckpoint,
    Log,
    TransactionError,
    TxEnv,
    checksummed,
)

if TYPE_CHECKING:
    from ..remote import RpcSource

__all__ = [
    "EVM",
    "AccountInfo",
    "BlockEnv",
    "CfgEnv",
    "Env",
    "ExecutionError",
    "ExecutionResult",
    "JournalCheckpoint",
    "Log",
    "TransactionError",
    "TxEnv",
    "fake_exponential",
]

# revm's names that aren't evmcore's.
_SPEC_NAMES = {
    "latest": NEWEST_FORK,
    "frontierthawing": "Frontier",
    "tangerine": "TangerineWhistle",
    "spurious": "SpuriousDragon",
    "merge": "Paris",
}
for _fork in FORKS:
    for _name in (_fork.name, _fork.mainnet_name, _fork.test_name):
        if _name is not None:
            _SPEC_NAMES.setdefault(_name.replace("_", "").lower(), _fork.name)
_SHOWN_NAMES = {"PARIS": "Merge"}  # of forks that a trace names otherwise
# The rows of status.def whose name in revm is another. A code that begins with 0xef halts with the size limit in pyrevm.
_HALTS = {
    "OUT_OF_GAS": "OutOfGas(Basic)",
    "STACK_UNDERFLOW": "StackUnderflow",
    "STACK_OVERFLOW": "StackOverflow",
    "UNDEFINED_INSTRUCTION": "OpcodeNotFound",
    "INVALID_INSTRUCTION": "InvalidFEOpcode",
    "BAD_JUMP_DESTINATION": "InvalidJump",
    "STATIC_MODE_VIOLATION": "StateChangeDuringStaticCall",
    "RETURN_DATA_OUT_OF_BOUNDS": "OutOfOffset",
    "CALL_DEPTH_EXCEEDED": "CallTooDeep",
    "INSUFFICIENT_BALANCE": "OutOfFunds",
    "NONCE_OVERFLOW": "NonceOverflow",
    "ADDRESS_COLLISION": "CreateCollision",
    "INVALID_CODE_PREFIX": "CreateContractSizeLimit",
    "CODE_SIZE_EXCEEDED": "CreateContractSizeLimit",
    "INITCODE_SIZE_EXCEEDED": "CreateInitCodeSizeLimit",
    "PRECOMPILE_FAILURE": "PrecompileError",
    "RESOURCE_LIMIT": "OutOfGas(MemoryLimit)",
}
_ACCESS_LIST = 1  # the type of transaction, EIP-2930
_DELEGATION = b"\xef\x01\x00"  # EIP-7702
_RUNNABLE_GAS_MAX = 2**63 - 1


def to_address(address: Any) -> bytes:
    """20 bytes of hexadecimal digits with or without "0x", or of bytes."""
    if isinstance(address, str) and not address.lower().startswith("0x"):
        address = "0x" + address
    return checked_address(address)


def _fork_of(spec_id: str) -> str:
    if not isinstance(spec_id, str):
        raise TypeError(f"spec_id: {spec_id!r} is not a str")
    try:
        return _SPEC_NAMES[spec_id.replace("_", "").lower()]
    except KeyError:
        raise ValueError(f"spec_id: {spec_id!r} is no fork; known are {', '.join(sorted(_SPEC_NAMES))}") from None


def _source_of(url: str, block: str | int | None) -> RpcSource:
    from ..remote import RpcSource

    number = int(block, 0) if isinstance(block, str) and len(block) < 66 and block[:1].isdigit() else block
    return RpcSource(url, "latest" if number is None else number)


class EVM:
    """A state, an environment, and messages that run on them and are kept.

    env       Env; its values are copied
    gas_limit of a message that names none
    fork_url, fork_block  a node to go on from, after a block: a number, a hash or "latest" (evmcore[remote])
    tracing   whether messages print their steps to `sys.stdout`
    spec_id   the fork, in revm's or evmcore's spelling: "Cancun", "MERGE", "osaka" …; "LATEST": NEWEST_FORK with Cancun's blob base fee,
              as pyrevm has it
    """

    def __init__(
        self,
        env: Env | None = None,
        fork_url: str | None = None,
        fork_block: str | None = None,
        gas_limit: int = GAS_MAX,
        tracing: bool = False,
        spec_id: str = "LATEST",
    ) -> None:
        if fork_url is None and fork_block is not None:
            raise ValueError("fork_block: is given without fork_url")
        if not 0 <= gas_limit <= GAS_MAX:
            raise OverflowError(f"gas_limit: {gas_limit} doesn't fit 64 bits")
        self._fork = _fork_of(spec_id)
        self._rules = fork_rules(self._fork)
        is_latest = spec_id.lower() == "latest"
        named = FORKS[fork_index(self._fork)]
        # In revm's spelling, as the trace shows it.
        self._spec_name = "Latest" if is_latest else _SHOWN_NAMES.get(self._fork, named.mainnet_name or named.name)
        # The blob base fee is the named fork's; that of "LATEST" is pyrevm's, which has Cancun's on all forks.
        self._blob_schedule = (3, 6, CANCUN_UPDATE_FRACTION) if is_latest else None
        self._gas_limit = gas_limit
        self.tracing = tracing
        self._source: RpcSource | None = None if fork_url is None else _source_of(fork_url, fork_block)
        self._state = State(source=self._source)
        self._checkpoints: list[JournalCheckpoint] = []
        self._result: ExecutionResult | None = None
        self._env = copy.deepcopy(env) if env is not None else Env()
        if self._env.cfg.limit_contract_code_size is not None:
            raise NotImplementedError("limit_contract_code_size: the fork's limit holds")
        self.set_block_env(self._env.block)

    def _make_header(self, block: BlockEnv) -> Header:
        rules = self._rules
        later: dict[str, Any] = {"base_fee_per_gas": block.basefee} if rules["has_base_fee"] else {}
        if rules["has_withdrawals"]:
            later["withdrawals_root"] = bytes(32)
        if rules["has_blobs"]:
            later.update(blob_gas_used=0, excess_blob_gas=block.excess_blob_gas or 0)
        if rules["has_slot_number"]:
            later["slot_number"] = 0
        return Header(
            number=block.number,
            coinbase=to_address(block.coinbase),
            timestamp=block.timestamp,
            difficulty=0 if rules["is_proof_of_stake"] else block.difficulty,
            mix_hash=block.prevrandao,
            gas_limit=min(block.gas_limit, GAS_MAX),
            fork=self._fork,
            chain_id=self._env.cfg.chain_id,
            block_hashes=BlockHashes(synthetic=True) if self._source is None else self._source.header.block_hashes,
            blob_schedule=self._blob_schedule,
            **later,
        )

    # The state.

    def basic(self, address: str) -> AccountInfo:
        """An account; without code its code is b"\\0"."""
        where = to_address(address)
        code = self._state.get_code(where)
        return AccountInfo(
            balance=self._state.get_balance(where),
            nonce=self._state.get_nonce(where),
            code_hash=self._state.get_code_hash(where) if code else EMPTY_CODE_HASH,
            code=code or b"\0",
        )

    def get_code(self, address: str) -> bytes | None:
        """An account's code; None without any."""
        return self._state.get_code(to_address(address)) or None

    def insert_account_info(self, address: str, info: AccountInfo) -> None:
        """Set balance, nonce and code of an account; its storage stays."""
        where = to_address(address)
        code = b"" if info.code_hash == EMPTY_CODE_HASH else info.code
        if code is None and info.code_hash != self._state.get_code_hash(where):
            raise ValueError(f"insert_account_info: the code of 0x{(info.code_hash or b'').hex()} is not given")

        def insert() -> None:
            self._state.set_balance(where, info.balance)
            self._state.set_nonce(where, info.nonce)
            if code is not None:
                self._state.set_code(where, code)

        all_or_nothing(self._state, insert)

    def insert_account_storage(self, address: str, index: int, value: int) -> int:
        """Set a slot; returns what was there."""
        where = to_address(address)
        before = self._state.get_storage(where, index)
        self._state.set_storage(where, index, value)
        return before

    def storage(self, address: str, index: int) -> int:
        """A slot's value."""
        return self._state.get_storage(to_address(address), index)

    def get_balance(self, address: str) -> int:
        """A balance in wei."""
        return self._state.get_balance(to_address(address))

    def set_balance(self, address: str, balance: int) -> None:
        """Set a balance, in wei."""
        if not 0 <= balance < 1 << 256:
            raise OverflowError(f"balance: {balance} doesn't fit 256 bits")
        self._state.set_balance(to_address(address), balance)

    def block_hash(self, number: int) -> bytes:
        """The hash of a block: keccak-256 of its number in decimal digits, as revm's empty database has it."""
        return self._header.block_hashes[number]

    # The journal.

    def snapshot(self) -> JournalCheckpoint:
        """A checkpoint to go back to. They nest."""
        logs = 0 if self._result is None else len(self._result.logs)
        checkpoint = JournalCheckpoint(logs, len(self._checkpoints) + 1, self._state.snapshot())
        self._checkpoints.append(checkpoint)
        return checkpoint

    def revert(self, checkpoint: JournalCheckpoint) -> None:
        """Undo all since the checkpoint, which is then gone, with later ones. Raises OverflowError for one that is gone."""
        if checkpoint not in self._checkpoints:
            raise OverflowError(f"No checkpoint to revert to: {checkpoint}")
        self._state.revert(checkpoint.number)
        del self._checkpoints[self._checkpoints.index(checkpoint) :]

    def commit(self) -> None:
        """Keep all that was done, and forget the checkpoints."""
        if self._checkpoints:
            self._state.release(self._checkpoints[0].number)
            self._checkpoints.clear()

    @property
    def checkpoint_ids(self) -> set[JournalCheckpoint]:
        """The checkpoints that can be reverted to."""
        return set(self._checkpoints)

    @property
    def journal_depth(self) -> int:
        """How many checkpoints are open."""
        return len(self._checkpoints)

    @property
    def journal_len(self) -> int:
        """One more than `journal_depth`."""
        return len(self._checkpoints) + 1

    @property
    def journal_str(self) -> str:
        """The state and the checkpoints, to read."""
        return f"JournaledState {{ state: {self._state.to_alloc()}, checkpoints: {self._checkpoints} }}"

    @property
    def journal_state(self) -> dict[str, AccountInfo]:
        """All accounts, by address (EIP-55)."""
        return {checksummed(where): self.basic("0x" + where.hex()) for where in self._state.addresses()}

    @property
    def db_accounts(self) -> dict[str, AccountInfo]:
        """All accounts, by address (EIP-55): there is one state, without a database below it."""
        return self.journal_state

    def reset_transient_storage(self) -> None:
        """Nothing is to be done: transient storage ends with each message."""

    # The environment.

    @property
    def env(self) -> Env:
        """A copy of the environment: `set_block_env` and `set_tx_env` change it."""
        return copy.deepcopy(self._env)

    def set_block_env(self, block: BlockEnv) -> None:
        """Set the block of the messages that follow."""
        header = self._make_header(block)
        kept = copy.copy(block)
        if self._blob_schedule is None:
            kept._update_fraction = self._rules["blob_fee_update_fraction"] or CANCUN_UPDATE_FRACTION
        else:
            kept._update_fraction = CANCUN_UPDATE_FRACTION
        self._env = Env(self._env.cfg, kept, self._env.tx)
        self._header = header

    def set_tx_env(self, tx: TxEnv) -> None:
        """Set what messages have of a transaction: blob hashes, access list, nonce to be checked."""
        self._env = Env(self._env.cfg, self._env.block, copy.deepcopy(tx))

    @property
    def result(self) -> ExecutionResult | None:
        """What the last message did; None if it might not run."""
        return self._result

    # Messages.

    def message_call(
        self,
        caller: str,
        to: str,
        calldata: bytes | None = None,
        value: int | None = None,
        gas: int | None = None,
        gas_price: int | None = None,
        is_static: bool = False,
    ) -> bytes:
        """Call an account and keep what that changes. The caller pays `value` alone, and its nonce stays.

        gas      as of a transaction, with the intrinsic gas
        return   what the call returned
        raise    ExecutionError for a revert or halt, TransactionError for a message that may not run: RuntimeErrors both
        """
        return self._run(caller, to_address(to), calldata, value, gas, gas_price, is_static).output

    def deploy(
        self,
        deployer: str,
        code: bytes,
        value: int | None = None,
        gas: int | None = None,
        gas_price: int | None = None,
        is_static: bool = False,
        _abi: list[dict[str, Any]] | None = None,
    ) -> str:
        """Create a contract from init code; returns its address, in lower case. Gas and errors are as in `message_call`."""
        made = self._run(deployer, None, code, value, gas, gas_price, is_static)
        return "0x" + (made.contract_address or b"").hex()

    def _run(
        self,
        sender: str,
        to: bytes | None,
        data: bytes | None,
        value: int | None,
        gas: int | None,
        gas_price: int | None,
        is_static: bool,
    ) -> CallResult:
        if isinstance(data, str):
            raise TypeError("calldata: a str, where bytes are wanted")
        caller = to_address(sender)
        given = self._env.tx
        limit = self._gas_limit if gas is None else gas
        tx = TxEnv(
            caller=checksummed(caller),
            gas_limit=limit,
            gas_price=gas_price,
            gas_priority_fee=given.gas_priority_fee,
            to=None if to is None else checksummed(to),
            value=value,
            data=b"" if data is None else bytes(data),
            chain_id=given.chain_id,
            nonce=given.nonce,
            salt=given.salt,
            access_list=given.access_list,
            blob_hashes=given.blob_hashes,
            max_fee_per_blob_gas=given.max_fee_per_blob_gas,
        )
        for name, number, bits in (("value", tx.value, 256), ("gas", limit, 64), ("gas_price", tx.gas_price, 256)):
            if not 0 <= number < 1 << bits:
                raise OverflowError(f"{name}: {number} doesn't fit {bits} bits")
        self._result = None
        self._env = Env(self._env.cfg, self._env.block, tx)
        warm = [(to_address(where), list(slots)) for where, slots in tx.access_list]
        if _ACCESS_LIST not in self._rules["transaction_types"]:
            warm = []
        intrinsic, floor = self._check(caller, to, tx, warm)
        try:
            done = message(
                self._state,
                self._header,
                sender=caller,
                to=to,
                data=tx.data,
                value=tx.value,
                gas=min(limit - intrinsic, _RUNNABLE_GAS_MAX),
                static=is_static,
                access_list=warm,
                blob_hashes=tx.blob_hashes,
                gas_price=tx.gas_price,
                tracer=Printer() if self.tracing else None,
            )
        except ResourceLimit:
            done = CallResult("RESOURCE_LIMIT", 0, 0, 0, b"", ())
        except InvalidTransaction as error:
            raise TransactionError(f"Transaction({error})", error.status) from error
        return self._finish(done, limit, intrinsic, floor, to is None)

    def _check(self, caller: bytes, to: bytes | None, tx: TxEnv, warm: list[Any]) -> tuple[int, int]:
        """What revm checks of a transaction before it runs, and what it then costs: intrinsic gas and the floor."""
        code = self._state.get_code(caller)
        if code and not (code.startswith(_DELEGATION) and self._rules["has_delegation"]):
            raise TransactionError("Transaction(RejectCallerWithCode)", "SENDER_NOT_EOA")
        nonce = self._state.get_nonce(caller)
        if tx.nonce is not None and tx.nonce != nonce:
            side = "High" if tx.nonce > nonce else "Low"
            text = f"Transaction(NonceToo{side} {{ tx: {tx.nonce}, state: {nonce} }})"
            raise TransactionError(text, f"NONCE_TOO_{side.upper()}", tx.nonce, nonce)
        most = self._rules["max_initcode_size_bytes"] or GAS_MAX  # 0: any
        if to is None and len(tx.data) > most:
            text = "Transaction(CreateInitCodeSizeLimit)"
            raise TransactionError(text, "INITCODE_TOO_LARGE", len(tx.data), most)
        sized = Transaction(
            to=to, data=tx.data, value=tx.value, gas_price=0, gas_limit=tx.gas_limit, sender=caller, access_list=warm
        )
        intrinsic, floor = least_gas(sized, self._fork)
        least = max(intrinsic, floor)
        if tx.gas_limit < least:
            why = "Transaction(CallGasCostMoreThanGasLimit)"
            text = f"Initial gas spend is {least} but gas limit is {tx.gas_limit}. Error: {why}"
            status = "INTRINSIC_GAS_TOO_LOW" if tx.gas_limit < intrinsic else "FLOOR_GAS_TOO_LOW"
            raise TransactionError(text, status, tx.gas_limit, least)
        cost = tx.gas_limit * tx.gas_price + tx.value
        if cost >= 1 << 256:
            raise TransactionError("Transaction(OverflowPaymentInTransaction)", "GASLIMIT_PRICE_OVERFLOW")
        balance = self._state.get_balance(caller)
        if cost > balance:
            text = f"Transaction(LackOfFundForMaxFee {{ fee: {cost}, balance: {balance} }})"
            raise TransactionError(text, "INSUFFICIENT_FUNDS", balance, cost)
        return intrinsic, floor

    def _finish(self, done: CallResult, limit: int, intrinsic: int, floor: int, is_create: bool) -> CallResult:
        """Keep and print the result; raises ExecutionError where there was no success."""
        reverted = done.outcome == "REVERT"
        refunded = 0
        if done.is_success or reverted:
            used = intrinsic + done.gas_used
            if done.is_success:
                refunded = min(done.gas_refund, used // self._rules["refund_quotient"])
            used = max(used - refunded, floor)
        else:
            used = limit
        if done.is_success:
            reason = "Return" if is_create or done.output else "Stop"
        else:
            reason = "Revert" if reverted else _HALTS.get(done.outcome, done.outcome)
        logs = [
            Log(checksummed(log.address), ["0x" + topic.hex() for topic in log.topics], (list(log.topics), log.data))
            for log in done.logs
        ]
        is_halt = not (done.is_success or reverted)
        self._result = ExecutionResult(
            done.is_success, is_halt, reason, used, refunded, logs, done.output, done.outcome
        )
        if self.tracing:
            closing_line(done.output, used, done.is_success, self._spec_name)
        if reverted:
            raise ExecutionError(f"Revert {{ gas_used: {used}, output: 0x{done.output.hex()} }}", self._result)
        if is_halt:
            raise ExecutionError(f"Halt {{ reason: {reason}, gas_used: {used} }}", self._result)
        return done
