// How a block begins and ends on an engine, and what its workers' views answer.
#include "engine.hpp"

#include <algorithm>

namespace evmcore {

StateView EngineWorker::view() noexcept {
    StateView view;
    view.context = this;
    view.account = [](void* context, const Address& address, AccountState* out) noexcept {
        auto* worker = static_cast<EngineWorker*>(context);
        schedule_point(SchedulePoint::READ);
        return worker->memory->account(worker->transaction, address, out);
    };
    view.slot = [](void* context, const Address& address, uint32_t place, const u256& key, SlotState* out) noexcept {
        auto* worker = static_cast<EngineWorker*>(context);
        schedule_point(SchedulePoint::READ);
        return worker->memory->slot(worker->transaction, address, place, key, out);
    };
    return view;
}

bool Engine::allocate() noexcept {
    const size_t count = static_cast<size_t>(pool.workers());
    if (!workers.reserve(count) || !arenas.reserve(count))
        return false;
    while (workers.size() < count) {
        auto* worker = new (std::nothrow) EngineWorker;
        if (worker == nullptr)
            return false;
        (void)workers.push_back(worker);
        (void)arenas.push_back(&worker->arena);
        if (!worker->machine.allocate())
            return false;
    }
    return true;
}

void Engine::trim() noexcept {
    constexpr size_t KEPT_BYTES = size_t{16} << 20;
    for (EngineWorker* worker : workers) {
        worker->machine.trim();
        worker->arena.trim(KEPT_BYTES);
    }
    memory.trim(KEPT_BYTES);
    transactions.trim(KEPT_BYTES);
}

bool Engine::wait_at_gate() noexcept {
    uint32_t state;
    // Acquire: what worker 0 prepared is visible once the gate is open.
    while ((state = gate_.load(std::memory_order_acquire)) == CLOSED)
        std::this_thread::yield();
    return state == OPEN;
}

void Engine::open_workers() noexcept {
    status = Status::RUNNING;
    for (EngineWorker* worker : workers) {
        worker->memory = &memory;
        worker->counts = ExecutionCounts{};
        worker->busy_seconds = 0;
    }
}

Status Engine::begin_optimistic() noexcept {
    const size_t count = job->transactions.size();
    // Each of the transactions is reset by the worker that executes it first.
    if (transactions.size() < count && !transactions.resize(count))
        return Status::OUT_OF_MEMORY;
    // Limits may sum up to more than is used.
    uint64_t gas = 0;
    for (size_t i = 0; i < count && gas < job->context.gas_limit; ++i)
        gas += std::min(job->transactions[i]->gas_limit, job->context.gas_limit);
    gas = std::min(gas, job->context.gas_limit);
    // The cheapest entry is a slot in an access list, 1,900 gas, that is written, 2,900; and some are never committed. Before EIP-150
    // contracts that destroy themselves make accounts for less: then the block is executed again with more `room`.
    cells_ = std::min(std::min(static_cast<size_t>(gas / 3000) + 6 * count + 4096, MAX_CELLS) * room, MAX_CELLS);
    memory.budgets.reset(tuning.tracking_budget, tuning.tracking_start, tuning.tracking_worth);
    const uint32_t window = tuning.window_per_worker * static_cast<uint32_t>(workers.size());
    if (!memory.reset(job->world, job->rules->deletes_empty_accounts, cells_) ||
        !scheduler.reset(static_cast<uint32_t>(count), window, predicted))
        return Status::OUT_OF_MEMORY;
    return Status::RUNNING;
}

Status Engine::flush() noexcept {
    Status flushed = memory.flush(job->world, arenas.data(), arenas.size());
    if (flushed == Status::MISSING_STATE)
        job->set_missing(job->context.coinbase);  // the one account that is credited without a look at it
    end_optimistic();
    if (flushed == Status::RUNNING && !memory.reset(job->world, job->rules->deletes_empty_accounts, cells_))
        flushed = Status::OUT_OF_MEMORY;
    return flushed;
}

void Engine::end_optimistic() noexcept {
    memory.detach(arenas.data(), arenas.size());
    for (EngineWorker* worker : workers)
        worker->arena.clear();
}

void Engine::stop_all() noexcept {
    scheduler.stop();
    for (EngineWorker* worker : workers)
        worker->machine.poll.abort.store(true, std::memory_order_relaxed);
}

void Engine::trace_dependencies(uint32_t i) noexcept {
    const Outcome& outcome = job->outcomes[i];
    uint64_t ready = 0;
    memory.for_each_dependency(outcome.effects, job->transactions[i]->sender, [&](uint32_t j) {
        if (j != i)
            ready = std::max(ready, transactions[j].finish_gas);
    });
    transactions[i].finish_gas = ready + static_cast<uint64_t>(outcome.gas_used);
    critical_path_gas = std::max(critical_path_gas, transactions[i].finish_gas);
}

void Engine::find_conflict(uint32_t i) noexcept {
    if (!records)
        return;
    memory.for_each_dependency(job->outcomes[i].effects, job->transactions[i]->sender, [&](uint32_t j) {
        if (j < i)
            transactions[i].waited_for = std::max(transactions[i].waited_for, static_cast<int64_t>(j));
    });
}

}  // namespace evmcore
