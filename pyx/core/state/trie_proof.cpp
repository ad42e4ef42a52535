// Reading trie nodes of strangers.
#include "trie_proof.hpp"

#include "../crypto/keccak.hpp"
#include "batch_hash.hpp"
#include "state_root.hpp"

namespace evmcore {

using namespace shared_trie;
using trie_node::nibble_at;

namespace {

void set_nibble(uint8_t* path, unsigned position, unsigned nibble) noexcept {
    uint8_t& byte = path[position / 2];
    byte = static_cast<uint8_t>(position & 1 ? (byte & 0xf0) | nibble : nibble << 4);
}

const char* decode_path(ByteView encoded, unsigned depth, DecodedNode* out) noexcept {
    if (encoded.empty() || encoded.size > 33 || encoded[0] >> 4 > 3)
        return "a path that is no hex-prefix encoding";
    const bool is_odd = encoded[0] & 0x10;
    if (!is_odd && (encoded[0] & 0xf) != 0)
        return "a path whose padding is not zero";
    out->kind = encoded[0] & 0x20 ? NodeKind::LEAF : NodeKind::EXTENSION;
    if (is_odd)
        out->path[out->path_size++] = encoded[0] & 0xf;
    if (2 * (encoded.size - 1) + out->path_size > KEY_NIBBLES - depth)
        return "a path that is longer than the key";
    for (size_t i = 1; i < encoded.size; ++i) {
        out->path[out->path_size++] = encoded[i] >> 4;
        out->path[out->path_size++] = encoded[i] & 0xf;
    }
    if (out->kind == NodeKind::LEAF && depth + out->path_size != KEY_NIBBLES)
        return "a leaf whose path is shorter than the key";
    if (out->kind == NodeKind::EXTENSION && (out->path_size == 0 || depth + out->path_size >= KEY_NIBBLES))
        return "an extension whose path is empty or as long as the key";
    return nullptr;
}

// Hashes of a proof's nodes, eight side by side where they are needed one after the other.
class GroupHasher {
public:
    GroupHasher(const ByteView* nodes, size_t count) noexcept : nodes_{nodes}, count_{count} {}
    // In ascending order; of a node that isn't too long.
    const Hash& hash(size_t index) noexcept {
        if (index % LANES == 0) {
            const uint8_t* data[LANES];
            size_t sizes[LANES];
            Hash* out[LANES];
            for (size_t i = 0; i < LANES; ++i) {
                const bool is_used = index + i < count_ && nodes_[index + i].size <= TRIE_NODE_BYTES_MOST;
                data[i] = nodes_[is_used ? index + i : index].data;
                sizes[i] = is_used ? nodes_[index + i].size : 0;
                out[i] = &hashes_[i];
            }
            keccak256_x8(data, sizes, out);
        }
        return hashes_[index % LANES];
    }

private:
    static constexpr size_t LANES = 8;
    const ByteView* nodes_;
    size_t count_;
    Hash hashes_[LANES];
};

// The child of a branch whose children are all named by their hashes, as nearly all are: 32 bytes, or null where there is none.
// False: it is another node, or a wrong one.
bool read_child_hash(ByteView node, unsigned nibble, const uint8_t** hash) noexcept {
    const size_t header = node.size > 0 && node[0] == 0xf8 ? 2 : 3;
    if (node.size <= header || (header == 3 && node[0] != 0xf9))
        return false;
    const size_t payload = header == 2 ? node[1] : static_cast<size_t>(node[1]) << 8 | node[2];
    if (node.size != header + payload || payload < (header == 2 ? 56u : 256u))
        return false;
    const uint8_t* at = node.data + header;
    *hash = nullptr;
    unsigned count = 0;
    for (unsigned i = 0; i < CHILDREN; ++i) {
        if (at == node.end())
            return false;
        const uint8_t first = *at++;
        if (first == 0x80)
            continue;
        if (first != 0xa0 || static_cast<size_t>(node.end() - at) < sizeof(Hash))
            return false;
        *hash = i == nibble ? at : *hash;
        at += sizeof(Hash);
        ++count;
    }
    return count >= 2 && at + 1 == node.end() && *at == 0x80;
}

// A child is named by its hash, or is there itself if it is shorter than that; a branch's may be missing.
bool is_reference(const RlpItem& item) noexcept {
    return item.is_list ? item.whole.size < Reference::HASHED : item.payload.size == Reference::HASHED;
}

}  // namespace

const char* decode_trie_node(ByteView node, unsigned depth, DecodedNode* out) noexcept {
    if (node.size > TRIE_NODE_BYTES_MOST)
        return "it is longer than any node";
    RlpReader reader;
    if (open_rlp_list(node, &reader) != Status::SUCCESS)
        return "it is no RLP list";
    RlpItem items[CHILDREN + 1];
    unsigned count = 0;
    while (!reader.at_end()) {
        if (count > CHILDREN)
            return "it has more than 17 items";
        if (reader.next(&items[count++]) != Status::SUCCESS)
            return "an item of it is no RLP";
    }
    if (count == 2) {
        if (items[0].is_list)
            return "its path is a list";
        const char* fault = decode_path(items[0].payload, depth, out);
        if (fault != nullptr)
            return fault;
        out->item = items[1];
        if (out->kind == NodeKind::LEAF)
            return out->item.is_list || out->item.payload.empty() ? "a leaf without a value" : nullptr;
        return is_reference(out->item) ? nullptr : "a child that is neither a hash nor a short node";
    }
    if (count != CHILDREN + 1)
        return "it has neither 2 nor 17 items";
    if (depth >= KEY_NIBBLES)
        return "a branch behind the end of the key";
    out->kind = NodeKind::BRANCH;
    for (unsigned i = 0; i < CHILDREN; ++i) {
        out->children[i] = items[i];
        if (!items[i].is_list && items[i].payload.empty())
            continue;
        ++out->child_count;
        if (!is_reference(items[i]))
            return "a child that is neither a hash nor a short node";
    }
    if (items[CHILDREN].is_list || !items[CHILDREN].payload.empty())
        return "a branch with a value, where all keys are of one length";
    return out->child_count < 2 ? "a branch with fewer than two children" : nullptr;
}

// ------------------------------------------------------------------------------------ proofs

ProofResult check_proof(const Hash& root, const Hash& key, const ByteView* nodes, size_t count) noexcept {
    ProofResult result;
    const auto fail = [&](const char* fault) {
        result.fault = fault;
        result.value = {};
        return result;
    };
    if (root == EMPTY_TRIE_ROOT) {  // some give its one node, the empty string
        const bool is_right = count == 0 || (count == 1 && nodes[0].size == 1 && nodes[0][0] == 0x80);
        return is_right ? result : fail("there are nodes, but the trie is empty");
    }
    unsigned depth = 0;
    result.hash = root;
    result.has_hash = true;
    ByteView inner;  // a node that lies in its parent
    size_t next = 0;
    GroupHasher hashes{nodes, count};
    for (;;) {
        ByteView node = inner;
        if (inner.empty()) {
            result.index = next;
            if (next == count)
                return fail("it ends before a node that is needed");
            node = nodes[next++];
            if (node.size > TRIE_NODE_BYTES_MOST)
                return fail("it is longer than any node");
            if (!(hashes.hash(next - 1) == result.hash))
                return fail("it has another hash");
        }
        const uint8_t* child_hash;
        if (depth < KEY_NIBBLES && read_child_hash(node, nibble_at(key.bytes, depth), &child_hash)) {
            if (child_hash == nullptr)
                break;  // absent
            ++depth;
            std::memcpy(result.hash.bytes, child_hash, sizeof(Hash));
            inner = {};
            continue;
        }
        DecodedNode decoded;
        const char* fault = decode_trie_node(node, depth, &decoded);
        if (fault != nullptr)
            return fail(fault);
        const RlpItem* child = nullptr;
        if (decoded.kind == NodeKind::BRANCH) {
            child = &decoded.children[nibble_at(key.bytes, depth++)];
            if (!child->is_list && child->payload.empty())
                break;  // absent
        } else {
            bool is_on_the_way = true;
            for (unsigned i = 0; i < decoded.path_size; ++i)
                is_on_the_way = is_on_the_way && nibble_at(key.bytes, depth + i) == decoded.path[i];
            if (!is_on_the_way)
                break;
            if (decoded.kind == NodeKind::LEAF) {
                result.value = decoded.item.payload;
                break;
            }
            depth += decoded.path_size;
            child = &decoded.item;
        }
        inner = {};
        if (child->is_list)
            inner = child->whole;
        else
            std::memcpy(result.hash.bytes, child->payload.data, 32);
    }
    if (next != count) {
        result.index = next;
        result.has_hash = false;
        return fail("there are nodes behind the end of the way");
    }
    return result;
}

// ------------------------------------------------------------------------------------ parts of tries

bool PartialTrie::add(const ByteView* nodes, size_t count) noexcept {
    Vector<Hash> hashes;
    if (!hashes.resize(count) || !hash_many(nodes, count, hashes.data()) || !given_.reserve(count))
        return false;
    for (size_t i = 0; i < count; ++i) {
        bool inserted;
        Given* given = given_.insert_or_find(hashes[i], &inserted);
        if (given == nullptr)
            return false;
        if (inserted)
            *given = {nodes[i].data, nodes[i].size, 0, 0, false, {}};
    }
    return true;
}

bool encode_known(const Node* root, Vector<Bytes>* out) noexcept {
    if (root == nullptr || root->kind == NodeKind::UNKNOWN)
        return true;
    if (root->depth == 0 || root->reference.size == Reference::HASHED) {
        Bytes* encoded = out->add();
        if (encoded == nullptr || !encode(root, encoded))
            return false;
    }
    if (root->kind == NodeKind::LEAF)
        return encode_known(as_leaf(root)->storage(), out);
    if (root->kind == NodeKind::EXTENSION)
        return encode_known(as_extension(root)->child, out);
    for (unsigned i = 0; i < as_branch(root)->count(); ++i)
        if (!encode_known(as_branch(root)->children()[i], out))
            return false;
    return true;
}

bool PartialTrie::build(const Hash& root, Ref* out) noexcept {
    uint8_t path[32] = {};
    if (!(root == EMPTY_TRIE_ROOT))
        *out = by_hash(root, path, 0, false);
    if (!has_failed())
        given_.for_each([&](const Hash& hash, const Given& given) {
            // The node of the empty trie is in some witnesses.
            const bool is_empty = given.size == 1 && given.data[0] == 0x80;
            if (given.place == 0 && !is_empty && (fault == nullptr || hash < fault_node)) {
                fault = "no node of the trie leads to it";
                fault_node = hash;
            }
        });
    return !has_failed();
}

Ref PartialTrie::one(ByteView bytes, const Hash& hash, const uint8_t* path, unsigned depth, bool is_storage) noexcept {
    uint8_t own[32] = {};
    std::memcpy(own, path, (depth + 1) / 2);
    if (depth & 1)
        own[depth / 2] &= 0xf0;
    current_ = hash;
    Ref made = node(bytes, own, depth, is_storage);
    if (has_failed())
        return {};
    auto* kept = const_cast<Node*>(made.get());
    std::memcpy(kept->reference.bytes, hash.bytes, 32);
    kept->reference.size = Reference::HASHED;
    return made;
}

Ref PartialTrie::by_hash(const Hash& hash, uint8_t* path, unsigned depth, bool is_storage) noexcept {
    Given* given = given_.find(hash);
    if (given == nullptr)
        return writer_.make_unknown(hash);
    current_ = hash;
    if (given->place != 0) {
        // Storages may be alike; but no two places in tries with hashed keys have one node.
        if (given->depth != depth || given->is_storage != is_storage || std::memcmp(given->path, path, 32) != 0) {
            fail("it is met at two places");
            return {};
        }
        return built_[given->place - 1].share();
    }
    const ByteView bytes{given->data, given->size};
    uint8_t kept[32];
    std::memcpy(kept, path, 32);
    Ref made = node(bytes, path, depth, is_storage);
    if (has_failed())
        return {};
    Reference& reference = const_cast<Node*>(made.get())->reference;
    std::memcpy(reference.bytes, hash.bytes, 32);
    reference.size = Reference::HASHED;
    if (!built_.push_back(made.share())) {
        writer_.is_out_of_memory = true;
        return {};
    }
    given->place = static_cast<uint32_t>(built_.size());
    given->depth = static_cast<uint8_t>(depth);
    given->is_storage = is_storage;
    std::memcpy(given->path, kept, 32);
    return made;
}

// `path` has `depth` nibbles and zeros behind them, before and after.
Ref PartialTrie::node(ByteView bytes, uint8_t* path, unsigned depth, bool is_storage) noexcept {
    const Hash self = current_;
    DecodedNode decoded;
    const char* text = decode_trie_node(bytes, depth, &decoded);
    if (text != nullptr) {
        fail(text);
        return {};
    }
    uint8_t own[32];
    std::memcpy(own, path, 32);
    if (decoded.kind == NodeKind::BRANCH) {
        Ref children[CHILDREN];
        for (unsigned i = 0; i < CHILDREN && !has_failed(); ++i) {
            if (!decoded.children[i].is_list && decoded.children[i].payload.empty())
                continue;
            current_ = self;
            set_nibble(own, depth, i);
            children[i] = child(decoded.children[i], own, depth + 1, is_storage);
        }
        return has_failed() ? Ref{} : writer_.join(children, own, depth);
    }
    for (unsigned i = 0; i < decoded.path_size; ++i)
        set_nibble(own, depth + i, decoded.path[i]);
    if (decoded.kind == NodeKind::LEAF)
        return leaf(decoded, own, is_storage, depth);
    const unsigned end = depth + decoded.path_size;
    Ref below = child(decoded.item, own, end, is_storage);
    if (!has_failed() && below->kind != NodeKind::BRANCH && below->kind != NodeKind::UNKNOWN) {
        current_ = self;
        fail("an extension that doesn't lead to a branch");
    }
    return has_failed() ? Ref{} : writer_.make_extension(own, depth, end, std::move(below));
}

Ref PartialTrie::child(const RlpItem& item, uint8_t* path, unsigned depth, bool is_storage) noexcept {
    if (!item.is_list) {
        Hash hash;
        std::memcpy(hash.bytes, item.payload.data, 32);
        return by_hash(hash, path, depth, is_storage);
    }
    Ref made = node(item.whole, path, depth, is_storage);
    if (has_failed())
        return {};
    Reference& reference = const_cast<Node*>(made.get())->reference;
    std::memcpy(reference.bytes, item.whole.data, item.whole.size);
    reference.size = static_cast<uint8_t>(item.whole.size);
    return made;
}

Ref PartialTrie::leaf(const DecodedNode& decoded, const uint8_t* path, bool is_storage, unsigned depth) noexcept {
    Change change;
    std::memcpy(change.key.bytes, path, 32);
    change.value = decoded.item.payload;
    if (is_storage) {
        RlpReader reader{change.value};
        u256 value;
        if (reader.next_u256(&value) != Status::SUCCESS || !reader.at_end() || value.is_zero()) {
            fail("a slot whose value is no number, or zero");
            return {};
        }
        return writer_.make_leaf(change, depth);
    }
    StoredAccount account;
    if (!account.decode(change.value)) {
        fail("a leaf that is no account");
        return {};
    }
    Ref storage;
    if (!(account.storage_root == EMPTY_TRIE_ROOT)) {
        uint8_t storage_path[32] = {};
        storage = by_hash(account.storage_root, storage_path, 0, true);
        if (has_failed())
            return {};
    }
    change.storage = storage.get();
    return writer_.make_leaf(change, depth);
}

}  // namespace evmcore
