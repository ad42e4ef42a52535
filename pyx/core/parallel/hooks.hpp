// What the parallel floor asks of the floors below it: how one transaction is executed, and how a block begins and ends.
// The Cython procedures fill one of these in; the tests of the core fill one in with toy transactions.
#pragma once

#include "../vm/block_job.hpp"

namespace evmcore {

enum class ApplyMode : uint8_t {
    SPECULATIVE,        // the view may be behind: the sender's nonce is the transaction's, and room is checked at the commit
    EXACT,              // everything below is committed, and the block's room with it
    EXACT_WITHOUT_ROOM  // the view is exact, and room is checked at the commit
};

struct ExecutionHooks {
    // Executes transaction `index` of the job on `view`. Its result and its effects are in its outcome; nothing else has changed.
    Status (*apply)(Machine* machine, BlockJob* job, uint32_t index, const StateView* view, ApplyMode mode);
    // Whether the block has room for its gas, with everything below it committed: RUNNING, or why not.
    Status (*check_room)(BlockJob* job, uint32_t index);
    // Commits the outcome to the base state. RUNNING, or why the block fails.
    Status (*commit)(BlockJob* job, uint32_t index);
    // Executes it on the base state and commits it there.
    Status (*execute_in_order)(Machine* machine, BlockJob* job, uint32_t index);
    // Points a worker's machine at the block.
    void (*open)(Machine* machine, BlockJob* job);
    // What comes before the first transaction, on fresh outcomes, and after the last.
    Status (*begin_block)(Machine* machine, BlockJob* job);
    Status (*end_block)(Machine* machine, BlockJob* job);
};

// Whether a transaction came to an end that a receipt can hold.
inline bool is_result(Status status) noexcept {
    const Kind kind = kind_of(status);
    return kind == Kind::OK || kind == Kind::REVERT || kind == Kind::HALT;
}

}  // namespace evmcore
