// The idle machines and engines, behind one lock.
#include "engine_cache.hpp"

#include <algorithm>

namespace evmcore {

std::atomic<unsigned> process_generations{0};

namespace {

constexpr size_t IDLE_MACHINES_MOST = 32;
constexpr size_t IDLE_ENGINES_MOST = 32;
constexpr int IDLE_ENGINES_OF_A_SIZE_MOST = 4;

// Of all idle engines together. As many threads as there are processors run at a time, and programs use several sizes.
int idle_workers_most() noexcept {
    static const int most = std::max(32, 4 * static_cast<int>(std::thread::hardware_concurrency()));
    return most;
}

// Never destroyed: threads may be at work when the process ends.
std::mutex lock;
Machine* idle_machines[IDLE_MACHINES_MOST];  // these four are owned by the holder of the lock
size_t idle_machine_count = 0;
Engine* idle_engines[IDLE_ENGINES_MOST + 1];  // the one used last comes last
size_t idle_engine_count = 0;

// A fork copies the lock as it is, so nobody else may hold it then. Engines may be used in the child: their pools start threads anew.
[[maybe_unused]] const int fork_handlers = pthread_atfork([]() { lock.lock(); }, []() { lock.unlock(); },
                                                          []() {
                                                              process_generations.fetch_add(1, std::memory_order_relaxed);
                                                              lock.unlock();
                                                          });

void clean(Machine* machine) noexcept {
    machine->tracer = nullptr;
    machine->track_values(false);
    machine->holds_codes = true;
    machine->poll.hook = nullptr;
    machine->poll.interval = machine->poll.countdown = Poll::HOOK_INTERVAL;
    machine->poll.abort.store(false, std::memory_order_relaxed);
}

void end_engine(Engine* engine) noexcept {
    const Vector<EngineWorker*> workers = std::move(engine->workers);
    delete engine;  // with the threads, which use the workers
    for (EngineWorker* worker : workers)
        delete worker;
}

Engine* make_engine(int workers) noexcept {
    Engine* engine = new (std::nothrow) Engine(workers);
    if (engine == nullptr)
        return nullptr;
    if (engine->allocate())
        return engine;
    end_engine(engine);
    return nullptr;
}

size_t find_idle_engine(int workers) noexcept {
    size_t i = idle_engine_count;
    while (i > 0 && idle_engines[i - 1]->pool.workers() != workers)
        --i;
    return i;  // one more than its place; 0: none
}

Engine* take_out(size_t place) noexcept {
    Engine* engine = idle_engines[place];
    std::copy(idle_engines + place + 1, idle_engines + idle_engine_count, idle_engines + place);
    --idle_engine_count;
    return engine;
}

// One that is too many; null when there is none. With the lock.
Engine* take_surplus() noexcept {
    if (idle_engine_count == 0)
        return nullptr;
    const Engine* newest = idle_engines[idle_engine_count - 1];
    int all = 0;
    int alike = 0;
    size_t oldest_alike = idle_engine_count;
    for (size_t i = idle_engine_count; i-- > 0;) {
        all += idle_engines[i]->pool.workers();
        if (idle_engines[i]->pool.workers() == newest->pool.workers()) {
            ++alike;
            oldest_alike = i;
        }
    }
    if (alike > IDLE_ENGINES_OF_A_SIZE_MOST)
        return take_out(oldest_alike);
    // The newest stays, however large: it may be wanted again.
    if (idle_engine_count > 1 && (all > idle_workers_most() || idle_engine_count > IDLE_ENGINES_MOST))
        return take_out(0);
    return nullptr;
}

}  // namespace

Machine* take_machine() noexcept {
    {
        std::lock_guard<std::mutex> guard{lock};
        if (idle_machine_count != 0)
            return idle_machines[--idle_machine_count];
    }
    Machine* machine = new (std::nothrow) Machine;
    if (machine != nullptr && !machine->allocate()) {
        delete machine;
        machine = nullptr;
    }
    return machine;
}

void return_machine(Machine* machine) noexcept {
    clean(machine);
    machine->trim();
    {
        std::lock_guard<std::mutex> guard{lock};
        if (idle_machine_count < IDLE_MACHINES_MOST) {
            idle_machines[idle_machine_count++] = machine;
            return;
        }
    }
    delete machine;
}

Engine* take_idle_engine(int workers) noexcept {
    std::lock_guard<std::mutex> guard{lock};
    const size_t found = find_idle_engine(workers);
    return found != 0 ? take_out(found - 1) : nullptr;
}

Engine* take_engine(int workers) noexcept {
    Engine* engine = take_idle_engine(workers);
    return engine != nullptr ? engine : make_engine(workers);
}

void return_engine(Engine* engine) noexcept {
    engine->job = nullptr;
    for (EngineWorker* worker : engine->workers)
        clean(&worker->machine);
    engine->trim();
    Engine* surplus;
    {
        std::lock_guard<std::mutex> guard{lock};
        idle_engines[idle_engine_count++] = engine;
        surplus = take_surplus();
    }
    while (surplus != nullptr) {
        end_engine(surplus);
        std::lock_guard<std::mutex> guard{lock};
        surplus = take_surplus();
    }
}

IdleFigures idle_figures() noexcept {
    const auto most = static_cast<size_t>(idle_workers_most());
    std::lock_guard<std::mutex> guard{lock};
    IdleFigures figures{idle_machine_count, IDLE_MACHINES_MOST, idle_engine_count, 0, most};
    for (size_t i = 0; i < idle_engine_count; ++i)
        figures.workers += static_cast<size_t>(idle_engines[i]->pool.workers());
    return figures;
}

void end_idle() noexcept {
    for (;;) {
        Machine* machine = nullptr;
        Engine* engine = nullptr;
        {
            std::lock_guard<std::mutex> guard{lock};
            if (idle_machine_count != 0)
                machine = idle_machines[--idle_machine_count];
            else if (idle_engine_count != 0)
                engine = take_out(idle_engine_count - 1);
        }
        if (machine == nullptr && engine == nullptr)
            return;
        delete machine;
        if (engine != nullptr)
            end_engine(engine);
    }
}

}  // namespace evmcore
