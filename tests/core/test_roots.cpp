// State roots and roots of lists, against a trie that is made entry by entry (Yellow Paper 4.1, appendix D).
#include <doctest/doctest.h>

#include <atomic>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "core/base/rlp.hpp"
#include "core/crypto/keccak.hpp"
#include "core/state/state_root.hpp"
#include "core/state/trie.hpp"
#include "core/state/world.hpp"

namespace {

using namespace evmcore;

struct Account {
    uint64_t nonce = 0;
    u256 balance;
    std::vector<uint8_t> code;
    std::map<uint64_t, uint64_t> slots;
};

ByteView view(const Bytes& bytes) { return {bytes.data(), bytes.size()}; }
Hash hash_of_bytes(const uint8_t* data, size_t size) { return keccak256(ByteView{data, size}); }

Hash storage_root(const Account& account) {
    Trie trie;
    for (const auto& [slot, value] : account.slots) {
        uint8_t word[32];
        u256_to_bytes(u256{slot}, word);
        const Hash key = hash_of_bytes(word, 32);
        Bytes encoded;
        RlpWriter{&encoded}.number(value);
        REQUIRE(trie.insert({key.bytes, 32}, view(encoded)));
    }
    Hash root;
    REQUIRE(trie.root(&root));
    return root;
}

Hash state_root(const std::map<uint32_t, Account>& accounts, Address (*address_of)(uint32_t)) {
    Trie trie;
    for (const auto& [number, account] : accounts) {
        const Hash key = hash_of_bytes(address_of(number).bytes, 20);
        Bytes encoded;
        RlpWriter writer{&encoded};
        const size_t list = writer.begin_list();
        writer.number(account.nonce);
        writer.number(account.balance);
        writer.fixed(storage_root(account));
        writer.fixed(hash_of_bytes(account.code.data(), account.code.size()));
        writer.end_list(list);
        REQUIRE(trie.insert({key.bytes, 32}, view(encoded)));
    }
    Hash root;
    REQUIRE(trie.root(&root));
    return root;
}

Address address_of(uint32_t number) {
    Address address{};
    std::memcpy(address.bytes, &number, sizeof number);
    return address;
}

// As workers make it: the parts of each step are taken by the thread that comes first.
Hash root_in_parts(World& world, int threads) {
    StateRoot state_root{&world};
    state_root.open(true);
    for (int step = StateRoot::KEYS; step < StateRoot::DONE; ++step) {
        const size_t parts = state_root.begin(static_cast<StateRoot::Step>(step), nullptr);
        std::atomic<size_t> next{0};
        const auto work = [&] {
            for (size_t part; (part = next.fetch_add(1)) < parts;)
                state_root.run(static_cast<StateRoot::Step>(step), part, nullptr);
        };
        std::vector<std::thread> others;
        for (int thread = 1; thread < threads; ++thread)
            others.emplace_back(work);
        work();
        for (std::thread& other : others)
            other.join();
    }
    Hash root;
    REQUIRE(state_root.root(&root, nullptr));
    return root;
}

}  // namespace

TEST_CASE("a state's root is that of the trie of its accounts, by as many threads as there are") {
    std::mt19937_64 random{7};
    for (const uint32_t count : {0u, 1u, 2u, 17u, 400u, 3000u}) {
        World world;
        std::map<uint32_t, Account> model;
        for (uint32_t i = 0; i < count; ++i) {
            const auto number = static_cast<uint32_t>(random());
            Account& account = model[number];
            account.nonce = random() % 3;
            account.balance = u256{random() >> random() % 64};
            if (random() % 4 == 0)
                account.code.assign(1 + random() % 50, static_cast<uint8_t>(random()));
            for (size_t slot = random() % 5 == 0 ? random() % (count > 1000 ? 20 : 300) : 0; slot-- > 0;)
                account.slots[random() % 1000] = 1 + random() % 1000;
            const Address address = address_of(number);
            REQUIRE(world.set_balance(address, account.balance) == Status::RUNNING);
            REQUIRE(world.set_nonce(address, account.nonce) == Status::RUNNING);
            REQUIRE(world.set_code(address, {account.code.data(), account.code.size()}) == Status::RUNNING);
            for (const auto& [slot, value] : account.slots)
                REQUIRE(world.set_slot(address, u256{slot}, u256{value}) == Status::RUNNING);
        }
        const Hash wanted = state_root(model, address_of);
        // Copies are made before: a state keeps the root that it has made.
        for (const int threads : {1, 2, 4}) {
            const std::unique_ptr<World> copy{world.clone()};
            CHECK(root_in_parts(*copy, threads) == wanted);
            CHECK(root_in_parts(*copy, threads) == wanted);
        }
        Hash root;
        REQUIRE(world.root(&root));
        CHECK(root == wanted);
    }
}

TEST_CASE("a list's root is that of the trie under its encoded indices") {
    std::mt19937_64 random{8};
    for (const size_t count : {0u, 1u, 2u, 127u, 128u, 129u, 256u, 700u}) {
        Trie trie;
        std::vector<std::vector<uint8_t>> items(count);
        std::vector<ByteView> views;
        for (size_t i = 0; i < count; ++i) {
            items[i].assign(1 + random() % 80, static_cast<uint8_t>(random()));
            views.push_back({items[i].data(), items[i].size()});
            Bytes key;
            RlpWriter{&key}.number(static_cast<uint64_t>(i));
            REQUIRE(trie.insert(view(key), views[i]));
        }
        Hash wanted, root;
        REQUIRE(trie.root(&wanted));
        REQUIRE(ordered_trie_root(views.data(), count, &root));
        CHECK(root == wanted);
    }
}

TEST_CASE("the root over sorted keys is that of the trie which they are put into") {
    std::mt19937_64 random{9};
    for (const size_t count : {0u, 1u, 2u, 3u, 40u, 1000u}) {
        std::map<std::vector<uint8_t>, std::vector<uint8_t>> model;
        while (model.size() < count) {
            std::vector<uint8_t> key(32, 0x11);
            // Long common beginnings, so that extensions of all lengths come up.
            for (size_t at = random() % 32; at < 32; ++at)
                key[at] = static_cast<uint8_t>(random() % 3 * 17);
            model[key].assign(1 + random() % 40, static_cast<uint8_t>(random()));
        }
        Trie trie;
        std::vector<Hash> keys;
        std::vector<ByteView> values;
        for (const auto& [key, value] : model) {
            Hash hash;
            std::memcpy(hash.bytes, key.data(), 32);
            keys.push_back(hash);
            values.push_back({value.data(), value.size()});
            REQUIRE(trie.insert({hash.bytes, 32}, values.back()));
        }
        Hash wanted, root;
        REQUIRE(trie.root(&wanted));
        REQUIRE(trie_root_of_sorted(keys.data(), values.data(), count, &root));
        CHECK(root == wanted);
    }
}
