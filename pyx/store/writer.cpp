// The transaction that writes.
#include <algorithm>
#include <cstring>

#include "database.hpp"

namespace evmstore {

namespace {

constexpr int REPLACE_AT_CURSOR = 0x40;          // MDBX_CURRENT of mdbx.h
constexpr size_t PIECE_BYTES = size_t{1} << 16;  // of the journal: values of many pages need room that lies together

}  // namespace

int Writer::begin() {
    const int code = mdbx.mdbx_txn_begin_ex(database_->env, nullptr, 0, &txn_, nullptr);
    if (code != MDBX_OK)
        return code;
    const std::lock_guard<std::mutex> guard{database_->mutex};
    pending_ = database_->pending;
    age_ = mdbx.mdbx_txn_id(txn_);
    return code;
}

int Writer::write_journal() {
    uint8_t key[12];
    for (unsigned i = 0; i < 8; ++i)
        key[i] = static_cast<uint8_t>(database_->next_in_journal >> (56 - 8 * i));
    uint32_t number = 0;
    for (std::string_view rest = journal_; !rest.empty(); ++number) {
        for (unsigned i = 0; i < 4; ++i)
            key[8 + i] = static_cast<uint8_t>(number >> (24 - 8 * i));
        const std::string_view piece = rest.substr(0, PIECE_BYTES);
        if (const int code = put(JOURNAL, {reinterpret_cast<const char*>(key), sizeof key}, piece); code != MDBX_OK)
            return code;
        rest.remove_prefix(piece.size());
    }
    return MDBX_OK;
}

int Writer::commit() {
    std::shared_ptr<Pending> none = is_settled_ ? std::make_shared<Pending>() : nullptr;
    if (!journal_.empty())
        if (const int code = write_journal(); code != MDBX_OK) {
            abort();
            return code;
        }
    close_cursors();
    void* txn = txn_;
    txn_ = nullptr;
    int code;
    {
        const std::lock_guard<std::mutex> guard{database_->mutex};
        code = mdbx.mdbx_txn_commit_ex(txn, nullptr);  // it is gone, whatever this says
        if (code == MDBX_OK) {
            database_->cache.begin_age(age_);
            for (const std::string& key : changed_)
                database_->cache.take_out(key);
            database_->next_in_journal += !journal_.empty();
            pending_->keep();
            if (none != nullptr)
                database_->pending = std::move(none);
        }
    }
    forget();
    return code;
}

void Writer::abort() noexcept {
    if (txn_ != nullptr && database_->is_of_this_process()) {
        close_cursors();
        mdbx.mdbx_txn_abort(txn_);
    }
    txn_ = nullptr;
    forget();
}

void Writer::forget() noexcept {
    if (pending_ != nullptr)
        pending_->drop();  // of what isn't committed
    pending_.reset();
    changed_.clear();
    journal_.clear();
    is_settled_ = false;
}

int Writer::settle() {
    struct Row {
        Table table;
        std::string_view key, value;
    };
    if (is_settled_)
        return MDBX_OK;
    std::vector<Row> rows;
    for (const Table table : {ACCOUNTS, SLOTS, NODES})
        pending_->for_each(table, age_,
                           [&](std::string_view key, std::string_view value) { rows.push_back({table, key, value}); });
    // In the order of the trees: each page is found and copied once.
    std::sort(rows.begin(), rows.end(),
              [](const Row& a, const Row& b) { return a.table != b.table ? a.table < b.table : a.key < b.key; });
    void* cursor;
    int code = MDBX_OK;
    for (const Row& row : rows) {
        if ((code = cursor_of(row.table, &cursor)) != MDBX_OK)
            return code;
        MdbxBytes name = bytes_of(row.key);
        MdbxBytes data = bytes_of(row.value);
        if (!row.value.empty())
            code = mdbx.mdbx_cursor_put(cursor, &name, &data, 0);
        else if ((code = mdbx.mdbx_cursor_get(cursor, &name, &data, SET_KEY)) == MDBX_OK)
            code = mdbx.mdbx_cursor_del(cursor, 0);
        if (code != MDBX_OK && code != MDBX_NOT_FOUND)
            return code;
    }
    if ((code = cursor_of(JOURNAL, &cursor)) != MDBX_OK)
        return code;
    MdbxBytes name{};
    MdbxBytes data{};
    while ((code = mdbx.mdbx_cursor_get(cursor, &name, &data, FIRST)) == MDBX_OK)
        if ((code = mdbx.mdbx_cursor_del(cursor, 0)) != MDBX_OK)
            break;
    if (code != MDBX_OK && code != MDBX_NOT_FOUND)
        return code;
    journal_.clear();
    is_settled_ = true;
    return MDBX_OK;
}

void Writer::close_cursors() noexcept {
    for (void*& cursor : cursors_) {
        if (cursor != nullptr)
            mdbx.mdbx_cursor_close(cursor);
        cursor = nullptr;
    }
}

int Writer::cursor_of(Table table, void** out) {
    void*& cursor = cursors_[table];
    const int code = cursor != nullptr ? MDBX_OK : mdbx.mdbx_cursor_open(txn_, database_->tables[table], &cursor);
    *out = cursor;
    return code;
}

int Writer::get(Table table, std::string_view key, std::string_view* out) {
    if (is_pending(table) && !is_settled_ && pending_->find(table, key, age_, out))
        return out->empty() ? MDBX_NOT_FOUND : MDBX_OK;
    const MdbxBytes name = bytes_of(key);
    MdbxBytes data{};
    const int code = mdbx.mdbx_get(txn_, database_->tables[table], &name, &data);
    *out = code == MDBX_OK ? view_of(data) : std::string_view{};
    return code;
}

int Writer::put(Table table, std::string_view key, std::string_view value) {
    if (const int code = settle_for(table); code != MDBX_OK)
        return code;
    if (table == ACCOUNTS || table == SLOTS)
        changed_.emplace_back(key);
    const MdbxBytes name = bytes_of(key);
    MdbxBytes data = bytes_of(value);
    return mdbx.mdbx_put(txn_, database_->tables[table], &name, &data, 0);
}

int Writer::put_places(Table table, std::string_view keys, std::string_view start) {
    constexpr size_t KEY_BYTES = 32;
    std::vector<uint32_t> order(keys.size() / KEY_BYTES);
    for (uint32_t i = 0; i < order.size(); ++i)
        order[i] = i;
    const auto key_of = [&](uint32_t index) { return keys.substr(index * KEY_BYTES, KEY_BYTES); };
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return key_of(a) < key_of(b); });
    void* cursor;
    int code = cursor_of(table, &cursor);
    std::string value{start};
    for (size_t i = 0; code == MDBX_OK && i < order.size(); ++i) {
        value.resize(start.size());
        for (unsigned shift = 32; shift != 0; shift -= 8)
            value.push_back(static_cast<char>(order[i] >> (shift - 8)));
        MdbxBytes name = bytes_of(key_of(order[i]));
        MdbxBytes data = bytes_of(value);
        code = mdbx.mdbx_cursor_put(cursor, &name, &data, 0);
    }
    return code;
}

