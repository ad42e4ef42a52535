// The tables: rows that any program may rely on.
#include <doctest/doctest.h>

#include <set>
#include <string>

#include "core/base/status.hpp"
#include "core/parallel/tuning.hpp"
#include "core/rules/tables.hpp"

using namespace evmcore;

namespace {

bool descends(unsigned fork, Fork from) {
    while (fork != static_cast<unsigned>(from) && static_cast<unsigned>(fork_rows[fork].parent) != fork)
        fork = static_cast<unsigned>(fork_rows[fork].parent);
    return fork == static_cast<unsigned>(from);
}

}  // namespace

TEST_CASE("opcodes have a number and a name each, and stacks that fit") {
    std::set<int> numbers;
    std::set<std::string> names;
    for (const OpcodeRow& row : opcode_rows) {
        CHECK(numbers.insert(row.number).second);
        CHECK(names.insert(row.name).second);
        CHECK((row.number >= 0 && row.number < 256));
        CHECK((row.pops >= 0 && row.pops <= 18));
        CHECK((row.pushes >= 0 && row.pushes <= 18));
        CHECK(rules_of(row.since).is_defined[row.number]);
        for (unsigned fork = 0; fork < FORK_COUNT; ++fork)
            CHECK(rules_table[fork].is_defined[row.number] == descends(fork, row.since));
    }
}

TEST_CASE("a fork has its own place, a parent before it, and what the parent has") {
    std::set<std::string> names;
    for (unsigned fork = 0; fork < FORK_COUNT; ++fork) {
        const ForkRow& row = fork_rows[fork];
        const Rules& rules = rules_table[fork];
        const auto parent = static_cast<unsigned>(row.parent);
        CHECK(names.insert(row.name).second);
        CHECK(rules.fork == static_cast<Fork>(fork));
        CHECK((fork == 0 ? parent == 0 : parent < fork));
        CHECK(std::string{row.mainnet_name} != "");
        for (unsigned opcode = 0; opcode < 256; ++opcode) {
            if (rules_table[parent].is_defined[opcode])
                CHECK(rules.is_defined[opcode]);
            if (fixed_gas(opcode) >= 0 && rules.is_defined[opcode])
                CHECK(rules.base_gas[opcode] == fixed_gas(opcode));
        }
        CHECK((rules.precompiles & rules_table[parent].precompiles) == rules_table[parent].precompiles);
    }
    CHECK(descends(static_cast<unsigned>(NEWEST_FORK), Fork::FRONTIER));
}

TEST_CASE("prices and limits are those of the proposals that set them") {
    const auto gas = [](Fork fork, int number) { return rules_of(fork).base_gas[number]; };
    CHECK(gas(Fork::FRONTIER, 0x54) == 50);            // SLOAD
    CHECK(gas(Fork::TANGERINE_WHISTLE, 0x54) == 200);  // EIP-150
    CHECK(gas(Fork::ISTANBUL, 0x54) == 800);           // EIP-1884
    CHECK(gas(Fork::ISTANBUL, 0x31) == 700);           // BALANCE
    CHECK(!rules_of(Fork::LONDON).is_defined[0x5f]);   // PUSH0: EIP-3855
    CHECK(rules_of(Fork::SHANGHAI).is_defined[0x5f]);
    CHECK(rules_of(Fork::FRONTIER).block_reward_finney == 5000);
    CHECK(rules_of(Fork::BYZANTIUM).block_reward_finney == 3000);       // EIP-649
    CHECK(rules_of(Fork::CONSTANTINOPLE).block_reward_finney == 2000);  // EIP-1234
    CHECK(rules_of(Fork::PARIS).block_reward_finney == 0);              // EIP-3675
    CHECK(rules_of(Fork::HOMESTEAD).max_code_size_bytes == 0);
    CHECK(rules_of(Fork::SPURIOUS_DRAGON).max_code_size_bytes == 24576);  // EIP-170
    CHECK(rules_of(Fork::BERLIN).refund_quotient == 2);
    CHECK(rules_of(Fork::LONDON).refund_quotient == 5);           // EIP-3529
    CHECK(rules_of(Fork::ISTANBUL).calldata_nonzero_gas == 16);   // EIP-2028
    CHECK(rules_of(Fork::CANCUN).blob_max == 6);                  // EIP-4844
    CHECK(rules_of(Fork::PRAGUE).blob_max == 9);                  // EIP-7691
    CHECK(rules_of(Fork::PRAGUE).floor_zero_byte_gas == 10);      // EIP-7623
    CHECK(rules_of(Fork::AMSTERDAM).floor_zero_byte_gas == 64);   // EIP-7976
    CHECK(rules_of(Fork::OSAKA).transaction_gas_cap == 1 << 24);  // EIP-7825
}

TEST_CASE("precompiles and transaction types are there from their fork on") {
    std::set<int> addresses;
    for (size_t i = 0; i < PRECOMPILE_ROW_COUNT; ++i) {
        CHECK(addresses.insert(precompile_rows[i].address).second);
        for (unsigned fork = 0; fork < FORK_COUNT; ++fork)
            CHECK((rules_table[fork].precompiles >> i & 1) == descends(fork, precompile_rows[i].since));
    }
    std::set<int> types;
    for (const TransactionRow& row : transaction_rows) {
        CHECK(types.insert(row.type).second);
        CHECK(row.field_count > 0);
        for (unsigned fork = 0; fork < FORK_COUNT; ++fork)
            CHECK(rules_table[fork].has_transaction_type[row.type] == descends(fork, row.since));
    }
    for (unsigned type = 0; type < 128; ++type)
        CHECK(rules_of(NEWEST_FORK).has_transaction_type[type] == (types.count(static_cast<int>(type)) != 0));
}

TEST_CASE("statuses have names of their own") {
    std::set<std::string> names;
    for (unsigned status = 0; status < STATUS_COUNT; ++status)
        CHECK(names.insert(name_of(static_cast<Status>(status))).second);
    CHECK(kind_of(Status::SUCCESS) == Kind::OK);
    CHECK(kind_of(Status::OUT_OF_MEMORY) == Kind::BROKEN);
}

TEST_CASE("tuning starts with what the table says, and can be set by row") {
    const Tuning before = tuning;
    for (size_t row = 0; row < TUNING_ROW_COUNT; ++row) {
        CHECK(tuning_value(row) == tuning_rows[row].standard);
        set_tuning_value(row, 0);
        CHECK(tuning_value(row) == 0);
    }
    tuning = before;
    CHECK(tuning_value(0) == tuning_rows[0].standard);
}
