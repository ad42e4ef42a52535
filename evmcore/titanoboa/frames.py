"""What boa reads of a frame of py-evm's, made of what evmcore has recorded: message, code, memory, stack."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Code", "Memory", "Message", "Stack"]


@dataclass(slots=True, eq=False)
class Message:
    """A call or creation, as it began. Addresses have 20 bytes; `to` is empty for a creation, as its `code_address`."""

    sender: bytes
    to: bytes
    value: int
    gas: int
    data: bytes
    code: bytes
    depth: int  # 0: the outermost
    storage_address: bytes
    code_address: bytes
    is_static: bool
    is_delegation: bool = False
    create_address: bytes | None = None
    _contract: Any = field(default=None, repr=False)

    @property
    def is_create(self) -> bool:
        """Whether a contract is made."""
        return self.create_address is not None

    @property
    def data_as_bytes(self) -> bytes:
        """The call data."""
        return self.data

    @property
    def should_transfer_value(self) -> bool:
        """Whether its value moves."""
        return not self.is_delegation


class Code:
    """The code of a frame, and which of its instructions ran."""

    def __init__(self, raw: bytes, trace: list[int]) -> None:
        self._raw_code_bytes = raw
        self._trace = trace
        # That of the next instruction.
        self.program_counter = trace[-1] + 1 if trace else 0

    def __len__(self) -> int:
        return len(self._raw_code_bytes)

    def __getitem__(self, at: int) -> int:
        return self._raw_code_bytes[at]


class Memory:
    """The memory of a frame, which readers may extend."""

    def __init__(self, content: bytes) -> None:
        self._bytes = bytearray(content)

    def __len__(self) -> int:
        return len(self._bytes)

    def extend(self, start_position: int, size: int) -> None:
        """Make so much readable, in words of 32 bytes."""
        end = (start_position + size + 31) // 32 * 32
        if size and end > len(self._bytes):
            self._bytes.extend(bytes(end - len(self._bytes)))

    def read(self, start_position: int, size: int) -> memoryview:
        """A part of it."""
        return memoryview(self._bytes)[start_position : start_position + size]

    def read_bytes(self, start_position: int, size: int) -> bytes:
        """A copy of a part."""
        return bytes(self._bytes[start_position : start_position + size])


class Stack:
    """The items of a stack, the top last."""

    def __init__(self, values: list[int]) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)
