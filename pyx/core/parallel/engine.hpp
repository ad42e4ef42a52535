// One block on several workers: the job, its multi-version state, the scheduler, and each worker's machine and memory.
// The procedure that drives it is optimistic.pxi.
#pragma once

#include <algorithm>

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
    // Of the run that is going on: whether what it sees may change, and how often its worker has looked up from it.
    bool is_speculative = false;
    bool is_doomed = false;
    uint32_t looks = 0;
    const Address* sender = nullptr;
    bool (*signals)(void*) = nullptr;  // the poll hook of the thread that Python's signals reach
    void* signals_context = nullptr;

    uint64_t executions = 0;
    uint64_t conflicts = 0;        // runs that were discarded:
    uint64_t early_conflicts = 0;  // of these, found before the transaction's turn,
    uint64_t aborted_runs = 0;     // and stopped while they ran
    uint64_t alone = 0;            // transactions that ran while the other workers rested
    uint64_t wasted_gas = 0;
    double busy_seconds = 0;     // at work on the block, not waiting for it

    void clear_counts() noexcept {
        executions = conflicts = early_conflicts = aborted_runs = alone = wasted_gas = 0;
        busy_seconds = 0;
    }

    // The poll hook: signals, and whether the run is doomed, since something that it read has been written below it. A run
    // looks from the second time on, when it has gone on for tens of microseconds: a short one ends before that pays.
    static bool look_up(void* context) noexcept {
        auto* worker = static_cast<EngineWorker*>(context);
        if (worker->signals != nullptr && worker->signals(worker->signals_context))
            return true;
        // The second time, the fourth, the eighth …
        if (!worker->is_speculative || ++worker->looks < 2 || (worker->looks & (worker->looks - 1)) != 0)
            return false;
        worker->is_doomed = !worker->state->is_current(worker->transaction, &worker->machine.journal, *worker->sender);
        return worker->is_doomed;
    }

    StateView view() noexcept {
        StateView view;
        view.context = this;
        view.account = [](void* context, const Address& address, AccountState* out) noexcept {
            auto* worker = static_cast<EngineWorker*>(context);
            schedule_point(SchedulePoint::READ);
            return worker->state->account(worker->transaction, address, out);
        };
        view.slot = [](void* context, const Address& address, uint32_t place, const u256& key, SlotState* out) noexcept {
            auto* worker = static_cast<EngineWorker*>(context);
            schedule_point(SchedulePoint::READ);
            return worker->state->slot(worker->transaction, address, place, key, out);
        };
        return view;
    }
};

// What the engine knows of a transaction beside its outcome.
struct alignas(64) EngineTask {
    bool is_exact = false;      // ran with everything below it committed
    bool is_published = false;  // its writes are on show
    bool was_wasted = false;    // a run of it was discarded
    int64_t waited_for = -1;    // whose writes made it run again
    uint64_t finish_gas = 0;    // when it could have finished on processors without number, in gas (recorded runs)
};

struct Engine {
    Pool pool;
    BlockJob* job = nullptr;
    MultiVersion state;
    Scheduler scheduler;
    std::vector<EngineWorker*> workers;
    std::vector<VersionArena*> arenas;
    std::vector<EngineTask> tasks;
    struct Sketch {
        uint64_t gas_limit;
        bool is_light;
        bool is_like_next;  // calls the same contract
    };
    std::vector<Sketch> sketches;  // of each transaction; used while a block begins
    Status status = Status::RUNNING;  // owned by whoever commits
    std::atomic<uint32_t> next_item{0};
    // Worker 0 begins the block while the others wake. published: by worker 0; what it set up goes with it.
    enum Gate : uint32_t { CLOSED, OPEN, CANCELLED };
    std::atomic<uint32_t> gate{CLOSED};
    size_t cells = 0;                      // how many accounts, and slots, the multi-version state may hold
    size_t room = 1;                       // times what a block is expected to need
    bool records = false;                  // keep the effects and find dependencies
    uint64_t critical_path_gas = 0;
    uint32_t patience = 0;
    bool is_fuzzed = false;                // by schedules: blocks are small, so all that is rare comes at once

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

    // How far ahead of the frontier workers may run: far enough that a transaction which takes a third of the block's time
    // doesn't stall the others, near enough to bound what is held in store.
    static constexpr uint32_t WINDOW_PER_WORKER = 64;

    // Turns of waiting before a worker looks ahead: most waits are shorter.
    static constexpr uint32_t PATIENCE = 64;

