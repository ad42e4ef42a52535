// Execution of a block with its block access list (EIP-7928): the state before index i is the state before the block under the list's changes
// below i, so that all transactions are independent, and the state root follows from the list's last values while they are executed.
// What each index reads and changes is held against the list; if all of it agrees, all that was read was right.
#pragma once

#include "../state/block_access_list.hpp"
#include "engine.hpp"

namespace evmcore {

struct ListedResult {
    AccessListFault fault;
    bool has_root = false;  // of the state after the block
    Hash root{};
    double transaction_seconds = 0;  // until the caller had none left; of one worker: all but the block's end and the root
};

// Executes the engine's job, with its `system_accesses` wanted and `defers_deposits` set. BLOCK_ACCESS_LIST where the list isn't the
// block's: `fault` tells of the lowest index. Without `wants_root` there is none.
Status execute_listed(Engine* engine, const BlockAccessList& list, bool wants_root, ListedResult* result) noexcept;

}  // namespace evmcore
