// What a fork says, as data: one frozen `Rules` a fork, built at compile time from the tables beside this file.
// Code asks a field (`rules.cold_sload_gas`), never which fork it is. Includes base only.
#pragma once

#include <array>
#include <cstdint>

#include "../base/types.hpp"

namespace evmcore {

enum class Fork : uint8_t {
#define FORK(NAME, PARENT, MAINNET, TEST, OTHER, CONFIG) NAME,
#define GAS(EIP, OPCODE, VALUE)
#define BODY(EIP, OPCODE, FUNCTION)
#define SET(EIP, FIELD, VALUE)
#define NEWEST(NAME)
#include "forks.def"
#undef FORK
#undef GAS
#undef BODY
#undef SET
#undef NEWEST
};

enum Opcode : uint8_t {
#define OPCODE(NUMBER, NAME, BODY, POPS, PUSHES, DEPTH, IMMEDIATE, SINCE, PRICE, EFFECT) OP_##NAME = NUMBER,
#include "opcodes.def"
#undef OPCODE
};

enum class DifficultyRule : uint8_t { FRONTIER, HOMESTEAD, BYZANTIUM };
enum class ModexpPrice : uint8_t { BYZANTIUM, BERLIN, OSAKA };  // EIP-198, EIP-2565, EIP-7883

namespace parameter {
#define PARAMETER(NAME, VALUE, SOURCE) constexpr int64_t NAME = VALUE;
#define SYSTEM_ADDRESS(NAME, HEX, SOURCE)
#include "parameters.def"
#undef PARAMETER
#undef SYSTEM_ADDRESS
}  // namespace parameter

constexpr Address address_from_hex(const char* hex) noexcept {
    Address address{};
    for (int i = 0; i < 40; ++i) {
        const char c = hex[i];
        const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
        address.bytes[i / 2] = static_cast<uint8_t>(address.bytes[i / 2] << 4 | digit);
    }
    return address;
}

namespace system_address {
#define PARAMETER(NAME, VALUE, SOURCE)
#define SYSTEM_ADDRESS(NAME, HEX, SOURCE) constexpr Address NAME = address_from_hex(#HEX);
#include "parameters.def"
#undef PARAMETER
#undef SYSTEM_ADDRESS
}  // namespace system_address

constexpr Fork NEWEST_FORK =
#define FORK(NAME, PARENT, MAINNET, TEST, OTHER, CONFIG)
#define GAS(EIP, OPCODE, VALUE)
#define BODY(EIP, OPCODE, FUNCTION)
#define SET(EIP, FIELD, VALUE)
#define NEWEST(NAME) Fork::NAME
#include "forks.def"
#undef FORK
#undef GAS
#undef BODY
#undef SET
#undef NEWEST
    ;

struct Rules {
    Fork fork{};  // which row this is: for names and messages, never for a decision

    int32_t base_gas[256] = {};  // price before an instruction's own charges
    bool is_defined[256] = {};
    uint32_t precompiles = 0;             // bit i: row i of precompiles.def is there
    bool has_transaction_type[128] = {};  // by type byte, which is at most 0x7f (transactions.def)

    // Execution
    int64_t exp_byte_gas = 0;
    int64_t cold_account_gas = 0;  // over the base price of a warm access
    int64_t cold_sload_gas = 0;    // over the base price of a warm SLOAD
    int64_t cold_sstore_gas = 0;
    int64_t cold_selfdestruct_gas = 0;
    bool has_warm_access = false;
    bool coinbase_is_warm = false;
    bool keeps_one_64th = false;  // a call gets at most 63/64 of the gas, and asking for more is no error
    int64_t sstore_set_gas = 0;
    int64_t sstore_reset_gas = 0;
    int64_t sstore_noop_gas = 0;  // net metering: the value doesn't change, or has changed before
    int64_t sstore_clear_refund_gas = 0;
    int64_t sstore_sentry_gas = 0;  // SSTORE halts when no more than this is left
    bool sstore_is_net_metered = false;
    int64_t call_value_gas = 0;  // the stipend is out of it
    int64_t call_new_account_gas = 0;
    int64_t selfdestruct_new_account_gas = 0;
    int64_t selfdestruct_refund_gas = 0;
    bool selfdestruct_only_when_new = false;
    bool keeps_balance_of_destroyed = false;  // who is destroyed is cleared at the transaction's end, and nothing is burnt
    int64_t refund_quotient = 0;              // at most gas_used / refund_quotient comes back
    bool deletes_empty_accounts = false;
    uint64_t contract_start_nonce = 0;
    bool storage_collides = true;  // no contract is made where there is storage (EIP-7610, from the first block on)
    bool keeps_contract_without_deposit = true;  // a creation that can't pay for its code succeeds with none
    int64_t code_deposit_byte_gas = 0;
    int64_t code_deposit_word_gas = 0;
    int64_t max_code_size_bytes = 0;  // 0: no limit
    int64_t max_initcode_size_bytes = 0;
    int64_t initcode_word_gas = 0;
    bool rejects_ef_code = false;
    bool has_delegation = false;
    bool logs_transfers = false;  // of value, as of a token

