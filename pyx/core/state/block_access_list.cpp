// Reading, writing, checking and comparing block access lists.
#include "block_access_list.hpp"

#include <algorithm>

#include "../base/rlp.hpp"

namespace evmcore {

namespace {

using List = BlockAccessList;
using Fault = AccessListFault;

u256 number_of(const Code* code) noexcept { return from_big_endian(hash_of(code).bytes, 32); }

class Reader {
public:
    Reader(List* list, Poll* poll, Fault* fault) noexcept : list_{*list}, poll_{poll}, fault_{*fault} {}

    Status read(ByteView bytes) noexcept {
        RlpReader items;
        Status status = open_rlp_list(bytes, &items);
        while (status == Status::SUCCESS && !items.at_end())
            status = read_account(&items);
        return status;
    }

private:
    Status malformed(const char* reason) noexcept {
        fault_.kind = Fault::MALFORMED;
        fault_.reason = reason;
        return Status::BLOCK_ACCESS_LIST;
    }
    void enter(Fault::Field field) noexcept {
        fault_.field = field;
        fault_.has_slot = fault_.has_index = false;
    }
    template <class V>
    static uint32_t place(const V& items) noexcept {
        return static_cast<uint32_t>(items.size());
    }

    // The pairs of an index and a value, of which `read_value` takes the second.
    template <class Read>
    Status read_pairs(RlpReader* items, Read read_value) noexcept {
        RlpReader pairs, pair;
        Status status = items->next_list(&pairs);
        for (int64_t last = -1; status == Status::SUCCESS && !pairs.at_end(); last = fault_.index) {
            uint64_t index;
            fault_.has_index = false;
            status = pairs.next_list(&pair);
            if (status == Status::SUCCESS)
                status = pair.next_u64(&index);
            if (status != Status::SUCCESS)
                return status;
            if (index > UINT32_MAX)
                return Status::RLP_NUMBER_TOO_LARGE;
            fault_.index = static_cast<uint32_t>(index);
            fault_.has_index = true;
            if (static_cast<int64_t>(index) <= last)
                return malformed(static_cast<int64_t>(index) == last ? "an index comes twice" : "indices don't ascend");
            status = read_value(&pair);
            if (status == Status::SUCCESS)
                status = pair.finish();
        }
        if (status == Status::SUCCESS)
            fault_.has_index = false;
        return status;
    }
    Status read_values(RlpReader* items, Vector<List::Value>* values, List::Range* range) noexcept {
        range->begin = place(*values);
        const Status status = read_pairs(items, [&](RlpReader* pair) noexcept {
            List::Value each{fault_.index, {}};
            const Status read = pair->next_u256(&each.value);
            return read != Status::SUCCESS || values->push_back(each) ? read : Status::OUT_OF_MEMORY;
        });
        range->end = place(*values);
        return status;
    }
    Status check_order(const u256* last, const u256& key) noexcept {
        fault_.slot = key;
        fault_.has_slot = true;
        if (last == nullptr || *last < key)
            return Status::SUCCESS;
        return malformed(*last == key ? "a slot comes twice" : "slots don't ascend");
    }
    Status read_slots(RlpReader* items, List::Range* range) noexcept {
        RlpReader all, one;
        enter(Fault::STORAGE);
        range->begin = place(list_.slots);
        Status status = items->next_list(&all);
        while (status == Status::SUCCESS && !all.at_end()) {
            List::Slot slot;
            status = all.next_list(&one);
            if (status == Status::SUCCESS)
                status = one.next_u256(&slot.key);
            if (status == Status::SUCCESS)
                status = check_order(place(list_.slots) != range->begin ? &list_.slots.back().key : nullptr, slot.key);
            if (status == Status::SUCCESS)
                status = read_values(&one, &list_.changes, &slot.changes);
            if (status == Status::SUCCESS)
                status = one.finish();
            if (status == Status::SUCCESS && slot.changes.size() == 0)
                status = malformed("a slot has no changes");
            if (status == Status::SUCCESS && !list_.slots.push_back(slot))
                status = Status::OUT_OF_MEMORY;
        }
        range->end = place(list_.slots);
        return status;
    }
    Status read_reads(RlpReader* items, const List::Range& changed, List::Range* range) noexcept {
        RlpReader all;
        enter(Fault::READ);
        range->begin = place(list_.reads);
        Status status = items->next_list(&all);
        uint32_t next = changed.begin;
        while (status == Status::SUCCESS && !all.at_end()) {
            u256 key;
            status = all.next_u256(&key);
            if (status == Status::SUCCESS)
                status = check_order(place(list_.reads) != range->begin ? &list_.reads.back() : nullptr, key);
            while (next != changed.end && list_.slots[next].key < key)
                ++next;
            if (status == Status::SUCCESS && next != changed.end && list_.slots[next].key == key)
                status = malformed("a slot that changes is among the reads");
            if (status == Status::SUCCESS && !list_.reads.push_back(key))
                status = Status::OUT_OF_MEMORY;
        }
        range->end = place(list_.reads);
        return status;
    }
    Status read_account(RlpReader* items) noexcept {
        RlpReader parts;
        List::Account account;
        if (poll_ != nullptr && poll_->poll(1024))
            return Status::ABORTED;
        fault_ = Fault{};
        enter(Fault::ADDRESS);
        Status status = items->next_list(&parts);
        if (status == Status::SUCCESS)
            status = parts.next_fixed(account.address.bytes, 20);
        if (status != Status::SUCCESS)
            return status;
        fault_.address = account.address;
        fault_.has_address = true;
        if (!list_.accounts.empty() && !(list_.accounts.back().address < account.address))
            return malformed(list_.accounts.back().address == account.address ? "an account comes twice"
                                                                              : "accounts don't ascend");
        status = read_slots(&parts, &account.slots);
        if (status == Status::SUCCESS)
            status = read_reads(&parts, account.slots, &account.reads);
        if (status == Status::SUCCESS) {
            enter(Fault::BALANCE);
            status = read_values(&parts, &list_.balances, &account.balances);
        }
        if (status == Status::SUCCESS) {
            enter(Fault::NONCE);
            account.nonces.begin = place(list_.nonces);
            status = read_pairs(&parts, [&](RlpReader* pair) noexcept {
                List::Nonce each{fault_.index, 0};
                const Status read = pair->next_u64(&each.value);
                return read != Status::SUCCESS || list_.nonces.push_back(each) ? read : Status::OUT_OF_MEMORY;
            });
            account.nonces.end = place(list_.nonces);
        }
        if (status == Status::SUCCESS) {
            enter(Fault::CODE);
            account.codes.begin = place(list_.codes);
            status = read_pairs(&parts, [&](RlpReader* pair) noexcept { return read_code(pair); });
            account.codes.end = place(list_.codes);
        }
        if (status == Status::SUCCESS) {
            enter(Fault::ADDRESS);
            status = parts.finish();
        }
        if (status == Status::SUCCESS && !list_.accounts.push_back(account))
            status = Status::OUT_OF_MEMORY;
        return status;
    }
    Status read_code(RlpReader* pair) noexcept {
        ByteView code;
        const Status status = pair->next_string(&code);
        if (status != Status::SUCCESS)
            return status;
        if (code.size > UINT32_MAX)
            return Status::RLP_NUMBER_TOO_LARGE;
        if (poll_ != nullptr && poll_->poll(static_cast<uint32_t>(std::min<size_t>(code.size, Poll::HOOK_INTERVAL))))
            return Status::ABORTED;
        if (!list_.codes.push_back({fault_.index, nullptr}))
            return Status::OUT_OF_MEMORY;
        if (!code.empty())
            list_.codes.back().value = Code::create(code, nullptr);
        return code.empty() || list_.codes.back().value != nullptr ? Status::SUCCESS : Status::OUT_OF_MEMORY;
    }

