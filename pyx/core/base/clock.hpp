// Time that only goes forward, in seconds from some moment in the past.
#pragma once

#include <ctime>

namespace evmcore {

inline double seconds_now() noexcept {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace evmcore