int Writer::remove(Table table, std::string_view key) {
    if (const int code = settle_for(table); code != MDBX_OK)
        return code;
    if (table == ACCOUNTS || table == SLOTS)
        changed_.emplace_back(key);
    const MdbxBytes name = bytes_of(key);
    const int code = mdbx.mdbx_del(txn_, database_->tables[table], &name, nullptr);
    return code == MDBX_NOT_FOUND ? MDBX_OK : code;
}

int Writer::first(Table table, std::string_view from, std::string* key, std::string* value) {
    void* cursor;
    int code = settle_for(table);
    if (code != MDBX_OK || (code = cursor_of(table, &cursor)) != MDBX_OK)
        return code;
    MdbxBytes name = bytes_of(from);
    MdbxBytes data{};
    code = mdbx.mdbx_cursor_get(cursor, &name, &data, SET_RANGE);
    if (code == MDBX_OK) {
        key->assign(view_of(name));
        value->assign(view_of(data));
    }
    return code;
}

void Writer::note(std::string* rows, Table table, std::string_view key, bool is_there, std::string_view value) {
    const auto size = is_there ? static_cast<uint32_t>(value.size()) : UINT32_MAX;
    rows->push_back(static_cast<char>(table));
    rows->push_back(static_cast<char>(key.size()));
    rows->append(key);
    rows->append(reinterpret_cast<const char*>(&size), 4);  // little-endian, as all machines are that this runs on
    rows->append(value);
}

