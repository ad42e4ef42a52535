"""CALL, CALLCODE, DELEGATECALL, STATICCALL: whose storage, whose value, what they cost, what comes back."""

from __future__ import annotations

import pytest
from helpers import ALICE, BOB, CONTRACT, ETHER, FORK_NAMES, NEWEST, OTHER, header

from evmcore import CallResult, State, assemble, call, fork_includes

ZERO_CALL = "PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0"


def calling(kind: str, to: bytes, *, value: int = 0, gas: str = "GAS", output: int = 0) -> str:
    """A call with no input; the output goes to memory's start."""
    amount = f"PUSH {value}" if kind in ("CALL", "CALLCODE") else ""
    return f"PUSH {output} PUSH1 0 PUSH1 0 PUSH1 0 {amount} PUSH20 0x{to.hex()} {gas} {kind}"


RETURN_TOP = "PUSH1 0 MSTORE PUSH1 32 PUSH1 0 RETURN"
RETURN_MEMORY = "PUSH1 32 PUSH1 0 RETURN"


def message(
    program: str,
    callee: str = "",
    *,
    state: State | None = None,
    fork: str = NEWEST,
    gas: int = 1_000_000,
    value: int = 0,
) -> CallResult:
    """Run `program` as CONTRACT's code, with `callee` as OTHER's."""
    world = state.copy() if state is not None else State({ALICE: {"balance": ETHER}})
    world.set_code(CONTRACT, assemble(program))
    if callee:
        world.set_code(OTHER, assemble(callee))
    return call(world, header(fork=fork), sender=ALICE, to=CONTRACT, gas=gas, value=value)


@pytest.mark.parametrize(
    ("kind", "self", "caller", "value"),
    [
        ("CALL", OTHER, CONTRACT, 3),
        ("CALLCODE", CONTRACT, CONTRACT, 3),
        ("DELEGATECALL", CONTRACT, ALICE, 5),
        ("STATICCALL", OTHER, CONTRACT, 0),
    ],
)
def test_who_the_callee_thinks_it_is(kind, self, caller, value):
    answers = {
        "ADDRESS": int.from_bytes(self, "big"),
        "CALLER": int.from_bytes(caller, "big"),
        "CALLVALUE": value,
        "ORIGIN": int.from_bytes(ALICE, "big"),
    }
    for instruction, word in answers.items():
        result = message(
            f"{calling(kind, OTHER, value=3, output=32)} POP {RETURN_MEMORY}", f"{instruction} {RETURN_TOP}", value=5
        )
        assert result.word == word, instruction


@pytest.mark.parametrize(("kind", "writes_to"), [("CALL", OTHER), ("CALLCODE", CONTRACT), ("DELEGATECALL", CONTRACT)])
def test_whose_storage_is_written(kind, writes_to):
    own = message(f"{calling(kind, OTHER)} POP PUSH1 7 SLOAD {RETURN_TOP}", "PUSH1 9 PUSH1 7 SSTORE")
    assert own.word == (9 if writes_to == CONTRACT else 0)


@pytest.mark.parametrize(
    "forbidden",
    [
        "PUSH1 1 PUSH1 0 SSTORE", "PUSH1 1 PUSH1 0 TSTORE", "PUSH1 0 PUSH1 0 LOG0", "PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 LOG3",
        "PUSH1 0 PUSH1 0 PUSH1 0 CREATE", "PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 CREATE2", "PUSH1 0 SELFDESTRUCT", calling("CALL", BOB, value=1),
    ],
)  # fmt: skip
def test_a_static_call_forbids_changes_at_any_depth(forbidden):
    """EIP-214. The frame halts: its gas is gone, and nothing is left of it."""
    result = message(f"{calling('STATICCALL', OTHER, gas='PUSH3 100000')} {RETURN_TOP}", forbidden)
    assert (result.word, result.gas_used > 100_000) == (0, True)
    deeper = f"{calling('CALL', BOB)} {RETURN_TOP}"
    state = State({BOB: {"code": assemble(forbidden)}, ALICE: {"balance": 1}})
    assert message(f"{calling('STATICCALL', OTHER, output=32)} POP {RETURN_MEMORY}", deeper, state=state).word == 0


