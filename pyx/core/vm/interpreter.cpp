// The inner loop: opcodes.def expanded into one labelled block a row, reached by computed goto.
// Each block does what its row states (defined, gas, stack limits), runs the body and goes to the next instruction.
// A caller sees `execute` alone, so another loop can take its place.
#include "ops/arithmetic.hpp"
#include "ops/bitwise.hpp"
#include "ops/calls.hpp"
#include "ops/context.hpp"
#include "ops/flow.hpp"
#include "ops/memory.hpp"
#include "ops/stack.hpp"
#include "ops/storage.hpp"

namespace evmcore {

namespace {

// Gas and stack limits of a row, from constants where the table has constants.
template <unsigned NUMBER, int POPS, int PUSHES, bool IN_ALL_FORKS>
EVMCORE_INLINE Status enter(Cursor& c, const Rules& rules) noexcept {
    if constexpr (!IN_ALL_FORKS)
        if (EVMCORE_UNLIKELY(!rules.is_defined[NUMBER]))
            return Status::UNDEFINED_INSTRUCTION;
    constexpr int32_t price = fixed_gas(NUMBER);
    if constexpr (POPS > 0)
        if (EVMCORE_UNLIKELY(c.top_item - c.frame.stack_base < POPS - 1))
            return Status::STACK_UNDERFLOW;
    if constexpr (PUSHES > POPS)
        if (EVMCORE_UNLIKELY(c.top_item - c.frame.stack_base >= parameter::stack_limit - 1 - (PUSHES - POPS - 1)))
            return Status::STACK_OVERFLOW;
    if constexpr (price != 0)
        if (EVMCORE_UNLIKELY((c.gas -= price > 0 ? price : rules.base_gas[NUMBER]) < 0))
            return Status::OUT_OF_GAS;
    return Status::RUNNING;
}

// The code's padding holds an immediate that begins at its last byte, and the STOP behind it, read eight bytes at a time.
#define OPCODE(NUMBER, NAME, BODY, POPS, PUSHES, DEPTH, IMMEDIATE, SINCE, PRICE, EFFECT) \
    static_assert(IMMEDIATE >= 0 && IMMEDIATE + 8 <= static_cast<int>(Code::PADDING_BYTES), #NAME ": too many immediate bytes");
#include "../rules/opcodes.def"
#undef OPCODE

// Filled once, when the library is loaded: label addresses exist inside `run` only. Frozen from then on. A row a fork, since a fork may give
// an instruction another body.
template <Loop LOOP>
struct Labels {
    static inline const void* of[FORK_COUNT][256];
};

// `FrameType` is Frame: a template parameter so that `requires` below picks the body's kind.
template <Loop LOOP, class FrameType = Frame>
Status run(FrameType* start) noexcept {
    if (start == nullptr) {
        const void** row = Labels<LOOP>::of[0];
        std::fill(row, row + 256, &&L_undefined);
#define OPCODE(NUMBER, NAME, BODY, POPS, PUSHES, DEPTH, IMMEDIATE, SINCE, PRICE, EFFECT) row[NUMBER] = &&L_##NAME;
#include "../rules/opcodes.def"
#undef OPCODE
#define FORK(NAME, PARENT, MAINNET, TEST, OTHER, CONFIG)       \
    row = Labels<LOOP>::of[static_cast<unsigned>(Fork::NAME)]; \
    std::memmove(row, Labels<LOOP>::of[static_cast<unsigned>(Fork::PARENT)], sizeof Labels<LOOP>::of[0]);
#define GAS(EIP, OPCODE, VALUE)
#define BODY(EIP, OPCODE, FUNCTION) row[OP_##OPCODE] = &&L_##FUNCTION;
#define SET(EIP, FIELD, VALUE)
#define NEWEST(NAME)
#include "../rules/forks.def"
#undef FORK
#undef GAS
#undef BODY
#undef SET
#undef NEWEST
        return Status::RUNNING;
    }
    FrameType& frame = *start;
    const Rules& rules = *frame.machine->rules;
    const void* const* const labels = Labels<LOOP>::of[static_cast<unsigned>(rules.fork)];
    LoopCursor<LOOP> c{{frame.pc, frame.stack_top, frame.gas, frame}};
    Status status;

#define DISPATCH()                                              \
    do {                                                        \
        if constexpr (LOOP == Loop::TRACED) {                   \
            c.save();                                           \
            const Tracer* const tracer = frame.machine->tracer; \
            if (!tracer->step(tracer->context, &frame))         \
                return Status::ABORTED;                         \
        }                                                       \
        goto* labels[*c.pc];                                    \
    } while (0)

    DISPATCH();

#define INSTRUCTION(LABEL, NUMBER, BODY, POPS, PUSHES, DEPTH, IMMEDIATE)                                                  \
    LABEL: {                                                                                                              \
        status = enter<NUMBER, POPS, PUSHES, is_in_all_forks(NUMBER)>(c, rules);                                          \
        if (EVMCORE_UNLIKELY(status != Status::RUNNING))                                                                  \
            goto L_end;                                                                                                   \
        if constexpr (LOOP == Loop::TRACKED)                                                                              \
            frame.machine->value_tracker.template track<NUMBER, POPS, PUSHES, DEPTH>(&frame.machine->journal, frame.self, \
                                                                                     c.top_item);                         \
        if constexpr (requires(FrameType& f) { op::BODY(f); }) {                                                          \
            c.save();                                                                                                     \
            status = op::BODY(frame);                                                                                     \
            c.restore();                                                                                                  \
            if (EVMCORE_UNLIKELY(status != Status::RUNNING))                                                              \
                goto L_end;                                                                                               \
        } else if constexpr (std::is_void_v<decltype(op::BODY(c))>) {                                                     \
            op::BODY(c);                                                                                                  \
        } else {                                                                                                          \
            status = op::BODY(c);                                                                                         \
            if (EVMCORE_UNLIKELY(status != Status::RUNNING))                                                              \
                goto L_end;                                                                                               \
        }                                                                                                                 \
        c.pc += 1 + IMMEDIATE;                                                                                            \
        DISPATCH();                                                                                                       \
    }
#define OPCODE(NUMBER, NAME, BODY, POPS, PUSHES, DEPTH, IMMEDIATE, SINCE, PRICE, EFFECT) \
    INSTRUCTION(L_##NAME, NUMBER, BODY, POPS, PUSHES, DEPTH, IMMEDIATE)
#include "../rules/opcodes.def"
#undef OPCODE
#define SHAPE(OPCODE) opcode_shapes[OP_##OPCODE]
#define FORK(NAME, PARENT, MAINNET, TEST, OTHER, CONFIG)
#define GAS(EIP, OPCODE, VALUE)
#define BODY(EIP, OPCODE, FUNCTION)                                                                                 \
    INSTRUCTION(L_##FUNCTION, OP_##OPCODE, FUNCTION, SHAPE(OPCODE).pops, SHAPE(OPCODE).pushes, SHAPE(OPCODE).depth, \
                SHAPE(OPCODE).immediate)
#define SET(EIP, FIELD, VALUE)
#define NEWEST(NAME)
#include "../rules/forks.def"
#undef FORK
#undef GAS
#undef BODY
#undef SET
#undef NEWEST
#undef SHAPE
#undef INSTRUCTION
#undef DISPATCH

L_undefined:
    status = Status::UNDEFINED_INSTRUCTION;
L_end:
    // A frame that waits for a call goes on behind the instruction.
    c.pc += status == Status::CALL || status == Status::CREATE;
    c.save();
    return status;
}

const bool labels_are_filled =
    (run<Loop::PLAIN, Frame>(nullptr), run<Loop::TRACED, Frame>(nullptr), run<Loop::TRACKED, Frame>(nullptr), true);

}  // namespace

Status execute(Frame& frame) noexcept {
    if (EVMCORE_UNLIKELY(frame.is_tracked)) {
        if (frame.pc != frame.code)
            frame.machine->value_tracker.resume(frame.stack_top);
        return run<Loop::TRACKED>(&frame);
    }
    const Tracer* const tracer = frame.machine->tracer;
    return EVMCORE_LIKELY(tracer == nullptr) || tracer->step == nullptr ? run<Loop::PLAIN>(&frame) : run<Loop::TRACED>(&frame);
}

}  // namespace evmcore