// The row as it is now, while nothing is settled; empty: none. In the cache are rows of the newest commit, or none.
int Writer::old_row(Table table, std::string_view key, uint8_t buffer[RowCache::VALUE_BYTES_MOST], std::string_view* out) {
    *out = {};
    if (pending_->find(table, key, age_, out))
        return MDBX_OK;
    if (const int size = database_->cache.find(key, age_, buffer); size >= 0) {
        *out = {reinterpret_cast<const char*>(buffer), static_cast<size_t>(size)};
        return MDBX_OK;
    }
    void* cursor;
    int code = cursor_of(table, &cursor);
    if (code != MDBX_OK)
        return code;
    MdbxBytes name = bytes_of(key);
    MdbxBytes data{};
    code = mdbx.mdbx_cursor_get(cursor, &name, &data, SET_KEY);
    if (code == MDBX_OK)
        *out = view_of(data);
    return code == MDBX_NOT_FOUND ? MDBX_OK : code;
}

int Writer::change_later(Table table, std::string_view key, std::string_view value) {
    uint8_t buffer[RowCache::VALUE_BYTES_MOST];
    std::string_view old;
    if (const int code = old_row(table, key, buffer, &old); code != MDBX_OK)
        return code;
    if (old == value)
        return MDBX_OK;
    note(&undo, table, key, !old.empty(), old);
    note(&journal_, table, key, true, value);
    changed_.emplace_back(key);
    pending_->put(table, key, age_, value);
    return MDBX_OK;
}

int Writer::change_node(std::string_view key, std::string_view value) {
    if (!is_settled_) {
        pending_->put(NODES, key, age_, value);
        return MDBX_OK;
    }
    void* cursor;
    int code = cursor_of(NODES, &cursor);
    if (code != MDBX_OK)
        return code;
    MdbxBytes name = bytes_of(key);
    MdbxBytes data = bytes_of(value);
    if (!value.empty())
        return mdbx.mdbx_cursor_put(cursor, &name, &data, 0);
    code = mdbx.mdbx_cursor_get(cursor, &name, &data, SET_KEY);
    return code == MDBX_OK ? mdbx.mdbx_cursor_del(cursor, 0) : code == MDBX_NOT_FOUND ? MDBX_OK : code;
}

int Writer::change(Table table, std::string_view key, std::string_view value) {
    if (!is_settled_)
        return change_later(table, key, value);
    void* cursor;
    int code = cursor_of(table, &cursor);
    if (code != MDBX_OK)
        return code;
    MdbxBytes name = bytes_of(key);
    MdbxBytes old{};
    code = mdbx.mdbx_cursor_get(cursor, &name, &old, SET_KEY);
    if (code != MDBX_OK && code != MDBX_NOT_FOUND)
        return code;
    const bool is_there = code == MDBX_OK;
    if (is_there == !value.empty() && (!is_there || view_of(old) == value))
        return MDBX_OK;
    note(&undo, table, key, is_there, view_of(old));
    changed_.emplace_back(key);
    if (value.empty())
        return mdbx.mdbx_cursor_del(cursor, 0);
    name = bytes_of(key);
    MdbxBytes data = bytes_of(value);
    return mdbx.mdbx_cursor_put(cursor, &name, &data, is_there ? REPLACE_AT_CURSOR : 0);
}

