// What a block needs of the state before it, to be executed by who has the state root alone: the keys that its execution looks at, and
// the nodes of the tries that lead to them, or that its deletions need.
// Depends on effects, shared_trie and state_root. One thread at a time.
#pragma once

#include "effects.hpp"
#include "state_root.hpp"

namespace evmcore {

// Filled by the worker that commits. An aborted execution counts for nothing, so that the record is the same whatever the schedule.
class WitnessRecord {
public:
    struct Account {
        Address address;
        const Code* code = nullptr;  // the first of this account whose bytes were needed; a reference
    };

    WitnessRecord() = default;
    WitnessRecord(const WitnessRecord&) = delete;
    WitnessRecord& operator=(const WitnessRecord&) = delete;
    ~WitnessRecord() { clear(); }

    // These are false without memory.
    [[nodiscard]] bool add(const Effects& effects) noexcept;
    [[nodiscard]] bool add(const Address& address) noexcept { return place_of(address) != NO_PLACE; }
    // The state's trie at a moment at which its root was made: before the block, then after some or all of it.
    void set_before(const shared_trie::Ref& trie) noexcept { before_ = trie.share(); }
    [[nodiscard]] bool add_trie(const shared_trie::Ref& trie) noexcept { return tries_.push_back(trie.share()); }
    [[nodiscard]] bool add_trie_of(const World& world) noexcept;
    void begin_again() noexcept;  // forgets all but the trie before
    void clear() noexcept {
        begin_again();
        before_.reset();
    }

    const Vector<Account>& accounts() const noexcept { return accounts_; }
    const Vector<SlotKey>& slots() const noexcept { return slots_; }  // `account` is a place in `accounts`
    const shared_trie::Node* before() const noexcept { return before_.get(); }
    const Vector<shared_trie::Ref>& tries() const noexcept { return tries_; }
    uint64_t oldest_block() const noexcept { return oldest_block_; }  // whose hash was asked for; UINT64_MAX: none was

private:
    uint32_t place_of(const Address& address) noexcept;

    FlatMap<Address, uint32_t, SeededHash> places_;
    FlatMap<SlotKey, uint8_t, SeededHash> known_slots_;
    Vector<Account> accounts_;
    Vector<SlotKey> slots_;
    shared_trie::Ref before_;
    Vector<shared_trie::Ref> tries_;
    uint64_t oldest_block_ = UINT64_MAX;
};

// The parts of a witness, out of the trie before the block. The tries after it, one a root that was made, say what was deleted: a branch
// that is left with one child takes that child's place, whose node is needed for that.
class WitnessParts {
public:
    // False without memory, when the poll stopped it, or where a node was missing. `source`: where nodes are read of which the trie before
    // knows the hash alone; null: there is none.
    [[nodiscard]] bool collect(const WitnessRecord& record, const shared_trie::NodeSource* source, Poll* poll) noexcept;

    const Vector<Bytes>& nodes() const noexcept { return nodes_; }        // of storages with the same nodes more than once
    const Vector<const Code*>& codes() const noexcept { return codes_; }  // the record's
    const shared_trie::MissingNode& missing() const noexcept { return missing_; }
    const Hash* missing_account() const noexcept { return is_in_storage_ ? &account_ : nullptr; }

private:
    struct HashedKey {
        Hash hash;
        uint32_t place;  // in the record's accounts, or of the account of a slot
    };
    bool read(shared_trie::Ref* trie, const Vector<Hash>& accounts, const Vector<HashedKey>& keys) noexcept;
    bool below(const shared_trie::Node* node, unsigned depth, const Hash* first, const Hash* last) noexcept;
    bool below_branch(const shared_trie::Branch* branch, unsigned depth, const Hash* first, const Hash* last) noexcept;
    bool add(const shared_trie::Node* node) noexcept;
    bool add_sibling(const shared_trie::Node* node, const Hash& path, unsigned depth) noexcept;
    bool add_code(const WitnessRecord::Account& account, const shared_trie::Leaf* leaf) noexcept;
    bool collect_storage(const WitnessRecord& record, const shared_trie::Leaf* leaf, const Hash* first,
                         const Hash* last) noexcept;

    Vector<Bytes> nodes_;
    Vector<const Code*> codes_;
    const shared_trie::Node* root_ = nullptr;  // of the trie at work
    Vector<const shared_trie::Node*> after_;   // what it has become
    Poll* poll_ = nullptr;
    const shared_trie::NodeSource* source_ = nullptr;
    shared_trie::MissingNode missing_;
    bool is_in_storage_ = false;
    Hash account_{};
};

}  // namespace evmcore
