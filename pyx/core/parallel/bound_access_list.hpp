// An access list on the base state of one block, which is frozen until `flush`.
#pragma once

#include "access_list.hpp"

namespace evmcore {

// How far an execution has come in the steps of its transaction.
struct AccessListCursor {
    uint32_t account = 0, slot = 0;
};

class BoundAccessList {
public:
    // `deletes_empty`: touched and empty accounts go (EIP-161).
    void bind(const AccessList* list, const World* base, bool deletes_empty) noexcept {
        list_ = list;
        base_ = base;
        deletes_empty_ = deletes_empty;
    }

    // The state before transaction i.
    Status account(uint32_t i, const Address& address, AccessListCursor* cursor, AccountState* out) const noexcept;
    Status slot(uint32_t i, const Address& address, uint32_t place, const u256& key, AccessListCursor* cursor,
                SlotState* out) const noexcept;

    // Whether an execution of transaction i wrote just what the list says: no more, no less, the same values. Sets `balance_after`.
    bool matches(uint32_t i, Effects* effects) const noexcept;

    // When all have ended: writes the state after the last transaction to the base state.
    Status flush(World* base) const noexcept;

private:
    using Account = AccessList::Account;
    using Slot = AccessList::Slot;
    using AccountStep = AccessList::AccountStep;
    using SlotStep = AccessList::SlotStep;
    using AccountEntry = AccessList::AccountEntry;
    using SlotEntry = AccessList::SlotEntry;
    static constexpr uint32_t NEVER = AccessList::NEVER;

    // The step of transaction i, or, where the list has none, what it would be: from the entries, by hash.
    AccountStep step_of(uint32_t i, const Address& address, uint32_t* cursor) const noexcept;
    SlotStep step_of(uint32_t i, const Address& address, const u256& key, uint32_t* cursor) const noexcept;
    // Turns the state of an account before the block into that after an entry, or before the first (null).
    void apply(const AccountEntry* entry, bool has_storage, AccountState* state) const noexcept;

    const AccessList* list_ = nullptr;
    const World* base_ = nullptr;
    bool deletes_empty_ = false;
};

// The state before one transaction of a block whose writes are known.
struct AccessListView {
    const BoundAccessList* list = nullptr;
    uint32_t transaction = 0;
    AccessListCursor cursor;

    void begin(uint32_t i) noexcept {
        transaction = i;
        cursor = AccessListCursor{};
    }
    StateView view() noexcept {
        StateView view;
        view.context = this;
        view.account = [](void* context, const Address& address, AccountState* out) noexcept {
            auto* self = static_cast<AccessListView*>(context);
            return self->list->account(self->transaction, address, &self->cursor, out);
        };
        view.slot = [](void* context, const Address& address, uint32_t place, const u256& key, SlotState* out) noexcept {
            auto* self = static_cast<AccessListView*>(context);
            return self->list->slot(self->transaction, address, place, key, &self->cursor, out);
        };
        return view;
    }
};

}  // namespace evmcore
