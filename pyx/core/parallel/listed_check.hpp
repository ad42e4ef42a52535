// Holds what each index of a block reads and changes against the block's access list. Any number of workers may check different indices.
#pragma once

#include <atomic>

#include "../base/spin_lock.hpp"
#include "../vm/system_accesses.hpp"
#include "listed_view.hpp"

namespace evmcore {

class ListedCheck {
public:
    // For indices up to `last`. False without memory.
    [[nodiscard]] bool prepare(const ListedState* state, uint32_t last) noexcept;

    // Whether index i does what the list says: no more, no less, the same values. What the list says more is found when all are done.
    bool agrees(uint32_t i, const Effects& effects, bool deletes_empty) noexcept;
    bool agrees(uint32_t i, const SystemAccesses& accesses, AccessListFault* fault) noexcept;
    // Where it doesn't, the first place: of the index's accesses in their order, or else of the list, which has more.
    void explain(uint32_t i, const Effects& effects, AccessListFault* fault) noexcept;
    // When every index agrees: whether all accounts and reads of the list were met.
    bool is_complete(AccessListFault* fault) const noexcept;

    // Accounts that were there and empty, and were touched: they go, of which a list has no word (EIP-161).
    const Vector<uint32_t>& touched() const noexcept { return touched_; }
    bool is_out_of_memory() const noexcept { return is_out_of_memory_.load(std::memory_order_relaxed); }

private:
    // Which of the list's entries one index has met; of places in its arrays.
    struct Met {
        Vector<uint8_t> changes, balances, nonces, codes;
    };
    // A comparison of one index. `fault` and `seen` are for who explains it; null: it is only counted.
    struct Piece {
        uint32_t i;
        uint32_t met = 0;
        AccessListFault* fault = nullptr;
        Met* seen = nullptr;
    };
    template <class Value, class Items>
    static bool field_agrees(Piece* piece, AccessListFault::Field field, const Items& items,
                             const BlockAccessList::Range& range, Vector<uint8_t> Met::* seen, const Value& value) noexcept;
    bool piece_agrees(Piece* piece, const Effects& effects) noexcept;
    bool piece_agrees(Piece* piece, const SystemAccesses& accesses) noexcept;
    bool account_agrees(Piece* piece, uint32_t account, bool has_balance, const u256& balance, bool has_nonce, uint64_t nonce,
                        bool has_code, const Code* code) noexcept;
    bool slot_agrees(Piece* piece, uint32_t account, const Address& address, uint32_t slot, const u256& key, bool is_change,
                     const u256& after) noexcept;
    void note_touched(uint32_t account) noexcept;
    bool open(Met* seen) const noexcept;  // false without memory
    void tell_left(const Piece& piece) const noexcept;

    const ListedState* state_ = nullptr;
    Vector<uint32_t> entries_;                  // how many changes the list has at each index
    Vector<uint8_t> met_accounts_, met_reads_;  // published: set to 1 by any worker; atomic accesses, read when all have joined
    SpinLock touched_lock_;
    Vector<uint32_t> touched_;
    std::atomic<bool> is_out_of_memory_{false};
};

}  // namespace evmcore
