// Machines and engines between uses. Whoever needs one takes it and gives it back; a bounded number waits here, with what it
// has learned and with its threads. Any thread may call, with the GIL or without.
#pragma once

#include "engine.hpp"

namespace evmcore {

// A machine for one thread; null without memory.
Machine* take_machine() noexcept;
// Leaves nothing of its user's on it: no hook, no tracer, no abort.
void return_machine(Machine* machine) noexcept;

// An engine of so many workers; null without memory. Its threads start with its first work.
Engine* take_engine(int workers) noexcept;
// One that was used before; null where none waits.
Engine* take_idle_engine(int workers) noexcept;
// Work on it has ended. The ones that were used least recently end, with their threads, where too many wait.
void return_engine(Engine* engine) noexcept;

}  // namespace evmcore
