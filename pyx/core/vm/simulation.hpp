// Many what-ifs on one state: what is asked, and a row for each answer. Items are asked for in bundles: those of one see what the ones before
// them did, and nothing of other bundles. Bundles are claimed by workers in any order; rows and outputs lie in the order of the items.
#pragma once

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
    size_t data_begin = 0;  // in Simulation::data
    size_t data_size = 0;
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

struct SimulationWorker {
    Transaction message;  // refilled for each item
    Outcome outcome;
    Bytes outputs;
    Vector<SimulationFault> faults;
};

struct Simulation {
    Vector<SimulatedItem> items;
    Bytes data;
    Vector<size_t> bundle_ends;  // item behind the last of each bundle
    Vector<uint32_t> todo;       // bundles that are to be run
    Vector<Address> balances;    // wanted after each item
    Vector<AskedSlot> slots;     // likewise
    Vector<SimulatedRow> rows;   // [item]
    Vector<Hash> values;         // [item][balance, slot], big-endian
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
            if (!workers.push_back(worker)) {
                delete worker;
                return false;
            }
        }
        return rows.resize(items.size()) && values.resize(items.size() * (balances.size() + slots.size()));
    }

    size_t bundle_begin(uint32_t bundle) const noexcept { return bundle == 0 ? 0 : bundle_ends[bundle - 1]; }

    // The message of an item that is no transaction. False without memory.
    [[nodiscard]] bool fill(Transaction* tx, const SimulatedItem& item) const noexcept {
        tx->sender = item.sender;
        tx->to = item.to;
        tx->is_create = item.is_create;
        tx->value = item.value;
        tx->max_fee_per_gas = item.gas_price;
        tx->gas_limit = item.gas;
        return tx->data.assign(data.data() + item.data_begin, item.data_size);
    }

    // All outputs in the order of the items. False without memory.
    [[nodiscard]] bool gather(Bytes* all) noexcept {
        for (SimulatedRow& row : rows) {
            const Bytes& from = workers[row.worker]->outputs;
            const size_t begin = all->size();
            if (!all->append(from.data() + row.output_begin, row.output_size))
                return false;
            row.output_begin = begin;
            row.worker = 0;
        }
        return true;
    }
};

}  // namespace evmcore
