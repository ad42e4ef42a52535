// A database of libmdbx that holds a chain's state: its tables, snapshots that states read (core/state/local_source.hpp), and the one
// transaction at a time that writes. The library's functions are found by evmcore/store/libraries.py before the first use.
// Any thread may read a snapshot; one thread at a time writes.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "../core/state/local_source.hpp"
#include "pending.hpp"
#include "row_cache.hpp"

namespace evmstore {

struct MdbxBytes {  // MDBX_val
    const void* data;
    size_t size;
};

struct MdbxStat {  // MDBX_stat
    uint32_t page_size, depth;
    uint64_t branch_pages, leaf_pages, overflow_pages, entries, last_txn;
};

struct MdbxLibrary {
#define MDBX_SYMBOL(NAME, RETURN, PARAMETERS) RETURN(*NAME) PARAMETERS = nullptr;
#include "mdbx_symbols.def"
#undef MDBX_SYMBOL
};
extern MdbxLibrary mdbx;
// Sets one function; false: there is none of that name. Before the first use.
bool set_symbol(const char* name, void* address) noexcept;
std::vector<std::string> symbol_names();

inline MdbxBytes bytes_of(std::string_view view) noexcept { return {view.data(), view.size()}; }
inline std::string_view view_of(const MdbxBytes& bytes) noexcept { return {static_cast<const char*>(bytes.data), bytes.size}; }

// What libmdbx answers, and where its cursors go, of mdbx.h.
constexpr int MDBX_OK = 0, MDBX_NOT_FOUND = -30798, CORRUPTED = -30796;
constexpr int FIRST = 0, NEXT = 8, SET_KEY = 16, SET_RANGE = 17;

enum Table : uint8_t {
    META,
    ACCOUNTS,
    SLOTS,
    CODES,
    NODES,
    HEADERS,
    BODIES,
    RECEIPTS,
    HASHES,
    TRANSACTIONS,
    UNDO,
    JOURNAL,
    TABLE_COUNT
};
extern const char* const TABLE_NAMES[TABLE_COUNT];

// Whether what a block changes of it is pending first. Accounts and slots are in the journal then; nodes aren't, since they follow from them.
constexpr bool is_pending(Table table) noexcept { return table == ACCOUNTS || table == SLOTS || table == NODES; }

struct __attribute__((packed)) AccountRow {  // evmcore.changes.ACCOUNT_CHANGE_DTYPE
    uint8_t address[20], existed, exists, storage;
    uint8_t balance_before[32], balance_after[32];
    uint64_t nonce_before, nonce_after;
    uint8_t code_hash_before[32], code_hash_after[32];
};
struct __attribute__((packed)) SlotRow {  // SLOT_CHANGE_DTYPE
    uint32_t account;
    uint8_t key[32], before[32], after[32];
};

// An open database. Held by its snapshots and its transaction; closed when the last of them is gone.
class Database {
public:
    // `journal_bytes`: how much may be pending, in memory and in the journal.
    Database(size_t cache_bytes, size_t journal_bytes)
        : cache{cache_bytes}, journal_bytes_most{journal_bytes}, pending{std::make_shared<Pending>()} {}
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;
    ~Database();

    // MDBX_OK, or an answer that `text_of` explains: MDBX_NOT_FOUND where tables are missing and others are there. An empty one gets them.
    int open(const char* path, uint64_t most_bytes);
    static std::string text_of(int code);
    // The nodes that follow from what is in the journal: trie_rows.hpp. Before the first snapshot that needs them.
    int put_pending_nodes(std::string_view rows);
    bool is_of_this_process() const noexcept;

    void* env = nullptr;
    uint32_t tables[TABLE_COUNT] = {};
    RowCache cache;  // of accounts and slots
    const size_t journal_bytes_most;

    // What is in the journal and in no table yet: what a snapshot that is opened under the mutex sees, over the tables.
    std::mutex mutex;
    std::shared_ptr<Pending> pending;
    uint64_t next_in_journal = 0;  // of who writes

private:
    int load_journal(void* txn);

