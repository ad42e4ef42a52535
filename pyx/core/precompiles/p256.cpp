// P256VERIFY (0x0100): hash, r, s, x, y (32 bytes each) -> the number one in 32 bytes, or nothing. EIP-7951.
// Any input is a success: of another length, out of range, off the curve or not signed gives empty output.
#include "../crypto/p256.hpp"

#include "precompiles.hpp"

namespace evmcore {
namespace {

constexpr int64_t P256VERIFY_GAS = 6900;
constexpr size_t INPUT_BYTES = 160;

}  // namespace

int64_t price_p256verify(ByteView, const Rules&) noexcept { return P256VERIFY_GAS; }

Status run_p256verify(ByteView input, Bytes& output, Poll&) noexcept {
    if (input.size == INPUT_BYTES &&
        p256_verify(input.data, input.data + 32, input.data + 64, input.data + 96, input.data + 128)) {
        if (!output.fill(32, 0))
            return Status::OUT_OF_MEMORY;
        output[31] = 1;
    }
    return Status::SUCCESS;
}

}  // namespace evmcore
