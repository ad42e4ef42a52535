// Receipts as they travel: what is read is what was written, and whatever is cut or changed is refused or is another value.
#include <doctest/doctest.h>

#include <cstring>

#include "core/vm/receipt_codec.hpp"

using namespace evmcore;

namespace {

void fill(Outcome* outcome, bool has_logs) {
    outcome->status = has_logs ? Status::SUCCESS : Status::REVERT;
    outcome->type = 2;
    outcome->has_contract = has_logs;
    outcome->contract.bytes[3] = 7;
    outcome->gas_used = 21000;
    outcome->execution_gas = 20000;
    outcome->state_gas = 1000;
    outcome->gas_refund = 5;
    outcome->cumulative_gas = 1u << 20;
    outcome->blob_gas = 131072;
    outcome->effective_gas_price = u256{77};
    outcome->bloom[17] = has_logs ? 0x80 : 0;
    const uint8_t output[] = {1, 2, 3};
    REQUIRE(outcome->output.append(output, 3));
    for (uint32_t i = 0; has_logs && i < 3; ++i) {
        Log log{};
        log.address.bytes[0] = static_cast<uint8_t>(i);
        log.topic_count = i;
        log.topic_begin = static_cast<uint32_t>(outcome->topics.size());
        log.data_begin = static_cast<uint32_t>(outcome->log_data.size());
        log.data_size = 40 * i;
        for (uint32_t topic = 0; topic < i; ++topic)
            REQUIRE(outcome->topics.push_back(Hash{{static_cast<uint8_t>(topic + 1)}}));
        uint8_t* const data = outcome->log_data.extend(log.data_size);
        if (log.data_size != 0)
            std::memset(data, static_cast<int>(i), log.data_size);
        REQUIRE(outcome->logs.push_back(log));
    }
}

bool same(const Bytes& a, const Bytes& b) { return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0; }

}  // namespace

TEST_CASE("A packed receipt is read as it was written") {
    for (const bool has_logs : {false, true})
        for (const bool has_status : {false, true}) {
            Outcome outcome, read;
            fill(&outcome, has_logs);
            outcome.has_state_root = !has_status;
            Bytes packed, again, receipt, receipt_again;
            REQUIRE(pack_receipt(outcome, has_status, &packed));
            // What was in the outcome before is gone.
            REQUIRE(read.topics.push_back(Hash{}));
            RlpReader items{{packed.data(), packed.size()}};
            PackedReceipt told;
            REQUIRE(unpack_receipt(&items, &read, &told) == Status::SUCCESS);
            CHECK(items.at_end());
            CHECK(told.has_status == has_status);
            CHECK(read.has_bloom == has_logs);
            REQUIRE(pack_receipt(read, has_status, &again));
            CHECK(same(packed, again));
            REQUIRE(encode_receipt(outcome, &receipt));
            REQUIRE(encode_receipt(read, &receipt_again));
            CHECK(same(receipt, receipt_again));
            for (size_t size = 0; size < packed.size(); ++size) {
                RlpReader cut{{packed.data(), size}};
                CHECK(unpack_receipt(&cut, &read, &told) != Status::SUCCESS);
            }
            // One byte changed: refused, or it packs to the changed bytes.
            for (size_t at = 0; at < packed.size(); ++at)
                for (const uint8_t bit : {0x01, 0x80}) {
                    packed[at] ^= bit;
                    RlpReader changed{{packed.data(), packed.size()}};
                    if (unpack_receipt(&changed, &read, &told) == Status::SUCCESS && changed.at_end()) {
                        again.clear();
                        REQUIRE(pack_receipt(read, told.has_status, &again));
                        CHECK(same(packed, again));
                    }
                    packed[at] ^= bit;
                }
        }
}
