// The committed state: accounts and storage in flat maps, codes by hash, an undo log, and the Merkle root.
// Readers may share it between threads while nobody writes; writing is its owner's alone. Copies share the codes.
#pragma once

#include "effects.hpp"
#include "journal.hpp"

namespace evmcore {

inline AccountState state_of(const AccountRecord& record) noexcept {
    AccountState state;
    state.balance = record.balance;
    state.nonce = record.nonce;
    state.code = record.code;
    state.exists = record.exists;
    state.has_storage = record.slot_count != 0;
    return state;
}

class World {
  public:
    explicit World(bool is_strict = false) noexcept : is_strict_{is_strict} {}
    World& operator=(const World&) = delete;
    World(const World&) = delete;
    ~World();

    // A copy that shares the codes and starts with no checkpoints; null when there is no memory.
    World* clone() const noexcept;

    bool is_strict() const noexcept { return is_strict_; }
    size_t account_count() const noexcept { return records_.size(); }
    const AccountRecord& record(size_t i) const noexcept { return records_[i]; }
    const AccountRecord* find(const Address& address) const noexcept {
        const uint32_t* place = index_.find(address);
        return place != nullptr ? &records_[*place] : nullptr;
    }

    // Reads, as a StateView answers them; MISSING_STATE where a strict state doesn't know.
    Status account(const Address& address, AccountState* out) const noexcept;
    Status slot(const Address& address, const u256& key, u256* out) const noexcept;
    Status slot(const AccountRecord* record, const u256& key, SlotState* out) const noexcept;  // null: of none that is there
    StateView view() const noexcept;

    // Asks for the memory where an account is looked up.
    void prefetch(const Address& address) const noexcept { index_.prefetch(address); }
    void prefetch(uint32_t place, const u256& key) const noexcept {
        slots_.prefetch(SlotKey{records_[place].storage_id, key});
    }
    void prefetch(uint32_t place) const noexcept {
        __builtin_prefetch(&records_[place]);
        __builtin_prefetch(reinterpret_cast<const char*>(&records_[place]) + 64);
    }

    // Writes. OUT_OF_MEMORY leaves the state as it was.
    Status set_balance(const Address& address, const u256& balance) noexcept;
    Status set_nonce(const Address& address, uint64_t nonce) noexcept;
    Status set_code(const Address& address, ByteView code) noexcept;
    Status set_code(AccountRecord* record, const Code* code) noexcept;  // takes a reference of its own
    Status set_slot(const Address& address, const u256& key, const u256& value) noexcept;
    Status create(const Address& address) noexcept;   // exists, maybe empty
    Status destroy(const Address& address) noexcept;  // with its code and storage; known to be absent
    Status set_storage_complete(const Address& address, bool is_complete) noexcept;

    // The undo log: a checkpoint is a place in it, and reverting goes back to that place.
    bool has_checkpoints() const noexcept { return !checkpoints_.empty(); }
    uint64_t checkpoint() noexcept;
    bool revert(uint64_t checkpoint) noexcept;   // false: no such checkpoint
    bool release(uint64_t checkpoint) noexcept;  // keeps the changes, forgets this and later checkpoints

    // Whether a transaction that saw `effects` would run the same on this state.
    bool is_valid(const Effects& effects) const noexcept;
    // Applies what it wrote. `deletes_empty`: touched and empty accounts go (EIP-161).
    Status apply(const Effects& effects, bool deletes_empty) noexcept;
    // Replaces an account's fields; `is_wiped`: its storage is empty from here on. Storage otherwise stays.
    Status put(const Address& address, const AccountState& state, bool is_wiped) noexcept;
    // A slot of an account whose existence is settled elsewhere.
    Status set_slot_of(const Address& address, const u256& key, const u256& value) noexcept;

