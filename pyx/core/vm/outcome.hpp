// What a transaction leaves: its result, its logs, its effects, and its receipt as the chain stores it.
// Plain data, filled by the transaction procedure, owned by the block that runs it.
#pragma once

#include <array>

#include "../base/transaction.hpp"
#include "frame.hpp"

namespace evmcore {

using Bloom = std::array<uint8_t, 256>;

struct Outcome {
    Status status = Status::RUNNING;  // SUCCESS, REVERT or a HALT; INVALID or BROKEN when there is no result
    uint8_t type = 0;
    bool has_contract = false;
    Address contract{};    // of a creation that succeeded
    int64_t gas_used = 0;  // what is paid for
    int64_t execution_gas =
        0;                   // what counts for the block: the same where there is no state gas, else before refunds (EIP-7778)
    int64_t state_gas = 0;   // the same of state gas (EIP-8037)
    int64_t gas_refund = 0;  // what came back, after the cap
    uint64_t cumulative_gas = 0;  // set when it commits
    uint64_t blob_gas = 0;
    u256 effective_gas_price;
    bool has_state_root = false;  // before Byzantium the receipt holds the root after the transaction
    Hash state_root{};
    Bloom bloom{};
    bool has_bloom = false;  // some bit of it is set
    Bytes output;
    Vector<Log> logs;
    Vector<Hash> topics;
    Bytes log_data;
    Effects effects;
    MissingKey missing;
    u256 have, want;  // what an INVALID status compares
    uint64_t missing_block_number = 0;
    uint32_t execution_count = 0;

    Outcome() = default;
    Outcome(Outcome&&) = delete;  // its effects own code
};

// Takes the logs over from the journal; without the bloom, which only receipts have. False without memory.
[[nodiscard]] bool copy_logs(Machine* machine, Outcome* outcome) noexcept;
// Adds them to those that are there; nothing but these.
[[nodiscard]] bool append_logs(const Machine& machine, Outcome* outcome) noexcept;
// Takes them over, and fills the bloom.
[[nodiscard]] bool take_logs(Machine* machine, Outcome* outcome) noexcept;
void add_to_bloom(Bloom* bloom, const Hash& hash) noexcept;  // of an item; Yellow Paper 4.4.1
inline void merge_bloom(Bloom* into, const Bloom& bloom) noexcept {
    for (size_t i = 0; i < bloom.size(); ++i)
        (*into)[i] |= bloom[i];
}

// Appends the receipt: type byte and list for typed transactions (EIP-2718), status or state root first (EIP-658). False without
// memory.
[[nodiscard]] bool encode_receipt(const Outcome& outcome, Bytes* out) noexcept;
// Appends the list of logs alone, as a state test's `logs` hash is taken over. False without memory.
[[nodiscard]] bool encode_logs(const Outcome& outcome, Bytes* out) noexcept;

// Where validators deposit: a contract that some test networks have elsewhere.
const Address& deposit_contract_of(const u256& chain_id) noexcept;

// Appends the deposits that the deposit contract logged, as request data (EIP-6110). RUNNING, BLOCK_DEPOSIT_LAYOUT when a log has
// another size or, if that is looked at, another layout, or OUT_OF_MEMORY.
Status append_deposits(const Outcome& outcome, const Address& contract, bool checks_layout, Bytes* out) noexcept;

}  // namespace evmcore
