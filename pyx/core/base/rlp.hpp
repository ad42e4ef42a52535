// RLP, strictly: a cursor that reads views into the input, and a writer that appends to Bytes.
// Depends on types and status. The reader accepts the canonical form alone, never allocates and never reads past the
// input, whatever length a prefix claims. Yellow Paper, appendix B.
#pragma once

#include "status.hpp"
#include "types.hpp"

namespace evmcore {

// Big-endian bytes (32 at most) <-> word. The reader and the writer need these below math/u256.hpp.
EVMCORE_INLINE uint64_t u64_from_bytes(const uint8_t* data) noexcept {
    uint64_t word;
    std::memcpy(&word, data, 8);
    return __builtin_bswap64(word);
}
EVMCORE_INLINE void u64_to_bytes(uint64_t x, uint8_t* out) noexcept {
    x = __builtin_bswap64(x);
    std::memcpy(out, &x, 8);
}
inline u256 u256_from_bytes(const uint8_t* data, size_t size) noexcept {
    uint8_t padded[32] = {};
    if (size != 0)
        std::memcpy(padded + 32 - size, data, size);
    return {u64_from_bytes(padded + 24), u64_from_bytes(padded + 16), u64_from_bytes(padded + 8), u64_from_bytes(padded)};
}
inline void u256_to_bytes(const u256& x, uint8_t out[32]) noexcept {
    for (int i = 0; i < 4; ++i)
        u64_to_bytes(x.limb[3 - i], out + 8 * i);
}
// ---------------------------------------------------------------------------------------------------- reading

struct RlpItem {
    bool is_list = false;
    ByteView payload;  // without the prefix
    ByteView whole;    // with it
};

// Walks over the items of one list (or of any run of items), in order. Each `next_…` leaves the cursor where it was
// when it fails; past the last item it answers RLP_TOO_FEW_FIELDS.
class RlpReader {
public:
    RlpReader() = default;
    explicit RlpReader(ByteView items) noexcept : at_{items.data}, end_{items.data + items.size} {}

    bool at_end() const noexcept { return at_ == end_; }
    size_t remaining_bytes() const noexcept { return static_cast<size_t>(end_ - at_); }

    Status next(RlpItem* item) noexcept {
        const Status status = peek(item);
        if (status == Status::SUCCESS)
            at_ = item->whole.end();
        return status;
    }
    Status next_string(ByteView* out) noexcept {
        RlpItem item;
        const Status status = peek(&item);
        if (status != Status::SUCCESS)
            return status;
        if (item.is_list)
            return Status::RLP_EXPECTED_STRING;
        *out = item.payload;
        at_ = item.whole.end();
        return Status::SUCCESS;
    }
    Status next_list(RlpReader* out) noexcept {
        RlpItem item;
        const Status status = peek(&item);
        if (status != Status::SUCCESS)
            return status;
        if (!item.is_list)
            return Status::RLP_EXPECTED_LIST;
        *out = RlpReader{item.payload};
        at_ = item.whole.end();
        return Status::SUCCESS;
    }
    // Numbers: big-endian, no leading zeros, zero is the empty string.
    Status next_u64(uint64_t* out) noexcept {
        ByteView digits;
        const Status status = next_number(8, &digits);
        if (status != Status::SUCCESS)
            return status;
        uint64_t number = 0;
        for (const uint8_t digit : digits)
            number = number << 8 | digit;
        *out = number;
        return Status::SUCCESS;
    }
    Status next_u256(u256* out) noexcept {
        ByteView digits;
        const Status status = next_number(32, &digits);
        if (status == Status::SUCCESS)
            *out = u256_from_bytes(digits.data, digits.size);
        return status;
    }
    // A string of exactly `size` bytes: addresses, hashes, blooms.
    Status next_fixed(uint8_t* out, size_t size) noexcept {
        const uint8_t* const before = at_;
        ByteView string;
        const Status status = next_string(&string);
        if (status != Status::SUCCESS)
            return status;
        if (string.size != size) {
            at_ = before;
            return Status::RLP_WRONG_LENGTH;
        }
        std::memcpy(out, string.data, size);
        return Status::SUCCESS;
    }
    Status finish() const noexcept { return at_end() ? Status::SUCCESS : Status::RLP_TOO_MANY_FIELDS; }

