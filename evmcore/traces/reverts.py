"""What a contract reverted with: Solidity's Error(string) and Panic(uint256), and what is neither."""

from __future__ import annotations

from dataclasses import dataclass

from ..hexadecimal import checked_bytes

__all__ = ["Panic", "decode_revert"]

_ERROR = bytes.fromhex("08c379a0")  # Error(string)
_PANIC = bytes.fromhex("4e487b71")  # Panic(uint256)
# Solidity's documentation, "Panic via assert and Error via require".
_REASONS = {
    0x00: "generic panic",
    0x01: "assert(false)",
    0x11: "arithmetic underflow or overflow",
    0x12: "division or modulo by zero",
    0x21: "enum overflow",
    0x22: "invalid encoded storage byte array accessed",
    0x31: "out-of-bounds array access; popping on an empty array",
    0x32: "out-of-bounds access of an array or bytesN",
    0x41: "out of memory",
    0x51: "uninitialized function",
}


@dataclass(frozen=True, slots=True)
class Panic:
    """Panic(uint256): what the compiler's own checks found."""

    code: int

    def __str__(self) -> str:
        return _REASONS.get(self.code, f"unknown panic code: {self.code:#x}")


def decode_revert(output: bytes) -> str | Panic | bytes | None:
    """What a revert's output says: the text of an Error(string), a Panic, custom data as bytes, or None where there is none."""
    output = checked_bytes(output, "output")
    if not output:
        return None
    if output[:4] == _PANIC and len(output) == 36:
        return Panic(int.from_bytes(output[4:], "big"))
    text = _text(output[4:]) if output[:4] == _ERROR else None
    return output if text is None else text


def _text(content: bytes) -> str | None:
    """The string that an ABI encoding of one string holds; None if it is another's."""
    if len(content) < 64:
        return None
    offset = int.from_bytes(content[:32], "big")
    if offset > len(content) - 32:
        return None
    size = int.from_bytes(content[offset : offset + 32], "big")
    text = content[offset + 32 : offset + 32 + size]
    if len(text) != size:
        return None
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return None
