// Forks of worlds: whatever is written, undone, forked, observed and dropped, each is what a world without layers is.
#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "core/state/slot_table.hpp"
#include "core/state/state_root.hpp"
#include "core/state/world.hpp"

namespace {

using namespace evmcore;

constexpr unsigned SLOTS = 8;

Address address_of(unsigned n) {
    Address address{};
    address.bytes[18] = static_cast<uint8_t>(n >> 8);
    address.bytes[19] = static_cast<uint8_t>(n);
    return address;
}

Hash root_of(World& world) {
    Hash root;
    REQUIRE(world.root(&root));
    return root;
}

World* fork_of(const std::shared_ptr<World>& world) {
    return World::fork(world, [](World* merged) { return std::shared_ptr<World>{merged}; });
}

// A world as a State holds it, and its twin, which shares nothing and has the same done to it.
struct Twins {
    std::shared_ptr<World> world;
    std::unique_ptr<World> plain;
    std::vector<std::pair<uint64_t, uint64_t>> marks;

    // As a State does before it is written.
    World& writer() {
        if (world.use_count() > 1 + static_cast<long>(world->observation_count()))
            world.reset(fork_of(world));
        else
            world->reclaim(SIZE_MAX);
        REQUIRE(world != nullptr);
        return *world;
    }
    Twins copy() const {
        return {world->has_checkpoints() ? std::shared_ptr<World>{world->clone()} : world,
                std::unique_ptr<World>{plain->clone()},
                {}};
    }
};

void check_same(const World& world, const World& plain, unsigned accounts) {
    CHECK(world.live_account_count() == plain.live_account_count());
    CHECK(world.live_slot_count() == plain.live_slot_count());
    bool is_same = true;
    for (unsigned n = 0; n < accounts; ++n) {
        AccountState mine, theirs;
        is_same &= world.account(address_of(n), &mine) == plain.account(address_of(n), &theirs);
        is_same &= mine.balance == theirs.balance && mine.nonce == theirs.nonce && mine.exists == theirs.exists &&
                   hash_of(mine.code) == hash_of(theirs.code) && mine.has_storage == theirs.has_storage &&
                   mine.is_storage_known == theirs.is_storage_known;
        for (unsigned slot = 0; slot < SLOTS; ++slot) {
            u256 value, wanted;
            is_same &= world.slot(address_of(n), u256{slot}, &value) == plain.slot(address_of(n), u256{slot}, &wanted);
            is_same &= value == wanted;
        }
    }
    CHECK(is_same);
}

// The accounts and slots as lists have them.
void check_lists(const World& world, const World& plain) {
    SlotTable mine, theirs;
    REQUIRE(mine.build(world, nullptr, nullptr));
    REQUIRE(theirs.build(plain, nullptr, nullptr));
    Vector<uint32_t> my_places, their_places;
    REQUIRE(sort_accounts(world, &my_places, nullptr));
    REQUIRE(sort_accounts(plain, &their_places, nullptr));
    REQUIRE(my_places.size() == their_places.size());
    bool is_same = true;
    for (size_t i = 0; i < my_places.size(); ++i) {
        const AccountRecord& my_record = world.record(my_places[i]);
        const AccountRecord& their_record = plain.record(their_places[i]);
        is_same &= my_record.address == their_record.address && mine.count(my_record) == theirs.count(their_record);
        for (size_t k = 0; is_same && k < mine.count(my_record); ++k)
            is_same &= mine.slot(my_record, k).key == theirs.slot(their_record, k).key &&
                       mine.slot(my_record, k).value == theirs.slot(their_record, k).value;
    }
    CHECK(is_same);
}

void write(World& world, std::mt19937_64 random, unsigned accounts) {  // the same for both twins
    const Address address = address_of(static_cast<unsigned>(random() % accounts));
    const u256 key{random() % SLOTS};
    switch (random() % 16) {
    case 0: CHECK(world.destroy(address) == Status::RUNNING); break;
    case 1: CHECK(world.create(address) == Status::RUNNING); break;
    case 2:
    case 3: {
        const uint8_t code[] = {static_cast<uint8_t>(random() % 20), 1};
        CHECK(world.set_code(address, {code, random() % 3}) == Status::RUNNING);
        break;
    }
    case 4: CHECK(world.set_nonce(address, random() % 100) == Status::RUNNING); break;
    case 5:
    case 6: CHECK(world.set_balance(address, u256{random() % 100}) == Status::RUNNING); break;
    case 7: CHECK(world.learn_slot(address, key, u256{random() % 3}) == Status::RUNNING); break;
    case 8: {
        AccountFacts facts;
        facts.exists = random() % 3 != 0;
        facts.balance = u256{facts.exists ? random() % 5 : 0};
        if (world.is_strict())
            CHECK(world.learn(address, facts) == Status::RUNNING);
        break;
    }
    case 9: {  // without what it wrote to an account that isn't there
        AccountState state;
        if (world.account(address, &state) == Status::RUNNING && world.find(address) != nullptr) {
            state.nonce = 1 + random() % 3;
            state.exists = random() % 4 != 0;
            CHECK(world.put_at(world.place_of(address), state, random() % 2 == 0) == Status::RUNNING);
        }
        break;
    }
    case 10: {
        const uint32_t place = world.place_of(address);
        const StoredSlot* stored = place != NO_PLACE ? world.slot_at(place, key) : nullptr;
        if (stored != nullptr)
            CHECK(world.set_slot_at(place, key, stored, u256{random() % 3}) == Status::RUNNING);
        break;
    }
    default: CHECK(world.set_slot(address, key, u256{random() % 3}) == Status::RUNNING);
    }
}

}  // namespace

