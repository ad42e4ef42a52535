// Worlds in layers: a fork is an empty layer over a world that is frozen from then on.
// A lookup goes through the layers, so they stay few: a layer that is not much smaller than its base is merged with it before another
// one is put on top, which costs a constant times what was written to it; the result is kept, for all forks.
#include <new>

#include "world.hpp"

namespace evmcore {

namespace {

// A layer over others has so many times less than its base; the lowest one grows until it has as much.
constexpr size_t LAYER_RATIO = 4;

}  // namespace

const AccountRecord& World::record_in_layers(uint32_t place) const noexcept {
    const World* layer = this;
    while (place < layer->first_place_) {
        if (const uint32_t* own = layer->changed_index_.find(place))
            return layer->changed_[*own];
        layer = layer->base_.get();
    }
    return layer->records_[place - layer->first_place_];
}

const Code* World::find_code(const Hash& hash) const noexcept {
    for (const World* layer = this; layer != nullptr; layer = layer->base_.get())
        if (const KeptCode* kept = layer->codes_.find(hash))
            return kept->code;
    return nullptr;
}

AccountRecord* World::own_record(uint32_t place) noexcept {
    if (place >= first_place_)
        return &records_[place - first_place_];
    bool inserted;
    uint32_t* own = changed_index_.insert_or_find(place, &inserted);
    if (own == nullptr)
        return nullptr;
    if (inserted) {
        if (!changed_.push_back(base_->record(place))) {
            changed_index_.erase(place);
            return nullptr;
        }
        *own = static_cast<uint32_t>(changed_.size() - 1);
        changed_.back().saved_in = 0;  // an epoch of the base's
    }
    return &changed_[*own];
}

World* World::fork(const std::shared_ptr<World>& world, Share share) noexcept {
    if (world->has_checkpoints())
        return world->clone(true);
    if (world->is_small())
        return world->clone();
    auto* fork = new (std::nothrow) World(world->is_strict_);
    if (fork == nullptr)
        return nullptr;
    fork->local_ = world->local_;
    fork->base_ = world->settled(world, share);
    const World& base = *fork->base_;
    fork->first_place_ = static_cast<uint32_t>(base.account_count());
    fork->base_slots_ = base.slot_count();
    fork->next_storage_id_ = base.next_storage_id_;
    fork->live_accounts_ = base.live_accounts_;
    fork->live_slots_ = base.live_slots_;
    fork->kept_cells_ = base.spare_cells();
    if (base.kept_.is_partial() && !fork->kept_.copy_from(base.kept_, false)) {
        delete fork;
        return nullptr;
    }
    return fork;
}

bool World::is_due() const noexcept { return own_cells() * (base_->is_layered() ? LAYER_RATIO : 1) > base_->own_cells(); }

std::shared_ptr<World> World::settled(const std::shared_ptr<World>& self, Share share) const noexcept {
    if (base_ == nullptr)
        return self;
    const std::lock_guard<std::mutex> guard{settled_mutex_};
    if (settled_ != nullptr)
        return settled_;
    std::shared_ptr<World> top = self;
    while (top->is_layered() && top->is_due()) {
        World* merged = top->clone();
        if (merged == nullptr)
            break;  // a layer more, then
        if (!merged->take_base()) {
            delete merged;
            break;
        }
        merged->tidy();
        std::shared_ptr<World> held = share(merged);
        if (held == nullptr)
            break;
        top = std::move(held);
    }
    if (top != self)
        settled_ = top;
    return top;
}

void World::reclaim_base(size_t most_cells) noexcept {
    settled_.reset();
    while (base_ != nullptr && base_.use_count() == 1 && own_cells() <= most_cells && !has_checkpoints() && take_base()) {
    }
}

bool World::is_free_long() const noexcept {
    size_t cells = 0;
    const World* layer = this;
    do {
        cells += layer->own_cells() + layer->account_undo_.size() + layer->slot_undo_.size();
        if (cells > FEW_TO_MOVE || layer->kept_.is_free_long())
            return true;
    } while (layer->base_.use_count() == 1 && (layer = layer->base_.get()) != nullptr);
    return false;
}

bool World::take_all_bases() noexcept {
    while (base_ != nullptr)
        if (!take_base())
            return false;
    return true;
}

bool World::take_base() noexcept {
    const std::shared_ptr<World> held = base_;
    std::unique_ptr<World> copy;
    World* below = held.get();
    if (held.use_count() > 2) {  // here and by `base_`: only ours
        copy.reset(below->clone());
        below = copy.get();
        if (below == nullptr)
            return false;
    }
    if (!below->records_.make_room(records_.size()) || !below->index_.reserve(below->index_.size() + index_.size()) ||
        !below->slots_.reserve(below->slots_.size() + slots_.size()) ||
        !below->codes_.reserve(below->codes_.size() + codes_.size()))
        return false;
    if (below->is_layered() && (!below->changed_.make_room(changed_.size()) ||
                                !below->changed_index_.reserve(below->changed_index_.size() + changed_index_.size())))
        return false;
    // From here on nothing fails.
    if (!kept_.follows()) {
        kept_.take(&below->kept_);
        if (kept_.follows() && !list_own_cells(kept_.changed()))
            kept_.forget();
    }
    bool inserted;
    codes_.for_each([&](const Hash& hash, const KeptCode& kept) {
        *below->codes_.insert_or_find(hash, &inserted) = {kept.code, 0};  // its reference goes along; its users follow
        if (kept.users == 0)
            (void)below->unused_codes_.push_back(hash);  // without memory it stays until the state is compacted
    });
    codes_.release();
    const auto put = [&](AccountRecord* there, const AccountRecord& record) {
        below->use_code(there, record.code);
        *there = record;
    };
    changed_index_.for_each([&](const uint32_t& place, const uint32_t& own) { put(below->own_record(place), changed_[own]); });
    for (const AccountRecord& record : records_) {
        *below->index_.insert_or_find(record.address, &inserted) = static_cast<uint32_t>(below->account_count());
        (void)below->records_.push_back(AccountRecord{});  // there is room
        put(&below->records_.back(), record);
    }
    slots_.for_each([&](const SlotKey& key, const StoredSlot& slot) {
        below->slots_.insert_or_find(key, &inserted)->value = slot.value;
        below->covered_slots_ += inserted && below->is_layered() && below->base_->stored(key) != nullptr;
    });
    index_ = std::move(below->index_);
    slots_ = std::move(below->slots_);
    codes_ = std::move(below->codes_);
    records_ = std::move(below->records_);
    changed_index_ = std::move(below->changed_index_);
    changed_ = std::move(below->changed_);
    unused_codes_ = std::move(below->unused_codes_);
    first_place_ = below->first_place_;
    base_slots_ = below->base_slots_;
    covered_slots_ = below->covered_slots_;
    kept_cells_ = below->kept_cells_;
    epoch_ = (epoch_ > below->epoch_ ? epoch_ : below->epoch_) + 1;  // no record is of it
    base_ = below->base_;
    return true;
}

World* World::base_without_trie() const noexcept {
    const World* layer = this;
    for (; layer->base_ != nullptr; layer = layer->base_.get())
        if (layer->kept_.has_trie())
            return nullptr;
    return layer == this || layer->kept_.has_trie() ? nullptr : const_cast<World*>(layer);  // no layer is made const
}

bool World::list_own_cells(ChangedCells* changed) const noexcept {
    bool is_ok = true;
    bool inserted;
    const auto note = [&](const AccountRecord& record) {
        uint32_t* storage = changed->accounts.insert_or_find(record.address, &inserted);
        is_ok &= storage != nullptr;
        if (storage != nullptr && (inserted || *storage == ChangedCells::ABSENT))
            *storage = record.storage_id;
    };
    changed_index_.for_each([&](const uint32_t& place, const uint32_t&) { note(base_->record(place)); });
    for (const AccountRecord& record : records_)
        note(record);
    slots_.for_each(
        [&](const SlotKey& key, const StoredSlot&) { is_ok &= changed->slots.insert_or_find(key, &inserted) != nullptr; });
    return is_ok;
}

bool World::derive_trie(shared_trie::Ref* trie, ChangedCells* changed) const noexcept {
    if (kept_.share(trie, changed))
        return true;
    return base_ != nullptr && base_->derive_trie(trie, changed) && list_own_cells(changed);
}

}  // namespace evmcore
