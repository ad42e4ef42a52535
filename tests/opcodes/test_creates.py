"""CREATE, CREATE2 and SELFDESTRUCT: addresses, prices, what a constructor may leave, and what goes."""

from __future__ import annotations

import pytest
from helpers import ALICE, BOB, CONTRACT, ETHER, FORK_NAMES, NEWEST, OTHER, header

from evmcore import CallResult, Receipt, State, Transaction, assemble, call, fork_includes, keccak256, rlp, transact

RETURN_TOP = "PUSH1 0 MSTORE PUSH1 32 PUSH1 0 RETURN"


def create(init: str, *, value: int = 0, salt: int | None = None) -> str:
    """A creation with this init code, at most 32 bytes of it."""
    code = assemble(init)
    put = f"PUSH32 0x{code.ljust(32, bytes(1)).hex()} PUSH1 0 MSTORE" if code else ""
    if salt is None:
        return f"{put} PUSH1 {len(code)} PUSH1 0 PUSH {value} CREATE"
    return f"{put} PUSH32 {salt} PUSH1 {len(code)} PUSH1 0 PUSH {value} CREATE2"


def leaving(size: int, first: int = 0) -> str:
    """Init code that leaves `size` bytes."""
    return f"PUSH1 {first} PUSH1 0 MSTORE8 PUSH3 {size} PUSH1 0 RETURN"


def created_address(creator: bytes, nonce: int) -> bytes:
    return keccak256(rlp.encode([creator, rlp.number(nonce)]))[12:]


def message(
    program: str, *, state: State | None = None, fork: str = NEWEST, gas: int = 10_000_000, value: int = 0
) -> CallResult:
    world = state.copy() if state is not None else State({ALICE: {"balance": ETHER}})
    world.set_code(CONTRACT, assemble(program))
    return call(world, header(fork=fork), sender=ALICE, to=CONTRACT, gas=gas, value=value)


def kept(
    program: str, *, state: State | None = None, fork: str = NEWEST, to: bytes | None = CONTRACT, **fields
) -> tuple[Receipt, State]:
    """The same as a transaction: the receipt, and the state afterwards."""
    world = state.copy() if state is not None else State()
    world.set_balance(ALICE, ETHER)
    if to is not None:
        world.set_code(to, assemble(program))
    else:
        fields["data"] = assemble(program)
    tx = Transaction(to=to, gas_limit=10_000_000, sender=ALICE, **fields)
    return transact(tx, world, header(fork=fork)), world


# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize("nonce", [0, 1, 127, 128, 255, 256, 2**32, 2**64 - 2])
def test_create_takes_its_address_from_creator_and_nonce(nonce):
    state = State({CONTRACT: {"nonce": nonce}, ALICE: {"balance": 1}})
    result = message(f"{create('')} {RETURN_TOP}", state=state)
    assert result.output[12:] == created_address(CONTRACT, nonce)


@pytest.mark.parametrize("salt", [0, 1, 2**256 - 1])
def test_create2_takes_its_address_from_salt_and_code(salt):
    """EIP-1014."""
    init = assemble("PUSH1 0 PUSH1 0 RETURN")
    result = message(f"{create('PUSH1 0 PUSH1 0 RETURN', salt=salt)} {RETURN_TOP}")
    assert result.output[12:] == keccak256(b"\xff" + CONTRACT + salt.to_bytes(32, "big") + keccak256(init))[12:]


def test_a_creating_transaction_takes_its_address_from_the_nonce_it_has():
    receipt, state = kept("PUSH1 0 PUSH1 0 RETURN", to=None)
    assert receipt.contract_address == created_address(ALICE, 0)
    assert state.get_nonce(receipt.contract_address) == 1


# ---------------------------------------------------------------- what stays


def test_a_constructor_s_output_is_the_code():
    receipt, state = kept(f"{create(leaving(3, 0x5B))} {RETURN_TOP}")
    address = receipt.output[12:]
    assert state.get_code(address) == b"\x5b\0\0"
    assert state.get_nonce(address) == 1
    assert state.get_nonce(CONTRACT) == 1


def test_before_eip_161_a_contract_starts_at_nonce_0():
    receipt, state = kept(f"{create(leaving(1))} {RETURN_TOP}", fork="TangerineWhistle")
    assert state.get_nonce(receipt.output[12:]) == 0


def test_after_a_creation_there_is_no_return_data_after_a_revert_there_is():
    assert message(f"{create(leaving(3))} POP RETURNDATASIZE {RETURN_TOP}").word == 0
    assert message(f"{create('PUSH1 3 PUSH1 0 REVERT')} POP RETURNDATASIZE {RETURN_TOP}").word == 3


