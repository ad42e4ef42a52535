// RIPEMD-160 (Dobbertin, Bosselaers, Preneel 1996) in our own C++: as fast here as the libraries, and always there.
// Depends on base only. Safe from any thread.
#pragma once

#include "../base/poll.hpp"
#include "../base/types.hpp"

namespace evmcore {

// False: `poll` said stop, and there is no hash.
bool ripemd160(const uint8_t* data, size_t size, uint8_t output[20], Poll& poll) noexcept;

}  // namespace evmcore
