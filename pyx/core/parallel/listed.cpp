// Workers that execute a block with its access list. First all read the list's keys from the state; then one writes the list's last values
// to it, executes what follows the last transaction, and begins the state root, while the others execute transactions; who has none left
// takes parts of the root. In the end the results are gathered in block order.
#include "listed.hpp"

#include "../base/clock.hpp"
#include "listed_check.hpp"
#include "listed_order.hpp"
#include "listed_root.hpp"
#include "tuning.hpp"

namespace evmcore {

namespace {

class ListedExecution {
public:
    ListedExecution(Engine* engine, const BlockAccessList& list, bool wants_root, ListedResult* result) noexcept
        : engine_{*engine},
          job_{*engine->job},
          list_{list},
          wants_root_{wants_root},
          result_{*result},
          count_{static_cast<uint32_t>(engine->job->transactions.size())},
          root_{engine->job->world} {}

    // Before the workers, while they wake; the block has begun.
    Status prepare() noexcept {
        if (!state_.open(list_, *job_.world, *job_.rules) || !check_.prepare(&state_, count_ + 1) ||
            !order_.build(job_.transactions, job_.context.gas_limit))
            return Status::OUT_OF_MEMORY;
        if (!check_.agrees(0, job_.system_accesses, &result_.fault))
            return Status::BLOCK_ACCESS_LIST;
        result_.fault = AccessListFault{};
        wants_root_ = wants_root_ && job_.world->base_without_trie() == nullptr;
        return Status::RUNNING;
    }

    void work(EngineWorker* worker, int number) noexcept {
        schedule_enter(number);
        const double began = seconds_now();
        Poll* const poll = &worker->machine.poll;
        read_keys(poll, number == 0 || tuning.listed_shared_reads);
        if (!has_failed_.load(std::memory_order_relaxed) && !is_aborted(poll)) {
            // The caller, who polls for signals, has its turn with transactions first; where it is alone, the rest follows them.
            const bool begins_at_end = number != 0 && tuning.listed_root_beside;
            if (begins_at_end)
                end_block(worker, number);
            for (bool goes_on = true; goes_on && !is_aborted(poll);)
                goes_on = is_at_root(number) ? help(poll, number) || execute_some(worker)
                                             : execute_some(worker) || help(poll, number);
            if (number == 0)
                result_.transaction_seconds = seconds_now() - began;
            if (!begins_at_end)
                end_block(worker, number);
            while (!is_aborted(poll) && help(poll, number)) {
            }
        }
        worker->busy_seconds = seconds_now() - began;
        // What is left is in the hands of others, who may yet have parts of the root to give.
        for (uint32_t turn = 0; !is_aborted(poll) && !is_over(); ++turn) {
            if (help(poll, number))
                turn = 0;
            else if (number != 0 || !poll->poll(weight_of_turn(turn)))
                wait(turn);
        }
        schedule_leave();
        // The caller waits for all others, who need none of it.
        for (uint32_t turn = 0; number == 0 && !is_aborted(poll) && !engine_.pool.is_done(); ++turn)
            if (!poll->poll(weight_of_turn(turn)))
                wait_turn(turn);
        if (is_aborted(poll))
            engine_.stop_all();
    }