def test_a_static_call_may_call_without_value():
    assert (
        message(
            f"{calling('STATICCALL', OTHER, output=32)} POP {RETURN_MEMORY}", f"{calling('CALL', BOB)} {RETURN_TOP}"
        ).word
        == 1
    )


def test_callcode_with_value_is_no_change_of_state_in_a_static_call():
    state = State({OTHER: {"balance": 5}})
    program = f"{calling('STATICCALL', OTHER, output=32)} POP {RETURN_MEMORY}"
    assert message(program, f"{calling('CALLCODE', BOB, value=1)} {RETURN_TOP}", state=state).word == 1


def test_output_is_cut_to_the_room_and_the_rest_of_the_room_stays():
    fill = f"PUSH32 0x{'ff' * 32} PUSH1 0 MSTORE"
    returns = "PUSH32 0x{} PUSH1 0 MSTORE PUSH1 {} PUSH1 0 RETURN"
    short = message(f"{fill} {calling('CALL', OTHER, output=32)} POP {RETURN_MEMORY}", returns.format("11" * 32, 4))
    assert short.output == b"\x11" * 4 + b"\xff" * 28
    cut = message(f"{fill} {calling('CALL', OTHER, output=4)} POP {RETURN_MEMORY}", returns.format("11" * 32, 32))
    assert cut.output == b"\x11" * 4 + b"\xff" * 28


def test_a_revert_s_output_comes_back_a_halt_s_does_not():
    program = f"{calling('CALL', OTHER, output=32, gas='PUSH2 5000')} POP RETURNDATASIZE PUSH1 32 MSTORE PUSH1 64 PUSH1 0 RETURN"
    reverted = message(program, "PUSH1 7 PUSH1 0 MSTORE PUSH1 32 PUSH1 0 REVERT")
    assert reverted.output == (7).to_bytes(32, "big") + (32).to_bytes(32, "big")
    assert message(program, "PUSH1 7 PUSH1 0 MSTORE INVALID").output == bytes(64)


def test_call_data_is_the_caller_s_memory_even_when_that_moves():
    """The callee's growth may move all memory: its input has to move along."""
    grows = "PUSH3 0x80000 MLOAD POP PUSH1 0 CALLDATALOAD PUSH1 0 MSTORE PUSH1 32 PUSH1 0 RETURN"
    program = f"PUSH32 0x{'ab' * 32} PUSH1 0 MSTORE PUSH1 32 PUSH1 32 PUSH1 32 PUSH1 0 PUSH1 0 PUSH20 0x{OTHER.hex()} GAS CALL POP PUSH1 32 PUSH1 32 RETURN"
    assert message(program, grows, gas=30_000_000).output == b"\xab" * 32


def access_gas(fork: str) -> int:
    """Of a cold account."""
    since = {"Amsterdam": 3000, "Berlin": 2600, "TangerineWhistle": 700}
    return next((gas for name, gas in since.items() if fork_includes(fork, name)), 40)


@pytest.mark.parametrize("fork", FORK_NAMES)
def test_a_call_costs(fork):
    """40, then 700 (EIP-150), then 100 and 2,500 more for a cold account (EIP-2929), then 2,900 (EIP-8038)."""
    access = access_gas(fork)
    result = message(calling("CALL", OTHER, gas="PUSH1 0"), "STOP", fork=fork)
    assert result.gas_used == 5 * 3 + 3 + 3 + access


@pytest.mark.parametrize("fork", FORK_NAMES)
@pytest.mark.parametrize(("value", "exists"), [(0, False), (0, True), (1, False), (1, True)])
def test_a_new_account_costs_25000(fork, value, exists):
    """Before EIP-161 for any account that isn't there; since then only if value makes it alive. With state gas 183,600 (EIP-8037)."""
    access = access_gas(fork)
    state = State({CONTRACT: {"balance": 10}, BOB: {"balance": 1}} if exists else {CONTRACT: {"balance": 10}})
    result = message(calling("CALL", BOB, value=value, gas="PUSH1 0"), state=state, fork=fork)
    is_new = not exists and (value > 0 or not fork_includes(fork, "SpuriousDragon"))
    # The stipend of 2,300 goes along with the value, and comes back from an account without code.
    value_gas, new_gas = (11300, 183600) if fork_includes(fork, "Amsterdam") else (9000, 25000)
    assert result.gas_used == 7 * 3 + access + (value_gas - 2300) * value + new_gas * is_new


