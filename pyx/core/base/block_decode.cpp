// The field lists of headers and withdrawals, used to read and to write them, and the four parts of a block.
// Depends on rlp_fields. Sources: Yellow Paper section 4.4 and the EIPs named in header.hpp.
#include "header.hpp"

#include "rlp_fields.hpp"

namespace evmcore {
namespace {

// Whether the optional field that would be number `count` is there.
bool goes_on(RlpFieldReader& f, Header& header, uint8_t count) noexcept {
    if (!f.has_more())
        return false;
    header.field_count = count;
    return true;
}

bool goes_on(RlpFieldWriter&, const Header& header, uint8_t count) noexcept { return header.field_count >= count; }

template <class Fields, class H>
void header_fields(Fields& f, H& header) noexcept {
    f.fixed("parent_hash", header.parent_hash);
    f.fixed("ommers_hash", header.ommers_hash);
    f.fixed("coinbase", header.coinbase);
    f.fixed("state_root", header.state_root);
    f.fixed("transactions_root", header.transactions_root);
    f.fixed("receipts_root", header.receipts_root);
    f.fixed("logs_bloom", header.logs_bloom, sizeof(header.logs_bloom));
    f.number("difficulty", header.difficulty);
    f.number("number", header.number);
    f.number("gas_limit", header.gas_limit);
    f.number("gas_used", header.gas_used);
    f.number("timestamp", header.timestamp);
    f.bytes("extra_data", header.extra_data);
    f.fixed("mix_hash", header.mix_hash);
    f.fixed("nonce", header.nonce, sizeof(header.nonce));
    if (goes_on(f, header, Header::BASE_FEE_FIELDS))
        f.number("base_fee_per_gas", header.base_fee_per_gas);
    if (goes_on(f, header, Header::WITHDRAWALS_FIELDS))
        f.fixed("withdrawals_root", header.withdrawals_root);
    if (goes_on(f, header, Header::BLOB_GAS_USED_FIELDS))
        f.number("blob_gas_used", header.blob_gas_used);
    if (goes_on(f, header, Header::EXCESS_BLOB_GAS_FIELDS))
        f.number("excess_blob_gas", header.excess_blob_gas);
    if (goes_on(f, header, Header::PARENT_BEACON_ROOT_FIELDS))
        f.fixed("parent_beacon_block_root", header.parent_beacon_block_root);
    if (goes_on(f, header, Header::REQUESTS_FIELDS))
        f.fixed("requests_hash", header.requests_hash);
}

template <class Fields, class W>
void withdrawal_fields(Fields& f, W& withdrawal) noexcept {
    f.number("withdrawals.index", withdrawal.index);
    f.number("withdrawals.validator_index", withdrawal.validator_index);
    f.fixed("withdrawals.address", withdrawal.address);
    f.number("withdrawals.amount_gwei", withdrawal.amount_gwei);
}

RlpFieldReader read_header(RlpReader items, Header* out) noexcept {
    *out = Header{};
    RlpFieldReader f{items};
    header_fields(f, *out);
    f.finish("header");
    return f;
}

// A legacy transaction is a list in the block's list; any other is a string around its wire form (EIP-2718).
Status transaction_wire_form(const RlpItem& item, ByteView* out) noexcept {
    *out = item.is_list ? item.whole : item.payload;
    if (item.is_list)
        return Status::SUCCESS;
    if (out->empty())
        return Status::RLP_TRUNCATED;
    return (*out)[0] < 0x80 ? Status::SUCCESS : Status::TYPE_NOT_SUPPORTED;
}

void read_transactions(RlpFieldReader& f, BlockParts* out) noexcept {
    RlpReader items = f.list("transactions");
    while (f.ok() && !items.at_end()) {
        RlpItem item;
        ByteView wire;
        f.note("transactions", items.next(&item));
        if (f.ok())
            f.note("transactions", transaction_wire_form(item, &wire));
        if (f.ok() && !out->transactions.push_back(wire))
            f.note("transactions", Status::OUT_OF_MEMORY);
    }
}

void read_ommers(RlpFieldReader& f, BlockParts* out) noexcept {
    RlpReader items = f.list("ommers");
    while (f.ok() && !items.at_end()) {
        RlpReader fields;
        f.note("ommers", items.next_list(&fields));
        Header* const ommer = f.ok() ? out->ommers.add() : nullptr;
        if (ommer != nullptr)
            f.note(read_header(fields, ommer));
        else
            f.note("ommers", Status::OUT_OF_MEMORY);
    }
}

void read_withdrawals(RlpFieldReader& f, BlockParts* out) noexcept {
    out->has_withdrawals = true;
    RlpReader items = f.list("withdrawals");
    while (f.ok() && !items.at_end()) {
        const uint8_t* const begin = items.position();
        RlpReader fields;
        f.note("withdrawals", items.next_list(&fields));
        RlpFieldReader inner{fields};
        Withdrawal withdrawal{};
        withdrawal_fields(inner, withdrawal);
        inner.finish("withdrawals");
        f.note(inner);
        if (!out->withdrawals.push_back(withdrawal) ||
            !out->withdrawal_rlps.push_back({begin, static_cast<size_t>(items.position() - begin)}))
            f.note("withdrawals", Status::OUT_OF_MEMORY);
    }
}

// The encoding of a list that lies before the reader, with its prefix; empty when there is no item.
ByteView encoded_next(const RlpReader& items) noexcept {
    RlpItem item;
    return items.peek(&item) == Status::SUCCESS ? item.whole : ByteView{};
}

Status answer(const RlpFieldReader& f, const char** field) noexcept {
    if (field != nullptr)
        *field = f.field();
    return f.status();
}

}  // namespace

Status decode_header(ByteView rlp, Header* out, const char** field) noexcept {
    RlpReader items;
    RlpFieldReader f{items};
    f.note("header", open_rlp_list(rlp, &items));
    if (f.ok())
        f.note(read_header(items, out));
    return answer(f, field);
}

Status decode_block(ByteView rlp, BlockParts* out, const char** field) noexcept {
    out->transactions.clear();
    out->ommers.clear();
    out->withdrawals.clear();
    out->withdrawal_rlps.clear();
    out->has_withdrawals = false;
    RlpReader parts;
    const Status status = open_rlp_list(rlp, &parts);
    if (status != Status::SUCCESS) {
        if (field != nullptr)
            *field = "block";
        return status;
    }
    RlpFieldReader f{parts};
    out->header_rlp = encoded_next(f.items());
    const RlpReader header = f.list("header");
    if (f.ok())
        f.note(read_header(header, &out->header));
    read_transactions(f, out);
    out->ommers_rlp = encoded_next(f.items());
    read_ommers(f, out);
    if (f.has_more())
        read_withdrawals(f, out);
    f.finish("block");
    return answer(f, field);
}

bool encode_header(const Header& header, Bytes* out) noexcept {
    RlpFieldWriter f{out};
    const size_t list = f.writer().begin_list();
    header_fields(f, header);
    f.writer().end_list(list);
    return f.writer().ok();
}

bool encode_withdrawal(const Withdrawal& withdrawal, Bytes* out) noexcept {
    RlpFieldWriter f{out};
    const size_t list = f.writer().begin_list();
    withdrawal_fields(f, withdrawal);
    f.writer().end_list(list);
    return f.writer().ok();
}

bool encode_block(const BlockParts& block, Bytes* out) noexcept {
    RlpWriter w{out};
    const size_t parts = w.begin_list();
    w.note(encode_header(block.header, out));
    const size_t transactions = w.begin_list();
    for (const ByteView wire : block.transactions) {
        if (!wire.empty() && wire[0] >= 0xc0)
            w.raw(wire);
        else
            w.string(wire);
    }
    w.end_list(transactions);
    const size_t ommers = w.begin_list();
    for (const Header& ommer : block.ommers)
        w.note(encode_header(ommer, out));
    w.end_list(ommers);
    if (block.has_withdrawals) {
        const size_t withdrawals = w.begin_list();
        for (const Withdrawal& withdrawal : block.withdrawals)
            w.note(encode_withdrawal(withdrawal, out));
        w.end_list(withdrawals);
    }
    w.end_list(parts);
    return w.ok();
}

}  // namespace evmcore