    unsigned process_ = 0;
};

using Rows = std::unordered_map<std::string, std::string>;

// The database as it was when this was made. Readers use transactions of one age, one each at a time.
class Snapshot {
public:
    // Null: `code` says why.
    static Snapshot* open(const std::shared_ptr<Database>& database, int* code);

    void acquire() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
    void release() noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1)
            delete this;
    }

    // MDBX_OK, MDBX_NOT_FOUND, or a fault. The data stays where it is as long as the snapshot.
    int get(Table table, std::string_view key, std::string_view* out) noexcept;
    // Calls visit(key, value) from the first key that isn't below `from`, until it says false. Of the database as it was then, whatever
    // is taken back.
    int scan(Table table, std::string from, const std::function<bool(std::string_view, std::string_view)>& visit);
    int entries(Table table, uint64_t* out) noexcept;

    // The same of an account or a slot, copied: the size of the row, 0: there is none, -1: a fault, in `code`.
    int get_cached(Table table, std::string_view key, uint8_t value[RowCache::VALUE_BYTES_MOST], int* code) noexcept;
    // Takes the changes of a block back, for those who read this: of the newest block first, and before anybody reads. False: these are
    // no undo rows.
    bool take_back(std::string_view undo);
    // What accounts and slots are that were taken back, or that are in the journal: AccountRows and SlotRows. MDBX_OK, or a fault.
    int cells(bool of_journal, std::string* accounts, std::string* slots);

    EvmcoreLocalSource source() noexcept;
    void note(const char* what, int code) noexcept;  // a fault
    const std::shared_ptr<Database>& database() const noexcept { return database_; }

private:
    friend class Reader;
    using SortedRows = std::map<std::string_view, std::string_view>;
    explicit Snapshot(std::shared_ptr<Database> database) noexcept : database_{std::move(database)} {}
    const SortedRows& pending_rows(Table table);
    ~Snapshot();
    void* take_reader(int* code) noexcept;
    void give_back(void* reader) noexcept;

    static constexpr unsigned READERS_MOST = 64;

    std::shared_ptr<Database> database_;
    std::shared_ptr<Pending> pending_;
    std::atomic<uint32_t> references_{1};
    std::atomic<void*> readers_[READERS_MOST] = {};    // that nobody uses
    std::mutex mutex_;                                 // over the next four
    std::unique_ptr<SortedRows> sorted_[TABLE_COUNT];  // pending rows, for scans
    unsigned reader_count_ = 0;
    bool is_newest_ = true;  // as far as is known: another reader would have its age
    char fault_[256] = {};
    uint64_t age_ = 0;
    Rows earlier_[TABLE_COUNT];  // rows as they were before the blocks that are taken back; "": none
    bool has_earlier_ = false;
};

// The transaction that writes. What it changes of the state is noted in `undo`, row by row.
// A block's changes go to the journal and to Pending; once there is enough of them, or where rows are taken back or cleared, all that
// is pending is written to the tables (`settle`), and what the transaction changes from then on as well.
class Writer {
public:
    explicit Writer(std::shared_ptr<Database> database) noexcept : database_{std::move(database)} {}
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    ~Writer() { abort(); }

    int begin();
    int commit();  // durable once it has answered
    void abort() noexcept;

    int get(Table table, std::string_view key, std::string_view* out);
    int put(Table table, std::string_view key, std::string_view value);
    // To each key, 32 bytes of `keys`, the value `start` and its index, 4 bytes, big-endian.
    int put_places(Table table, std::string_view keys, std::string_view start);
    int remove(Table table, std::string_view key);
    int first(Table table, std::string_view from, std::string* key, std::string* value);  // that isn't below `from`

    // Of a block. Accounts and slots are noted in `undo`: rows of Changes.accounts and .slots (evmcore.changes), packed.
    int put_accounts(const uint8_t* accounts, size_t account_count, const uint8_t* slots, size_t slot_count);
    int put_nodes(std::string_view rows);  // trie_rows.hpp
    int clear_storage(std::string_view address);
    int take_back(std::string_view undo);
    int settle();
    bool is_settled() const noexcept { return is_settled_; }

