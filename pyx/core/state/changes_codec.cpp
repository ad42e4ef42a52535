// Encoding and decoding of changes.
#include "changes_codec.hpp"

#include "../base/polled_sort.hpp"
#include "code_cache.hpp"

namespace evmcore {

namespace {

constexpr uint8_t MAGIC[9] = {'e', 'v', 'm', 'd', 'e', 'l', 't', 'a', 1};

constexpr size_t LEAST_CODE_BYTES = 2;
constexpr size_t LEAST_ACCOUNT_BYTES = 24;  // an address, the bits, and values of three, or a slot
constexpr size_t LEAST_SLOT_BYTES = 3;

bool put_values(const AccountValues& values, uint8_t fields, Bytes* out) noexcept {
    return (!(fields & CHANGE_BALANCE) || put_number(values.balance, out)) &&
           (!(fields & CHANGE_NONCE) || put_count(values.nonce, out)) &&
           (!(fields & CHANGE_CODE) || put_count(values.code, out));
}

constexpr uint8_t ALL_VALUES = CHANGE_BALANCE | CHANGE_NONCE | CHANGE_CODE;

bool read_codes(FlatReader* reader, size_t most_bytes, Poll* poll, StateChanges* changes) noexcept {
    uint64_t count, size;
    if (!reader->count_of(LEAST_CODE_BYTES, &count))
        return false;
    if (count >= UINT32_MAX)
        return reader->fail("more codes than there may be");
    for (uint64_t i = 0; i < count; ++i) {
        ChangedCode each;
        const uint8_t* bytes;
        if (!reader->count(&size))
            return false;
        if (size > most_bytes)
            return reader->fail("a code with more bytes than are taken");
        if (!reader->take(size == 0 ? 32 : static_cast<size_t>(size), &bytes))
            return false;
        if (size == 0)
            std::memcpy(each.hash.bytes, bytes, 32);
        else
            keccak256(bytes, static_cast<size_t>(size), &each.hash);
        if (each.hash == EMPTY_KECCAK)
            return reader->fail("the hash of no code");
        if (i != 0 && !(changes->codes.back().hash < each.hash))
            return reader->fail("codes that don't ascend by hash");
        if (should_stop(poll) || !changes->codes.push_back(each))
            return false;
        if (size != 0) {
            changes->codes.back().code = shared_codes().get({bytes, static_cast<size_t>(size)}, each.hash);
            if (changes->codes.back().code == nullptr)
                return false;
        }
    }
    return true;
}

// `used`: a byte for each code.
bool read_values(FlatReader* reader, uint8_t fields, Bytes* used, AccountValues* values) noexcept {
    uint64_t code = 0;
    if (((fields & CHANGE_BALANCE) && !reader->number(&values->balance)) ||
        ((fields & CHANGE_NONCE) && !reader->count(&values->nonce)) || ((fields & CHANGE_CODE) && !reader->count(&code)))
        return false;
    if (!(fields & CHANGE_CODE))
        return true;
    if (code > used->size())
        return reader->fail("an account with a code that isn't there");
    if (code != 0)
        (*used)[static_cast<size_t>(code) - 1] = 1;
    values->code = static_cast<uint32_t>(code);
    return true;
}

bool read_slots(FlatReader* reader, const AccountChange& change, bool* differs, Poll* poll, StateChanges* changes) noexcept {
    uint64_t count;
    if (!reader->count_of(LEAST_SLOT_BYTES, &count))
        return false;
    if (count == 0 || count > UINT32_MAX)
        return reader->fail("an account with no slots, or with too many, where it says that it has some");
    SlotChange slot;
    for (uint64_t i = 0; i < count; ++i) {
        if (i % POLLED_PIECE == 0 && should_stop(poll))
            return false;
        if (!reader->number(&slot.key))
            return false;
        if (i != 0 && !(changes->slots.back().key < slot.key))
            return reader->fail("slots that don't ascend");
        if (!reader->number(&slot.before) || !reader->number(&slot.after))
            return false;
        if (slot.before == slot.after && (change.storage == StorageFate::KEPT || slot.after.is_zero()))
            return reader->fail("a slot that doesn't change");
        if (!change.after.exists && !slot.after.is_zero())
            return reader->fail("a slot of an account that doesn't exist");
        *differs |= !(slot.before == slot.after);
        if (!changes->slots.push_back(slot))
            return false;
    }
    return true;
}

bool read_account(FlatReader* reader, Bytes* used, Poll* poll, StateChanges* changes) noexcept {
    const uint8_t* read;
    AccountChange change;
    if (!reader->take(21, &read))
        return false;
    std::memcpy(change.address.bytes, read, 20);
    const uint8_t bits = read[20];
    if (!changes->accounts.empty() && !(changes->accounts.back().address < change.address))
        return reader->fail("accounts that don't ascend by address");
    change.before.exists = (bits & CHANGE_EXISTED) != 0;
    change.after.exists = (bits & CHANGE_EXISTS) != 0;
    change.storage = static_cast<StorageFate>((bits / CHANGE_STORAGE) & 3);
    if (change.storage > StorageFate::CLEARED_UNKNOWN)
        return reader->fail("no fate of a storage");
    const bool is_same_life = change.before.exists && change.after.exists;
    const uint8_t fields = bits & ALL_VALUES;
    if (!is_same_life && fields != 0)
        return reader->fail("an account that has values where there is no account");
    if (change.before.exists && !read_values(reader, ALL_VALUES, used, &change.before))
        return false;
    if (is_same_life)
        change.after = change.before;
    if (change.after.exists && !read_values(reader, is_same_life ? fields : ALL_VALUES, used, &change.after))
        return false;
    if (((fields & CHANGE_BALANCE) && change.after.balance == change.before.balance) ||
        ((fields & CHANGE_NONCE) && change.after.nonce == change.before.nonce) ||
        ((fields & CHANGE_CODE) && change.after.code == change.before.code))
        return reader->fail("a value that doesn't change");
    const size_t first = changes->slots.size();
    bool differs = false;
    if ((bits & CHANGE_SLOTS) && !read_slots(reader, change, &differs, poll, changes))
        return false;
    if (change.before == change.after && !differs && change.storage != StorageFate::CLEARED_UNKNOWN)
        return reader->fail("an account that doesn't change");
    change.slot_count = static_cast<uint32_t>(changes->slots.size() - first);
    return changes->accounts.push_back(change);
}

}  // namespace

bool encode_changes(const StateChanges& changes, Poll* poll, Bytes* out) noexcept {
    if (!out->append(MAGIC, sizeof MAGIC) || !put_count(changes.codes.size(), out))
        return false;
    for (const ChangedCode& each : changes.codes) {
        const ByteView bytes = each.code != nullptr ? each.code->view() : ByteView{each.hash.bytes, 32};
        if (should_stop(poll) || !put_count(each.code != nullptr ? bytes.size : 0, out) || !out->append(bytes.data, bytes.size))
            return false;
    }
    if (!put_count(changes.accounts.size(), out))
        return false;
    const SlotChange* slot = changes.slots.begin();
    size_t cells = 0;
    for (const AccountChange& change : changes.accounts) {
        if ((cells += 1 + change.slot_count) > POLLED_PIECE) {
            cells = 0;
            if (should_stop(poll))
                return false;
        }
        const AccountValues &before = change.before, &after = change.after;
        uint8_t fields = 0;
        if (before.exists && after.exists)
            fields = static_cast<uint8_t>((before.balance == after.balance ? 0 : CHANGE_BALANCE) |
                                          (before.nonce == after.nonce ? 0 : CHANGE_NONCE) |
                                          (before.code == after.code ? 0 : CHANGE_CODE));
        const auto bits = static_cast<uint8_t>((before.exists ? CHANGE_EXISTED : 0) | (after.exists ? CHANGE_EXISTS : 0) |
                                               static_cast<uint8_t>(change.storage) * CHANGE_STORAGE | fields |
                                               (change.slot_count != 0 ? CHANGE_SLOTS : 0));
        if (!out->append(change.address.bytes, 20) || !out->push_back(bits) ||
            (before.exists && !put_values(before, ALL_VALUES, out)) ||
            (after.exists && !put_values(after, before.exists ? fields : ALL_VALUES, out)) ||
            (change.slot_count != 0 && !put_count(change.slot_count, out)))
            return false;
        for (uint32_t i = 0; i < change.slot_count; ++i, ++slot)
            if (!put_number(slot->key, out) || !put_number(slot->before, out) || !put_number(slot->after, out))
                return false;
    }
    return true;
}

bool decode_changes(ByteView bytes, size_t most_code_bytes, Poll* poll, StateChanges* changes, DecodedState* result) noexcept {
    FlatReader reader{bytes, result};
    const uint8_t* read;
    Bytes used;
    uint64_t count;
    if (!reader.take(sizeof MAGIC, &read))
        return false;
    if (std::memcmp(read, MAGIC, sizeof MAGIC) != 0)
        return reader.fail(std::memcmp(read, MAGIC, 8) == 0 ? "a version of the format that isn't known" : "no changes");
    if (!read_codes(&reader, most_code_bytes, poll, changes) || !used.resize(changes->codes.size()) ||
        !reader.count_of(LEAST_ACCOUNT_BYTES, &count))
        return false;
    if (count > UINT32_MAX)
        return reader.fail("more accounts than there may be");
    for (uint64_t i = 0; i < count; ++i) {
        if (i % POLLED_PIECE == 0 && should_stop(poll))
            return false;
        if (!read_account(&reader, &used, poll, changes))
            return false;
    }
    for (const uint8_t is_used : used)
        if (!is_used)
            return reader.fail("a code that no account has");
    return reader.is_at_end() || reader.fail("bytes after its end");
}

}  // namespace evmcore
