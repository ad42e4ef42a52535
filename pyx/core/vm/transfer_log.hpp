// The log of a transfer of value, in the form that tokens have for theirs (EIP-7708): where rules.logs_transfers says so.
#pragma once

#include "frame.hpp"

namespace evmcore {

// keccak256("Transfer(address,address,uint256)")
inline constexpr Hash TRANSFER_TOPIC{{0xdd, 0xf2, 0x52, 0xad, 0x1b, 0xe2, 0xc8, 0x9b, 0x69, 0xc2, 0xb0,
                                      0x68, 0xfc, 0x37, 0x8d, 0xaa, 0x95, 0x2b, 0xa7, 0xf1, 0x63, 0xc4,
                                      0xa1, 0x16, 0x28, 0xf5, 0x5a, 0x4d, 0xf5, 0x23, 0xb3, 0xef}};

// At the moment of the transfer; none for nothing, or to oneself. Without memory, or beyond the limit of logs, the journal has failed.
inline void log_transfer(Machine& m, const JournalAccount& from, const JournalAccount& to, const u256& value) noexcept {
    if (!m.rules->logs_transfers || &from == &to || value.is_zero())
        return;
    uint8_t data[32];
    to_big_endian(value, data);
    if (!m.journal.add_log(system_address::system_caller, 3, ByteView{data, sizeof data}))
        return;
    Hash* const topics = m.journal.topics.end() - 3;
    topics[0] = TRANSFER_TOPIC;
    topics[1] = to_hash(from_address(from.address));
    topics[2] = to_hash(from_address(to.address));
}

}  // namespace evmcore
