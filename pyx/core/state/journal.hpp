// The journal: the write set and the read set of a transaction. Writes can be reverted to a snapshot; reads say what of a value the result
// depends on.
// Sits on a StateView and never writes to it. Owned by one worker; no locks inside; reset for each transaction.
// Yellow Paper section 6 (transaction execution), EIP-2929 (warm sets), EIP-1153 (transient storage).
#pragma once

#include "../base/flat_map.hpp"
#include "../base/limits.hpp"
#include "../base/stable_pool.hpp"
#include "../math/u256.hpp"
#include "effects.hpp"

namespace evmcore {

struct JournalAccount {
    Address address{};
    uint32_t id = 0;  // place in the journal, part of a slot's key
    bool is_loaded = false;
    bool is_warm = false;
    bool exists = false;
    bool is_touched = false;
    bool is_created = false;  // by this transaction (EIP-6780)
    bool is_destroyed = false;
    bool is_cleared = false;     // loses nonce, code and storage with the transaction's end (EIP-8246)
    bool has_delegated = false;  // an authorization of this transaction has paid for its delegation (EIP-8037)
    bool has_code_write = false;
    bool has_blind_credit = false;  // `balance` is a credit alone, since the account was never looked at
    uint8_t reads = 0;              // ReadBits
    uint64_t nonce = 0;
    u256 balance;
    const Code* code = nullptr;
    AccountState original;
    u256 balance_minimum;

    bool is_empty() const noexcept { return nonce == 0 && code == nullptr && balance.is_zero(); }
    bool is_alive() const noexcept { return exists && !is_empty(); }
};

struct JournalSlot {
    JournalAccount* account = nullptr;
    u256 key;
    u256 original;  // when the transaction began
    u256 value;
    bool is_loaded = false;
    bool is_warm = false;
    bool is_read_through = false;        // `original` came from the view, so the result depends on it
    const StoredSlot* stored = nullptr;  // as the view told it
    // If it is tracked and not pinned: the result depends on this range instead of `original`, and `value` is that plus a constant.
    SlotRange* range = nullptr;
};

struct Log {
    Address address;
    uint32_t topic_count;
    uint32_t topic_begin;  // into Journal::topics
    uint32_t data_begin;   // into Journal::log_data
    uint32_t data_size;
};

struct Snapshot {
    size_t undo_size = 0;
    size_t log_count = 0;
    size_t topic_count = 0;
    size_t log_data_size = 0;
    int64_t refund = 0;
};

class Journal {
public:
    Journal() = default;
    Journal(const Journal&) = delete;
    Journal& operator=(const Journal&) = delete;
    ~Journal() { begin(nullptr); }

    // Forgets everything; the next transaction starts on `view`.
    void begin(const StateView* view) noexcept;
    // The same, and gives back what is more than `kept_bytes`, of each of its arrays and maps.
    void trim(size_t kept_bytes) noexcept;
    // What it has held since the last `trim` in pieces, which the allocator keeps when they are freed: accounts, slots, codes.
    size_t pieces_bytes() const noexcept {
        return accounts_.capacity_bytes() + slots_.capacity_bytes() + transients_.capacity_bytes() +
               (codes_bytes_ > codes_bytes_most_ ? codes_bytes_ : codes_bytes_most_);
    }

    // RUNNING, or why the execution can't go on: the view could not answer, there is no memory, or a limit is passed. Sticky until
    // `begin`. A caller that gets a null or a false below returns this; what returns nothing has no other way to say it, so
    // instructions end with it where they change something, and the frame loop looks at each call and end of a frame.
    // What the journal holds after a failure is of no use, but to be forgotten.
    Status failure = Status::RUNNING;
    MissingKey missing;

    // The account's entry; null on failure. `peek` doesn't ask the view.
    JournalAccount* peek(const Address& address) noexcept;
    JournalAccount* account(const Address& address) noexcept {
        JournalAccount* entry = peek(address);
        return entry != nullptr && (entry->is_loaded || load(entry)) ? entry : nullptr;
    }
    // The slot's entry with its value; null on failure.
    JournalSlot* peek_slot(JournalAccount* account, const u256& key) noexcept;
    JournalSlot* slot(JournalAccount* account, const u256& key) noexcept {
        JournalSlot* entry = peek_slot(account, key);
        return entry != nullptr && (entry->is_loaded || load(entry)) ? entry : nullptr;
    }

