// Opening a database, and what is in its journal.
#include "database.hpp"

#include <cstring>
#include <pthread.h>
#include <unistd.h>

namespace evmstore {

MdbxLibrary mdbx;

namespace {

// Of mdbx.h.
constexpr int OPTION_MAX_DB = 0, OPTION_MAX_READERS = 1;
constexpr int NO_STICKY_THREADS = 0x200000, EXCLUSIVE = 0x400000, NO_READ_AHEAD = 0x800000, LIFO_RECLAIM = 0x4000000;
constexpr int TABLE_CREATE = 0x40000;
constexpr uint32_t MAIN_TABLE = 1;  // of the other tables' names

constexpr unsigned READERS = 4096;
constexpr intptr_t GROWTH_BYTES = intptr_t{16} << 20;

constexpr uint8_t HAS_CODE = 1, HAS_STORAGE = 2;

void append_number(std::string* out, const uint8_t* big_endian, size_t size) {
    while (size != 0 && *big_endian == 0)
        ++big_endian, --size;
    out->push_back(static_cast<char>(size));
    out->append(reinterpret_cast<const char*>(big_endian), size);
}

bool read_number(std::string_view* from, uint8_t* out, size_t size) noexcept {
    std::memset(out, 0, size);
    if (from->empty() || static_cast<uint8_t>((*from)[0]) > size || from->size() < 1 + static_cast<size_t>((*from)[0]))
        return false;
    const auto count = static_cast<size_t>((*from)[0]);
    std::memcpy(out + size - count, from->data() + 1, count);
    from->remove_prefix(1 + count);
    return true;
}

}  // namespace

const uint8_t EMPTY_CODE_HASH[32] = {0xc5, 0xd2, 0x46, 0x01, 0x86, 0xf7, 0x23, 0x3c, 0x92, 0x7e, 0x7d,
                                     0xb2, 0xdc, 0xc7, 0x03, 0xc0, 0xe5, 0x00, 0xb6, 0x53, 0xca, 0x82,
                                     0x27, 0x3b, 0x7b, 0xfa, 0xd8, 0x04, 0x5d, 0x85, 0xa4, 0x70};

const char* const TABLE_NAMES[TABLE_COUNT] = {"meta",   "accounts", "slots",  "codes",        "nodes", "headers",
                                              "bodies", "receipts", "hashes", "transactions", "undo",  "journal"};

bool set_symbol(const char* name, void* address) noexcept {
#define MDBX_SYMBOL(NAME, RETURN, PARAMETERS)                        \
    if (std::strcmp(name, #NAME) == 0) {                             \
        mdbx.NAME = reinterpret_cast<RETURN(*) PARAMETERS>(address); \
        return true;                                                 \
    }
#include "mdbx_symbols.def"
#undef MDBX_SYMBOL
    return false;
}

std::vector<std::string> symbol_names() {
    return {
#define MDBX_SYMBOL(NAME, RETURN, PARAMETERS) #NAME,
#include "mdbx_symbols.def"
#undef MDBX_SYMBOL
    };
}

std::string encode_account(const uint8_t balance[32], uint64_t nonce, const uint8_t* code_hash, bool has_storage) {
    uint8_t number[8];
    for (int i = 0; i < 8; ++i)
        number[i] = static_cast<uint8_t>(nonce >> (56 - 8 * i));
    std::string row(1, static_cast<char>((code_hash != nullptr ? HAS_CODE : 0) | (has_storage ? HAS_STORAGE : 0)));
    append_number(&row, number, 8);
    append_number(&row, balance, 32);
    if (code_hash != nullptr)
        row.append(reinterpret_cast<const char*>(code_hash), 32);
    return row;
}

bool decode_account(std::string_view row, EvmcoreLocalAccount* out) noexcept {
    uint8_t number[8];
    if (row.empty())
        return false;
    const auto flags = static_cast<uint8_t>(row[0]);
    row.remove_prefix(1);
    if (!read_number(&row, number, 8) || !read_number(&row, out->balance, 32))
        return false;
    out->nonce = 0;
    for (const uint8_t byte : number)
        out->nonce = out->nonce << 8 | byte;
    out->has_code = flags & HAS_CODE;
    out->has_storage = (flags & HAS_STORAGE) != 0;
    if (row.size() != (out->has_code ? 32 : 0))
        return false;
    std::memcpy(out->code_hash, row.data(), row.size());
    return true;
}

// ------------------------------------------------------------------------------------ the database

namespace {

// Each lookup asks: a number that a fork raises in the child, where getpid would be a call of the system.
std::atomic<unsigned> forks{0};

unsigned process_generation() noexcept {
    static const int registered = pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); });
    return registered == 0 ? forks.load(std::memory_order_relaxed) : static_cast<unsigned>(getpid());
}

}  // namespace

