// Threads that wait for work: one call runs a function on several of them and on the caller, and returns when all are
// done. They live as long as the process and are parked in between. One call at a time.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace evmcore {

class Pool {
  public:
    using Work = void (*)(void* context, int worker);

    // `workers` counts the caller, who is worker 0. Threads are made as they are first needed.
    explicit Pool(int workers) noexcept : workers_{workers} {}

    int workers() const noexcept { return workers_; }

    void run(Work work, void* context) noexcept {
        {
            std::lock_guard<std::mutex> guard{mutex_};
            while (static_cast<int>(threads_.size()) < workers_ - 1) {
                const int worker = static_cast<int>(threads_.size()) + 1;
                threads_.emplace_back([this, worker] { loop(worker); });
                threads_.back().detach();  // a parked thread has nothing to lose when the process ends
            }
            work_ = work;
            context_ = context;
            running_ = workers_ - 1;
            ++round_;
        }
        wake_.notify_all();
        work(context, 0);
        std::unique_lock<std::mutex> guard{mutex_};
        done_.wait(guard, [this] { return running_ == 0; });
    }

  private:
    void loop(int worker) noexcept {
        unsigned seen = 0;
        for (;;) {
            std::unique_lock<std::mutex> guard{mutex_};
            wake_.wait(guard, [&] { return round_ != seen; });
            seen = round_;
            const Work work = work_;
            void* context = context_;
            guard.unlock();
            work(context, worker);
            guard.lock();
            if (--running_ == 0)
                done_.notify_one();
        }
    }

    const int workers_;
    std::mutex mutex_;
    std::condition_variable wake_, done_;
    std::vector<std::thread> threads_;
    Work work_ = nullptr;
    void* context_ = nullptr;
    unsigned round_ = 0;
    int running_ = 0;
};

}  // namespace evmcore
