// Committed rows in memory.
#include "pending.hpp"

#include <new>
#include <random>

namespace evmstore {

namespace {

constexpr size_t KEY_BYTES_MOST = 256, ENTRY_BYTES = 96;  // of an entry beside its texts, about

// Strangers choose addresses and slots.
uint64_t seed() {
    static const uint64_t drawn = [] {
        std::random_device device;
        return static_cast<uint64_t>(device()) << 32 | device() | 1;
    }();
    return drawn;
}

}  // namespace

size_t Pending::Hasher::operator()(std::string_view name) const noexcept {
    uint64_t hash = seed() ^ name.size();
    for (size_t at = 0; at < name.size(); at += 8) {
        uint64_t word = 0;
        std::memcpy(&word, name.data() + at, name.size() - at < 8 ? name.size() - at : 8);
        const auto product = static_cast<unsigned __int128>(hash ^ word) * (seed() ^ 0x9e3779b97f4a7c15ULL);
        hash = static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64) ^ (hash << 1 | hash >> 63);
    }
    return hash * 0x9e3779b97f4a7c15ULL;
}

bool Pending::find(uint8_t table, std::string_view key, uint64_t age, std::string_view* out) const noexcept {
    char text[KEY_BYTES_MOST];
    if (size_bytes() == 0 || key.size() + 1 > sizeof text)
        return false;
    text[0] = static_cast<char>(table);
    std::memcpy(text + 1, key.data(), key.size());
    const std::string_view name{text, key.size() + 1};
    const Shard& shard = shard_of(name);
    const evmcore::SpinGuard guard{shard.lock};
    const auto found = shard.rows.find(name);
    const Version* version = found == shard.rows.end() ? nullptr : found->second.at(age);
    if (version == nullptr)
        return false;
    *out = version->value;
    return true;
}

char* Pending::room(size_t size) {
    size = (size + 7) & ~size_t{7};
    if (size > left_) {
        const size_t chunk = size > CHUNK_BYTES ? size : CHUNK_BYTES;
        chunks_.push_back(std::make_unique<char[]>(chunk));
        next_ = chunks_.back().get();
        left_ = chunk;
    }
    char* const place = next_;
    next_ += size;
    left_ -= size;
    return place;
}

void Pending::put(uint8_t table, std::string_view key, uint64_t age, std::string_view value) {
    char* const text = room(1 + key.size() + value.size());
    text[0] = static_cast<char>(table);
    std::memcpy(text + 1, key.data(), key.size());
    if (!value.empty())
        std::memcpy(text + 1 + key.size(), value.data(), value.size());
    auto* const version = new (room(sizeof(Version))) Version{age, nullptr, {text + 1 + key.size(), value.size()}};
    const std::string_view name{text, 1 + key.size()};
    auto& shard = const_cast<Shard&>(shard_of(name));
    fresh_.push_back({&shard, nullptr});
    {
        const evmcore::SpinGuard guard{shard.lock};
        Entry& entry = shard.rows[name];  // the nodes of this map stay where they are
        version->older = entry.newest;
        entry.newest = version;
        fresh_.back().entry = &entry;
    }
    size_bytes_.fetch_add(name.size() + value.size() + sizeof(Version) + ENTRY_BYTES, std::memory_order_relaxed);
}

void Pending::drop() noexcept {
    for (size_t i = fresh_.size(); i-- > 0;) {
        if (fresh_[i].entry == nullptr)
            continue;  // it couldn't be put
        const evmcore::SpinGuard guard{fresh_[i].shard->lock};
        fresh_[i].entry->newest = fresh_[i].entry->newest->older;
    }
    fresh_.clear();
}

}  // namespace evmstore
