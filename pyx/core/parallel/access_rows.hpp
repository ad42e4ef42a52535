// What transactions read and wrote, as rows that NumPy reads: packed, little-endian numbers, big-endian words. The
// dtypes of evmcore/accesses.py are the same tables.
#pragma once

#include <cstdint>

namespace evmcore {

struct [[gnu::packed]] TransactionAccess {
    uint32_t transaction;
    uint64_t gas_used;
    uint32_t executions;
    int64_t waited_for;
    uint64_t finish_gas;
};

struct [[gnu::packed]] AccountAccess {
    uint32_t transaction;
    uint8_t address[20];
    uint8_t reads;   // ReadBits
    uint8_t writes;  // WriteBits
    int32_t code;    // a place in the list of codes that goes with the rows, -1: none
    uint64_t nonce;
    uint8_t balance[32];
};

struct [[gnu::packed]] SlotAccess {
    uint32_t transaction;
    uint8_t address[20];
    uint8_t slot[32];
    uint8_t value[32];
    uint8_t is_write;
};

}  // namespace evmcore
