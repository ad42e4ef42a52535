"""The contracts of the example block, in evmcore's own assembly: a token, a counter, a pair of tokens to swap, and the
system contracts that a block needs since Prague. Small, but they do what their big sisters do: hashed storage keys, events,
calls between contracts, checks that revert.
"""

from __future__ import annotations

from ..assembler import assemble

__all__ = ["APPROVE", "COUNTER", "HISTORY", "NOTHING", "PAIR", "ROOTS", "TOKEN", "TRANSFER", "call_data"]

# The first four bytes of keccak-256 of "transfer(address,uint256)" and so on, as every token has them.
TRANSFER = 0xA9059CBB
TRANSFER_FROM = 0x23B872DD
APPROVE = 0x095EA7B3
BALANCE_OF = 0x70A08231
# keccak-256 of "Transfer(address,address,uint256)".
TRANSFER_TOPIC = 0xDDF252AD1BE2C89B69C2B068FC378DAA952BA7F163C4A11628F55A4DF523B3EF
SYSTEM_CALLER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFE
# How many blocks the contracts of EIP-2935 and EIP-4788 remember.
HISTORY_BLOCKS = 8191

# From an address to the slot of its balance: keccak-256 of the address and of 0, the way Solidity lays out a mapping.
_BALANCE_SLOT = "PUSH 0 MSTORE  PUSH 0 PUSH 32 MSTORE  PUSH 64 PUSH 0 KECCAK256"
# From an owner to the slot of what the spender in memory may take: a mapping of mappings, under 1.
_ALLOWANCE_OF = "PUSH 0 MSTORE  PUSH 1 PUSH 32 MSTORE  PUSH 64 PUSH 0 KECCAK256  PUSH 32 MSTORE"
_RETURN_TRUE = "PUSH 1 PUSH 0 MSTORE  PUSH 32 PUSH 0 RETURN"
# A call of a function: its selector and the arguments that were put at 4, 36 and 68.
_SELECTOR = "PUSH4 {:#x} PUSH 224 SHL PUSH 0 MSTORE"

TOKEN = assemble(f"""
    PUSH 0 CALLDATALOAD  PUSH 224 SHR
    DUP1 PUSH4 {TRANSFER:#x} EQ       PUSH @transfer JUMPI
    DUP1 PUSH4 {TRANSFER_FROM:#x} EQ  PUSH @transfer_from JUMPI
    DUP1 PUSH4 {APPROVE:#x} EQ        PUSH @approve JUMPI
    DUP1 PUSH4 {BALANCE_OF:#x} EQ     PUSH @balance_of JUMPI
fail:
    PUSH 0 PUSH 0 REVERT

transfer:
    CALLER  PUSH 4 CALLDATALOAD  PUSH 36 CALLDATALOAD
move:                                       ; amount to from
    DUP3 {_BALANCE_SLOT}  DUP1 SLOAD        ; balance slot amount to from
    DUP3 DUP2 LT  PUSH @fail JUMPI
    DUP3 SWAP1 SUB  SWAP1 SSTORE            ; amount to from
    DUP2 {_BALANCE_SLOT}  DUP1 SLOAD
    DUP3 ADD  SWAP1 SSTORE                  ; amount to from
    PUSH 0 MSTORE  SWAP1                    ; from to
    PUSH32 {TRANSFER_TOPIC:#x}  PUSH 32 PUSH 0 LOG3
    {_RETURN_TRUE}

transfer_from:
    PUSH 4 CALLDATALOAD  PUSH 36 CALLDATALOAD  PUSH 68 CALLDATALOAD
    DUP3 {_ALLOWANCE_OF}  CALLER PUSH 0 MSTORE  PUSH 64 PUSH 0 KECCAK256
    DUP1 SLOAD                              ; allowed slot amount to from
    DUP3 DUP2 LT  PUSH @fail JUMPI
    DUP3 SWAP1 SUB  SWAP1 SSTORE            ; amount to from
    PUSH @move JUMP

approve:
    CALLER {_ALLOWANCE_OF}  PUSH 4 CALLDATALOAD PUSH 0 MSTORE
    PUSH 36 CALLDATALOAD  PUSH 64 PUSH 0 KECCAK256  SSTORE
    {_RETURN_TRUE}

balance_of:
    PUSH 4 CALLDATALOAD {_BALANCE_SLOT}  SLOAD  PUSH 0 MSTORE  PUSH 32 PUSH 0 RETURN
""")

