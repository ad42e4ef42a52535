"""Engine: what a boa environment asks of `boa.vm.py_evm.PyEVM`, answered by evmcore."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from boa.util.abi import Address
from boa.util.eip1167 import extract_eip1167_address, is_eip1167_contract
from boa.vm.gas_meters import NoGasMeter
from eth import exceptions as py_evm
from eth.vm.gas_meter import GasMeter

from .._core import NEWEST_FORK, State, keccak256
from ..errors import InvalidTransaction
from .computation import Computation
from .forking import fork_of
from .frames import Message
from .hooks import Answers, OpcodeHooks, patched_opcodes
from .patch import Patch
from .recording import NO_ROW, STATUS_NAMES, Run

__all__ = ["Engine"]

_DELEGATECALL, _CREATIONS, _BREAKPOINT = 0xF4, (0xF0, 0xF5), 0xA6
# Without a gas meter nothing runs out of gas.
_UNMETERED_GAS = 1 << 62
_SUCCESS = STATUS_NAMES.index("SUCCESS")


class Engine:
    """A state, a block around it, and messages that run on it and are kept.

    env    the environment, whose traces (`sha3_trace`, `sstore_trace`) and registry of contracts are kept up to date
    fast_mode_enabled, fork_try_prefetch_state   are PyEVM's; neither changes anything
    fork   whose rules hold
    """

    def __init__(
        self,
        env: Any,
        fast_mode_enabled: bool = False,
        fork_try_prefetch_state: bool = False,
        *,
        fork: str = NEWEST_FORK,
    ) -> None:
        self.env = env
        self.patch = Patch(fork)
        self.state = State()
        self._gas_meter_class: type = GasMeter
        self._is_forked = self._is_dirty = False
        self._addresses: dict[bytes, Address] = {}

    # -------------------------------------------------------------- the environment's switches

    def enable_fast_mode(self, flag: bool = True) -> None:
        """Nothing: there is one mode."""

    def get_gas_meter_class(self) -> type:
        """The class whose objects are told what calls used."""
        return self._gas_meter_class

    def set_gas_meter_class(self, cls: type) -> None:
        """Have calls metered by another class: NoGasMeter runs without a limit, others are told afterwards."""
        self._gas_meter_class = cls

    def reset_access_counters(self) -> None:
        """Nothing: all is cold when a call begins, as when it begins a transaction."""

    # -------------------------------------------------------------- forks

    def fork_rpc(self, rpc: Any, block_identifier: Any, debug: bool = False, **kwargs: Any) -> None:
        """Go on from a node's block; accounts are fetched as they are needed, and kept in boa's cache."""
        self.fork_state(*fork_of(rpc, block_identifier, debug, **kwargs))

    def fork_state(self, state: State, block: dict[str, Any]) -> None:
        """Go on from any state, such as one with a source.

        block  what `patch` is to have: block_number, timestamp, chain_id, prev_hashes …
        """
        self.state = state
        self._is_forked, self._is_dirty = True, False
        for name, value in block.items():
            setattr(self.patch, name, value)

    @property
    def is_forked(self) -> bool:
        """Whether the state came from elsewhere."""
        return self._is_forked

    @property
    def is_state_dirty(self) -> bool:
        """Whether something has been written."""
        return self._is_dirty

    # -------------------------------------------------------------- the state

    def get_balance(self, address: Address) -> int:
        """In wei."""
        return self.state.get_balance(address.canonical_address)

    def set_balance(self, address: Address, value: int) -> None:
        """In wei."""
        self._is_dirty = True
        self.state.set_balance(address.canonical_address, value)

    def get_code(self, address: Address) -> bytes:
        """An account's code."""
        return self.state.get_code(address.canonical_address)

    def set_code(self, address: Address, code: bytes) -> None:
        """Put code at an account."""
        self._is_dirty = True
        self.state.set_code(address.canonical_address, code)

    def get_storage(self, address: Address, slot: int) -> int:
        """A slot's value."""
        return self.state.get_storage(address.canonical_address, slot)

    def get_storage_slot(self, address: Address, slot: int) -> bytes:
        """The same as 32 bytes."""
        return self.get_storage(address, slot).to_bytes(32, "big")

    def set_storage(self, address: Address, slot: int, value: int) -> None:
        """Write a slot."""
        self._is_dirty = True
        self.state.set_storage(address.canonical_address, slot, value)

    def get_gas_limit(self) -> int:
        """Of the block: what a call has that names no gas."""
        return self.patch.gas_limit

    def snapshot(self) -> Any:
        """A mark to `revert` to."""
        return self.state, self.state.snapshot(), self._is_forked

    def revert(self, snapshot_id: Any) -> None:
        """Take back all that was done since; a fork, too."""
        state, number, is_forked = snapshot_id
        state.revert(number)
        self.state, self._is_forked = state, is_forked

    def generate_create_address(self, sender: Address) -> Address:
        """Where the sender's next contract goes; its nonce is counted on."""
        account = sender.canonical_address
        nonce = self.state.get_nonce(account)
        self._is_dirty = True
        self.state.set_nonce(account, nonce + 1)
        return Address(_contract_address(account, nonce))

    @property
    def vm(self) -> Any:
        """What boa's own modules ask of py-evm's virtual machine: the opcodes, in whose place functions may be put."""
        return SimpleNamespace(state=SimpleNamespace(computation_class=SimpleNamespace(opcodes=_Opcodes())))

    # -------------------------------------------------------------- calls

    def deploy_code(
        self,
        sender: Address,
        origin: Address,
        target_address: Address,
        gas: int | None,
        gas_price: int,
        value: int,
        bytecode: bytes,
    ) -> Computation:
        """Run init code at an address."""
        target = target_address.canonical_address
        arguments = {
            "sender": sender.canonical_address,
            "to": target,
            "data": bytes(bytecode),
            "value": value,
            "origin": origin.canonical_address,
            "gas_price": gas_price,
            "is_create": True,
        }
        made = Message(
            sender=sender.canonical_address,
            to=b"",
            value=value,
            gas=self.get_gas_limit() if gas is None else gas,
            data=b"",
            code=bytes(bytecode),
            depth=0,
            storage_address=target,
            code_address=b"",
            is_static=False,
            create_address=target,
        )
        return self._run(arguments, made)

    def execute_code(
        self,
        sender: Address,
        to: Address,
        gas: int,
        gas_price: int,
        value: int,
        bytecode: bytes,
        data: bytes,
        is_static: bool,
        fake_codesize: int | None = None,
        start_pc: int = 0,
        ir_executor: Any = None,
        contract: Any = None,
    ) -> Computation:
        """Call an account, or run other code in its place."""
        if fake_codesize not in (None, len(bytecode)):
            raise NotImplementedError("fake_codesize: CODESIZE tells the length of the code that runs")
        target = to.canonical_address
        arguments: dict[str, Any] = {
            "sender": sender.canonical_address,
            "to": target,
            "data": bytes(data),
            "value": value,
            "origin": sender.canonical_address,
            "gas_price": gas_price,
            "static": bool(is_static) and not value,
        }
        if start_pc:
            arguments["start_pc"] = start_pc
        if bytecode != self.state.get_code(target):
            arguments["code"] = bytes(bytecode)
        made = Message(
            sender=sender.canonical_address,
            to=target,
            value=value,
            gas=gas,
            data=bytes(data),
            code=bytes(bytecode),
            depth=0,
            storage_address=target,
            code_address=target,
            is_static=bool(is_static),
            _contract=contract,
        )
        return self._run(arguments, made)

    def _run(self, arguments: dict[str, Any], made: Message) -> Computation:
        arguments["gas"] = _UNMETERED_GAS if issubclass(self._gas_meter_class, NoGasMeter) else made.gas
        if self.patch.lifts_code_size:
            arguments["checks"] = {"code_size": False}
        sender = arguments["sender"]
        nonce = self.state.get_nonce(sender)
        run = Run(self.state.copy(), self.patch.header, arguments, Answers())
        try:
            run.execute(self.state)
        except InvalidTransaction as error:
            if error.status == "INSUFFICIENT_FUNDS":
                raise py_evm.InsufficientFunds(f"Insufficient funds: {error.have!r} < {error.want!r}") from None
            raise
        if arguments.get("is_create"):  # boa has counted it where it took the address from it
            self.state.set_nonce(sender, nonce)
        self._is_dirty = True
        self._note(run)
        computation = Computation(self, run, 0, made, self._gas_meter_class)
        self._tell_opcodes(run, made)
        self._register_contracts(run, computation)
        return computation

    def _note(self, run: Run) -> None:
        """What storage variables are found by: what was hashed, and which slots were written."""
        for preimage in run.trace.preimages():
            if len(preimage) == 64:
                self.env.sha3_trace[keccak256(preimage)] = preimage
        for _, account, slot, _ in run.stores():
            self.env.sstore_trace.setdefault(self._address(account), set()).add(slot)

    def _address(self, account: bytes) -> Address:
        found = self._addresses.get(account)
        if found is None:
            found = self._addresses[account] = Address(account)
        return found

    def _tell_opcodes(self, run: Run, made: Message) -> None:
        """Functions in the place of instructions are told of them when the call has ended, out of a second one."""
        functions = patched_opcodes()
        if list(functions) == [_BREAKPOINT]:  # boa's own: where it is reached, the frame ends
            functions = functions if _BREAKPOINT in run.calls["last_op"].tolist() else {}
        if functions:
            run.again(OpcodeHooks(functions, made._contract))

    # -------------------------------------------------------------- contracts that were made

    def _register_contracts(self, run: Run, computation: Computation) -> None:
        """Have the environment know contracts that were made of blueprints and as proxies (EIP-1167) of known ones."""
        env = self.env
        for row in run.creations():
            call = run.calls[row]
            address, init_code = call["address"].tobytes(), run.trace.input(call)
            if init_code in env._code_registry:
                self._register(address, env._code_registry[init_code], call["caller"].tobytes())
            code = run.trace.output(call)
            if is_eip1167_contract(code):
                proxied = env.lookup_contract(extract_eip1167_address(code))
                if proxied is not None and hasattr(proxied, "deployer"):
                    self._register(address, proxied, call["caller"].tobytes())

    def _register(self, address: bytes, kind: Any, creator: bytes) -> None:
        contract = kind.deployer.at(Address(address))
        if hasattr(contract, "created_from"):
            contract.created_from = Address(creator)
        self.env.register_contract(Address(address), contract)

    # -------------------------------------------------------------- for computations

    def _computation_of(self, run: Run, row: int, gas_meter_class: type) -> Computation:
        """That of a row of the run's calls."""
        call = run.calls[row]
        op = int(call["op"])
        address, code_address = call["address"].tobytes(), call["code_address"].tobytes()
        is_create = op in _CREATIONS
        data = run.trace.input(call)
        made = Message(
            sender=call["caller"].tobytes(),
            to=b"" if is_create else address,
            value=int.from_bytes(call["value"].tobytes(), "big"),
            gas=int(call["gas"]),
            data=b"" if is_create else data,
            code=data if is_create else run.code_of(code_address),
            depth=int(call["depth"]) - 1,
            storage_address=address,
            code_address=b"" if is_create else code_address,
            is_static=bool(call["is_static"]),
            is_delegation=op == _DELEGATECALL,
            create_address=address if is_create else None,
        )
        return Computation(self, run, row, made, gas_meter_class)

    @contextmanager
    def _as_it_failed(self, run: Run, row: int) -> Iterator[None]:
        """The storage as it was when a call failed, before that was undone."""
        parents = run.calls["parent"].tolist()
        statuses = run.calls["status"].tolist()

        def stayed(at: int) -> bool:
            """Whether what a call wrote was there when the one at `row` failed."""
            while at != row and at != NO_ROW:
                if statuses[at] != _SUCCESS and not _is_above(parents, at, row):
                    return False
                at = parents[at]
            return True

        last = max((at for at in range(len(parents)) if _is_above(parents, row, at)), default=row)
        snapshot = self.state.snapshot()
        try:
            for at, account, slot, value in run.stores():
                if at <= last and stayed(at):
                    self.state.set_storage(account, slot, value)
            yield
        finally:
            self.state.revert(snapshot)


def _is_above(parents: list[int], above: int, row: int) -> bool:
    """Whether a call was made within another, or is that."""
    while row != NO_ROW:
        if row == above:
            return True
        row = parents[row]
    return False


class _Opcodes:
    """py-evm's table of opcodes, for functions that call what they replace: here the instruction runs by itself."""

    def __getitem__(self, opcode: int) -> Callable[[Any], None]:
        return lambda computation: None


def _contract_address(account: bytes, nonce: int) -> bytes:
    from .. import rlp

    return keccak256(rlp.encode([account, nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")]))[12:]
