// Builds the access list of a block from the effects of what is committed, index by index: the same list whatever the strategy. An aborted
// execution counts for nothing. Owned by the worker that commits. Depends on effects, world and block_access_list. EIP-7928.
#pragma once

#include "block_access_list.hpp"
#include "world.hpp"

namespace evmcore {

class AccessListBuilder {
public:
    AccessListBuilder() = default;
    AccessListBuilder(const AccessListBuilder&) = delete;
    AccessListBuilder& operator=(const AccessListBuilder&) = delete;
    ~AccessListBuilder() { clear(); }

    void clear() noexcept;

    // These are false without memory. Indices ascend from call to call.
    // What one transaction read and changed, with the balances after it in `balance_after`.
    [[nodiscard]] bool add(uint32_t index, const Effects& effects) noexcept;
    // The same before the effects are applied to the state, from which the balances are taken.
    [[nodiscard]] bool add_on(const World& world, uint32_t index, Effects* effects, bool deletes_empty) noexcept;
    // What an index outside the transactions read and changed.
    [[nodiscard]] bool add_account(const Address& address) noexcept { return account_of(address) != NONE; }
    [[nodiscard]] bool add_balance(uint32_t index, const Address& address, const u256& after) noexcept;
    [[nodiscard]] bool add_nonce(uint32_t index, const Address& address, uint64_t after) noexcept;
    [[nodiscard]] bool add_code(uint32_t index, const Address& address, const Code* after) noexcept;  // null: none
    [[nodiscard]] bool add_slot(uint32_t index, const Address& address, const u256& key, bool is_change,
                                const u256& after) noexcept;
    // A part of the block, whose indices follow those before.
    [[nodiscard]] bool add(const BlockAccessList& list) noexcept;

    // All that differs, as it is afterwards. `hidden`: an account that got a code of which the hash alone is known, else null.
    [[nodiscard]] bool add(uint32_t index, const StateChanges& changes, const AccountChange** hidden) noexcept;

    // The list so far, into an empty one.
    [[nodiscard]] bool finish(BlockAccessList* out) noexcept;

private:
    static constexpr uint32_t NONE = UINT32_MAX;
    struct Slot {
        uint32_t account;
        uint32_t change_count;
        u256 key;
    };
    template <class Value>
    struct Row {
        uint32_t owner;  // an account, or a slot
        uint32_t index;
        Value value;
    };

    uint32_t account_of(const Address& address) noexcept;
    bool note_slot(uint32_t account, uint32_t index, const u256& key, bool is_change, const u256& after) noexcept;
    bool note_code(uint32_t account, uint32_t index, const Code* code) noexcept;

    FlatMap<Address, uint32_t, SeededHash> account_index_;
    FlatMap<SlotKey, uint32_t, SeededHash> slot_index_;
    Vector<Address> accounts_;
    Vector<Slot> slots_;
    Vector<Row<u256>> changes_, balances_;
    Vector<Row<uint64_t>> nonces_;
    Vector<Row<const Code*>> codes_;  // references
    Vector<uint32_t> places_;         // of the effects at work; kept for its memory
};

}  // namespace evmcore
