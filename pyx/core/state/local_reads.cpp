// Reading a local source.
#include "local_reads.hpp"

#include "code_cache.hpp"

namespace evmcore {

LocalReads::~LocalReads() {
    codes_.for_each([](const Hash&, const Code* const& code) { code->release(); });
    source_.release(source_.context);
}

Status LocalReads::account(const Address& address, AccountState* out) noexcept {
    EvmcoreLocalAccount told;
    *out = AccountState{};
    const int answer = source_.account(source_.context, address.bytes, &told);
    if (answer == EVMCORE_LOCAL_ABSENT)
        return Status::RUNNING;
    if (answer != EVMCORE_LOCAL_FOUND)
        return failed();
    out->balance = u256_from_bytes(told.balance, 32);
    out->nonce = told.nonce;
    out->exists = true;
    out->has_storage = told.has_storage != 0;
    if (told.has_code == 0)
        return Status::RUNNING;
    Hash hash;
    std::memcpy(hash.bytes, told.code_hash, 32);
    return code(hash, &out->code);
}

Status LocalReads::slot(const Address& address, const u256& key, u256* out) noexcept {
    uint8_t word[32];
    uint8_t value[32];
    to_big_endian(key, word);
    *out = u256{};
    const int answer = source_.slot(source_.context, address.bytes, word, value);
    if (answer == EVMCORE_LOCAL_FOUND)
        *out = u256_from_bytes(value, 32);
    return answer == EVMCORE_LOCAL_FAILED ? failed() : Status::RUNNING;
}

Status LocalReads::code(const Hash& hash, const Code** out) noexcept {
    {
        const SpinGuard guard{lock_};
        if (const Code* const* found = codes_.find(hash)) {
            *out = *found;
            return Status::RUNNING;
        }
    }
    const uint8_t* data = nullptr;
    size_t size = 0;
    const bool is_there =
        source_.code(source_.context, hash.bytes, &data, &size) == EVMCORE_LOCAL_FOUND && size != 0 && size <= UINT32_MAX;
    if (!is_there && !is_part_)
        return failed();
    const Code* made = is_there ? shared_codes().get({data, size}, hash) : Code::create({}, &hash);
    if (made == nullptr)
        return Status::OUT_OF_MEMORY;
    const SpinGuard guard{lock_};
    bool inserted;
    const Code** place = codes_.insert_or_find(hash, &inserted);
    if (place == nullptr || !inserted)
        made->release();
    else
        *place = made;
    if (place == nullptr)
        return Status::OUT_OF_MEMORY;
    *out = *place;
    return Status::RUNNING;
}

bool LocalReads::read_node(const Hash* account, const uint8_t* path, unsigned depth, Bytes* out) noexcept {
    const uint8_t* data = nullptr;
    size_t size = 0;
    const int answer = source_.node(source_.context, account != nullptr ? account->bytes : nullptr, path, depth, &data, &size);
    if (answer == EVMCORE_LOCAL_FAILED)
        (void)failed();
    return answer == EVMCORE_LOCAL_FOUND && out->assign(data, size);
}

shared_trie::NodeSource LocalReads::nodes() noexcept {
    return {this, [](void* context, const Hash* account, const uint8_t* path, unsigned depth, Bytes* out) noexcept {
                return static_cast<LocalReads*>(context)->read_node(account, path, depth, out);
            }};
}

}  // namespace evmcore
