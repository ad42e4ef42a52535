// Workers that execute a block with an access list, and the commit of the whole block at once.
#include "recorded.hpp"

#include "../base/clock.hpp"

namespace evmcore {

namespace {

struct RecordedExecution {
    Engine& engine;
    const AccessList& list;
    BoundAccessList bound;
    ClaimCounter claims;
    Vector<uint8_t> agrees;  // bytes, one a transaction: workers write side by side
    // The lowest transaction so far without a result, or with another one than listed. Relaxed: it only saves work.
    std::atomic<uint32_t> first_wrong{UINT32_MAX};

    Status prepare() noexcept {
        if (!agrees.fill(engine.job->transactions.size(), 0))
            return Status::OUT_OF_MEMORY;
        bound.bind(&list, engine.job->world, engine.job->rules->deletes_empty_accounts);
        return Status::RUNNING;
    }

    // Executes transactions until there are none left.
    void work(EngineWorker* worker, int number) noexcept {
        const double began = seconds_now();
        const std::atomic<bool>& abort = worker->machine.poll.abort;
        while (!abort.load(std::memory_order_relaxed)) {
            const size_t batch = claims.next.fetch_add(1, std::memory_order_relaxed);
            if (batch >= list.batch_count())
                break;
            for (size_t turn = list.batch_begin(batch); turn < list.batch_end(batch); ++turn)
                execute(worker, turn);
        }
        if (abort.load(std::memory_order_relaxed))
            engine.stop_all();
        worker->busy_seconds = seconds_now() - began;
        if (number == 0)
            watch(worker);
    }

    void execute(EngineWorker* worker, size_t turn) noexcept {
        const uint32_t i = list.at_turn(turn);
        if (i > first_wrong.load(std::memory_order_relaxed))
            return;  // results above a wrong one are of no use
        BlockJob& job = *engine.job;
        Outcome& outcome = job.outcomes[i];
        apply(worker, i, ApplyMode::EXACT_WITHOUT_ROOM);
        ++worker->counts.executions;
        agrees[i] = is_result(outcome.status) && bound.matches(i, &outcome.effects);
        if (job.witness == nullptr && job.access_list == nullptr)
            worker->machine.spare_effects.close(&outcome.effects);
        if (agrees[i])
            return;
        uint32_t known = first_wrong.load(std::memory_order_relaxed);
        while (i < known && !first_wrong.compare_exchange_weak(known, i, std::memory_order_relaxed)) {
        }
    }

    void apply(EngineWorker* worker, uint32_t i, ApplyMode mode) noexcept {
        AccessListView before;
        before.list = &bound;
        before.begin(i);
        const StateView view = before.view();
        engine.job->outcomes[i].status = engine.hooks->apply(&worker->machine, engine.job, i, &view, mode);
    }

    // The caller, with nothing left to claim, polls for signals, which reach its thread alone.
    void watch(EngineWorker* worker) noexcept {
        for (uint32_t turn = 0; !engine.pool.is_done(); ++turn) {
            if (worker->machine.poll.poll(weight_of_turn(turn))) {
                engine.stop_all();
                return;
            }
            wait_turn(turn);
        }
    }

    // In order: room in the block, gas and blooms. Then the state, all at once.
    Status commit() noexcept {
        BlockJob& job = *engine.job;
        for (uint32_t i = 0; i < job.transactions.size(); ++i) {
            job.outcomes.prefetch(i + 4);
            Outcome& outcome = job.outcomes[i];
            if (outcome.execution_count == 0)
                return Status::ABORTED;
            Status status = outcome.status;
            if (kind_of(status) ==
                Kind::INVALID) {  // of several reasons the one that is told in order, where room is looked at
                apply(engine.workers[0], i, ApplyMode::EXACT);
                status = outcome.status;
            }
            if (is_result(status))
                status = engine.hooks->check_room(&job, i);
            if (status != Status::RUNNING)
                return job.fail(status, i);
            if (!agrees[i])
                return job.fail(Status::ACCESSES_DIFFER, i);
            if (job.witness != nullptr && !job.witness->add(outcome.effects))
                return Status::OUT_OF_MEMORY;
            if (job.access_list != nullptr && !job.access_list->add(job.first_index + i, outcome.effects))
                return Status::OUT_OF_MEMORY;
            job.count_in(&outcome);
        }
        const Status status = bound.flush(job.world);
        if (status == Status::MISSING_STATE)
            job.set_missing(job.context.coinbase);  // the one account that is credited without a look at it
        return status;
    }
};

}  // namespace

Status execute_recorded(Engine* engine, const AccessList* list) noexcept {
    RecordedExecution execution{*engine, *list, {}, {}, {}};
    Status status = engine->execute_block([&]() noexcept { return execution.prepare(); },
                                          [&](EngineWorker* worker, int number) noexcept { execution.work(worker, number); });
    if (status == Status::RUNNING)
        status = execution.commit();
    if (status == Status::RUNNING)
        status = engine->hooks->end_block(&engine->workers[0]->machine, engine->job);
    return status;
}

}  // namespace evmcore