    // The same for what was looked up before: an account's place holds as long as the state lives, a slot's until the next
    // slot is added or its account is wiped.
    uint32_t place_of(const Address& address) const noexcept {
        const uint32_t* place = index_.find(address);
        return place != nullptr ? *place : NO_PLACE;
    }
    AccountState state_at(uint32_t place) const noexcept {
        AccountState state = state_of(records_[place]);
        state.place = place;
        return state;
    }
    const StoredSlot* slot_at(uint32_t place, const u256& key) const noexcept {
        return slots_.find(SlotKey{records_[place].storage_id, key});
    }
    const StoredSlot* slot_of(const AccountRecord& record, const u256& key) const noexcept {
        return slots_.find(SlotKey{record.storage_id, key});
    }
    // What is known of a slot that isn't there: it is zero, or missing.
    Status absent_slot(const AccountRecord* record) const noexcept {
        const bool is_known = !is_strict_ || (record != nullptr && (record->is_storage_complete || !record->exists));
        return is_known ? Status::RUNNING : Status::MISSING_STATE;
    }
    Status put_at(uint32_t place, const AccountState& state, bool is_wiped) noexcept;
    Status set_slot_at(uint32_t place, const u256& key, const u256& value) noexcept {
        return write_slot(edit_at(place), key, value);
    }
    void set_slot_at(uint32_t place, const u256& key, const StoredSlot* slot, const u256& value) noexcept;

    // Calls `visit(key, value)` for each slot that is not zero.
    template <class Visit>
    void for_each_slot(const AccountRecord& record, Visit visit) const noexcept {
        if (record.slot_count == 0)
            return;
        slots_.for_each([&](const SlotKey& key, const StoredSlot& slot) {
            if (key.account == record.storage_id && !slot.value.is_zero())
                visit(key.slot, slot.value);
        });
    }
    // Appends the slots that are not zero, in no order.
    void collect_slots(const AccountRecord& record, std::vector<u256>* keys, std::vector<u256>* values) const noexcept;

    // The slots as they lie in memory, zero ones too, in parts of a whole of `slot_places()`.
    size_t slot_places() const noexcept { return slots_.capacity(); }
    uint32_t storage_ids() const noexcept { return next_storage_id_; }  // all are below
    template <class Visit>
    void for_each_slot_in(size_t begin, size_t end, Visit visit) const noexcept {
        slots_.for_each_in(begin, end, [&](const SlotKey& key, const StoredSlot& slot) { visit(key, slot.value); });
    }

    // False without memory, or when a poll that is given says stop: its `abort` tells.
    [[nodiscard]] bool root(Hash* out, Poll* poll = nullptr) const noexcept;
    size_t size_bytes() const noexcept;

  private:
    struct AccountUndo {
        uint32_t place;
        AccountRecord record;
    };
    struct SlotUndo {
        SlotKey key;
        u256 value;
    };
    struct Checkpoint {
        size_t account_undo_size;
        size_t slot_undo_size;
    };
    struct HashHasher {
        uint64_t operator()(const Hash& hash) const noexcept {
            uint64_t word;
            std::memcpy(&word, hash.bytes, 8);
            return word;  // a keccak hash is mixed already
        }
    };

    // The record, made if need be, with its old value in the undo log; null when there is no memory.
    AccountRecord* edit(const Address& address) noexcept;
    AccountRecord* edit_at(uint32_t place) noexcept;
    Status replace(AccountRecord* record, const AccountState& state, bool is_wiped) noexcept;
    void replace_slot(AccountRecord* record, const u256& key, StoredSlot* stored, const u256& value) noexcept;
    Status write_slot(AccountRecord* record, const u256& key, const u256& value) noexcept;
    void clear_storage(AccountRecord* record) noexcept;
    const Code* keep(const Code* code) noexcept;

    bool is_strict_;
    uint32_t next_storage_id_ = 1;
    uint64_t checkpoint_count_ = 0;
    FlatMap<Address, uint32_t, SeededHash> index_;
    FlatMap<SlotKey, StoredSlot, SeededHash> slots_;
    FlatMap<Hash, const Code*, HashHasher> codes_;
    std::vector<AccountRecord> records_;
    std::vector<AccountUndo> account_undo_;  // each record once an epoch: the first value is the one to go back to
    std::vector<SlotUndo> slot_undo_;
    std::vector<Checkpoint> checkpoints_;    // a checkpoint's number is its place here
    uint64_t epoch_ = 1;                     // another one with each checkpoint, revert and release
    Address last_address_{};                 // the account edited last: writes come in runs
    uint32_t last_place_ = NO_PLACE;
};

}  // namespace evmcore
