// How a worker waits for others: the longer, the less it costs them.
#pragma once

#include <chrono>
#include <thread>

#include "../base/spin_lock.hpp"
#include "tuning.hpp"

namespace evmcore {

// One turn of waiting: at first a pause, later the processor is given away, and behind a transaction of milliseconds the thread
// sleeps, for a twentieth of one.
inline void wait_turn(uint32_t turn) noexcept {
    if (turn < tuning.idle_spins && tuning.spinning)
        cpu_pause();
    else if (turn < tuning.idle_yields)
        std::this_thread::yield();
    else
        std::this_thread::sleep_for(std::chrono::microseconds{50});
}

// What a turn takes, in gas, for Poll.
inline uint32_t weight_of_turn(uint32_t turn) noexcept { return turn < tuning.idle_yields ? 64 : 16384; }

// A turn that leaves the memory to a worker that goes on by itself.
inline void rest() noexcept {
    for (uint32_t i = 0; i < tuning.rest_pauses; ++i)
        cpu_pause();
    std::this_thread::yield();
}

}  // namespace evmcore