@pytest.mark.parametrize("kind", ["CALLCODE", "DELEGATECALL", "STATICCALL"])
def test_other_calls_never_pay_for_a_new_account(kind):
    fork = "Byzantium"
    state = State({CONTRACT: {"balance": 10}})
    value = 1 if kind == "CALLCODE" else 0
    result = message(calling(kind, BOB, value=value, gas="PUSH1 0"), state=state, fork=fork)
    pushes = 7 if kind == "CALLCODE" else 6
    assert result.gas_used == pushes * 3 + 700 + (9000 - 2300) * value


def test_the_callee_gets_at_most_63_of_64():
    """EIP-150."""
    result = message(f"{calling('CALL', OTHER, output=32)} POP {RETURN_MEMORY}", f"GAS {RETURN_TOP}", gas=100_000)
    left = 100_000 - 5 * 3 - 3 - 2 - 2600 - 3  # pushes, GAS, the call, a word of memory
    assert result.word == left - left // 64 - 2


def test_before_eip_150_the_caller_gives_what_it_says_or_halts():
    assert (
        message(calling("CALL", OTHER, gas="PUSH3 999999"), "STOP", fork="Homestead", gas=100_000).outcome
        == "OUT_OF_GAS"
    )
    assert (
        message(calling("CALL", OTHER, gas="PUSH3 999999"), "STOP", fork="TangerineWhistle", gas=100_000).outcome
        == "SUCCESS"
    )


@pytest.mark.parametrize("kind", ["CALL", "CALLCODE"])
def test_value_that_is_not_there_fails_the_call_and_gives_its_gas_back(kind):
    result = message(f"{calling(kind, OTHER, value=1, gas='PUSH3 50000')} {RETURN_TOP}", "INVALID", gas=100_000)
    assert (result.word, result.gas_used < 30_000 + 9000) == (0, True)


def test_a_call_moves_value_and_a_failed_one_moves_it_back():
    balance_after = f"POP SELFBALANCE {RETURN_TOP}"
    assert message(f"{calling('CALL', OTHER, value=3)} {balance_after}", "STOP", value=5).word == 2
    assert message(f"{calling('CALL', OTHER, value=3)} {balance_after}", "INVALID", value=5).word == 5


def test_to_oneself_value_changes_nothing():
    assert (
        message(f"{calling('CALL', CONTRACT, value=5, gas='PUSH1 0')} POP SELFBALANCE {RETURN_TOP}", value=5).word == 5
    )


def test_calls_go_1024_deep():
    """Yellow Paper 9.1: the frame at depth 1,024 may not call. Each frame adds one to what the deeper one says."""
    recursive = f"PUSH1 32 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 ADDRESS PUSH2 5000 GAS SUB CALL POP PUSH1 0 MLOAD PUSH1 1 ADD {RETURN_TOP}"
    assert message(recursive, fork="Homestead", gas=50_000_000).word == 1025


def test_precompiles_answer_any_kind_of_call():
    for kind in ("CALL", "CALLCODE", "DELEGATECALL", "STATICCALL"):
        amount = "PUSH1 0" if kind in ("CALL", "CALLCODE") else ""
        program = f"PUSH32 0x{'5a' * 32} PUSH1 0 MSTORE PUSH1 32 PUSH1 32 PUSH1 32 PUSH1 0 {amount} PUSH1 4 PUSH2 1000 {kind} POP PUSH1 32 PUSH1 32 RETURN"
        assert message(program).output == b"\x5a" * 32


def test_a_failed_precompile_takes_the_gas_it_was_given():
    program = f"{calling('STATICCALL', bytes(19) + bytes([9]), gas='PUSH2 10000')} {RETURN_TOP}"
    result = message(program)
    assert (result.word, result.gas_used > 10_000) == (0, True)
