// A cache of idle machines and engines. A call takes one and gives it back; a bounded number is kept, with memory, hashes and
// threads. Any thread may call, with the GIL or without.
#pragma once

#include "engine.hpp"

namespace evmcore {

// A machine for one thread; null without memory.
Machine* take_machine() noexcept;
// Resets hook, tracer and abort flag.
void return_machine(Machine* machine) noexcept;

// An engine of so many workers; null without memory. Its threads start with its first work.
Engine* take_engine(int workers) noexcept;
// One that was used before; null if none is idle.
Engine* take_idle_engine(int workers) noexcept;
// Work on it has ended. The ones that were used least recently end, with their threads, where too many are idle.
void return_engine(Engine* engine) noexcept;

struct IdleFigures {
    size_t machines = 0, machines_most = 0;
    size_t engines = 0, workers = 0;  // of all idle engines together
    size_t workers_most = 0;          // beyond one engine, which may have more
};
IdleFigures idle_figures() noexcept;
// Ends what is idle now, threads included.
void end_idle() noexcept;

}  // namespace evmcore
