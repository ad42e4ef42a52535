// A block access list: what a block reads and changes, by account, field and block access index, as bytes and as sorted arrays. Index 0 is
// before the first transaction, 1 to n are the transactions, n + 1 is after the last one. Frozen once it is made, so that any number of
// workers read it. Depends on base, math and code. EIP-7928.
#pragma once

#include "../base/poll.hpp"
#include "../base/status.hpp"
#include "../math/u256.hpp"
#include "code.hpp"

namespace evmcore {

// Where a list is at fault, or differs from another one.
struct AccessListFault {
    enum Field : uint8_t { NONE, ADDRESS, STORAGE, READ, BALANCE, NONCE, CODE };
    enum Kind : uint8_t {
        MALFORMED,  // `reason` says why
        MISSING,    // the block has it, the list doesn't
        SURPLUS,    // the list has it, the block doesn't
        DIFFERS,    // both have it: `have` in the list, `want` by the block
    };
    Kind kind = MALFORMED;
    Field field = NONE;
    const char* reason = "";
    bool has_address = false, has_slot = false, has_index = false;
    Address address{};
    u256 slot;
    uint32_t index = 0;
    u256 have, want;  // of codes the hashes
};

struct BlockAccessList {
    // Places in the arrays below: `begin` to before `end`.
    struct Range {
        uint32_t begin = 0, end = 0;
        uint32_t size() const noexcept { return end - begin; }
    };
    struct Account {
        Address address{};
        Range slots, reads, balances, nonces, codes;
    };
    struct Slot {
        u256 key;
        Range changes;
    };
    struct Value {
        uint32_t index;
        u256 value;  // after the index, as the others
    };
    struct Nonce {
        uint32_t index;
        uint64_t value;
    };
    struct NewCode {
        uint32_t index;
        const Code* value;  // a reference; null: none
    };

    Vector<Account> accounts;  // ascending by address
    Vector<Slot> slots;        // that change: by account, ascending by key
    Vector<Value> changes;     // of slots: by slot, ascending by index, as the next three by account
    Vector<Value> balances;
    Vector<Nonce> nonces;
    Vector<NewCode> codes;
    Vector<u256> reads;  // slots that are read and don't change: by account, ascending

    BlockAccessList() = default;
    BlockAccessList(const BlockAccessList&) = delete;
    BlockAccessList& operator=(const BlockAccessList&) = delete;
    ~BlockAccessList() { clear(); }

    void clear() noexcept;
    // What the limit on a list counts: addresses, and slots that are read or change.
    uint64_t item_count() const noexcept { return uint64_t{accounts.size()} + slots.size() + reads.size(); }
    size_t size_bytes() const noexcept;
    // The place of an account; UINT32_MAX: it isn't there.
    uint32_t find(const Address& address) const noexcept;

    // Into an empty list, from bytes that nobody vouches for. SUCCESS, an RLP status or BLOCK_ACCESS_LIST with the place in `fault`,
    // OUT_OF_MEMORY, or ABORTED by a poll that is given. Takes memory in proportion to the bytes.
    Status decode(ByteView bytes, Poll* poll, AccessListFault* fault) noexcept;
    // Appends the RLP. False without memory, or when a poll that is given says stop.
    [[nodiscard]] bool encode(Poll* poll, Bytes* out) const noexcept;
    // What can be said of it before the block is executed: every index is at most `last_index`, every code has at most `max_code_bytes`
    // bytes (0: any), and there are at most `max_items`. SUCCESS, BLOCK_ACCESS_LIST or BLOCK_ACCESS_LIST_SIZE.
    Status check(uint32_t last_index, uint64_t max_items, uint64_t max_code_bytes, AccessListFault* fault) const noexcept;
    // The first place, by account, where this list, of a block, isn't the block's own. False: they are the same.
    bool differs_from(const BlockAccessList& own, AccessListFault* fault) const noexcept;
};

}  // namespace evmcore
