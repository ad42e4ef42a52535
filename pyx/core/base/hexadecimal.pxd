from libc.stdint cimport uint8_t
from libcpp cimport bool as cbool

from core.base.types cimport Bytes, u256

cdef extern from "core/base/hexadecimal.hpp" namespace "evmcore" nogil:
    cdef enum class TextError(uint8_t):
        NONE
        NOT_A_NUMBER
        TOO_LARGE
        NO_MEMORY
    cbool read_hex_digits(const char* digits, size_t size, uint8_t* out)
    TextError read_hex_bytes(const char* text, size_t size, Bytes* out)
    TextError read_hex_fixed(const char* text, size_t size, uint8_t* out, size_t count)
    TextError read_number(const char* text, size_t size, u256* out)