    // In block order, when all have ended.
    Status gather() noexcept {
        if (read_status_ != Status::RUNNING) {
            job_.missing = read_missing_;
            return read_status_;
        }
        for (uint32_t i = 0; i < count_; ++i) {
            job_.outcomes.prefetch(i + 4);
            Outcome& outcome = job_.outcomes[i];
            if (outcome.execution_count == 0) {
                if (!is_overfull_.load(std::memory_order_relaxed) && !is_larger_than_block(i))
                    return Status::ABORTED;
                // As far as there is room, in order: a block that can't be has no more than twice a block's work.
                (void)execute(engine_.workers[0], i, ApplyMode::EXACT);
            }
            Status status = outcome.status;
            if (kind_of(status) ==
                Kind::INVALID) {  // of several reasons the one that is told in order, where room is looked at
                (void)execute(engine_.workers[0], i, ApplyMode::EXACT);
                status = outcome.status;
            }
            if (i == first_wrong_.load(std::memory_order_relaxed)) {
                if (is_result(status) || status == Status::ACCESSES_DIFFER) {
                    const Status room = engine_.hooks->check_room(&job_, i);
                    if (room != Status::RUNNING)
                        return job_.fail(room, i);
                }
                if (is_result(status)) {
                    check_.explain(i + 1, outcome.effects, &result_.fault);
                    return Status::BLOCK_ACCESS_LIST;
                }
                if (status == Status::ACCESSES_DIFFER) {
                    result_.fault = fault_;
                    return Status::BLOCK_ACCESS_LIST;
                }
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
            return end_status_;
        }
        if (!check_.is_complete(&result_.fault))
            return Status::BLOCK_ACCESS_LIST;
        result_.has_root = root_.result(&result_.root);
        return delete_touched();
    }

private:
    static void wait(uint32_t turn) noexcept {
        schedule_point(SchedulePoint::CLAIM);  // the worker that is waited for has to have a turn
        wait_turn(turn);
    }
    static bool is_aborted(const Poll* poll) noexcept { return poll->abort.load(std::memory_order_relaxed); }

    bool is_at_root(int number) const noexcept { return is_at_root_.load(std::memory_order_relaxed) == number; }
    bool help(Poll* poll, int number) noexcept { return (tuning.listed_shared_root || is_at_root(number)) && root_.help(poll); }

    // Until all are read, by the workers that are there. Each ends the part that it has begun: the wait is short.
    void read_keys(Poll* poll, bool takes_part) noexcept {
        const size_t count = state_.part_count();
        for (size_t part; takes_part && (part = reads_.next.fetch_add(1, std::memory_order_relaxed)) < count;) {
            schedule_point(SchedulePoint::READ);
            MissingKey missing;
            const Status status = poll->poll(READ_WEIGHT) ? Status::ABORTED : state_.read(part, &missing);
            if (status != Status::RUNNING) {
                SpinGuard guard{fault_lock_};
                if (part < read_failed_part_) {
                    read_failed_part_ = part;
                    read_status_ = status;
                    read_missing_ = missing;
                }
                has_failed_.store(true, std::memory_order_relaxed);
            }
            parts_read_.fetch_add(1, std::memory_order_release);
        }
        // Acquire: what others read.
        for (uint32_t turn = 0; parts_read_.load(std::memory_order_acquire) != count; ++turn)
            wait(std::min(turn, 1U));
    }

    // What follows the last transaction, on the list's values, which is its part; then the root. By the first worker that gets here.
    void end_block(EngineWorker* worker, int number) noexcept {
        schedule_point(SchedulePoint::CLAIM);
        if (is_ended_.exchange(true, std::memory_order_relaxed))
            return;
        is_at_root_.store(number, std::memory_order_relaxed);
        end_status_ = state_.write_to(job_.world, count_);
        schedule_point(SchedulePoint::WRITE);
        if (end_status_ == Status::RUNNING)
            end_status_ = engine_.hooks->end_block(&worker->machine, &job_);
        if (end_status_ == Status::RUNNING && !check_.agrees(count_ + 1, job_.system_accesses, &end_fault_))
            end_status_ = Status::BLOCK_ACCESS_LIST;
        if (end_status_ == Status::RUNNING && wants_root_)
            root_.begin(&worker->machine.poll);
        else
            root_.leave_out();
    }

    bool is_over() const noexcept { return root_.is_over() || has_failed_.load(std::memory_order_relaxed); }

    // The next batch. False: there is none, or the block is full beyond its limit by now, whatever comes first in it.
    bool execute_some(EngineWorker* worker) noexcept {
        schedule_point(SchedulePoint::CLAIM);
        const size_t batch = claims_.next.fetch_add(1, std::memory_order_relaxed);
        if (batch >= order_.batch_count() || is_overfull_.load(std::memory_order_relaxed))
            return false;
        uint64_t gas = 0;
        for (size_t turn = order_.batch_begin(batch); turn < order_.batch_end(batch) && !is_aborted(&worker->machine.poll);
             ++turn)
            if (!is_larger_than_block(order_.at_turn(turn)))
                gas += execute(worker, order_.at_turn(turn), ApplyMode::EXACT_WITHOUT_ROOM);
        if (gas_.fetch_add(gas, std::memory_order_relaxed) + gas > job_.context.gas_limit)
            is_overfull_.store(true, std::memory_order_relaxed);
        return true;
    }

    bool is_larger_than_block(uint32_t i) const noexcept { return job_.transactions[i]->gas_limit > job_.context.gas_limit; }

    // The block's gas that it took, or may have.
    uint64_t execute(EngineWorker* worker, uint32_t i, ApplyMode mode) noexcept {
        if (i > first_wrong_.load(std::memory_order_relaxed))
            return 0;  // what is above a wrong one is of no use
        ListedView before;
        before.state = &state_;
        before.index = i + 1;
        const StateView view = before.view();
        Outcome& outcome = job_.outcomes[i];
        outcome.status = engine_.hooks->apply(&worker->machine, &job_, i, &view, mode);
        schedule_point(SchedulePoint::EXECUTED);
        ++worker->counts.executions;
        const uint64_t gas =
            is_result(outcome.status) ? static_cast<uint64_t>(outcome.execution_gas) : job_.transactions[i]->gas_limit;
        if (is_result(outcome.status) && check_.agrees(i + 1, outcome.effects, job_.rules->deletes_empty_accounts)) {
            worker->machine.spare_effects.close(&outcome.effects);
            return gas;
        }
        before.fault.index = i + 1;
        before.fault.has_index = true;
        schedule_point(SchedulePoint::VALIDATE);
        SpinGuard guard{fault_lock_};
        if (i < first_wrong_.load(std::memory_order_relaxed)) {
            first_wrong_.store(i, std::memory_order_relaxed);
            fault_ = before.fault;
        }
        return gas;
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

    static constexpr uint32_t READ_WEIGHT = 1 << 13;  // of a part, in gas

    Engine& engine_;
    BlockJob& job_;
    const BlockAccessList& list_;
    bool wants_root_;
    ListedResult& result_;
    const uint32_t count_;
    ListedState state_;
    ListedCheck check_;
    ListedOrder order_;
    ListedRoot root_;
    ClaimCounter reads_, claims_;
    std::atomic<size_t> parts_read_{0};     // published: what was read goes with it
    std::atomic<bool> has_failed_{false};   // relaxed: `parts_read_` orders it
    std::atomic<bool> is_ended_{false};     // whether somebody sees to the block's end
    std::atomic<uint64_t> gas_{0};          // of the block's, that transactions have taken so far, batch by batch
    std::atomic<bool> is_overfull_{false};  // relaxed: it ends work that is in vain
    SpinLock fault_lock_;                   // of the next four, and of `fault_` and `first_wrong_` together
    size_t read_failed_part_ = SIZE_MAX;
    Status read_status_ = Status::RUNNING;
    MissingKey read_missing_;
    AccessListFault fault_;                          // of the lowest transaction that is wrong so far, if the list lacks a key
    std::atomic<uint32_t> first_wrong_{UINT32_MAX};  // which this is; relaxed, without the lock: it only saves work
    std::atomic<int> is_at_root_{-1};                // the worker for whom the root comes first
    Status end_status_ = Status::RUNNING;            // with the next, that worker's until all have joined
    AccessListFault end_fault_;
};

}  // namespace

Status execute_listed(Engine* engine, const BlockAccessList& list, bool wants_root, ListedResult* result) noexcept {
    ListedExecution execution{engine, list, wants_root, result};
    Status status = engine->execute_block([&]() noexcept { return execution.prepare(); },
                                          [&](EngineWorker* worker, int number) noexcept { execution.work(worker, number); });
    return status == Status::RUNNING ? execution.gather() : status;
}

}  // namespace evmcore
