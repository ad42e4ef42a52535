// Putting rows into tries.
#include "cell_rows.hpp"

#include <algorithm>

#include "../base/polled_sort.hpp"
#include "../base/rlp.hpp"
#include "key_hasher.hpp"
#include "state_root.hpp"

namespace evmcore {

using namespace shared_trie;

namespace {

// A slot's value as its leaf has it; none for zero.
size_t encode_slot(const uint8_t value[32], uint8_t out[33]) noexcept {
    size_t zeros = 0;
    while (zeros < 32 && value[zeros] == 0)
        ++zeros;
    return zeros == 32 ? 0 : static_cast<size_t>(rlp_put_string(out, value + zeros, 32 - zeros) - out);
}

size_t leaves_of(const Node* node) noexcept {
    if (node == nullptr)
        return 0;
    if (node->kind == NodeKind::LEAF)
        return 1;
    if (node->kind == NodeKind::EXTENSION)
        return leaves_of(as_extension(node)->child);
    if (node->kind == NodeKind::UNKNOWN)
        return SIZE_MAX / 32;  // more than any rows
    size_t count = 0;
    for (unsigned i = 0; i < as_branch(node)->count(); ++i)
        count += leaves_of(as_branch(node)->children()[i]);
    return count;
}

bool is_value(const Leaf* leaf, ByteView value) noexcept {
    Bytes own;
    return value_of(leaf, &own) && own.size() == value.size && std::memcmp(own.data(), value.data, value.size) == 0;
}

}  // namespace

bool CellRows::open(const AccountCells* accounts, size_t account_count, const SlotCells* slots, size_t slot_count) noexcept {
    if (!accounts_.reserve(account_count) || !slots_.reserve(slot_count))
        return false;
    size_t at = 0;
    for (size_t i = 0; i < account_count; ++i) {
        Account account{{}, accounts + i, at, 0};
        for (; at < slot_count && slots[at].account == i; ++at)
            (void)slots_.push_back({{}, slots + at});  // there is room
        account.slot_count = at - account.first_slot;
        (void)accounts_.push_back(account);
    }
    {
        KeyHasher addresses{20};
        KeyHasher keys{32};
        for (size_t i = 0; i < accounts_.size(); ++i)
            addresses.add(accounts_[i].row->address, &accounts_[i].key);
        for (size_t i = 0; i < slots_.size(); ++i) {
            keys.add(slots_[i].row->key, &slots_[i].key);
            if (poll_ != nullptr && poll_->poll(64))
                return false;
        }
    }
    for (const Account& account : accounts_) {
        Slot* const first = slots_.begin() + account.first_slot;
        if (!sort_polled(first, account.slot_count, [](const Slot& a, const Slot& b) { return a.key < b.key; }, poll_))
            return false;
        for (size_t k = 1; k < account.slot_count; ++k)
            if (first[k - 1].key == first[k].key)
                fault = "two rows of one slot";
    }
    if (at != slot_count)
        fault = "a slot of no account, or out of order";
    if (!sort_polled(
            accounts_.begin(), accounts_.size(), [](const Account& a, const Account& b) { return a.key < b.key; }, poll_))
        return false;
    for (size_t i = 1; i < accounts_.size(); ++i)
        if (accounts_[i - 1].key == accounts_[i].key)
            fault = "two rows of one account";
    return fault == nullptr;
}

void CellRows::note(const MissingNode& node, const Hash* in) noexcept {
    missing = node;
    is_in_storage = in != nullptr;
    if (in != nullptr)
        account = *in;
}

bool CellRows::expand(const Ref& before, const NodeSource& source, Ref* known) noexcept {
    Vector<Way> ways;
    Vector<Hash> slots;
    if (!ways.reserve(accounts_.size()) || !slots.reserve(slots_.size()))
        return false;
    for (const Account& account : accounts_) {
        Way way{account.key};
        if (account.row->exists != 0 && account.row->storage == 0) {
            way.slots = slots.end();
            way.slot_count = account.slot_count;
            for (size_t i = 0; i < account.slot_count; ++i)
                (void)slots.push_back(slots_[account.first_slot + i].key);  // there is room
        }
        (void)ways.push_back(way);
    }
    Writer writer{poll_};
    writer.read_from(source, nullptr);
    *known = writer.expand(before.share(), ways.begin(), ways.end());
    if (writer.missing.is_missing)
        note(writer.missing, writer.missing_account);
    return !writer.failed();
}

bool CellRows::make_storage(const Account& cells, const Leaf* leaf, const NodeSource& source, Ref* out) noexcept {
    const bool is_kept = leaf != nullptr && cells.row->storage == 0;
    Ref before = is_kept ? Ref::share(leaf->storage()) : Ref{};
    Vector<Change> changes;
    Bytes values;
    if (!changes.reserve(cells.slot_count) || !values.reserve(33 * cells.slot_count))
        return false;
    for (size_t i = 0; i < cells.slot_count; ++i) {
        const Slot& slot = slots_[cells.first_slot + i];
        uint8_t value[33];
        const size_t size = encode_slot(slot.row->after, value);
        const size_t begin = values.size();
        (void)values.append(value, size);  // there is room
        (void)changes.push_back({slot.key, {values.data() + begin, size}});
    }
    Writer writer{poll_};
    writer.read_from(source, &cells.key);
    *out = writer.update(std::move(before), changes.begin(), changes.end());
    if (writer.missing.is_missing)
        note(writer.missing, &cells.key);
    return !writer.failed();
}

bool CellRows::encode(const AccountCells& row, const Ref& storage, Bytes* out) noexcept {
    StoredAccount stored{row.nonce_after, u256_from_bytes(row.balance_after, 32), root_hash(storage.get()), {}};
    std::memcpy(stored.code_hash.bytes, row.code_hash_after, 32);
    uint8_t encoded[StoredAccount::BYTES_MOST];
    return out->append(encoded, stored.encode(encoded));
}

bool CellRows::apply(const Ref& before, const NodeSource& source, Ref* known, Ref* after) noexcept {
    Vector<Ref> storages;
    Vector<size_t> begins;
    Vector<Change> changes;
    Bytes values;
    if (!expand(before, source, known) || !storages.resize(accounts_.size()) || !begins.resize(accounts_.size() + 1) ||
        !changes.reserve(accounts_.size()))
        return false;
    for (size_t i = 0; i < accounts_.size(); ++i) {
        MissingNode none;
        if (accounts_[i].row->exists != 0 &&
            !make_storage(accounts_[i], shared_trie::find(known->get(), accounts_[i].key, &none), source, &storages[i]))
            return false;
    }
    if (!hash_fresh(storages.begin(), storages.size(), poll_))
        return false;
    for (size_t i = 0; i < accounts_.size(); ++i) {
        begins[i] = values.size();
        if (accounts_[i].row->exists != 0 && !encode(*accounts_[i].row, storages[i], &values))
            return false;
    }
    begins[accounts_.size()] = values.size();
    for (size_t i = 0; i < accounts_.size(); ++i)  // there is room
        (void)changes.push_back({accounts_[i].key, {values.data() + begins[i], begins[i + 1] - begins[i]}, storages[i].get()});
    Writer writer{poll_};
    writer.read_from(source, nullptr);
    *after = writer.update(known->share(), changes.begin(), changes.end());
    if (writer.missing.is_missing)
        note(writer.missing, nullptr);
    return !writer.failed() && hash_fresh(after, 1, poll_);
}

const char* CellRows::check_account(const Account& cells, const Leaf* before, const Leaf* after, bool is_before_known,
                                    size_t changed_slots) noexcept {
    if (cells.row->exists == 0) {
        for (size_t i = 0; i < cells.slot_count; ++i)
            if (uint8_t value[33]; encode_slot(slots_[cells.first_slot + i].row->after, value) != 0)
                return "a slot of an account that is to be gone has a value";
        return after != nullptr ? "an account that is to be gone is there" : nullptr;
    }
    if (after == nullptr)
        return "an account isn't there";
    Bytes value;
    if (!encode(*cells.row, Ref::share(after->storage()), &value)) {
        failed = true;
        return nullptr;
    }
    if (!is_value(after, value))
        return "an account has other values";
    const bool is_wiped = cells.row->storage != 0;
    size_t changed = 0;
    size_t there = 0;
    for (size_t i = 0; i < cells.slot_count; ++i) {
        const Slot& slot = slots_[cells.first_slot + i];
        MissingNode none;
        const Leaf* leaf = shared_trie::find(after->storage(), slot.key, &none);
        uint8_t wanted[33];
        const size_t size = encode_slot(slot.row->after, wanted);
        if (none.is_missing || (size == 0 ? leaf != nullptr : leaf == nullptr || !is_value(leaf, {wanted, size})))
            return "a slot has another value";
        there += leaf != nullptr;
        MissingNode unknown;
        const Leaf* old = before != nullptr ? shared_trie::find(before->storage(), slot.key, &unknown) : nullptr;
        if (!is_before_known || unknown.is_missing)  // what the rows say then decides nothing but the count
            changed += std::memcmp(slot.row->before, slot.row->after, 32) != 0;
        else
            changed += (old == nullptr) != (leaf == nullptr) || (old != nullptr && !is_value(old, {wanted, size}));
    }
    if (is_wiped ? there != leaves_of(after->storage()) : changed != changed_slots)
        return "another slot has changed, too";
    return nullptr;
}

const char* CellRows::check(const Node* before, const Node* after, const TrieDifference& difference) noexcept {
    const TrieDifference::Storage* next = difference.accounts.begin();
    for (const Account& cells : accounts_) {
        account = cells.key;
        if (next != difference.accounts.end() && next->account < cells.key) {
            account = next->account;
            return "another account has changed, too";
        }
        const bool is_changed = next != difference.accounts.end() && next->account == cells.key;
        const size_t changed_slots = is_changed ? next->changed_slots : 0;
        next += is_changed;
        MissingNode none;
        MissingNode unknown;
        const Leaf* now = shared_trie::find(after, cells.key, &none);
        const Leaf* old = shared_trie::find(before, cells.key, &unknown);
        if (none.is_missing)
            return "an account isn't known";
        if (const char* wrong = check_account(cells, old, now, !unknown.is_missing, changed_slots))
            return wrong;
    }
    if (next == difference.accounts.end())
        return nullptr;
    account = next->account;
    return "another account has changed, too";
}

}  // namespace evmcore
