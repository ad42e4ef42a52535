"""The exceptions of evmcore: what may not be included, what was not there, what could not be read.

A transaction that reverts or halts is a result and raises nothing. Everything raised here is an `EvmError`, and carries
what a program needs to go on (the row of status.def, the place in the block, the missing key) beside its message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .receipt import Receipt

__all__ = [
    "AccessesDiffer",
    "DecodeError",
    "EvmError",
    "ExecutionAborted",
    "ExecutionFailed",
    "InvalidAccessList",
    "InvalidBlock",
    "InvalidProof",
    "InvalidTransaction",
    "InvalidWitness",
    "MissingBlockHash",
    "MissingCode",
    "MissingNode",
    "MissingState",
    "PrecompileUnavailable",
    "ResourceLimit",
    "Revert",
    "StateDiffers",
    "TimeLimitExceeded",
    "UnusableInput",
    "not_rlp",
    "rejection",
]


class EvmError(Exception):
    """Everything that evmcore raises on purpose. Goes through pickle whole, to and from worker processes."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[EvmError], args: tuple[Any, ...], attributes: dict[str, Any]) -> EvmError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(attributes)
    return error


class _Rejection(EvmError):
    """Something may not be included; the state is untouched.

    status      the row of status.def, such as "NONCE_TOO_LOW"
    exception   the name the execution-spec tests give it, such as "TransactionException.NONCE_MISMATCH_TOO_LOW"
    index       which transaction of the block, from 0; None when there is no block
    have, want  the transaction's (or block's) number and the one it is held against, where the row has numbers
    """

    def __init__(
        self,
        message: str,
        *,
        status: str = "",
        exception: str = "",
        index: int | None = None,
        have: int | bytes | str | None = None,
        want: int | bytes | str | None = None,
    ) -> None:
        super().__init__(message if index is None else f"transaction {index}: {message}")
        self.status = status
        self.exception = exception
        self.index = index
        self.have = have
        self.want = want


class InvalidTransaction(_Rejection):
    """The transaction may not be included. `.status` is the row, `.index` its place in the block."""


class InvalidBlock(_Rejection):
    """The block breaks a rule that is not one of its transactions'."""


class InvalidAccessList(InvalidBlock, ValueError):
    """A block access list that is none, breaks a rule, or isn't its block's (EIP-7928).

    address       of the account at fault, 20 bytes; None: it isn't an account's
    field         "address", "storage", "reads", "balance", "nonce" or "code"; None: it isn't a field's
    slot          its key, an int; None: it isn't a slot's
    access_index  the block access index: 0 before the first transaction, which is 1; None: it isn't an index's
    have, want    the list's value and the block's, where both have one; of codes the hashes, as ints
    """

    def __init__(
        self,
        message: str,
        *,
        status: str = "BLOCK_ACCESS_LIST",
        exception: str = "",
        address: bytes | None = None,
        field: str | None = None,
        slot: int | None = None,
        access_index: int | None = None,
        have: int | bytes | None = None,
        want: int | bytes | None = None,
    ) -> None:
        named = "" if address is None else f", account 0x{address.hex()}"
        if field is not None and field != "address":
            named += f", {field}"
        if slot is not None:
            named += f" slot {slot:#x}" if field is not None else f", slot {slot:#x}"
        if access_index is not None:
            named += f", index {access_index}"
        super().__init__(
            f"block access list{named}: {message}", status=status, exception=exception, have=have, want=want
        )
        self.address = address
        self.field = field
        self.slot = slot
        self.access_index = access_index


class DecodeError(InvalidTransaction, ValueError):
    """Bytes that are not the encoding they should be. `.field` names the place, such as "header.number"."""

    def __init__(
        self, message: str, *, status: str = "", exception: str = "", index: int | None = None, field: str = ""
    ) -> None:
        super().__init__(message, status=status, exception=exception, index=index)
        self.field = field

    def placed(self, index: int) -> DecodeError:
        """The same error, of the transaction at that place in a block."""
        return DecodeError(str(self), status=self.status, exception=self.exception, index=index, field=self.field)


class MissingState(EvmError, KeyError):
    """A strict state was asked for what it doesn't hold. `.slot` is None when the account itself is missing, or, with
    `.is_storage`, whether it has storage (EIP-7610)."""

    _is_foreign = False  # raised by what an execution has called, such as a tracer: then it isn't fetched

    def __init__(self, address: bytes, slot: int | None = None, is_storage: bool = False) -> None:
        super().__init__(address, slot, is_storage)
        self.address = address
        self.slot = slot
        self.is_storage = is_storage

    def __str__(self) -> str:
        if self.is_storage:
            return (
                f"missing state: whether account 0x{self.address.hex()} has storage; its `has_storage` or "
                "`storage_root` would say it"
            )
        if self.slot is None:
            return f"missing state: account 0x{self.address.hex()}"
        return f"missing state: slot {self.slot:#x} of account 0x{self.address.hex()}"


