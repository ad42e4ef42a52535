// Which process this is, counted over forks: what threads were at work on in the parent is nobody's in the child.
#pragma once

#include <atomic>

namespace evmcore {

// published: by the fork handler of the child, in which there is one thread.
extern std::atomic<unsigned> process_generations;

// Another number in each process that was forked from this one.
inline unsigned process_generation() noexcept { return process_generations.load(std::memory_order_relaxed); }

}  // namespace evmcore
