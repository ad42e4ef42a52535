// A block under execution: its transactions, the state it is executed on, and its outcomes so far.
// Filled under the GIL, then owned by the block procedure until it ends.
#pragma once

#include "../state/witness.hpp"
#include "../state/world.hpp"
#include "block_hashes.hpp"
#include "execution_counts.hpp"
#include "outcome.hpp"
#include "system_accesses.hpp"

namespace evmcore {

struct BlobLimits {
    int64_t max_blobs = 0;  // a block
    int64_t update_fraction = 1;
};

// What earlier transactions of the block have taken.
struct BlockRoom {
    uint64_t gas_used = 0;  // of the block's gas: execution gas where there is state gas, which is counted apart (EIP-8037)
    uint64_t state_gas_used = 0;  // 0 where there is none
    uint64_t cumulative_gas =
        0;  // what was paid for, as receipts sum it up: the same as `gas_used` where there is no state gas
    uint64_t blob_gas_used = 0;
};

struct BlockWithdrawal {
    Address address;
    uint64_t amount_gwei;
};

struct BlockOmmer {
    Address coinbase;
    uint64_t number;
};

// A place a transaction for what comes of it; each is made by the worker that first comes to it, in its cache.
// One worker at a time may use a place.
class OutcomeList {
public:
    OutcomeList() = default;
    OutcomeList(const OutcomeList&) = delete;
    OutcomeList& operator=(const OutcomeList&) = delete;
    ~OutcomeList() { clear(); }

    // False without memory; it is empty then.
    bool reset(size_t count) noexcept {
        clear();
        places_ = static_cast<Place*>(std::aligned_alloc(alignof(Place), (count + 1) * sizeof(Place)));
        size_ = places_ != nullptr ? count : 0;
        for (size_t i = 0; i < size_; ++i)
            places_[i].is_made = false;
        return size_ == count;
    }
    void clear() noexcept {
        for (size_t i = 0; i < size_; ++i)
            if (places_[i].is_made)
                places_[i].outcome()->~Outcome();
        std::free(places_);
        places_ = nullptr;
        size_ = 0;
    }
    size_t size() const noexcept { return size_; }
    // Asks for what a receipt is made from, which another core may have written last. Beyond the last there is nothing to ask for.
    void prefetch(size_t i) const noexcept {
        if (i < size_)
            for (size_t byte = 0; byte < offsetof(Outcome, output); byte += 64)
                __builtin_prefetch(places_[i].bytes + byte);
    }
    Outcome& operator[](size_t i) noexcept {
        Place& place = places_[i];
        if (!place.is_made) {
            new (place.bytes) Outcome();
            place.is_made = true;
        }
        return *place.outcome();
    }

private:
    // In cache lines of its own, since neighbours are different workers'.
    struct alignas(64) Place {
        bool is_made;
        alignas(Outcome) unsigned char bytes[sizeof(Outcome)];
        Outcome* outcome() noexcept { return reinterpret_cast<Outcome*>(bytes); }
    };
    Place* places_ = nullptr;
    size_t size_ = 0;
};

struct BlockJob {
    const Rules* rules = nullptr;
    BlockContext context;
    BlobLimits blobs;
    World* world = nullptr;
    Hash parent_hash{};
    bool has_beacon_root = false;
    Hash beacon_root{};
    Vector<Transaction*> transactions;  // borrowed
    Vector<BlockWithdrawal> withdrawals;
    Vector<BlockOmmer> ommers;
    const KnownBlockHashes* block_hashes = nullptr;  // borrowed
    bool wants_state_roots = false;                  // in receipts, before Byzantium
    // Of a piece, which has some of the block's transactions: whether the block's begin and end belong to it, and what the
    // transactions before it have taken and deposited (the deposit request, EIP-6110, as far as it goes).
    bool begins = true, ends = true;
    BlockRoom room_before;
    Bytes deposits_before;
    // The block's end is executed before its transactions: deposits, which are in their logs, are added later.
    bool defers_deposits = false;

