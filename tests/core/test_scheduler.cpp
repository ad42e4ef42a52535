// The scheduler alone, with counters for work: each index counts on from a lower one, and may have to count again.
#include <doctest/doctest.h>

#include <random>

#include "core/parallel/pool.hpp"
#include "core/parallel/scheduler.hpp"

namespace {

using namespace evmcore;
using Claim = Scheduler::Claim;

struct Counters {
    Scheduler scheduler;
    std::vector<uint32_t> needs;  // of each index, the lower one whose value it adds 1 to; itself: none
    std::unique_ptr<std::atomic<uint64_t>[]> committed;
    std::vector<uint64_t> seen;
    uint64_t executions = 0, aborted = 0, order = 0;

    explicit Counters(std::vector<uint32_t> needed)
        : needs{std::move(needed)}, committed{new std::atomic<uint64_t>[needs.size() + 1]()}, seen(needs.size()) {}

    uint64_t below(uint32_t i) const { return needs[i] == i ? 0 : committed[needs[i]].load(); }
    void commit(uint32_t i) {
        committed[i].store(below(i) + 1);
        order = order * 31 + i;
    }
    void commit_ready() {
        uint32_t i;
        if (!scheduler.try_begin_commit())
            return;
        while (scheduler.ready(&i)) {
            const bool was_aborted = seen[i] != below(i);
            executions += 1 + was_aborted;
            aborted += was_aborted;
            commit(i);
            scheduler.advance(was_aborted);
        }
        scheduler.end_commit();
    }
    void work(int worker) {
        uint32_t i, end;
        schedule_enter(worker);
        for (;;) {
            commit_ready();
            const Claim claim = scheduler.claim(worker, &i, &end);
            if (claim == Claim::DONE)
                break;
            if (claim == Claim::EXECUTE) {
                seen[i] = below(i);
                scheduler.set_executed(i);
            } else if (claim == Claim::FALLBACK) {
                executions += end - i;
                for (; i < end; ++i)
                    commit(i);
                scheduler.finish_fallback(end);
            } else {
                std::this_thread::yield();
            }
        }
        schedule_leave();
    }
};

WorkerPool& pool_of(int workers) {
    static WorkerPool* pools[9] = {};
    if (pools[workers] == nullptr)
        pools[workers] = new WorkerPool(workers);
    return *pools[workers];
}

struct Setting {
    int workers = 2;
    uint32_t window = 64;
    const PredictedConflicts* predicted = nullptr;
};

// Runs the counters; checks that each was committed once, in order, on what was final. How many executions were aborted.
uint64_t run(const std::vector<uint32_t>& needs, const Setting& setting) {
    Counters counters{needs};
    const uint32_t count = static_cast<uint32_t>(needs.size());
    REQUIRE(counters.scheduler.reset(count, setting.window, setting.predicted));
    pool_of(setting.workers).run([](void* context, int worker) { static_cast<Counters*>(context)->work(worker); }, &counters);
    uint64_t order = 0;
    std::vector<uint64_t> values;
    bool is_right = true;
    for (uint32_t i = 0; i < count; ++i) {
        values.push_back(needs[i] == i ? 1 : values[needs[i]] + 1);
        is_right = is_right && counters.committed[i].load() == values[i];
        order = order * 31 + i;
    }
    CHECK(is_right);
    CHECK(counters.order == order);
    CHECK(counters.executions == count + counters.aborted);  // twice at the most
    return counters.aborted;
}

// Of so many indices, each of which reads up to `reads` of what any others are said to write.
PredictedConflicts anything(uint32_t count, int reads, std::mt19937_64& random) {
    PredictedConflicts predicted;
    ConflictFinder finder{&predicted};
    for (uint32_t i = 0; i < count; ++i) {
        for (int k = 0; k < reads; ++k)
            REQUIRE(finder.read(random() % (count + 1)));
        REQUIRE(finder.write(random() % (count + 1)));
        REQUIRE(finder.write(i));
        REQUIRE(finder.finish());
    }
    return predicted;
}

// What the counters do, to the letter.
PredictedConflicts truth(const std::vector<uint32_t>& needs) {
    PredictedConflicts predicted;
    ConflictFinder finder{&predicted};
    for (uint32_t i = 0; i < needs.size(); ++i) {
        REQUIRE(finder.read(needs[i]));
        REQUIRE(finder.write(i));
        REQUIRE(finder.finish());
    }
    return predicted;
}

std::vector<uint32_t> needs_of(int kind, uint32_t count, std::mt19937_64& random) {
    std::vector<uint32_t> needs;
    for (uint32_t i = 0; i < count; ++i) {
        const uint32_t before = i > 0 ? i - 1 : 0;
        needs.push_back(kind == 0   ? i
                        : kind == 1 ? before
                        : kind == 2 ? (i > 100 ? i - 100 : 0)
                        : kind == 3 ? static_cast<uint32_t>(random() % (i + 1))
                                    : (random() % 10 == 0 ? before : i));
    }
    return needs;
}

}  // namespace

