// How the nodes of a Merkle Patricia trie are written and hashed, shared by the trie and by the roots of sorted lists.
// Depends on rlp and keccak. Paths are ranges of nibbles [begin, end) of a whole key, so that moving a node up or down
// the trie moves two numbers and no bytes. Yellow Paper, appendices C and D.
#pragma once

#include "../base/rlp.hpp"
#include "../crypto/keccak.hpp"

namespace evmcore::trie_node {

// How a parent names a child: the child's own RLP when that is shorter than a hash, else the hash of it.
struct Reference {
    static constexpr uint8_t HASHED = 32;

    uint8_t bytes[32];
    uint8_t size = 0;  // 0: not known (again); 1 to 31: RLP; HASHED: a hash
};

constexpr unsigned CHILDREN = 16;

// ------------------------------------------------------------------------------------ paths

inline uint8_t nibble_at(const uint8_t* key, size_t position) noexcept {
    return position & 1 ? key[position / 2] & 0xf : key[position / 2] >> 4;
}

// The first position in [begin, end) where the keys differ, or end.
inline size_t first_difference(const uint8_t* a, const uint8_t* b, size_t begin, size_t end) noexcept {
    size_t i = begin;
    if (i < end && i & 1) {
        if (nibble_at(a, i) != nibble_at(b, i))
            return i;
        ++i;
    }
    for (; i + 16 <= end; i += 16) {
        const uint64_t difference = u64_from_bytes(a + i / 2) ^ u64_from_bytes(b + i / 2);
        if (difference != 0)
            return i + static_cast<size_t>(__builtin_clzll(difference)) / 4;
    }
    while (i < end && nibble_at(a, i) == nibble_at(b, i))
        ++i;
    return i;
}

inline size_t path_size(size_t begin, size_t end) noexcept {
    const size_t bytes = 1 + (end - begin) / 2;
    return bytes == 1 ? 1 : rlp_header_size(bytes) + bytes;
}

// The hex-prefix encoding as an RLP string.
inline uint8_t* put_path(uint8_t* out, const uint8_t* key, size_t begin, size_t end, bool is_leaf) noexcept {
    const size_t bytes = 1 + (end - begin) / 2;
    if (bytes != 1)
        out = rlp_put_header(out, 0x80, bytes);
    const uint8_t flag = is_leaf ? 0x20 : 0x00;
    if ((end - begin) & 1)
        *out++ = static_cast<uint8_t>(flag | 0x10 | nibble_at(key, begin++));
    else
        *out++ = flag;
    if (begin & 1) {
        for (; begin < end; begin += 2)
            *out++ = static_cast<uint8_t>(nibble_at(key, begin) << 4 | nibble_at(key, begin + 1));
        return out;
    }
    std::memcpy(out, key + begin / 2, (end - begin) / 2);
    return out + (end - begin) / 2;
}

// ------------------------------------------------------------------------------------ nodes

inline size_t reference_size(const Reference& reference) noexcept {
    return reference.size == Reference::HASHED ? 33 : reference.size;
}

inline uint8_t* put_reference(uint8_t* out, const Reference& reference) noexcept {
    if (reference.size == Reference::HASHED) {  // nearly all are: their size is known, so that no function is called
        *out++ = 0xa0;
        std::memcpy(out, reference.bytes, Reference::HASHED);
        return out + Reference::HASHED;
    }
    std::memcpy(out, reference.bytes, reference.size);
    return out + reference.size;
}

inline size_t leaf_payload(size_t begin, size_t end, ByteView value) noexcept {
    return path_size(begin, end) + rlp_string_size(value.data, value.size);
}

inline void put_leaf(uint8_t* out, const uint8_t* key, size_t begin, size_t end, ByteView value, size_t payload) noexcept {
    out = rlp_put_header(out, 0xc0, payload);
    out = put_path(out, key, begin, end, true);
    rlp_put_string(out, value.data, value.size);
}

inline size_t extension_payload(size_t begin, size_t end, const Reference& child) noexcept {
    return path_size(begin, end) + reference_size(child);
}

inline void put_extension(uint8_t* out, const uint8_t* key, size_t begin, size_t end, const Reference& child,
                          size_t payload) noexcept {
    out = rlp_put_header(out, 0xc0, payload);
    out = put_path(out, key, begin, end, false);
    put_reference(out, child);
}

// A null child is the empty string.
inline size_t branch_payload(const Reference* const children[CHILDREN], ByteView value) noexcept {
    size_t payload = rlp_string_size(value.data, value.size);
    for (unsigned i = 0; i < CHILDREN; ++i)
        payload += children[i] == nullptr ? 1 : reference_size(*children[i]);
    return payload;
}

inline void put_branch(uint8_t* out, const Reference* const children[CHILDREN], ByteView value, size_t payload) noexcept {
    out = rlp_put_header(out, 0xc0, payload);
    for (unsigned i = 0; i < CHILDREN; ++i) {
        if (children[i] == nullptr)
            *out++ = 0x80;
        else
            out = put_reference(out, *children[i]);
    }
    rlp_put_string(out, value.data, value.size);
}

// ------------------------------------------------------------------------------------ hashing, eight at a time

// Takes encoded nodes, answers references, some of them later: messages of the same number of blocks are hashed
// side by side. The references asked for must stay in place until they are flushed.
class Hasher {
public:
    // Room for a node of `size` bytes; write it all, then call `submit`. Null without memory, which `ok` still tells at the end.
    uint8_t* room(size_t size) noexcept {
        size_ = size;
        group_ = size / BLOCK_BYTES;
        if (size < Reference::HASHED)
            return short_;
        if (group_ < GROUPS)
            return slot(group_, count_[group_]);
        if (!large_.reserve(size)) {
            is_ok_ = false;
            return nullptr;
        }
        return large_.data();
    }
    void submit(Reference* out) noexcept {
        if (size_ < Reference::HASHED) {
            std::memcpy(out->bytes, short_, size_);
            out->size = static_cast<uint8_t>(size_);
            return;
        }
        out->size = Reference::HASHED;
        if (group_ >= GROUPS) {
            keccak256(large_.data(), size_, hash_of(out));
            return;
        }
        sizes_[group_][count_[group_]] = size_;
        outs_[group_][count_[group_]] = out;
        latest_[group_] = ++submitted_;
        if (++count_[group_] == LANES)
            flush_group(group_);
    }
    // A point in time, for `flush_since`.
    uint64_t mark() const noexcept { return submitted_; }
    // After this the references submitted since the mark are there, perhaps earlier ones too.
    void flush_since(uint64_t mark) noexcept {
        for (size_t group = 0; group < GROUPS; ++group)
            if (count_[group] != 0 && latest_[group] > mark)
                flush_group(group);
    }
    void flush() noexcept { flush_since(0); }
    bool ok() const noexcept { return is_ok_; }

private:
    static constexpr size_t LANES = 8;
    static constexpr size_t BLOCK_BYTES = 136;  // keccak-256 absorbs so much at a time
    static constexpr size_t GROUPS = 5;         // by whole blocks: a full branch has 532 bytes, three of them and a rest

