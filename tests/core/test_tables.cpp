// The tables: rows that any program may rely on.
#include <doctest/doctest.h>

#include <set>
#include <string>

#include "core/base/status.hpp"
#include "core/parallel/tuning.hpp"
#include "core/rules/tables.hpp"

using namespace evmcore;

TEST_CASE("opcodes have a number and a name each, and stacks that fit") {
    std::set<int> numbers;
    std::set<std::string> names;
    for (const OpcodeRow& row : opcode_rows) {
        CHECK(numbers.insert(row.number).second);
        CHECK(names.insert(row.name).second);
        CHECK((row.number >= 0 && row.number < 256));
        CHECK((row.pops >= 0 && row.pops <= 18));
        CHECK((row.pushes >= 0 && row.pushes <= 18));
        const bool is_defined_at_last = rules_table[FORK_COUNT - 1].is_defined[row.number];
        CHECK(is_defined_at_last);
        for (unsigned fork = 0; fork < FORK_COUNT; ++fork)
            CHECK(rules_table[fork].is_defined[row.number] == (fork >= static_cast<unsigned>(row.since)));
    }
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
