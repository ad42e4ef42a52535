// A lock of one byte for sections of a few dozen instructions. Not fair, not recursive.
#pragma once

#include <atomic>
#include <sched.h>

namespace evmcore {

inline void cpu_pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

class SpinLock {
public:
    void lock() noexcept {
        for (unsigned spins = 0; is_held_.exchange(true, std::memory_order_acquire); ++spins) {
            // The holder may have lost its processor: then only giving ours away helps.
            if (spins < SPINS_BEFORE_YIELD)
                cpu_pause();
            else
                sched_yield();
        }
    }
    bool try_lock() noexcept {
        return !is_held_.load(std::memory_order_relaxed) && !is_held_.exchange(true, std::memory_order_acquire);
    }
    void unlock() noexcept { is_held_.store(false, std::memory_order_release); }

private:
    static constexpr unsigned SPINS_BEFORE_YIELD = 64;
    std::atomic<bool> is_held_{false};
};

// Holds a SpinLock to the end of a block.
class SpinGuard {
public:
    explicit SpinGuard(SpinLock& lock) noexcept : lock_{lock} { lock_.lock(); }
    SpinGuard(const SpinGuard&) = delete;
    SpinGuard& operator=(const SpinGuard&) = delete;
    ~SpinGuard() { lock_.unlock(); }

private:
    SpinLock& lock_;
};

}  // namespace evmcore
