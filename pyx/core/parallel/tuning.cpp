// The rows of tuning.def as a table.
#include "tuning.hpp"

namespace evmcore {

const TuningRow tuning_rows[] = {
#define SWITCH(NAME, DEFAULT, MEANING) {#NAME, nullptr, MEANING, DEFAULT},
#define NUMBER(NAME, DEFAULT, UNIT, MEANING) {#NAME, UNIT, MEANING, DEFAULT},
#include "tuning.def"
};
const size_t TUNING_ROW_COUNT = sizeof tuning_rows / sizeof tuning_rows[0];

uint32_t tuning_value(size_t row) noexcept {
    size_t i = 0;
#define SWITCH(NAME, DEFAULT, MEANING) \
    if (i++ == row)                    \
        return tuning.NAME;
#define NUMBER(NAME, DEFAULT, UNIT, MEANING) \
    if (i++ == row)                          \
        return tuning.NAME;
#include "tuning.def"
    return 0;
}

void set_tuning_value(size_t row, uint32_t value) noexcept {
    size_t i = 0;
#define SWITCH(NAME, DEFAULT, MEANING) \
    if (i++ == row)                    \
        tuning.NAME = value != 0;
#define NUMBER(NAME, DEFAULT, UNIT, MEANING) \
    if (i++ == row)                          \
        tuning.NAME = value;
#include "tuning.def"
}

}  // namespace evmcore
