// Recovery and signing with libsecp256k1, and recovery in our own C++ over curve256.hpp for where the library is missing
// (signing without it: secp256k1_sign.cpp).
// SEC 1 section 4.1.6: the key is (s * R - hash * G) / r, where R is the point with x = r and the given parity of y.
#include "secp256k1.hpp"

#include <algorithm>

#include "keccak.hpp"
#include "native_library.hpp"
#include "secp256k1_curve.hpp"

namespace evmcore {
namespace {

using namespace curve256;

using Field = Residue<Secp256k1::Field>;
using Scalar = Residue<Secp256k1::Order>;

// The curve has the endomorphism lambda * (x, y) = (beta * x, y) (Gallant, Lambert and Vanstone, 2001). A scalar is split into
// first + second * lambda modulo the order, both below 2^128 apart from their signs, which halves the doublings. With the
// lattice's short vectors (a1, b1), (a2, b2): G1 = round(2^384 b2 / order), G2 = round(-2^384 b1 / order).
constexpr u256 LAMBDA{0xdf02967c1b23bd72, 0x122e22ea20816678, 0xa5261c028812645a, 0x5363ad4cc05c30e0};
constexpr u256 BETA{0xc1396c28719501ee, 0x9cf0497512f58995, 0x6e64479eac3434e9, 0x7ae96a2b657c0710};
constexpr u256 G1{0xe893209a45dbb031, 0x3daa8a1471e8ca7f, 0xe86c90e49284eb15, 0x3086d221a7d46bcd};
constexpr u256 G2{0x1571b4ae8ac47f71, 0x221208ac9df506c6, 0x6f547fa90abfe4c4, 0xe4437ed6010e8828};
constexpr u256 MINUS_B1{0x6f547fa90abfe4c3, 0xe4437ed6010e8828, 0, 0};
constexpr u256 MINUS_B2{0xd765cda83db1562c, 0x8a280ac50774346d, 0xfffffffffffffffe, 0xffffffffffffffff};

// round(a * b / 2^384)
u256 high_quarter(const u256& a, const u256& b) noexcept {
    uint64_t t[8] = {};
    for (int i = 0; i < 4; ++i) {
        uint64_t carry = 0;
        for (int j = 0; j < 4; ++j) {
            const uint128 sum = static_cast<uint128>(a.limb[j]) * b.limb[i] + t[i + j] + carry;
            t[i + j] = static_cast<uint64_t>(sum);
            carry = static_cast<uint64_t>(sum >> 64);
        }
        t[i + 4] = carry;
    }
    u256 rounded;
    add(rounded, u256{t[6], t[7], 0, 0}, u256{t[5] >> 63});
    return rounded;
}

struct HalfScalar {
    int8_t digit[257];
    int size;
    bool is_negative;