TEST_CASE("every index is committed once, in order, on what is final") {
    std::mt19937_64 random{1};
    for (const int workers : {1, 2, 5})
        for (int kind = 0; kind < 5; ++kind)
            for (const uint32_t count : {0u, 1u, 2u, 2000u})
                for (const uint32_t window : {1u, 2u, 64u}) {
                    const uint64_t aborted = run(needs_of(kind, count, random), {workers, window});
                    CHECK((kind != 0 || aborted == 0));
                }
}

TEST_CASE("dependent work closes the window") {
    std::vector<uint32_t> chain;
    for (uint32_t i = 0; i < 5000; ++i)
        chain.push_back(i > 0 ? i - 1 : 0);
    // Without the fallback nearly all that is executed ahead would be aborted.
    CHECK(run(chain, {4, 128}) < 1500);
}

TEST_CASE("any order of the workers will do") {
    for (uint64_t seed = 0; seed < 500; ++seed) {
        std::mt19937_64 random{seed};
        const Setting setting{3, 1 + static_cast<uint32_t>(seed % 9)};
        ScheduleController controller{seed};
        schedule_controller.store(&controller);
        run(needs_of(3, 40, random), setting);
        schedule_controller.store(nullptr);
    }
}

TEST_CASE("an index waits for the last one that is predicted to write what it reads, once") {
    PredictedConflicts predicted;
    ConflictFinder finder{&predicted};
    for (uint32_t i = 0; i < 5; ++i) {
        for (const uint64_t key : {1, 2, 1})
            CHECK((i < 1 || finder.read(key)));
        for (const uint64_t key : {1, 2})
            CHECK((i > 2 || finder.write(key)));
        CHECK(finder.finish());
    }
    CHECK(std::vector<uint32_t>(predicted.earlier.begin(), predicted.earlier.end()) == std::vector<uint32_t>{0, 1, 2, 2});
    CHECK(std::vector<uint32_t>(predicted.ends.begin(), predicted.ends.end()) == std::vector<uint32_t>{0, 1, 2, 3, 4});
}

TEST_CASE("predicted conflicts are waited for, whatever they say") {
    std::mt19937_64 random{1};
    for (const int workers : {1, 2, 5})
        for (int kind = 0; kind < 5; ++kind)
            for (const uint32_t count : {1u, 2u, 2000u})
                for (const uint32_t window : {1u, 2u, 64u}) {
                    const auto needs = needs_of(kind, count, random);
                    for (const int reads : {0, 1, 7}) {
                        const PredictedConflicts predicted = anything(count, reads, random);
                        run(needs, {workers, window, &predicted});
                    }
                }
}

TEST_CASE("any order of the workers will do where they wait for each other") {
    for (uint64_t seed = 0; seed < 500; ++seed) {
        std::mt19937_64 random{seed};
        const auto needs = needs_of(3, 40, random);
        const PredictedConflicts predicted = seed % 2 ? truth(needs) : anything(40, static_cast<int>(seed % 8), random);
        const Setting setting{3, 1 + static_cast<uint32_t>(seed % 9), &predicted};
        ScheduleController controller{seed};
        schedule_controller.store(&controller);
        run(needs, setting);
        schedule_controller.store(nullptr);
    }
}
