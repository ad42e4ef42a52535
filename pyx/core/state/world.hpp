// The committed state: accounts and storage in flat maps, codes by hash, an undo log, and the Merkle root.
// Readers may share it between threads while nobody writes; writing is its owner's alone. Copies share the codes.
// A world may be a layer over another one, its base, which is frozen: what isn't in the layer is as in the base. A fork is an empty
// layer (layers.cpp). What is shared is frozen; a place, a storage's number and a slot's key mean the same in all layers.
// It holds what is live and what its undo log needs. What a revert makes unreachable goes with the revert; all else (slots of
// wiped storage, accounts and codes that are no more) goes when no checkpoint is open, so that what a block at work has borrowed
// stays where it is.
#pragma once

#include <memory>
#include <mutex>

#include "../base/vector.hpp"
#include "changes.hpp"
#include "effects.hpp"
#include "journal.hpp"
#include "kept_trie.hpp"
#include "local_reads.hpp"
#include "observation.hpp"

namespace evmcore {

inline AccountState state_of(const AccountRecord& record) noexcept {
    AccountState state;
    state.balance = record.balance;
    state.nonce = record.nonce;
    state.code = record.code;
    state.exists = record.exists;
    state.has_storage = record.slot_count != 0 || record.other_slots != OtherSlots::NONE;
    state.is_storage_known = record.slot_count != 0 || record.other_slots != OtherSlots::UNKNOWN;
    return state;
}

// What a source says of an account: it fills in what the state doesn't know.
struct AccountFacts {
    bool exists = false;
    u256 balance;
    uint64_t nonce = 0;
    ByteView code;
    bool has_code_hash = false;  // which is all that is known of its code, and not that of no code
    Hash code_hash{};
    OtherSlots slots = OtherSlots::UNKNOWN;
};

class World {
public:
    explicit World(bool is_strict = false) noexcept : is_strict_{is_strict} {}
    World& operator=(const World&) = delete;
    World(const World&) = delete;
    ~World();

    // A copy of the layer, over the same base; null when there is no memory. `has_undo`: with the checkpoints, which then are in both.
    World* clone(bool has_undo = false) const noexcept;
    // A world with the same contents, without checkpoints, that costs nothing (amortised): a layer over this one, which must not be
    // written as long as others hold it. Null when there is no memory.
    // `share` gives a world to a shared pointer: null, and the world is gone, without memory (for which a shared pointer throws).
    using Share = std::shared_ptr<World> (*)(World* world);
    static World* fork(const std::shared_ptr<World>& world, Share share) noexcept;
    // Whether `fork`, or `clone` with checkpoints open, may have so much to copy or to merge that it takes milliseconds.
    bool is_fork_long() const noexcept {
        return has_checkpoints() ? own_cells() > FEW_TO_MOVE : base_ != nullptr && base_->own_cells() > FEW_TO_MOVE && is_due();
    }
    static constexpr size_t FEW_TO_MOVE = size_t{1} << 14;  // cells: about a millisecond
    // Whether what follows may take milliseconds: to let go of it, if nobody else holds it; `tidy`; `revert` or `release`.
    bool is_free_long() const noexcept;
    bool is_tidy_long() const noexcept {
        return account_count() + slot_count() > FEW_TO_MOVE && !has_checkpoints() && is_compaction_due();
    }
    bool is_end_long(uint64_t checkpoint, bool is_kept) const noexcept;
    // What it needs no more and could let go of, but that takes long: its only holder may take it.
    bool has_waste() const noexcept { return settled_ != nullptr || kept_.has_waste(); }
    void take_waste(std::shared_ptr<World>* world, shared_trie::Ref* trie) noexcept {
        *world = std::move(settled_);
        *trie = kept_.take_waste();
    }
    // Before its only holder writes it: takes over a base that nobody else holds, if no checkpoint is open and it holds itself at most
    // so many cells, which are moved.
    void reclaim(size_t most_cells) noexcept {
        if (base_ != nullptr) [[unlikely]]
            reclaim_base(most_cells);
    }
    bool is_layered() const noexcept { return base_ != nullptr; }
    size_t layer_count() const noexcept {
        size_t count = 0;
        for (const World* layer = this; layer != nullptr; layer = layer->base_.get())
            ++count;
        return count;
    }
    // Whether to copy the layer is cheaper than to look through one more.
    bool is_small() const noexcept {
        return own_cells() <= FEW_CELLS && slots_.capacity() <= 4 * FEW_CELLS && index_.capacity() <= 4 * FEW_CELLS;
    }

