// One block on several workers: the job, its multi-version state, the scheduler, and each worker's machine and memory.
// The procedure that drives it is parallel.pxi.
#pragma once

#include "../state/multiversion.hpp"
#include "../vm/block_job.hpp"
#include "pool.hpp"
#include "scheduler.hpp"

namespace evmcore {

struct EngineWorker {
    Machine machine;
    VersionArena arena;
    MultiVersion* state = nullptr;
    uint32_t transaction = 0;    // which one it runs: what the view answers depends on it
    uint64_t executions = 0;
    uint64_t conflicts = 0;
    uint64_t wasted_gas = 0;
    double busy_seconds = 0;

    StateView view() noexcept {
        StateView view;
        view.context = this;
        view.account = [](void* context, const Address& address, AccountState* out) noexcept {
            auto* worker = static_cast<EngineWorker*>(context);
            schedule_point(SchedulePoint::READ);
            return worker->state->account(worker->transaction, address, out);
        };
        view.slot = [](void* context, const Address& address, const u256& key, u256* out) noexcept {
            auto* worker = static_cast<EngineWorker*>(context);
            schedule_point(SchedulePoint::READ);
            return worker->state->slot(worker->transaction, address, key, out);
        };
        return view;
    }
};

// What the engine knows of a transaction beside its outcome.
struct EngineTask {
    bool is_exact = false;      // ran with everything below it committed
    bool is_published = false;
};

struct Engine {
    Pool pool;
    BlockJob* job = nullptr;
    MultiVersion state;
    Scheduler scheduler;
    std::vector<EngineWorker*> workers;
    std::vector<VersionArena*> arenas;
    std::vector<EngineTask> tasks;
    Status status = Status::RUNNING;  // owned by whoever commits
    std::atomic<uint32_t> next_item{0};
    const Rules* rules = nullptr;

    explicit Engine(int count) noexcept : pool{count} {
        for (int i = 0; i < count; ++i) {
            workers.push_back(new EngineWorker);
            arenas.push_back(&workers.back()->arena);
        }
    }
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    bool allocate() noexcept {
        for (EngineWorker* worker : workers)
            if (!worker->machine.allocate())
                return false;
        return true;
    }

    // How far ahead of the frontier workers may run: far enough that a long transaction doesn't stall them, near enough
    // that what they read is nearly final.
    static constexpr uint32_t WINDOW_PER_WORKER = 8;

    // Starts on a job whose outcomes are fresh. OUT_OF_MEMORY when it can't.
    Status begin(BlockJob* block) noexcept {
        job = block;
        status = Status::RUNNING;
        const size_t count = block->transactions.size();
        uint64_t gas = 0;
        for (const Transaction* tx : block->transactions)
            gas += tx->gas_limit < block->context.gas_limit ? tx->gas_limit : block->context.gas_limit;
        if (gas > block->context.gas_limit * 2)
            gas = block->context.gas_limit * 2;  // limits may sum up to more than is used
        // The cheapest new cell costs a first write, 2,900 gas and more.
        size_t capacity = static_cast<size_t>(gas / 2500) + 6 * count + 1024;
        if (capacity > MAX_CELLS)
            capacity = MAX_CELLS;
        tasks.assign(count, EngineTask{});
        for (EngineWorker* worker : workers) {
            worker->state = &state;
            worker->executions = worker->conflicts = worker->wasted_gas = 0;
            worker->busy_seconds = 0;
        }
        const bool is_ready = state.reset(block->world, block->rules->deletes_empty_accounts, capacity) &&
                              scheduler.reset(static_cast<uint32_t>(count),
                                              WINDOW_PER_WORKER * static_cast<uint32_t>(workers.size()));
        return is_ready ? Status::RUNNING : Status::OUT_OF_MEMORY;
    }
    void end() noexcept {
        for (EngineWorker* worker : workers)
            worker->arena.clear();
    }
    void stop_all() noexcept {
        scheduler.stop();
        for (EngineWorker* worker : workers)
            worker->machine.poll.abort.store(true, std::memory_order_relaxed);
    }

    // The hard cap on speculative memory: 4 million accounts and as many slots, about a gigabyte.
    static constexpr size_t MAX_CELLS = size_t{1} << 22;
};

}  // namespace evmcore