@pytest.mark.parametrize("fork", FORK_NAMES)
def test_code_of_more_than_24576_bytes_is_refused_since_eip_170(fork):
    """And of more than 65,536 since EIP-7954."""
    most = 65536 if fork_includes(fork, "Amsterdam") else 24576
    for size in (most, most + 1):
        result = message(f"{create(leaving(size))} {RETURN_TOP}", fork=fork, gas=200_000_000)
        assert (result.word == 0) == (size > most and fork_includes(fork, "SpuriousDragon"))


@pytest.mark.parametrize("fork", FORK_NAMES)
def test_code_that_begins_with_ef_is_refused_since_eip_3541(fork):
    result = message(f"{create(leaving(1, 0xEF))} {RETURN_TOP}", fork=fork)
    assert (result.word == 0) == (fork_includes(fork, "London"))


@pytest.mark.parametrize("fork", ["Frontier", "Homestead"])
def test_a_deposit_that_cannot_be_paid_leaves_an_empty_contract_in_frontier_only(fork):
    """EIP-2: since Homestead the creation fails."""
    state = State({ALICE: {"balance": ETHER}})
    # 200 a byte: 5,000 bytes need a million, the frame has less than that left.
    result = message(f"{create(leaving(5000))} {RETURN_TOP}", state=state, fork=fork, gas=900_000)
    assert result.outcome == ("SUCCESS" if fork == "Frontier" else "OUT_OF_GAS")
    if fork == "Frontier":
        assert result.word != 0


def test_a_byte_of_code_costs_200():
    one, two = (message(f"{create(leaving(size))} {RETURN_TOP}").gas_used for size in (1, 2))
    assert two - one == 200


@pytest.mark.parametrize("fork", ["Paris", "Shanghai"])
def test_initcode_costs_2_a_word_since_eip_3860(fork):
    price = 2 if fork == "Shanghai" else 0
    sizes = {size: message(f"PUSH2 {size} PUSH1 0 PUSH1 0 CREATE", fork=fork).gas_used for size in (32, 64)}
    assert sizes[64] - sizes[32] == 3 + price
    salted = {size: message(f"PUSH1 0 PUSH2 {size} PUSH1 0 PUSH1 0 CREATE2", fork=fork).gas_used for size in (32, 64)}
    assert salted[64] - salted[32] == 3 + price + 6


@pytest.mark.parametrize("fork", ["Paris", "Shanghai"])
def test_initcode_of_more_than_49152_bytes_halts_since_eip_3860(fork):
    for size in (49152, 49153):
        result = message(f"PUSH3 {size} PUSH1 0 PUSH1 0 CREATE", fork=fork)
        assert result.is_success == (fork == "Paris" or size == 49152)


# ---------------------------------------------------------------- what fails


def test_a_creation_without_the_funds_gives_its_gas_back_and_keeps_the_nonce():
    receipt, state = kept(f"{create('', value=1)} {RETURN_TOP}")
    assert int.from_bytes(receipt.output, "big") == 0
    assert state.get_nonce(CONTRACT) == 0


def test_at_the_highest_nonce_nothing_is_created():
    """EIP-2681."""
    state = State({CONTRACT: {"nonce": 2**64 - 1}})
    receipt, after = kept(f"{create('')} {RETURN_TOP}", state=state)
    assert int.from_bytes(receipt.output, "big") == 0
    assert after.get_nonce(CONTRACT) == 2**64 - 1


@pytest.mark.parametrize("there", [{"nonce": 1}, {"code": b"\0"}, {"storage": {1: 1}}])
def test_a_collision_takes_the_gas_and_the_nonce(there):
    """EIP-684, EIP-7610: nonce, code or storage at the address."""
    address = created_address(CONTRACT, 0)
    state = State({address: there})
    receipt, after = kept(f"{create('')} {RETURN_TOP}", state=state)
    assert int.from_bytes(receipt.output, "big") == 0
    assert receipt.gas_used > 9_000_000
    assert after.get_nonce(CONTRACT) == 1
    assert after.get_account(address) == state.get_account(address)


def test_a_creation_at_an_account_with_balance_keeps_the_balance():
    address = created_address(CONTRACT, 0)
    state = State({address: {"balance": 5}, CONTRACT: {"balance": 3}})
    _, after = kept(f"{create(leaving(1), value=3)} POP", state=state)
    assert after.get_balance(address) == 8


