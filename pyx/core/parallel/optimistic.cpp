// Optimistic execution: Block-STM with ordered commit. Each worker claims a transaction, executes it on multi-version memory, and writes
// its versions there. Whatever has been executed is committed in index order: at the commit index its read set is validated, and what
// fails is executed again there, on what is final.
#include "../base/clock.hpp"
#include "engine.hpp"

namespace evmcore {

namespace {

class OptimisticWorker {
public:
    OptimisticWorker(Engine* engine, EngineWorker* worker, int number) noexcept
        : engine_{*engine}, worker_{*worker}, number_{number} {}

    // Until all are committed, or the block has failed.
    void work() noexcept {
        const double began = seconds_now();
        double idle_since = 0, idle_seconds = 0;
        uint32_t first = 0, end = 0, idle = 0;
        schedule_enter(number_);
        for (;;) {
            commit_ready();
            const Claim claim = engine_.scheduler.claim(number_, &first, &end);
            if (claim == Claim::DONE)
                break;
            if (claim == Claim::WAIT) {
                if (idle++ == 0)
                    idle_since = seconds_now();
                if (!wait(idle))
                    break;
                continue;
            }
            if (idle != 0)
                idle_seconds += seconds_now() - idle_since;
            idle = 0;
            if (!(claim == Claim::EXECUTE ? execute_ahead(first) : execute_in_fallback(first, end)))
                break;
        }
        if (idle != 0)
            idle_seconds += seconds_now() - idle_since;
        worker_.busy_seconds = seconds_now() - began - idle_seconds;
        schedule_leave();
    }

private:
    using Claim = Scheduler::Claim;

    Outcome& outcome(uint32_t i) noexcept { return engine_.job->outcomes[i]; }
    TransactionState& state(uint32_t i) noexcept { return engine_.transactions[i]; }

    Status apply(uint32_t i, ApplyMode mode) noexcept {
        StateView view = worker_.view();
        worker_.transaction = i;
        const Status status = engine_.hooks->apply(&worker_.machine, engine_.job, i, &view, mode);
        outcome(i).status = status;
        ++worker_.counts.executions;
        return status;
    }

    // False when the block has ended for this worker.
    bool wait(uint32_t turn) noexcept {
        if (worker_.machine.poll.poll(weight_of_turn(turn))) {
            engine_.stop_all();
            return false;
        }
        wait_turn(turn);
        return true;
    }

    bool execute_ahead(uint32_t i) noexcept {
        state(i) = TransactionState{};
        execute(i);
        engine_.scheduler.set_executed(i, state(i).is_written);
        if (!worker_.machine.poll.abort.load(std::memory_order_relaxed))
            return true;
        engine_.stop_all();
        return false;
    }

    // Executes transaction i on what is committed and written below it, and writes its versions to multi-version memory.
    void execute(uint32_t i) noexcept {
        TransactionState& own = state(i);
        own.is_exact = engine_.scheduler.commit_index() == i;
        worker_.machine.track_values(tuning.value_tracking && !own.is_exact);
        apply(i, own.is_exact ? ApplyMode::EXACT : ApplyMode::SPECULATIVE);
        worker_.machine.track_values(false);
        if (!own.is_exact && is_result(outcome(i).status) && engine_.scheduler.commit_index() != i) {
            schedule_point(SchedulePoint::WRITE);
            // If memory is full nobody reads them before they are committed: more is aborted then.
            own.is_written = true;
            engine_.memory.write(i, &outcome(i).effects, &worker_.arena);
        }
    }

    void remove(uint32_t i) noexcept {
        if (!state(i).is_written)
            return;
        state(i).is_written = false;
        engine_.memory.remove(i, outcome(i).effects);
    }

    // The execution of transaction i failed validation.
    void abort(uint32_t i) noexcept {
        remove(i);
        ++worker_.counts.aborted;
        if (is_result(outcome(i).status))
            worker_.counts.aborted_gas += static_cast<uint64_t>(outcome(i).gas_used);
    }