TEST_CASE("forks are what worlds without layers are") {
    std::mt19937_64 random{31};
    for (int turn = 0; turn < 120; ++turn) {
        const unsigned accounts = turn % 3 == 0 ? 300 : 12;
        std::vector<Twins> all(1);
        all[0].world = std::make_shared<World>(turn % 4 == 3);
        all[0].plain = std::make_unique<World>(turn % 4 == 3);
        std::vector<std::pair<std::unique_ptr<ObservedWorld>, Hash>> seen;
        for (int step = 0; step < 500; ++step) {
            const size_t which = random() % all.size();
            Twins& twins = all[which];
            switch (random() % 24) {
            case 0: CHECK(root_of(*twins.world) == root_of(*twins.plain)); break;
            case 1: twins.marks.emplace_back(twins.writer().checkpoint(), twins.plain->checkpoint()); break;
            case 2:
            case 3:
                if (!twins.marks.empty()) {
                    const size_t back = random() % twins.marks.size();
                    const bool is_revert = random() % 2 == 0;
                    const auto [mine, theirs] = twins.marks[back];
                    REQUIRE((is_revert ? twins.writer().revert(mine) : twins.writer().release(mine)));
                    REQUIRE((is_revert ? twins.plain->revert(theirs) : twins.plain->release(theirs)));
                    twins.marks.resize(back);
                }
                break;
            case 4:
            case 5:
                if (all.size() < 6)
                    all.push_back(twins.copy());
                break;
            case 6:
                if (all.size() > 1)
                    all.erase(all.begin() + static_cast<long>(which));
                break;
            case 7:
                if (seen.size() < 3) {
                    seen.emplace_back(std::make_unique<ObservedWorld>(), root_of(*twins.plain));
                    REQUIRE(seen.back().first->open(twins.world));
                }
                break;
            case 8:
                if (!seen.empty()) {
                    const std::unique_ptr<World> past{seen.back().first->restored()};
                    REQUIRE(past != nullptr);
                    CHECK(root_of(*past) == seen.back().second);
                    seen.pop_back();
                }
                break;
            case 9: check_lists(*twins.world, *twins.plain); break;
            default: {
                const std::mt19937_64 same = random;
                random.discard(8);
                const int count = 1 + static_cast<int>(random() % 12);
                std::mt19937_64 each = same;
                World& world = twins.writer();
                for (int i = 0; i < count; ++i, each.discard(16)) {
                    write(world, each, accounts);
                    write(*twins.plain, each, accounts);
                }
                if (random() % 4 == 0)
                    world.tidy();
            }
            }
            if (step % 8 == 0)
                check_same(*all[0].world, *all[0].plain, accounts);
        }
        for (Twins& twins : all) {
            check_same(*twins.world, *twins.plain, accounts);
            check_lists(*twins.world, *twins.plain);
            CHECK(root_of(*twins.world) == root_of(*twins.plain));
        }
    }
}

