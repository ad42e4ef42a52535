// What a worker, and a block, counted. The names are those of evmcore.BlockStatistics.
#pragma once

#include <cstdint>

namespace evmcore {

struct ExecutionCounts {
    uint64_t executions = 0;             // of transactions, aborted ones included
    uint64_t aborted = 0;                // whose read set failed validation
    uint64_t aborted_gas = 0;            // gas used by aborted executions
    uint64_t rebased = 0;                // transactions that validate although a balance or slot they change has changed
    uint64_t rebased_slots = 0;          // of these, those with such a slot
    uint64_t fallback_transactions = 0;  // executed by the sequential fallback
    uint64_t parked = 0;                 // how often one waited for an earlier one that it was predicted to conflict with

    void add(const ExecutionCounts& other) noexcept {
        executions += other.executions;
        aborted += other.aborted;
        aborted_gas += other.aborted_gas;
        rebased += other.rebased;
        rebased_slots += other.rebased_slots;
        fallback_transactions += other.fallback_transactions;
        parked += other.parked;
    }
};

}  // namespace evmcore
