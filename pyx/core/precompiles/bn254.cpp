// The BN254 family: point addition (0x06), multiplication (0x07) and the pairing check (0x08).
// Depends on crypto/bn254. EIP-196 and EIP-197; prices in EIP-1108.
#include "../crypto/bn254.hpp"
#include "../rules/rules.hpp"
#include "precompile.hpp"

namespace evmcore {

namespace {

// The first N bytes of input, followed by zeros where it is shorter (EIP-196).
template <size_t N>
struct Padded {
    uint8_t bytes[N] = {};

    explicit Padded(ByteView input) noexcept {
        if (!input.empty())
            std::memcpy(bytes, input.data, input.size < N ? input.size : N);
    }
};

}  // namespace

int64_t price_bn254_add(ByteView, const Rules& rules) noexcept { return rules.bn254_add_gas; }

Status run_bn254_add(ByteView input, Bytes& output, Poll&) noexcept {
    const Padded<2 * BN254_POINT_BYTES> points{input};
    if (!output.resize(BN254_POINT_BYTES))
        return Status::OUT_OF_MEMORY;
    if (bn254_add(points.bytes, output.data()))
        return Status::SUCCESS;
    output.clear();
    return Status::PRECOMPILE_FAILURE;
}

int64_t price_bn254_mul(ByteView, const Rules& rules) noexcept { return rules.bn254_mul_gas; }

Status run_bn254_mul(ByteView input, Bytes& output, Poll&) noexcept {
    const Padded<BN254_POINT_BYTES + BN254_NUMBER_BYTES> point_and_scalar{input};
    if (!output.resize(BN254_POINT_BYTES))
        return Status::OUT_OF_MEMORY;
    if (bn254_multiply(point_and_scalar.bytes, output.data()))
        return Status::SUCCESS;
    output.clear();
    return Status::PRECOMPILE_FAILURE;
}

int64_t price_bn254_pairing(ByteView input, const Rules& rules) noexcept {
    return rules.bn254_pairing_base_gas + static_cast<int64_t>(input.size / BN254_PAIR_BYTES) * rules.bn254_pairing_pair_gas;
}

Status run_bn254_pairing(ByteView input, Bytes& output, Poll& poll) noexcept {
    if (input.size % BN254_PAIR_BYTES != 0)
        return Status::PRECOMPILE_FAILURE;
    bool is_one = false;
    const Status status = bn254_pairing_is_one(input, is_one, poll);
    if (status != Status::SUCCESS)
        return status;
    if (!output.fill(32, 0))
        return Status::OUT_OF_MEMORY;
    output[31] = is_one ? 1 : 0;
    return Status::SUCCESS;
}

}  // namespace evmcore