    template <int WIDTH>
    void set(const Scalar& scalar) noexcept {
        u256 number = scalar.to_number();
        is_negative = (number.limb[2] | number.limb[3]) != 0;
        if (is_negative)
            subtract(number, Secp256k1::Order::value, number);
        size = signed_digits<WIDTH>(digit, number);
    }
};

template <int WIDTH>
void split(const u256& scalar, HalfScalar& first, HalfScalar& second) noexcept {
    const Scalar c1 = Scalar::from(high_quarter(scalar, G1)), c2 = Scalar::from(high_quarter(scalar, G2));
    const Scalar part = c1 * Scalar::from(MINUS_B1) + c2 * Scalar::from(MINUS_B2);
    second.set<WIDTH>(part);
    first.set<WIDTH>(Scalar::from(scalar) - part * Scalar::from(LAMBDA));
}

// u * G + v * p.
Point<Secp256k1> combine_halves(const u256& u, const u256& v, const Point<Secp256k1>& p) noexcept {
    struct Tables {
        GeneratorTable<Secp256k1> generator, image;  // of G and of lambda * G
        Tables() noexcept : image(generator) {
            for (auto& point : image.odd_multiple)
                point.x = Field::from(BETA) * point.x;
        }
    };
    static const Tables tables;  // built at the first use, then frozen

    Point<Secp256k1> multiple[1 << (POINT_WIDTH - 2)], image[1 << (POINT_WIDTH - 2)];
    const Point<Secp256k1> step = twice(p);
    for (int i = 0; i < 1 << (POINT_WIDTH - 2); ++i) {
        multiple[i] = i == 0 ? p : sum(multiple[i - 1], step);
        image[i] = {Field::from(BETA) * multiple[i].x, multiple[i].y, multiple[i].z};
    }

    HalfScalar u1, u2, v1, v2;
    split<GENERATOR_WIDTH>(u, u1, u2);
    split<POINT_WIDTH>(v, v1, v2);
    Point<Secp256k1> result = Point<Secp256k1>::infinity();
    const auto add_multiple = [&](const HalfScalar& scalar, const auto* odd_multiple, int i) noexcept {
        const int d = i < scalar.size ? scalar.digit[i] : 0;
        if (d == 0)
            return;
        auto addend = odd_multiple[(d > 0 ? d : -d) / 2];
        if ((d < 0) != scalar.is_negative)
            addend.y = addend.y.negated();
        result = sum(result, addend);
    };
    for (int i = std::max(std::max(u1.size, u2.size), std::max(v1.size, v2.size)) - 1; i >= 0; --i) {
        if (!result.is_infinite())
            result = twice(result);
        add_multiple(v1, multiple, i);
        add_multiple(v2, image, i);
        add_multiple(u1, tables.generator.odd_multiple, i);
        add_multiple(u2, tables.image.odd_multiple, i);
    }
    return result;
}

constexpr unsigned UNCOMPRESSED = 2;  // SECP256K1_EC_UNCOMPRESSED

bool recover_with_library(const uint8_t hash[32], const uint8_t r[32], const uint8_t s[32], uint8_t y_parity,
                          uint8_t key[64]) noexcept {
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

bool recover_public_key_portable(const uint8_t hash[32], const uint8_t r[32], const uint8_t s[32], uint8_t y_parity,
                                 uint8_t key[64]) noexcept {
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
    const Point<Secp256k1> point = combine_halves(u1, u2, {x, y, Field::one()});
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
    if (native.secp256k1_ecdsa_sign_recoverable(native.secp256k1_context, signature, hash, private_key, nullptr, nullptr) !=
            1 ||
        native.secp256k1_ecdsa_recoverable_signature_serialize_compact(native.secp256k1_context, r_and_s, &recovery_id,
                                                                       signature) != 1)
        return false;
    std::memcpy(out->r, r_and_s, 32);
    std::memcpy(out->s, r_and_s + 32, 32);
    out->y_parity = static_cast<uint8_t>(recovery_id & 1);
    return recovery_id < 2;  // 2 and 3, an x above the order, come once in 2^127 and have no place in a transaction
}

bool recover_public_key(const uint8_t hash[32], const uint8_t r[32], const uint8_t s[32], uint8_t y_parity,
                        uint8_t key[64]) noexcept {
    if (has_native(NativePackage::coincurve)) [[likely]]
        return y_parity <= 1 && recover_with_library(hash, r, s, y_parity, key);
    return recover_public_key_portable(hash, r, s, y_parity, key);
}

Status recover_sender(const Hash& signing_hash, const uint8_t r[32], const uint8_t s[32], uint8_t y_parity,
                      Address* out) noexcept {
    uint8_t key[64];
    if (!recover_public_key(signing_hash.bytes, r, s, y_parity, key))
        return Status::INVALID_SIGNATURE;
    Hash key_hash;
    keccak256(key, sizeof key, &key_hash);
    std::memcpy(out->bytes, key_hash.bytes + 12, 20);
    return Status::SUCCESS;
}

}  // namespace evmcore
