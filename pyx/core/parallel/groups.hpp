// Execution in two steps that Python threads drive: every transaction on the state before the block, one call each; then the commit in
// order, where one whose read set fails validation is executed again. A second implementation to compare optimistic execution with:
// simpler and slower.
#pragma once

#include "hooks.hpp"

namespace evmcore {

// Executes transaction i on the state before the block; its effects stay in its outcome. Any thread, each with its own machine.
inline void execute_on_base(Machine* machine, BlockJob* job, const ExecutionHooks* hooks, uint32_t i) noexcept {
    const StateView view = job->world->view();
    job->outcomes[i].status = hooks->apply(machine, job, i, &view, ApplyMode::SPECULATIVE);
}

// Commits what validates, in order, and executes again what doesn't.
inline Status commit_in_order(Machine* machine, BlockJob* job, const ExecutionHooks* hooks) noexcept {
    for (uint32_t i = 0; i < job->transactions.size(); ++i) {
        Outcome& outcome = job->outcomes[i];
        job->counts.executions += outcome.execution_count != 0;
        if (outcome.execution_count != 0 && is_result(outcome.status) && hooks->check_room(job, i) == Status::RUNNING &&
            job->world->is_valid(outcome.effects)) {
            const Status status = hooks->commit(job, i);
            outcome.effects.clear();
            if (status != Status::RUNNING)
                return status;
            continue;
        }
        job->counts.aborted += outcome.execution_count != 0;
        const Status status = hooks->execute_in_order(machine, job, i);
        if (status != Status::RUNNING)
            return status;
    }
    return Status::RUNNING;
}

}  // namespace evmcore