    List& list_;
    Poll* poll_;
    Fault& fault_;
};

void write_values(RlpWriter* out, const Vector<List::Value>& values, const List::Range& range) noexcept {
    const size_t list = out->begin_list();
    for (uint32_t k = range.begin; k < range.end; ++k) {
        const size_t pair = out->begin_list();
        out->number(uint64_t{values[k].index});
        out->number(values[k].value);
        out->end_list(pair);
    }
    out->end_list(list);
}

void write_account(RlpWriter* out, const List& list, const List::Account& account) noexcept {
    const size_t whole = out->begin_list();
    out->fixed(account.address);
    size_t part = out->begin_list();
    for (uint32_t k = account.slots.begin; k < account.slots.end; ++k) {
        const size_t slot = out->begin_list();
        out->number(list.slots[k].key);
        write_values(out, list.changes, list.slots[k].changes);
        out->end_list(slot);
    }
    out->end_list(part);
    part = out->begin_list();
    for (uint32_t k = account.reads.begin; k < account.reads.end; ++k)
        out->number(list.reads[k]);
    out->end_list(part);
    write_values(out, list.balances, account.balances);
    part = out->begin_list();
    for (uint32_t k = account.nonces.begin; k < account.nonces.end; ++k) {
        const size_t pair = out->begin_list();
        out->number(uint64_t{list.nonces[k].index});
        out->number(list.nonces[k].value);
        out->end_list(pair);
    }
    out->end_list(part);
    part = out->begin_list();
    for (uint32_t k = account.codes.begin; k < account.codes.end; ++k) {
        const size_t pair = out->begin_list();
        out->number(uint64_t{list.codes[k].index});
        out->string(view_of(list.codes[k].value));
        out->end_list(pair);
    }
    out->end_list(part);
    out->end_list(whole);
}

// Compares runs of entries of a given list and of the block's own, each ascending by `key_of`. True where they differ: the lowest key
// that only one has, or for which `value_of` differs, is told.
template <class Items, class Key, class Same, class Tell>
bool run_differs(const Items& given, const List::Range& a, const Items& own, const List::Range& b, Key key_of, Same is_same,
                 Tell tell) noexcept {
    uint32_t i = a.begin, j = b.begin;
    while (i != a.end || j != b.end) {
        if (j == b.end || (i != a.end && key_of(given[i]) < key_of(own[j]))) {
            tell(Fault::SURPLUS, &given[i], nullptr);
            return true;
        }
        if (i == a.end || key_of(own[j]) < key_of(given[i])) {
            tell(Fault::MISSING, nullptr, &own[j]);
            return true;
        }
        if (is_same(given[i], own[j])) {  // false: told already, or by this
            ++i, ++j;
            continue;
        }
        tell(Fault::DIFFERS, &given[i], &own[j]);
        return true;
    }
    return false;
}

class Comparison {
public:
    Comparison(const List& given, const List& own, Fault* fault) noexcept : given_{given}, own_{own}, fault_{*fault} {}

