// The nodes of a state's trie as rows for a database that has one for each place of a node: those that differ from what it has.
// Depends on local_reads and shared_trie.
#pragma once

#include "local_reads.hpp"

namespace evmcore {

// Appends a row for each node that isn't as the source has it, and for each that was read there and is no more:
//   1 byte    0: of the accounts' trie; 1: of a storage's, and then 32 bytes: the hashed address
//   1 byte    nibbles of its path, and then the path, two a byte
//   4 bytes   little-endian: the size of its RLP, which follows; 0: it is no more
// `local`: the source; null: it has nothing. False without memory, or when the poll stopped it.
[[nodiscard]] bool unsaved_nodes(const shared_trie::Node* root, const LocalReads* local, Poll* poll, Bytes* out) noexcept;

// The same trie, in which the nodes on the ways to an account and to slots of it are known; hashed keys, the slots' ascending.
// False without memory, or where a node is missing: of the account's storage, if `in_storage`.
[[nodiscard]] bool read_ways(const shared_trie::Ref& trie, LocalReads* local, const Hash& account, const Vector<Hash>& slots,
                             shared_trie::Ref* out, shared_trie::MissingNode* missing, bool* in_storage) noexcept;

}  // namespace evmcore
