// The law of the parallel floor: whatever the workers and the schedule, the result is the sequential one.
#include <doctest/doctest.h>

#include <cstdlib>

#include "toy.hpp"

namespace {

using namespace toy;

// EVMCORE_SEEDS=N: so many blocks, or schedules, in place of a test's own number.
uint64_t seeds(uint64_t usual) {
    const char* wanted = std::getenv("EVMCORE_SEEDS");
    return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : usual;
}

void check_schedule(uint64_t seed, ExecutionCounts* counts) {
    const int workers = 2 + static_cast<int>(seed % 3);
    Case block{seed / 4, 12};
    tuning.tracking_start = seed % 2 * 64;
    const Result want = run_sequentially(&block);
    ScheduleController controller{seed};
    schedule_controller.store(&controller);
    const Result have = run_optimistically(&block, workers, counts);
    schedule_controller.store(nullptr);
    CHECK_MESSAGE(have == want, "seed " << seed);
}

}  // namespace

TEST_CASE("any schedule gives the sequential result, and the schedules come by all that is rare") {
    SmallTuning small;
    ExecutionCounts counts;
    for (uint64_t seed = 0; seed < seeds(10'000); ++seed)
        check_schedule(seed, &counts);
    CHECK(counts.aborted > 0);
    CHECK(counts.rebased > counts.rebased_slots);
    CHECK(counts.rebased_slots > 0);
    CHECK(counts.fallback_transactions > 0);
}

TEST_CASE("any number of workers gives the sequential result as fast as they go") {
    for (uint64_t seed = 0; seed < seeds(400); ++seed) {
        Case block{seed, 40 + seed % 5 * 60};
        const Result want = run_sequentially(&block);
        for (const int workers : {1, 2, 3, 8})
            CHECK_MESSAGE(run_optimistically(&block, workers) == want, "seed " << seed << ", " << workers << " workers");
    }
}

TEST_CASE("no switch changes a result") {
    const auto all = tuning;
    for (size_t row = 0; row < TUNING_ROW_COUNT; ++row) {
        if (tuning_rows[row].unit != nullptr)
            continue;
        SmallTuning small;
        set_tuning_value(row, 0);
        for (uint64_t seed = 0; seed < seeds(60); ++seed) {
            Case block{seed, 30};
            const Result want = run_sequentially(&block);
            CHECK_MESSAGE(run_optimistically(&block, 3) == want, tuning_rows[row].name << ", seed " << seed);
        }
    }
    CHECK(tuning.window_per_worker == all.window_per_worker);
}

TEST_CASE("groups give the sequential result") {
    for (uint64_t seed = 0; seed < 300; ++seed) {
        Case block{seed, 30};
        const Result want = run_sequentially(&block);
        std::unique_ptr<World> world{block.world.clone()};
        BlockJob job;
        block.open_job(&job, world.get());
        REQUIRE(job.reset_results());
        Machine* machine = sequential_machine();
        for (uint32_t i = 0; i < job.transactions.size(); ++i)
            execute_on_base(machine, &job, &HOOKS, i);
        const Status status = commit_in_order(machine, &job, &HOOKS);
        CHECK_MESSAGE(result_of(status, &job) == want, "seed " << seed);
    }
}

TEST_CASE("after each block nothing hangs on the base state's records") {
    for (uint64_t seed = 0; seed < 50; ++seed) {
        Case block{seed, 40};
        std::unique_ptr<World> world{block.world.clone()};
        BlockJob job;
        block.open_job(&job, world.get());
        Engine* engine = engine_of(2);
        engine->job = &job;
        (void)execute_optimistically(engine);
        for (size_t i = 0; i < world->account_count(); ++i)
            CHECK(world->record(i).versions.get<void>() == nullptr);
    }
}
