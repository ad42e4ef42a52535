// Looking things up in a part of a state.
#include "part_source.hpp"

#include "../base/rlp.hpp"
#include "../crypto/keccak.hpp"
#include "code_cache.hpp"
#include "state_root.hpp"

namespace evmcore {

using shared_trie::Leaf;
using shared_trie::MissingNode;

PartSource* PartSource::create(const shared_trie::Ref& trie) noexcept {
    auto* made = new (std::nothrow) PartSource;
    if (made != nullptr)
        made->trie_ = trie.share();
    return made;
}

PartSource::~PartSource() {
    codes_.for_each([](const Hash&, const Code* const& code) { code->release(); });
}

bool PartSource::add_code(ByteView code, const Hash& hash) noexcept {
    if (code.empty())
        return true;
    bool inserted;
    const Code** place = codes_.insert_or_find(hash, &inserted);
    if (place == nullptr || !inserted)
        return place != nullptr;
    *place = shared_codes().get(code, hash);
    if (*place != nullptr)
        return true;
    codes_.erase(hash);
    return false;
}

int PartSource::account(const Address& address, Found* out) noexcept {
    {
        const SpinGuard guard{lock_};
        if (const Found* found = accounts_.find(address)) {
            *out = *found;
            return out->is_there ? EVMCORE_LOCAL_FOUND : EVMCORE_LOCAL_ABSENT;
        }
    }
    *out = Found{};
    keccak256(address.bytes, 20, &out->key);
    MissingNode missing;
    const Leaf* leaf = shared_trie::find(trie_.get(), out->key, &missing);
    if (missing.is_missing)
        return EVMCORE_LOCAL_FAILED;
    out->is_there = leaf != nullptr;
    if (leaf != nullptr) {
        Bytes value;
        StoredAccount stored;
        if (!shared_trie::value_of(leaf, &value) || !stored.decode({value.data(), value.size()}))
            return EVMCORE_LOCAL_FAILED;
        to_big_endian(stored.balance, out->account.balance);
        out->account.nonce = stored.nonce;
        out->account.has_code = !(stored.code_hash == EMPTY_KECCAK);
        std::memcpy(out->account.code_hash, stored.code_hash.bytes, 32);
        out->account.has_storage = leaf->storage() != nullptr;
    }
    const SpinGuard guard{lock_};
    if (accounts_.size() >= FOUND_MOST) {
        accounts_.release();
        slots_.release();
    }
    out->id = next_id_++;  // another one each time: of slots that are there still none has it
    bool inserted;
    Found* place = accounts_.insert_or_find(address, &inserted);
    if (place != nullptr && inserted)
        *place = *out;
    else if (place != nullptr)
        out->id = place->id;
    return out->is_there ? EVMCORE_LOCAL_FOUND : EVMCORE_LOCAL_ABSENT;
}

int PartSource::slot(const Address& address, const uint8_t key[32], uint8_t value[32]) noexcept {
    Found owner;
    const int answer = account(address, &owner);
    if (answer != EVMCORE_LOCAL_FOUND || owner.account.has_storage == 0)
        return answer == EVMCORE_LOCAL_FAILED ? EVMCORE_LOCAL_FAILED : EVMCORE_LOCAL_ABSENT;
    const SlotKey place{owner.id, u256_from_bytes(key, 32)};
    Value found;
    {
        const SpinGuard guard{lock_};
        if (const Value* known = slots_.find(place)) {
            std::memcpy(value, known->bytes, 32);
            return known->is_there ? EVMCORE_LOCAL_FOUND : EVMCORE_LOCAL_ABSENT;
        }
    }
    Hash hash;
    keccak256(key, 32, &hash);
    MissingNode missing;
    const Leaf* leaf = shared_trie::find(trie_.get(), owner.key, &missing);
    if (leaf != nullptr)
        leaf = shared_trie::find(leaf->storage(), hash, &missing);
    if (missing.is_missing)
        return EVMCORE_LOCAL_FAILED;
    if (leaf != nullptr) {
        Bytes encoded;
        if (!shared_trie::value_of(leaf, &encoded))
            return EVMCORE_LOCAL_FAILED;
        RlpReader reader{{encoded.data(), encoded.size()}};
        u256 number;
        if (reader.next_u256(&number) != Status::SUCCESS)
            return EVMCORE_LOCAL_FAILED;
        to_big_endian(number, found.bytes);
        found.is_there = true;
    }
    std::memcpy(value, found.bytes, 32);
    const SpinGuard guard{lock_};
    if (slots_.size() >= FOUND_MOST)
        slots_.release();
    bool inserted;
    if (Value* known = slots_.insert_or_find(place, &inserted))
        *known = found;
    return found.is_there ? EVMCORE_LOCAL_FOUND : EVMCORE_LOCAL_ABSENT;
}

EvmcoreLocalSource PartSource::table() noexcept {
    EvmcoreLocalSource table{};
    table.version = EVMCORE_LOCAL_SOURCE_VERSION;
    table.context = this;
    table.acquire = [](void* context) {
        static_cast<PartSource*>(context)->references_.fetch_add(1, std::memory_order_relaxed);  // the caller holds one
    };
    table.release = [](void* context) { static_cast<PartSource*>(context)->release(); };
    table.account = [](void* context, const uint8_t* address, EvmcoreLocalAccount* out) {
        Address key;
        Found found;
        std::memcpy(key.bytes, address, 20);
        const int answer = static_cast<PartSource*>(context)->account(key, &found);
        *out = found.account;
        return answer;
    };
    table.slot = [](void* context, const uint8_t* address, const uint8_t* slot, uint8_t* value) {
        Address key;
        std::memcpy(key.bytes, address, 20);
        return static_cast<PartSource*>(context)->slot(key, slot, value);
    };
    table.code = [](void* context, const uint8_t* hash, const uint8_t** data, size_t* size) {
        Hash key;
        std::memcpy(key.bytes, hash, 32);
        const Code* const* found = static_cast<PartSource*>(context)->codes_.find(key);
        if (found == nullptr)
            return static_cast<int>(EVMCORE_LOCAL_FAILED);
        *data = (*found)->bytes();
        *size = (*found)->size;
        return static_cast<int>(EVMCORE_LOCAL_FOUND);
    };
    table.node = [](void*, const uint8_t*, const uint8_t*, unsigned, const uint8_t**, size_t*) {
        return static_cast<int>(EVMCORE_LOCAL_ABSENT);  // what there is the trie has
    };
    table.fault = [](void*, char* text, size_t size) {
        if (size != 0)
            *text = 0;
    };
    return table;
}

}  // namespace evmcore