    void begin_workers(BlockJob* block) noexcept {
        job = block;
        status = Status::RUNNING;
        is_fuzzed = schedule_controller.load(std::memory_order_relaxed) != nullptr;
        patience = is_fuzzed ? 0 : PATIENCE;
        for (EngineWorker* worker : workers) {
            worker->state = &state;
            worker->clear_counts();
            worker->is_speculative = worker->is_doomed = false;
            worker->signals = nullptr;
            Poll& poll = worker->machine.poll;
            if (worker == workers[0] && poll.hook != EngineWorker::look_up) {
                worker->signals = poll.hook;
                worker->signals_context = poll.hook_context;
            }
            poll.hook = EngineWorker::look_up;
            poll.hook_context = worker;
            poll.interval = is_fuzzed ? 1 : Poll::HOOK_INTERVAL;
            poll.countdown = poll.interval;
        }
    }

    // Starts on a job whose outcomes are fresh. OUT_OF_MEMORY when it can't.
    Status begin(BlockJob* block) noexcept {
        begin_workers(block);
        state.repairs = state.slot_repairs = 0;
        critical_path_gas = 0;
        const size_t count = block->transactions.size();
        const uint64_t limits = look_over();
        // Limits may sum up to more than is used.
        const uint64_t gas = limits < block->context.gas_limit ? limits : block->context.gas_limit;
        // The cheapest cell is a slot in an access list, 1,900 gas, that is written, 2,900; and some are never committed.
        // Before EIP-150 contracts that destroy themselves make accounts for less: then it takes more room.
        cells = std::min(std::min(static_cast<size_t>(gas / 3000) + 6 * count + 4096, MAX_CELLS) * room, MAX_CELLS);
        if (tasks.size() < count)
            tasks.resize(count);  // each is reset by whoever runs it first
        const bool is_ready = state.reset(block->world, block->rules->deletes_empty_accounts, cells) &&
                              scheduler.reset(static_cast<uint32_t>(count),
                                              WINDOW_PER_WORKER * static_cast<uint32_t>(workers.size()),
                                              is_fuzzed ? 2 : Scheduler::ALONE_LEAST,
                                              is_fuzzed ? 2 : Scheduler::WASTE_MEMORY);
        if (!is_ready)
            return Status::OUT_OF_MEMORY;
        // From the end, so that a batch goes to the end of its run at the most.
        size_t light = 0, alike = 0;
        for (size_t i = count; i-- > 0;) {
            light = sketches[i].is_light ? light + 1 : 0;
            alike = sketches[i].is_like_next ? alike + 1 : 1;
            const size_t batch = light > 1 ? (light < LIGHT_BATCH ? light : LIGHT_BATCH)
                                           : (alike < ALIKE_BATCH ? alike : ALIKE_BATCH);
            scheduler.set_batch(static_cast<uint32_t>(i), static_cast<uint8_t>(batch));
        }
        if (workers.size() > 1) {
            set_early(limits);
            set_soon(limits);
        }
        return Status::RUNNING;
    }

    // Takes from each transaction what its handing out depends on, since they are too large to be gone through twice.
    // Returns the sum of the gas limits, each as far as the block has room for it.
    uint64_t look_over() noexcept {
        const std::vector<Transaction*>& transactions = job->transactions;
        sketches.resize(transactions.size());
        uint64_t limits = 0;
        for (size_t i = 0; i < transactions.size(); ++i) {
            const Transaction& tx = *transactions[i];
            const uint64_t limit = tx.gas_limit < job->context.gas_limit ? tx.gas_limit : job->context.gas_limit;
            sketches[i] = {limit, is_light(tx), false};
            if (i > 0)
                sketches[i - 1].is_like_next = tx.to == transactions[i - 1]->to;
            limits += limit;
        }
        return limits;
    }

    // Transactions whose gas limit is a large part of all limits begin first, on up to half of the workers: each that turns
    // out to be long would otherwise begin late and leave the others idle. If it reads what others write it is stopped.
    void set_early(uint64_t limits) noexcept {
        const uint32_t worker_count = static_cast<uint32_t>(workers.size());
        const uint64_t least = limits / (is_fuzzed ? 8 : 4) / worker_count + 1;
        std::vector<uint32_t> heavy;
        for (uint32_t i = worker_count; i < sketches.size(); ++i)
            if (sketches[i].gas_limit >= least)
                heavy.push_back(i);
        std::stable_sort(heavy.begin(), heavy.end(),
                         [&](uint32_t a, uint32_t b) { return sketches[a].gas_limit > sketches[b].gas_limit; });
        for (size_t k = 0; k < heavy.size() && k < worker_count / 2; ++k)
            scheduler.set_early(heavy[k]);
    }

