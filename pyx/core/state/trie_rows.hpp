// The nodes by which two tries of a state differ, as rows for a database that has one for each place of a node.
// Depends on local_reads and shared_trie.
#pragma once

#include "local_reads.hpp"

namespace evmcore {

// What is another in one trie than in another, found by walking both at once past all that they share.
//   1 byte    0: of the accounts' trie; 1: of a storage's, and then 32 bytes: the hashed address
//   1 byte    nibbles of its path, and then the path, two a byte
//   4 bytes   little-endian: the size of its RLP, which follows; 0: it is no more
class TrieDifference {
public:
    // Where nodes are read of which only the hash is known, if they are needed: of what goes as a whole, or moves up.
    explicit TrieDifference(const shared_trie::NodeSource& source, Poll* poll) noexcept : source_{source}, poll_{poll} {}

    // Tries of accounts, hashed. False without memory, when the poll stopped it, or where a node is missing.
    [[nodiscard]] bool find(const shared_trie::Node* before, const shared_trie::Node* after) noexcept;

    struct Storage {
        Hash account{};
        size_t changed_slots = 0;
    };
    Bytes rows;
    Vector<Storage> accounts;  // whose leaves differ, ascending
    shared_trie::MissingNode missing;
    bool is_in_storage = false;
    Hash account{};  // in whose storage a node is missing

private:
    // A part of a trie: a node, and whether it begins there, or above.
    struct Part {
        const shared_trie::Node* node = nullptr;
        bool begins = true;
    };
    bool step(Part before, Part after, unsigned depth) noexcept;
    bool leaves(const shared_trie::Node* before, const shared_trie::Node* after) noexcept;
    bool storages(const shared_trie::Leaf* before, const shared_trie::Leaf* after) noexcept;
    static Part child(const Part& part, unsigned nibble, unsigned depth) noexcept;
    bool resolve(Part* part, unsigned depth, shared_trie::Ref* held) noexcept;
    bool put(unsigned depth, ByteView encoded) noexcept;

    const shared_trie::NodeSource source_;
    Poll* poll_;
    const Hash* owner_ = nullptr;  // of the storage at work
    uint8_t path_[33] = {};
    Bytes encoded_;
};

// The same trie, in which the nodes on the ways to an account and to slots of it are known; hashed keys, the slots' ascending.
// False without memory, or where a node is missing: of the account's storage, if `in_storage`.
[[nodiscard]] bool read_ways(const shared_trie::Ref& trie, LocalReads* local, const Hash& account, const Vector<Hash>& slots,
                             shared_trie::Ref* out, shared_trie::MissingNode* missing, bool* in_storage) noexcept;

}  // namespace evmcore