COUNTER = assemble("""
    PUSH 0 SLOAD  PUSH 1 ADD  DUP1 PUSH 0 SSTORE
    PUSH 0 MSTORE  PUSH 32 PUSH 0 LOG0  STOP
""")

# Input: amount, then 0 to give the first token and 1 to give the second. Slots 0 and 1: reserves; 2 and 3: the tokens.
# What comes out keeps the product of the reserves, after three parts in a thousand for the house.
PAIR = assemble(f"""
    PUSH 32 CALLDATALOAD                                ; side
    {_SELECTOR.format(TRANSFER_FROM)}
    CALLER PUSH 4 MSTORE  ADDRESS PUSH 36 MSTORE  PUSH 0 CALLDATALOAD PUSH 68 MSTORE
    PUSH 32 PUSH 0 PUSH 100 PUSH 0 PUSH 0  DUP6 PUSH 2 ADD SLOAD  GAS CALL
    ISZERO PUSH @fail JUMPI
    PUSH 0 CALLDATALOAD PUSH 997 MUL                    ; paid side
    DUP2 SLOAD  DUP3 PUSH 1 XOR SLOAD                   ; theirs ours paid side
    DUP2 PUSH 1000 MUL DUP4 ADD  DUP2 DUP5 MUL  DIV     ; out theirs ours paid side
    DUP1 SWAP2 SUB  DUP5 PUSH 1 XOR SSTORE              ; out ours paid side
    SWAP1 PUSH 0 CALLDATALOAD ADD  DUP4 SSTORE          ; out paid side
    {_SELECTOR.format(TRANSFER)}
    CALLER PUSH 4 MSTORE  DUP1 PUSH 36 MSTORE
    PUSH 32 PUSH 0 PUSH 68 PUSH 0 PUSH 0  DUP8 PUSH 1 XOR PUSH 2 ADD SLOAD  GAS CALL
    ISZERO PUSH @fail JUMPI
    PUSH 0 MSTORE  PUSH 32 PUSH 0 LOG0  PUSH 32 PUSH 0 RETURN
fail:
    PUSH 0 PUSH 0 REVERT
""")


def _ring(position: str) -> bytes:
    """Code that keeps the system's word at a position of a ring, and shows to others what lies at the one they ask for."""
    return assemble(f"""
        CALLER PUSH20 {SYSTEM_CALLER:#x} EQ PUSH @keep JUMPI
        PUSH {HISTORY_BLOCKS} PUSH 0 CALLDATALOAD MOD SLOAD  PUSH 0 MSTORE  PUSH 32 PUSH 0 RETURN
    keep:
        PUSH 0 CALLDATALOAD  PUSH {HISTORY_BLOCKS} {position} MOD  SSTORE  STOP
    """)


HISTORY = _ring("PUSH 1 NUMBER SUB")  # parent hashes (EIP-2935)
ROOTS = _ring("TIMESTAMP")  # beacon roots (EIP-4788)
NOTHING = assemble("STOP")  # withdrawal and consolidation requests (EIP-7002, EIP-7251): there are none


def call_data(selector: int | None, *words: int | bytes) -> bytes:
    """The input of a call: the selector, if there is one, and each argument in 32 bytes."""
    arguments = (
        word.rjust(32, b"\0") if isinstance(word, bytes) else (word % (1 << 256)).to_bytes(32, "big") for word in words
    )
    return (b"" if selector is None else selector.to_bytes(4, "big")) + b"".join(arguments)
