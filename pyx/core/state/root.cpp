// The Merkle root of the committed state.
#include <algorithm>

#include "../base/polled_sort.hpp"
#include "../base/rlp.hpp"
#include "key_hasher.hpp"
#include "state_root.hpp"

namespace evmcore {

using shared_trie::Change;
using shared_trie::Leaf;
using shared_trie::MissingNode;
using shared_trie::Ref;
using shared_trie::Writer;

// A part takes about as long as this much gas of plain instructions; small states have three in all.
constexpr uint32_t PART_WEIGHT = 1 << 14;

bool StateRoot::make(Hash* out, Poll* poll) noexcept {
    for (int step = KEYS; step != DONE; ++step) {
        const size_t parts = begin(static_cast<Step>(step), poll);
        for (size_t part = 0; part < parts; ++part) {
            if (poll != nullptr && poll->poll(PART_WEIGHT))
                return false;
            run(static_cast<Step>(step), part, poll);
        }
    }
    return root(out, poll);
}

bool World::root(Hash* out, Poll* poll) noexcept {
    missing_node.is_missing = false;
    if (World* base = base_without_trie()) {
        StateRoot below{base};
        below.open(false);
        if (!below.make(out, poll))
            return false;
    }
    StateRoot work{this};
    work.open(true);
    const bool is_made = work.make(out, poll);
    missing_node = work.missing();
    is_missing_in_storage = work.missing_account() != nullptr;
    if (is_missing_in_storage)
        missing_node_account = *work.missing_account();
    return is_made;
}

// ------------------------------------------------------------------------------------ what there is to do

void StateRoot::open(bool is_alone) noexcept {
    is_known_ = world_->kept_.current(&trie_);
    if (is_known_)
        return;
    // With checkpoints the trie as it is may be wanted again.
    KeptTrie::Opened opened = world_->kept_.open(is_alone && !world_->has_checkpoints(), &trie_,
                                                 [&](const ChangedCells& changed) { note(list_changes(changed)); });
    is_open_ = opened.is_ours;
    if (!opened.is_kept && !opened.is_lost && world_->is_layered()) {
        ChangedCells changed;
        opened.is_kept = world_->derive_trie(&trie_, &changed);
        if (opened.is_kept)
            note(list_changes(changed));
        else
            trie_.reset();
    }
    is_whole_ = !opened.is_kept || has_left_out_;
    if (has_left_out_) {
        trie_.reset();
        accounts_.clear();
        changed_slots_.clear();
    }
    note(!opened.is_lost);
}

void StateRoot::close() noexcept {
    if (is_open_)
        world_->kept_.close(0, nullptr, left_out_);
    is_open_ = false;
}

size_t StateRoot::work() const noexcept {
    if (is_known_ || has_failed_)
        return 0;
    return is_whole_ ? world_->account_count() + world_->slot_places() / 2 : accounts_.size() + changed_slots_.size();
}

size_t StateRoot::begin(Step step, Poll* poll) noexcept {
    if (is_known_)
        return 0;
    if (!has_failed_) {
        switch (step) {
        case KEYS: note(!is_whole_ || list_accounts()); break;
        case WAYS: note(list_left_out() && (is_whole_ ? order_all_slots() : order_slots(poll)) && list_ways(poll)); break;
        case STORAGE: note(join_ways() && part_storage()); break;
        default: note(fill_shelves());
        }
    }
    if (has_failed_)
        return 0;
    switch (step) {
    case KEYS: return slots_.size() + (accounts_.size() + ACCOUNTS_A_PART - 1) / ACCOUNTS_A_PART;
    case WAYS: return ways_.empty() ? 0 : are_ways_split_ ? shared_trie::CHILDREN : 1;
    case STORAGE: return storage_parts_.size();
    default: return is_split_ ? shared_trie::CHILDREN : 1;
    }
}

void StateRoot::run(Step step, size_t part, Poll* poll) noexcept {
    if (step == KEYS) {
        if (part < slots_.size())
            note(hash_slots(part));
        else
            hash_addresses(part - slots_.size());
    } else if (step == WAYS) {
        note(expand(part, poll));
    } else if (step == STORAGE) {
        note(make_storage(part, poll));
    } else {
        note(make_shelf(part, poll));
    }
}

bool StateRoot::is_left_out(const AccountRecord* record) const noexcept {
    return record != nullptr && !record->exists && record->slot_count != 0 && !world_->kept_.is_partial();
}

bool StateRoot::list_accounts() noexcept {
    if (!slots_.resize((world_->slot_places() + PLACES_A_PART - 1) / PLACES_A_PART) ||
        !accounts_.reserve(world_->live_account_count()))
        return false;
    for (size_t i = 0; i < world_->account_count(); ++i) {
        const AccountRecord& record = world_->record(i);
        if (is_left_out(&record) && !left_out_.push_back(record.address))
            return false;
        if (!record.exists)
            continue;
        Account* account = accounts_.add();
        if (account == nullptr)
            return false;
        account->record = &record;
        account->address = record.address;
        account->base = record.storage_id;
    }
    return true;
}

bool StateRoot::list_changes(const ChangedCells& changed) noexcept {
    if (!accounts_.reserve(changed.accounts.size()) || !changed_slots_.reserve(changed.slots.size()))
        return false;
    changed.accounts.for_each([&](const Address& address, const uint32_t& base) {
        Account* account = accounts_.add();  // there is room
        account->address = address;
        account->base = base;
        if (base != ChangedCells::LEFT_OUT)
            return;
        const AccountRecord* record = world_->find(address);
        // Its slots are somewhere among all others.
        has_left_out_ |= record != nullptr && record->exists && record->slot_count != 0;
    });
    changed.slots.for_each([&](const SlotKey& key, const uint8_t&) { (void)changed_slots_.push_back(key); });
    return has_left_out_ || slots_.resize((changed_slots_.size() + CHANGED_SLOTS_A_PART - 1) / CHANGED_SLOTS_A_PART);
}

bool StateRoot::hash_slots(size_t part) noexcept {
    Vector<Slot>& slots = slots_[part];
    Vector<Hash> plain;
    bool is_ok = true;
    const auto add = [&](const SlotKey& key, bool is_known, const u256& value) {
        Hash* place = is_ok ? plain.add() : nullptr;
        is_ok = place != nullptr && slots.push_back({key.account, is_known, {}, value});
        if (is_ok)
            to_big_endian(key.slot, place->bytes);
    };
    if (is_whole_) {
        world_->for_each_slot_in(part * PLACES_A_PART, (part + 1) * PLACES_A_PART, [&](const SlotKey& key, const u256& value) {
            if (!value.is_zero())
                add(key, true, value);
        });
    } else {
        const size_t end = std::min((part + 1) * CHANGED_SLOTS_A_PART, changed_slots_.size());
        for (size_t i = part * CHANGED_SLOTS_A_PART; i < end; ++i) {
            const StoredSlot* stored = world_->stored(changed_slots_[i]);
            add(changed_slots_[i], stored != nullptr, stored != nullptr ? stored->value : u256{});
        }
    }
    if (!is_ok)
        return false;
    KeyHasher hasher{32};
    for (size_t i = 0; i < slots.size(); ++i)
        hasher.add(plain[i].bytes, &slots[i].key);
    return true;  // after the hasher's last ones, which its end hashes
}

void StateRoot::hash_addresses(size_t part) noexcept {
    KeyHasher hasher{20};
    const size_t begin = part * ACCOUNTS_A_PART, end = std::min(begin + ACCOUNTS_A_PART, accounts_.size());
    for (size_t i = begin; i < end; ++i)
        hasher.add(accounts_[i].address.bytes, &accounts_[i].key);
    if (!is_whole_)
        find_records(begin, end);
}

// Memory is asked for ahead of each look: of large states it lies outside the caches.
void StateRoot::find_records(size_t begin, size_t end) noexcept {
    static constexpr size_t AHEAD = 8;
    for (size_t i = begin; i < end; ++i) {
        if (i + AHEAD < end)
            world_->prefetch(accounts_[i + AHEAD].address);
        accounts_[i].record = world_->find(accounts_[i].address);
        if (accounts_[i].record != nullptr)
            __builtin_prefetch(accounts_[i].record);
    }
    for (size_t i = begin; i < end; ++i)
        accounts_[i].is_left_out = is_left_out(accounts_[i].record);
}

bool StateRoot::list_left_out() noexcept {
    for (size_t i = 0; i < accounts_.size(); ++i)
        if (accounts_[i].is_left_out && !left_out_.push_back(accounts_[i].address))
            return false;
    return true;
}

// ------------------------------------------------------------------------------------ storage

bool StateRoot::order_all_slots() noexcept {
    Vector<size_t> next;
    if (!begins_.fill(size_t{world_->storage_ids()} + 1, 0))
        return false;
    for (const Vector<Slot>& part : slots_)
        for (const Slot& slot : part)
            ++begins_[slot.storage_id + 1];
    for (size_t id = 1; id < begins_.size(); ++id)
        begins_[id] += begins_[id - 1];
    if (!next.assign(begins_) || !slots_in_order_.resize(begins_.back()))
        return false;
    for (const Vector<Slot>& part : slots_)
        for (const Slot& slot : part)
            slots_in_order_[next[slot.storage_id]++] = &slot;
    return true;
}

bool StateRoot::order_slots(Poll* poll) noexcept {
    if (!slots_in_order_.reserve(changed_slots_.size()))
        return false;
    for (const Vector<Slot>& part : slots_)
        for (const Slot& slot : part)
            (void)slots_in_order_.push_back(&slot);  // there is room
    const auto is_before = [](const Slot* a, const Slot* b) {
        return a->storage_id != b->storage_id ? a->storage_id < b->storage_id : a->key < b->key;
    };
    return sort_polled(slots_in_order_.begin(), slots_in_order_.size(), is_before, poll);
}

StateRoot::SlotRange StateRoot::slots_of(const AccountRecord& record) noexcept {
    const uint32_t id = record.storage_id;
    if (!is_whole_) {
        const Slot** first = std::lower_bound(slots_in_order_.begin(), slots_in_order_.end(), id,
                                              [](const Slot* slot, uint32_t wanted) { return slot->storage_id < wanted; });
        const Slot** last = first;
        while (last != slots_in_order_.end() && (*last)->storage_id == id)
            ++last;
        return {first, last};
    }
    const Slot** first = slots_in_order_.data() + begins_[id];
    const Slot** last = slots_in_order_.data() + begins_[id + 1];
    return {first, last};
}

bool StateRoot::part_storage() noexcept {
    size_t room = 0;
    for (size_t i = 0; i < accounts_.size(); ++i) {
        const AccountRecord* record = accounts_[i].record;
        // Of what changed a part is mostly accounts whose slots are few.
        const size_t work = 1 + (is_whole_ && record != nullptr ? record->slot_count : 0);
        if (room < work) {
            if (!storage_parts_.push_back(i))
                return false;
            room = SLOTS_A_PART;
        }
        room -= work < room ? work : room;
    }
    return values_.resize(storage_parts_.size());
}

void StateRoot::read_from_source(Writer* writer, const Hash* account) const noexcept {
    if (world_->local() != nullptr)
        writer->read_from(world_->local()->nodes(), account);
}

const Leaf* StateRoot::leaf_of(const Account& account) noexcept {
    MissingNode missing;
    const Leaf* leaf = is_whole_ ? nullptr : shared_trie::find(trie_.get(), account.key, &missing);
    if (missing.is_missing)
        note_missing(missing, nullptr);
    return leaf;
}

bool StateRoot::update_storage(Account* account, const Leaf* leaf, Writer* writer, Poll* poll) noexcept {
    const AccountRecord& record = *account->record;
    const bool is_same = account->base == record.storage_id;  // not wiped since
    Ref before = is_same && leaf != nullptr ? Ref::share(leaf->storage()) : Ref{};
    const SlotRange slots = slots_of(record);
    const auto is_before = [](const Slot* a, const Slot* b) { return a->key < b->key; };
    if (is_whole_ && !sort_polled(slots.first, static_cast<size_t>(slots.last - slots.first), is_before, poll))
        return false;
    Vector<Change> changes;
    Bytes bytes;
    const auto count = static_cast<size_t>(slots.last - slots.first);
    if (!changes.reserve(count) || !bytes.reserve(33 * count))
        return false;
    for (const Slot** slot = slots.first; slot != slots.last; ++slot) {
        if (changes.size() % POLLED_PIECE == POLLED_PIECE - 1 && should_stop(poll))
            return false;
        if (!(*slot)->is_known && world_->absent_slot(&record) != Status::RUNNING)
            continue;  // as it is in the trie
        const size_t begin = bytes.size();
        if (!(*slot)->value.is_zero()) {
            RlpWriter number{&bytes};
            number.number((*slot)->value);  // there is room
        }
        (void)changes.push_back({(*slot)->key, {bytes.data() + begin, bytes.size() - begin}});
    }
    read_from_source(writer, &account->key);
    account->storage = writer->update(std::move(before), changes.begin(), changes.end());
    if (writer->missing.is_missing)
        note_missing(writer->missing, &account->key);
    return !writer->failed();
}

bool StateRoot::make_storage(size_t part, Poll* poll) noexcept {
    const size_t begin = storage_parts_[part];
    const size_t end = part + 1 < storage_parts_.size() ? storage_parts_[part + 1] : accounts_.size();
    const bool is_partial = world_->kept_.is_partial();
    Vector<const Leaf*> leaves;
    Vector<Ref> fresh;
    Writer writer{poll};
    trie_node::Hasher hasher;
    if (is_whole_)
        writer.hash_leaves(&hasher);
    if (!leaves.resize(end - begin) || !fresh.reserve(end - begin))
        return false;
    for (size_t i = begin; i < end; ++i) {
        Account* account = &accounts_[i];
        const AccountRecord* record = account->record;
        if (is_partial && (record == nullptr || !World::knows(*record, KNOWS_EXISTENCE))) {
            account->is_unchanged = true;
            continue;
        }
        if (record == nullptr || !record->exists || (record->slot_count == 0 && !is_partial))
            continue;
        const Leaf* leaf = leaves[i - begin] = leaf_of(*account);
        if (has_failed_.load(std::memory_order_relaxed) || !update_storage(account, leaf, &writer, poll))
            return false;
        (void)fresh.push_back(account->storage.share());  // there is room
    }
    hasher.flush();
    if (!hasher.ok() || !shared_trie::hash_fresh(fresh.begin(), fresh.size(), poll))
        return false;
    for (size_t i = begin; i < end; ++i)
        if (accounts_[i].record != nullptr && accounts_[i].record->exists && !accounts_[i].is_unchanged) {
            accounts_[i].value_part = static_cast<uint32_t>(part);
            if (!encode_account(&accounts_[i], leaves[i - begin], &values_[part]))
                return false;
        }
    return true;
}

bool StateRoot::encode_account(Account* account, const Leaf* leaf, Bytes* values) noexcept {
    const AccountRecord& record = *account->record;
    account->value_begin = values->size();
    StoredAccount stored{record.nonce, record.balance, shared_trie::root_hash(account->storage.get()), hash_of(record.code)};
    if (leaf != nullptr && world_->kept_.is_partial() && !World::knows(record, KNOWS_ACCOUNT)) {
        Bytes value;
        StoredAccount told;
        if (!shared_trie::value_of(leaf, &value) || !told.decode({value.data(), value.size()}))
            return false;
        stored.nonce = World::knows(record, KNOWS_NONCE) ? stored.nonce : told.nonce;
        stored.balance = World::knows(record, KNOWS_BALANCE) ? stored.balance : told.balance;
        stored.code_hash = World::knows(record, KNOWS_CODE) ? stored.code_hash : told.code_hash;
    }
    uint8_t encoded[StoredAccount::BYTES_MOST];
    account->value_size = static_cast<uint32_t>(stored.encode(encoded));
    return values->append(encoded, account->value_size);
}

size_t StoredAccount::encode(uint8_t out[BYTES_MOST]) const noexcept {
    uint8_t digits[8 + 32];
    u64_to_bytes(nonce, digits);
    u256_to_bytes(balance, digits + 8);
    const size_t nonce_size = byte_length(nonce), balance_size = byte_length(balance);
    const uint8_t* const nonce_digits = digits + 8 - nonce_size;
    const uint8_t* const balance_digits = digits + 40 - balance_size;
    uint8_t* end = rlp_put_header(out, 0xc0,
                                  rlp_string_size(nonce_digits, nonce_size) + rlp_string_size(balance_digits, balance_size) +
                                      rlp_string_size(storage_root.bytes, 32) + rlp_string_size(code_hash.bytes, 32));
    end = rlp_put_string(end, nonce_digits, nonce_size);
    end = rlp_put_string(end, balance_digits, balance_size);
    end = rlp_put_string(end, storage_root.bytes, 32);
    end = rlp_put_string(end, code_hash.bytes, 32);
    return static_cast<size_t>(end - out);
}

bool StoredAccount::decode(ByteView value) noexcept {
    RlpReader fields;
    return open_rlp_list(value, &fields) == Status::SUCCESS && fields.next_u64(&nonce) == Status::SUCCESS &&
           fields.next_u256(&balance) == Status::SUCCESS && fields.next_fixed(storage_root.bytes, 32) == Status::SUCCESS &&
           fields.next_fixed(code_hash.bytes, 32) == Status::SUCCESS && fields.finish() == Status::SUCCESS;
}

}  // namespace evmcore
