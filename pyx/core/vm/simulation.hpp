// Many what-ifs on one state: what is asked, and a row for each answer. Items are asked for in bundles: those of one see what the ones before
// them did, and nothing of other bundles. Bundles are claimed by workers in any order; rows and outputs lie in the order of the items.
#pragma once

#include <atomic>

#include "../math/u256.hpp"
#include "outcome.hpp"

namespace evmcore {

// A message, or a transaction, which then says all.
struct SimulatedItem {
    Transaction* transaction = nullptr;
    Address sender{};
    Address to{};
    bool is_create = false;
    u256 value;
    u256 gas_price;
    uint64_t gas = 0;
    const uint8_t* data = nullptr;  // the caller's, like the transaction
    size_t data_size = 0;
};

// A field of many messages in an array of the caller's.
struct Column {
    const uint8_t* first = nullptr;  // the first message's; null: all have the field's default
    int64_t stride = 0;              // bytes to the next message's; 0: all have the same
    size_t width = 0;                // bytes. Of numbers 8, as this machine has them, or 32, big-endian

    const uint8_t* of(size_t message) const noexcept { return first + stride * static_cast<int64_t>(message); }
    uint64_t small(size_t message) const noexcept {
        uint64_t number;
        std::memcpy(&number, of(message), sizeof number);
        return number;
    }
    u256 word(size_t message) const noexcept { return width == 8 ? u256{small(message)} : from_big_endian(of(message)); }
};

// Messages as columns. Without `to` all are creations. With `data_size` each has its own part of one `data`, from `data_begin` on.
struct MessageColumns {
    Column sender, to, value, gas, gas_price, data, data_begin, data_size;

    // The first message whose part isn't within `data`; `count` where there is none.
    size_t first_outside(size_t count) const noexcept {
        size_t at = 0;
        while (at < count && data_begin.small(at) <= data.width && data_size.small(at) <= data.width - data_begin.small(at))
            ++at;
        return at;
    }
};

// The layout is evmcore/simulation.py's, too.
struct SimulatedRow {
    int64_t gas_used;
    int64_t gas_refund;
    uint64_t output_begin;  // in the outputs of all
    uint64_t output_size;
    uint32_t bundle;
    uint32_t log_count;
    uint8_t status;  // a Status
    uint8_t has_contract;
    uint8_t contract[20];
    uint16_t worker;  // who has the output until all is put together
};
static_assert(sizeof(SimulatedRow) == 64);

struct AskedSlot {
    Address address;
    u256 key;
};

// What an item has missed.
struct SimulationFault {
    size_t item;
    Status status;
    MissingKey missing;
    uint64_t block_number;
};

// In cache lines of its own: it is written with each item.
struct alignas(64) SimulationWorker {
    Transaction message;  // refilled for each item
    Outcome outcome;
    Bytes outputs;
    Vector<SimulationFault> faults;
};

struct Simulation {
    // What only the caller looks at while workers are at it, who may write to it then, too.
    Vector<SimulatedItem> items;  // none where there are columns
    Vector<size_t> bundle_ends;   // item behind the last of each bundle; none where each item is a bundle
    char apart[64];               // from the cache lines that workers read

    const SimulatedItem* first_item = nullptr;
    MessageColumns columns;
    bool has_columns = false;
    uint64_t default_gas = 0;  // of messages whose column doesn't say
    size_t item_count = 0;
    size_t bundle_count = 0;
    const size_t* first_end = nullptr;  // of `bundle_ends`
    Vector<uint32_t> todo;              // bundles that are to be run again; none: all are
    Vector<Address> balances;           // wanted after each item
    Vector<AskedSlot> slots;            // likewise
    SimulatedRow* rows = nullptr;       // [item], the caller's
    Hash* values = nullptr;             // [item][balance, slot], big-endian; the caller's
    Vector<SimulationWorker*> workers;

    Simulation() = default;
    Simulation(const Simulation&) = delete;
    Simulation& operator=(const Simulation&) = delete;
    ~Simulation() {
        for (SimulationWorker* worker : workers)
            delete worker;
    }