    bool is_strict() const noexcept { return is_strict_; }
    size_t account_count() const noexcept { return first_place_ + records_.size(); }
    size_t live_account_count() const noexcept { return live_accounts_; }  // that exist, as far as is known
    size_t live_slot_count() const noexcept { return live_slots_; }
    const AccountRecord& record(size_t i) const noexcept {
        if (base_ == nullptr) [[likely]]
            return records_[i];
        return record_in_layers(static_cast<uint32_t>(i));
    }
    const AccountRecord* find(const Address& address) const noexcept {
        const uint32_t place = place_of(address);
        return place != NO_PLACE ? &record(place) : nullptr;
    }

    // Reads, as a StateView answers them; MISSING_STATE where a strict state doesn't know all of it.
    Status account(const Address& address, AccountState* out) const noexcept;
    Status slot(const Address& address, const u256& key, u256* out) const noexcept;
    // `record` of that account; null: there is none.
    Status slot(const AccountRecord* record, const Address& address, const u256& key, SlotState* out) const noexcept;
    StateView view() const noexcept;

    // Asks for the memory where an account is looked up.
    void prefetch(const Address& address) const noexcept {
        for (const World* layer = this; layer != nullptr; layer = layer->base_.get())
            layer->index_.prefetch(address);
    }
    void prefetch(uint32_t place, const u256& key) const noexcept {
        const SlotKey slot_key{record(place).storage_id, key};
        for (const World* layer = this; layer != nullptr; layer = layer->base_.get())
            layer->slots_.prefetch(slot_key);
    }
    void prefetch(uint32_t place) const noexcept {
        if (base_ != nullptr)
            return;  // to find it takes as long
        __builtin_prefetch(&records_[place]);
        __builtin_prefetch(reinterpret_cast<const char*>(&records_[place]) + 64);
    }

    // Writes. OUT_OF_MEMORY leaves the state as it was. An account exists from then on, and what else there is of it stays
    // unknown where it was.
    Status set_balance(const Address& address, const u256& balance) noexcept;
    Status set_nonce(const Address& address, uint64_t nonce) noexcept;
    Status set_code(const Address& address, ByteView code) noexcept;
    Status set_slot(const Address& address, const u256& key, const u256& value) noexcept;
    Status create(const Address& address) noexcept;   // exists, maybe empty
    Status destroy(const Address& address) noexcept;  // with its code and storage; known to be absent
    Status set_other_slots(const Address& address, OtherSlots slots) noexcept;
    // Fill in what isn't known, and change nothing else.
    Status learn(const Address& address, const AccountFacts& facts) noexcept;
    Status learn_slot(const Address& address, const u256& key, const u256& value) noexcept;

    // The undo log: a checkpoint is a place in it, and reverting goes back to that place. Numbers are the process's: none is
    // ever given twice, so a stale or foreign one is no checkpoint. 0: there was no memory.
    bool has_checkpoints() const noexcept { return !checkpoints_.empty(); }
    size_t checkpoint_count() const noexcept { return checkpoints_.size(); }
    bool has_checkpoint(uint64_t number) const noexcept { return find_checkpoint(number) != checkpoints_.size(); }
    uint64_t checkpoint() noexcept;
    bool revert(uint64_t number) noexcept;   // false: no such checkpoint
    bool release(uint64_t number) noexcept;  // keeps the changes, forgets this and later checkpoints
    // Lets go of what is in use no more, if it is worth it and no checkpoint is open. Places change.
    void tidy() noexcept;

    // Observations (observation.hpp), by the thread that may write. How many are held: they keep the world, but don't share it.
    bool observe(Observation** out) noexcept;
    void end_observation(Observation* observation) noexcept;  // by any thread
    uint32_t observation_count() const noexcept { return holders_.load(std::memory_order_relaxed); }
    bool has_changed_since(const Observation* observation) const noexcept;
    World* restored(const Observation* observation) const noexcept;

    // What differs from the state at an open checkpoint: O(what was written since), and one pass over all slots if an account that
    // had slots was destroyed. MISSING_STATE: a strict state didn't know it then. ABORTED when a poll that is given says stop.
    Status changes_since(uint64_t checkpoint, Poll* poll, StateChanges* out, MissingKey* missing) const noexcept;
    // Sets all values after the changes. `checks`: if those before them are the state's. INTERNAL: one isn't, as `mismatch` tells,
    // which also names what is MISSING_STATE. The caller holds a checkpoint, to which it goes back if this isn't RUNNING.
    Status apply_changes(const StateChanges& changes, bool checks, Poll* poll, ChangeMismatch* mismatch) noexcept;

