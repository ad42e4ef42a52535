// Outcomes as an enum, their kinds and their names: status.def, expanded three times.
#pragma once

#include <cstdint>

namespace evmcore {

enum class Kind : uint8_t { FLOW, OK, REVERT, HALT, INVALID, BROKEN };

enum class Status : uint8_t {
#define STATUS(NAME, KIND, TEXT) NAME,
#include "status.def"
#undef STATUS
};

constexpr Kind status_kinds[] = {
#define STATUS(NAME, KIND, TEXT) Kind::KIND,
#include "status.def"
#undef STATUS
};

constexpr const char* status_names[] = {
#define STATUS(NAME, KIND, TEXT) #NAME,
#include "status.def"
#undef STATUS
};

constexpr const char* status_texts[] = {
#define STATUS(NAME, KIND, TEXT) TEXT,
#include "status.def"
#undef STATUS
};

constexpr unsigned STATUS_COUNT = sizeof(status_kinds) / sizeof(status_kinds[0]);

constexpr Kind kind_of(Status status) noexcept { return status_kinds[static_cast<unsigned>(status)]; }
// Whether the run ended because what it needs is beyond a limit of ours.
constexpr bool is_limit(Status status) noexcept { return status >= Status::MEMORY_LIMIT && status <= Status::CODE_LIMIT; }
constexpr const char* name_of(Status status) noexcept { return status_names[static_cast<unsigned>(status)]; }
constexpr const char* text_of(Status status) noexcept { return status_texts[static_cast<unsigned>(status)]; }

}  // namespace evmcore