    // A range that admits every value, for a slot of this transaction; null without memory, which pins the slot.
    SlotRange* add_range() noexcept { return ranges_.add(); }
    // Pins all slots that have been read.
    void drop_ranges() noexcept {
        if (ranges_.size() == 0)
            return;
        for (size_t i = 0; i < slots_.size(); ++i)
            slots_[i].range = nullptr;
        ranges_.clear();
    }

    // Marks warm and says whether it was cold.
    bool warm(JournalAccount* account) noexcept {
        if (account->is_warm)
            return false;
        remember(Undo::WARM_ACCOUNT, account);
        return account->is_warm = true;
    }
    bool warm(JournalSlot* slot) noexcept {
        if (slot->is_warm)
            return false;
        remember(Undo::WARM_SLOT, slot);
        return slot->is_warm = true;
    }

    // Reads that the result depends on. All take a loaded account.
    const u256& read_balance(JournalAccount* account) noexcept {
        account->reads |= READ_BALANCE;
        return account->balance;
    }
    // Whether it can pay: a yes depends on a minimum only, a no on the exact balance.
    bool can_pay(JournalAccount* account, const u256& amount) noexcept;
    uint64_t read_nonce(JournalAccount* account) noexcept {
        account->reads |= READ_NONCE;
        return account->nonce;
    }
    // Null: it has none, or there is a `failure`, since only its hash is known.
    const Code* read_code(JournalAccount* account) noexcept {
        const Code* code = read_code_or_hash(account);
        return EVMCORE_LIKELY(code == nullptr || need_bytes(account, code)) ? code : nullptr;
    }
    // The same where its bytes are not needed, or perhaps not.
    const Code* read_code_or_hash(JournalAccount* account) noexcept {
        account->reads |= READ_CODE;
        return account->code;
    }
    // Whether the bytes of an account's code are there; false: that is the `failure`.
    bool need_bytes(JournalAccount* account, const Code* code) noexcept {
        account->reads |= READ_CODE_BYTES;
        if (EVMCORE_LIKELY(code->has_bytes()))
            return true;
        lack_bytes(account->address, code);
        return false;
    }
    bool read_alive(JournalAccount* account) noexcept {
        account->reads |= READ_ALIVE;
        // READ_ALIVE compares the account as it was. Where this transaction has changed the balance, the answer depends on what is
        // left of it, too: on at least 1 wei if there is any, else on the very balance, nonce and code.
        if (account->balance != account->original.balance && !can_pay(account, u256{1}))
            account->reads |= READ_NONCE | READ_CODE;
        return account->is_alive();
    }
    bool read_exists(JournalAccount* account) noexcept {
        account->reads |= READ_EXISTS;
        return account->exists;
    }
    // Whether a contract may not be created here: nonce, code or storage (EIP-684, EIP-7610). Ask `failure` next: a partial
    // state may not know.
    bool read_collision(JournalAccount* account) noexcept;
    // The same where storage doesn't count.
    bool read_occupied(JournalAccount* account) noexcept {
        account->reads |= READ_NONCE | READ_CODE;
        return account->nonce != 0 || account->code != nullptr;
    }

    // Writes. All take a loaded account and can be taken back.
    void credit(JournalAccount* account, const u256& amount) noexcept;
    // The same for an account that need not be looked at, as the last write of a transaction: the beneficiary's fee makes
    // nothing depend on the beneficiary. False without memory.
    bool credit_blindly(const Address& address, const u256& amount) noexcept;
    void debit(JournalAccount* account, const u256& amount) noexcept;  // after can_pay
    void set_balance_zero(JournalAccount* account) noexcept;
    void set_nonce(JournalAccount* account, uint64_t nonce) noexcept;
    bool set_code(JournalAccount* account, ByteView code) noexcept;
    void touch(JournalAccount* account) noexcept;  // exists from now on
    void mark_created(JournalAccount* account) noexcept;
    void mark_destroyed(JournalAccount* account) noexcept;
    void mark_cleared(JournalAccount* account) noexcept;  // one that this transaction has created
    void set_slot(JournalSlot* slot, const u256& value) noexcept {
        remember(Undo::SLOT, slot, slot->value);
        copy(&slot->value, &value);
    }
    u256 transient(JournalAccount* account, const u256& key) noexcept;
    bool set_transient(JournalAccount* account, const u256& key, const u256& value) noexcept;

