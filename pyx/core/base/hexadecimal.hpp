// Numbers and bytes out of the text that JSON fixtures hold them in: "0x…" with any number of leading zeros, or decimal.
// Depends on types. The readers never allocate beyond the bytes they return and take any text without harm.
#pragma once

#include "types.hpp"

namespace evmcore {

enum class TextError : uint8_t { NONE, NOT_A_NUMBER, TOO_LARGE, NO_MEMORY };

// 0 to 15, or 255 for what is no digit.
constexpr uint8_t hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9')
        return static_cast<uint8_t>(c - '0');
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? static_cast<uint8_t>(lower - 'a' + 10) : 255;
}

namespace detail {

struct HexTable {
    uint8_t value[256];
    constexpr HexTable() noexcept : value{} {
        for (int c = 0; c < 256; ++c)
            value[c] = hex_digit(static_cast<char>(c));
    }
};
inline constexpr HexTable HEX_TABLE{};

inline bool has_hex_prefix(const char* text, size_t size) noexcept {
    return size >= 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
}

}  // namespace detail

// `size` digits, an even number, into size / 2 bytes; false if one is no digit.
inline bool read_hex_digits(const char* digits, size_t size, uint8_t* out) noexcept {
    uint8_t seen = 0;
    for (size_t i = 0; i + 1 < size; i += 2) {
        const uint8_t high = detail::HEX_TABLE.value[static_cast<uint8_t>(digits[i])];
        const uint8_t low = detail::HEX_TABLE.value[static_cast<uint8_t>(digits[i + 1])];
        seen |= high | low;
        *out++ = static_cast<uint8_t>(high << 4 | (low & 15));
    }
    return seen < 16;
}

// Bytes of any length, with or without "0x".
inline TextError read_hex_bytes(const char* text, size_t size, Bytes* out) noexcept {
    if (detail::has_hex_prefix(text, size))
        text += 2, size -= 2;
    if (!out->resize(size / 2))
        return TextError::NO_MEMORY;
    return size % 2 == 0 && read_hex_digits(text, size, out->data()) ? TextError::NONE : TextError::NOT_A_NUMBER;
}

// Exactly `count` bytes, with or without "0x".
inline TextError read_hex_fixed(const char* text, size_t size, uint8_t* out, size_t count) noexcept {
    if (detail::has_hex_prefix(text, size))
        text += 2, size -= 2;
    return size == 2 * count && read_hex_digits(text, size, out) ? TextError::NONE : TextError::NOT_A_NUMBER;
}

// A word: "0x" alone is zero, and what has no "0x" is decimal.
inline TextError read_number(const char* text, size_t size, u256* out) noexcept {
    *out = u256{};
    const bool is_hex = detail::has_hex_prefix(text, size);
    if (is_hex)
        text += 2, size -= 2;
    else if (size == 0)
        return TextError::NOT_A_NUMBER;
    while (size > 0 && *text == '0')
        ++text, --size;
    bool is_too_large = false;
    for (; size > 0; ++text, --size) {
        const uint8_t digit = detail::HEX_TABLE.value[static_cast<uint8_t>(*text)];
        if (digit >= (is_hex ? 16 : 10))
            return TextError::NOT_A_NUMBER;
        uint64_t carry = digit;
        for (uint64_t& limb : out->limb) {
            const unsigned __int128 sum = static_cast<unsigned __int128>(limb) * (is_hex ? 16 : 10) + carry;
            limb = static_cast<uint64_t>(sum);
            carry = static_cast<uint64_t>(sum >> 64);
        }
        is_too_large |= carry != 0;
    }
    return is_too_large ? TextError::TOO_LARGE : TextError::NONE;
}

}  // namespace evmcore
