// The Merkle root of the committed state. Yellow Paper 4.1, appendix D.
#include <algorithm>

#include "../base/rlp.hpp"
#include "trie.hpp"
#include "world.hpp"

namespace evmcore {

namespace {

struct StorageEntry {
    uint32_t storage_id;
    Hash key;  // hashed
    u256 value;
};

struct AccountEntry {
    Hash key;  // hashed
    size_t record;
};

bool earlier(const StorageEntry& a, const StorageEntry& b) noexcept {
    return a.storage_id != b.storage_id ? a.storage_id < b.storage_id : a.key < b.key;
}

// Lays encoded values end to end; views are made when all are there, since the buffer moves.
struct Values {
    Bytes bytes;
    std::vector<size_t> ends;

    void clear() noexcept { bytes.clear(), ends.clear(); }
    void close() noexcept { ends.push_back(bytes.size()); }
    void views(std::vector<ByteView>* out) const noexcept {
        out->clear();
        size_t begin = 0;
        for (const size_t end : ends) {
            out->emplace_back(bytes.data() + begin, end - begin);
            begin = end;
        }
    }
};

Hash hash_word(const u256& word) noexcept {
    uint8_t bytes[32];
    to_big_endian(word, bytes);
    Hash hash;
    keccak256(bytes, 32, &hash);
    return hash;
}

}  // namespace

void World::collect_slots(const AccountRecord& record, std::vector<u256>* keys,
                          std::vector<u256>* values) const noexcept {
    for_each_slot(record, [&](const u256& key, const u256& value) {
        keys->push_back(key);
        values->push_back(value);
    });
}

Hash World::root() const noexcept {
    std::vector<StorageEntry> slots;
    slots.reserve(slots_.size());
    slots_.for_each([&](const SlotKey& key, const u256& value) {
        if (!value.is_zero())
            slots.push_back({key.account, hash_word(key.slot), value});
    });
    std::sort(slots.begin(), slots.end(), earlier);

    std::vector<AccountEntry> accounts;
    for (size_t i = 0; i < records_.size(); ++i)
        if (records_[i].exists) {
            Hash key;
            keccak256(records_[i].address.bytes, 20, &key);
            accounts.push_back({key, i});
        }
    std::sort(accounts.begin(), accounts.end(),
              [](const AccountEntry& a, const AccountEntry& b) { return a.key < b.key; });

    Values values;
    std::vector<ByteView> views;
    std::vector<Hash> keys;
    Values account_values;
    std::vector<Hash> account_keys;
    for (const AccountEntry& entry : accounts) {
        const AccountRecord& record = records_[entry.record];
        Hash storage_root = EMPTY_TRIE_ROOT;
        if (record.slot_count != 0) {
            values.clear();
            keys.clear();
            auto slot = std::lower_bound(slots.begin(), slots.end(), StorageEntry{record.storage_id, {}, {}}, earlier);
            for (; slot != slots.end() && slot->storage_id == record.storage_id; ++slot) {
                keys.push_back(slot->key);
                RlpWriter{&values.bytes}.number(slot->value);
                values.close();
            }
            values.views(&views);
            storage_root = trie_root_of_sorted(keys.data(), views.data(), keys.size());
        }
        RlpWriter writer{&account_values.bytes};
        const size_t list = writer.begin_list();
        writer.number(record.nonce);
        writer.number(record.balance);
        writer.fixed(storage_root);
        writer.fixed(hash_of(record.code));
        writer.end_list(list);
        account_values.close();
        account_keys.push_back(entry.key);
    }
    account_values.views(&views);
    return trie_root_of_sorted(account_keys.data(), views.data(), account_keys.size());
}

}  // namespace evmcore
