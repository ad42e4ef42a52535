// The trie of a state as of its last root, and which cells have changed since: whatever differs from the trie is among them.
// While checkpoints are open it keeps, for each at which a root was made, what the trie was before: a revert goes back to that.
// Depends on shared_trie and stored. Written by the writer of the state; roots of a state that nobody writes may be made by several
// threads, one after the other, and copies of it taken meanwhile.
#pragma once

#include <mutex>

#include "../base/flat_map.hpp"
#include "../base/vector.hpp"
#include "../math/u256.hpp"
#include "shared_trie.hpp"
#include "stored.hpp"

namespace evmcore {

// Cells that were written. Of each account the storage (AccountRecord::storage_id) that it had when the trie was made.
struct ChangedCells {
    static constexpr uint32_t ABSENT = 0;          // the account has no record again: it is what it was in the trie
    static constexpr uint32_t WIPED = UINT32_MAX;  // that storage is no more
    // The account had slots and didn't exist (it wasn't known to), so that the trie has nothing of it.
    static constexpr uint32_t LEFT_OUT = UINT32_MAX - 1;

    FlatMap<Address, uint32_t, SeededHash> accounts;
    FlatMap<SlotKey, uint8_t, SeededHash> slots;

    size_t size() const noexcept { return accounts.size() + slots.size(); }
    size_t size_bytes() const noexcept { return accounts.size_bytes() + slots.size_bytes(); }
    void clear() noexcept;
    // What has changed since an earlier trie, when these have since a later one. False without memory.
    bool put_under(ChangedCells* earlier) const noexcept;
    // Storages have other numbers, 0: none.
    bool renumber(const Vector<uint32_t>& storage_ids) noexcept;
};

class KeptTrie {
public:
    KeptTrie() = default;
    KeptTrie(const KeptTrie&) = delete;
    KeptTrie& operator=(const KeptTrie&) = delete;
    ~KeptTrie();

    // Whether there is a trie, so that changes have to be noted.
    bool follows() const noexcept { return follows_; }
    // Whether the trie is more than the state holds (it came from a witness): then it can't be made anew.
    bool is_partial() const noexcept { return is_partial_; }

    // Before an account or a slot is written. `most`: how many cells are worth it; beyond, a whole state's trie is let go.
    void note(const Address& address, uint32_t storage_id, size_t most) noexcept;
    void note(const SlotKey& key, size_t most) noexcept;
    void note_absent(const Address& address) noexcept;  // its record goes with a revert
    void renumber(const Vector<uint32_t>& storage_ids) noexcept;
    void revert(uint64_t checkpoint) noexcept;
    // The changes since a checkpoint are kept; `before` is the newest that is left, 0: none.
    void release(uint64_t checkpoint, uint64_t before) noexcept;
    void forget() noexcept;  // all of it; a partial trie's next root has no memory
    const uint32_t* base_of(const Address& address) const noexcept { return changed_.accounts.find(address); }

    // Of a state that nobody writes. False without memory, which matters to a partial trie alone.
    bool copy_from(const KeptTrie& other, bool has_undo) noexcept;
    void set_partial(shared_trie::Ref trie) noexcept;

    // Making a root: of one that is to be kept, until it is closed, or while that goes on of one that is not. The trie is shared or,
    // where `may_take` says that hardly anybody will ask meanwhile, taken. `list` is shown what has changed.
    struct Opened {
        bool is_ours = false;  // to be kept, and closed
        bool is_lost = false;  // there is no root
        bool is_kept = false;  // there is a trie
    };
    template <class List>
    Opened open(bool may_take, shared_trie::Ref* trie, List list) noexcept;
    // `checkpoint`: the newest, 0: none. Without a trie nothing came of it. `left_out`: accounts that have slots and don't exist.
    void close(uint64_t checkpoint, const shared_trie::Ref* trie, const Vector<Address>& left_out) noexcept;
    // The trie as of now, if nothing has changed since the last root.
    bool current(shared_trie::Ref* trie) const noexcept;
    bool has_trie() const noexcept {  // maybe while a root is made
        const std::lock_guard<std::mutex> guard{mutex_};
        return follows_;
    }
    // The trie, and a copy of what has changed since. False: there is none, or no memory.
    bool share(shared_trie::Ref* trie, ChangedCells* changed) const noexcept;
    // Becomes the other, which goes, without its checkpoints. Nobody uses either meanwhile.
    void take(KeptTrie* other) noexcept;
    ChangedCells* changed() noexcept { return &changed_; }  // for the writer

    size_t size_bytes() const noexcept;
    bool is_free_long() const noexcept { return shared_trie::is_free_long(trie_.get()); }  // nobody makes a root
    // A trie that it has let go of and that takes long to free: the world's only holder takes it.
    bool has_waste() const noexcept { return waste_.get() != nullptr; }
    shared_trie::Ref take_waste() noexcept { return std::move(waste_); }

private:
    struct Earlier {
        uint64_t checkpoint = 0;
        bool is_kept = false;  // false: there was no trie
        shared_trie::Ref trie;
        ChangedCells changed;
    };

    void lose() noexcept;
    bool keep_earlier(uint64_t checkpoint) noexcept;
    // Bounds what is noted, and notes lack of memory.
    void check(bool is_ok, size_t most) noexcept {
        if (!is_ok || (changed_.size() > most && !is_partial_)) [[unlikely]]
            lose();
    }

    mutable std::mutex mutex_;  // over what roots and copies of a shared state do
    bool follows_ = false;
    bool is_partial_ = false;
    bool is_lost_ = false;   // of a partial trie: there was no memory to note a change
    bool is_busy_ = false;   // a root is being made
    bool is_taken_ = false;  // and has taken the trie
    shared_trie::Ref trie_;  // if `follows_`
    shared_trie::Ref waste_;
    ChangedCells changed_;
    Vector<Earlier*> earlier_;  // by ascending checkpoint
};

template <class List>
KeptTrie::Opened KeptTrie::open(bool may_take, shared_trie::Ref* trie, List list) noexcept {
    const std::lock_guard<std::mutex> guard{mutex_};
    Opened opened;
    opened.is_lost = is_lost_;
    opened.is_ours = !is_busy_ && !is_lost_;
    opened.is_kept = follows_ && !is_lost_ && !is_taken_;
    if (opened.is_kept)
        list(changed_);
    if (!opened.is_ours) {
        if (opened.is_kept)
            *trie = trie_.share();
        return opened;
    }
    is_busy_ = true;
    is_taken_ = opened.is_kept && may_take && !is_partial_;
    if (opened.is_kept)
        *trie = is_taken_ ? std::move(trie_) : trie_.share();
    return opened;
}

}  // namespace evmcore
