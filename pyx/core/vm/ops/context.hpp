// What a program can ask about itself, other accounts, the transaction and the block: 0x30 to 0x4b.
#pragma once

#include "../../precompiles/precompiles.hpp"
#include "../cursor.hpp"
#include "memory.hpp"

namespace evmcore::op {

EVMCORE_INLINE void address(Cursor& c) noexcept { c.push(from_address(c.frame.self->address)); }
EVMCORE_INLINE void origin(Cursor& c) noexcept { c.push(from_address(c.frame.machine->transaction.origin)); }
EVMCORE_INLINE void caller(Cursor& c) noexcept { c.push(from_address(c.frame.caller)); }
EVMCORE_INLINE void callvalue(Cursor& c) noexcept { c.push(c.frame.value); }
EVMCORE_INLINE void calldatasize(Cursor& c) noexcept { c.push(u256{c.frame.input.size}); }
EVMCORE_INLINE void codesize(Cursor& c) noexcept { c.push(u256{c.frame.code_size}); }
EVMCORE_INLINE void gasprice(Cursor& c) noexcept { c.push(c.frame.machine->transaction.gas_price); }
EVMCORE_INLINE void returndatasize(Cursor& c) noexcept { c.push(u256{c.frame.machine->return_data.size()}); }
EVMCORE_INLINE void coinbase(Cursor& c) noexcept { c.push(from_address(c.frame.machine->block.coinbase)); }
EVMCORE_INLINE void timestamp(Cursor& c) noexcept { c.push(u256{c.frame.machine->block.timestamp}); }
EVMCORE_INLINE void number(Cursor& c) noexcept { c.push(u256{c.frame.machine->block.number}); }
EVMCORE_INLINE void prevrandao(Cursor& c) noexcept { c.push(c.frame.machine->block.prev_randao); }
EVMCORE_INLINE void gaslimit(Cursor& c) noexcept { c.push(u256{c.frame.machine->block.gas_limit}); }
EVMCORE_INLINE void chainid(Cursor& c) noexcept { c.push(c.frame.machine->block.chain_id); }
EVMCORE_INLINE void basefee(Cursor& c) noexcept { c.push(c.frame.machine->block.base_fee); }
EVMCORE_INLINE void blobbasefee(Cursor& c) noexcept { c.push(c.frame.machine->block.blob_base_fee); }
EVMCORE_INLINE void slotnum(Cursor& c) noexcept { c.push(u256{c.frame.machine->block.slot_number}); }

EVMCORE_INLINE void calldataload(Cursor& c) noexcept {
    const u256& offset = c.top();
    const ByteView input = c.frame.input;
    if (!offset.fits_u64() || offset.limb[0] >= input.size) {
        c.put(u256{});
    } else if (EVMCORE_LIKELY(input.size - offset.limb[0] >= 32)) {
        c.put(from_big_endian(input.data + offset.limb[0]));
    } else {
        uint8_t word[32] = {};
        std::memcpy(word, input.data + offset.limb[0], input.size - offset.limb[0]);
        c.put(from_big_endian(word));
    }
}

EVMCORE_INLINE void blobhash(Cursor& c) noexcept {
    const TransactionContext& tx = c.frame.machine->transaction;
    const u256& index = c.top();
    const bool is_there = index.fits_u64() && index.limb[0] < tx.blob_hash_count;
    c.put(is_there ? from_hash(tx.blob_hashes[index.limb[0]]) : u256{});
}

inline Status blockhash(Frame& f) noexcept {
    BlockContext& block = f.machine->block;
    const u256 number = f.pop();
    const uint64_t wanted = number.limb[0];
    const bool is_in_window = number.fits_u64() && wanted < block.number &&
                              block.number - wanted <= static_cast<uint64_t>(parameter::block_hash_window);
    if (!is_in_window) {
        f.push(u256{});
        return Status::RUNNING;
    }
    Hash hash;
    if (block.block_hash == nullptr || !block.block_hash(block.block_hash_context, wanted, &hash)) {
        f.machine->missing_block_number = wanted;
        return Status::MISSING_BLOCK_HASH;
    }
    f.machine->journal.oldest_block = std::min(f.machine->journal.oldest_block, wanted);
    f.push(from_hash(hash));
    return Status::RUNNING;
}

// Marks warm and says whether it was cold; precompiles are warm from the start (EIP-2929), but for system calls, which begin
// with empty sets: the executable specification and go-ethereum fill them for transactions alone.
inline bool was_cold(Machine& m, JournalAccount* account) noexcept {
    return m.rules->has_warm_access && m.journal.warm(account) &&
           (m.transaction.starts_cold || find_precompile(account->address, *m.rules) == nullptr);
}

// The account at the popped address, charged if cold (EIP-2929). Null: `status` says why.
inline JournalAccount* access_account(Frame& f, const u256& word, Status* status) noexcept {
    Machine& m = *f.machine;
    JournalAccount* account = m.journal.peek(to_address(word));
    if (account != nullptr && was_cold(m, account)) {
        *status = f.charge(m.rules->cold_account_gas) ? m.journal.failure : Status::OUT_OF_GAS;
        if (*status != Status::RUNNING)
            return nullptr;
    }
    if (account != nullptr && !account->is_loaded)
        account = m.journal.account(account->address);
    if (account == nullptr)
        *status = m.journal.failure;
    return account;
}

inline Status balance(Frame& f) noexcept {
    Status status;
    JournalAccount* account = access_account(f, f.top(), &status);
    if (account == nullptr)
        return status;
    f.top() = f.machine->journal.read_balance(account);
    return Status::RUNNING;
}

inline Status selfbalance(Frame& f) noexcept {
    f.push(f.machine->journal.read_balance(f.self));
    return Status::RUNNING;
}

inline Status extcodesize(Frame& f) noexcept {
    Status status;
    JournalAccount* account = access_account(f, f.top(), &status);
    if (account == nullptr)
        return status;
    f.top() = u256{view_of(f.machine->journal.read_code(account)).size};
    return f.machine->journal.failure;
}

inline Status extcodehash(Frame& f) noexcept {  // EIP-1052
    Status status;
    Journal& journal = f.machine->journal;
    JournalAccount* account = access_account(f, f.top(), &status);
    if (account == nullptr)
        return status;
    // An account with code is alive whatever its balance: only without code does the answer hang on more.
    const Code* code = journal.read_code_or_hash(account);
    f.top() = code != nullptr ? from_hash(code->hash) : journal.read_alive(account) ? from_hash(EMPTY_KECCAK) : u256{};
    return Status::RUNNING;
}

inline Status extcodecopy(Frame& f) noexcept {
    // All of it has to be payable before the account is loaded, which a block access list tells (EIP-7928).
    uint64_t begin, count;
    Status status = extend(f, f.top(1), f.top(3), &begin, &count);
    if (status != Status::RUNNING)
        return status;
    const int64_t word_gas = parameter::copy_word_gas * static_cast<int64_t>(words_of(count));
    if (!f.charge(word_gas))
        return Status::OUT_OF_GAS;
    JournalAccount* account = access_account(f, f.pop(), &status);
    if (account == nullptr)
        return status;
    f.gas += word_gas;  // copy_to_memory takes it
    const Code* code = f.machine->journal.read_code(account);
    if (code == nullptr && f.machine->journal.failure != Status::RUNNING)
        return f.machine->journal.failure;
    return copy_to_memory(f, view_of(code));
}

}  // namespace evmcore::op
