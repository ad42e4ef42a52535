// KZG_POINT_EVALUATION (0x0a): versioned hash (32), z (32), y (32), commitment (48), proof (48) -> two constants, or failure.
// EIP-4844. Needs no trusted setup file: of the whole setup the check uses one point, [tau] in G2.
#include "../crypto/native_library.hpp"
#include "../crypto/sha256.hpp"
#include "precompiles.hpp"

namespace evmcore {
namespace {

constexpr int64_t POINT_EVALUATION_GAS = 50000;
constexpr size_t INPUT_BYTES = 192;
constexpr uint8_t VERSION_KZG = 0x01;
constexpr size_t SCALAR_BITS = 255;

// The order of G1 and G2, big-endian; a field element of a blob is below it.
constexpr uint8_t ORDER[32] = {0x73, 0xed, 0xa7, 0x53, 0x29, 0x9d, 0x7d, 0x48, 0x33, 0x39, 0xd8, 0x08, 0x09, 0xa1, 0xd8, 0x05,
                               0x53, 0xbd, 0xa4, 0x02, 0xff, 0xfe, 0x5b, 0xfe, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01};

constexpr unsigned FIELD_ELEMENTS_PER_BLOB = 4096;

// [tau] in G2, compressed: the second of the monomial G2 points of the KZG ceremony (consensus-specs, trusted_setup_4096.json).
constexpr uint8_t TAU_G2[96] = {0xb5, 0xbf, 0xd7, 0xdd, 0x8c, 0xde, 0xb1, 0x28, 0x84, 0x3b, 0xc2, 0x87, 0x23, 0x0a, 0xf3, 0x89,
                                0x26, 0x18, 0x70, 0x75, 0xcb, 0xfb, 0xef, 0xa8, 0x10, 0x09, 0xa2, 0xce, 0x61, 0x5a, 0xc5, 0x3d,
                                0x29, 0x14, 0xe5, 0x87, 0x0c, 0xb4, 0x52, 0xd2, 0xaf, 0xaa, 0xab, 0x24, 0xf3, 0x49, 0x9f, 0x72,
                                0x18, 0x5c, 0xbf, 0xee, 0x53, 0x49, 0x27, 0x14, 0x73, 0x44, 0x29, 0xb7, 0xb3, 0x86, 0x08, 0xe2,
                                0x39, 0x26, 0xc9, 0x11, 0xcc, 0xec, 0xea, 0xc9, 0xa3, 0x68, 0x51, 0x47, 0x7b, 0xa4, 0xc6, 0x0b,
                                0x08, 0x70, 0x41, 0xde, 0x62, 0x10, 0x00, 0xed, 0xc9, 0x8e, 0xda, 0xda, 0x20, 0xc1, 0xde, 0xf2};

// Both G2 points of the check are constants, so half of their Miller loops is computed once: the lines.
struct Lines {
    BlstFp6 negative_generator[68], tau[68];

    Lines() noexcept {
        BlstP2 negative = *native.blst_p2_generator();
        native.blst_p2_cneg(&negative, true);
        BlstP2Affine point;
        native.blst_p2_to_affine(&point, &negative);
        native.blst_precompute_lines(negative_generator, &point);
        native.blst_p2_uncompress(&point, TAU_G2);
        native.blst_precompute_lines(tau, &point);
    }
};

bool read_point(BlstP1Affine* point, const uint8_t* compressed) noexcept {
    constexpr int BLST_SUCCESS = 0;
    return native.blst_p1_uncompress(point, compressed) == BLST_SUCCESS && native.blst_p1_affine_in_g1(point);
}

// e(C - y G1 + z P, -G2) * e(P, [tau] G2) == 1, for commitment C and proof P: EIP-4844's e(C - y G1, G2) = e(P, [tau - z] G2)
// with z moved to the side where multiplying is cheap.
bool verify(const BlstP1Affine& commitment, const BlstP1Affine& proof, const BlstScalar& z, const BlstScalar& y) noexcept {
    static const Lines lines;  // built at the first use, then frozen
    BlstP1 proof_point, y_generator, z_proof, sum;
    native.blst_p1_from_affine(&proof_point, &proof);
    native.blst_p1_mult(&z_proof, &proof_point, z.bytes, SCALAR_BITS);
    native.blst_p1_mult(&y_generator, native.blst_p1_generator(), y.bytes, SCALAR_BITS);
    native.blst_p1_cneg(&y_generator, true);
    native.blst_p1_add_or_double(&sum, &z_proof, &y_generator);
    native.blst_p1_add_or_double_affine(&sum, &sum, &commitment);

    // Infinity pairs to one.
    BlstFp12 product, factor;
    const bool has_left = !native.blst_p1_is_inf(&sum), has_right = !native.blst_p1_affine_is_inf(&proof);
    if (has_left) {
        BlstP1Affine left;
        native.blst_p1_to_affine(&left, &sum);
        native.blst_miller_loop_lines(&product, lines.negative_generator, &left);
    }
    if (has_right)
        native.blst_miller_loop_lines(has_left ? &factor : &product, lines.tau, &proof);
    if (has_left && has_right)
        native.blst_fp12_mul(&product, &product, &factor);
    if (!has_left && !has_right)
        return true;
    native.blst_final_exp(&product, &product);
    return native.blst_fp12_is_one(&product);
}

}  // namespace

int64_t price_kzg_point_evaluation(ByteView, const Rules&) noexcept { return POINT_EVALUATION_GAS; }

Status run_kzg_point_evaluation(ByteView input, Bytes& output, Poll&) noexcept {
    if (input.size != INPUT_BYTES)
        return Status::PRECOMPILE_FAILURE;
    const uint8_t *versioned_hash = input.data, *z = input.data + 32, *y = input.data + 64;
    const uint8_t *commitment = input.data + 96, *proof = input.data + 144;

    Hash hash;
    sha256(commitment, 48, &hash);
    hash.bytes[0] = VERSION_KZG;
    if (std::memcmp(hash.bytes, versioned_hash, 32) != 0)
        return Status::PRECOMPILE_FAILURE;
    if (std::memcmp(z, ORDER, 32) >= 0 || std::memcmp(y, ORDER, 32) >= 0)
        return Status::PRECOMPILE_FAILURE;

    if (!has_native(NativePackage::ckzg))
        return Status::PRECOMPILE_UNAVAILABLE;
    BlstScalar z_scalar, y_scalar;
    native.blst_scalar_from_be_bytes(&z_scalar, z, 32);
    native.blst_scalar_from_be_bytes(&y_scalar, y, 32);
    BlstP1Affine commitment_point, proof_point;
    if (!read_point(&commitment_point, commitment) || !read_point(&proof_point, proof) ||
        !verify(commitment_point, proof_point, z_scalar, y_scalar))
        return Status::PRECOMPILE_FAILURE;

    if (!output.fill(64, 0))
        return Status::OUT_OF_MEMORY;
    output[30] = FIELD_ELEMENTS_PER_BLOB >> 8;
    output[31] = FIELD_ELEMENTS_PER_BLOB & 0xff;
    std::memcpy(output.data() + 32, ORDER, 32);
    return Status::SUCCESS;
}

}  // namespace evmcore
