// Places where the order of workers can matter. Under a schedule fuzzer, a seeded controller lets one worker run at a time
// and decides at each of these places which one goes on, so that a failure can be run again from its seed. Without one
// they cost a load and a branch.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace evmcore {

enum class SchedulePoint : uint8_t { CLAIM, READ, WRITE, EXECUTED, VALIDATE, COMMIT, ADVANCE };

class ScheduleController {
public:
    static constexpr int WORKERS_MOST = 256;

    explicit ScheduleController(uint64_t seed) noexcept : random_{seed} {}

    // So many workers are about to begin, WORKERS_MOST at the most: as many as there are threads for. By who starts them.
    void expect(int workers) noexcept;
    // A worker begins, comes to a point, ends. All on the worker's own thread.
    void enter(int worker) noexcept;
    void pass(SchedulePoint point) noexcept;
    void leave() noexcept;

    uint64_t points() const noexcept { return points_; }

private:
    void wait_for_turn(std::unique_lock<std::mutex>& guard, int worker) noexcept;
    void choose() noexcept;

    std::mutex mutex_;
    std::condition_variable turn_;
    uint64_t random_;   // splitmix64
    int expected_ = 0;  // workers that have not come yet hold everything up
    int entered_ = 0;
    int active_ = 0;
    int chosen_ = -1;
    uint64_t points_ = 0;
    bool is_waiting_[WORKERS_MOST] = {};
};

// published: set by a test before a block begins and taken away after it. Relaxed: the pool's own locks order it.
extern std::atomic<ScheduleController*> schedule_controller;

inline void schedule_point(SchedulePoint point) noexcept {
    ScheduleController* controller = schedule_controller.load(std::memory_order_relaxed);
    if (controller != nullptr) [[unlikely]]
        controller->pass(point);
}
inline void schedule_expect(int workers) noexcept {
    ScheduleController* controller = schedule_controller.load(std::memory_order_relaxed);
    if (controller != nullptr) [[unlikely]]
        controller->expect(workers);
}
inline void schedule_enter(int worker) noexcept {
    ScheduleController* controller = schedule_controller.load(std::memory_order_relaxed);
    if (controller != nullptr) [[unlikely]]
        controller->enter(worker);
}
inline void schedule_leave() noexcept {
    ScheduleController* controller = schedule_controller.load(std::memory_order_relaxed);
    if (controller != nullptr) [[unlikely]]
        controller->leave();
}

}  // namespace evmcore