    // Looks at the next item without passing it.
    Status peek(RlpItem* item) const noexcept;

private:
    Status next_number(size_t max_bytes, ByteView* digits) noexcept;

    const uint8_t* at_ = nullptr;
    const uint8_t* end_ = nullptr;
};

// Opens bytes that must be one list and nothing else.
Status open_rlp_list(ByteView whole, RlpReader* out) noexcept;
// The same for one item of either sort.
Status open_rlp_item(ByteView whole, RlpItem* out) noexcept;

// ---------------------------------------------------------------------------------------------------- writing

// The parts below write at a pointer and return the one past; the room needed is told by the `…_size` functions.

inline size_t rlp_header_size(size_t payload_bytes) noexcept {
    return payload_bytes < 56 ? 1 : 1 + byte_length(static_cast<uint64_t>(payload_bytes));
}
inline size_t rlp_string_size(const uint8_t* data, size_t size) noexcept {
    return size == 1 && data[0] < 0x80 ? 1 : rlp_header_size(size) + size;
}
// `base`: 0x80 for a string, 0xc0 for a list.
inline uint8_t* rlp_put_header(uint8_t* out, uint8_t base, size_t payload_bytes) noexcept {
    if (payload_bytes < 56) {
        *out++ = static_cast<uint8_t>(base + payload_bytes);
        return out;
    }
    const unsigned digits = byte_length(static_cast<uint64_t>(payload_bytes));
    *out++ = static_cast<uint8_t>(base + 55 + digits);
    for (unsigned i = digits; i-- > 0;)
        *out++ = static_cast<uint8_t>(payload_bytes >> (8 * i));
    return out;
}
inline uint8_t* rlp_put_string(uint8_t* out, const uint8_t* data, size_t size) noexcept {
    if (size != 1 || data[0] >= 0x80)
        out = rlp_put_header(out, 0x80, size);
    if (size != 0)
        std::memcpy(out, data, size);
    return out + size;
}

// Appends to `out`, which it borrows. Lists nest: `const size_t list = w.begin_list(); …; w.end_list(list);`
// Where there is no memory it stops writing, and `ok` says so at the end.
class RlpWriter {
public:
    explicit RlpWriter(Bytes* out) noexcept : out_{out} {}

    [[nodiscard]] bool ok() const noexcept { return is_ok_; }
    // Somebody else writes to `out` meanwhile, and couldn't.
    void note(bool is_ok) noexcept { is_ok_ = is_ok_ && is_ok; }

    void byte(uint8_t value) noexcept {
        if (uint8_t* const place = grow(1); place != nullptr)
            *place = value;
    }
    void string(const uint8_t* data, size_t size) noexcept {
        if (uint8_t* const place = grow(rlp_string_size(data, size)); place != nullptr)
            rlp_put_string(place, data, size);
    }
    void string(ByteView view) noexcept { string(view.data, view.size); }
    void fixed(const Address& address) noexcept { string(address.bytes, 20); }
    void fixed(const Hash& hash) noexcept { string(hash.bytes, 32); }
    void number(uint64_t x) noexcept {
        uint8_t digits[8];
        u64_to_bytes(x, digits);
        const unsigned size = byte_length(x);
        string(digits + 8 - size, size);
    }
    void number(const u256& x) noexcept {
        uint8_t digits[32];
        u256_to_bytes(x, digits);
        const unsigned size = byte_length(x);
        string(digits + 32 - size, size);
    }
    // Bytes that are encoded already.
    void raw(ByteView encoded) noexcept {
        if (encoded.size == 0)
            return;
        if (uint8_t* const place = grow(encoded.size); place != nullptr)
            std::memcpy(place, encoded.data, encoded.size);
    }
    size_t begin_list() noexcept {
        byte(0xc0);  // one byte is enough for a short list; end_list makes room for a longer header
        return out_->size();
    }
    void end_list(size_t begin) noexcept;

private:
    // `size` more bytes, not zero of them; null without memory.
    uint8_t* grow(size_t size) noexcept {
        uint8_t* const place = is_ok_ ? out_->extend(size) : nullptr;
        is_ok_ = place != nullptr;
        return place;
    }

    Bytes* out_;
    bool is_ok_ = true;
};

}  // namespace evmcore
