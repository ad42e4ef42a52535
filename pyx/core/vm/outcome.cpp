// Logs, blooms and receipts. Yellow Paper 4.4.1 and 4.3.1; EIP-658, EIP-2718.
#include "outcome.hpp"

#include "../base/rlp.hpp"

namespace evmcore {

void add_to_bloom(Bloom* bloom, const Hash& hash) noexcept {
    for (int i = 0; i < 6; i += 2) {
        const unsigned bit = (static_cast<unsigned>(hash.bytes[i]) << 8 | hash.bytes[i + 1]) & 2047;
        (*bloom)[255 - bit / 8] |= static_cast<uint8_t>(1u << (bit % 8));
    }
}

namespace {

// Fills a bloom: items that are not remembered wait until there are four of them, to be hashed side by side.
class BloomFiller {
public:
    BloomFiller(Machine* machine, Bloom* bloom) noexcept : memo_{machine->bloom_items}, bloom_{bloom} {}

    void add(ByteView item) noexcept {
        const auto& entry = memo_.place(item);
        if (memo_.holds(entry, item)) {
            add_to_bloom(bloom_, entry.hash);
            return;
        }
        data_[waiting_] = item.data;
        sizes_[waiting_] = item.size;
        if (++waiting_ == 4) {
            Hash* const out[4] = {&hashes_[0], &hashes_[1], &hashes_[2], &hashes_[3]};
            keccak256_x4(data_, sizes_, out);
            take();
        }
    }
    void finish() noexcept {
        for (unsigned i = 0; i < waiting_; ++i)
            keccak256(data_[i], sizes_[i], &hashes_[i]);
        take();
    }

private:
    void take() noexcept {
        for (unsigned i = 0; i < waiting_; ++i) {
            const ByteView item{data_[i], sizes_[i]};
            add_to_bloom(bloom_, hashes_[i]);
            memo_.keep(&memo_.place(item), item, hashes_[i]);
        }
        waiting_ = 0;
    }

    decltype(Machine::bloom_items)& memo_;
    Bloom* bloom_;
    unsigned waiting_ = 0;
    const uint8_t* data_[4];
    size_t sizes_[4];
    Hash hashes_[4];
};

}  // namespace

bool copy_logs(Machine* machine, Outcome* outcome) noexcept {
    Journal* journal = &machine->journal;
    // Copies, of the right size: the journal keeps its memory for the next transaction.
    if (!outcome->logs.assign(journal->logs.data(), journal->logs.size()) ||
        !outcome->topics.assign(journal->topics.data(), journal->topics.size()) ||
        !outcome->log_data.assign(journal->log_data.data(), journal->log_data.size()))
        return false;
    if (outcome->has_bloom)
        outcome->bloom.fill(0);
    outcome->has_bloom = false;
    return true;
}

bool append_logs(const Machine& machine, Outcome* outcome) noexcept {
    const Journal& journal = machine.journal;
    const auto topics = static_cast<uint32_t>(outcome->topics.size()), data = static_cast<uint32_t>(outcome->log_data.size());
    if (!outcome->topics.append(journal.topics.data(), journal.topics.size()) ||
        !outcome->log_data.append(journal.log_data.data(), journal.log_data.size()))
        return false;
    for (Log log : journal.logs) {
        log.topic_begin += topics;
        log.data_begin += data;
        if (!outcome->logs.push_back(log))
            return false;
    }
    return true;
}

bool take_logs(Machine* machine, Outcome* outcome) noexcept {
    if (!copy_logs(machine, outcome))
        return false;
    outcome->has_bloom = !outcome->logs.empty();
    if (!outcome->has_bloom)
        return true;
    BloomFiller filler{machine, &outcome->bloom};
    for (const Log& log : outcome->logs) {
        filler.add({log.address.bytes, 20});
        for (uint32_t i = 0; i < log.topic_count; ++i)
            filler.add({outcome->topics[log.topic_begin + i].bytes, 32});
    }
    filler.finish();
    return true;
}

bool encode_logs(const Outcome& outcome, Bytes* out) noexcept {
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
    return writer.ok();
}

bool encode_receipt(const Outcome& outcome, Bytes* out) noexcept {
    RlpWriter writer{out};
    if (outcome.type != 0)
        writer.byte(outcome.type);
    const size_t list = writer.begin_list();
    if (outcome.has_state_root)
        writer.fixed(outcome.state_root);
    else
        writer.number(uint64_t{outcome.status == Status::SUCCESS});
    writer.number(outcome.cumulative_gas);
    writer.string(outcome.bloom.data(), outcome.bloom.size());
    writer.note(encode_logs(outcome, out));
    writer.end_list(list);
    return writer.ok();
}

namespace {

// keccak256("DepositEvent(bytes,bytes,bytes,bytes,bytes)")
constexpr Hash DEPOSIT_TOPIC{{0x64, 0x9b, 0xbc, 0x62, 0xd0, 0xe3, 0x13, 0x42, 0xaf, 0xea, 0x4e, 0x5c, 0xd8, 0x2d, 0x40, 0x49,
                              0xe7, 0xe1, 0xee, 0x91, 0x2f, 0xc0, 0x88, 0x9a, 0xa7, 0x90, 0x80, 0x3b, 0xe3, 0x90, 0x38, 0xc5}};

// The five byte strings of a deposit event: where the ABI puts each one's length word, and how long each is.
struct DepositField {
    size_t offset;
    size_t size;
};
constexpr DepositField DEPOSIT_FIELDS[5] = {{160, 48}, {256, 32}, {320, 8}, {384, 96}, {512, 8}};
constexpr size_t DEPOSIT_EVENT_SIZE_BYTES = 576;

bool is_word(const uint8_t* word, size_t value) noexcept { return from_big_endian(word) == u256{value}; }

}  // namespace

const Address& deposit_contract_of(const u256& chain_id) noexcept {
    return chain_id == u256{parameter::sepolia_chain_id}   ? system_address::sepolia_deposit_contract
           : chain_id == u256{parameter::holesky_chain_id} ? system_address::holesky_deposit_contract
                                                           : system_address::deposit_contract;
}

Status append_deposits(const Outcome& outcome, const Address& contract, bool checks_layout, Bytes* out) noexcept {
    for (const Log& log : outcome.logs) {
        if (!(log.address == contract) || log.topic_count == 0 || !(outcome.topics[log.topic_begin] == DEPOSIT_TOPIC))
            continue;
        if (log.data_size != DEPOSIT_EVENT_SIZE_BYTES)
            return Status::BLOCK_DEPOSIT_LAYOUT;
        const uint8_t* data = outcome.log_data.data() + log.data_begin;
        for (size_t i = 0; checks_layout && i < 5; ++i)
            if (!is_word(data + 32 * i, DEPOSIT_FIELDS[i].offset) ||
                !is_word(data + DEPOSIT_FIELDS[i].offset, DEPOSIT_FIELDS[i].size))
                return Status::BLOCK_DEPOSIT_LAYOUT;
        for (const DepositField& field : DEPOSIT_FIELDS)
            if (!out->append(data + field.offset + 32, field.size))
                return Status::OUT_OF_MEMORY;
    }
    return Status::RUNNING;
}

}  // namespace evmcore
