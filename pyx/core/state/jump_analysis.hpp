// Where a code may jump to: the JUMPDEST bytes that are no push's data. Depends on the instruction table. Yellow Paper 9.4.3.
#pragma once

#include <cstddef>
#include <cstdint>

namespace evmcore {

// Sets bit i of `bits` where code[i] is a JUMPDEST and no data; `bits` has size / 64 + 1 words of zero. Reads no byte behind the code.
void find_jump_destinations(const uint8_t* code, size_t size, uint64_t* bits) noexcept;
// The same byte by byte: what the other one has to agree with, and what runs where there are no vectors.
void find_jump_destinations_in_order(const uint8_t* code, size_t size, uint64_t* bits) noexcept;

}  // namespace evmcore
