// Shared tries against the trie that is changed in place: random changes, forks, proofs, and tries of which a part is missing.
#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/crypto/keccak.hpp"
#include "core/state/shared_trie.hpp"
#include "core/state/trie.hpp"

namespace {

using namespace evmcore;
using namespace evmcore::shared_trie;

using Model = std::map<std::string, std::string>;  // of keys of 32 bytes

ByteView view(const std::string& text) { return {reinterpret_cast<const uint8_t*>(text.data()), text.size()}; }
Hash to_key(const std::string& text) {
    Hash key;
    std::memcpy(key.bytes, text.data(), 32);
    return key;
}

// Keys that share long beginnings, and so many nodes' paths.
std::string random_key(std::mt19937_64& random) {
    std::string key(32, '\0');
    const size_t depth = random() % 32;
    key[depth / 8] = static_cast<char>(random() % 4 << (random() % 2 * 4));
    key[depth] = static_cast<char>(random() % 3 * 16);
    key[31] = static_cast<char>(random() % 4);
    if (random() % 4 == 0)
        for (char& byte : key)
            byte = static_cast<char>(random());
    return key;
}

std::string random_value(std::mt19937_64& random) {
    if (random() % 3 == 0)
        return std::string(1, static_cast<char>(random() % 255 + 1));  // so short that nodes lie in their parents
    std::string value(1 + random() % 100, static_cast<char>(random()));
    if (random() % 3 == 0)
        value += std::string(reinterpret_cast<const char*>(EMPTY_END), EMPTY_END_BYTES);
    return value;
}

Hash naive_root(const Model& model) {
    Trie trie;
    for (const auto& [key, value] : model)
        REQUIRE(trie.insert(view(key), view(value)));
    Hash root;
    REQUIRE(trie.root(&root));
    return root;
}

std::vector<Change> changes_of(const Model& changes) {
    std::vector<Change> list;
    for (const auto& [key, value] : changes)
        list.push_back({to_key(key), view(value)});
    return list;
}

Ref updated(Ref old, const Model& changes) {
    const std::vector<Change> list = changes_of(changes);
    Writer writer;
    Ref root = writer.update(std::move(old), list.data(), list.data() + list.size());
    REQUIRE(!writer.failed());
    REQUIRE(hash_fresh(&root, 1));
    return root;
}

void set_all(Model* model, const Model& changes) {
    for (const auto& [key, value] : changes) {
        if (value.empty())
            model->erase(key);
        else
            (*model)[key] = value;
    }
}

Model random_changes(std::mt19937_64& random, const Model& model) {
    Model changes;
    for (size_t count = random() % 12; changes.size() < count;) {
        std::string key = random_key(random);
        if (!model.empty() && random() % 2 == 0)
            key = std::next(model.begin(), static_cast<long>(random() % model.size()))->first;
        changes[key] = random() % 5 < 2 ? std::string{} : random_value(random);
    }
    return changes;
}

// The same trie, of which some nodes' hashes alone are known.
Ref thinned(const Node* node, std::mt19937_64& random, unsigned one_in) {
    Writer writer;
    if (node == nullptr)
        return {};
    if (node->reference.size == trie_node::Reference::HASHED && random() % one_in == 0) {
        Hash hash;
        std::memcpy(hash.bytes, node->reference.bytes, 32);
        return writer.make_unknown(hash);
    }
    Ref made;
    if (node->kind == NodeKind::BRANCH) {
        Ref children[trie_node::CHILDREN];
        for (unsigned i = 0; i < trie_node::CHILDREN; ++i)
            children[i] = thinned(as_branch(node)->child(i), random, one_in);
        made = writer.join(children, reinterpret_cast<const uint8_t*>(""), node->depth);
    } else if (node->kind == NodeKind::EXTENSION) {
        const Extension* extension = as_extension(node);
        made = writer.make_extension(extension->key, node->depth, extension->end, thinned(extension->child, random, one_in));
    } else {
        made = Ref::share(node);
    }
    REQUIRE(made);
    return made;
}

}  // namespace

TEST_CASE("a shared trie has the root of what is in it, and old versions keep theirs") {
    std::mt19937_64 random{11};
    for (int turn = 0; turn < 60; ++turn) {
        struct Version {
            Ref trie;
            Model model;
            Hash root;
        };
        std::vector<Version> versions(1);
        versions[0].root = EMPTY_TRIE_ROOT;
        for (int step = 0; step < 40; ++step) {
            Version& from = versions[random() % versions.size()];
            const Model changes = random_changes(random, from.model);
            const bool is_fork = random() % 2 == 0 && versions.size() < 12;
            Version next{updated(is_fork ? from.trie.share() : std::move(from.trie), changes), from.model, {}};
            set_all(&next.model, changes);
            next.root = root_hash(next.trie.get());
            CHECK(next.root == naive_root(next.model));
            if (is_fork)
                versions.push_back(std::move(next));
            else
                from = std::move(next);
            for (const auto& [key, value] : changes) {
                MissingNode missing;
                const Leaf* leaf = find((is_fork ? versions.back() : from).trie.get(), to_key(key), &missing);
                CHECK((leaf != nullptr) == !value.empty());
                Bytes bytes;
                if (leaf != nullptr) {
                    REQUIRE(value_of(leaf, &bytes));
                    CHECK(bytes.size() == value.size());
                    CHECK(std::memcmp(bytes.data(), value.data(), value.size()) == 0);
                }
            }
        }
        for (const Version& version : versions) {
            CHECK(root_hash(version.trie.get()) == version.root);
            CHECK(naive_root(version.model) == version.root);
        }
    }
}

