// Time that only goes forward, in seconds from some moment in the past.
#pragma once

#include <chrono>

namespace evmcore {

inline double seconds_now() noexcept {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace evmcore