def test_a_reverted_constructor_leaves_the_nonce_only():
    receipt, state = kept(f"{create('PUSH1 1 PUSH1 0 SSTORE PUSH1 0 PUSH1 0 REVERT')} {RETURN_TOP}")
    assert int.from_bytes(receipt.output, "big") == 0
    assert not state.exists(created_address(CONTRACT, 0))
    assert state.get_nonce(CONTRACT) == 1


# ---------------------------------------------------------------- SELFDESTRUCT


def selfdestruct_to(heir: bytes) -> str:
    return f"PUSH20 0x{heir.hex()} SELFDESTRUCT"


def test_before_cancun_the_account_goes_and_its_heir_gets_the_balance():
    state = State({CONTRACT: {"balance": 7, "nonce": 1, "storage": {1: 1}}})
    _, after = kept(selfdestruct_to(BOB), state=state, fork="Shanghai")
    assert not after.exists(CONTRACT)
    assert after.get_balance(BOB) == 7
    assert after.get_storage(CONTRACT, 1) == 0


def test_since_cancun_an_old_account_gives_its_balance_and_stays():
    """EIP-6780."""
    state = State({CONTRACT: {"balance": 7, "nonce": 1, "storage": {1: 1}}})
    _, after = kept(selfdestruct_to(BOB), state=state, fork="Cancun")
    assert after.exists(CONTRACT)
    assert (after.get_balance(CONTRACT), after.get_balance(BOB), after.get_storage(CONTRACT, 1)) == (0, 7, 1)


def test_to_itself_a_balance_burns_only_with_the_account():
    for fork, balance in (("Shanghai", 0), ("Cancun", 7)):
        state = State({CONTRACT: {"balance": 7, "nonce": 1}})
        _, after = kept(selfdestruct_to(CONTRACT), state=state, fork=fork)
        assert (after.exists(CONTRACT), after.get_balance(CONTRACT)) == (fork == "Cancun", balance)


def test_since_cancun_what_the_transaction_made_it_may_unmake():
    _, after = kept(f"{create(selfdestruct_to(BOB), value=3)}", state=State({CONTRACT: {"balance": 3}}))
    assert not after.exists(created_address(CONTRACT, 0))
    assert after.get_balance(BOB) == 3


def test_the_account_is_there_until_the_transaction_ends():
    program = f"PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH20 0x{OTHER.hex()} GAS CALL POP PUSH20 0x{OTHER.hex()} EXTCODESIZE {RETURN_TOP}"
    code = assemble(selfdestruct_to(BOB))
    receipt, after = kept(program, state=State({OTHER: {"code": code}}), fork="Shanghai")
    assert int.from_bytes(receipt.output, "big") == len(code)
    assert not after.exists(OTHER)


@pytest.mark.parametrize(
    ("fork", "price"),
    [("Homestead", 0), ("TangerineWhistle", 5000), ("SpuriousDragon", 5000), ("Berlin", 5000), ("BPO2", 5000)],
)
def test_selfdestruct_costs(fork, price):
    """5,000 since EIP-150, 25,000 more for a new account, 2,600 more for a cold one (EIP-2929)."""
    cold = 2600 if fork_includes(fork, "Berlin") else 0
    has_new_price = fork_includes(fork, "TangerineWhistle")
    known = State({BOB: {"balance": 1}, CONTRACT: {"balance": 1}})
    assert message(selfdestruct_to(BOB), state=known, fork=fork).gas_used == 3 + price + cold
    unknown = State({CONTRACT: {"balance": 1}})
    assert message(selfdestruct_to(BOB), state=unknown, fork=fork).gas_used == 3 + price + cold + 25000 * has_new_price
    poor = State({ALICE: {"balance": 1}})
    pays = has_new_price and not fork_includes(fork, "SpuriousDragon")
    assert message(selfdestruct_to(BOB), state=poor, fork=fork).gas_used == 3 + price + cold + 25000 * pays


@pytest.mark.parametrize(("fork", "refund"), [("Frontier", 24000), ("Berlin", 24000), ("London", 0)])
def test_selfdestruct_was_refunded_once_an_account_until_eip_3529(fork, refund):
    twice = f"{'PUSH1 0 ' * 5} PUSH20 0x{OTHER.hex()} PUSH2 40000 CALL POP {'PUSH1 0 ' * 5} PUSH20 0x{OTHER.hex()} PUSH2 40000 CALL"
    state = State({OTHER: {"code": assemble(selfdestruct_to(ALICE))}, ALICE: {"balance": 1}})
    assert message(twice, state=state, fork=fork).gas_refund == refund