TEST_CASE("changes that change nothing give the same nodes") {
    std::mt19937_64 random{12};
    Model model;
    for (int i = 0; i < 300; ++i)
        set_all(&model, random_changes(random, model));
    Ref trie = updated({}, model);
    Model same;
    for (const auto& [key, value] : model)
        if (random() % 7 == 0)
            same[key] = value;
    same[std::string(32, '\x77')] = "";
    const Ref again = updated(trie.share(), same);
    CHECK(root_hash(again.get()) == root_hash(trie.get()));
    for (const auto& [key, value] : same) {  // one by one nothing is made
        const Ref one = updated(trie.share(), {{key, value}});
        CHECK(one.get() == trie.get());
    }
}

TEST_CASE("proofs are those of the trie that is changed in place") {
    std::mt19937_64 random{13};
    for (int turn = 0; turn < 30; ++turn) {
        Model model;
        for (int i = 0; i < 20; ++i)
            set_all(&model, random_changes(random, model));
        Trie plain;
        for (const auto& [key, value] : model)
            REQUIRE(plain.insert(view(key), view(value)));
        const Ref trie = updated({}, model);
        for (int i = 0; i < 40; ++i) {
            const std::string key = i % 2 != 0 || model.empty() ? random_key(random) : model.begin()->first;
            Vector<Bytes> expected, nodes;
            MissingNode missing;
            REQUIRE(plain.prove(view(key), &expected));
            REQUIRE(prove(trie.get(), to_key(key), &nodes, &missing));
            REQUIRE(nodes.size() == expected.size());
            for (size_t k = 0; k < nodes.size(); ++k) {
                REQUIRE(nodes[k].size() == expected[k].size());
                CHECK(std::memcmp(nodes[k].data(), expected[k].data(), nodes[k].size()) == 0);
            }
        }
    }
}

TEST_CASE("a trie of which a part is missing gives the right root, or says which node it needs") {
    std::mt19937_64 random{14};
    size_t done = 0, refused = 0;
    for (int turn = 0; turn < 400; ++turn) {
        Model model;
        for (int i = 0; i < 12; ++i)
            set_all(&model, random_changes(random, model));
        const Ref whole = updated({}, model);
        Ref part = thinned(whole.get(), random, 4 + turn % 30);
        if (!part)
            continue;
        REQUIRE(hash_fresh(&part, 1));
        CHECK(root_hash(part.get()) == root_hash(whole.get()));
        const Model changes = random_changes(random, model);
        set_all(&model, changes);
        const std::vector<Change> list = changes_of(changes);
        Writer writer;
        Ref next = writer.update(part.share(), list.data(), list.data() + list.size());
        CHECK(root_hash(part.get()) == root_hash(whole.get()));
        if (writer.failed()) {
            ++refused;
            REQUIRE(writer.missing.is_missing);
            // Its hash is that of the node there in the whole trie.
            bool is_there = false;
            std::vector<const Node*> open{whole.get()};
            while (!open.empty()) {
                const Node* node = open.back();
                open.pop_back();
                if (node->depth == writer.missing.depth &&
                    std::memcmp(node->reference.bytes, writer.missing.hash.bytes, 32) == 0)
                    is_there = true;
                if (node->kind == NodeKind::EXTENSION)
                    open.push_back(as_extension(node)->child);
                if (node->kind == NodeKind::BRANCH)
                    open.insert(open.end(), as_branch(node)->children(),
                                as_branch(node)->children() + as_branch(node)->count());
            }
            CHECK(is_there);
            continue;
        }
        ++done;
        REQUIRE(hash_fresh(&next, 1));
        CHECK(root_hash(next.get()) == naive_root(model));
    }
    CHECK(done > 50);
    CHECK(refused > 50);
}

TEST_CASE("threads change forks of one trie, each its own") {
    std::mt19937_64 random{15};
    Model model;
    for (int i = 0; i < 400; ++i)
        set_all(&model, random_changes(random, model));
    const Ref base = updated({}, model);
    const Hash root = root_hash(base.get());
    std::vector<std::thread> threads;
    std::vector<int> wrong(4, 0);
    for (unsigned t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            std::mt19937_64 own{t};
            for (int turn = 0; turn < 12; ++turn) {
                Model mine = model;
                Ref fork = base.share();
                for (int step = 0; step < 6; ++step) {
                    const Model changes = random_changes(own, mine);
                    set_all(&mine, changes);
                    const std::vector<Change> list = changes_of(changes);
                    Writer writer;
                    fork = writer.update(std::move(fork), list.data(), list.data() + list.size());
                    wrong[t] += writer.failed() || !hash_fresh(&fork, 1);
                }
                Trie plain;
                Hash expected;
                for (const auto& [key, value] : mine)
                    wrong[t] += !plain.insert(view(key), view(value));
                wrong[t] += !plain.root(&expected) || !(root_hash(fork.get()) == expected);
            }
        });
    for (std::thread& thread : threads)
        thread.join();
    for (const int each : wrong)
        CHECK(each == 0);
    CHECK(root_hash(base.get()) == root);
}

TEST_CASE("several hashes at once are those of one at a time") {
    static uint8_t messages[8][700];
    std::mt19937_64 random{16};
    for (auto& message : messages)
        for (uint8_t& byte : message)
            byte = static_cast<uint8_t>(random());
    const uint8_t* data[8];
    size_t sizes[8];
    Hash hashes[8];
    Hash* out[8];
    for (size_t size = 0; size < 700; ++size) {
        for (size_t i = 0; i < 8; ++i) {
            data[i] = messages[i];
            sizes[i] = i == 0 ? size : random() % 2 == 0 ? random() % 700 : size;
            out[i] = &hashes[i];
        }
        keccak256_x8(data, sizes, out);
        for (size_t i = 0; i < 8; ++i)
            CHECK(hashes[i] == keccak256(ByteView{messages[i], sizes[i]}));
    }
}
