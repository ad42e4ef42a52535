// The schedule fuzzer's controller: one worker runs, the others wait, a seed decides.
#include "schedule_point.hpp"

namespace evmcore {

std::atomic<ScheduleController*> schedule_controller{nullptr};

namespace {

thread_local int this_worker = -1;  // -1: a thread that the controller doesn't know, which it leaves alone

}  // namespace

void ScheduleController::expect(int workers) noexcept {
    std::unique_lock<std::mutex> guard{mutex_};
    expected_ = workers;
    entered_ = 0;
}

void ScheduleController::enter(int worker) noexcept {
    this_worker = worker;
    std::unique_lock<std::mutex> guard{mutex_};
    ++entered_;
    ++active_;
    wait_for_turn(guard, worker);
}

void ScheduleController::pass(SchedulePoint) noexcept {
    if (this_worker < 0)
        return;
    std::unique_lock<std::mutex> guard{mutex_};
    ++points_;
    wait_for_turn(guard, this_worker);
}

void ScheduleController::leave() noexcept {
    std::unique_lock<std::mutex> guard{mutex_};
    this_worker = -1;
    --active_;
    choose();
}

void ScheduleController::wait_for_turn(std::unique_lock<std::mutex>& guard, int worker) noexcept {
    is_waiting_[worker] = true;
    choose();
    turn_.wait(guard, [&] { return chosen_ == worker; });
    is_waiting_[worker] = false;
    chosen_ = -1;
}

// Picks the next worker once all that are active wait. Called with the mutex.
void ScheduleController::choose() noexcept {
    int waiting = 0;
    for (const bool is_waiting : is_waiting_)
        waiting += is_waiting;
    if (entered_ < expected_ || waiting == 0 || waiting < active_ || chosen_ >= 0)
        return;
    random_ += 0x9e3779b97f4a7c15u;
    uint64_t word = random_;
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9u;
    word = (word ^ word >> 27) * 0x94d049bb133111ebu;
    int pick = static_cast<int>((word ^ word >> 31) % static_cast<uint64_t>(waiting));
    for (size_t worker = 0; worker < WORKERS_MOST; ++worker)
        if (is_waiting_[worker] && pick-- == 0) {
            chosen_ = static_cast<int>(worker);
            break;
        }
    turn_.notify_all();
}

}  // namespace evmcore