    // Whether a transaction that saw `effects` would run the same on this state.
    bool is_valid(const Effects& effects) const noexcept;
    // Applies what it wrote. `deletes_empty`: touched and empty accounts go (EIP-161).
    Status apply(const Effects& effects, bool deletes_empty) noexcept;
    // Replaces an account's fields; `is_wiped`: its storage is empty from here on. Storage otherwise stays.
    Status put(const Address& address, const AccountState& state, bool is_wiped) noexcept;
    // A slot of an account whose existence is settled elsewhere.
    Status set_slot_of(const Address& address, const u256& key, const u256& value) noexcept;

    // The same for what was looked up before: an account's place holds as long as a checkpoint is open, a slot's until the next
    // slot is added or its account is wiped.
    uint32_t place_of(const Address& address) const noexcept {
        const uint32_t* place = index_.find(address);
        for (const World* layer = base_.get(); place == nullptr && layer != nullptr; layer = layer->base_.get())
            place = layer->index_.find(address);
        return place != nullptr ? *place : NO_PLACE;
    }
    AccountState state_at(uint32_t place) const noexcept {
        AccountState state = state_of(record(place));
        state.place = place;
        return state;
    }
    Status account_at(uint32_t place, AccountState* out) const noexcept {
        const AccountRecord& found = record(place);
        *out = state_of(found);
        out->place = place;
        return knows(found, KNOWS_ACCOUNT) ? Status::RUNNING : Status::MISSING_STATE;
    }
    static bool knows(const AccountRecord& record, uint8_t fields) noexcept { return (record.known & fields) == fields; }
    const StoredSlot* slot_at(uint32_t place, const u256& key) const noexcept {
        return stored(SlotKey{record(place).storage_id, key});
    }
    const StoredSlot* stored(const SlotKey& key) const noexcept {
        const StoredSlot* found = slots_.find(key);
        for (const World* layer = base_.get(); found == nullptr && layer != nullptr; layer = layer->base_.get())
            found = layer->slots_.find(key);
        return found;
    }
    const StoredSlot* slot_of(const AccountRecord& record, const u256& key) const noexcept {
        return stored(SlotKey{record.storage_id, key});
    }
    // A local state: what it doesn't hold is read from a source, by the worker that needs it. Its records are complete but for their slots.
    // Null: it isn't one. Of a strict state that knows nothing yet.
    LocalReads* local() const noexcept { return local_.get(); }
    void set_local(std::shared_ptr<LocalReads> local) noexcept { local_ = std::move(local); }
    // A slot that the state doesn't hold: zero, or as its source has it, or missing.
    Status unheld_slot(const AccountRecord* record, const Address& address, const u256& key, u256* out) const noexcept {
        *out = u256{};
        if (local_ == nullptr) [[likely]]
            return absent_slot(record);
        if (record != nullptr && record->other_slots == OtherSlots::NONE)
            return Status::RUNNING;
        return local_->slot(address, key, out);
    }
    // What is known of a slot that isn't there: it is zero, or missing.
    Status absent_slot(const AccountRecord* record) const noexcept {
        const bool is_known = !is_strict_ || (record != nullptr && (record->other_slots == OtherSlots::NONE ||
                                                                    (!record->exists && knows(*record, KNOWS_EXISTENCE))));
        return is_known ? Status::RUNNING : Status::MISSING_STATE;
    }
    Status put_at(uint32_t place, const AccountState& state, bool is_wiped) noexcept;
    Status set_slot_at(uint32_t place, const u256& key, const u256& value) noexcept {
        return write_slot(edit_at(place), key, value);
    }
    Status set_slot_at(uint32_t place, const u256& key, const StoredSlot* slot, const u256& value) noexcept;

    // The slots as they lie in memory, zero ones too, in parts of a whole of `slot_places()`.
    size_t slot_places() const noexcept {
        size_t places = 0;
        for (const World* layer = this; layer != nullptr; layer = layer->base_.get())
            places += layer->slots_.capacity();
        return places;
    }
    uint32_t storage_ids() const noexcept { return next_storage_id_; }  // all are below
    template <class Visit>
    void for_each_slot_in(size_t begin, size_t end, Visit visit) const noexcept {
        size_t first = 0;  // place of the layer
        for (const World* layer = this; layer != nullptr && first < end; layer = layer->base_.get()) {
            layer->slots_.for_each_in(begin > first ? begin - first : 0, end - first,
                                      [&](const SlotKey& key, const StoredSlot& slot) {
                                          if (!is_covered(layer, key))
                                              visit(key, slot.value);
                                      });
            first += layer->slots_.capacity();
        }
    }

