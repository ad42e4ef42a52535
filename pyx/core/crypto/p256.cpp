// The constants of secp256r1 (SEC 2, section 2.4.2) and ECDSA's check over them (FIPS 186-5, section 6.4.2).
#include "p256.hpp"

#include "curve256.hpp"

namespace evmcore {
namespace {

using namespace curve256;

struct P256 {
    struct Field {
        static constexpr u256 value{0xffffffffffffffff, 0x00000000ffffffff, 0, 0xffffffff00000001};
    };
    struct Order {
        static constexpr u256 value{0xf3b9cac2fc632551, 0xbce6faada7179e84, 0xffffffffffffffff, 0xffffffff00000000};
    };
    static constexpr bool a_is_minus_3 = true;
    static constexpr u256 b{0x3bce3c3e27d2604b, 0x651d06b0cc53b0f6, 0xb3ebbd55769886bc, 0x5ac635d8aa3a93e7};
    static constexpr u256 generator_x{0xf4a13945d898c296, 0x77037d812deb33a0, 0xf8bce6e563a440f2, 0x6b17d1f2e12c4247};
    static constexpr u256 generator_y{0xcbb6406837bf51f5, 0x2bce33576b315ece, 0x8ee7eb4a7c0f9e16, 0x4fe342e2fe1a7f9b};
};
using Field = Residue<P256::Field>;
using Scalar = Residue<P256::Order>;

}  // namespace

bool p256_verify(const uint8_t hash[32], const uint8_t r[32], const uint8_t s[32], const uint8_t x[32],
                 const uint8_t y[32]) noexcept {
    const u256 r_number = load_big_endian(r), s_number = load_big_endian(s);
    const u256 x_number = load_big_endian(x), y_number = load_big_endian(y);
    const u256 &order = P256::Order::value, &prime = P256::Field::value;
    if (r_number.is_zero() || !is_less(r_number, order) || s_number.is_zero() || !is_less(s_number, order))
        return false;
    if (!is_less(x_number, prime) || !is_less(y_number, prime))
        return false;
    // The curve has no point with x = y = 0, so this also refuses the encoding of infinity. The cofactor is 1.
    const Field qx = Field::from(x_number), qy = Field::from(y_number);
    if (!(qy * qy == (qx * qx - Field::from(u256{3})) * qx + Field::from(P256::b)))
        return false;

    u256 hash_number = load_big_endian(hash);
    if (!is_less(hash_number, order))
        subtract(hash_number, hash_number, order);
    const Scalar inverse = Scalar::from(s_number).inverted();
    const u256 u1 = (Scalar::from(hash_number) * inverse).to_number();
    const u256 u2 = (Scalar::from(r_number) * inverse).to_number();
    const Point<P256> point = combine<P256>(u1, u2, {qx, qy, Field::one()});
    if (point.is_infinite())
        return false;

    // The affine x is X / Z^2, and must be r modulo the order: r itself, or r + order where that is still below the prime.
    const Field square = point.z * point.z;
    if (Field::from(r_number) * square == point.x)
        return true;
    u256 r_plus_order;
    return add(r_plus_order, r_number, order) == 0 && is_less(r_plus_order, prime) &&
           Field::from(r_plus_order) * square == point.x;
}

}  // namespace evmcore
