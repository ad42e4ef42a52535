// Memory and copying: MLOAD to MCOPY, KECCAK256, and the *COPY instructions on input, code and return data.
#pragma once

#include "../cursor.hpp"

namespace evmcore::op {

EVMCORE_INLINE Status mload(Cursor& c) noexcept {
    const u256& offset = c.top();
    if (const Status status = c.extend(offset, 32); status != Status::RUNNING)
        return status;
    c.put(from_big_endian(c.frame.memory + offset.limb[0]));
    return Status::RUNNING;
}

EVMCORE_INLINE Status mstore(Cursor& c) noexcept {
    const u256& offset = c.top();
    if (const Status status = c.extend(offset, 32); status != Status::RUNNING)
        return status;
    to_big_endian(c.top(1), c.frame.memory + offset.limb[0]);
    c.drop(2);
    return Status::RUNNING;
}

EVMCORE_INLINE Status mstore8(Cursor& c) noexcept {
    const u256& offset = c.top();
    if (const Status status = c.extend(offset, 1); status != Status::RUNNING)
        return status;
    c.frame.memory[offset.limb[0]] = static_cast<uint8_t>(c.top(1).limb[0]);
    c.drop(2);
    return Status::RUNNING;
}

EVMCORE_INLINE void msize(Cursor& c) noexcept { c.push(u256{c.frame.memory_size}); }

inline Status keccak256(Frame& f) noexcept {
    const u256 offset = f.pop();
    const u256 size = f.pop();
    uint64_t begin, count;
    if (const Status status = extend(f, offset, size, &begin, &count); status != Status::RUNNING)
        return status;
    if (!f.charge(parameter::keccak_word_gas * static_cast<int64_t>(words_of(count))))
        return Status::OUT_OF_GAS;
    const ByteView message{f.memory + begin, count};
    Hash hash;
    if (f.machine->hashes.takes(count))
        hash = f.machine->hashes.hash(message);
    else if (!evmcore::keccak256(message.data, message.size, &hash, f.machine->poll))
        return Status::ABORTED;
    f.push(from_hash(hash));
    return Status::RUNNING;
}

// Copies size bytes from `from` at an offset of any size to memory, zeros beyond its end. Takes `to from size`.
EVMCORE_INLINE Status copy_to_memory(Frame& f, ByteView from) noexcept {
    const u256 to = f.pop();
    const u256 offset = f.pop();
    const u256 size = f.pop();
    uint64_t begin, count;
    if (const Status status = extend(f, to, size, &begin, &count); status != Status::RUNNING)
        return status;
    if (!f.charge(parameter::copy_word_gas * static_cast<int64_t>(words_of(count))))
        return Status::OUT_OF_GAS;
    if (count == 0)
        return Status::RUNNING;
    const uint64_t skip = offset.fits_u64() && offset.limb[0] < from.size ? offset.limb[0] : from.size;
    const uint64_t there = from.size - skip < count ? from.size - skip : count;
    if (there != 0)
        std::memcpy(f.memory + begin, from.data + skip, there);
    std::memset(f.memory + begin + there, 0, count - there);
    return Status::RUNNING;
}

inline Status calldatacopy(Frame& f) noexcept {
    // Growing memory may move the arena that the input lies in: grow first, then look at the input.
    uint64_t begin, count;
    if (const Status status = extend(f, f.top(), f.top(2), &begin, &count); status != Status::RUNNING)
        return status;
    return copy_to_memory(f, f.input);
}

inline Status codecopy(Frame& f) noexcept { return copy_to_memory(f, ByteView{f.code, f.code_size}); }

// EIP-211: reading beyond the end halts, it doesn't pad.
inline Status returndatacopy(Frame& f) noexcept {
    const ByteView data{f.machine->return_data};
    const u256& offset = f.top(1);
    const u256& size = f.top(2);
    if (!offset.fits_u64() || !size.fits_u64() || offset.limb[0] > data.size || size.limb[0] > data.size - offset.limb[0])
        return Status::RETURN_DATA_OUT_OF_BOUNDS;
    return copy_to_memory(f, data);
}

// EIP-5656
inline Status mcopy(Frame& f) noexcept {
    const u256 to = f.pop();
    const u256 from = f.pop();
    const u256 size = f.pop();
    uint64_t to_begin, from_begin, count;
    const u256& further = to < from ? from : to;
    uint64_t further_begin;
    if (const Status status = extend(f, further, size, &further_begin, &count); status != Status::RUNNING)
        return status;
    if (!f.charge(parameter::copy_word_gas * static_cast<int64_t>(words_of(count))))
        return Status::OUT_OF_GAS;
    if (count == 0)
        return Status::RUNNING;
    to_begin = to.limb[0];
    from_begin = from.limb[0];
    std::memmove(f.memory + to_begin, f.memory + from_begin, count);
    return Status::RUNNING;
}

}  // namespace evmcore::op
