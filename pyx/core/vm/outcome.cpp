// Logs, blooms and receipts. Yellow Paper 4.4.1 and 4.3.1; EIP-658, EIP-2718.
#include "outcome.hpp"

#include "../base/rlp.hpp"

namespace evmcore {

void add_to_bloom(Bloom* bloom, ByteView item) noexcept {
    Hash hash;
    keccak256(item.data, item.size, &hash);
    for (int i = 0; i < 6; i += 2) {
        const unsigned bit = (static_cast<unsigned>(hash.bytes[i]) << 8 | hash.bytes[i + 1]) & 2047;
        (*bloom)[255 - bit / 8] |= static_cast<uint8_t>(1u << (bit % 8));
    }
}

void take_logs(Journal* journal, Outcome* outcome) noexcept {
    outcome->logs.swap(journal->logs);
    outcome->topics.swap(journal->topics);
    outcome->log_data.swap(journal->log_data);
    outcome->bloom.fill(0);
    for (const Log& log : outcome->logs) {
        add_to_bloom(&outcome->bloom, {log.address.bytes, 20});
        for (uint32_t i = 0; i < log.topic_count; ++i)
            add_to_bloom(&outcome->bloom, {outcome->topics[log.topic_begin + i].bytes, 32});
    }
}

void encode_logs(const Outcome& outcome, Bytes* out) noexcept {
    RlpWriter writer{out};
    const size_t list = writer.begin_list();
    for (const Log& log : outcome.logs) {
        const size_t fields = writer.begin_list();
        writer.fixed(log.address);
        const size_t topics = writer.begin_list();
        for (uint32_t i = 0; i < log.topic_count; ++i)
            writer.fixed(outcome.topics[log.topic_begin + i]);
        writer.end_list(topics);
        writer.string(outcome.log_data.data() + log.data_begin, log.data_size);
        writer.end_list(fields);
    }
    writer.end_list(list);
}

void encode_receipt(const Outcome& outcome, Bytes* out) noexcept {
    if (outcome.type != 0)
        out->push_back(outcome.type);
    RlpWriter writer{out};
    const size_t list = writer.begin_list();
    if (outcome.has_state_root)
        writer.fixed(outcome.state_root);
    else
        writer.number(uint64_t{outcome.status == Status::SUCCESS});
    writer.number(outcome.cumulative_gas);
    writer.string(outcome.bloom.data(), outcome.bloom.size());
    encode_logs(outcome, out);
    writer.end_list(list);
}

}  // namespace evmcore
