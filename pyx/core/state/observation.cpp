// Taking before-images, and putting them back into a copy.
#include "observation.hpp"

#include "world.hpp"

namespace evmcore {

Observation::~Observation() {
    accounts_.for_each([](const Address&, const AccountRecord& record) {
        if (record.code != nullptr)
            record.code->release();
    });
}

void Observation::take(const AccountRecord& record) noexcept {
    bool inserted;
    AccountRecord* image = accounts_.insert_or_find(record.address, &inserted);
    if (image == nullptr) {
        is_lost = true;
    } else if (inserted) {
        *image = record;
        if (record.code != nullptr)
            record.code->acquire();
    }
}

void Observation::take(const SlotKey& key, const u256& value) noexcept {
    bool inserted;
    u256* image = slots_.insert_or_find(key, &inserted);
    if (image == nullptr)
        is_lost = true;
    else if (inserted)
        *image = value;
}

void Observation::forget_zero(const SlotKey& key) noexcept {
    const u256* image = slots_.find(key);
    if (image != nullptr && image->is_zero())
        slots_.erase(key);
}

void Observation::take_over(const Observation& newer) noexcept {
    is_lost |= newer.is_lost;
    newer.for_each_account([&](const AccountRecord& record) { see(record); });
    newer.for_each_slot([&](const SlotKey& key, const u256& value) { see(key, value); });
}

bool World::observe(Observation** out) noexcept {
    end_dropped_observations();
    Observation* observation = new (std::nothrow) Observation(next_storage_id_);
    if (observation == nullptr || !observations_.push_back(observation)) {
        delete observation;
        return false;
    }
    newest_ = *out = observation;
    holders_.fetch_add(1, std::memory_order_relaxed);
    return true;
}

void World::end_observation(Observation* observation) noexcept {
    // Release: the thread that ends it then finds it no longer in use.
    observation->is_dropped.store(true, std::memory_order_release);
    holders_.fetch_sub(1, std::memory_order_relaxed);
}

void World::end_dropped_observations() noexcept {
    for (size_t i = observations_.size(); i-- > 0;) {
        Observation* observation = observations_[i];
        if (!observation->is_dropped.load(std::memory_order_acquire))
            continue;
        if (i > 0)
            observations_[i - 1]->take_over(*observation);
        delete observation;
        for (size_t k = i + 1; k < observations_.size(); ++k)
            observations_[k - 1] = observations_[k];
        observations_.pop_back();
    }
    newest_ = observations_.empty() ? nullptr : observations_.back();
}

bool World::has_changed_since(const Observation* observation) const noexcept {
    if (observation->is_later(next_storage_id_ - 1))
        return true;
    for (size_t i = observations_.size(); i-- > 0;) {
        if (!observations_[i]->is_empty() || observations_[i]->is_lost)
            return true;
        if (observations_[i] == observation)
            break;
    }
    return false;
}

World* World::restored(const Observation* observation) const noexcept {
    World* past = clone();
    if (past == nullptr)
        return nullptr;
    bool is_whole = true;
    for (size_t i = observations_.size(); i-- > 0;) {
        is_whole &= !observations_[i]->is_lost && past->put_back(*observations_[i]);
        if (observations_[i] == observation)
            break;
    }
    for (Vector<AccountRecord>* records : {&past->records_, &past->changed_})  // a base's are all older
        for (AccountRecord& record : *records)
            if (observation->is_later(record.storage_id)) {
                if (past->kept_.follows())
                    past->kept_.note(record.address, record.storage_id, SIZE_MAX);
                record.exists = false;
            }
    if (!is_whole) {
        delete past;
        past = nullptr;
    }
    return past;
}

bool World::put_back(const Observation& observation) noexcept {
    bool is_whole = true;
    observation.for_each_account([&](const AccountRecord& image) {
        const uint32_t place = place_of(image.address);
        if (kept_.follows()) {
            kept_.note(image.address, place != NO_PLACE ? record(place).storage_id : image.storage_id, SIZE_MAX);
            // The slots of a storage that was wiped since need not be among the images.
            const uint32_t* base = kept_.base_of(image.address);
            if (base == nullptr || *base != image.storage_id)
                kept_.forget();
        }
        AccountRecord* record = place != NO_PLACE ? own_record(place) : add_record(image.address);
        if (record != nullptr)
            *record = image;
        else
            is_whole = false;
    });
    observation.for_each_slot([&](const SlotKey& key, const u256& value) {
        bool inserted;
        StoredSlot* stored = slots_.insert_or_find(key, &inserted);
        if (kept_.follows())
            kept_.note(key, SIZE_MAX);
        if (stored != nullptr)
            stored->value = value;
        else
            is_whole = false;
    });
    return is_whole;
}

bool ObservedWorld::open(const std::shared_ptr<World>& world) noexcept {
    close();
    world_ = world;
    if (world->observe(&observation_))
        return true;
    world_.reset();
    return false;
}

void ObservedWorld::close() noexcept {
    if (observation_ != nullptr)
        world_->end_observation(observation_);
    observation_ = nullptr;
    world_.reset();
}

bool ObservedWorld::is_changed() const noexcept { return world_->has_changed_since(observation_); }
World* ObservedWorld::restored() const noexcept { return world_->restored(observation_); }

}  // namespace evmcore