    // Those near the end that would outlast what the other workers have left to do begin when half of the gas has been handed
    // out, from the last one back.
    void set_soon(uint64_t limits) noexcept {
        const uint32_t others = static_cast<uint32_t>(workers.size()) - 1;
        const uint64_t least = limits / (is_fuzzed ? 16 : SOON_SHARE) + 1;
        uint32_t half = 0;
        for (uint64_t sum = 0; half < sketches.size() && sum < limits / 2; ++half)
            sum += sketches[half].gas_limit;
        uint64_t behind = 0;
        for (uint32_t i = static_cast<uint32_t>(sketches.size()); i-- > half;) {
            const uint64_t limit = sketches[i].gas_limit;
            if (limit < least || limit <= behind / others || !scheduler.set_soon(i, half))
                behind += limit;
        }
    }
    // The least share of the gas for that. Small, since a gas may take ten times as long as most: a proof that is verified.
    static constexpr uint64_t SOON_SHARE = 64;

    // A payment takes about a microsecond, most programs ten and more, and a sender to be recovered fifty.
    static constexpr size_t LIGHT_BATCH = 8;
    // Half of all conflicts are between neighbours, and most of those call one contract: one worker does them in turn.
    static constexpr size_t ALIKE_BATCH = 4;
    static bool is_light(const Transaction& tx) noexcept {
        return tx.knows_sender() && (tx.gas_limit < 30'000 || (tx.data.empty() && tx.gas_limit < 100'000));
    }

    // Finds what transaction i, about to commit, depends on; sets its finish.
    void trace_dependencies(uint32_t i) noexcept {
        const Outcome& outcome = job->outcomes[i];
        uint64_t ready = 0;
        state.for_each_dependency(outcome.effects, job->transactions[i]->sender, [&](uint32_t j) {
            if (j != i && tasks[j].finish_gas > ready)
                ready = tasks[j].finish_gas;
        });
        tasks[i].finish_gas = ready + static_cast<uint64_t>(outcome.gas_used);
        if (tasks[i].finish_gas > critical_path_gas)
            critical_path_gas = tasks[i].finish_gas;
    }
    // The latest transaction below i that wrote what a discarded run of i had read.
    void find_conflict(uint32_t i) noexcept {
        state.for_each_dependency(job->outcomes[i].effects, job->transactions[i]->sender, [&](uint32_t j) {
            if (static_cast<int64_t>(j) > tasks[i].waited_for && j < i)
                tasks[i].waited_for = j;
        });
    }
    // Writes what is committed to the world and starts again on it. When no other worker is at work.
    Status settle() noexcept {
        Status status = state.fold(job->world, arenas.data(), arenas.size());
        if (status == Status::MISSING_STATE) {
            job->missing.address = job->context.coinbase;  // the one account that is credited unseen
            job->missing.is_slot = false;
        }
        end();
        if (status == Status::RUNNING && !state.reset(job->world, job->rules->deletes_empty_accounts, cells))
            status = Status::OUT_OF_MEMORY;
        return status;
    }
    void end() noexcept {
        state.forget(arenas.data(), arenas.size());
        for (EngineWorker* worker : workers)
            worker->arena.clear();
    }
    bool has_all_room() const noexcept { return cells == MAX_CELLS; }
    void stop_all() noexcept {
        scheduler.stop();
        // Release: a worker that takes back its own abort finds that the scheduler was stopped.
        for (EngineWorker* worker : workers)
            worker->machine.poll.abort.store(true, std::memory_order_release);
    }
    // After a run of the worker: whether it was stopped because it was doomed; then it may be run again.
    bool take_doom(EngineWorker* worker) noexcept {
        if (!worker->is_doomed)
            return false;
        worker->is_doomed = false;
        worker->machine.poll.abort.exchange(false, std::memory_order_acq_rel);
        if (!scheduler.is_stopped())
            return true;
        worker->machine.poll.abort.store(true, std::memory_order_relaxed);
        return false;
    }

    // The hard cap on speculative memory, in accounts and as many slots that the state doesn't have: 4 million, about a
    // gigabyte. Of those that it has there is one cell each at the most, or as many again a worker.
    static constexpr size_t MAX_CELLS = size_t{1} << 22;
};

}  // namespace evmcore
