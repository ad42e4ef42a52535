// A contract's code: the bytes, their hash, and where it may jump to, found once and shared by every frame and thread.
// Reference-counted, immutable but for the analysis, which is published atomically by the thread that needs it first.
#pragma once

#include <atomic>
#include <cstdlib>
#include <new>

#include "../base/types.hpp"
#include "../crypto/keccak.hpp"
#include "jump_analysis.hpp"

namespace evmcore {

// A delegation designator is 0xef0100 and an address (EIP-7702).
constexpr size_t DELEGATION_SIZE_BYTES = 23;

inline bool is_delegation(ByteView code) noexcept {
    return code.size == DELEGATION_SIZE_BYTES && code[0] == 0xef && code[1] == 0x01 && code[2] == 0x00;
}

struct Code {
    // Zeros behind the last byte: a PUSH32 at the end reads 32 of them, then an implicit STOP, and loads are 8 wide.
    static constexpr size_t PADDING_BYTES = 48;

    mutable std::atomic<uint32_t> references{1};
    uint32_t size = 0;
    Hash hash{};
    // published: set once, by any thread, with release order, since readers follow the pointer.
    mutable std::atomic<uint64_t*> jump_destinations{nullptr};

    uint8_t* bytes() noexcept { return reinterpret_cast<uint8_t*>(this + 1); }
    const uint8_t* bytes() const noexcept { return reinterpret_cast<const uint8_t*>(this + 1); }
    ByteView view() const noexcept { return {bytes(), size}; }

    // Of an account's code: whether its bytes are there. An account without code has none of these, so one without bytes is known
    // by its hash alone.
    bool has_bytes() const noexcept { return size != 0; }
    // By which a state keeps it: the hash; of one that is known by its hash alone, the complement, since it may have both.
    Hash key() const noexcept {
        Hash key = hash;
        if (!has_bytes())
            for (uint8_t& byte : key.bytes)
                byte = static_cast<uint8_t>(~byte);
        return key;
    }

    bool is_delegation() const noexcept { return evmcore::is_delegation(view()); }
    Address delegate() const noexcept {
        Address target;
        std::memcpy(target.bytes, bytes() + 3, 20);
        return target;
    }

    // A copy of `code`, of less than 4 GiB, with one reference, or null when there is no memory. `hash` may be null: then it is computed,
    // unless `is_transient` says that nobody will ask (init code).
    static Code* create(ByteView code, const Hash* hash, bool is_transient = false) noexcept {
        void* memory = std::malloc(sizeof(Code) + code.size + PADDING_BYTES);
        if (memory == nullptr)
            return nullptr;
        Code* self = new (memory) Code;
        self->size = static_cast<uint32_t>(code.size);
        if (code.size != 0)
            std::memcpy(self->bytes(), code.data, code.size);
        std::memset(self->bytes() + code.size, 0, PADDING_BYTES);
        if (hash != nullptr)
            self->hash = *hash;
        else if (!is_transient)
            keccak256(code.data, code.size, &self->hash);
        return self;
    }

    const Code* acquire() const noexcept {
        references.fetch_add(1, std::memory_order_relaxed);  // the caller already holds one
        return this;
    }
    // Release: what other owners did happens before the last one frees it.
    void release() const noexcept {
        if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            std::free(jump_destinations.load(std::memory_order_relaxed));
            const_cast<Code*>(this)->~Code();
            std::free(const_cast<Code*>(this));
        }
    }

    // One bit a byte of code, set where a JUMPDEST stands that is not push data; null when there is no memory.
    // Safe from several threads. Yellow Paper 9.4.3.
    const uint64_t* analysis() const noexcept {
        const uint64_t* found = jump_destinations.load(std::memory_order_acquire);
        return found != nullptr ? found : analyse();
    }

private:
    EVMCORE_NOINLINE const uint64_t* analyse() const noexcept {
        auto* bits = static_cast<uint64_t*>(std::calloc(size / 64 + 1, sizeof(uint64_t)));
        if (bits == nullptr)
            return nullptr;
        find_jump_destinations(bytes(), size, bits);
        uint64_t* expected = nullptr;
        if (!jump_destinations.compare_exchange_strong(expected, bits, std::memory_order_acq_rel)) {
            std::free(bits);
            return expected;
        }
        return bits;
    }
};

inline ByteView view_of(const Code* code) noexcept { return code != nullptr ? code->view() : ByteView{}; }
inline const Hash& hash_of(const Code* code) noexcept { return code != nullptr ? code->hash : EMPTY_KECCAK; }

}  // namespace evmcore
