// What a block access list says a state is before one of its indices, written to the state before the block. Nobody vouches for the list:
// whatever it says leaves a state that can be.
#pragma once

#include "../base/poll.hpp"
#include "../rules/rules.hpp"
#include "block_access_list.hpp"
#include "world.hpp"

namespace evmcore {

// Sets each value to the last that the list has for it below index `below`. The caller holds a checkpoint, to which it goes back if this
// isn't RUNNING: MISSING_STATE with the key, OUT_OF_MEMORY, or ABORTED by the poll.
Status write_list_below(const BlockAccessList& list, uint32_t below, const Rules& rules, World* world, Poll* poll,
                        MissingKey* missing) noexcept;

// How many accounts' fields, and how many slots, change at each index from 0 to `last`. False without memory.
struct ChangeCounts {
    Vector<uint32_t> fields, slots;
};
[[nodiscard]] bool count_changes(const BlockAccessList& list, uint32_t last, ChangeCounts* out) noexcept;

}  // namespace evmcore
