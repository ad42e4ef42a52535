// Encoding and decoding of states.
#include "state_codec.hpp"

#include <algorithm>

#include "../base/polled_sort.hpp"

namespace evmcore {

namespace {

constexpr uint8_t MAGIC[9] = {'e', 'v', 'm', 's', 't', 'a', 't', 'e', 1};

// Each code of the accounts once, by hash.
bool list_codes(const World& world, const Vector<uint32_t>& accounts, Poll* poll, Vector<const Code*>* codes) noexcept {
    for (size_t i = 0; i < accounts.size(); ++i) {
        if (i % POLLED_PIECE == 0 && should_stop(poll))
            return false;
        const Code* code = world.record(accounts[i]).code;
        if (code != nullptr && !codes->push_back(code))
            return false;
    }
    if (!sort_polled(codes->begin(), codes->size(), [](const Code* a, const Code* b) { return a->hash < b->hash; }, poll))
        return false;
    const auto end = std::unique(codes->begin(), codes->end(), [](const Code* a, const Code* b) { return a->hash == b->hash; });
    return codes->resize(static_cast<size_t>(end - codes->begin()));
}

constexpr size_t LEAST_ACCOUNT_BYTES = 24;
constexpr size_t LEAST_SLOT_BYTES = 3;  // the key may be none, the value is one at least
constexpr size_t LEAST_CODE_BYTES = 2;

struct CodeOf {
    ByteView view;
    bool is_used = false;
};

bool read_codes(FlatReader* reader, size_t most_bytes, Poll* poll, Vector<CodeOf>* codes) noexcept {
    uint64_t count, size;
    Hash before{}, hash{};
    if (!reader->count_of(LEAST_CODE_BYTES, &count))
        return false;
    for (uint64_t i = 0; i < count; ++i) {
        CodeOf code;
        if (!reader->count(&size))
            return false;
        if (size == 0 || size > most_bytes)
            return reader->fail(size == 0 ? "a code of no bytes" : "a code with more bytes than are taken");
        if (!reader->take(static_cast<size_t>(size), &code.view.data))
            return false;
        code.view.size = static_cast<size_t>(size);
        keccak256(code.view.data, code.view.size, &hash);
        if (i != 0 && !(before < hash))
            return reader->fail("codes that don't ascend by hash");
        before = hash;
        if (should_stop(poll) || !codes->push_back(code))
            return false;
    }
    return true;
}

bool is_done(Status status) noexcept { return status == Status::RUNNING; }

bool read_account(FlatReader* reader, const Address& address, Vector<CodeOf>* codes, Poll* poll, World* world) noexcept {
    u256 balance, key, value, before;
    uint64_t nonce, code, slots;
    if (!reader->number(&balance) || !reader->count(&nonce) || !reader->count(&code))
        return false;
    if (code > codes->size())
        return reader->fail("an account with a code that isn't there");
    if (!is_done(world->create(address)) || !is_done(world->set_balance(address, balance)) ||
        !is_done(world->set_nonce(address, nonce)))
        return false;
    if (code != 0) {
        CodeOf& own = (*codes)[static_cast<size_t>(code) - 1];
        own.is_used = true;
        if (!is_done(world->set_code(address, own.view)))
            return false;
    }
    if (!reader->count_of(LEAST_SLOT_BYTES, &slots))
        return false;
    for (uint64_t i = 0; i < slots; ++i) {
        if (i % POLLED_PIECE == 0 && should_stop(poll))
            return false;
        if (!reader->number(&key))
            return false;
        if (i != 0 && !(before < key))
            return reader->fail("slots that don't ascend");
        before = key;
        if (!reader->number(&value))
            return false;
        if (value.is_zero())
            return reader->fail("a slot that is zero");
        if (!is_done(world->set_slot(address, key, value)))
            return false;
    }
    return true;
}

}  // namespace

bool encode_state(const World& world, Poll* poll, Bytes* out) noexcept {
    Vector<uint32_t> accounts;
    Vector<const Code*> codes;
    SlotTable slots;
    if (!sort_accounts(world, &accounts, poll) || !list_codes(world, accounts, poll, &codes) ||
        !slots.build(world, nullptr, poll) || !out->append(MAGIC, sizeof MAGIC) || !put_count(codes.size(), out))
        return false;
    for (const Code* code : codes)
        if (!put_count(code->size, out) || !out->append(code->bytes(), code->size))
            return false;
    if (!put_count(accounts.size(), out))
        return false;
    size_t cells = 0;
    for (const uint32_t place : accounts) {
        const AccountRecord& record = world.record(place);
        size_t code = 0;
        if (record.code != nullptr)
            code = 1 + static_cast<size_t>(std::lower_bound(codes.begin(), codes.end(), record.code,
                                                            [](const Code* a, const Code* b) { return a->hash < b->hash; }) -
                                           codes.begin());
        const size_t count = slots.count(record);
        if (!out->append(record.address.bytes, 20) || !put_number(record.balance, out) || !put_count(record.nonce, out) ||
            !put_count(code, out) || !put_count(count, out))
            return false;
        for (size_t i = 0; i < count; ++i)
            if (!put_number(slots.slot(record, i).key, out) || !put_number(slots.slot(record, i).value, out))
                return false;
        if ((cells += 1 + count) > POLLED_PIECE) {
            cells = 0;
            if (should_stop(poll))
                return false;
        }
    }
    return true;
}

bool decode_state(ByteView bytes, size_t most_code_bytes, Poll* poll, World* world, DecodedState* result) noexcept {
    FlatReader reader{bytes, result};
    Vector<CodeOf> codes;
    const uint8_t* read;
    uint64_t count;
    Address before{};
    if (!reader.take(sizeof MAGIC, &read))
        return false;
    if (std::memcmp(read, MAGIC, sizeof MAGIC) != 0)
        return reader.fail(std::memcmp(read, MAGIC, 8) == 0 ? "a version of the format that isn't known" : "no state");
    if (!read_codes(&reader, most_code_bytes, poll, &codes) || !reader.count_of(LEAST_ACCOUNT_BYTES, &count))
        return false;
    for (uint64_t i = 0; i < count; ++i) {
        Address address;
        if (i % POLLED_PIECE == 0 && should_stop(poll))
            return false;
        if (!reader.take(20, &read))
            return false;
        std::memcpy(address.bytes, read, 20);
        if (i != 0 && !(before < address))
            return reader.fail("accounts that don't ascend by address");
        before = address;
        if (!read_account(&reader, address, &codes, poll, world))
            return false;
    }
    for (const CodeOf& code : codes)
        if (!code.is_used)
            return reader.fail("a code that no account has");
    return reader.is_at_end() || reader.fail("bytes after its end");
}

}  // namespace evmcore
