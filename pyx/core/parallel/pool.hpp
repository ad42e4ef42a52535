// A worker pool: one call executes a function on several threads and on the caller, and returns when all are done. Threads start when
// they are first needed, sleep in between, and end with the pool. One call at a time.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <new>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

#include "forks.hpp"
#include "schedule_point.hpp"

namespace evmcore {

// Gives each thread that asks the next piece of a job.
struct ClaimCounter {
    std::atomic<size_t> next{0};
};

class WorkerPool {
public:
    using Work = void (*)(void* context, int worker);

    // `workers` counts the caller, who is worker 0.
    explicit WorkerPool(int workers) noexcept : workers_{workers} {}
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;
    // Not while work is going on.
    ~WorkerPool() {
        if (threads_ == nullptr || threads_->process != process_generation())
            return;  // threads don't come along into a forked process: what they might hold is left alone
        {
            std::lock_guard<std::mutex> guard{threads_->mutex};
            threads_->is_ending = true;
        }
        threads_->wake.notify_all();
        for (int i = 0; i < threads_->thread_count; ++i)
            pthread_join(threads_->threads[i], nullptr);
        delete threads_;
    }

    int workers() const noexcept { return workers_; }

    void run(Work work, void* context) noexcept {
        start(work, context);
        work(context, 0);
        join();
    }

    // The same in steps: the caller does something else while the others wake, and `work(context, 0)` before it joins. Where
    // threads can't be had, fewer workers or the caller alone do the work: so it must not wait for a certain one.
    void start(Work work, void* context) noexcept {
        if (threads_ != nullptr && threads_->process != process_generation())
            threads_ = nullptr;  // a forked process: see the destructor
        if (workers_ > 1 && threads_ == nullptr)
            threads_ = Threads::create(workers_ - 1);
        if (threads_ == nullptr) {
            schedule_expect(1);
            return;
        }
        {
            std::lock_guard<std::mutex> guard{threads_->mutex};
            while (threads_->thread_count < workers_ - 1 && threads_->add_thread()) {
            }
            threads_->stay_off_this_processor();
            threads_->work = work;
            threads_->context = context;
            schedule_expect(threads_->thread_count + 1);
            threads_->running.store(threads_->thread_count, std::memory_order_relaxed);  // the mutex orders it
            ++threads_->round;
        }
        threads_->wake.notify_all();
    }

    // Acquire: what the others did is visible to the caller. The threads of work that was going on while the process forked
    // are missing in the child, and nobody waits for them there.
    bool is_done() const noexcept {
        return threads_ == nullptr || threads_->running.load(std::memory_order_acquire) == 0 ||
               threads_->process != process_generation();
    }

    void join() noexcept {
        // The wait is short: a thread that is late is about to end, and to sleep would take longer.
        while (!is_done())
            std::this_thread::yield();
    }

private:
    // The threads and what they share: an object of its own, since a forked process has to leave it as it is.
    struct Threads {
        struct Start {
            Threads* crew;
            int worker;
        };
        const unsigned process = process_generation();
        std::mutex mutex;
        std::condition_variable wake;
        pthread_t* threads = nullptr;
        Start* seats = nullptr;
        int thread_count = 0;
        bool is_ending = false;  // with the mutex
        Work work = nullptr;
        void* context = nullptr;
        unsigned round = 0;           // with the mutex
        std::atomic<int> running{0};  // published: by each worker as it ends
        int avoided = -1;             // the processor that the threads keep off
        int placed = 0;               // how many of them do

        // Null without memory.
        static Threads* create(int most) noexcept {
            Threads* crew = new (std::nothrow) Threads;
            if (crew == nullptr)
                return nullptr;
            crew->threads = new (std::nothrow) pthread_t[static_cast<size_t>(most)];
            crew->seats = new (std::nothrow) Start[static_cast<size_t>(most)];
            if (crew->threads == nullptr || crew->seats == nullptr) {
                delete crew;
                return nullptr;
            }
            return crew;
        }
        ~Threads() {
            delete[] threads;
            delete[] seats;
        }

        // One more; false where the system has none to give. Called with the mutex.
        bool add_thread() noexcept {
            seats[thread_count] = {this, thread_count + 1};
            // Signals are for the program's own threads; but for those that a fault of the thread itself raises.
            sigset_t blocked, before;
            sigfillset(&blocked);
            for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP})
                sigdelset(&blocked, fault);
            pthread_sigmask(SIG_SETMASK, &blocked, &before);
            const bool is_made = pthread_create(
                                     &threads[thread_count], nullptr,
                                     [](void* seat) -> void* {
                                         static_cast<Start*>(seat)->crew->loop(static_cast<Start*>(seat)->worker);
                                         return nullptr;
                                     },
                                     &seats[thread_count]) == 0;
            pthread_sigmask(SIG_SETMASK, &before, nullptr);
            thread_count += is_made;
            return is_made;
        }

        void loop(int worker) noexcept {
            unsigned seen = 0;
            {
                // A thread that is made for a round takes part in it, and in none before.
                std::lock_guard<std::mutex> guard{mutex};
                seen = round - 1;
            }
            for (;;) {
                std::unique_lock<std::mutex> guard{mutex};
                while (round == seen && !is_ending)
                    wake.wait(guard);
                if (is_ending)
                    return;
                seen = round;
                const Work work_now = work;
                void* context_now = context;
                guard.unlock();
                work_now(context_now, worker);
                running.fetch_sub(1, std::memory_order_release);
            }
        }

        // A kernel likes to wake a thread on its waker's processor, where one of the two then waits for a time slice to end,
        // as long as a whole block: so the threads may run anywhere but there. Called with the mutex.
        void stay_off_this_processor() noexcept {
#if defined(__linux__)
            const int processor = sched_getcpu();
            if (processor < 0 || (processor == avoided && placed == thread_count))
                return;
            cpu_set_t allowed;
            CPU_ZERO(&allowed);
            if (pthread_getaffinity_np(pthread_self(), sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2)
                return;
            CPU_CLR(processor, &allowed);
            for (int i = 0; i < thread_count; ++i)
                pthread_setaffinity_np(threads[i], sizeof allowed, &allowed);
            avoided = processor;
            placed = thread_count;
#endif
        }
    };

    const int workers_;
    Threads* threads_ = nullptr;
};

}  // namespace evmcore
