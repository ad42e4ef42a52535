// What one transaction may make its worker hold, each thing for itself; beyond it the run ends with the *_LIMIT status that names
// the thing. Numbers of ours, not of Ethereum: no block comes near, and a program with an absurd gas limit does no harm.
#pragma once

#include <cstddef>

namespace evmcore::limit {

// Accounts and slots that were looked at, and transient slots, each. A slot takes 144 bytes here and 2,100 gas (50 on
// Frontier, whose blocks had 5 Mgas): 60 Mgas come to 4 MB.
constexpr size_t ACCESSES_BYTES = size_t{1} << 30;
// The undo log. An entry takes 48 bytes and 100 gas at the least: 60 Mgas come to 29 MB.
constexpr size_t UNDO_BYTES = size_t{1} << 30;
// The logs, their topics and their data, each. A byte of data takes 8 gas: 60 Mgas come to 7.5 MB. Keeps places in them within
// 32 bits.
constexpr size_t LOG_BYTES = size_t{1} << 30;
// The output of a frame or of a precompile. Memory for 60 Mgas is 5.5 MB.
constexpr size_t OUTPUT_BYTES = size_t{1} << 30;
// The codes that were deployed, together, and any one init code. A byte takes 200 gas: 60 Mgas come to 300 kB. Keeps a code's
// size within 32 bits.
constexpr size_t CODE_BYTES = size_t{1} << 30;

}  // namespace evmcore::limit
