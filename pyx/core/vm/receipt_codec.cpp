// Receipts as they travel between layers; the order of the fields is that of evmcore/packing.py.
#include "receipt_codec.hpp"

#include <cstring>

#include "../base/rlp_fields.hpp"

namespace evmcore {

namespace {

void empty_list(RlpWriter* writer) noexcept { writer->end_list(writer->begin_list()); }

template <class Fixed>
void optional(RlpWriter* writer, bool is_there, const Fixed& value) noexcept {
    if (is_there)
        writer->fixed(value);
    else
        empty_list(writer);
}

// The next item, a string of that size or an empty list.
Status read_optional(RlpReader* items, uint8_t* out, size_t size, bool* is_there) noexcept {
    RlpItem item;
    const Status status = items->peek(&item);
    if (status != Status::SUCCESS)
        return status;
    *is_there = !item.is_list;
    if (*is_there)
        return items->next_fixed(out, size);
    RlpReader nothing;
    const Status opened = items->next_list(&nothing);
    return opened == Status::SUCCESS ? nothing.finish() : opened;
}

Status read_gas(RlpReader* items, int64_t* out) noexcept {
    uint64_t number = 0;
    const Status status = items->next_u64(&number);
    if (status != Status::SUCCESS)
        return status;
    if (number > INT64_MAX)
        return Status::RLP_NUMBER_TOO_LARGE;
    *out = static_cast<int64_t>(number);
    return Status::SUCCESS;
}

Status read_log(RlpReader* logs, Outcome* outcome) noexcept {
    RlpReader fields, topics;
    Log log{};
    Status status = logs->next_list(&fields);
    if (status == Status::SUCCESS)
        status = fields.next_fixed(log.address.bytes, 20);
    if (status == Status::SUCCESS)
        status = fields.next_list(&topics);
    if (status != Status::SUCCESS)
        return status;
    log.topic_begin = static_cast<uint32_t>(outcome->topics.size());
    for (; !topics.at_end(); ++log.topic_count) {
        if (log.topic_count == 4)
            return Status::RLP_TOO_MANY_FIELDS;
        Hash topic;
        status = topics.next_fixed(topic.bytes, 32);
        if (status != Status::SUCCESS)
            return status;
        if (!outcome->topics.push_back(topic))
            return Status::OUT_OF_MEMORY;
    }
    ByteView data;
    status = fields.next_string(&data);
    if (status == Status::SUCCESS)
        status = fields.finish();
    if (status != Status::SUCCESS)
        return status;
    if (data.size > UINT32_MAX - outcome->log_data.size())
        return Status::RLP_NUMBER_TOO_LARGE;
    log.data_begin = static_cast<uint32_t>(outcome->log_data.size());
    log.data_size = static_cast<uint32_t>(data.size);
    return outcome->log_data.append(data.data, data.size) && outcome->logs.push_back(log) ? Status::SUCCESS
                                                                                          : Status::OUT_OF_MEMORY;
}

// What an executed transaction can end with.
bool status_of_name(ByteView name, Status* out) noexcept {
    for (unsigned i = 0; i < STATUS_COUNT; ++i) {
        const Status status = static_cast<Status>(i);
        const Kind kind = kind_of(status);
        if ((kind == Kind::OK || kind == Kind::REVERT || kind == Kind::HALT) && std::strlen(name_of(status)) == name.size &&
            std::memcmp(name_of(status), name.data, name.size) == 0) {
            *out = status;
            return true;
        }
    }
    return false;
}

}  // namespace

bool pack_receipt(const Outcome& outcome, bool has_status, Bytes* out) noexcept {
    RlpWriter writer{out};
    const size_t list = writer.begin_list();
    writer.number(uint64_t{outcome.type});
    if (has_status)
        writer.number(uint64_t{outcome.status == Status::SUCCESS});
    else
        empty_list(&writer);
    writer.number(outcome.cumulative_gas);
    writer.number(static_cast<uint64_t>(outcome.gas_used));
    writer.note(encode_logs(outcome, out));
    writer.string(outcome.bloom.data(), outcome.bloom.size());
    optional(&writer, outcome.has_contract, outcome.contract);
    writer.string(outcome.output.data(), outcome.output.size());
    const char* const name = name_of(outcome.status);
    writer.string(reinterpret_cast<const uint8_t*>(name), std::strlen(name));
    writer.number(static_cast<uint64_t>(outcome.gas_refund));
    writer.number(outcome.effective_gas_price);
    optional(&writer, outcome.has_state_root, outcome.state_root);
    writer.number(outcome.blob_gas);
    writer.number(static_cast<uint64_t>(outcome.execution_gas));
    writer.number(static_cast<uint64_t>(outcome.state_gas));
    writer.end_list(list);
    return writer.ok();
}

Status unpack_receipt(RlpReader* items, Outcome* outcome, PackedReceipt* packed) noexcept {
    RlpReader fields, logs;
    uint64_t type = 0, told = 0;
    Status status = Status::SUCCESS;
    const auto read = [&](const char* name, Status got) noexcept {
        if (got != Status::SUCCESS) {
            status = got;
            packed->field = name;
        }
        return got == Status::SUCCESS;
    };
    outcome->logs.clear();
    outcome->topics.clear();
    outcome->log_data.clear();
    RlpItem item;
    if (!read(nullptr, items->next_list(&fields)) || !read("type", fields.next_u64(&type)) ||
        !read("type", type > 0x7f ? Status::RLP_NUMBER_TOO_LARGE : Status::SUCCESS) || !read("status", fields.peek(&item)))
        return status;
    outcome->type = static_cast<uint8_t>(type);
    packed->has_status = !item.is_list;
    if (packed->has_status) {
        if (!read("status", fields.next_u64(&told)))
            return status;
    } else if (!read("status", item.payload.size == 0 ? fields.next_list(&logs) : Status::RLP_TOO_MANY_FIELDS)) {
        return status;
    }
    if (!read("cumulative_gas_used", fields.next_u64(&outcome->cumulative_gas)) ||
        !read("gas_used", read_gas(&fields, &outcome->gas_used)) || !read("logs", fields.next_list(&logs)))
        return status;
    while (!logs.at_end())
        if (!read("logs", read_log(&logs, outcome)))
            return status;
    ByteView output, name;
    if (!read("logs_bloom", fields.next_fixed(outcome->bloom.data(), outcome->bloom.size())) ||
        !read("contract_address", read_optional(&fields, outcome->contract.bytes, 20, &outcome->has_contract)) ||
        !read("output", fields.next_string(&output)) ||
        !read("output", outcome->output.assign(output.data, output.size) ? Status::SUCCESS : Status::OUT_OF_MEMORY) ||
        !read("outcome", fields.next_string(&name)) ||
        !read("outcome", status_of_name(name, &outcome->status) ? Status::SUCCESS : Status::RLP_NON_CANONICAL) ||
        !read("gas_refund", read_gas(&fields, &outcome->gas_refund)) ||
        !read("effective_gas_price", fields.next_u256(&outcome->effective_gas_price)) ||
        !read("state_root", read_optional(&fields, outcome->state_root.bytes, 32, &outcome->has_state_root)) ||
        !read("blob_gas_used", fields.next_u64(&outcome->blob_gas)) ||
        !read("execution_gas_used", read_gas(&fields, &outcome->execution_gas)) ||
        !read("state_gas_used", read_gas(&fields, &outcome->state_gas)) || !read(nullptr, fields.finish()))
        return status;
    outcome->has_bloom = !outcome->logs.empty();
    // The status says what the outcome does, in a form of its own.
    const bool is_told = !packed->has_status || told == uint64_t{outcome->status == Status::SUCCESS};
    read("status", is_told ? Status::SUCCESS : Status::RLP_NON_CANONICAL);
    return status;
}

}  // namespace evmcore
