// A local source as the states over it read it: accounts, slots and trie nodes, and the codes that they have borrowed so far.
// Shared by a state and its copies, which may be read by several threads. Depends on local_source, code_cache and shared_trie.
#pragma once

#include "../base/flat_map.hpp"
#include "../base/spin_lock.hpp"
#include "../base/status.hpp"
#include "../base/vector.hpp"
#include "../math/u256.hpp"
#include "code.hpp"
#include "local_source.hpp"
#include "shared_trie.hpp"
#include "view.hpp"

namespace evmcore {

class LocalReads {
public:
    explicit LocalReads(const EvmcoreLocalSource& source) noexcept : source_{source} { source_.acquire(source_.context); }
    LocalReads(const LocalReads&) = delete;
    LocalReads& operator=(const LocalReads&) = delete;
    ~LocalReads();

    // RUNNING and the answer; VIEW_FAILED if the source failed; OUT_OF_MEMORY. The code is borrowed from here.
    Status account(const Address& address, AccountState* out) noexcept;
    Status slot(const Address& address, const u256& key, u256* out) noexcept;

    // For a trie's writer: of which account's storage (null: of the accounts' trie) is told by each reader.
    shared_trie::NodeSource nodes() noexcept;
    shared_trie::NodeSource nodes_to_look_at() noexcept;  // which `nodes_read` needn't tell of: they lead to no other trie

    bool has_failed() const noexcept { return has_failed_.load(std::memory_order_relaxed); }
    void fault(char* text, size_t size) noexcept { source_.fault(source_.context, text, size); }

    // The nodes that were read: where they are in the source. `visit(account or null, path, depth)`. While nobody reads.
    struct NodePlace {
        Hash account{};
        Hash path{};
        uint8_t depth = 0;
        bool is_storage = false;
        bool operator==(const NodePlace& other) const noexcept {
            return depth == other.depth && is_storage == other.is_storage && account == other.account && path == other.path;
        }
    };
    struct NodePlaceHasher {
        uint64_t operator()(const NodePlace& place) const noexcept {
            uint64_t account, first, rest = place.depth;
            std::memcpy(&account, place.account.bytes, 8);
            std::memcpy(&first, place.path.bytes, 8);
            for (unsigned i = 8; i < 32; i += 8) {
                uint64_t word;
                std::memcpy(&word, place.path.bytes + i, 8);
                rest = rest * 0x9e3779b97f4a7c15ULL + word;
            }
            const uint64_t mixed = (account ^ (first + rest * 0xd6e8feb86659fd93ULL)) * 0x9e3779b97f4a7c15ULL;
            return mixed ^ mixed >> 32;
        }
    };
    const FlatMap<NodePlace, uint8_t, NodePlaceHasher>& nodes_read() const noexcept { return nodes_read_; }

private:
    struct HashHasher {
        uint64_t operator()(const Hash& hash) const noexcept {
            uint64_t word;
            std::memcpy(&word, hash.bytes, 8);
            return word;  // a keccak hash is mixed already
        }
    };
    Status code(const Hash& hash, const Code** out) noexcept;
    Status failed() noexcept {
        has_failed_.store(true, std::memory_order_relaxed);
        return Status::VIEW_FAILED;
    }
    bool read_node(const Hash* account, const uint8_t* path, unsigned depth, bool is_noted, Bytes* out) noexcept;

    const EvmcoreLocalSource source_;
    SpinLock lock_;                                            // over the next two
    FlatMap<Hash, const Code*, HashHasher> codes_;             // a reference to each
    FlatMap<NodePlace, uint8_t, NodePlaceHasher> nodes_read_;  // each once, however many states ask
    std::atomic<bool> has_failed_{false};                      // published: by any thread
};

}  // namespace evmcore
