// What the world keeps of an account and of a slot, the pointer by which a block at work finds what lies over it, and what such
// blocks have learnt of an account.
#pragma once

#include <atomic>

#include "../base/types.hpp"
#include "code.hpp"

namespace evmcore {

// An account's place among the world's records holds as long as the world lives.
constexpr uint32_t NO_PLACE = UINT32_MAX;

// What several workers lay over a record while they run a block on the world beneath, which is frozen meanwhile: its versions,
// so that one lookup finds both. The block lifts all of it when it ends; between blocks it is null. Plain data for the maps'
// sake.
class Overlay {
  public:
    // Acquire: what it points to was written before it was laid.
    template <class Entry>
    Entry* get() const noexcept {
        return static_cast<Entry*>(cell().load(std::memory_order_acquire));
    }
    // The one that lies there from now on: mine, or that of a worker who was faster.
    template <class Entry>
    Entry* lay(Entry* mine) const noexcept {
        void* there = nullptr;
        // Release: publishes the fields of `mine`; acquire on failure: the winner's fields are read next.
        if (cell().compare_exchange_strong(there, mine, std::memory_order_release, std::memory_order_acquire))
            return mine;
        return static_cast<Entry*>(there);
    }
    void lift() const noexcept { entry_ = nullptr; }  // when no worker runs

  private:
    std::atomic_ref<void*> cell() const noexcept { return std::atomic_ref<void*>{entry_}; }
    mutable void* entry_ = nullptr;
};

// What transactions' conflicts over an account's slots have taught: whether it pays to follow what programs do with these,
// which costs about as much again as running them. A conflict buys some runs that are followed, and each that stands for it
// buys more; one that is in vain all the same ends it for many conflicts. Any worker may learn; it steers the work, and no
// result depends on it.
class Contention {
  public:
    bool is_followed() const noexcept {
        const uint8_t credit = cell().load(std::memory_order_relaxed);
        return credit != NONE && credit <= MOST;
    }
    // A run was followed.
    void spend() const noexcept {
        const uint8_t credit = cell().load(std::memory_order_relaxed);
        if (credit != NONE && credit <= MOST)
            cell().store(static_cast<uint8_t>(credit - 1), std::memory_order_relaxed);
    }
    // A run was followed and stands for it, since it depends on a range of a slot that has changed.
    void reward() const noexcept {
        const uint8_t credit = cell().load(std::memory_order_relaxed);
        if (credit <= MOST)
            cell().store(credit + WORTH < MOST ? credit + WORTH : MOST, std::memory_order_relaxed);
    }
    // A run was in vain over a slot. `was_followed`: and it had been followed.
    void blame(bool was_followed) const noexcept {
        const uint8_t credit = cell().load(std::memory_order_relaxed);
        if (credit > MOST)
            cell().store(credit - 1 > MOST ? credit - 1 : NONE, std::memory_order_relaxed);
        else if (was_followed && credit != NONE)
            cell().store(credit > WORTH ? credit - WORTH : GIVEN_UP, std::memory_order_relaxed);
        else if (credit == NONE)
            cell().store(WORTH, std::memory_order_relaxed);
    }

  private:
    static constexpr uint8_t NONE = 0, MOST = 64;
    static constexpr uint8_t GIVEN_UP = 192;  // from here conflicts count down to MOST, and then it is tried again
    static constexpr uint8_t WORTH = 4;       // runs that may be followed for one that needn't run again
    std::atomic_ref<uint8_t> cell() const noexcept { return std::atomic_ref<uint8_t>{credit_}; }
    mutable uint8_t credit_ = NONE;
};

struct AccountRecord {
    Address address{};
    u256 balance;
    uint64_t nonce = 0;
    const Code* code = nullptr;      // kept alive by World::codes_
    uint32_t storage_id = 0;         // a destroyed account's next life gets another: its old slots are out of reach
    uint32_t slot_count = 0;         // of slots that are not zero
    bool exists = false;
    bool is_storage_complete = false;  // in a strict state: a slot that is not there is zero, not missing
    bool is_root_dirty = false;        // changed since the last root
    Contention contention;
    uint64_t saved_in = 0;             // the World's epoch in which the undo log last took it
    Overlay overlay;

    // To what it was when the undo log took it, perhaps while a block was at work: what lay over it then is gone by now. What
    // was learnt stays.
    void take_back(const AccountRecord& saved) noexcept {
        const Contention learnt = contention;
        *this = saved;
        contention = learnt;
        overlay.lift();
        is_root_dirty = true;
    }
};

struct StoredSlot {
    u256 value;
    Overlay overlay;
};

}  // namespace evmcore
