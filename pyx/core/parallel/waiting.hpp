// How a worker waits for others: the longer, the less it costs them.
#pragma once

#include <ctime>
#include <sched.h>

#include "tuning.hpp"

namespace evmcore {

// One turn of waiting: at first the processor is given away, and behind a transaction of milliseconds the thread sleeps, for a twentieth
// of one.
inline void wait_turn(uint32_t turn) noexcept {
    if (turn < tuning.idle_yields) {
        sched_yield();
    } else {
        const timespec fifty_microseconds{0, 50'000};
        nanosleep(&fifty_microseconds, nullptr);
    }
}

// What a turn takes, in gas, for Poll.
inline uint32_t weight_of_turn(uint32_t turn) noexcept { return turn < tuning.idle_yields ? 64 : 16384; }

}  // namespace evmcore
