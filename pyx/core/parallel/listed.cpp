// Workers that execute a block with its access list, one of which makes the state root first; and the gathering in block order.
#include "listed.hpp"

#include "../base/clock.hpp"
#include "../state/state_root.hpp"
#include "listed_check.hpp"

namespace evmcore {

namespace {

class ListedExecution {
public:
    ListedExecution(Engine* engine, const BlockAccessList& list, bool wants_root, ListedResult* result) noexcept
        : engine_{*engine}, job_{*engine->job}, list_{list}, wants_root_{wants_root}, result_{*result} {}

    // Before the workers: index 0, the state before the first transaction, the list's values, and on them the last index.
    Status prepare() noexcept {
        const auto count = static_cast<uint32_t>(job_.transactions.size());
        Status status = state_.prepare(list_, *job_.world, *job_.rules, &job_.missing);
        if (status != Status::RUNNING)
            return status;
        if (!check_.prepare(&state_, count + 1) || !agrees_.fill(count, 0))
            return Status::OUT_OF_MEMORY;
        if (!check_.agrees(0, job_.system_accesses, &result_.fault))
            return Status::BLOCK_ACCESS_LIST;
        result_.fault = AccessListFault{};
        status = state_.write_to(job_.world, count);
        if (status != Status::RUNNING)
            return status;
        end_status_ = engine_.hooks->end_block(&engine_.workers[0]->machine, &job_);
        if (kind_of(end_status_) == Kind::BROKEN)
            return end_status_;
        if (end_status_ == Status::RUNNING && !check_.agrees(count + 1, job_.system_accesses, &end_fault_))
            end_status_ = Status::BLOCK_ACCESS_LIST;
        end_have_ = job_.have, end_want_ = job_.want;
        wants_root_ = wants_root_ && end_status_ == Status::RUNNING && job_.world->base_without_trie() == nullptr;
        return Status::RUNNING;
    }

    void work(EngineWorker* worker, int number) noexcept {
        const double began = seconds_now();
        const std::atomic<bool>& abort = worker->machine.poll.abort;
        // By the last worker, so that the caller begins with transactions; by the caller where there is no other.
        if (wants_root_ && number == engine_.pool.workers() - 1)
            make_root(worker);
        while (!abort.load(std::memory_order_relaxed)) {
            const size_t i = claims_.next.fetch_add(1, std::memory_order_relaxed);
            if (i >= agrees_.size())
                break;
            execute(worker, static_cast<uint32_t>(i));
        }
        if (abort.load(std::memory_order_relaxed))
            engine_.stop_all();
        worker->busy_seconds = seconds_now() - began;
        if (number == 0)
            watch(worker);
    }

    // In block order, when all have ended.
    Status gather() noexcept {
        for (uint32_t i = 0; i < job_.transactions.size(); ++i) {
            job_.outcomes.prefetch(i + 4);
            Outcome& outcome = job_.outcomes[i];
            if (outcome.execution_count == 0)
                return Status::ABORTED;
            Status status = outcome.status;
            if (status == Status::ACCESSES_DIFFER || (is_result(status) && !agrees_[i])) {
                result_.fault = fault_;
                return Status::BLOCK_ACCESS_LIST;
            }
            if (is_result(status))
                status = engine_.hooks->check_room(&job_, i);
            if (status != Status::RUNNING)
                return job_.fail(status, i);
            job_.count_in(&outcome);
        }
        if (check_.is_out_of_memory())
            return Status::OUT_OF_MEMORY;
        if (end_status_ != Status::RUNNING) {
            result_.fault = end_fault_;
            job_.have = end_have_, job_.want = end_want_;
            return end_status_;
        }
        if (!check_.is_complete(&result_.fault))
            return Status::BLOCK_ACCESS_LIST;
        return delete_touched();
    }

private:
    void make_root(EngineWorker* worker) noexcept {
        StateRoot root{job_.world};
        root.open(false);
        result_.has_root =
            root.is_known() ? root.root(&result_.root, nullptr) : root.make(&result_.root, &worker->machine.poll);
    }

    void execute(EngineWorker* worker, uint32_t i) noexcept {
        if (i > first_wrong_.load(std::memory_order_relaxed))
            return;  // what is above a wrong one is of no use
        ListedView before;
        before.state = &state_;
        before.index = i + 1;
        const StateView view = before.view();
        Outcome& outcome = job_.outcomes[i];
        outcome.status = engine_.hooks->apply(&worker->machine, &job_, i, &view, ApplyMode::EXACT_WITHOUT_ROOM);
        ++worker->counts.executions;
        if (is_result(outcome.status)) {
            before.fault = AccessListFault{};
            agrees_[i] = check_.agrees(i + 1, outcome.effects, job_.rules->deletes_empty_accounts, &before.fault);
        }
        worker->machine.spare_effects.close(&outcome.effects);
        if (agrees_[i])
            return;
        before.fault.index = i + 1;
        before.fault.has_index = true;
        SpinGuard guard{fault_lock_};
        if (i < first_wrong_.load(std::memory_order_relaxed)) {
            first_wrong_.store(i, std::memory_order_relaxed);
            fault_ = before.fault;
        }
    }

    // The caller, with nothing left to claim, polls for signals, which reach its thread alone.
    void watch(EngineWorker* worker) noexcept {
        for (uint32_t turn = 0; !engine_.pool.is_done(); ++turn) {
            if (worker->machine.poll.poll(weight_of_turn(turn))) {
                engine_.stop_all();
                return;
            }
            wait_turn(turn);
        }
    }

    Status delete_touched() noexcept {
        for (const uint32_t account : check_.touched()) {
            AccountState now;
            const Address& address = list_.accounts[account].address;
            Status status = job_.world->account(address, &now);
            if (status == Status::RUNNING && now.exists && now.nonce == 0 && now.code == nullptr && now.balance.is_zero()) {
                result_.has_root = false;
                status = job_.world->destroy(address);
            }
            if (status != Status::RUNNING)
                return status;
        }
        return Status::RUNNING;
    }

    Engine& engine_;
    BlockJob& job_;
    const BlockAccessList& list_;
    bool wants_root_;
    ListedResult& result_;
    ListedState state_;
    ListedCheck check_;
    ClaimCounter claims_;
    Vector<uint8_t> agrees_;  // bytes, one a transaction: workers write side by side
    Status end_status_ = Status::RUNNING;
    AccessListFault end_fault_;
    u256 end_have_, end_want_;
    SpinLock fault_lock_;
    AccessListFault fault_;  // of the lowest transaction that is wrong so far, which is this; the lock is for both
    std::atomic<uint32_t> first_wrong_{UINT32_MAX};  // relaxed, without the lock: it only saves work
};

}  // namespace

Status execute_listed(Engine* engine, const BlockAccessList& list, bool wants_root, ListedResult* result) noexcept {
    ListedExecution execution{engine, list, wants_root, result};
    Status status = engine->execute_block([&]() noexcept { return execution.prepare(); },
                                          [&](EngineWorker* worker, int number) noexcept { execution.work(worker, number); });
    return status == Status::RUNNING ? execution.gather() : status;
}

}  // namespace evmcore
