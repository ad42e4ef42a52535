// The Merkle root of the committed state.
#include <algorithm>

#include "../base/polled_sort.hpp"
#include "../base/rlp.hpp"
#include "state_root.hpp"

namespace evmcore {

namespace {

// Hashes messages of one size, four side by side; each must stay where it is until the end.
class KeyHasher {
public:
    explicit KeyHasher(size_t size) noexcept : size_{size} {}
    ~KeyHasher() {
        for (unsigned i = 0; i < count_; ++i)
            keccak256(data_[i], size_, out_[i]);
    }
    void add(const uint8_t* data, Hash* out) noexcept {
        data_[count_] = data;
        out_[count_] = out;
        if (++count_ == 4) {
            const size_t sizes[4] = {size_, size_, size_, size_};
            keccak256_x4(data_, sizes, out_);
            count_ = 0;
        }
    }

private:
    size_t size_;
    unsigned count_ = 0;
    const uint8_t* data_[4];
    Hash* out_[4];
};

}  // namespace

// A part takes about as long as this much gas of plain instructions; small states have three in all.
constexpr uint32_t PART_WEIGHT = 1 << 14;

bool World::root(Hash* out, Poll* poll) const noexcept {
    StateRoot work{this};
    for (int step = StateRoot::KEYS; step != StateRoot::DONE; ++step) {
        const size_t parts = work.begin(static_cast<StateRoot::Step>(step));
        for (size_t part = 0; part < parts; ++part) {
            if (poll != nullptr && poll->poll(PART_WEIGHT))
                return false;
            work.run(static_cast<StateRoot::Step>(step), part, poll);
        }
    }
    return work.root(out) && (poll == nullptr || !poll->abort.load(std::memory_order_relaxed));
}

size_t StateRoot::begin(Step step) noexcept {
    const size_t record_count = world_->account_count();
    if (step == KEYS) {
        note(slots_.resize((world_->slot_places() + PLACES_A_PART - 1) / PLACES_A_PART) &&
             address_hashes_.resize(record_count));
    } else if (!is_out_of_memory_) {
        note(step == STORAGE ? sort_slots() && part_storage() : fill_shelves());
    }
    if (is_out_of_memory_)
        return 0;
    switch (step) {
    case KEYS: return slots_.size() + (record_count + RECORDS_A_PART - 1) / RECORDS_A_PART;
    case STORAGE: return storage_parts_.size();
    default: return trie_node::CHILDREN;
    }
}

bool StateRoot::sort_slots() noexcept {
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

bool StateRoot::part_storage() noexcept {
    const size_t record_count = world_->account_count();
    if (!encoded_.resize(record_count))
        return false;
    size_t room = 0;
    for (size_t i = 0; i < record_count; ++i) {
        const size_t work = 1 + world_->record(i).slot_count;
        if (room < work) {
            if (!storage_parts_.push_back(i))
                return false;
            room = SLOTS_A_PART;
        }
        room -= work < room ? work : room;
    }
    return true;
}

bool StateRoot::fill_shelves() noexcept {
    for (size_t i = 0; i < world_->account_count(); ++i)
        if (world_->record(i).exists && !shelves_[address_hashes_[i].bytes[0] >> 4].records.push_back(static_cast<uint32_t>(i)))
            return false;
    return true;
}

void StateRoot::run(Step step, size_t part, Poll* poll) noexcept {
    if (step == KEYS) {
        if (part < slots_.size())
            note(hash_slots(part));
        else
            hash_addresses(part - slots_.size());
    } else if (step == STORAGE) {
        note(hash_storage(part, poll));
    } else if (!shelves_[part].records.empty()) {
        note(hash_shelf(&shelves_[part], poll));
    }
}

bool StateRoot::hash_slots(size_t part) noexcept {
    Vector<Slot>& slots = slots_[part];
    bool is_ok = true;
    world_->for_each_slot_in(part * PLACES_A_PART, (part + 1) * PLACES_A_PART, [&](const SlotKey& key, const u256& value) {
        if (value.is_zero())
            return;
        Slot slot{key.account, {}, value};
        to_big_endian(key.slot, slot.key.bytes);
        is_ok = is_ok && slots.push_back(slot);
    });
    Vector<Hash> plain;
    if (!is_ok || !plain.resize(slots.size()))
        return false;
    KeyHasher hasher{32};
    for (size_t i = 0; i < slots.size(); ++i) {
        plain[i] = slots[i].key;
        hasher.add(plain[i].bytes, &slots[i].key);
    }
    return true;
}

void StateRoot::hash_addresses(size_t part) noexcept {
    KeyHasher hasher{20};
    const size_t end = std::min((part + 1) * RECORDS_A_PART, world_->account_count());
    for (size_t i = part * RECORDS_A_PART; i < end; ++i)
        if (world_->record(i).exists)
            hasher.add(world_->record(i).address.bytes, &address_hashes_[i]);
}

bool StateRoot::hash_storage(size_t part, Poll* poll) noexcept {
    const size_t end = part + 1 < storage_parts_.size() ? storage_parts_[part + 1] : world_->account_count();
    Bytes bytes;
    Vector<size_t> ends;
    Vector<ByteView> views;
    Vector<Hash> keys;
    for (size_t i = storage_parts_[part]; i < end; ++i) {
        const AccountRecord& record = world_->record(i);
        if (!record.exists)
            continue;
        Hash storage_root = EMPTY_TRIE_ROOT;
        if (record.slot_count != 0) {
            const Slot** first = slots_in_order_.data() + begins_[record.storage_id];
            const Slot** last = slots_in_order_.data() + begins_[record.storage_id + 1];
            const auto is_before = [](const Slot* a, const Slot* b) { return a->key < b->key; };
            if (!sort_polled(first, static_cast<size_t>(last - first), is_before, poll))
                return false;
            bytes.clear(), ends.clear(), views.clear(), keys.clear();
            RlpWriter writer{&bytes};
            for (const Slot** slot = first; slot != last; ++slot) {
                if (keys.size() % POLLED_PIECE == POLLED_PIECE - 1 && should_stop(poll))
                    return false;
                writer.number((*slot)->value);
                if (!keys.push_back((*slot)->key) || !ends.push_back(bytes.size()))
                    return false;
            }
            if (!writer.ok())
                return false;
            size_t begin = 0;  // views are made when all are there, since the buffer moves
            for (const size_t value_end : ends) {
                if (!views.push_back({bytes.data() + begin, value_end - begin}))
                    return false;
                begin = value_end;
            }
            if (!trie_root_of_sorted(keys.data(), views.data(), keys.size(), &storage_root, poll))
                return false;
        }
        if (!encode_account(i, storage_root))
            return false;
    }
    return true;
}

bool StateRoot::encode_account(size_t i, const Hash& storage_root) noexcept {
    const AccountRecord& record = world_->record(i);
    RlpWriter writer{&encoded_[i]};
    const size_t list = writer.begin_list();
    writer.number(record.nonce);
    writer.number(record.balance);
    writer.fixed(storage_root);
    writer.fixed(hash_of(record.code));
    writer.end_list(list);
    return writer.ok();
}

bool StateRoot::hash_shelf(Shelf* shelf, Poll* poll) noexcept {
    Vector<Hash> keys;
    Vector<ByteView> values;
    return sort_shelf(shelf, &keys, &values) &&
           trie_reference_of_sorted(keys.data(), values.data(), keys.size(), 1, &shelf->reference, poll);
}

bool StateRoot::sort_shelf(Shelf* shelf, Vector<Hash>* keys, Vector<ByteView>* values) noexcept {
    if (!keys->reserve(shelf->records.size()) || !values->reserve(shelf->records.size()))
        return false;
    std::sort(shelf->records.begin(), shelf->records.end(),
              [&](uint32_t a, uint32_t b) { return address_hashes_[a] < address_hashes_[b]; });
    for (const uint32_t i : shelf->records) {
        if (!keys->push_back(address_hashes_[i]) || !values->push_back({encoded_[i].data(), encoded_[i].size()}))
            return false;
    }
    return true;
}

bool StateRoot::root(Hash* out) noexcept {
    if (is_out_of_memory_)
        return false;
    trie_node::Reference children[trie_node::CHILDREN];
    size_t filled = 0;
    Shelf* last = nullptr;
    for (size_t i = 0; i < trie_node::CHILDREN; ++i)
        if (!shelves_[i].records.empty()) {
            ++filled;
            last = &shelves_[i];
            children[i] = shelves_[i].reference;
        }
    if (filled > 1) {
        *out = trie_root_of_children(children);
        return true;
    }
    // The root is no branch at the first nibble: the few accounts there are once more, from the beginning.
    Vector<Hash> keys;
    Vector<ByteView> values;
    return (last == nullptr || sort_shelf(last, &keys, &values)) &&
           trie_root_of_sorted(keys.data(), values.data(), keys.size(), out);
}

}  // namespace evmcore
