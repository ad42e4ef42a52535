# Floor 8: accesses between Python and the core: what a recorded block read and wrote, and a list of that for the next execution.
from core.base.status cimport Status
from core.base.vector cimport Vector
from core.math.u256 cimport to_big_endian
from core.parallel.access_list cimport AccessList
from core.parallel.access_rows cimport AccountAccess, SlotAccess, TransactionAccess
from core.parallel.engine cimport Engine
from core.state.code cimport Code, view_of
from core.state.effects cimport READ_CODE_BYTES, AccountEffect, changes_code, Effects, WROTE_CODE, WROTE_NONCE
from core.vm.system_accesses cimport SystemAccount, SystemSlot


cdef tuple read_accesses(Engine* e):
    """(transaction rows, account rows, slot rows, codes) of a recorded run, then account rows and slot rows of what isn't its
    transactions', with the block access index as `transaction`. Rows as bytes, codes a tuple of bytes."""
    cdef Vector[TransactionAccess] transactions
    cdef Vector[AccountAccess] accounts
    cdef Vector[SlotAccess] slots
    cdef TransactionAccess transaction
    cdef AccountAccess account
    cdef SlotAccess slot
    cdef Vector[AccountAccess] system_accounts
    cdef Vector[SlotAccess] system_slots
    cdef SystemAccount* system_account
    cdef SystemSlot* system_slot
    cdef Effects* effects
    cdef AccountEffect* effect
    cdef uint32_t i
    cdef size_t k
    codes = []
    for i in range(e.job.outcomes.size()):
        effects = &e.job.outcomes[i].effects
        transaction.transaction = i
        transaction.gas_used = e.job.outcomes[i].gas_used
        transaction.executions = e.job.outcomes[i].execution_count
        transaction.waited_for = e.transactions[i].waited_for
        transaction.finish_gas = e.transactions[i].finish_gas
        append_to(transactions, transaction)
        for k in range(effects.accounts.size()):
            effect = &effects.accounts[k]
            account.transaction = i
            memcpy(account.address, effect.address.bytes, 20)
            account.reads = effect.reads & ~<int>READ_CODE_BYTES
            account.writes = effect.writes
            account.nonce = effect.nonce if effect.writes & WROTE_NONCE else 0
            account.code = -1
            if not changes_code(effect[0]):
                account.writes &= ~<int>WROTE_CODE
            else:
                account.code = len(codes)
                codes.append(from_view(view_of(effect.code)))
            to_big_endian(effect.balance_after, account.balance)
            append_to(accounts, account)
        for k in range(effects.slots.size()):
            slot.transaction = i
            memcpy(slot.address, effects.accounts[effects.slots[k].account].address.bytes, 20)
            to_big_endian(effects.slots[k].key, slot.slot)
            to_big_endian(effects.slots[k].value, slot.value)
            slot.is_write = effects.slots[k].is_write
            append_to(slots, slot)
    for k in range(e.job.system_accesses.accounts.size()):
        system_account = &e.job.system_accesses.accounts[k]
        account.transaction = system_account.index
        memcpy(account.address, system_account.address.bytes, 20)
        account.reads, account.writes = 0, system_account.writes
        account.nonce = system_account.nonce if system_account.writes & WROTE_NONCE else 0
        account.code = -1
        if system_account.writes & WROTE_CODE:
            account.code = len(codes)
            codes.append(from_view(view_of(system_account.code)))
        to_big_endian(system_account.balance, account.balance)
        append_to(system_accounts, account)
    for k in range(e.job.system_accesses.slots.size()):
        system_slot = &e.job.system_accesses.slots[k]
        slot.transaction = system_slot.index
        memcpy(slot.address, system_slot.address.bytes, 20)
        to_big_endian(system_slot.key, slot.slot)
        to_big_endian(system_slot.value, slot.value)
        slot.is_write = system_slot.is_write
        append_to(system_slots, slot)
    return ((<const char*>transactions.data())[:transactions.size() * sizeof(TransactionAccess)],
            (<const char*>accounts.data())[:accounts.size() * sizeof(AccountAccess)],
            (<const char*>slots.data())[:slots.size() * sizeof(SlotAccess)], tuple(codes),
            (<const char*>system_accounts.data())[:system_accounts.size() * sizeof(AccountAccess)],
            (<const char*>system_slots.data())[:system_slots.size() * sizeof(SlotAccess)])


cdef class _AccessList:
    """Given accesses, arranged for a block of `count` transactions."""
    cdef AccessList list
    cdef readonly uint32_t count
    cdef bint is_built

    @staticmethod
    def of(accesses, transactions):
        """The list of an Accesses, for so many transactions; the Accesses keeps it. Raises UnusableInput."""
        cdef uint32_t count = number_between(transactions, 0, 0xFFFFFFFF, "transactions")
        known = getattr(accesses, "_indexed", None)
        if not isinstance(known, _AccessList) or (<_AccessList>known).count != count or not (<_AccessList>known).is_built:
            known = accesses._indexed = _AccessList._build(accesses, count)
        return known

    @staticmethod
    def _build(accesses, transactions):
        cdef uint32_t count = number_between(transactions, 0, 0xFFFFFFFF, "transactions")
        cdef _AccessList self = _AccessList()
        cdef _Lease lease
        cdef size_t looked = 0
        cdef Vector[const Code*] codes
        cdef Code* code
        cdef bytes account_rows = accesses.in_order("accounts").tobytes()
        cdef bytes slot_rows = accesses.in_order("slots").tobytes()
        cdef size_t account_count = len(account_rows) // sizeof(AccountAccess)
        cdef size_t slot_count = len(slot_rows) // sizeof(SlotAccess)
        cdef const AccountAccess* first_account = <const AccountAccess*><const char*>account_rows
        cdef const SlotAccess* first_slot = <const SlotAccess*><const char*>slot_rows
        cdef size_t k
        cdef bytes gas_used
        cdef const uint64_t* gas = NULL
        cdef Status status
        if len(account_rows) % sizeof(AccountAccess) or len(slot_rows) % sizeof(SlotAccess):
            raise errors.UnusableInput("accesses: rows of another shape")
        gas_used = accesses.transactions["gas_used"].tobytes()
        if <size_t>len(gas_used) == count * sizeof(uint64_t):
            gas = <const uint64_t*><const char*>gas_used
        self.count = count
        lease = lease_signals()
        try:
            for data in accesses.codes:
                append_to(codes, <const Code*>NULL)
                if data:
                    code = Code.create(view_bytes(data), NULL, False)
                    if code == NULL:
                        raise MemoryError("accesses: a code")
                    (&codes[codes.size() - 1])[0] = code
                check_often(&looked)
            with nogil:
                status = self.list.build(first_account, account_count, first_slot, slot_count, codes.data(),
                                         codes.size(), gas, count, lease.poll)
            lease.finish_whole("the list of accesses")
        finally:
            for k in range(codes.size()):
                if codes[k] != NULL:
                    codes[k].release()
        if status == Status.OUT_OF_MEMORY:
            raise MemoryError("accesses: an indexed access list")
        if status != Status.RUNNING:
            raise errors.UnusableInput(f"accesses: a row has a code that is not among the {len(accesses.codes)} given")
        self.is_built = True
        return self