    // Of a state that nobody else uses meanwhile (StateRoot is for the others). False without memory, or when a poll that is
    // given says stop: its `abort` tells. The first root leaves a trie, which later ones bring up to date.
    [[nodiscard]] bool root(Hash* out, Poll* poll = nullptr) noexcept;
    // The base that holds all that it has itself, if neither it nor a layer over it has a trie: its root is to be made first, so that
    // all layers over it follow from that one. Null: there is no need.
    World* base_without_trie() const noexcept;
    // The node of a partial trie that the last such root lacked, if it did, and of which account's storage.
    shared_trie::MissingNode missing_node;
    bool is_missing_in_storage = false;
    Hash missing_node_account{};
    // The trie as of now, where a root was made and nothing has changed since; false: it isn't.
    bool current_trie(shared_trie::Ref* trie) const noexcept { return kept_.current(trie); }
    // Of a strict state that knows nothing yet: what it doesn't know is as this trie has it.
    void set_partial_trie(const shared_trie::Ref& trie) noexcept { kept_.set_partial(trie.share()); }
    size_t size_bytes() const noexcept;

    // Who writes the world without holding Python's lock, by the thread's number; 0: nobody. published: by that thread.
    std::atomic<uint64_t> at_work{0};
    unsigned process_at_work = 0;  // and in which process: in a forked one the thread is missing

private:
    friend class StateRoot;
    friend class ChangesFinder;
    struct AccountUndo {
        uint32_t place;
        AccountRecord record;
    };
    struct SlotUndo {
        SlotKey key;
        u256 value;
    };
    struct Checkpoint {
        uint64_t number;
        size_t account_undo_size, slot_undo_size;
        size_t new_slots_size, new_codes_size, unused_codes_size;
        size_t record_count;
        uint32_t next_storage_id;
    };
    struct KeptCode {
        const Code* code;
        uint32_t users;  // records
    };
    struct PlaceHasher {
        uint64_t operator()(uint32_t place) const noexcept { return (place * 0x9e3779b97f4a7c15ULL) >> 32; }
    };
    struct HashHasher {
        uint64_t operator()(const Hash& hash) const noexcept {
            uint64_t word;
            std::memcpy(&word, hash.bytes, 8);
            return word;  // a keccak hash is mixed already
        }
    };

    const AccountRecord& record_in_layers(uint32_t place) const noexcept;
    size_t own_cells() const noexcept { return changed_.size() + records_.size() + slots_.size() + codes_.size(); }
    // Whether a layer above that one has the slot.
    bool is_covered(const World* layer, const SlotKey& key) const noexcept {
        for (const World* above = this; above != layer; above = above->base_.get())
            if (above->slots_.find(key) != nullptr)
                return true;
        return false;
    }
    size_t slot_count() const noexcept { return base_slots_ + slots_.size() - covered_slots_; }  // zero ones, too
    size_t spare_cells() const noexcept { return account_count() + slot_count() - live_accounts_ - live_slots_; }
    const Code* find_code(const Hash& hash) const noexcept;
    // The record in this layer, copied from the base if need be; null when there is no memory, which never is if it was there.
    AccountRecord* own_record(uint32_t place) noexcept;
    void reclaim_base(size_t most_cells) noexcept;
    // The base's layer and this one become one. False without memory; then nothing has changed.
    bool take_base() noexcept;
    bool take_all_bases() noexcept;
    // The base of new forks: this world with its layers merged as far as it is due; the same if it isn't.
    std::shared_ptr<World> settled(const std::shared_ptr<World>& self, Share share) const noexcept;
    bool is_due() const noexcept;
    // The last trie that a base has kept, and all that has changed since. False: there is none, or no memory.
    bool derive_trie(shared_trie::Ref* trie, ChangedCells* changed) const noexcept;
    bool list_own_cells(ChangedCells* changed) const noexcept;