    std::string undo;

private:
    int change_later(Table table, std::string_view key, std::string_view value);
    int change_node(std::string_view key, std::string_view value);
    int old_row(Table table, std::string_view key, uint8_t buffer[RowCache::VALUE_BYTES_MOST], std::string_view* out);
    int settle_for(Table table) { return is_pending(table) && !is_settled_ ? settle() : MDBX_OK; }
    int write_journal();
    int has_slots_later(std::string_view address, bool* out);
    int change(Table table, std::string_view key, std::string_view value);  // "": no row
    int remove_with(Table table, std::string_view prefix);
    int has_slots(std::string_view address, bool* out);
    static void note(std::string* rows, Table table, std::string_view key, bool is_there, std::string_view value);
    int cursor_of(Table table, void** out);  // the transaction's, kept until it ends
    void close_cursors() noexcept;
    void forget() noexcept;

    std::shared_ptr<Database> database_;
    void* txn_ = nullptr;
    void* cursors_[TABLE_COUNT] = {};
    std::vector<std::string> changed_;  // keys of accounts and slots
    std::shared_ptr<Pending> pending_;
    uint64_t age_ = 0;
    std::string journal_;  // rows of this block
    bool is_settled_ = false;
};

extern const uint8_t EMPTY_CODE_HASH[32];

// An account's row: flags (1: code, 2: storage), size and bytes of nonce and of balance, big-endian, and the code's hash if it has one.
std::string encode_account(const uint8_t balance[32], uint64_t nonce, const uint8_t* code_hash, bool has_storage);
bool decode_account(std::string_view row, EvmcoreLocalAccount* out) noexcept;

// The key of a trie's node: 0, or 1 and the hashed address in whose storage it is; then its path, a nibble a byte, so that a node lies
// beside those below it. `path`: two nibbles a byte; returns the size.
constexpr size_t NODE_KEY_BYTES_MOST = 1 + 32 + 64;
size_t node_key(uint8_t out[NODE_KEY_BYTES_MOST], const uint8_t* account, const uint8_t* path, unsigned depth) noexcept;

// Visits (key, value) of rows of nodes (trie_rows.hpp); false: they are none.
template <class Visit>
bool for_each_node(std::string_view rows, Visit visit) {
    while (!rows.empty()) {
        const auto* row = reinterpret_cast<const uint8_t*>(rows.data());
        const size_t path = 2 + (row[0] != 0 ? 32 : 0);
        if (rows.size() < path || row[path - 1] > 64)
            return false;
        const size_t end = path + (row[path - 1] + 1) / 2;
        uint32_t size;
        if (rows.size() < end + 4)
            return false;
        std::memcpy(&size, row + end, 4);
        if (rows.size() - end - 4 < size)
            return false;
        uint8_t key[NODE_KEY_BYTES_MOST];
        const size_t key_size = node_key(key, row[0] != 0 ? row + 1 : nullptr, row + path, row[path - 1]);
        visit(std::string_view{reinterpret_cast<const char*>(key), key_size}, rows.substr(end + 4, size));
        rows.remove_prefix(end + 4 + size);
    }
    return true;
}

// Visits (table, key, is_there, value) of undo rows, in the order in which they were noted; false: they are none.
template <class Visit>
bool for_each_undo(std::string_view undo, Visit visit) {
    while (!undo.empty()) {
        if (undo.size() < 2)
            return false;
        const auto table = static_cast<uint8_t>(undo[0]);
        const size_t key_size = static_cast<uint8_t>(undo[1]);
        uint32_t size;
        if (table >= TABLE_COUNT || undo.size() < 2 + key_size + 4)
            return false;
        std::memcpy(&size, undo.data() + 2 + key_size, 4);
        const bool is_there = size != UINT32_MAX;
        const size_t value_size = is_there ? size : 0;
        if (undo.size() - 2 - key_size - 4 < value_size)
            return false;
        visit(static_cast<Table>(table), undo.substr(2, key_size), is_there, undo.substr(2 + key_size + 4, value_size));
        undo.remove_prefix(2 + key_size + 4 + value_size);
    }
    return true;
}

}  // namespace evmstore
