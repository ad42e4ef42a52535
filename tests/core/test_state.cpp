// Tries and the base state: roots that are known, roots that don't depend on the way there, and changes that are taken back.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/base/flat_map.hpp"
#include "core/base/hexadecimal.hpp"
#include "core/base/polled_sort.hpp"
#include "core/crypto/keccak.hpp"
#include "core/state/code_cache.hpp"
#include "core/state/journal.hpp"
#include "core/state/slot_table.hpp"
#include "core/state/trie.hpp"
#include "core/state/world.hpp"

namespace {

using namespace evmcore;

template <class Tree>
Hash root_of(Tree&& tree) {
    Hash root;
    REQUIRE(tree.root(&root));
    return root;
}
std::string hex_of(const Hash& hash) {
    static const char digits[] = "0123456789abcdef";
    std::string text;
    for (const uint8_t byte : hash.bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}
ByteView view(const std::string& text) { return {reinterpret_cast<const uint8_t*>(text.data()), text.size()}; }

// A poll that says stop when it is asked for the n-th time.
struct Stopper {
    Poll poll;
    uint64_t asked = 0;
    uint64_t stops_at;
    explicit Stopper(uint64_t n = UINT64_MAX) : stops_at{n} {
        poll.hook = [](void* self) { return ++static_cast<Stopper*>(self)->asked >= static_cast<Stopper*>(self)->stops_at; };
        poll.hook_context = this;
    }
};

struct IntHasher {
    uint64_t operator()(uint64_t x) const noexcept { return x & 7; }  // collides as much as it can
};

}  // namespace

TEST_CASE("tries have the roots that are known") {
    Trie trie;
    CHECK(hex_of(root_of(trie)) == "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");
    // The first of the public trie tests.
    for (const auto& [key, value] :
         std::map<std::string, std::string>{{"do", "verb"}, {"horse", "stallion"}, {"doge", "coin"}, {"dog", "puppy"}})
        CHECK(trie.insert(view(key), view(value)));
    CHECK(hex_of(root_of(trie)) == "5991bb8c6514148a29db676a14ac506cd2cd5775ace63c30a4fe457715e9ac84");
    CHECK(hex_of(keccak256(ByteView{})) == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
}

TEST_CASE("a trie's root depends on what is in it, and not on the way there") {
    std::mt19937_64 random{1};
    for (int turn = 0; turn < 100; ++turn) {
        Trie trie;
        std::map<std::string, std::string> model;
        for (int step = 0; step < 200; ++step) {
            std::string key;
            for (size_t size = 1 + random() % 4; key.size() < size;)
                key += static_cast<char>(random() % 4 * 17);
            if (random() % 3 == 0) {
                bool was_there;
                REQUIRE(trie.erase(view(key), &was_there));
                CHECK(was_there == (model.erase(key) != 0));
            } else {
                model[key] = std::string(1 + random() % 40, static_cast<char>('a' + random() % 26));
                REQUIRE(trie.insert(view(key), view(model[key])));
            }
            if (step % 20 == 0)
                (void)root_of(trie);  // so that hashes that are kept are part of the test
        }
        Trie fresh;
        for (const auto& [key, value] : model)
            REQUIRE(fresh.insert(view(key), view(value)));
        CHECK(trie.size() == model.size());
        CHECK(root_of(trie) == root_of(fresh));
        for (const auto& [key, value] : model)
            CHECK(std::string(reinterpret_cast<const char*>(trie.get(view(key)).data), trie.get(view(key)).size) == value);
    }
}

TEST_CASE("a flat map is a map") {
    std::mt19937_64 random{2};
    FlatMap<uint64_t, uint64_t, IntHasher> map;
    std::map<uint64_t, uint64_t> model;
    for (int step = 0; step < 4000; ++step) {
        const uint64_t key = random() % 300;
        bool inserted;
        uint64_t* value = map.insert_or_find(key, &inserted);
        REQUIRE(value != nullptr);
        CHECK(inserted == (model.count(key) == 0));
        *value = model[key] = random();
        CHECK(map.size() == model.size());
        if (step % 1000 == 999) {
            FlatMap<uint64_t, uint64_t, IntHasher> copy;
            REQUIRE(copy.assign_from(map));
            size_t count = 0;
            copy.for_each([&](uint64_t each, uint64_t& of) { count += model.at(each) == of; });
            CHECK(count == model.size());
            map.clear();
            model.clear();
            CHECK(map.find(key) == nullptr);
        }
    }
}

TEST_CASE("the base state goes back to its checkpoints") {
    std::mt19937_64 random{3};
    for (int turn = 0; turn < 200; ++turn) {
        World world;
        std::vector<std::pair<uint64_t, Hash>> marks;
        for (int step = 0; step < 60; ++step) {
            Address address{};
            address.bytes[19] = static_cast<uint8_t>(random() % 5);
            switch (random() % 7) {
            case 0: (void)world.set_balance(address, u256{random() % 100}); break;
            case 1: (void)world.set_nonce(address, random() % 100); break;
            case 2: (void)world.set_slot(address, u256{random() % 4}, u256{random() % 3}); break;
            case 3: (void)world.destroy(address); break;
            case 4: {
                const uint8_t code[] = {static_cast<uint8_t>(random()), 1};
                (void)world.set_code(address, {code, 2});
                break;
            }
            case 5: {
                const Hash root = root_of(world);
                marks.emplace_back(world.checkpoint(), root);
                break;
            }
            default:
                if (marks.empty())
                    break;
                const size_t back = random() % marks.size();
                REQUIRE(world.revert(marks[back].first));
                CHECK(root_of(world) == marks[back].second);
                marks.resize(back);
            }
        }
        const std::unique_ptr<World> copy{world.clone()};
        CHECK(root_of(*copy) == root_of(world));
    }
}

TEST_CASE("whether an account is alive that was paid or has paid depends on what that takes, and on no more") {
    World world{false};
    const Address address{{1}};
    REQUIRE(world.set_balance(address, u256{5}) == Status::RUNNING);
    const StateView view = world.view();
    const auto reads_after = [&](auto change) {
        Journal journal;
        journal.begin(&view);
        JournalAccount* account = journal.account(address);
        REQUIRE(account != nullptr);
        change(journal, account);
        const bool is_alive = journal.read_alive(account);
        CHECK(is_alive == !account->balance.is_zero());
        return account->reads & ~READ_ALIVE;
    };
    CHECK(reads_after([](Journal&, JournalAccount*) {}) == 0);
    CHECK(reads_after([](Journal& journal, JournalAccount* account) { journal.credit(account, u256{1}); }) == 0);
    CHECK(reads_after([](Journal& journal, JournalAccount* account) { journal.debit(account, u256{1}); }) ==
          READ_BALANCE_MINIMUM);
    CHECK(reads_after([](Journal& journal, JournalAccount* account) { journal.debit(account, u256{5}); }) ==
          (READ_BALANCE | READ_NONCE | READ_CODE));
}

TEST_CASE("long sorting is the same as short, and can be stopped at each look at its poll") {
    std::mt19937_64 random{3};
    for (const size_t count : {size_t{0}, size_t{1}, POLLED_PIECE, POLLED_PIECE + 1, 5 * POLLED_PIECE + 77, 8 * POLLED_PIECE}) {
        std::vector<uint64_t> items(count);
        for (uint64_t& item : items)
            item = random() % (count + 1);
        std::vector<uint64_t> wanted = items, sorted = items;
        std::sort(wanted.begin(), wanted.end());
        Stopper never;
        REQUIRE(sort_polled(sorted.data(), count, std::less<uint64_t>{}, &never.poll));
        CHECK(sorted == wanted);
        CHECK(never.asked >= count / POLLED_PIECE - (count >= POLLED_PIECE));
        sorted = items;
        REQUIRE(sort_polled(sorted.data(), count, std::less<uint64_t>{}, nullptr));
        CHECK(sorted == wanted);
        for (uint64_t n = 1; n <= never.asked; ++n) {
            sorted = items;
            Stopper stopper{n};
            CHECK(!sort_polled(sorted.data(), count, std::less<uint64_t>{}, &stopper.poll));
            CHECK(stopper.asked == n);
        }
    }
}

TEST_CASE("lists and roots of a state whose one account has many slots can be stopped, and are in order") {
    World world{false}, stopped_world{false};
    const Address address{{1}};
    for (World* each : {&world, &stopped_world}) {
        REQUIRE(each->set_balance(address, u256{1}) == Status::RUNNING);
        std::mt19937_64 random{4};
        for (int i = 0; i < 40'000; ++i)
            REQUIRE(each->set_slot(address, u256{random()}, u256{1}) == Status::RUNNING);
    }
    const AccountRecord& record = *world.find(address);
    SlotTable table;
    Stopper never;
    REQUIRE(table.build(world, nullptr, &never.poll));
    CHECK(never.asked > 40'000 / POLLED_PIECE);
    CHECK(table.count(record) == record.slot_count);
    for (size_t i = 1; i < table.count(record); ++i)
        REQUIRE(table.slot(record, i - 1).key < table.slot(record, i).key);
    for (uint64_t n = 1; n <= never.asked; ++n) {
        Stopper stopper{n};
        SlotTable stopped;
        CHECK(!stopped.build(world, &record, &stopper.poll));
    }
    Stopper counting;
    Hash root, again;
    REQUIRE(world.root(&root, &counting.poll));
    CHECK(counting.asked > 2 * 40'000 / POLLED_PIECE);
    REQUIRE(world.root(&again));
    CHECK(root == again);
    // Storage of one account is one part of the root: it is stopped within, too. What was stopped keeps no trie.
    for (uint64_t n = 1; n <= counting.asked; n += 1 + counting.asked / 40) {
        Stopper stopper{n};
        CHECK(!stopped_world.root(&root, &stopper.poll));
    }
    REQUIRE(stopped_world.root(&again));
    CHECK(root == again);
}

TEST_CASE("jump destinations are those of a walk through the code") {
    std::mt19937_64 random{1};
    // Any bytes; around the pushes, whose data then look like pushes; pushes of a few bytes and destinations.
    const auto any_byte = [&] { return static_cast<uint8_t>(random()); };
    const auto near_pushes = [&] { return static_cast<uint8_t>(0x58 + random() % 0x28); };
    const auto short_pushes = [&] { return static_cast<uint8_t>(random() % 3 ? 0x60 + random() % 6 : 0x5b); };
    for (int turn = 0; turn < 60'000; ++turn) {
        const size_t size = random() % 400;
        std::unique_ptr<uint8_t[]> code{new uint8_t[size]};  // of just this size, for a sanitizer to see
        for (size_t i = 0; i < size; ++i)
            code[i] = turn % 3 == 0 ? any_byte() : turn % 3 == 1 ? near_pushes() : short_pushes();
        std::vector<uint64_t> found(size / 64 + 1), wanted(size / 64 + 1);
        find_jump_destinations(code.get(), size, found.data());
        find_jump_destinations_in_order(code.get(), size, wanted.data());
        REQUIRE(found == wanted);
    }
}

TEST_CASE("the code cache gives a code again, and lets go of what nobody holds") {
    CodeCache cache;
    const auto get = [&](uint64_t number, size_t size) {
        std::vector<uint8_t> bytes(size, 0x5b);
        std::memcpy(bytes.data(), &number, sizeof(number));
        const ByteView code{bytes.data(), bytes.size()};
        return cache.get(code, keccak256(code));
    };
    const auto figures = [&] {
        CodeCache::Figures out;
        REQUIRE(cache.figures(&out));
        return out;
    };
    REQUIRE(cache.set_limit(100'000));
    const Code* kept = get(0, 1000);
    CHECK(kept->jump_destinations.load() != nullptr);  // before anybody runs it
    for (uint64_t i = 0; i < 1000; ++i)
        get(i, 1000)->release();
    CHECK(figures().hits == 1);
    CHECK(figures().misses == 1000);
    CHECK(figures().bytes <= 100'000);
    CHECK(figures().codes > 50);
    const Code* again = get(0, 1000);  // a state has it all the time
    CHECK(again == kept);
    again->release();
    kept->release();
    REQUIRE(cache.set_limit(0));
    CHECK(figures().codes == 0);
    CHECK(figures().bytes == 0);
    const Code* alone = get(7, 1000);
    CHECK(alone->references.load() == 1);
    CHECK(alone->jump_destinations.load() != nullptr);
    alone->release();
}

TEST_CASE("threads share the code cache") {
    CodeCache cache;
    REQUIRE(cache.set_limit(20'000));
    std::vector<std::thread> threads;
    for (int number = 0; number < 4; ++number)
        threads.emplace_back([&cache, number] {
            for (uint64_t i = 0; i < 5000; ++i) {
                uint8_t bytes[200] = {};
                bytes[0] = static_cast<uint8_t>((i * 7 + static_cast<uint64_t>(number)) % 150);
                const ByteView code{bytes, sizeof(bytes)};
                const Code* found = cache.get(code, keccak256(code));
                if (found == nullptr || found->bytes()[0] != bytes[0] || found->analysis() == nullptr)
                    std::abort();
                found->release();
            }
        });
    for (std::thread& thread : threads)
        thread.join();
    REQUIRE(cache.set_limit(0));
}
