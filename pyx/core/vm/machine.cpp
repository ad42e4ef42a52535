// The machine's memory: allocation, growth, and what growth costs.
#include "frame.hpp"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace evmcore {

namespace {

// One stack slot below each base belongs to the empty stack, hence the spare items.
constexpr size_t STACK_ARENA_ITEMS = static_cast<size_t>(parameter::call_depth_limit + 1) * (parameter::stack_limit + 1) + 64;

// Memory's price in gas for `words` 32-byte words, in 128 bits: the square of 2^37 words needs 74. Yellow Paper H.1.
constexpr unsigned __int128 memory_gas(uint64_t words) noexcept {
    const unsigned __int128 count = words;
    return count * parameter::memory_word_gas + count * count / parameter::memory_quadratic_divisor;
}

// Large blocks of memory go back to the system as they are freed, small ones stay with the allocator unless it is told.
void give_back_free_memory() noexcept {
#if defined(__GLIBC__)
    malloc_trim(0);
#endif
}

}  // namespace

Machine::~Machine() {
    std::free(frames);
    std::free(stack_arena);
}

bool Machine::allocate() noexcept {
    if (frames != nullptr)
        return true;
    const size_t frame_count = static_cast<size_t>(parameter::call_depth_limit) + 1;
    auto* made = static_cast<Frame*>(std::malloc(sizeof(Frame) * frame_count));
    // Not cleared: the kernel hands out pages as they are touched, so 33 MB of stacks cost what the calls use.
    auto* arena = static_cast<u256*>(std::malloc(sizeof(u256) * STACK_ARENA_ITEMS));
    if (made == nullptr || arena == nullptr || !memory.reserve(1)) {
        std::free(made);
        std::free(arena);
        return false;
    }
    frames = made;
    stack_arena = arena;
    return true;
}

void Machine::trim() noexcept {
    constexpr size_t KEPT_BYTES = size_t{1} << 20;
    constexpr size_t MANY_BYTES = size_t{64} << 20;
    const bool has_many_pieces = journal.pieces_bytes() > MANY_BYTES;
    memory.trim();
    return_data.trim(KEPT_BYTES);
    journal.trim(KEPT_BYTES);
    if (has_many_pieces)
        give_back_free_memory();
}

void Machine::track_values(bool on) noexcept {
    tracks_values = on && tracer == nullptr && value_tracker.open(stack_arena, STACK_ARENA_ITEMS);
}

Address create_address(const Address& creator, uint64_t nonce) noexcept {
    uint8_t rlp[1 + 21 + 9];  // list header, the address with its prefix, the nonce with its prefix
    size_t size = 1;
    rlp[size++] = 0x80 + 20;
    std::memcpy(rlp + size, creator.bytes, 20);
    size += 20;
    if (nonce == 0) {
        rlp[size++] = 0x80;
    } else if (nonce < 0x80) {
        rlp[size++] = static_cast<uint8_t>(nonce);
    } else {
        const int count = (71 - __builtin_clzll(nonce)) / 8;
        rlp[size++] = static_cast<uint8_t>(0x80 + count);
        for (int i = count - 1; i >= 0; --i)
            rlp[size++] = static_cast<uint8_t>(nonce >> (8 * i));
    }
    rlp[0] = static_cast<uint8_t>(0xc0 + size - 1);
    Hash hash;
    keccak256(rlp, size, &hash);
    Address address;
    std::memcpy(address.bytes, hash.bytes + 12, 20);
    return address;
}

Address create2_address(const Address& creator, const u256& salt, ByteView init_code) noexcept {
    uint8_t preimage[1 + 20 + 32 + 32];
    preimage[0] = 0xff;
    std::memcpy(preimage + 1, creator.bytes, 20);
    to_big_endian(salt, preimage + 21);
    Hash hash;
    keccak256(init_code.data, init_code.size, &hash);
    std::memcpy(preimage + 53, hash.bytes, 32);
    keccak256(preimage, sizeof preimage, &hash);
    Address address;
    std::memcpy(address.bytes, hash.bytes + 12, 20);
    return address;
}

EVMCORE_NOINLINE Status grow_memory(Frame& frame, uint64_t end) noexcept {
    const uint64_t new_words = words_of(end);
    const unsigned __int128 cost = memory_gas(new_words) - memory_gas(frame.memory_size / 32);
    if (frame.gas < 0 || cost > static_cast<uint64_t>(frame.gas))
        return Status::OUT_OF_GAS;
    frame.gas -= static_cast<int64_t>(cost);
    MemoryArena& arena = frame.machine->memory;
    const uint64_t size = new_words * 32;
    const uint8_t* old_data = arena.data();
    if (!arena.reserve(frame.memory_begin + size))
        return frame.memory_begin + size > MemoryArena::LIMIT_BYTES ? Status::MEMORY_LIMIT : Status::OUT_OF_MEMORY;
    uint8_t* data = arena.data();
    if (data != old_data) {
        // The input of a call lies in its caller's memory, which has just moved along.
        if (frame.depth > 0)
            frame.input.data = data + frame.input_begin;
        frame.memory = data + frame.memory_begin;
    }
    arena.clear(frame.memory_begin + frame.memory_size, frame.memory_begin + size);
    frame.memory_size = size;
    return Status::RUNNING;
}

}  // namespace evmcore
