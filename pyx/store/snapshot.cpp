// Reading a snapshot: by several threads, each with a transaction of its own while it looks something up.
#include <sched.h>

#include <cstdio>
#include <cstring>

#include "database.hpp"

namespace evmstore {

namespace {

constexpr int READ_ONLY = 0x20000;  // of mdbx.h
constexpr int READERS_FULL = -30790;

std::atomic<unsigned> next_home{0};
// Where this thread looks for a transaction first, and leaves it.
unsigned home() noexcept {
    thread_local const unsigned place = next_home.fetch_add(1, std::memory_order_relaxed);
    return place;
}

std::string_view text(const uint8_t* bytes, size_t size) noexcept { return {reinterpret_cast<const char*>(bytes), size}; }

}  // namespace

// A transaction for one lookup, or for a scan.
class Reader {
public:
    explicit Reader(Snapshot* snapshot) noexcept : snapshot_{snapshot}, txn_{snapshot->take_reader(&code)} {}
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    ~Reader() {
        if (txn_ != nullptr)
            snapshot_->give_back(txn_);
    }
    void* get() const noexcept { return txn_; }
    int code = MDBX_OK;

private:
    Snapshot* snapshot_;
    void* txn_;
};

Snapshot* Snapshot::open(const std::shared_ptr<Database>& database, int* code) {
    auto* snapshot = new Snapshot(database);
    void* txn = nullptr;
    {
        const std::lock_guard<std::mutex> guard{database->mutex};
        *code = mdbx.mdbx_txn_begin_ex(database->env, nullptr, READ_ONLY, &txn, nullptr);
        snapshot->pending_ = database->pending;
    }
    if (*code != MDBX_OK) {
        snapshot->release();
        return nullptr;
    }
    snapshot->age_ = mdbx.mdbx_txn_id(txn);
    snapshot->reader_count_ = 1;
    snapshot->give_back(txn);
    return snapshot;
}

Snapshot::~Snapshot() {
    if (!database_->is_of_this_process())
        return;
    for (std::atomic<void*>& reader : readers_)
        if (void* txn = reader.load(std::memory_order_acquire))
            mdbx.mdbx_txn_abort(txn);
}

void* Snapshot::take_reader(int* code) noexcept {
    if (!database_->is_of_this_process()) {
        *code = -1;
        return nullptr;
    }
    for (;;) {
        for (unsigned k = 0; k < READERS_MOST; ++k) {
            std::atomic<void*>& place = readers_[(home() + k) % READERS_MOST];
            // Acquire: what its last user did with it is done.
            if (place.load(std::memory_order_relaxed) != nullptr)
                if (void* txn = place.exchange(nullptr, std::memory_order_acquire))
                    return txn;
        }
        {
            const std::lock_guard<std::mutex> guard{mutex_};
            if (is_newest_ && reader_count_ < READERS_MOST) {
                void* txn = nullptr;
                *code = mdbx.mdbx_txn_begin_ex(database_->env, nullptr, READ_ONLY, &txn, nullptr);
                if (*code == MDBX_OK && mdbx.mdbx_txn_id(txn) == age_) {
                    ++reader_count_;
                    return txn;
                }
                is_newest_ = false;
                if (*code == MDBX_OK)
                    mdbx.mdbx_txn_abort(txn);
                else if (*code != READERS_FULL)
                    return nullptr;
                *code = MDBX_OK;
            }
        }
        sched_yield();  // another thread has it for a lookup
    }
}

void Snapshot::give_back(void* reader) noexcept {
    for (unsigned k = 0;; ++k) {  // there are as many places as readers
        void* none = nullptr;
        if (readers_[(home() + k) % READERS_MOST].compare_exchange_strong(none, reader, std::memory_order_release,
                                                                          std::memory_order_relaxed))
            return;
    }
}

int Snapshot::get(Table table, std::string_view key, std::string_view* out) noexcept {
    if (has_earlier_) {
        const auto found = earlier_[table].find(std::string{key});
        if (found != earlier_[table].end()) {
            *out = found->second;
            return out->empty() ? MDBX_NOT_FOUND : MDBX_OK;
        }
    }
    const Reader reader{this};
    if (reader.get() == nullptr)
        return reader.code;
    if (is_pending(table) && pending_->find(table, key, age_, out))
        return out->empty() ? MDBX_NOT_FOUND : MDBX_OK;
    const MdbxBytes name{key.data(), key.size()};
    MdbxBytes data{};
    const int code = mdbx.mdbx_get(reader.get(), database_->tables[table], &name, &data);
    if (code == MDBX_OK)
        *out = {static_cast<const char*>(data.data), data.size};
    return code;
}

int Snapshot::get_cached(Table table, std::string_view key, uint8_t value[RowCache::VALUE_BYTES_MOST], int* code) noexcept {
    int size = has_earlier_ ? -1 : database_->cache.find(key, age_, value);
    if (size >= 0)
        return size;
    std::string_view row;
    *code = get(table, key, &row);
    if (*code == MDBX_NOT_FOUND)
        row = {};
    else if (*code != MDBX_OK || row.empty() || row.size() > RowCache::VALUE_BYTES_MOST)
        return -1;
    if (!has_earlier_)
        database_->cache.put(key, age_, row);
    if (!row.empty())
        std::memcpy(value, row.data(), row.size());
    return static_cast<int>(row.size());
}

int Snapshot::entries(Table table, uint64_t* out) noexcept {
    const Reader reader{this};
    if (reader.get() == nullptr)
        return reader.code;
    MdbxStat stat{};
    const int code = mdbx.mdbx_dbi_stat(reader.get(), database_->tables[table], &stat, sizeof stat);
    *out = stat.entries;
    return code;
}

const Snapshot::SortedRows& Snapshot::pending_rows(Table table) {
    const std::lock_guard<std::mutex> guard{mutex_};
    if (sorted_[table] == nullptr) {
        auto rows = std::make_unique<SortedRows>();
        if (is_pending(table))
            pending_->for_each(table, age_, [&](std::string_view key, std::string_view value) { rows->emplace(key, value); });
        sorted_[table] = std::move(rows);
    }
    return *sorted_[table];
}

int Snapshot::scan(Table table, std::string from, const std::function<bool(std::string_view, std::string_view)>& visit) {
    const SortedRows& pending = pending_rows(table);
    const Reader reader{this};
    if (reader.get() == nullptr)
        return reader.code;
    void* cursor = nullptr;
    int code = mdbx.mdbx_cursor_open(reader.get(), database_->tables[table], &cursor);
    if (code != MDBX_OK)
        return code;
    auto newer = pending.lower_bound(from);
    MdbxBytes name{from.data(), from.size()};
    MdbxBytes data{};
    code = mdbx.mdbx_cursor_get(cursor, &name, &data, from.empty() ? FIRST : SET_RANGE);
    while (code == MDBX_OK || (code == MDBX_NOT_FOUND && newer != pending.end())) {
        const std::string_view key = code == MDBX_OK ? std::string_view{static_cast<const char*>(name.data), name.size} : "";
        const bool is_newer = newer != pending.end() && (code != MDBX_OK || newer->first <= key);
        const bool is_same = is_newer && code == MDBX_OK && newer->first == key;
        if (is_newer ? !newer->second.empty() && !visit(newer->first, newer->second)
                     : !visit(key, {static_cast<const char*>(data.data), data.size}))
            break;
        if (is_newer)
            ++newer;
        if (!is_newer || is_same)
            code = mdbx.mdbx_cursor_get(cursor, &name, &data, NEXT);
    }
    mdbx.mdbx_cursor_close(cursor);
    return code == MDBX_NOT_FOUND ? MDBX_OK : code;
}

bool Snapshot::take_back(std::string_view undo) {
    std::vector<std::pair<Table, std::pair<std::string_view, std::string_view>>> rows;
    if (!for_each_undo(undo, [&](Table table, std::string_view key, bool is_there, std::string_view value) {
            rows.push_back({table, {key, is_there ? value : std::string_view{}}});
        }))
        return false;
    for (size_t i = rows.size(); i-- > 0;)
        earlier_[rows[i].first][std::string{rows[i].second.first}] = rows[i].second.second;
    has_earlier_ = true;
    return true;
}

int Snapshot::cells(bool of_journal, std::string* accounts, std::string* slots) {
    std::map<std::string, std::vector<std::pair<std::string, std::string>>>
        found;  // an account's slots that are told of, and values
    const auto add = [&](Table table, std::string_view key, std::string_view value) {
        auto& of_account = found[std::string{key.substr(0, 20)}];
        if (table == SLOTS)
            of_account.emplace_back(key.substr(20), value);
    };
    for (const Table table : {ACCOUNTS, SLOTS}) {
        if (of_journal)
            pending_->for_each(table, age_, [&](std::string_view key, std::string_view value) { add(table, key, value); });
        else
            for (const auto& [key, value] : earlier_[table])
                add(table, key, value);
    }
    uint32_t number = 0;
    for (auto& [address, of_account] : found) {
        std::string_view row;
        const int code = get(ACCOUNTS, address, &row);
        if (code != MDBX_OK && code != MDBX_NOT_FOUND)
            return code;
        EvmcoreLocalAccount account{};
        AccountRow cells{};
        if (code == MDBX_OK && !decode_account(row, &account))
            return CORRUPTED;
        std::memcpy(cells.address, address.data(), 20);
        cells.exists = code == MDBX_OK;
        std::memcpy(cells.balance_after, account.balance, 32);
        cells.nonce_after = account.nonce;
        std::memcpy(cells.code_hash_after, account.has_code != 0 ? account.code_hash : EMPTY_CODE_HASH, 32);
        accounts->append(reinterpret_cast<const char*>(&cells), sizeof cells);
        if (cells.exists != 0)
            for (const auto& [key, value] : of_account) {
                SlotRow slot{};
                if (key.size() != 32 || value.size() > 32)
                    return CORRUPTED;
                slot.account = number;
                std::memcpy(slot.key, key.data(), 32);
                std::memcpy(slot.after + 32 - value.size(), value.data(), value.size());
                slots->append(reinterpret_cast<const char*>(&slot), sizeof slot);
            }
        ++number;
    }
    return MDBX_OK;
}

void Snapshot::note(const char* what, int code) noexcept {
    const std::lock_guard<std::mutex> guard{mutex_};
    char reason[160] = {};
    const char* told = code == 0    ? "it is not there, or not what it should be"
                       : code == -1 ? "it was opened before this process was forked"
                                    : mdbx.mdbx_strerror_r(code, reason, sizeof reason);
    std::snprintf(fault_, sizeof fault_, "store: %s can't be read: %s", what, told);
}

// ------------------------------------------------------------------------------------ as a state's source

EvmcoreLocalSource Snapshot::source() noexcept {
    EvmcoreLocalSource source{};
    source.version = EVMCORE_LOCAL_SOURCE_VERSION;
    source.context = this;
    source.acquire = [](void* context) { static_cast<Snapshot*>(context)->acquire(); };
    source.release = [](void* context) { static_cast<Snapshot*>(context)->release(); };
    source.account = [](void* context, const uint8_t* address, EvmcoreLocalAccount* out) {
        auto* self = static_cast<Snapshot*>(context);
        uint8_t row[RowCache::VALUE_BYTES_MOST];
        int code = MDBX_OK;
        const int size = self->get_cached(ACCOUNTS, text(address, 20), row, &code);
        if (size == 0)
            return static_cast<int>(EVMCORE_LOCAL_ABSENT);
        if (size > 0 && decode_account(text(row, static_cast<size_t>(size)), out))
            return static_cast<int>(EVMCORE_LOCAL_FOUND);
        self->note("an account", code);
        return static_cast<int>(EVMCORE_LOCAL_FAILED);
    };
    source.slot = [](void* context, const uint8_t* address, const uint8_t* key, uint8_t* value) {
        auto* self = static_cast<Snapshot*>(context);
        uint8_t name[52];
        std::memcpy(name, address, 20);
        std::memcpy(name + 20, key, 32);
        uint8_t row[RowCache::VALUE_BYTES_MOST];
        int code = MDBX_OK;
        const int size = self->get_cached(SLOTS, text(name, 52), row, &code);
        if (size == 0)
            return static_cast<int>(EVMCORE_LOCAL_ABSENT);
        if (size < 0 || size > 32) {
            self->note("a slot", code);
            return static_cast<int>(EVMCORE_LOCAL_FAILED);
        }
        std::memset(value, 0, 32);
        std::memcpy(value + 32 - size, row, static_cast<size_t>(size));
        return static_cast<int>(EVMCORE_LOCAL_FOUND);
    };
    source.code = [](void* context, const uint8_t* hash, const uint8_t** data, size_t* size) {
        auto* self = static_cast<Snapshot*>(context);
        std::string_view row;
        const int code = self->get(CODES, text(hash, 32), &row);
        if (code != MDBX_OK) {
            self->note("a code", code == MDBX_NOT_FOUND ? 0 : code);
            return static_cast<int>(EVMCORE_LOCAL_FAILED);
        }
        *data = reinterpret_cast<const uint8_t*>(row.data());
        *size = row.size();
        return static_cast<int>(EVMCORE_LOCAL_FOUND);
    };
    source.node = [](void* context, const uint8_t* account, const uint8_t* path, unsigned depth, const uint8_t** data,
                     size_t* size) {
        auto* self = static_cast<Snapshot*>(context);
        uint8_t name[NODE_KEY_BYTES_MOST];
        const size_t used = node_key(name, account, path, depth);
        std::string_view row;
        const int code = self->get(NODES, text(name, used), &row);
        if (code == MDBX_NOT_FOUND)
            return static_cast<int>(EVMCORE_LOCAL_ABSENT);
        if (code != MDBX_OK) {
            self->note("a trie node", code);
            return static_cast<int>(EVMCORE_LOCAL_FAILED);
        }
        *data = reinterpret_cast<const uint8_t*>(row.data());
        *size = row.size();
        return static_cast<int>(EVMCORE_LOCAL_FOUND);
    };
    source.fault = [](void* context, char* out, size_t size) {
        auto* self = static_cast<Snapshot*>(context);
        const std::lock_guard<std::mutex> guard{self->mutex_};
        std::snprintf(out, size, "%s", self->fault_);
    };
    return source;
}

}  // namespace evmstore
