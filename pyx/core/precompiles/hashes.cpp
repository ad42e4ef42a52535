// SHA256 (0x02), RIPEMD160 (0x03) and IDENTITY (0x04): a price a word, and an answer for every input.
// Yellow Paper appendix E.
#include "../base/limits.hpp"
#include "../crypto/ripemd160.hpp"
#include "../crypto/sha256.hpp"
#include "precompiles.hpp"

namespace evmcore {
namespace {

constexpr int64_t SHA256_GAS = 60, SHA256_WORD_GAS = 12;
constexpr int64_t RIPEMD160_GAS = 600, RIPEMD160_WORD_GAS = 120;
constexpr int64_t IDENTITY_GAS = 15, IDENTITY_WORD_GAS = 3;

int64_t words(ByteView input) noexcept { return static_cast<int64_t>((input.size + 31) / 32); }

}  // namespace

int64_t price_sha256(ByteView input, const Rules&) noexcept { return SHA256_GAS + SHA256_WORD_GAS * words(input); }

Status run_sha256(ByteView input, Bytes& output, Poll& poll) noexcept {
    Hash hash;
    if (!sha256(input.data, input.size, &hash, poll))
        return Status::ABORTED;
    if (!output.assign(hash.bytes, 32))
        return Status::OUT_OF_MEMORY;
    return Status::SUCCESS;
}

int64_t price_ripemd160(ByteView input, const Rules&) noexcept { return RIPEMD160_GAS + RIPEMD160_WORD_GAS * words(input); }

Status run_ripemd160(ByteView input, Bytes& output, Poll& poll) noexcept {
    if (!output.fill(32, 0))
        return Status::OUT_OF_MEMORY;
    return ripemd160(input.data, input.size, output.data() + 12, poll) ? Status::SUCCESS : Status::ABORTED;
}

int64_t price_identity(ByteView input, const Rules&) noexcept { return IDENTITY_GAS + IDENTITY_WORD_GAS * words(input); }

Status run_identity(ByteView input, Bytes& output, Poll&) noexcept {
    if (input.size > limit::OUTPUT_BYTES)
        return Status::OUTPUT_LIMIT;
    if (!output.assign(input.data, input.size))
        return Status::OUT_OF_MEMORY;
    return Status::SUCCESS;
}

}  // namespace evmcore
