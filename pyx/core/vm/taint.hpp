// Follows what a program does with the slots that it reads: as long as a value is only added to, compared and written back to
// where it came from, the run depends on a range of it, and not on the value itself (SlotGuard). Any other use pins it.
// For storage that transactions have been in conflict over, in a loop of its own. Owned by one machine.
#pragma once

#include <utility>

#include "../rules/rules.hpp"
#include "../state/journal.hpp"

namespace evmcore {

// What `follow` knows of an instruction beyond its row. A list that is closed: an instruction that is not in it may look at any
// item and any slot.
// clang-format off: lists of instructions
enum class Follow : uint8_t {
    UNKNOWN,
    PLAIN,      // looks at the items that it takes and at no slot; what it leaves is new
    DUP, SWAP, POP, LOAD, STORE,
    PAIR,       // ADD, SUB, AND, LT, GT, EQ
    CONDITION,  // ISZERO, JUMPI
};

constexpr Follow follow_of(unsigned op) noexcept {
    switch (op) {
    case OP_SLOAD:
        return Follow::LOAD;
    case OP_SSTORE:
        return Follow::STORE;
    case OP_POP:
        return Follow::POP;
    case OP_ADD: case OP_SUB: case OP_AND: case OP_LT: case OP_GT: case OP_EQ:
        return Follow::PAIR;
    case OP_ISZERO: case OP_JUMPI:
        return Follow::CONDITION;
    case OP_STOP: case OP_MUL: case OP_DIV: case OP_SDIV: case OP_MOD: case OP_SMOD: case OP_ADDMOD: case OP_MULMOD:
    case OP_EXP: case OP_SIGNEXTEND: case OP_SLT: case OP_SGT: case OP_OR: case OP_XOR: case OP_NOT: case OP_BYTE:
    case OP_SHL: case OP_SHR: case OP_SAR: case OP_CLZ: case OP_KECCAK256: case OP_ADDRESS: case OP_BALANCE:
    case OP_ORIGIN: case OP_CALLER: case OP_CALLVALUE: case OP_CALLDATALOAD: case OP_CALLDATASIZE: case OP_CALLDATACOPY:
    case OP_CODESIZE: case OP_CODECOPY: case OP_GASPRICE: case OP_EXTCODESIZE: case OP_EXTCODECOPY: case OP_RETURNDATASIZE:
    case OP_RETURNDATACOPY: case OP_EXTCODEHASH: case OP_BLOCKHASH: case OP_COINBASE: case OP_TIMESTAMP: case OP_NUMBER:
    case OP_PREVRANDAO: case OP_GASLIMIT: case OP_CHAINID: case OP_SELFBALANCE: case OP_BASEFEE: case OP_BLOBHASH:
    case OP_BLOBBASEFEE: case OP_MLOAD: case OP_MSTORE: case OP_MSTORE8: case OP_JUMP: case OP_PC: case OP_MSIZE: case OP_GAS:
    case OP_JUMPDEST: case OP_TLOAD: case OP_TSTORE: case OP_MCOPY: case OP_CREATE: case OP_CALL: case OP_CALLCODE:
    case OP_RETURN: case OP_DELEGATECALL: case OP_CREATE2: case OP_STATICCALL: case OP_REVERT: case OP_INVALID:
    case OP_SELFDESTRUCT:
        return Follow::PLAIN;
    default:
        return op >= OP_DUP1 && op <= OP_DUP16     ? Follow::DUP
               : op >= OP_SWAP1 && op <= OP_SWAP16 ? Follow::SWAP
               : (op >= OP_PUSH0 && op <= OP_PUSH32) || (op >= OP_LOG0 && op <= OP_LOG4) ? Follow::PLAIN
                                                                                        : Follow::UNKNOWN;
    }
}
// clang-format on

class TaintTracker {
public:
    TaintTracker() = default;
    TaintTracker(const TaintTracker&) = delete;
    TaintTracker& operator=(const TaintTracker&) = delete;
    ~TaintTracker();

    // For a machine whose stacks are `stack_arena`. False when there is no memory, and then nothing is followed.
    bool open(const u256* stack_arena, size_t item_count) noexcept;

    // Before an instruction whose items are there: it takes POPS from the stack, whose top is `top_item`, leaves PUSHES, and
    // looks no deeper than DEPTH. Of a storage's frames in one transaction, all are followed or none.
    template <unsigned OP, int POPS, int PUSHES, int DEPTH>
    EVMCORE_INLINE void follow(Journal* journal, JournalAccount* self, const u256* top_item) noexcept {
        JournalSlot** const top = origins_ + (top_item - stack_arena_);
        constexpr Follow FOLLOW = follow_of(OP);
        static_assert(FOLLOW == Follow::UNKNOWN || DEPTH == POPS, "what is followed looks at no more than it takes");
        if constexpr (FOLLOW == Follow::DUP) {
            top[1] = *(top - static_cast<int>(OP - OP_DUP1));
        } else if constexpr (FOLLOW == Follow::SWAP) {
            std::swap(*top, *(top - 1 - static_cast<int>(OP - OP_SWAP1)));
        } else if constexpr (FOLLOW == Follow::POP) {
            return;
        } else if constexpr (FOLLOW == Follow::LOAD) {
            follow_load(journal, self, top, top_item);
        } else if constexpr (FOLLOW == Follow::STORE) {
            follow_store(journal, self, top, top_item);
        } else if constexpr (FOLLOW == Follow::PAIR) {
            if (EVMCORE_UNLIKELY(top[0] != nullptr || top[-1] != nullptr))
                follow_two(OP, top, top_item);
        } else if constexpr (FOLLOW == Follow::CONDITION) {
            if (EVMCORE_UNLIKELY(top[0] != nullptr || top[1 - POPS] != nullptr))
                follow_condition(OP, top, top_item);
        } else {
            if constexpr (FOLLOW == Follow::UNKNOWN)
                journal->drop_guards();
            for (int i = 0; i < POPS; ++i)
                pin(top[-i]);
            for (int i = 0; i < PUSHES; ++i)
                top[1 - POPS + i] = nullptr;
        }
    }

    // The frame goes on after a call, whose outcome is on top of its stack, where the callee's first item was.
    void resume(const u256* top_item) noexcept { origins_[top_item - stack_arena_] = nullptr; }

private:
    // The run depends on the very value from now on.
    static void pin(JournalSlot* slot) noexcept {
        if (EVMCORE_UNLIKELY(slot != nullptr))
            slot->guard = nullptr;
    }
    static void follow_load(Journal* journal, JournalAccount* self, JournalSlot** top, const u256* top_item) noexcept;
    static void follow_store(Journal* journal, JournalAccount* self, JournalSlot** top, const u256* top_item) noexcept;
    static void follow_two(unsigned op, JournalSlot** top, const u256* top_item) noexcept;
    static void follow_condition(unsigned op, JournalSlot** top, const u256* top_item) noexcept;

    // Beside each item of the stack the slot whose value at the start, plus a constant, it is; null: it is what it is.
    // Its pages are touched only as deep as calls go.
    JournalSlot** origins_ = nullptr;
    const u256* stack_arena_ = nullptr;
};

}  // namespace evmcore