    static Hash* hash_of(Reference* reference) noexcept { return reinterpret_cast<Hash*>(reference->bytes); }
    uint8_t* slot(size_t group, size_t lane) noexcept { return slots_ + (group * LANES + lane) * (GROUPS * BLOCK_BYTES); }

    void flush_group(size_t group) noexcept {
        const size_t count = count_[group];
        count_[group] = 0;
        if (count == 1) {
            keccak256(slot(group, 0), sizes_[group][0], hash_of(outs_[group][0]));
            return;
        }
        Hash unused;  // of an idle lane, which hashes nothing
        const uint8_t* data[LANES];
        size_t sizes[LANES];
        Hash* hashes[LANES];
        for (size_t lane = 0; lane < LANES; ++lane) {
            const bool is_used = lane < count;
            data[lane] = slot(group, lane);
            sizes[lane] = is_used ? sizes_[group][lane] : 0;
            hashes[lane] = is_used ? hash_of(outs_[group][lane]) : &unused;
        }
        if (count <= LANES / 2)
            keccak256_x4(data, sizes, hashes);
        else
            keccak256_x8(data, sizes, hashes);
    }

    size_t size_ = 0;
    size_t group_ = 0;
    uint64_t submitted_ = 0;
    size_t count_[GROUPS] = {};
    uint64_t latest_[GROUPS] = {};
    size_t sizes_[GROUPS][LANES];
    Reference* outs_[GROUPS][LANES];
    Bytes large_;
    bool is_ok_ = true;
    uint8_t short_[Reference::HASHED];
    uint8_t slots_[GROUPS * LANES * GROUPS * BLOCK_BYTES];
};

}  // namespace evmcore::trie_node
