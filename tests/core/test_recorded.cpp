// Execution with an access list: what a block did, said beforehand, gives the same; what it didn't do is found.
#include <doctest/doctest.h>

#include "toy.hpp"

namespace {

using namespace toy;

struct Rows {
    std::vector<AccountAccess> accounts;
    std::vector<SlotAccess> slots;
};

// Executes the block one transaction at a time, with versions, and keeps what each read and wrote.
Status record(Case* block, Rows* rows, Result* result) {
    std::unique_ptr<World> world{block->world.clone()};
    BlockJob job;
    block->open_job(&job, world.get());
    Engine* engine = engine_of(2);
    engine->job = &job;
    engine->records = true;
    engine->room = 1;
    const Status status = execute_optimistically(engine);
    *result = result_of(status, &job);
    for (uint32_t i = 0; status == Status::RUNNING && i < job.transactions.size(); ++i) {
        const Effects& effects = job.outcomes[i].effects;
        for (const AccountEffect& effect : effects.accounts) {
            AccountAccess row{};
            row.transaction = i;
            std::memcpy(row.address, effect.address.bytes, 20);
            row.reads = effect.reads;
            row.writes = effect.writes;
            row.nonce = effect.writes & WROTE_NONCE ? effect.nonce : 0;
            row.code = -1;
            to_big_endian(effect.balance_after, row.balance);
            rows->accounts.push_back(row);
        }
        for (const SlotEffect& effect : effects.slots) {
            SlotAccess row{};
            row.transaction = i;
            std::memcpy(row.address, effects.accounts[effect.account].address.bytes, 20);
            to_big_endian(effect.key, row.slot);
            to_big_endian(effect.value, row.value);
            row.is_write = effect.is_write;
            rows->slots.push_back(row);
        }
    }
    return status;
}

Result run_recorded(Case* block, const Rows& rows, int workers) {
    AccessList list;
    const uint32_t count = static_cast<uint32_t>(block->transactions.size());
    Poll poll;
    REQUIRE(list.build(rows.accounts.data(), rows.accounts.size(), rows.slots.data(), rows.slots.size(), nullptr, 0, nullptr,
                       count, &poll) == Status::RUNNING);
    std::unique_ptr<World> world{block->world.clone()};
    BlockJob job;
    block->open_job(&job, world.get());
    Engine* engine = engine_of(workers);
    engine->job = &job;
    const Status status = execute_recorded(engine, &list);
    return result_of(status, &job);
}

}  // namespace

TEST_CASE("recorded accesses give the sequential result, and a wrong one is found") {
    int wrong = 0;
    for (uint64_t seed = 0; seed < 400; ++seed) {
        Case block{seed, 25};
        const Result want = run_sequentially(&block);
        Rows rows;
        Result recorded;
        if (record(&block, &rows, &recorded) != Status::RUNNING)
            continue;
        CHECK_MESSAGE(recorded == want, "seed " << seed);
        CHECK_MESSAGE(run_recorded(&block, rows, 1 + static_cast<int>(seed % 4)) == want, "seed " << seed);
        for (SlotAccess& row : rows.slots)
            if (row.is_write) {
                row.value[31] ^= 1;
                const Result have = run_recorded(&block, rows, 3);
                CHECK_MESSAGE((have.status == Status::ACCESSES_DIFFER || have.status == Status::GAS_ALLOWANCE_EXCEEDED ||
                               kind_of(have.status) == Kind::INVALID),
                              "seed " << seed);
                ++wrong;
                break;
            }
    }
    CHECK(wrong > 50);
}
