// Places where the order of workers can matter. In a build with EVMCORE_SCHEDULE_FUZZ a seeded controller decides at
// each of them which worker goes on; otherwise they are nothing.
#pragma once

namespace evmcore {

enum class SchedulePoint { CLAIM, READ, PUBLISH, EXECUTED, VALIDATE, COMMIT, ADVANCE };

#ifdef EVMCORE_SCHEDULE_FUZZ
void schedule_point(SchedulePoint point) noexcept;
#else
inline void schedule_point(SchedulePoint) noexcept {}
#endif

}  // namespace evmcore
