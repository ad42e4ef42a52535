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
    // `is_part`: the source has a part of a state alone. What it fails to tell is missing, and of a code the hash is then known alone.
    explicit LocalReads(const EvmcoreLocalSource& source, bool is_part = false) noexcept : source_{source}, is_part_{is_part} {
        source_.acquire(source_.context);
    }
    LocalReads(const LocalReads&) = delete;
    LocalReads& operator=(const LocalReads&) = delete;
    ~LocalReads();

    // RUNNING and the answer; VIEW_FAILED if the source failed, or MISSING_STATE; OUT_OF_MEMORY. The code is borrowed from here.
    Status account(const Address& address, AccountState* out) noexcept;
    Status slot(const Address& address, const u256& key, u256* out) noexcept;

    shared_trie::NodeSource nodes() noexcept;  // for a trie's writer

    bool has_failed() const noexcept { return has_failed_.load(std::memory_order_relaxed); }
    void fault(char* text, size_t size) noexcept { source_.fault(source_.context, text, size); }

    // The trie of the source, as far as its nodes have been read; any other than the first goes on from one that this gave.
    shared_trie::Ref trie() noexcept {
        const SpinGuard guard{lock_};
        return trie_.share();
    }
    void set_trie(const shared_trie::Ref& trie) noexcept { trie_ = trie.share(); }  // the first, before anybody reads
    // The same trie, of which more is known, goes on from `before`; where another thread was faster, it is of no use.
    void replace_trie(const shared_trie::Node* before, const shared_trie::Ref& trie) noexcept {
        shared_trie::Ref old;  // freed without the lock
        const SpinGuard guard{lock_};
        if (trie_.get() == before) {
            old = std::move(trie_);
            trie_ = trie.share();
        }
    }

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
        if (is_part_)
            return Status::MISSING_STATE;
        has_failed_.store(true, std::memory_order_relaxed);
        return Status::VIEW_FAILED;
    }
    bool read_node(const Hash* account, const uint8_t* path, unsigned depth, Bytes* out) noexcept;

    const EvmcoreLocalSource source_;
    const bool is_part_;
    SpinLock lock_;                                 // over the next two
    FlatMap<Hash, const Code*, HashHasher> codes_;  // a reference to each
    shared_trie::Ref trie_;
    std::atomic<bool> has_failed_{false};  // published: by any thread
};

}  // namespace evmcore