    // The record, made if need be, with its old value in the undo log; null when there is no memory. Both may be given on.
    AccountRecord* edit(const Address& address) noexcept;
    AccountRecord* edit_at(uint32_t place) noexcept;
    AccountRecord* add_record(const Address& address) noexcept;
    bool fill_record(AccountRecord* record) noexcept;  // of a local state, from its source
    Status replace(AccountRecord* record, const AccountState& state, bool is_wiped) noexcept;
    Status replace_slot(AccountRecord* record, const u256& key, StoredSlot* stored, const u256& value) noexcept;
    Status write_slot(AccountRecord* record, const u256& key, const u256& value) noexcept;
    void clear_storage(AccountRecord* record) noexcept;
    void set_exists(AccountRecord* record, bool exists) noexcept {
        live_accounts_ += static_cast<size_t>(exists) - static_cast<size_t>(record->exists);
        record->exists = exists;
        record->known |= KNOWS_EXISTENCE;
    }
    Status set_code(AccountRecord* record, const Code* code) noexcept;  // takes a reference of its own
    Status set_code(AccountRecord* record, ByteView code) noexcept;
    Status set_code_hash(AccountRecord* record, const Hash& hash) noexcept;
    const Code* keep(const Code* code) noexcept;
    void use_code(AccountRecord* record, const Code* kept) noexcept;  // null: none
    void take_back(AccountRecord* record, const AccountRecord& saved) noexcept;
    // Before a cell is written: for the observations, and for the trie.
    void see(const AccountRecord& record) noexcept {
        if (newest_ != nullptr)
            newest_->see(record);
        if (kept_.follows())
            kept_.note(record.address, record.storage_id, cells_worth_noting());
    }
    void see(const SlotKey& key, const u256& value) noexcept {
        if (newest_ != nullptr)
            newest_->see(key, value);
        if (kept_.follows())
            kept_.note(key, cells_worth_noting());
    }
    // When more have changed, a root from nothing takes no longer.
    size_t cells_worth_noting() const noexcept { return SPARE_CELLS + live_accounts_ + live_slots_; }
    uint64_t newest_checkpoint() const noexcept { return checkpoints_.empty() ? 0 : checkpoints_.back().number; }
    void drop_code(const Hash& hash) noexcept;
    size_t find_checkpoint(uint64_t number) const noexcept;
    bool copy_undo(const World& other) noexcept;
    void forget_undo() noexcept;
    bool is_compaction_due() const noexcept;
    bool compact() noexcept;
    void end_dropped_observations() noexcept;
    bool put_back(const Observation& observation) noexcept;

    static constexpr size_t FEW_CELLS = 16;
    // What a state may hold beyond twice what is live.
    static constexpr size_t SPARE_CELLS = 256;
    static constexpr size_t ROOMY = size_t{1} << 16;  // places of a map or an array, from which on it may be too large
    static constexpr size_t SPARE_UNDO_BYTES = size_t{1} << 20;

    bool is_strict_;
    std::shared_ptr<LocalReads> local_;
    uint32_t next_storage_id_ = 1;
    std::shared_ptr<World> base_;                   // frozen; null: all is here
    uint32_t first_place_ = 0;                      // those below are the base's
    size_t base_slots_ = 0;                         // that the base has, zero ones, too
    size_t covered_slots_ = 0;                      // of them, also here
    FlatMap<Address, uint32_t, SeededHash> index_;  // of `records_`
    FlatMap<SlotKey, StoredSlot, SeededHash> slots_;
    FlatMap<Hash, KeptCode, HashHasher> codes_;               // that no base has
    Vector<AccountRecord> records_;                           // from the first place on
    FlatMap<uint32_t, uint32_t, PlaceHasher> changed_index_;  // by place, of `changed_`
    Vector<AccountRecord> changed_;                           // of the base's accounts
    size_t live_accounts_ = 0;                                // records that exist
    size_t live_slots_ = 0;                                   // slots that are not zero, of records
    size_t kept_cells_ = 0;                                   // that are neither, and that the last tidying had to keep
    Vector<AccountUndo> account_undo_;  // each record once an epoch: the first value is the one to go back to
    Vector<SlotUndo> slot_undo_;
    Vector<SlotKey> new_slots_;  // added since the first checkpoint
    Vector<Hash> new_codes_;     // the same
    Vector<Hash> unused_codes_;  // that had no record once; some may have one again
    Vector<Checkpoint> checkpoints_;
    uint64_t epoch_ = 1;      // another one with each checkpoint, revert and release
    Address last_address_{};  // the account edited last: writes come in runs
    uint32_t last_place_ = NO_PLACE;
    Vector<Observation*> observations_;  // from the oldest to the newest
    Observation* newest_ = nullptr;      // takes before-images
    std::atomic<uint32_t> holders_{0};   // of observations; counts only, so relaxed
    // The trie as of the last root. A layer that has had none follows from its base's trie and from what is in the layer.
    KeptTrie kept_;
    mutable std::mutex settled_mutex_;
    mutable std::shared_ptr<World> settled_;  // while it is frozen; null: itself, or it wasn't asked yet
};

}  // namespace evmcore