    [[nodiscard]] bool open(size_t worker_count) noexcept {
        while (workers.size() < worker_count) {
            auto* const worker = new (std::nothrow) SimulationWorker;
            if (worker == nullptr)
                return false;
            // Its data, written with each item, is not to lie among small pieces of memory that others read.
            if (!worker->message.data.reserve(1024) || !workers.push_back(worker)) {
                delete worker;
                return false;
            }
        }
        return true;
    }

    // How many of the bundles there are to be run, the first ones, can be: the caller adds items while others are executed. Release and
    // acquire: a worker that sees the number sees the items. They lie in room that was made before, and don't move.
    size_t ready() const noexcept { return ready_.load(std::memory_order_acquire); }
    void set_ready(size_t bundles) noexcept { ready_.store(bundles, std::memory_order_release); }

    size_t todo_count() const noexcept { return todo.empty() ? bundle_count : todo.size(); }
    uint32_t todo_at(size_t index) const noexcept { return todo.empty() ? static_cast<uint32_t>(index) : todo[index]; }
    size_t bundle_begin(uint32_t bundle) const noexcept {
        return first_end == nullptr ? bundle : bundle == 0 ? 0 : first_end[bundle - 1];
    }
    size_t bundle_end(uint32_t bundle) const noexcept { return first_end == nullptr ? bundle + size_t{1} : first_end[bundle]; }

    Transaction* transaction(size_t item) const noexcept { return has_columns ? nullptr : first_item[item].transaction; }

    // The message of an item that is no transaction. False without memory.
    [[nodiscard]] bool fill(Transaction* tx, size_t index) const noexcept {
        if (has_columns)
            return fill_from_columns(tx, index);
        const SimulatedItem& item = first_item[index];
        tx->sender = item.sender;
        tx->to = item.to;
        tx->is_create = item.is_create;
        tx->value = item.value;
        tx->max_fee_per_gas = item.gas_price;
        tx->gas_limit = item.gas;
        return tx->data.assign(item.data, item.data_size);
    }

    size_t output_size() const noexcept {
        size_t size = 0;
        for (size_t i = 0; i < item_count; ++i)
            size += rows[i].output_size;
        return size;
    }

    // All outputs in the order of the items. What a worker has executed in a row lies together, and is copied at once.
    void gather(uint8_t* all) noexcept {
        size_t size = 0;
        for (size_t i = 0; i < item_count;) {
            const uint16_t worker = rows[i].worker;
            const size_t begin = rows[i].output_begin;
            size_t end = begin;
            for (; i < item_count && rows[i].worker == worker && (rows[i].output_begin == end || rows[i].output_size == 0);
                 ++i) {
                end += rows[i].output_size;
                rows[i].output_begin = size + (end - rows[i].output_size - begin);
                rows[i].worker = 0;
            }
            if (end != begin)
                std::memcpy(all + size, workers[worker]->outputs.data() + begin, end - begin);
            size += end - begin;
        }
    }

private:
    [[nodiscard]] bool fill_from_columns(Transaction* tx, size_t index) const noexcept {
        const MessageColumns& from = columns;
        if (from.sender.first != nullptr)
            std::memcpy(tx->sender.bytes, from.sender.of(index), 20);
        tx->is_create = from.to.first == nullptr;
        if (!tx->is_create)
            std::memcpy(tx->to.bytes, from.to.of(index), 20);
        tx->value = from.value.first == nullptr ? u256{} : from.value.word(index);
        tx->max_fee_per_gas = from.gas_price.first == nullptr ? u256{} : from.gas_price.word(index);
        const uint64_t gas = from.gas.first == nullptr ? default_gas : from.gas.small(index);
        tx->gas_limit = gas < INT64_MAX ? gas : INT64_MAX;
        if (from.data_size.first != nullptr)
            return tx->data.assign(from.data.first + from.data_begin.small(index), from.data_size.small(index));
        return tx->data.assign(from.data.first == nullptr ? nullptr : from.data.of(index), from.data.width);
    }

    std::atomic<size_t> ready_{0};
};

}  // namespace evmcore
