// What a local database tells a state of what the state doesn't hold: a table of functions, which a library of its own fills in and hands
// over in a capsule (State.from_local). Plain C, so that it may be built apart; depends on nothing.
// All functions are called without Python's lock, by any thread, several at once. What they tell is one snapshot: it never changes
// as long as the context is held. Numbers are big-endian.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define EVMCORE_LOCAL_SOURCE_CAPSULE "evmcore.LocalSource"
#define EVMCORE_LOCAL_SOURCE_VERSION 1

// What the functions answer.
enum { EVMCORE_LOCAL_FAILED = -1, EVMCORE_LOCAL_ABSENT = 0, EVMCORE_LOCAL_FOUND = 1 };

struct EvmcoreLocalAccount {
    uint8_t balance[32];
    uint64_t nonce;
    uint8_t code_hash[32];  // if it has code
    uint8_t has_code;
    uint8_t has_storage;  // any slot that is not zero
};

struct EvmcoreLocalSource {
    uint32_t version;  // EVMCORE_LOCAL_SOURCE_VERSION
    uint32_t unused;
    void* context;
    void (*acquire)(void* context);
    void (*release)(void* context);
    // Each answers one of the three above.
    int (*account)(void* context, const uint8_t address[20], struct EvmcoreLocalAccount* out);
    int (*slot)(void* context, const uint8_t address[20], const uint8_t key[32], uint8_t value[32]);  // zero: ABSENT
    // `data` stays as long as the context is held.
    int (*code)(void* context, const uint8_t hash[32], const uint8_t** data, size_t* size);
    // The RLP of the node of a trie whose path has `depth` nibbles, packed two a byte. `account`: the hashed address in whose storage
    // trie it is; null: in the accounts' trie.
    int (*node)(void* context, const uint8_t* account, const uint8_t* path, unsigned depth, const uint8_t** data, size_t* size);
    // The fault that made a function fail, of any thread, as text; writes at most `size` bytes, with a zero at the end.
    void (*fault)(void* context, char* text, size_t size);
};