bool Database::is_of_this_process() const noexcept { return process_ == process_generation(); }

Database::~Database() {
    if (env != nullptr && is_of_this_process())
        mdbx.mdbx_env_close_ex(env, false);
}

std::string Database::text_of(int code) {
    char text[256] = {};
    return mdbx.mdbx_strerror_r(code, text, sizeof text);
}

int Database::open(const char* path, uint64_t most_bytes) {
    process_ = process_generation();
    int code = mdbx.mdbx_env_create(&env);
    if (code != MDBX_OK) {
        env = nullptr;
        return code;
    }
    if ((code = mdbx.mdbx_env_set_option(env, OPTION_MAX_DB, TABLE_COUNT)) != MDBX_OK ||
        (code = mdbx.mdbx_env_set_option(env, OPTION_MAX_READERS, READERS)) != MDBX_OK ||
        (code = mdbx.mdbx_env_set_geometry(env, -1, -1, static_cast<intptr_t>(most_bytes), GROWTH_BYTES, -1, -1)) != MDBX_OK ||
        (code = mdbx.mdbx_env_open(env, path, NO_STICKY_THREADS | EXCLUSIVE | NO_READ_AHEAD | LIFO_RECLAIM, 0644)) != MDBX_OK)
        return code;
    void* txn = nullptr;
    if ((code = mdbx.mdbx_txn_begin_ex(env, nullptr, 0, &txn, nullptr)) != MDBX_OK)
        return code;
    MdbxStat names{};
    code = mdbx.mdbx_dbi_stat(txn, MAIN_TABLE, &names, sizeof names);
    for (unsigned i = 0; i < TABLE_COUNT; ++i)
        if (code != MDBX_OK ||
            (code = mdbx.mdbx_dbi_open(txn, TABLE_NAMES[i], names.entries == 0 ? TABLE_CREATE : 0, &tables[i])) != MDBX_OK) {
            mdbx.mdbx_txn_abort(txn);
            return code;
        }
    if ((code = load_journal(txn)) != MDBX_OK) {
        mdbx.mdbx_txn_abort(txn);
        return code;
    }
    return mdbx.mdbx_txn_commit_ex(txn, nullptr);
}

int Database::load_journal(void* txn) {
    void* cursor = nullptr;
    int code = mdbx.mdbx_cursor_open(txn, tables[JOURNAL], &cursor);
    if (code != MDBX_OK)
        return code;
    std::string rows;  // of one block
    bool is_right = true;
    const auto put = [&] {
        const bool are_rows =
            for_each_undo(rows, [&](Table table, std::string_view key, bool is_there, std::string_view value) {
                if ((table == ACCOUNTS || table == SLOTS) && is_there)
                    pending->put(table, key, 0, value);
                else
                    is_right = false;
            });
        is_right = is_right && are_rows;
        rows.clear();
    };
    MdbxBytes name{};
    MdbxBytes data{};
    for (code = mdbx.mdbx_cursor_get(cursor, &name, &data, FIRST); code == MDBX_OK;
         code = mdbx.mdbx_cursor_get(cursor, &name, &data, NEXT)) {
        uint64_t number = 0;
        if (!(is_right = is_right && name.size == 12))
            break;
        for (size_t i = 0; i < 8; ++i)
            number = number << 8 | static_cast<const uint8_t*>(name.data)[i];
        if (number >= next_in_journal)
            put();
        next_in_journal = number + 1;
        rows.append(view_of(data));
    }
    mdbx.mdbx_cursor_close(cursor);
    if (code != MDBX_OK && code != MDBX_NOT_FOUND)
        return code;
    put();
    pending->keep();
    return is_right ? MDBX_OK : CORRUPTED;
}

int Database::put_pending_nodes(std::string_view rows) {
    const bool is_right =
        for_each_node(rows, [&](std::string_view key, std::string_view value) { pending->put(NODES, key, 0, value); });
    if (is_right)
        pending->keep();
    else
        pending->drop();
    return is_right ? MDBX_OK : CORRUPTED;
}

}  // namespace evmstore