    // Logs
    Vector<Log, limit::LOG_BYTES> logs;
    Vector<Hash, limit::LOG_BYTES> topics;
    Vector<uint8_t, limit::LOG_BYTES> log_data;
    static_assert(limit::LOG_BYTES <= UINT32_MAX, "places in them have 32 bits");
    // A log whose topics, the last ones of `topics`, the caller fills in.
    bool add_log(const Address& address, uint32_t topic_count, ByteView data) noexcept {
        const Log log{address, topic_count, static_cast<uint32_t>(topics.size()), static_cast<uint32_t>(log_data.size()),
                      static_cast<uint32_t>(data.size)};
        if (EVMCORE_LIKELY(logs.push_back(log) && (topic_count == 0 || topics.extend(topic_count) != nullptr) &&
                           log_data.append(data.data, data.size)))
            return true;
        fail(logs.is_full() || topics.is_full(topic_count) || log_data.is_full(data.size), Status::LOG_LIMIT);
        return false;
    }
    int64_t refund = 0;  // may be below zero within a frame (EIP-2200, EIP-3529)
    // Whether the effects are to have the reads of slots of accounts that the transaction has made, which nothing depends on. Stays.
    bool keeps_own_reads = false;
    // Whose hash was asked for, by a frame that was reverted, too; UINT64_MAX: none was.
    uint64_t oldest_block = UINT64_MAX;

    Snapshot snapshot() const noexcept { return {undo_.size(), logs.size(), topics.size(), log_data.size(), refund}; }
    void revert(const Snapshot& snapshot) noexcept;

    // After the last frame: what the transaction read and wrote. The effects share the code it made.
    [[nodiscard]] bool extract(Effects* effects) noexcept;

    const StateView* view() const noexcept { return view_; }
    size_t account_count() const noexcept { return accounts_.size(); }
    size_t slot_count() const noexcept { return slots_.size(); }
    JournalAccount& account_at(size_t i) noexcept { return accounts_[i]; }
    JournalSlot& slot_at(size_t i) noexcept { return slots_[i]; }

private:
    struct Undo {
        enum Kind : uint8_t {
            WARM_ACCOUNT,
            WARM_SLOT,
            BALANCE,
            NONCE,
            CODE,
            TOUCHED,
            CREATED,
            DESTROYED,
            CLEARED,
            SLOT,
            TRANSIENT,
        };
        Kind kind;
        bool flag = false;
        void* target;
        u256 word;
    };
    struct TransientSlot {
        u256 value;
    };

    void remember(Undo::Kind kind, void* target) noexcept { remember(kind, target, u256{}); }
    void remember(Undo::Kind kind, void* target, const u256& word, bool flag = false) noexcept {
        if (EVMCORE_UNLIKELY(!undo_.push_back({kind, flag, target, word})))
            fail(undo_.is_full(), Status::UNDO_LIMIT);
    }
    EVMCORE_NOINLINE void fail(bool is_full, Status limit) noexcept {
        if (failure == Status::RUNNING)
            failure = is_full ? limit : Status::OUT_OF_MEMORY;
    }
    EVMCORE_NOINLINE void lack_bytes(const Address& address, const Code* code) noexcept;
    void clear_marked() noexcept;
    bool load(JournalAccount* account) noexcept;
    bool load(JournalSlot* slot) noexcept;

    const StateView* view_ = nullptr;
    FlatMap<Address, JournalAccount*, SeededHash> account_index_;
    FlatMap<SlotKey, JournalSlot*, SeededHash> slot_index_;
    FlatMap<SlotKey, TransientSlot*, SeededHash> transient_index_;
    StablePool<JournalAccount, limit::ACCESSES_BYTES> accounts_;
    StablePool<JournalSlot, limit::ACCESSES_BYTES> slots_;
    StablePool<TransientSlot, limit::ACCESSES_BYTES> transients_;
    StablePool<SlotRange> ranges_;  // one a slot at the most
    Vector<Undo, limit::UNDO_BYTES> undo_;
    Vector<const Code*> codes_;  // made by this transaction, one reference each
    size_t codes_bytes_ = 0;
    size_t codes_bytes_most_ = 0;  // of a transaction since the last `trim`
    bool has_cleared_ = false;     // some account may be marked so
    Vector<uint32_t> places_;      // of accounts in the effects; kept for its memory
};

}  // namespace evmcore
