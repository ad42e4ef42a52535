// Threads that wait for work: one call runs a function on several of them and on the caller, and returns when all are
// done. They live as long as the process and are parked in between. One call at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

#include "../base/spin_lock.hpp"

namespace evmcore {

// The next piece of a job to whoever asks.
struct ClaimCounter {
    std::atomic<size_t> next{0};
};

class Pool {
  public:
    using Work = void (*)(void* context, int worker);

    // `workers` counts the caller, who is worker 0. Threads are made as they are first needed.
    explicit Pool(int workers) noexcept : workers_{workers} {}

    int workers() const noexcept { return workers_; }

    void run(Work work, void* context) noexcept {
        start(work, context);
        work(context, 0);
        join();
    }

    // There will be work within a millisecond: the threads wake, which takes some tens of microseconds, and look out for it. Not
    // where they would do so on the caller's processor.
    void alert() noexcept {
        static const int processors = static_cast<int>(std::thread::hardware_concurrency());
        if (workers_ > processors)
            return;
        {
            std::lock_guard<std::mutex> guard{mutex_};
            if (sleeping_ == 0)
                return;  // they are awake, or not there yet
            stay_off_this_processor();
            ++alert_;
        }
        wake_.notify_all();
    }

    // The same in steps: the caller does something else while the others wake, and `work(context, 0)` before it joins.
    void start(Work work, void* context) noexcept {
        bool is_one_asleep;
        {
            std::lock_guard<std::mutex> guard{mutex_};
            while (static_cast<int>(threads_.size()) < workers_ - 1) {
                const int worker = static_cast<int>(threads_.size()) + 1;
                threads_.emplace_back([this, worker] { loop(worker); });
            }
            stay_off_this_processor();
            work_ = work;
            context_ = context;
            running_.store(workers_ - 1, std::memory_order_relaxed);  // the mutex orders it
            // Release: goes with the work to whoever looks out for it.
            round_.store(round_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
            is_one_asleep = sleeping_ != 0;
        }
        if (is_one_asleep)
            wake_.notify_all();
    }

    bool is_done() const noexcept { return running_.load(std::memory_order_acquire) == 0; }

    void join() noexcept {
        // Whoever is late is at its last step or on its way here: to sleep would take longer than that.
        // Acquire: what the others did is visible to whoever called.
        for (unsigned spins = 0; running_.load(std::memory_order_acquire) != 0; ++spins) {
            if (spins < SPINS_BEFORE_YIELD)
                cpu_pause();
            else
                std::this_thread::yield();
        }
    }

  private:
    static constexpr unsigned SPINS_BEFORE_YIELD = 256;
    static constexpr std::chrono::microseconds LOOK_OUT{1000};

    void loop(int worker) noexcept {
        unsigned seen = 0, heard = 0;
        for (;;) {
            std::unique_lock<std::mutex> guard{mutex_};
            while (round_.load(std::memory_order_relaxed) == seen) {
                if (alert_ != heard) {
                    heard = alert_;
                    guard.unlock();
                    look_out(seen);
                    guard.lock();
                } else {
                    ++sleeping_;
                    wake_.wait(guard);
                    --sleeping_;
                }
            }
            seen = round_.load(std::memory_order_relaxed);
            const Work work = work_;
            void* context = context_;
            guard.unlock();
            work(context, worker);
            running_.fetch_sub(1, std::memory_order_release);
        }
    }

    // Spins until there is work, or for as long as an alert holds. It doesn't yield: whoever does waits for a whole time slice,
    // some milliseconds, if anybody else wants the processor.
    void look_out(unsigned seen) const noexcept {
        const auto until = std::chrono::steady_clock::now() + LOOK_OUT;
        for (unsigned spins = 1; round_.load(std::memory_order_acquire) == seen; ++spins) {
            cpu_pause();
            if (spins % 64 == 0 && std::chrono::steady_clock::now() > until)
                return;
        }
    }

    // A kernel likes to wake a thread on its waker's processor, where one of the two then waits for a time slice to end,
    // as long as a whole block: so the threads may run anywhere but there. Called with the mutex.
    void stay_off_this_processor() noexcept {
#if defined(__linux__)
        const int processor = sched_getcpu();
        if (processor < 0 || (processor == avoided_ && placed_ == threads_.size()))
            return;
        cpu_set_t allowed;
        CPU_ZERO(&allowed);
        if (pthread_getaffinity_np(pthread_self(), sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2)
            return;
        CPU_CLR(processor, &allowed);
        for (std::thread& thread : threads_)
            pthread_setaffinity_np(thread.native_handle(), sizeof allowed, &allowed);
        avoided_ = processor;
        placed_ = threads_.size();
#endif
    }

    const int workers_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<std::thread> threads_;  // never joined: a pool lives as long as the process
    Work work_ = nullptr;
    void* context_ = nullptr;
    std::atomic<unsigned> round_{0};    // written with the mutex
    unsigned alert_ = 0;
    int sleeping_ = 0;
    std::atomic<int> running_{0};  // published: by each worker as it ends
    int avoided_ = -1;             // the processor that the threads keep off
    size_t placed_ = 0;            // how many of them do
};

}  // namespace evmcore
