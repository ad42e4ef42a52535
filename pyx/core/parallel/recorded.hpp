// Execution of a block with an access list: each transaction's view is the base state under what the list says that lower ones wrote, so
// all are independent, in any order, on any number of workers. What each writes is compared with the list; if all of it agrees, all
// that was read was right. EIP-7928.
#pragma once

#include "bound_access_list.hpp"
#include "engine.hpp"

namespace evmcore {

// Executes the engine's job. ACCESSES_DIFFER where a transaction doesn't do what the list says; the job's failed_index is the lowest.
Status execute_recorded(Engine* engine, const AccessList* list) noexcept;

}  // namespace evmcore
