// Ethash by light verification: what a proof of work comes to, from the cache of its epoch and without the full dataset.
// Depends on base and keccak. The caches of the last two epochs asked for are kept, behind a lock: any thread may call.
// Source: Yellow Paper appendix J.
#pragma once

#include "../base/poll.hpp"
#include "../base/status.hpp"
#include "../base/types.hpp"

namespace evmcore {

constexpr uint64_t ETHASH_EPOCH_BLOCKS = 30000;
// Far beyond Paris (epoch 517). A cache of epoch 2048 takes 272 MiB.
constexpr uint64_t ETHASH_MAXIMUM_EPOCH = 2048;

struct EthashResult {
    Hash mix_hash;
    Hash result;  // as a big-endian number at most 2^256 / difficulty
};

// The sizes of an epoch's cache and dataset, in bytes.
uint64_t ethash_cache_size(uint64_t epoch) noexcept;
uint64_t ethash_dataset_size(uint64_t epoch) noexcept;

// `seal_hash`: of the header without mix hash and nonce. SUCCESS, OUT_OF_MEMORY, or ABORTED where `poll` said so; the epoch is at most the maximum.
// The first call in an epoch makes its cache, which takes about a second.
Status ethash_light(uint64_t block_number, const Hash& seal_hash, uint64_t nonce, EthashResult* out, Poll* poll) noexcept;

// The caches that are kept: how many there may be, how many there are, and their bytes.
struct EthashFigures {
    size_t caches_most = 0, caches = 0, bytes = 0;
};
EthashFigures ethash_figures() noexcept;
void ethash_forget() noexcept;  // lets go of them

}  // namespace evmcore
