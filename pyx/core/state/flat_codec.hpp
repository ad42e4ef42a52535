// The items of flat encodings (state_codec.hpp, changes_codec.hpp), and a reader of bytes that nobody vouches for.
//
//   count    LEB128: seven bits a byte, the lowest first, no zero byte at the end
//   number   how many bytes, then these: big-endian, no zero byte at the beginning
#pragma once

#include "../base/types.hpp"
#include "../math/u256.hpp"

namespace evmcore {

// What became of decoding; false with neither: no memory, or stopped.
struct DecodedState {
    const char* fault = nullptr;  // what is wrong with the bytes
    size_t offset = 0;            // of the item that is
};

// False without memory.
[[nodiscard]] inline bool put_count(uint64_t count, Bytes* out) noexcept {
    for (; count >= 0x80; count >>= 7)
        if (!out->push_back(static_cast<uint8_t>(count | 0x80)))
            return false;
    return out->push_back(static_cast<uint8_t>(count));
}

[[nodiscard]] inline bool put_number(const u256& number, Bytes* out) noexcept {
    uint8_t word[32];
    to_big_endian(number, word);
    size_t first = 0;
    while (first < 32 && word[first] == 0)
        ++first;
    return out->push_back(static_cast<uint8_t>(32 - first)) && out->append(word + first, 32 - first);
}

// `fail` says why and where it can't go on; everything else answers false then.
class FlatReader {
public:
    FlatReader(ByteView bytes, DecodedState* result) noexcept : bytes_{bytes}, result_{*result} {}

    bool is_at_end() const noexcept { return at_ == bytes_.size; }
    size_t left() const noexcept { return bytes_.size - at_; }
    bool fail(const char* fault) noexcept {
        result_.fault = fault;
        result_.offset = item_;
        return false;
    }
    bool take(size_t size, const uint8_t** out) noexcept {
        if (size > left())
            return fail("it ends too early");
        *out = bytes_.data + at_;
        at_ += size;
        return true;
    }
    bool count(uint64_t* out) noexcept {
        item_ = at_;
        *out = 0;
        for (unsigned shift = 0;; shift += 7) {
            const uint8_t* byte;
            if (!take(1, &byte))
                return false;
            const uint64_t bits = *byte & 0x7f;
            if (shift > 63 || (shift == 63 && bits > 1))
                return fail("a count of more than 64 bits");
            *out |= bits << shift;
            if (*byte < 0x80)
                return (*byte != 0 || shift == 0) || fail("a count that ends with a zero byte");
        }
    }
    // Of items that take `least` bytes each, so that no count asks for more memory than a file has bytes.
    bool count_of(size_t least, uint64_t* out) noexcept {
        return count(out) && (*out <= left() / least || fail("it counts more than it has room for"));
    }
    bool number(u256* out) noexcept {
        item_ = at_;
        const uint8_t* size;
        const uint8_t* digits;
        if (!take(1, &size))
            return false;
        if (*size > 32)
            return fail("a number of more than 32 bytes");
        if (!take(*size, &digits))
            return false;
        if (*size != 0 && digits[0] == 0)
            return fail("a number that begins with a zero byte");
        *out = from_big_endian(digits, *size);
        return true;
    }

private:
    ByteView bytes_;
    DecodedState& result_;
    size_t at_ = 0;
    size_t item_ = 0;  // where what is being read begins
};

}  // namespace evmcore
