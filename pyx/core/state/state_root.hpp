// The Merkle root of a state, in steps; the parts of a step are independent, so that several workers may take one each.
// The first root of a state is made of all that it holds and leaves a trie; a later one follows what has changed since.
// The state must not change meanwhile. Yellow Paper 4.1, appendix D.
#pragma once

#include <atomic>
#include <mutex>

#include "kept_trie.hpp"
#include "world.hpp"

namespace evmcore {

// An account as its leaf in the trie has it.
struct StoredAccount {
    uint64_t nonce = 0;
    u256 balance;
    Hash storage_root{};
    Hash code_hash{};
    bool decode(ByteView value) noexcept;  // false: it is no account's RLP
    static constexpr size_t BYTES_MOST = 110;
    size_t encode(uint8_t out[BYTES_MOST]) const noexcept;  // answers how many bytes
};

class StateRoot {
public:
    // An account that is to be put into the trie, or out of it.
    struct Account {
        Hash key;  // the hashed address
        Address address{};
        const AccountRecord* record = nullptr;  // null: there is none
        uint32_t base = 0;                      // ChangedCells::accounts
        bool is_unchanged = false;              // it isn't known
        bool is_left_out = false;
        uint32_t value_part = 0, value_size = 0;
        size_t value_begin = 0;
        shared_trie::Ref storage;
    };

    // In this order: hash the keys of slots and accounts; read the nodes on their ways, of a local state; each account's storage and
    // value; the account trie below its root.
    enum Step : int { KEYS, WAYS, STORAGE, ACCOUNTS, DONE };

    explicit StateRoot(World* world) noexcept : world_{world} {}
    StateRoot(const StateRoot&) = delete;
    StateRoot& operator=(const StateRoot&) = delete;
    ~StateRoot() { close(); }

    // First. `is_alone`: hardly anybody else will ask for the root of this state until this one is made. While one is made for
    // others, this one is not kept.
    void open(bool is_alone) noexcept;
    // Nothing has changed since the state's trie was made: there are no steps, and `root` can be called at once.
    bool is_known() const noexcept { return is_known_; }
    // How many cells there are to look at: none, if the root is known.
    size_t work() const noexcept;
    // Readies a step, when the one before is done: how many parts it has. Once it has failed, there is nothing to do.
    size_t begin(Step step, Poll* poll) noexcept;
    // A `poll` that is given may stop it: then there is no root.
    void run(Step step, size_t part, Poll* poll) noexcept;
    // After the last step; the state has the trie from then on. False without memory, then or before, or if a node is missing.
    [[nodiscard]] bool root(Hash* out, Poll* poll) noexcept;
    // All of it, when it is open, on this thread.
    [[nodiscard]] bool make(Hash* out, Poll* poll) noexcept;
    // Which node a partial trie would have needed, of which account's storage (null: of the accounts').
    const shared_trie::MissingNode& missing() const noexcept { return missing_; }
    const Hash* missing_account() const noexcept { return missing_in_storage_ ? &missing_account_ : nullptr; }
    // The trie that the root is of.
    const shared_trie::Ref& trie() const noexcept { return trie_; }

private:
    struct Slot {
        uint32_t storage_id;
        bool is_known;  // false: the state doesn't hold it
        Hash key;       // hashed
        u256 value;
    };
    // What one part of the last step has to do: accounts whose keys begin with one nibble, or all of them.
    struct Shelf {
        struct Entry {
            uint64_t prefix;
            uint32_t account;
        };
        Vector<Entry> entries;
    };
    struct SlotRange {
        const Slot** first;
        const Slot** last;
    };

    bool is_left_out(const AccountRecord* record) const noexcept;
    // These are false without memory.
    bool list_accounts() noexcept;
    bool list_changes(const ChangedCells& changed) noexcept;
    bool order_slots(Poll* poll) noexcept;
    bool order_all_slots() noexcept;
    bool part_storage() noexcept;
    // Of a local state's trie: the ways to the accounts (root_ways.cpp).
    bool list_ways(Poll* poll) noexcept;
    bool expand(size_t part, Poll* poll) noexcept;
    bool join_ways() noexcept;
    void read_from_source(shared_trie::Writer* writer, const Hash* account) const noexcept;
    bool fill_shelves() noexcept;
    bool hash_slots(size_t part) noexcept;
    void hash_addresses(size_t part) noexcept;
    void find_records(size_t begin, size_t end) noexcept;
    bool list_left_out() noexcept;
    bool make_storage(size_t part, Poll* poll) noexcept;
    bool update_storage(Account* account, const shared_trie::Leaf* leaf, shared_trie::Writer* writer, Poll* poll) noexcept;
    bool encode_account(Account* account, const shared_trie::Leaf* leaf, Bytes* values) noexcept;
    bool order_shelf(Shelf* shelf, Poll* poll) const noexcept;
    bool list_shelf(const Shelf& shelf, Vector<shared_trie::Change>* changes, Bytes* bytes) const noexcept;
    bool make_shelf(size_t part, Poll* poll) noexcept;
    ByteView value_of(const Account& account) const noexcept {
        if (account.value_size == 0)
            return {};
        return {values_[account.value_part].data() + account.value_begin, account.value_size};
    }

    const shared_trie::Leaf* leaf_of(const Account& account) noexcept;
    SlotRange slots_of(const AccountRecord& record) noexcept;
    void note(bool is_ok) noexcept {
        if (!is_ok)
            has_failed_.store(true, std::memory_order_relaxed);  // its readers have joined the workers
    }
    void note_missing(const shared_trie::MissingNode& missing, const Hash* account) noexcept;
    void close() noexcept;

    static constexpr size_t ACCOUNTS_A_PART = 256;
    static constexpr size_t PLACES_A_PART = 4096;
    static constexpr size_t CHANGED_SLOTS_A_PART = 256;
    static constexpr size_t SLOTS_A_PART = 256;    // about: an account's slots stay together
    static constexpr size_t SPLIT_ACCOUNTS = 512;  // fewer are put into the trie at once

    World* world_;
    bool is_open_ = false;
    bool is_whole_ = false;  // all that the state holds, not what changed
    bool is_known_ = false;  // nothing has changed
    bool is_split_ = false;
    bool has_left_out_ = false;
    shared_trie::Ref trie_;
    shared_trie::Ref children_[shared_trie::CHILDREN];
    Vector<SlotKey> changed_slots_;
    Vector<Address> left_out_;            // ChangedCells::LEFT_OUT, from this root on
    Vector<Vector<Slot>> slots_;          // by part of the first step
    Vector<const Slot*> slots_in_order_;  // of one account next to each other
    Vector<size_t> begins_;               // of all slots: where each storage id's begin in them
    Vector<shared_trie::Way> ways_;       // ascending; none but of a local state
    Vector<Hash> way_slots_;              // of theirs
    bool are_ways_split_ = false;         // by the root's children, which are in `children_`
    shared_trie::Ref before_;             // the trie that the source has
    Vector<size_t> storage_parts_;        // the first account of each part of the second step
    Vector<Account> accounts_;
    Vector<Bytes> values_;  // by part of the second step
    Shelf shelves_[shared_trie::CHILDREN];
    std::atomic<bool> has_failed_{false};  // published: by any worker
    std::mutex missing_mutex_;
    shared_trie::MissingNode missing_;
    bool missing_in_storage_ = false;
    Hash missing_account_{};
};

template <>
inline constexpr bool is_relocatable<StateRoot::Account> = true;

}  // namespace evmcore
