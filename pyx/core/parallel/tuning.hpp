// The switches and numbers of tuning.def. Frozen while blocks run: benchmarks and tests set them in between.
#pragma once

#include <cstddef>
#include <cstdint>

namespace evmcore {

struct Tuning {
#define SWITCH(NAME, DEFAULT, MEANING) bool NAME = DEFAULT;
#define NUMBER(NAME, DEFAULT, UNIT, MEANING) uint32_t NAME = DEFAULT;
#include "tuning.def"
};

inline Tuning tuning;

struct TuningRow {
    const char* name;
    const char* unit;  // null: a switch
    const char* meaning;
    uint32_t standard;
};

extern const TuningRow tuning_rows[];
extern const size_t TUNING_ROW_COUNT;

uint32_t tuning_value(size_t row) noexcept;
void set_tuning_value(size_t row, uint32_t value) noexcept;

}  // namespace evmcore
