// The Merkle root of a state, in steps; the parts of a step are independent, so that several workers may take one each.
// The world must not change meanwhile. Yellow Paper 4.1, appendix D.
#pragma once

#include "trie.hpp"
#include "world.hpp"

namespace evmcore {

class StateRoot {
  public:
    // In this order: hash the keys of slots and accounts; each account's storage root; the account trie below its root.
    enum Step : int { KEYS, STORAGE, ACCOUNTS, DONE };

    explicit StateRoot(const World* world) noexcept : world_{world} {}

    // Readies a step, when the one before is done: how many parts it has.
    size_t begin(Step step) noexcept;
    void run(Step step, size_t part) noexcept;
    // After the last step.
    Hash root() noexcept;

  private:
    struct Slot {
        uint32_t storage_id;
        Hash key;  // hashed
        u256 value;
    };
    // What one part of the last step has to do: accounts whose hashed addresses begin with one nibble.
    struct Shelf {
        std::vector<uint32_t> records;
        trie_node::Reference reference;
    };

    void hash_slots(size_t part) noexcept;
    void hash_addresses(size_t part) noexcept;
    void hash_storage(size_t part) noexcept;
    void encode_account(size_t record, const Hash& storage_root) noexcept;
    // The keys and values of a shelf, sorted by key.
    void sort_shelf(Shelf* shelf, std::vector<Hash>* keys, std::vector<ByteView>* values) noexcept;

    static constexpr size_t RECORDS_A_PART = 256;
    static constexpr size_t PLACES_A_PART = 4096;
    static constexpr size_t SLOTS_A_PART = 256;  // about: an account's slots stay together

    const World* world_;
    std::vector<std::vector<Slot>> slots_;    // by part of the first step
    std::vector<const Slot*> slots_in_order_;  // of one account next to each other
    std::vector<size_t> begins_;              // where each storage id's begin in them
    std::vector<size_t> storage_parts_;       // the first record of each part of the second step
    std::vector<Hash> address_hashes_;        // by record
    std::vector<Bytes> encoded_;              // by record
    Shelf shelves_[trie_node::CHILDREN];
};

}  // namespace evmcore
