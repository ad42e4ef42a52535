// Records of an account and of a slot, each with the pointer by which a block under execution finds its version list.
#pragma once

#include <atomic>

#include "../base/types.hpp"
#include "code.hpp"

namespace evmcore {

// An account's index among the state's records is valid as long as the state lives.
constexpr uint32_t NO_PLACE = UINT32_MAX;

// The version list that workers attach to a record of the base state, which is frozen while they execute a block: one lookup finds both.
// The block detaches all of them when it ends; between blocks it is null. Plain data for the maps' sake.
class AttachedVersions {
public:
    // Acquire: what it points to was written before it was attached.
    template <class Entry>
    Entry* get() const noexcept {
        return static_cast<Entry*>(cell().load(std::memory_order_acquire));
    }
    // The one that is attached from now on: mine, or that of a worker that was faster.
    template <class Entry>
    Entry* attach(Entry* mine) const noexcept {
        void* there = nullptr;
        // Release: publishes the fields of `mine`; acquire on failure: the winner's fields are read next.
        if (cell().compare_exchange_strong(there, mine, std::memory_order_release, std::memory_order_acquire))
            return mine;
        return static_cast<Entry*>(there);
    }
    void detach() const noexcept { entry_ = nullptr; }  // when no worker runs

private:
    std::atomic_ref<void*> cell() const noexcept { return std::atomic_ref<void*>{entry_}; }
    mutable void* entry_ = nullptr;
};

// What is known of an account, bits of AccountRecord::known. A state that isn't strict knows everything.
enum KnownBits : uint8_t {
    KNOWS_BALANCE = 1,
    KNOWS_NONCE = 2,
    KNOWS_CODE = 4,
    KNOWS_EXISTENCE = 8,
    KNOWS_ACCOUNT = 15,  // all of it but its storage
};

// Whether an account has slots that are not zero beside those that the state holds. A state that isn't strict holds all.
enum class OtherSlots : uint8_t { NONE, SOME, UNKNOWN };

struct AccountRecord {
    Address address{};
    u256 balance;
    uint64_t nonce = 0;
    const Code* code = nullptr;  // kept alive by World::codes_
    uint32_t storage_id = 0;     // a destroyed account's next life gets another: its old slots are out of reach
    uint32_t slot_count = 0;     // of slots that are not zero
    bool exists = false;
    uint8_t known = 0;                          // KnownBits; what isn't known has its default
    OtherSlots other_slots = OtherSlots::NONE;  // NONE: a slot that is not there is zero; otherwise it is missing
    uint64_t saved_in = 0;                      // the World's epoch in which the undo log last took it
    AttachedVersions versions;

    // To what it was when the undo log took it, perhaps while a block was executed: what was attached then is gone by now.
    void take_back(const AccountRecord& saved) noexcept {
        *this = saved;
        versions.detach();
    }
};

static_assert(sizeof(AccountRecord) == 104);

struct StoredSlot {
    u256 value;
    AttachedVersions versions;
};

}  // namespace evmcore
