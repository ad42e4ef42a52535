// What strangers give: proofs that are followed, and tries that are built of a set of nodes.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "core/base/rlp.hpp"
#include "core/crypto/keccak.hpp"
#include "core/state/shared_trie.hpp"
#include "core/state/state_root.hpp"
#include "core/state/trie_proof.hpp"

namespace {

using namespace evmcore;
using namespace evmcore::shared_trie;

Hash random_key(std::mt19937_64& random) {
    Hash key{};
    for (uint8_t& byte : key.bytes)
        byte = static_cast<uint8_t>(random());
    if (random() % 2 == 0)
        key.bytes[0] = 0;
    return key;
}

// Accounts with storages, of which some are alike.
struct Tries {
    Ref trie;
    std::vector<Hash> keys;
    std::vector<std::string> values;

    explicit Tries(std::mt19937_64& random) {
        const uint64_t alike = random();
        for (size_t i = 0; i < 30; ++i)
            keys.push_back(random_key(random));
        std::sort(keys.begin(), keys.end());
        std::vector<Change> changes;
        std::vector<Ref> storages;
        for (size_t i = 0; i < keys.size(); ++i) {
            std::mt19937_64 own{random() % 3 == 0 ? alike : random()};
            storages.push_back(storage(own));
            Bytes bytes;
            RlpWriter writer{&bytes};
            const size_t list = writer.begin_list();
            writer.number(random() % 5);
            writer.number(u256{random()});
            writer.fixed(root_hash(storages.back().get()));
            writer.fixed(EMPTY_KECCAK);
            writer.end_list(list);
            values.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        }
        for (size_t i = 0; i < keys.size(); ++i)
            changes.push_back(
                {keys[i], {reinterpret_cast<const uint8_t*>(values[i].data()), values[i].size()}, storages[i].get()});
        trie = made(changes);
    }
    static Ref made(const std::vector<Change>& changes) {
        Writer writer;
        Ref trie = writer.update({}, changes.data(), changes.data() + changes.size());
        REQUIRE(!writer.failed());
        REQUIRE(hash_fresh(&trie, 1));
        return trie;
    }
    static Ref storage(std::mt19937_64& random) {
        std::vector<Hash> slots;
        static const uint8_t value[] = {5};
        for (size_t count = random() % 6; slots.size() < count;)
            slots.push_back(random_key(random));
        std::sort(slots.begin(), slots.end());
        std::vector<Change> changes;
        for (const Hash& slot : slots)
            changes.push_back({slot, {value, 1}});
        return made(changes);
    }
};

void collect(const Node* node, bool is_root, std::vector<std::string>* nodes) {
    if (node == nullptr || node->kind == NodeKind::UNKNOWN)
        return;
    if (is_root || node->reference.size == trie_node::Reference::HASHED) {
        Bytes bytes;
        REQUIRE(encode(node, &bytes));
        nodes->emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    if (node->kind == NodeKind::LEAF)
        collect(as_leaf(node)->storage(), true, nodes);
    if (node->kind == NodeKind::EXTENSION)
        collect(as_extension(node)->child, false, nodes);
    if (node->kind == NodeKind::BRANCH)
        for (unsigned i = 0; i < trie_node::CHILDREN; ++i)
            collect(as_branch(node)->child(i), false, nodes);
}

struct Built {
    Ref trie;
    bool is_ok;
    const char* fault;
};
Built build(const std::vector<std::string>& nodes, const Hash& root) {
    Built built;
    PartialTrie partial;
    std::vector<ByteView> views;
    for (const std::string& node : nodes)
        views.push_back({reinterpret_cast<const uint8_t*>(node.data()), node.size()});
    REQUIRE(partial.add(views.data(), views.size()));
    built.is_ok = partial.build(root, &built.trie);
    built.fault = partial.fault;
    return built;
}

}  // namespace

TEST_CASE("a trie is built of its nodes, wholly or in part") {
    std::mt19937_64 random{31};
    for (int turn = 0; turn < 60; ++turn) {
        const Tries tries{random};
        const Hash root = root_hash(tries.trie.get());
        std::vector<std::string> nodes;
        collect(tries.trie.get(), true, &nodes);
        const Built whole = build(nodes, root);
        REQUIRE(whole.is_ok);
        CHECK(root_hash(whole.trie.get()) == root);
        std::vector<std::string> again;
        collect(whole.trie.get(), true, &again);
        CHECK(again == nodes);
        // Of a part the nodes that nothing leads to are a fault; those towards one key are a part.
        const Hash& key = tries.keys[random() % tries.keys.size()];
        Vector<Bytes> way;
        MissingNode missing;
        REQUIRE(prove(tries.trie.get(), key, &way, &missing));
        std::vector<std::string> some;
        for (const Bytes& node : way)
            some.emplace_back(reinterpret_cast<const char*>(node.data()), node.size());
        const Built part = build(some, root);
        REQUIRE(part.is_ok);
        CHECK(root_hash(part.trie.get()) == root);
        CHECK(find(part.trie.get(), key, &missing) != nullptr);
        CHECK(!missing.is_missing);
        some.push_back("surplus");
        const Built surplus = build(some, root);
        CHECK(!surplus.is_ok);
        CHECK(surplus.fault != nullptr);
        if (some.size() > 2) {
            some.pop_back();
            some.erase(some.begin() + static_cast<long>(random() % (some.size() - 1)));
            CHECK(!build(some, root).is_ok);  // what was below the one that went
        }
    }
}

TEST_CASE("nodes that were changed are refused, wherever they are") {
    std::mt19937_64 random{32};
    for (int turn = 0; turn < 300; ++turn) {
        const Tries tries{random};
        std::vector<std::string> nodes;
        collect(tries.trie.get(), true, &nodes);
        std::string& node = nodes[random() % nodes.size()];
        node[random() % node.size()] ^= static_cast<char>(1 << random() % 8);
        CHECK(!build(nodes, root_hash(tries.trie.get())).is_ok);
        // As the root it has the right hash; whatever it says is read strictly or refused.
        const Built alone = build({node}, keccak256(ByteView{reinterpret_cast<const uint8_t*>(node.data()), node.size()}));
        if (alone.is_ok) {
            std::vector<std::string> again;
            collect(alone.trie.get(), true, &again);
            CHECK(again.size() == 1);
            CHECK(again[0] == node);
        }
    }
}

TEST_CASE("a node that is its parent's every child is refused at once") {
    // Sixty-four levels of sixteen times the same child would be more nodes than fit anywhere.
    std::vector<std::string> nodes;
    std::string below(32, 'x');
    for (int level = 0; level < 60; ++level) {
        Bytes bytes;
        RlpWriter writer{&bytes};
        const size_t list = writer.begin_list();
        for (unsigned i = 0; i < trie_node::CHILDREN; ++i)
            writer.string(reinterpret_cast<const uint8_t*>(below.data()), 32);
        writer.string(nullptr, 0);
        writer.end_list(list);
        nodes.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        const Hash hash = keccak256(ByteView{bytes.data(), bytes.size()});
        below.assign(reinterpret_cast<const char*>(hash.bytes), 32);
    }
    Hash root;
    std::memcpy(root.bytes, below.data(), 32);
    const Built built = build(nodes, root);
    CHECK(!built.is_ok);
    CHECK(std::string(built.fault) == "it is met at two places");
}
