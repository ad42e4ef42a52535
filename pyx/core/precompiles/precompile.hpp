// What a precompile is: a price and a run, one pair a row of rules/precompiles.def.
// The bodies are in the family files beside this one. None of them touches Python, takes a lock or throws.
#pragma once

#include "../base/poll.hpp"
#include "../base/status.hpp"
#include "../base/types.hpp"

namespace evmcore {

struct Rules;

// A price that no gas limit can pay.
constexpr int64_t PRICE_INFINITE = INT64_MAX;

// Gas for this input under these rules; PRICE_INFINITE when the input is refused whatever the gas.
using PrecompilePrice = int64_t (*)(ByteView input, const Rules& rules) noexcept;

// Runs on input, writes the output (cleared by the caller).
// SUCCESS; PRECOMPILE_FAILURE (a result: the call fails and takes its gas); ABORTED when `poll` said stop;
// PRECOMPILE_UNAVAILABLE when the library that serves it is not there; OUT_OF_MEMORY, OUTPUT_LIMIT.
using PrecompileRun = Status (*)(ByteView input, Bytes& output, Poll& poll) noexcept;

}  // namespace evmcore
