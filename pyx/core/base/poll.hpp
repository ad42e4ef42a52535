// How long work is asked to stop: an abort flag that others set, and a hook the owner runs now and then.
// Owned by one worker. Loops call `poll()` at each jump, call and precompile round; the common case is one load.
#pragma once

#include <atomic>
#include <cstdint>

namespace evmcore {

struct Poll {
    // published: set by any thread, read by the owner. Relaxed, since it carries no data with it.
    std::atomic<bool> abort{false};
    // Called every HOOK_INTERVAL polls by the owner, without the GIL; returns true to stop. May be null.
    bool (*hook)(void* context) = nullptr;
    void* hook_context = nullptr;
    uint32_t countdown = HOOK_INTERVAL;

    // About a millisecond of jumps: rare enough to cost nothing, often enough that Ctrl-C feels immediate.
    static constexpr uint32_t HOOK_INTERVAL = 1 << 18;

    // True when the work should stop. `weight`: how many jumps the work since the last poll was worth.
    bool poll(uint32_t weight = 1) noexcept {
        if (countdown > weight) [[likely]] {
            countdown -= weight;
        } else {
            countdown = HOOK_INTERVAL;
            if (hook != nullptr && hook(hook_context))
                abort.store(true, std::memory_order_relaxed);
        }
        return abort.load(std::memory_order_relaxed);
    }
};

}  // namespace evmcore
