// The Merkle root of a state, in steps; the parts of a step are independent, so that several workers may take one each.
// The world must not change meanwhile. Yellow Paper 4.1, appendix D.
#pragma once

#include <atomic>

#include "trie.hpp"
#include "world.hpp"

namespace evmcore {

class StateRoot {
public:
    // In this order: hash the keys of slots and accounts; each account's storage root; the account trie below its root.
    enum Step : int { KEYS, STORAGE, ACCOUNTS, DONE };

    explicit StateRoot(const World* world) noexcept : world_{world} {}

    // Readies a step, when the one before is done: how many parts it has. Once memory has run out, there is nothing to do.
    size_t begin(Step step) noexcept;
    // A `poll` that is given may stop it: then there is no root.
    void run(Step step, size_t part, Poll* poll) noexcept;
    // After the last step. False without memory, then or before.
    [[nodiscard]] bool root(Hash* out) noexcept;

private:
    struct Slot {
        uint32_t storage_id;
        Hash key;  // hashed
        u256 value;
    };
    // What one part of the last step has to do: accounts whose hashed addresses begin with one nibble.
    struct Shelf {
        Vector<uint32_t> records;
        trie_node::Reference reference;
    };

    // These are false without memory.
    bool sort_slots() noexcept;
    bool part_storage() noexcept;
    bool fill_shelves() noexcept;
    bool hash_slots(size_t part) noexcept;
    void hash_addresses(size_t part) noexcept;
    bool hash_storage(size_t part, Poll* poll) noexcept;
    bool hash_shelf(Shelf* shelf, Poll* poll) noexcept;
    bool encode_account(size_t record, const Hash& storage_root) noexcept;
    // The keys and values of a shelf, sorted by key.
    bool sort_shelf(Shelf* shelf, Vector<Hash>* keys, Vector<ByteView>* values) noexcept;
    void note(bool is_ok) noexcept {
        if (!is_ok)
            is_out_of_memory_.store(true, std::memory_order_relaxed);  // whoever looks has joined the workers
    }

    static constexpr size_t RECORDS_A_PART = 256;
    static constexpr size_t PLACES_A_PART = 4096;
    static constexpr size_t SLOTS_A_PART = 256;  // about: an account's slots stay together

    const World* world_;
    Vector<Vector<Slot>> slots_;          // by part of the first step
    Vector<const Slot*> slots_in_order_;  // of one account next to each other
    Vector<size_t> begins_;               // where each storage id's begin in them
    Vector<size_t> storage_parts_;        // the first record of each part of the second step
    Vector<Hash> address_hashes_;         // by record
    Vector<Bytes> encoded_;               // by record
    Shelf shelves_[trie_node::CHILDREN];
    std::atomic<bool> is_out_of_memory_{false};  // published: by any worker
};

}  // namespace evmcore