    WitnessRecord* witness = nullptr;          // borrowed; null: nobody wants one
    AccessListBuilder* access_list = nullptr;  // the same; the worker that commits adds to it
    uint32_t first_index = 1;                  // block access index of the first transaction (EIP-7928)

    OutcomeList outcomes;
    Effects system_effects;
    Outcome system_logs;  // nothing but the logs of all system calls, which no receipt has
    SystemAccesses system_accesses;
    BlockRoom room;
    Bloom bloom{};
    Vector<Bytes> requests;          // type byte and data (EIP-7685), empty ones left out
    size_t failed_index = SIZE_MAX;  // of the transaction that was refused
    u256 have, want;
    MissingKey missing;
    uint64_t missing_block_number = 0;
    ExecutionCounts counts;

    // False without memory.
    bool reset_results() noexcept {
        if (!outcomes.reset(transactions.size()))
            return false;
        room = room_before;
        bloom.fill(0);
        requests.clear();
        system_logs.logs.clear();
        system_logs.topics.clear();
        system_logs.log_data.clear();
        system_accesses.clear();
        if (access_list != nullptr)
            access_list->clear();
        failed_index = SIZE_MAX;
        counts = ExecutionCounts{};
        return true;
    }

    // Adds a committed transaction's gas and bloom to the block's.
    void count_in(Outcome* outcome) noexcept {
        room.gas_used += static_cast<uint64_t>(outcome->execution_gas);
        room.state_gas_used += static_cast<uint64_t>(outcome->state_gas);
        room.cumulative_gas += static_cast<uint64_t>(outcome->gas_used);
        room.blob_gas_used += outcome->blob_gas;
        outcome->cumulative_gas = room.cumulative_gas;
        if (!outcome->logs.empty())
            merge_bloom(&bloom, outcome->bloom);
    }

    // What the block did outside its transactions, at that index from 0 on, is one unit, which is over. False without memory.
    bool finish_index(uint32_t index) noexcept {
        if (!system_accesses.is_wanted)
            return true;
        return system_accesses.finish(*world, index) &&
               (access_list == nullptr || system_accesses.add_to(access_list, index, index == 0 ? 0 : first_index - 1 + index));
    }

    // Keeps what an exception will say of the transaction; returns `status`.
    Status fail(Status status, size_t index) noexcept {
        failed_index = index;
        return keep_reason(status, outcomes[index]);
    }
    // The same of what is no transaction's.
    Status fail_outside(Status status, const Outcome& outcome) noexcept {
        failed_index = SIZE_MAX;
        return keep_reason(status, outcome);
    }
    void set_missing(const Address& address) noexcept {
        missing = MissingKey{};
        missing.address = address;
    }

    // Asks for what the transactions after i will need first: of the next but one its fields, of the next its accounts. Short
    // ones would otherwise spend most of their time waiting for memory that another core wrote last.
    void prefetch_after(size_t i) const noexcept {
        if (i + 2 < transactions.size())
            prefetch_fields(i + 2);
        if (i + 1 < transactions.size()) {
            if (transactions[i + 1]->knows_sender())
                world->prefetch(transactions[i + 1]->sender);
            world->prefetch(transactions[i + 1]->to);
        }
    }

    void prefetch_fields(size_t i) const noexcept {
        for (size_t line = 0; line < sizeof(Transaction); line += 64)
            __builtin_prefetch(reinterpret_cast<const char*>(transactions[i]) + line);
    }

    Status keep_reason(Status status, const Outcome& outcome) noexcept {
        have = outcome.have;
        want = outcome.want;
        missing = outcome.missing;
        missing_block_number = outcome.missing_block_number;
        return status;
    }

    static bool block_hash(void* context, uint64_t number, Hash* out) noexcept {
        const auto* job = static_cast<const BlockJob*>(context);
        if (job->block_hashes != nullptr && job->block_hashes->find(number, out))
            return true;
        if (number + 1 != job->context.number || job->parent_hash == Hash{})
            return false;
        *out = job->parent_hash;
        return true;
    }
};

}  // namespace evmcore
