// Recovery and signing with libsecp256k1, and recovery in our own C++ over curve256.hpp for where the library is missing
// (signing without it: secp256k1_sign.cpp).
// SEC 1 section 4.1.6: the key is (s * R - hash * G) / r, where R is the point with x = r and the given parity of y.
#include "secp256k1.hpp"

#include "keccak.hpp"
#include "native_library.hpp"
#include "secp256k1_curve.hpp"

namespace evmcore {
namespace {

using namespace curve256;

using Field = Residue<Secp256k1::Field>;
using Scalar = Residue<Secp256k1::Order>;

constexpr unsigned UNCOMPRESSED = 2;  // SECP256K1_EC_UNCOMPRESSED

bool recover_with_library(const uint8_t hash[32], const uint8_t r[32], const uint8_t s[32], uint8_t y_parity, uint8_t key[64]) noexcept {
    const void* context = native.secp256k1_context;
    uint8_t r_and_s[64], signature[65], public_key[64], serialized[65];
    std::memcpy(r_and_s, r, 32);
    std::memcpy(r_and_s + 32, s, 32);
    size_t size = sizeof serialized;
    if (native.secp256k1_ecdsa_recoverable_signature_parse_compact(context, signature, r_and_s, y_parity) != 1 ||
        native.secp256k1_ecdsa_recover(context, public_key, signature, hash) != 1 ||
        native.secp256k1_ec_pubkey_serialize(context, serialized, &size, public_key, UNCOMPRESSED) != 1)
        return false;
    std::memcpy(key, serialized + 1, 64);  // after the 0x04 that says "uncompressed"
    return true;
}

}  // namespace

bool recover_public_key_portable(const uint8_t hash[32], const uint8_t r[32], const uint8_t s[32], uint8_t y_parity, uint8_t key[64]) noexcept {
    const u256 r_number = load_big_endian(r), s_number = load_big_endian(s);
    const u256& order = Secp256k1::Order::value;
    if (y_parity > 1 || r_number.is_zero() || !is_less(r_number, order) || s_number.is_zero() || !is_less(s_number, order))
        return false;

    // R: y^2 = x^3 + 7, and the prime is 3 mod 4, so a root is the (p + 1) / 4-th power if there is one.
    constexpr u256 ROOT_EXPONENT{0xffffffffbfffff0c, 0xffffffffffffffff, 0xffffffffffffffff, 0x3fffffffffffffff};
    static_assert(Secp256k1::Field::value.limb[0] % 4 == 3);
    const Field x = Field::from(r_number);
    const Field square = x * x * x + Field::from(u256{7});
    Field y = square.power(ROOT_EXPONENT);
    if (!(y * y == square))
        return false;
    if ((y.to_number().limb[0] & 1) != y_parity)
        y = y.negated();

    u256 hash_number = load_big_endian(hash);
    if (!is_less(hash_number, order))
        subtract(hash_number, hash_number, order);
    const Scalar inverse = Scalar::from(r_number).inverted();
    const u256 u1 = (Scalar::from(hash_number) * inverse).negated().to_number();
    const u256 u2 = (Scalar::from(s_number) * inverse).to_number();
    const Point<Secp256k1> point = combine<Secp256k1>(u1, u2, {x, y, Field::one()});
    if (point.is_infinite())
        return false;
    const Field z_inverse = point.z.inverted(), z_square = z_inverse * z_inverse;
    store_big_endian(key, (point.x * z_square).to_number());
    store_big_endian(key + 32, (point.y * z_square * z_inverse).to_number());
    return true;
}

bool sign_recoverable(const uint8_t hash[32], const uint8_t private_key[32], Signature* out) noexcept {
    if (!has_native(NativePackage::coincurve))
        return sign_recoverable_portable(hash, private_key, out);
    uint8_t signature[65], r_and_s[64];
    int recovery_id = 0;
    // Null: the library's own nonces, RFC 6979. It fails for a key outside 1 .. n-1 alone.
    if (native.secp256k1_ecdsa_sign_recoverable(native.secp256k1_context, signature, hash, private_key, nullptr, nullptr) != 1 ||
        native.secp256k1_ecdsa_recoverable_signature_serialize_compact(native.secp256k1_context, r_and_s, &recovery_id, signature) != 1)
        return false;
    std::memcpy(out->r, r_and_s, 32);
    std::memcpy(out->s, r_and_s + 32, 32);
    out->y_parity = static_cast<uint8_t>(recovery_id & 1);
    return recovery_id < 2;  // 2 and 3, an x above the order, come once in 2^127 and have no place in a transaction
}

bool recover_public_key(const uint8_t hash[32], const uint8_t r[32], const uint8_t s[32], uint8_t y_parity, uint8_t key[64]) noexcept {
    if (has_native(NativePackage::coincurve)) [[likely]]
        return y_parity <= 1 && recover_with_library(hash, r, s, y_parity, key);
    return recover_public_key_portable(hash, r, s, y_parity, key);
}

Status recover_sender(const Hash& signing_hash, const uint8_t r[32], const uint8_t s[32], uint8_t y_parity, Address* out) noexcept {
    uint8_t key[64];
    if (!recover_public_key(signing_hash.bytes, r, s, y_parity, key))
        return Status::INVALID_SIGNATURE;
    Hash key_hash;
    keccak256(key, sizeof key, &key_hash);
    std::memcpy(out->bytes, key_hash.bytes + 12, 20);
    return Status::SUCCESS;
}

}  // namespace evmcore