    bool differs() noexcept {
        const List::Range a{0, static_cast<uint32_t>(given_.accounts.size())};
        const List::Range b{0, static_cast<uint32_t>(own_.accounts.size())};
        using Account = List::Account;
        return run_differs(
            given_.accounts, a, own_.accounts, b, [](const Account& each) noexcept { return each.address; },
            [&](const Account& x, const Account& y) noexcept { return !account_differs(x, y); },
            [&](Fault::Kind kind, const Account* x, const Account* y) noexcept {
                if (kind == Fault::DIFFERS)
                    return;  // it is told
                begin((x != nullptr ? x : y)->address);
                enter(kind, Fault::ADDRESS);
            });
    }

private:
    void begin(const Address& address) noexcept {
        fault_ = Fault{};
        fault_.address = address;
        fault_.has_address = true;
    }
    void enter(Fault::Kind kind, Fault::Field field) noexcept {
        fault_.kind = kind;
        fault_.field = field;
    }
    template <class Entry, class Number>
    void tell(Fault::Kind kind, Fault::Field field, const Entry* x, const Entry* y, Number number) noexcept {
        enter(kind, field);
        fault_.has_index = true;
        fault_.index = (x != nullptr ? x : y)->index;
        fault_.have = x != nullptr ? number(*x) : u256{};
        fault_.want = y != nullptr ? number(*y) : u256{};
    }
    bool values_differ(Fault::Field field, const Vector<List::Value>& xs, const List::Range& a, const Vector<List::Value>& ys,
                       const List::Range& b) noexcept {
        using Value = List::Value;
        return run_differs(
            xs, a, ys, b, [](const Value& each) noexcept { return each.index; },
            [](const Value& x, const Value& y) noexcept { return x.value == y.value; },
            [&](Fault::Kind kind, const Value* x, const Value* y) noexcept {
                tell(kind, field, x, y, [](const Value& each) noexcept { return each.value; });
            });
    }
    bool slots_differ(const List::Account& x, const List::Account& y) noexcept {
        using Slot = List::Slot;
        return run_differs(
            given_.slots, x.slots, own_.slots, y.slots, [](const Slot& each) noexcept { return each.key; },
            [&](const Slot& s, const Slot& t) noexcept {
                fault_.slot = s.key;
                fault_.has_slot = true;
                return !values_differ(Fault::STORAGE, given_.changes, s.changes, own_.changes, t.changes);
            },
            [&](Fault::Kind kind, const Slot* s, const Slot* t) noexcept {
                if (kind == Fault::DIFFERS)
                    return;
                const Slot& slot = s != nullptr ? *s : *t;
                const List& list = s != nullptr ? given_ : own_;
                const List::Value& first = list.changes[slot.changes.begin];
                tell(kind, Fault::STORAGE, s != nullptr ? &first : nullptr, t != nullptr ? &first : nullptr,
                     [](const List::Value& each) noexcept { return each.value; });
                fault_.slot = slot.key;
                fault_.has_slot = true;
            });
    }
    bool account_differs(const List::Account& x, const List::Account& y) noexcept {
        begin(x.address);
        if (slots_differ(x, y))
            return true;
        fault_.has_slot = false;
        if (run_differs(
                given_.reads, x.reads, own_.reads, y.reads, [](const u256& key) noexcept { return key; },
                [](const u256&, const u256&) noexcept { return true; },
                [&](Fault::Kind kind, const u256* s, const u256* t) noexcept {
                    enter(kind, Fault::READ);
                    fault_.slot = s != nullptr ? *s : *t;
                    fault_.has_slot = true;
                }))
            return true;
        if (values_differ(Fault::BALANCE, given_.balances, x.balances, own_.balances, y.balances))
            return true;
        using Nonce = List::Nonce;
        if (run_differs(
                given_.nonces, x.nonces, own_.nonces, y.nonces, [](const Nonce& each) noexcept { return each.index; },
                [](const Nonce& s, const Nonce& t) noexcept { return s.value == t.value; },
                [&](Fault::Kind kind, const Nonce* s, const Nonce* t) noexcept {
                    tell(kind, Fault::NONCE, s, t, [](const Nonce& each) noexcept { return u256{each.value}; });
                }))
            return true;
        using NewCode = List::NewCode;
        return run_differs(
            given_.codes, x.codes, own_.codes, y.codes, [](const NewCode& each) noexcept { return each.index; },
            [](const NewCode& s, const NewCode& t) noexcept { return hash_of(s.value) == hash_of(t.value); },
            [&](Fault::Kind kind, const NewCode* s, const NewCode* t) noexcept {
                tell(kind, Fault::CODE, s, t, [](const NewCode& each) noexcept { return number_of(each.value); });
            });
    }