class MissingNode(MissingState):
    """A part of a trie lacks a node that was needed.

    node     its hash, 32 bytes
    path     where it is: the first nibbles, in hexadecimal, of the keys below it (hashed addresses or slots)
    account  the hash of the address in whose storage trie it is; None: it is in the accounts' trie
    """

    _is_foreign = True  # a source of accounts and slots can't give it

    def __init__(self, node: bytes, path: str, account: bytes | None = None) -> None:
        super().__init__(b"")
        self.args = (node, path, account)
        self.node = node
        self.path = path
        self.account = account

    def __str__(self) -> str:
        where = (
            "the accounts' trie" if self.account is None else f"the storage trie of the account 0x{self.account.hex()}"
        )
        return f"missing state: node 0x{self.node.hex()} at path {self.path or '(the root)'} of {where}"


class MissingCode(MissingState):
    """Of an account's code only the hash is known, and its bytes or length were needed. `.code_hash` is the keccak-256, 32 bytes."""

    _is_foreign = True

    def __init__(self, address: bytes, code_hash: bytes) -> None:
        super().__init__(address)
        self.args = (address, code_hash)
        self.code_hash = code_hash

    def __str__(self) -> str:
        return f"missing state: code 0x{self.code_hash.hex()} of account 0x{self.address.hex()}"


class MissingBlockHash(EvmError):
    """BLOCKHASH asked for a block that the header's `block_hashes` doesn't list."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return f"missing block hash: number {self.number}"


class PrecompileUnavailable(EvmError):
    """A precompile needs a library that isn't there. `.package` is what to install."""

    def __init__(self, package: str) -> None:
        super().__init__(package)
        self.package = package

    def __str__(self) -> str:
        return f"precompile unavailable: its native library comes with the package {self.package!r}; install it"


class AccessesDiffer(EvmError):
    """A transaction read or wrote otherwise than the given accesses say. `.index` is its place in the block."""

    def __init__(self, index: int | None) -> None:
        super().__init__(index)
        self.index = index

    def __str__(self) -> str:
        return f"transaction {self.index}: its writes are not those of the given accesses"


class StateDiffers(EvmError):
    """Changes can't be applied: the state isn't the one before them, and is as it was.

    address      of the account, 20 bytes
    field        "existence", "balance", "nonce", "code hash", "slot", or "slot count" of a storage that goes
    have, want   the state's value and that of the changes; hashes are bytes
    slot         its key, an int; None where the field isn't a slot
    """

    def __init__(
        self, address: bytes, field: str, have: int | bytes, want: int | bytes, slot: int | None = None
    ) -> None:
        super().__init__(address, field, have, want, slot)
        self.address = address
        self.field = field
        self.have = have
        self.want = want
        self.slot = slot

    def __str__(self) -> str:
        field = self.field if self.slot is None else f"slot {self.slot:#x}"
        have, want = (f"0x{value.hex()}" if isinstance(value, bytes) else value for value in (self.have, self.want))
        return f"account 0x{self.address.hex()}, {field}: the state has {have}, the changes were made on {want}"


class ResourceLimit(EvmError):
    """The program would need more memory than it may have, or than there is."""


class ExecutionFailed(EvmError):
    """An estimate of what fails with all the gas that it may have. `.receipt` says how, `.output` what it reverted with."""

    def __init__(self, receipt: Receipt) -> None:
        super().__init__(receipt)
        self.receipt = receipt
        self.output = receipt.output

    def __str__(self) -> str:
        return f"execution failed: {self.receipt.error}"


class Revert(EvmError):
    """Raised by a precompile in Python (`message(precompiles=…)`): its call reverts with `.output`, bytes."""

    def __init__(self, output: bytes | bytearray | memoryview = b"") -> None:
        super().__init__(bytes(memoryview(output)))
        self.output: bytes = self.args[0]


class ExecutionAborted(EvmError):
    """The run was told to stop before its end; nothing of it is kept."""


class TimeLimitExceeded(ExecutionAborted, TimeoutError):
    """The thread's time was over before the work was done (`evmcore.time_limit`); nothing of it is kept."""


class UnusableInput(EvmError, ValueError):
    """A file, a mapping or an argument that can't be what it should be. The message names it and says why."""