int Writer::remove_with(Table table, std::string_view prefix) {
    void* cursor;
    int code = cursor_of(table, &cursor);
    if (code != MDBX_OK)
        return code;
    MdbxBytes name = bytes_of(prefix);
    MdbxBytes data{};
    for (code = mdbx.mdbx_cursor_get(cursor, &name, &data, SET_RANGE); code == MDBX_OK;
         code = mdbx.mdbx_cursor_get(cursor, &name, &data, SET_RANGE)) {
        const std::string key{view_of(name)};
        if (key.compare(0, prefix.size(), prefix) != 0)
            break;
        note(&undo, table, key, true, view_of(data));
        if (table == SLOTS)
            changed_.push_back(key);
        if ((code = mdbx.mdbx_cursor_del(cursor, 0)) != MDBX_OK)
            break;
        name = bytes_of(prefix);
    }
    return code == MDBX_NOT_FOUND ? MDBX_OK : code;
}

int Writer::has_slots_later(std::string_view address, bool* out) {
    void* cursor;
    int code = cursor_of(SLOTS, &cursor);
    if (code != MDBX_OK)
        return code;
    MdbxBytes name = bytes_of(address);
    MdbxBytes data{};
    std::string_view newer;
    *out = true;
    for (code = mdbx.mdbx_cursor_get(cursor, &name, &data, SET_RANGE);
         code == MDBX_OK && view_of(name).substr(0, address.size()) == address;
         code = mdbx.mdbx_cursor_get(cursor, &name, &data, NEXT))
        if (!pending_->find(SLOTS, view_of(name), age_, &newer) || !newer.empty())
            return MDBX_OK;
    *out = false;
    pending_->for_each(SLOTS, age_, [&](std::string_view key, std::string_view value) {
        *out = *out || (!value.empty() && key.substr(0, address.size()) == address);
    });
    return code == MDBX_NOT_FOUND ? MDBX_OK : code;
}

int Writer::has_slots(std::string_view address, bool* out) {
    if (!is_settled_)
        return has_slots_later(address, out);
    std::string key, value;
    const int code = first(SLOTS, address, &key, &value);
    *out = code == MDBX_OK && key.compare(0, address.size(), address) == 0;
    return code == MDBX_NOT_FOUND ? MDBX_OK : code;
}

int Writer::clear_storage(std::string_view address) {
    std::string_view row;
    int code = get(ACCOUNTS, address, &row);
    EvmcoreLocalAccount account{};
    if (code == MDBX_NOT_FOUND)
        return MDBX_OK;
    if (code != MDBX_OK || !decode_account(row, &account))
        return code != MDBX_OK ? code : CORRUPTED;
    if (account.has_storage == 0)
        return MDBX_OK;
    if ((code = settle()) != MDBX_OK)
        return code;
    return remove_with(SLOTS, address);
}

namespace {

std::string_view text(const uint8_t* bytes, size_t size) noexcept { return {reinterpret_cast<const char*>(bytes), size}; }

}  // namespace

