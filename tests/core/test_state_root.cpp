// Roots that follow changes are those that are made from nothing, whatever was written, undone, copied and observed between them.
#include <doctest/doctest.h>

#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "core/state/state_root.hpp"
#include "core/state/world.hpp"

namespace {

using namespace evmcore;

Hash root_of(World& world) {
    Hash root;
    REQUIRE(world.root(&root));
    return root;
}

// Of all that the state says, put into another one.
Hash root_from_nothing(const World& world) {
    World fresh;
    for (size_t i = 0; i < world.account_count(); ++i) {
        const AccountRecord& record = world.record(i);
        if (!record.exists)
            continue;
        REQUIRE(fresh.create(record.address) == Status::RUNNING);
        REQUIRE(fresh.set_balance(record.address, record.balance) == Status::RUNNING);
        REQUIRE(fresh.set_nonce(record.address, record.nonce) == Status::RUNNING);
        REQUIRE(fresh.set_code(record.address, view_of(record.code)) == Status::RUNNING);
        world.for_each_slot_in(0, world.slot_places(), [&](const SlotKey& key, const u256& value) {
            if (key.account == record.storage_id)
                REQUIRE(fresh.set_slot(record.address, key.slot, value) == Status::RUNNING);
        });
    }
    return root_of(fresh);
}

struct Seen {
    std::shared_ptr<World> world;
    std::unique_ptr<ObservedWorld> observed;
    Hash root;
};

void write(World& world, std::mt19937_64& random, unsigned accounts) {
    Address address{};
    address.bytes[19] = static_cast<uint8_t>(random() % accounts);
    if (world.is_strict() && random() % 3 == 0) {
        AccountFacts facts;
        facts.exists = random() % 3 != 0;
        facts.balance = u256{facts.exists ? random() % 5 : 0};
        if (random() % 2 == 0)
            CHECK(world.learn(address, facts) == Status::RUNNING);
        else
            CHECK(world.learn_slot(address, u256{random() % 6}, u256{random() % 3}) == Status::RUNNING);
        return;
    }
    if (random() % 16 == 0) {  // with what storage it has
        AccountState state;
        if (world.account(address, &state) == Status::RUNNING) {
            state.exists = !state.exists;
            CHECK(world.put(address, state, random() % 2 == 0) == Status::RUNNING);
        }
        return;
    }
    switch (random() % 8) {
    case 0: CHECK(world.set_balance(address, u256{random() % 100}) == Status::RUNNING); break;
    case 1: CHECK(world.set_nonce(address, random() % 100) == Status::RUNNING); break;
    case 2:
    case 3:
    case 4: CHECK(world.set_slot(address, u256{random() % 6}, u256{random() % 3}) == Status::RUNNING); break;
    case 5:
        CHECK(world.destroy(address) == Status::RUNNING);
        world.tidy();
        break;
    case 6: {
        const uint8_t code[] = {static_cast<uint8_t>(random()), 1};
        CHECK(world.set_code(address, {code, 2}) == Status::RUNNING);
        break;
    }
    default: CHECK(world.create(address) == Status::RUNNING);
    }
}

}  // namespace