class InvalidWitness(EvmError, ValueError):
    """Nodes that are no part of the trie, or headers that don't lead to the block. `.node` is the hash of the one at fault, 32 bytes,
    `.kind` "node" or "header"."""

    def __init__(self, fault: str, node: bytes, kind: str = "node") -> None:
        super().__init__(fault, node, kind)
        self.fault = fault
        self.node = node
        self.kind = kind

    def __str__(self) -> str:
        return f"witness, {self.kind} 0x{self.node.hex()}: {self.fault}"


class InvalidProof(EvmError, ValueError):
    """Nodes that don't prove what they should.

    index   of the node at fault, from 0 at the root
    node    the hash that it should have, 32 bytes; None where that isn't the fault
    slot    in the proof of which slot, an int; None: in the account's
    """

    def __init__(self, fault: str, index: int, node: bytes | None = None, slot: int | None = None) -> None:
        super().__init__(fault, index, node, slot)
        self.fault = fault
        self.index = index
        self.node = node
        self.slot = slot

    def __str__(self) -> str:
        what = "the account's proof" if self.slot is None else f"the proof of slot {self.slot:#x}"
        named = "" if self.node is None else f", which should be 0x{self.node.hex()}"
        return f"{what}, node {self.index}{named}: {self.fault}"


# How a rejection reads when both numbers are known; a row that is not here reads as its own name.
_NUMBERS = {
    "NONCE_TOO_LOW": "nonce too low: transaction has {have}, account has {want}",
    "NONCE_TOO_HIGH": "nonce too high: transaction has {have}, account has {want}",
    "INSUFFICIENT_FUNDS": "insufficient funds: account has {have} wei, transaction may cost {want}",
    "GASLIMIT_PRICE_OVERFLOW": "gas costs more than 256 bits: account has {have} wei, transaction may cost {want}",
    "NONCE_IS_MAX": "nonce is the highest there is: transaction has {have}",
    "INTRINSIC_GAS_TOO_LOW": "intrinsic gas too low: transaction has {have} gas, needs {want}",
    "FLOOR_GAS_TOO_LOW": "gas below the calldata floor: transaction has {have} gas, needs {want}",
    "GAS_ALLOWANCE_EXCEEDED": "gas allowance exceeded: transaction has {have} gas, block has {want} left",
    "GAS_LIMIT_EXCEEDS_MAXIMUM": "gas limit exceeds maximum: transaction has {have} gas, may have {want}",
    "INITCODE_TOO_LARGE": "initcode too large: transaction has {have} bytes, may have {want}",
    "INVALID_CHAIN_ID": "invalid chain id: transaction has {have}, chain has {want}",
    "MAX_FEE_BELOW_BASE_FEE": "max fee below base fee: transaction has {have} wei, block has {want}",
    "PRIORITY_ABOVE_MAX_FEE": "priority fee above max fee: transaction has {have} wei, max fee is {want}",
    "MAX_BLOB_FEE_TOO_LOW": "max blob fee too low: transaction has {have} wei, block has {want}",
    "BLOB_GAS_ALLOWANCE_EXCEEDED": "blob gas allowance exceeded: transaction has {have} blob gas, block has {want} left",
    "TOO_MANY_BLOBS": "too many blobs: transaction has {have}, may have {want}",
    "BLOB_HASH_VERSION": "wrong version of a blob hash: transaction has {have}, may have {want}",
    "TYPE_NOT_SUPPORTED": "transaction type not supported: type {have}",
    "BLOCK_GAS_USED": "wrong gas used: block has {want}, its transactions used {have}",
}


def _describe(status: str, have: int | bytes | str | None, want: int | bytes | str | None) -> str:
    form = _NUMBERS.get(status)
    if form is not None and have is not None and (want is not None or "{want}" not in form):
        return form.format(have=have, want=want)
    return status.removeprefix("BLOCK_").replace("RLP_", "RLP: ").replace("_", " ").lower().replace("rlp:", "RLP:")


def rejection(
    status: str,
    exception: str,
    *,
    index: int | None = None,
    have: int | bytes | str | None = None,
    want: int | bytes | str | None = None,
    field: str = "",
) -> InvalidTransaction | InvalidBlock:
    """The exception of an INVALID row of status.def: its class chosen by the row's text, its message by the row."""
    message = _describe(status, have, want)
    if exception.startswith("RLPException."):
        return not_rlp(status, field, index=index)
    kind = InvalidBlock if exception.startswith("BlockException.") else InvalidTransaction
    return kind(message, status=status, exception=exception, index=index, have=have, want=want)


def not_rlp(status: str, field: str, *, index: int | None = None) -> DecodeError:
    """The exception of an RLP row of status.def, at that field."""
    message = _describe(status, None, None)
    return DecodeError(
        f"{field}: {message}" if field else message,
        status=status,
        exception="RLPException." + status.removeprefix("RLP_"),
        index=index,
        field=field,
    )