    const List& given_;
    const List& own_;
    Fault& fault_;
};

}  // namespace

void BlockAccessList::clear() noexcept {
    for (const NewCode& each : codes)
        if (each.value != nullptr)
            each.value->release();
    codes.clear();
    accounts.clear();
    slots.clear();
    changes.clear();
    balances.clear();
    nonces.clear();
    reads.clear();
}

size_t BlockAccessList::size_bytes() const noexcept {
    size_t bytes = accounts.capacity() * sizeof(Account) + slots.capacity() * sizeof(Slot) +
                   changes.capacity() * sizeof(Value) + balances.capacity() * sizeof(Value) +
                   nonces.capacity() * sizeof(Nonce) + codes.capacity() * sizeof(NewCode) + reads.capacity() * sizeof(u256);
    for (const NewCode& each : codes)
        bytes += view_of(each.value).size;
    return bytes;
}

uint32_t BlockAccessList::find(const Address& address) const noexcept {
    const Account* found =
        std::lower_bound(accounts.begin(), accounts.end(), address,
                         [](const Account& each, const Address& wanted) noexcept { return each.address < wanted; });
    const bool is_there = found != accounts.end() && found->address == address;
    return is_there ? static_cast<uint32_t>(found - accounts.begin()) : UINT32_MAX;
}

Status BlockAccessList::decode(ByteView bytes, Poll* poll, AccessListFault* fault) noexcept {
    *fault = AccessListFault{};
    if (bytes.size > UINT32_MAX)
        return Status::RLP_NUMBER_TOO_LARGE;  // places have 32 bits
    const Status status = Reader{this, poll, fault}.read(bytes);
    if (status != Status::SUCCESS)
        clear();
    return status;
}

bool BlockAccessList::encode(Poll* poll, Bytes* out) const noexcept {
    RlpWriter writer{out};
    const size_t list = writer.begin_list();
    for (const Account& account : accounts) {
        if (poll != nullptr && poll->poll(1024))
            return false;
        write_account(&writer, *this, account);
    }
    writer.end_list(list);
    return writer.ok();
}

Status BlockAccessList::check(uint32_t last_index, uint64_t max_items, uint64_t max_code_bytes,
                              AccessListFault* fault) const noexcept {
    *fault = AccessListFault{};
    if (item_count() > max_items) {
        fault->reason = "more addresses and slots than the gas limit allows";
        fault->have = u256{item_count()};
        fault->want = u256{max_items};
        return Status::BLOCK_ACCESS_LIST_SIZE;
    }
    const auto malformed = [&](AccessListFault::Field field, uint32_t index, const char* reason) noexcept {
        fault->field = field;
        fault->index = index;
        fault->has_index = true;
        fault->reason = reason;
        return Status::BLOCK_ACCESS_LIST;
    };
    constexpr const char* BEYOND = "an index beyond the block's last";
    for (const Account& account : accounts) {
        fault->address = account.address;
        fault->has_address = true;
        for (uint32_t k = account.slots.begin; k < account.slots.end; ++k) {
            const Range& range = slots[k].changes;
            if (range.size() != 0 && changes[range.end - 1].index > last_index) {
                fault->slot = slots[k].key;
                fault->has_slot = true;
                return malformed(AccessListFault::STORAGE, changes[range.end - 1].index, BEYOND);
            }
        }
        if (account.balances.size() != 0 && balances[account.balances.end - 1].index > last_index)
            return malformed(AccessListFault::BALANCE, balances[account.balances.end - 1].index, BEYOND);
        if (account.nonces.size() != 0 && nonces[account.nonces.end - 1].index > last_index)
            return malformed(AccessListFault::NONCE, nonces[account.nonces.end - 1].index, BEYOND);
        for (uint32_t k = account.codes.begin; k < account.codes.end; ++k) {
            if (codes[k].index > last_index)
                return malformed(AccessListFault::CODE, codes[k].index, BEYOND);
            if (max_code_bytes != 0 && view_of(codes[k].value).size > max_code_bytes)
                return malformed(AccessListFault::CODE, codes[k].index, "a code that is larger than any may be");
        }
    }
    return Status::SUCCESS;
}

bool BlockAccessList::differs_from(const BlockAccessList& own, AccessListFault* fault) const noexcept {
    return Comparison{*this, own, fault}.differs();
}

}  // namespace evmcore