TEST_CASE("a chain of forks of any length has few layers, in whatever order they go") {
    constexpr unsigned ACCOUNTS = 2000, DEPTH = 10'000;
    std::mt19937_64 random{32};
    auto world = std::make_shared<World>();
    std::map<unsigned, uint64_t> model;
    for (unsigned n = 0; n < ACCOUNTS; ++n)
        REQUIRE(world->set_balance(address_of(n), u256{model[n] = 1 + n}) == Status::RUNNING);
    const Hash root = root_of(*world);
    const size_t size = world->size_bytes();
    std::vector<std::shared_ptr<World>> chain{world};
    std::vector<std::map<unsigned, uint64_t>> models{model};
    world.reset();
    for (unsigned depth = 1; depth <= DEPTH; ++depth) {
        std::shared_ptr<World> next{fork_of(chain.back())};
        REQUIRE(next != nullptr);
        const unsigned n = static_cast<unsigned>(random() % (2 * ACCOUNTS));
        REQUIRE(next->set_balance(address_of(n), u256{model[n] = random()}) == Status::RUNNING);
        CHECK(next->layer_count() < 12);
        chain.push_back(next);
        if (depth % 1000 == 0)
            models.push_back(model);
    }
    for (size_t i = 0; i < models.size(); ++i)  // each is what it was when the next one came
        for (unsigned n = 0; n < 2 * ACCOUNTS; ++n) {
            AccountState state;
            REQUIRE(chain[1000 * i]->account(address_of(n), &state) == Status::RUNNING);
            const auto found = models[i].find(n);
            REQUIRE(state.balance == u256{found != models[i].end() ? found->second : 0});
        }
    CHECK(root_of(*chain[0]) == root);
    std::shared_ptr<World> last = chain.back();
    chain.clear();
    last->reclaim(SIZE_MAX);
    CHECK(!last->is_layered());
    CHECK(last->size_bytes() < 4 * size);
    World fresh;
    for (const auto& [n, balance] : model)
        REQUIRE(fresh.set_balance(address_of(n), u256{balance}) == Status::RUNNING);
    CHECK(root_of(*last) == root_of(fresh));
}

TEST_CASE("forks of one world are written in threads of their own") {
    constexpr unsigned ACCOUNTS = 300;
    std::mt19937_64 random{33};
    auto base = std::make_shared<World>();
    for (int i = 0; i < 3000; ++i) {
        write(*base, random, ACCOUNTS);
        random.discard(16);
    }
    const std::unique_ptr<World> plain{base->clone()};
    const Hash root = root_of(*base);
    std::vector<std::thread> threads;
    std::vector<int> wrong(4, 0);
    for (unsigned t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            std::mt19937_64 own{t};
            for (int turn = 0; turn < 20; ++turn) {
                std::shared_ptr<World> fork = base;
                std::unique_ptr<World> twin{plain->clone()};
                for (int depth = 0; depth < 6; ++depth) {
                    fork.reset(fork_of(fork));
                    for (int i = 0; i < 25; ++i, own.discard(16)) {
                        const Address address = address_of(static_cast<unsigned>(own() % ACCOUNTS));
                        const u256 key{own() % SLOTS}, value{own() % 3};
                        wrong[t] += fork->set_slot(address, key, value) != Status::RUNNING ||
                                    twin->set_slot(address, key, value) != Status::RUNNING;
                    }
                    Hash mine, theirs;
                    if (depth % 2 == 0)
                        wrong[t] += !fork->root(&mine) || !twin->root(&theirs) || !(mine == theirs);
                }
            }
        });
    for (std::thread& thread : threads)
        thread.join();
    for (const int each : wrong)
        CHECK(each == 0);
    CHECK(root_of(*base) == root);
}
