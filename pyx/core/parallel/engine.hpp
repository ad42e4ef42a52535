// One block on several workers: the threads, each worker's machine and counts, the block's multi-version memory and scheduler.
// How a block is executed on them is in optimistic.cpp (its accesses are unknown) and recorded.cpp (it has an access list).
#pragma once

#include "hooks.hpp"
#include "multiversion.hpp"
#include "pool.hpp"
#include "scheduler.hpp"
#include "waiting.hpp"

namespace evmcore {

// One thread's share of an engine. Owned by that thread while a block runs.
struct EngineWorker {
    Machine machine;
    VersionArena arena;
    MultiVersionMemory* memory = nullptr;
    uint32_t transaction = 0;  // under execution, which the view answers for
    ExecutionCounts counts;
    double busy_seconds = 0;  // executing and committing, not waiting

    StateView view() noexcept;
};

// What the engine knows of a transaction beside its outcome. In a cache line of its own: neighbours are different workers'.
struct alignas(64) TransactionState {
    bool is_exact = false;    // executed with everything below it committed
    bool is_written = false;  // its writes are in multi-version memory
    int64_t waited_for = -1;  // the last writer of what its aborted execution read; -1: none was aborted
    uint64_t finish_gas = 0;  // when it could have finished on unlimited workers, in gas (recorded blocks)
};

struct Engine {
    WorkerPool pool;
    const ExecutionHooks* hooks = nullptr;
    BlockJob* job = nullptr;
    MultiVersionMemory memory;
    Scheduler scheduler;
    Vector<EngineWorker*> workers;
    Vector<VersionArena*> arenas;
    Vector<TransactionState> transactions;
    Status status = Status::RUNNING;  // owned by the worker that commits
    std::atomic<uint32_t> next_item{0};
    const PredictedConflicts* predicted = nullptr;  // borrowed; null or empty: nobody has predicted any
    bool records = false;                           // keep the effects, and find each transaction's dependencies
    size_t room = 1;                                // times as many versions as a block is expected to need
    uint64_t critical_path_gas = 0;

    explicit Engine(int count) noexcept : pool{count} {}
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    bool allocate() noexcept;  // the workers; once, before anything else. False without memory

    // Executes `work` on all workers, after `hooks->begin_block` and `prepare` on the caller, who is worker 0; the threads wake meanwhile.
    // Returns why the block can't begin, or RUNNING when all have ended.
    template <class Prepare, class Work>
    Status execute_block(Prepare prepare, Work work) noexcept;

    // Between blocks: gives memory back but for 16 MiB of each part of a worker's versions and of the engine's own, and what a machine
    // keeps.
    void trim() noexcept;
    // Whether multi-version memory has reached its cap.
    bool has_all_room() const noexcept { return cells_ == MAX_CELLS; }
    void stop_all() noexcept;

    // Parts of optimistic execution that use more than one of the members above.
    Status begin_optimistic() noexcept;
    // Writes what is committed to the base state and empties multi-version memory; when no worker executes.
    Status flush() noexcept;
    void end_optimistic() noexcept;
    // Finds the dependencies of transaction i, at the commit index; sets its finish_gas.
    void trace_dependencies(uint32_t i) noexcept;
    // Sets waited_for, where blocks are recorded.
    void find_conflict(uint32_t i) noexcept;

private:
    // The cap on multi-version memory: 4 million accounts, and as many slots that the base state doesn't have, about a gigabyte. Of those
    // that it has there is one entry each at the most, or one a worker.
    static constexpr size_t MAX_CELLS = size_t{1} << 22;

    // Worker 0 prepares the block while the others wake. published: by worker 0; what it prepared goes with it.
    enum Gate : uint32_t { CLOSED, OPEN, CANCELLED };
    std::atomic<uint32_t> gate_{CLOSED};
    size_t cells_ = 0;  // how many accounts, and slots, the multi-version memory may hold

    bool wait_at_gate() noexcept;
    void open_workers() noexcept;
};

template <class Prepare, class Work>
Status Engine::execute_block(Prepare prepare, Work work) noexcept {
    struct Context {
        Engine* engine;
        Work* work;
    } context{this, &work};
    const auto start = [](void* pointer, int worker) {
        auto* self = static_cast<Context*>(pointer);
        if (!self->engine->wait_at_gate())
            return;
        EngineWorker* own = self->engine->workers[static_cast<size_t>(worker)];
        self->engine->hooks->open(&own->machine, self->engine->job);
        (*self->work)(own, worker);
    };
    gate_.store(CLOSED, std::memory_order_relaxed);
    critical_path_gas = 0;
    pool.start(start, &context);
    Machine* machine = &workers[0]->machine;
    hooks->open(machine, job);
    Status begun = job->reset_results() ? hooks->begin_block(machine, job) : Status::OUT_OF_MEMORY;
    if (begun == Status::RUNNING) {
        open_workers();
        begun = prepare();
    }
    gate_.store(begun == Status::RUNNING ? OPEN : CANCELLED, std::memory_order_release);
    if (begun == Status::RUNNING)
        start(&context, 0);
    pool.join();
    if (begun != Status::RUNNING)
        return begun;
    for (EngineWorker* worker : workers) {
        job->counts.add(worker->counts);
        if (worker->machine.poll.abort.exchange(false, std::memory_order_relaxed) && status == Status::RUNNING)
            status = Status::ABORTED;
    }
    return status;
}

// Executes the engine's job without an access list, with its `room` and `records`.
Status execute_optimistically(Engine* engine) noexcept;

}  // namespace evmcore
