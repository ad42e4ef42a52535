// ECRECOVER (0x01): hash, v, r, s (32 bytes each, zero beyond the end of the input) -> the signer's address, or nothing.
// Yellow Paper appendix E. A signature that fits no key is a success with empty output; a high s is accepted.
#include "../crypto/secp256k1.hpp"
#include "precompiles.hpp"

namespace evmcore {
namespace {

constexpr int64_t ECRECOVER_GAS = 3000;

}  // namespace

int64_t price_ecrecover(ByteView, const Rules&) noexcept { return ECRECOVER_GAS; }

Status run_ecrecover(ByteView input, Bytes& output, Poll&) noexcept {
    uint8_t padded[128] = {};
    if (!input.empty())
        std::memcpy(padded, input.data, input.size < 128 ? input.size : 128);

    // v is a whole 256-bit word, and 27 or 28.
    static constexpr uint8_t ZEROS[31] = {};
    const uint8_t v = padded[63];
    if (std::memcmp(padded + 32, ZEROS, 31) != 0 || (v != 27 && v != 28))
        return Status::SUCCESS;

    Hash hash;
    std::memcpy(hash.bytes, padded, 32);
    Address signer;
    if (recover_sender(hash, padded + 64, padded + 96, static_cast<uint8_t>(v - 27), &signer) != Status::SUCCESS)
        return Status::SUCCESS;
    if (!output.fill(32, 0))
        return Status::OUT_OF_MEMORY;
    std::memcpy(output.data() + 12, signer.bytes, 20);
    return Status::SUCCESS;
}

}  // namespace evmcore