int Writer::put_accounts(const uint8_t* accounts, size_t account_count, const uint8_t* slots, size_t slot_count) {
    const auto* account = reinterpret_cast<const AccountRow*>(accounts);
    const auto* slot = reinterpret_cast<const SlotRow*>(slots);
    const SlotRow* const slots_end = slot + slot_count;
    int code = pending_->size_bytes() >= database_->journal_bytes_most ? settle() : MDBX_OK;
    if (code != MDBX_OK)
        return code;
    for (size_t i = 0; i < account_count; ++i, ++account) {
        const std::string_view address = text(account->address, 20);
        uint8_t buffer[RowCache::VALUE_BYTES_MOST];
        std::string_view old;
        code = is_settled_ ? get(ACCOUNTS, address, &old) : old_row(ACCOUNTS, address, buffer, &old);
        if (code != MDBX_OK && code != MDBX_NOT_FOUND)
            return code;
        EvmcoreLocalAccount before{};
        if (!old.empty() && !decode_account(old, &before))
            return CORRUPTED;
        bool has_storage = before.has_storage != 0;
        bool is_touched = account->storage != 0, has_new = false;
        for (; slot != slots_end && slot->account == i; ++slot) {
            is_touched = true;
            if (account->exists == 0)
                continue;  // cleared
            char key[52];
            std::memcpy(key, account->address, 20);
            std::memcpy(key + 20, slot->key, 32);
            size_t zeros = 0;
            while (zeros < 32 && slot->after[zeros] == 0)
                ++zeros;
            has_new |= zeros != 32;
            if ((code = change(SLOTS, {key, 52}, text(slot->after + zeros, 32 - zeros))) != MDBX_OK)
                return code;
        }
        if (account->exists == 0) {
            if ((code = change(ACCOUNTS, address, {})) != MDBX_OK)
                return code;
            continue;
        }
        if (has_new)
            has_storage = true;
        else if (is_touched && (code = has_slots(address, &has_storage)) != MDBX_OK)
            return code;
        const bool has_code = std::memcmp(account->code_hash_after, EMPTY_CODE_HASH, 32) != 0;
        const std::string row = encode_account(account->balance_after, account->nonce_after,
                                               has_code ? account->code_hash_after : nullptr, has_storage);
        if ((code = change(ACCOUNTS, address, row)) != MDBX_OK)
            return code;
    }
    return MDBX_OK;
}

size_t node_key(uint8_t out[NODE_KEY_BYTES_MOST], const uint8_t* account, const uint8_t* path, unsigned depth) noexcept {
    size_t used = 0;
    out[used++] = account != nullptr;
    if (account != nullptr) {
        std::memcpy(out + used, account, 32);
        used += 32;
    }
    for (unsigned i = 0; i < depth; ++i)
        out[used++] = i % 2 == 0 ? path[i / 2] >> 4 : path[i / 2] & 15;
    return used;
}

int Writer::put_nodes(std::string_view rows) {
    int code = MDBX_OK;
    if (!is_settled_)
        return for_each_node(rows, [&](std::string_view key, std::string_view value) { (void)change_node(key, value); })
                   ? code
                   : CORRUPTED;
    struct Row {
        size_t key_begin, key_size;  // in `keys`
        std::string_view value;
    };
    std::string keys;
    std::vector<Row> sorted;
    if (!for_each_node(rows, [&](std::string_view key, std::string_view value) {
            sorted.push_back({keys.size(), key.size(), value});
            keys.append(key);
        }))
        return CORRUPTED;
    const auto key_of = [&](const Row& row) { return std::string_view{keys}.substr(row.key_begin, row.key_size); };
    // In the order of the tree the cursor goes from row to row, and each page is found and copied once.
    std::sort(sorted.begin(), sorted.end(), [&](const Row& a, const Row& b) { return key_of(a) < key_of(b); });
    for (const Row& row : sorted)
        if ((code = change_node(key_of(row), row.value)) != MDBX_OK)
            return code;
    return code;
}

int Writer::take_back(std::string_view undo_rows) {
    struct Row {
        Table table;
        std::string_view key, value;
        bool is_there;
    };
    std::vector<Row> rows;
    if (!for_each_undo(undo_rows, [&](Table table, std::string_view key, bool is_there, std::string_view value) {
            rows.push_back({table, key, value, is_there});
        }))
        return CORRUPTED;
    if (const int code = settle(); code != MDBX_OK)
        return code;
    for (size_t i = rows.size(); i-- > 0;) {
        const Row& row = rows[i];
        const int code = row.is_there ? put(row.table, row.key, row.value) : remove(row.table, row.key);
        if (code != MDBX_OK)
            return code;
    }
    return MDBX_OK;
}

}  // namespace evmstore
