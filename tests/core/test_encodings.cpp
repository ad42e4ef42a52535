// RLP and the decoders: what they take encodes to the same bytes; what is cut or changed is refused, or is another value.
#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "core/base/rlp.hpp"
#include "core/base/transaction.hpp"

using namespace evmcore;

TEST_CASE("RLP reads what it writes") {
    std::mt19937_64 random{1};
    for (int turn = 0; turn < 500; ++turn) {
        Bytes out;
        RlpWriter writer{&out};
        std::vector<std::vector<uint8_t>> strings;
        std::vector<uint64_t> numbers;
        const size_t list = writer.begin_list();
        for (int item = 0; item < 5; ++item) {
            std::vector<uint8_t> text(random() % 3 == 0 ? random() % 70000 : random() % 60);
            for (uint8_t& byte : text)
                byte = static_cast<uint8_t>(random());
            writer.string(text.data(), text.size());
            strings.push_back(text);
            numbers.push_back(random() >> random() % 64);
            writer.number(numbers.back());
        }
        writer.end_list(list);
        RlpReader reader;
        REQUIRE(open_rlp_list({out.data(), out.size()}, &reader) == Status::SUCCESS);
        for (size_t item = 0; item < strings.size(); ++item) {
            ByteView string;
            uint64_t number;
            REQUIRE(reader.next_string(&string) == Status::SUCCESS);
            CHECK(std::vector<uint8_t>(string.data, string.data + string.size) == strings[item]);
            REQUIRE(reader.next_u64(&number) == Status::SUCCESS);
            CHECK(number == numbers[item]);
        }
        CHECK(reader.finish() == Status::SUCCESS);
        // Every beginning is refused.
        for (size_t size = 0; size < out.size() && size < 300; ++size)
            CHECK(open_rlp_list({out.data(), size}, &reader) != Status::SUCCESS);
    }
}

TEST_CASE("RLP refuses other forms of the same") {
    const auto opens = [](std::vector<uint8_t> bytes) {
        RlpItem item;
        return open_rlp_item({bytes.data(), bytes.size()}, &item) == Status::SUCCESS;
    };
    CHECK(opens({0x05}));
    CHECK(!opens({0x81, 0x05}));        // a byte below 0x80 is itself
    CHECK(!opens({0xb8, 0x01, 0x99}));  // a short string with a long head
    CHECK(!opens({0xb9, 0x00, 0x38}));  // a length with a zero in front
    CHECK(!opens({0x82, 0x01}));        // longer than there is
    CHECK(!opens({0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}));
    CHECK(!opens({0x80, 0x80}));  // something after it
    uint64_t number;
    const uint8_t padded[] = {0x82, 0x00, 0x05};
    CHECK(RlpReader{{padded, 3}}.next_u64(&number) != Status::SUCCESS);
}

TEST_CASE("what the reader takes of random bytes is what the writer makes of it") {
    std::mt19937_64 random{11};
    // Writes the item again, and all that is in it; whether it could be read.
    const auto again = [](const auto& self, const RlpItem& item, RlpWriter* writer) -> bool {
        if (!item.is_list) {
            writer->string(item.payload);
            return true;
        }
        const size_t list = writer->begin_list();
        for (RlpReader reader{item.payload}; !reader.at_end();) {
            RlpItem inner;
            if (reader.next(&inner) != Status::SUCCESS || !self(self, inner, writer))
                return false;
        }
        writer->end_list(list);
        return true;
    };
    size_t taken = 0;
    for (int turn = 0; turn < 200000; ++turn) {
        // Heads of lists and strings of small lengths, so that much of it fits.
        std::vector<uint8_t> bytes(1 + random() % 12);
        for (uint8_t& byte : bytes)
            byte = static_cast<uint8_t>(random() % 2 ? random() : random() % 2 ? 0xc0 + random() % 8 : 0x80 + random() % 6);
        if (random() % 2)
            bytes[0] = static_cast<uint8_t>(0xc0 + bytes.size() - 1);
        RlpItem item;
        if (open_rlp_item({bytes.data(), bytes.size()}, &item) != Status::SUCCESS)
            continue;
        Bytes out;
        RlpWriter writer{&out};
        if (!again(again, item, &writer))
            continue;
        ++taken;
        REQUIRE(writer.ok());
        CHECK(std::vector<uint8_t>(out.begin(), out.end()) == bytes);
    }
    CHECK(taken > 1000);
}

TEST_CASE("random bytes are no transaction, or the one that they encode") {
    std::mt19937_64 random{3};
    for (int turn = 0; turn < 20'000; ++turn) {
        std::vector<uint8_t> bytes(random() % 60);
        for (uint8_t& byte : bytes)
            byte = random() % 2 == 0 ? static_cast<uint8_t>(0xc0 + bytes.size() - 1) : static_cast<uint8_t>(random());
        if (!bytes.empty() && random() % 2 == 0)
            bytes[0] = static_cast<uint8_t>(random() % 6);
        Transaction tx;
        const char* field = nullptr;
        if (decode_transaction({bytes.data(), bytes.size()}, &tx, &field) != Status::SUCCESS)
            continue;
        Bytes again;
        REQUIRE(encode_transaction(tx, &again));
        CHECK(std::vector<uint8_t>(again.begin(), again.end()) == bytes);
    }
}
