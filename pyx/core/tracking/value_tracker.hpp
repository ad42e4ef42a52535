// Value tracking: beside each stack item, the slot that it was computed from by adding constants. As long as such a word is only added to,
// compared and written back to its slot, the execution depends on a range of the slot (SlotRange), and its write is a difference. Any
// other use *pins* the slot: the execution depends on its exact value. A loop of its own, about twice the cost of the plain one. Owned
// by one machine.
#pragma once

#include <utility>

#include "../rules/rules.hpp"
#include "../state/journal.hpp"

namespace evmcore {

// What an instruction does with tracked words. A closed list: an instruction that isn't in it may read any item and any slot.
// clang-format off: lists of instructions
enum class Use : uint8_t {
    UNKNOWN,
    PLAIN,      // reads the items that it takes and no slot; what it leaves isn't tracked
    DUP, SWAP, POP, LOAD, STORE,
    PAIR,       // ADD, SUB, AND, LT, GT, EQ
    CONDITION,  // ISZERO, JUMPI
};

constexpr Use use_of(unsigned op) noexcept {
    switch (op) {
    case OP_SLOAD:
        return Use::LOAD;
    case OP_SSTORE:
        return Use::STORE;
    case OP_POP:
        return Use::POP;
    case OP_ADD: case OP_SUB: case OP_AND: case OP_LT: case OP_GT: case OP_EQ:
        return Use::PAIR;
    case OP_ISZERO: case OP_JUMPI:
        return Use::CONDITION;
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
        return Use::PLAIN;
    default:
        return op >= OP_DUP1 && op <= OP_DUP16     ? Use::DUP
               : op >= OP_SWAP1 && op <= OP_SWAP16 ? Use::SWAP
               : (op >= OP_PUSH0 && op <= OP_PUSH32) || (op >= OP_LOG0 && op <= OP_LOG4) ? Use::PLAIN
                                                                                        : Use::UNKNOWN;
    }
}
// clang-format on

class ValueTracker {
public:
    ValueTracker() = default;
    ValueTracker(const ValueTracker&) = delete;
    ValueTracker& operator=(const ValueTracker&) = delete;
    ~ValueTracker();

    // For a machine whose stacks are `stack_arena`. False without memory; then nothing is tracked.
    bool open(const u256* stack_arena, size_t item_count) noexcept;

    // Before an instruction whose items are there: it takes POPS from the stack, whose top is `top_item`, leaves PUSHES, and
    // reads no deeper than DEPTH. Of an account's frames in one transaction, all are tracked or none.
    template <unsigned OP, int POPS, int PUSHES, int DEPTH>
    EVMCORE_INLINE void track(Journal* journal, JournalAccount* self, const u256* top_item) noexcept {
        JournalSlot** const top = origins_ + (top_item - stack_arena_);
        constexpr Use USE = use_of(OP);
        static_assert(USE == Use::UNKNOWN || DEPTH == POPS, "an instruction of the list reads no more than it takes");
        if constexpr (USE == Use::DUP) {
            top[1] = *(top - static_cast<int>(OP - OP_DUP1));
        } else if constexpr (USE == Use::SWAP) {
            std::swap(*top, *(top - 1 - static_cast<int>(OP - OP_SWAP1)));
        } else if constexpr (USE == Use::POP) {
            return;
        } else if constexpr (USE == Use::LOAD) {
            track_load(journal, self, top, top_item);
        } else if constexpr (USE == Use::STORE) {
            track_store(journal, self, top, top_item);
        } else if constexpr (USE == Use::PAIR) {
            if (EVMCORE_UNLIKELY(top[0] != nullptr || top[-1] != nullptr))
                track_pair(OP, top, top_item);
        } else if constexpr (USE == Use::CONDITION) {
            if (EVMCORE_UNLIKELY(top[0] != nullptr || top[1 - POPS] != nullptr))
                track_condition(OP, top, top_item);
        } else {
            if constexpr (USE == Use::UNKNOWN)
                journal->drop_ranges();
            for (int i = 0; i < POPS; ++i)
                pin(top[-i]);
            for (int i = 0; i < PUSHES; ++i)
                top[1 - POPS + i] = nullptr;
        }
    }

    // The frame goes on after a call, whose outcome is on top of its stack, where the callee's first item was.
    void resume(const u256* top_item) noexcept { origins_[top_item - stack_arena_] = nullptr; }

private:
    // The execution depends on the exact value from now on.
    static void pin(JournalSlot* slot) noexcept {
        if (EVMCORE_UNLIKELY(slot != nullptr))
            slot->range = nullptr;
    }
    static void track_load(Journal* journal, JournalAccount* self, JournalSlot** top, const u256* top_item) noexcept;
    static void track_store(Journal* journal, JournalAccount* self, JournalSlot** top, const u256* top_item) noexcept;
    static void track_pair(unsigned op, JournalSlot** top, const u256* top_item) noexcept;
    static void track_condition(unsigned op, JournalSlot** top, const u256* top_item) noexcept;

    // Beside each stack item the slot whose value when the transaction began, plus a constant, it is; null: it isn't tracked.
    // Pages are touched only as deep as calls go.
    JournalSlot** origins_ = nullptr;
    const u256* stack_arena_ = nullptr;
};

}  // namespace evmcore
