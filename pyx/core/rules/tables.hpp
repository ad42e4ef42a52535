// The tables once more, as arrays of rows for those who show or test them. Frozen.
#pragma once

#include "../base/transaction.hpp"
#include "rules.hpp"

namespace evmcore {

struct OpcodeRow {
    int number;
    const char* name;
    int pops, pushes, depth, immediate;
    Fork since;
    const char* effect;
};
constexpr OpcodeRow opcode_rows[] = {
#define OPCODE(NUMBER, NAME, BODY, POPS, PUSHES, DEPTH, IMMEDIATE, SINCE, PRICE, EFFECT) \
    {NUMBER, #NAME, POPS, PUSHES, DEPTH, IMMEDIATE, Fork::SINCE, EFFECT},
#include "opcodes.def"
#undef OPCODE
};
constexpr size_t OPCODE_ROW_COUNT = sizeof(opcode_rows) / sizeof(opcode_rows[0]);

// A row leaves no more than the loop has checked that there is room for, names no number twice, and looks at what it takes.
constexpr bool opcode_rows_are_sound() noexcept {
    for (size_t i = 0; i < OPCODE_ROW_COUNT; ++i) {
        const OpcodeRow& row = opcode_rows[i];
        if (row.depth < row.pops || row.depth > parameter::stack_limit || (i > 0 && row.number <= opcode_rows[i - 1].number))
            return false;
    }
    return true;
}
static_assert(opcode_rows_are_sound(),
              "opcodes.def: in the order of their numbers, each once; depth is at least the items taken");

struct ForkRow {
    const char* name;
    Fork parent;  // the first fork's is itself
    const char* mainnet_name;
    const char* test_name;
    const char* other_names;
    const char* config_name;
    bool may_be_left_out;
};
constexpr ForkRow fork_rows[] = {
#define FORK(NAME, PARENT, MAINNET, TEST, OTHER, CONFIG) \
    {#NAME, Fork::PARENT, MAINNET, TEST, OTHER, CONFIG, may_be_left_out(Fork::NAME)},
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

struct PrecompileRow {
    int address;
    const char* name;
    Fork since;
    int eip;
    const char* effect;
};
constexpr PrecompileRow precompile_rows[] = {
#define PRECOMPILE(ADDRESS, NAME, STEM, SINCE, EIP, EFFECT) {ADDRESS, #NAME, Fork::SINCE, EIP, EFFECT},
#include "precompiles.def"
#undef PRECOMPILE
};
constexpr size_t PRECOMPILE_ROW_COUNT = sizeof(precompile_rows) / sizeof(precompile_rows[0]);

namespace detail {
#define FIELD(NAME) TransactionField::NAME,
#define TRANSACTION(TYPE, NAME, SINCE, EIP, EFFECT, FIELDS) constexpr TransactionField fields_of_##NAME[] = {FIELDS};
#include "transactions.def"
#undef TRANSACTION
#undef FIELD
}  // namespace detail

struct TransactionRow {
    int type;
    const char* name;
    Fork since;
    int eip;
    const char* effect;
    const TransactionField* fields;  // in the order of the wire form
    size_t field_count;
};
constexpr TransactionRow transaction_rows[] = {
#define FIELD(NAME)
#define TRANSACTION(TYPE, NAME, SINCE, EIP, EFFECT, FIELDS) \
    {TYPE,                                                  \
     #NAME,                                                 \
     Fork::SINCE,                                           \
     EIP,                                                   \
     EFFECT,                                                \
     detail::fields_of_##NAME,                              \
     sizeof(detail::fields_of_##NAME) / sizeof(TransactionField)},
#include "transactions.def"
#undef TRANSACTION
#undef FIELD
};
constexpr size_t TRANSACTION_ROW_COUNT = sizeof(transaction_rows) / sizeof(transaction_rows[0]);

struct ParameterRow {
    const char* name;
    int64_t value;
    const char* source;
};
constexpr ParameterRow parameter_rows[] = {
#define PARAMETER(NAME, VALUE, SOURCE) {#NAME, VALUE, SOURCE},
#define SYSTEM_ADDRESS(NAME, HEX, SOURCE)
#include "parameters.def"
#undef PARAMETER
#undef SYSTEM_ADDRESS
};
constexpr size_t PARAMETER_ROW_COUNT = sizeof(parameter_rows) / sizeof(parameter_rows[0]);

struct SystemAddressRow {
    const char* name;
    Address address;
    const char* source;
};
constexpr SystemAddressRow system_address_rows[] = {
#define PARAMETER(NAME, VALUE, SOURCE)
#define SYSTEM_ADDRESS(NAME, HEX, SOURCE) {#NAME, system_address::NAME, SOURCE},
#include "parameters.def"
#undef PARAMETER
#undef SYSTEM_ADDRESS
};
constexpr size_t SYSTEM_ADDRESS_ROW_COUNT = sizeof(system_address_rows) / sizeof(system_address_rows[0]);

}  // namespace evmcore