    // Commits as far as transactions have been executed, unless another worker does.
    void commit_ready() noexcept {
        uint32_t i;
        if (!engine_.scheduler.try_begin_commit())
            return;
        while (engine_.scheduler.ready(&i)) {
            const bool is_valid = validates(i);
            engine_.status = is_valid ? commit(i) : execute_again(i);
            if (engine_.status != Status::RUNNING) {
                engine_.stop_all();
                break;
            }
            engine_.scheduler.advance(!is_valid);
        }
        engine_.scheduler.end_commit();
    }

    // Whether the execution of i, at the commit index, is valid: its read set validates, and the block has room for it.
    bool validates(uint32_t i) noexcept {
        if (!is_result(outcome(i).status))
            return false;
        if (state(i).is_exact)
            return true;
        schedule_point(SchedulePoint::VALIDATE);
        return engine_.hooks->check_room(engine_.job, i) == Status::RUNNING &&
               engine_.memory.validate(&outcome(i).effects, &worker_.counts);
    }

    // Executes transaction i, which is at the commit index and failed validation, on what is final, and commits it.
    Status execute_again(uint32_t i) noexcept {
        if (state(i).is_exact)
            return engine_.job->fail(outcome(i).status, i);
        if (is_result(outcome(i).status))
            engine_.find_conflict(i);
        abort(i);
        if (!is_result(apply(i, ApplyMode::EXACT)))
            return engine_.job->fail(outcome(i).status, i);
        if (state(i).waited_for < 0)
            engine_.find_conflict(i);
        return commit(i);
    }

    // Commits the effects of transaction i.
    Status commit(uint32_t i) noexcept {
        schedule_point(SchedulePoint::COMMIT);
        if (engine_.records)
            engine_.trace_dependencies(i);
        WitnessRecord* const witness = engine_.job->witness;
        if (witness != nullptr && !witness->add(outcome(i).effects))
            return Status::OUT_OF_MEMORY;
        if (!engine_.memory.commit(i, &outcome(i).effects, &worker_.arena))
            return Status::OUT_OF_MEMORY;
        AccessListBuilder* const list = engine_.job->access_list;
        if (list != nullptr && !list->add(engine_.job->first_index + i, outcome(i).effects))
            return Status::OUT_OF_MEMORY;
        engine_.job->count_in(&outcome(i));
        if (!engine_.records)
            worker_.machine.spare_effects.close(&outcome(i).effects);
        return Status::RUNNING;
    }

    // Executes and commits transactions in order while no other worker executes any: on the base state, or on versions where these
    // have to tell who depends on whom.
    bool execute_in_fallback(uint32_t first, uint32_t end) noexcept {
        Status status = engine_.records ? Status::RUNNING : engine_.flush();
        for (uint32_t i = first; i < end && status == Status::RUNNING; ++i) {
            if (!engine_.records) {
                status = engine_.hooks->execute_in_order(&worker_.machine, engine_.job, i);
                continue;
            }
            state(i) = TransactionState{};
            status = is_result(apply(i, ApplyMode::EXACT)) ? commit(i) : engine_.job->fail(outcome(i).status, i);
        }
        engine_.status = status;
        if (status != Status::RUNNING) {
            engine_.stop_all();
            return false;
        }
        worker_.counts.fallback_transactions += end - first;
        engine_.scheduler.finish_fallback(end);
        return true;
    }

    Engine& engine_;
    EngineWorker& worker_;
    const int number_;
};

}  // namespace

Status execute_optimistically(Engine* engine) noexcept {
    Status status = engine->execute_block(
        [&]() noexcept { return engine->begin_optimistic(); },
        [&](EngineWorker* worker, int number) noexcept { OptimisticWorker{engine, worker, number}.work(); });
    engine->job->counts.parked = engine->scheduler.parked();
    if (status == Status::RUNNING && engine->scheduler.is_stopped())
        status = Status::ABORTED;
    if (status == Status::RUNNING)
        status = engine->flush();
    if (status == Status::RUNNING)
        status = engine->hooks->end_block(&engine->workers[0]->machine, engine->job);
    engine->end_optimistic();
    return status;
}

}  // namespace evmcore
