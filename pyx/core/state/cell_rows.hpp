// What accounts and slots are to be, as rows, put into a state's trie without the state: the root after a block's changes, or before them.
// Depends on shared_trie, state_root and trie_rows.
#pragma once

#include "trie_rows.hpp"

namespace evmcore {

// Rows of evmcore.changes.ACCOUNT_CHANGE_DTYPE and SLOT_CHANGE_DTYPE, packed. Of each only what is after is read, and `storage`: not 0 where
// the storage before is gone.
struct __attribute__((packed)) AccountCells {
    uint8_t address[20], existed, exists, storage;
    uint8_t balance_before[32], balance_after[32];
    uint64_t nonce_before, nonce_after;
    uint8_t code_hash_before[32], code_hash_after[32];
};
struct __attribute__((packed)) SlotCells {
    uint32_t account;
    uint8_t key[32], before[32], after[32];
};

class CellRows {
public:
    explicit CellRows(Poll* poll) noexcept : poll_{poll} {}
    // Rows that somebody holds. False without memory, when the poll stopped it, or with a `fault`: two of an account, or slots out of order.
    [[nodiscard]] bool open(const AccountCells* accounts, size_t account_count, const SlotCells* slots,
                            size_t slot_count) noexcept;

    // The trie with these cells; `known` is the same as before with all that was read. False without memory, when the poll stopped it, or
    // where a node is missing.
    [[nodiscard]] bool apply(const shared_trie::Ref& before, const shared_trie::NodeSource& source, shared_trie::Ref* known,
                             shared_trie::Ref* after) noexcept;
    // Whether a trie after has these cells, and differs from the one before in nothing else. Null, or what is wrong, with `account`.
    const char* check(const shared_trie::Node* before, const shared_trie::Node* after,
                      const TrieDifference& difference) noexcept;

    const char* fault = nullptr;
    shared_trie::MissingNode missing;
    bool is_in_storage = false;
    Hash account{};       // hashed: in whose storage a node is missing, or what differs
    bool failed = false;  // to have memory, in `check`

private:
    struct Account {
        Hash key;
        const AccountCells* row;
        size_t first_slot, slot_count;
    };
    struct Slot {
        Hash key;
        const SlotCells* row;
    };
    bool expand(const shared_trie::Ref& before, const shared_trie::NodeSource& source, shared_trie::Ref* known) noexcept;
    bool make_storage(const Account& account, const shared_trie::Leaf* leaf, const shared_trie::NodeSource& source,
                      shared_trie::Ref* out) noexcept;
    bool encode(const AccountCells& row, const shared_trie::Ref& storage, Bytes* out) noexcept;
    void note(const shared_trie::MissingNode& node, const Hash* in) noexcept;
    const char* check_account(const Account& account, const shared_trie::Leaf* before, const shared_trie::Leaf* after,
                              bool is_before_known, size_t changed_slots) noexcept;

    Poll* poll_;
    Vector<Account> accounts_;  // ascending by key
    Vector<Slot> slots_;        // by account, ascending by key
};

}  // namespace evmcore
