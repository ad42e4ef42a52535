// What a state was at some moment, while it goes on changing: before-images of the cells that were written since. A block's
// result asks so for its state root long after the block, and need not keep a copy of the state until then.
// Observations of one world are a chain: only the newest one takes before-images (the first of each cell), so the state at an
// older one is the world, under the images of the newest, …, under its own.
#pragma once

#include <atomic>
#include <memory>

#include "../base/flat_map.hpp"
#include "../base/vector.hpp"
#include "../math/u256.hpp"
#include "stored.hpp"

namespace evmcore {

class World;

// Owned by its world; written by the thread that writes the world.
class Observation {
public:
    explicit Observation(uint32_t first_new_storage) noexcept : first_new_storage_{first_new_storage} {}
    Observation(const Observation&) = delete;
    Observation& operator=(const Observation&) = delete;
    ~Observation();

    // A storage id that was given out later: of an account that was not there, or was wiped since and has an image.
    bool is_later(uint32_t storage_id) const noexcept { return storage_id >= first_new_storage_; }
    bool is_empty() const noexcept { return accounts_.empty() && slots_.empty(); }

    // What a cell is before it is written, or goes. No memory for it: the observation is lost, and the write goes on.
    void see(const AccountRecord& record) noexcept {
        if (!is_later(record.storage_id))
            take(record);
    }
    void see(const SlotKey& key, const u256& value) noexcept {
        if (!is_later(key.account))
            take(key, value);
    }
    // A slot that was zero then and is no more in the map needs no image.
    void forget_zero(const SlotKey& key) noexcept;
    // Takes over the images of the next newer one, which ends.
    void take_over(const Observation& newer) noexcept;

    template <class Visit>
    void for_each_account(Visit visit) const noexcept {
        accounts_.for_each([&](const Address&, const AccountRecord& record) { visit(record); });
    }
    template <class Visit>
    void for_each_slot(Visit visit) const noexcept {
        slots_.for_each([&](const SlotKey& key, const u256& value) { visit(key, value); });
    }
    size_t size_bytes() const noexcept { return sizeof(*this) + accounts_.size_bytes() + slots_.size_bytes(); }

    bool is_lost = false;                 // for lack of memory
    std::atomic<bool> is_dropped{false};  // published: set by its holder, maybe while the world is written

private:
    void take(const AccountRecord& record) noexcept;
    void take(const SlotKey& key, const u256& value) noexcept;

    uint32_t first_new_storage_;
    FlatMap<Address, AccountRecord, SeededHash> accounts_;  // a reference to each code
    FlatMap<SlotKey, u256, SeededHash> slots_;
};

// Holds an observation and keeps its world alive, but doesn't count as one that shares it: the world may be written.
class ObservedWorld {
public:
    ObservedWorld() = default;
    ObservedWorld(const ObservedWorld&) = delete;
    ObservedWorld& operator=(const ObservedWorld&) = delete;
    ~ObservedWorld() { close(); }

    // Observes the world as it is now; nobody may write it meanwhile. False without memory.
    bool open(const std::shared_ptr<World>& world) noexcept;
    void close() noexcept;
    bool is_open() const noexcept { return observation_ != nullptr; }
    const std::shared_ptr<World>& world() const noexcept { return world_; }
    // Whether the world is another by now. Nobody may write it meanwhile, here and below.
    bool is_changed() const noexcept;
    // A copy of the world as it was, good for its root alone; null without memory, now or for an image.
    World* restored() const noexcept;

private:
    std::shared_ptr<World> world_;
    Observation* observation_ = nullptr;
};

}  // namespace evmcore
