// How long work is asked to stop: an abort flag that others set, and a hook the owner runs now and then.
// Owned by one worker. Frames poll every few thousand gas, calls and precompiles as they go; the common case is one load.
#pragma once

#include <atomic>
#include <cstdint>

namespace evmcore {

struct Poll {
    // published: set by any thread, read by the owner. Relaxed, since it carries no data with it.
    std::atomic<bool> abort{false};
    // Called every `interval` by the owner, without the GIL; returns true to stop. May be null.
    bool (*hook)(void* context) = nullptr;
    void* hook_context = nullptr;
    uint32_t countdown = HOOK_INTERVAL;
    uint32_t interval = HOOK_INTERVAL;

    // In gas, or what costs as much: some tens of microseconds. Rare enough to cost nothing, often enough for Ctrl-C.
    static constexpr uint32_t HOOK_INTERVAL = 1 << 18;

    // True when the work should stop. `weight`: what was done since the last poll, in gas.
    bool poll(uint32_t weight) noexcept {
        if (countdown > weight) [[likely]] {
            countdown -= weight;
        } else {
            countdown = interval;
            if (hook != nullptr && hook(hook_context))
                abort.store(true, std::memory_order_relaxed);
        }
        return abort.load(std::memory_order_relaxed);
    }
};

}  // namespace evmcore