    // State gas (EIP-8037): what makes the state grow is paid out of a reservoir first, and counted apart. Where a fork has none,
    // nothing looks at these, nor at the fields of Frame and Machine that go with them.
    bool has_state_gas = false;
    int64_t new_account_state_gas = 0;
    int64_t new_slot_state_gas = 0;
    int64_t delegation_state_gas = 0;
    int64_t code_byte_state_gas = 0;
    int64_t system_call_state_gas = 0;  // the reservoir of a system call
    int64_t account_write_gas = 0;      // of an authority

    // Precompiles
    int64_t bn254_add_gas = 0;
    int64_t bn254_mul_gas = 0;
    int64_t bn254_pairing_base_gas = 0;
    int64_t bn254_pairing_pair_gas = 0;
    ModexpPrice modexp_price = ModexpPrice::BYZANTIUM;
    int64_t modexp_max_length_bytes = 0;  // 0: no limit

    // Transaction
    int64_t transaction_gas = 0;
    int64_t create_transaction_gas = 0;
    int64_t recipient_gas = 0;          // of a call, but to oneself
    int64_t transaction_value_gas = 0;  // where such a call has value
    int64_t access_list_address_gas = 0;
    int64_t access_list_key_gas = 0;
    int64_t authorization_gas = 0;
    int64_t authorization_refund_gas = 0;  // where the authority exists
    int64_t calldata_zero_gas = 0;
    int64_t calldata_nonzero_gas = 0;
    int64_t floor_zero_byte_gas = 0;  // of call data; 0: there is no floor
    int64_t floor_nonzero_byte_gas = 0;
    int64_t floor_access_list_address_gas = 0;
    int64_t floor_access_list_key_gas = 0;
    bool floor_counts_destination = false;  // what a creation, or recipient and value, cost
    int64_t transaction_gas_cap = 0;        // of its gas limit; 0: no limit
    int64_t execution_gas_cap = 0;          // what it may use of execution gas; of its limit, the rest is state gas
    bool has_low_s_rule = false;
    bool has_replay_protection = false;
    bool has_base_fee = false;
    bool has_blobs = false;
    int64_t max_blobs_per_transaction = 0;  // 0: as many as the block

    // Block
    int64_t block_reward_finney = 0;  // 10^15 wei
    bool receipt_has_status = false;  // else it holds the state root after the transaction
    bool is_proof_of_stake = false;
    bool has_withdrawals = false;
    bool has_beacon_root = false;
    bool stores_parent_hash = false;
    bool has_requests = false;
    bool has_builder_requests = false;
    bool checks_deposit_layout = false;  // of the deposit contract's logs: offsets and lengths
    bool has_slot_number = false;        // in the header
    bool has_block_access_list = false;  // its hash is in the header
    int64_t blob_target = 0;
    int64_t blob_max = 0;
    int64_t blob_fee_update_fraction = 0;
    int64_t blob_base_cost_gas = 0;    // EIP-7918's BLOB_BASE_COST; 0: no reserve price
    int64_t max_block_size_bytes = 0;  // 0: no limit
    DifficultyRule difficulty_rule = DifficultyRule::FRONTIER;
    int64_t bomb_delay_blocks = 0;