TEST_CASE("roots follow changes, reverts, copies and observations") {
    std::mt19937_64 random{21};
    for (int turn = 0; turn < 150; ++turn) {
        const unsigned accounts = turn % 3 == 0 ? 200 : 6;
        std::vector<std::pair<std::shared_ptr<World>, std::vector<uint64_t>>> worlds;
        std::vector<Seen> seen;
        worlds.emplace_back(std::make_shared<World>(turn % 2 != 0), std::vector<uint64_t>{});
        for (int step = 0; step < 250; ++step) {
            const size_t which = random() % worlds.size();
            World& world = *worlds[which].first;
            std::vector<uint64_t>& marks = worlds[which].second;
            switch (random() % 16) {
            case 0: CHECK(root_of(world) == root_from_nothing(world)); break;
            case 1: (void)root_of(world); break;
            case 2: marks.push_back(world.checkpoint()); break;
            case 3:
                if (!marks.empty()) {
                    const size_t back = random() % marks.size();
                    REQUIRE(world.revert(marks[back]));
                    marks.resize(back);
                }
                break;
            case 4:
                if (!marks.empty()) {
                    const size_t back = random() % marks.size();
                    REQUIRE(world.release(marks[back]));
                    marks.resize(back);
                }
                break;
            case 5:
                if (worlds.size() < 4) {
                    const bool has_undo = random() % 2 == 0;
                    std::shared_ptr<World> copy{world.clone(has_undo)};
                    worlds.emplace_back(std::move(copy), has_undo ? marks : std::vector<uint64_t>{});
                }
                break;
            case 6:
                if (seen.size() < 3) {
                    seen.push_back({worlds[which].first, std::make_unique<ObservedWorld>(), root_from_nothing(world)});
                    REQUIRE(seen.back().observed->open(worlds[which].first));
                }
                break;
            case 7:
                if (!seen.empty()) {
                    const size_t each = random() % seen.size();
                    const std::unique_ptr<World> past{seen[each].observed->restored()};
                    REQUIRE(past != nullptr);
                    CHECK(root_of(*past) == seen[each].root);
                    if (random() % 2 == 0)
                        seen.erase(seen.begin() + static_cast<long>(each));
                }
                break;
            default: write(world, random, accounts);
            }
        }
        for (auto& [world, marks] : worlds)
            CHECK(root_of(*world) == root_from_nothing(*world));
    }
}

TEST_CASE("a root that was stopped leaves the next one right") {
    std::mt19937_64 random{22};
    World world;
    for (int i = 0; i < 3000; ++i)
        write(world, random, 250);
    for (int turn = 0; turn < 60; ++turn) {
        static int budget;
        budget = static_cast<int>(random() % 40);
        Poll poll;
        poll.interval = poll.countdown = 1;
        poll.hook = [](void*) { return budget-- <= 0; };
        Hash root;
        const bool is_made = world.root(&root, &poll);
        CHECK(is_made == !poll.abort.load());
        CHECK(root_of(world) == root_from_nothing(world));
        for (int i = 0; i < 20; ++i)
            write(world, random, 250);
    }
}

TEST_CASE("copies of a state make their roots in threads of their own") {
    std::mt19937_64 random{23};
    World base;
    for (int i = 0; i < 2000; ++i)
        write(base, random, 200);
    const Hash root = root_of(base);
    std::vector<std::thread> threads;
    std::vector<int> wrong(4, 0);
    for (unsigned t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            std::mt19937_64 own{t};
            for (int turn = 0; turn < 10; ++turn) {
                const std::unique_ptr<World> fork{base.clone()};
                for (int i = 0; i < 10; ++i) {
                    Address address{};
                    address.bytes[19] = static_cast<uint8_t>(own() % 250);
                    (void)fork->set_slot(address, u256{own() % 6}, u256{own() % 3});
                }
                Hash first;
                wrong[t] += !fork->root(&first);
                const std::unique_ptr<World> whole{fork->clone()};
                Address address{};
                address.bytes[0] = 1;
                (void)whole->set_balance(address, u256{1});
                Hash other;
                wrong[t] += !whole->root(&other);
                (void)whole->destroy(address);
                wrong[t] += !whole->root(&other) || !(other == first);
            }
        });
    for (std::thread& thread : threads)
        thread.join();
    for (const int each : wrong)
        CHECK(each == 0);
    CHECK(root_of(base) == root);
}

TEST_CASE("threads that ask one state for its root all get it") {
    std::mt19937_64 random{24};
    World world;
    for (int turn = 0; turn < 20; ++turn) {
        for (int i = 0; i < 300; ++i)
            write(world, random, 250);
        const Hash expected = root_from_nothing(world);
        std::vector<std::thread> threads;
        std::vector<int> right(3, 0);
        for (unsigned t = 0; t < 3; ++t)
            threads.emplace_back([&, t] {
                StateRoot work{&world};
                work.open(t == 0);
                for (int step = StateRoot::KEYS; step != StateRoot::DONE; ++step)
                    for (size_t part = 0, parts = work.begin(static_cast<StateRoot::Step>(step), nullptr); part < parts; ++part)
                        work.run(static_cast<StateRoot::Step>(step), part, nullptr);
                Hash root;
                right[t] = work.root(&root, nullptr) && root == expected;
            });
        for (std::thread& thread : threads)
            thread.join();
        for (const int each : right)
            CHECK(each == 1);
    }
}