    bool operator==(const Rules&) const = default;
};

constexpr unsigned FORK_COUNT = 0
#define FORK(NAME, PARENT, MAINNET, TEST, OTHER, CONFIG) +1
#define GAS(EIP, OPCODE, VALUE)
#define BODY(EIP, OPCODE, FUNCTION)
#define SET(EIP, FIELD, VALUE)
#define NEWEST(NAME)
#include "forks.def"
#undef FORK
#undef GAS
#undef BODY
#undef SET
#undef NEWEST
    ;

namespace detail {

// What the rows of the other tables add at their first fork.
constexpr void open_fork(Rules& rules, Fork fork) noexcept {
    rules.fork = fork;
#define OPCODE(NUMBER, NAME, BODY, POPS, PUSHES, DEPTH, IMMEDIATE, SINCE, PRICE, EFFECT) \
    if (Fork::SINCE == fork) {                                                           \
        rules.is_defined[NUMBER] = true;                                                 \
        rules.base_gas[NUMBER] = PRICE;                                                  \
    }
#include "opcodes.def"
#undef OPCODE
    uint32_t bit = 1;
#define PRECOMPILE(ADDRESS, NAME, STEM, SINCE, EIP, EFFECT) \
    if (Fork::SINCE == fork)                                \
        rules.precompiles |= bit;                           \
    bit <<= 1;
#include "precompiles.def"
#undef PRECOMPILE
#define TRANSACTION(TYPE, NAME, SINCE, EIP, EFFECT, FIELDS) \
    if (Fork::SINCE == fork)                                \
        rules.has_transaction_type[TYPE] = true;
#include "transactions.def"
#undef TRANSACTION
}

// Not constexpr: a call of it while the rules are made ends the compilation.
void a_gas_line_names_an_instruction_that_the_fork_does_not_have() noexcept;
void a_body_line_names_an_instruction_that_the_fork_does_not_have() noexcept;
void a_fork_comes_before_its_parent() noexcept;

constexpr std::array<Rules, FORK_COUNT> make_rules() noexcept {
    std::array<Rules, FORK_COUNT> table{};
    Rules* rules = nullptr;
#define FORK(NAME, PARENT, MAINNET, TEST, OTHER, CONFIG) \
    if (Fork::PARENT > Fork::NAME)                       \
        a_fork_comes_before_its_parent();                \
    rules = &table[static_cast<unsigned>(Fork::NAME)];   \
    *rules = table[static_cast<unsigned>(Fork::PARENT)]; \
    open_fork(*rules, Fork::NAME);
#define GAS(EIP, OPCODE, VALUE)                                        \
    if (!rules->is_defined[OP_##OPCODE])                               \
        a_gas_line_names_an_instruction_that_the_fork_does_not_have(); \
    rules->base_gas[OP_##OPCODE] = VALUE;
#define BODY(EIP, OPCODE, FUNCTION)      \
    if (!rules->is_defined[OP_##OPCODE]) \
        a_body_line_names_an_instruction_that_the_fork_does_not_have();
#define SET(EIP, FIELD, VALUE) rules->FIELD = VALUE;
#define NEWEST(NAME)
#include "forks.def"
#undef FORK
#undef GAS
#undef BODY
#undef SET
#undef NEWEST
    return table;
}

}  // namespace detail

// frozen: built at compile time.
inline constexpr std::array<Rules, FORK_COUNT> rules_table = detail::make_rules();

constexpr const Rules& rules_of(Fork fork) noexcept { return rules_table[static_cast<unsigned>(fork)]; }

constexpr Fork fork_parents[] = {
#define FORK(NAME, PARENT, MAINNET, TEST, OTHER, CONFIG) Fork::PARENT,
#define GAS(EIP, OPCODE, VALUE)
#define BODY(EIP, OPCODE, FUNCTION)
#define SET(EIP, FIELD, VALUE)
#define NEWEST(NAME)
#include "forks.def"
#undef FORK
#undef GAS
#undef BODY
#undef SET
#undef NEWEST
};

// Whether every fork knows the instruction.
constexpr bool is_in_all_forks(unsigned opcode) noexcept {
    for (const Rules& rules : rules_table)
        if (!rules.is_defined[opcode])
            return false;
    return true;
}

// Whether a chain may go without the fork: it changes the difficulty bomb, blob limits or one state alone, or nothing.
constexpr bool may_be_left_out(Fork fork) noexcept {
    const Rules& rules = rules_of(fork);
    Rules parent = rules_of(fork_parents[static_cast<unsigned>(fork)]);
    if (parent.fork == fork)
        return false;
    parent.fork = fork;
    parent.bomb_delay_blocks = rules.bomb_delay_blocks;
    parent.blob_target = rules.blob_target;
    parent.blob_max = rules.blob_max;
    parent.blob_fee_update_fraction = rules.blob_fee_update_fraction;
    return parent == rules;
}

// What the loop does of an instruction before its body, by number; of the others, zeros.
struct OpcodeShape {
    int pops, pushes, depth, immediate;
};
constexpr std::array<OpcodeShape, 256> make_opcode_shapes() noexcept {
    std::array<OpcodeShape, 256> shapes{};
#define OPCODE(NUMBER, NAME, BODY, POPS, PUSHES, DEPTH, IMMEDIATE, SINCE, PRICE, EFFECT) \
    shapes[NUMBER] = {POPS, PUSHES, DEPTH, IMMEDIATE};
#include "opcodes.def"
#undef OPCODE
    return shapes;
}
inline constexpr std::array<OpcodeShape, 256> opcode_shapes = make_opcode_shapes();

// How many bytes behind an instruction are data, and no place to jump to. That holds for code of any age: an instruction that
// came later takes its immediate out of code that was deployed before, where 0x5b had been a JUMPDEST, and leaves it one
// (EIP-8024).
constexpr std::array<uint8_t, 256> make_data_bytes() noexcept {
    std::array<uint8_t, 256> bytes{};
#define OPCODE(NUMBER, NAME, BODY, POPS, PUSHES, DEPTH, IMMEDIATE, SINCE, PRICE, EFFECT) \
    if (is_in_all_forks(NUMBER))                                                         \
        bytes[NUMBER] = IMMEDIATE;
#include "opcodes.def"
#undef OPCODE
    return bytes;
}
inline constexpr std::array<uint8_t, 256> data_bytes = make_data_bytes();

// The price of an instruction if every fork that knows it agrees, else -1: lets the loop use an immediate.
constexpr int32_t fixed_gas(unsigned opcode) noexcept {
    int32_t price = -1;
    for (const Rules& rules : rules_table)
        if (rules.is_defined[opcode]) {
            if (price >= 0 && price != rules.base_gas[opcode])
                return -1;
            price = rules.base_gas[opcode];
        }
    return price;
}

}  // namespace evmcore
