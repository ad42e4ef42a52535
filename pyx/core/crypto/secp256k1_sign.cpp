// Signing without a library: ECDSA on secp256k1 with the nonces of RFC 6979, the same signatures as libsecp256k1's.
// Unlike the rest of curve256.hpp's users, this file handles secrets: no branch and no address depends on the key or the
// nonce (a fixed sequence of complete additions, tables read whole), and copies of them on the stack are overwritten.
#include <cstring>

#include "secp256k1.hpp"
#include "secp256k1_curve.hpp"
#include "sha256.hpp"

namespace evmcore {
namespace {

using namespace curve256;
using Field = Residue<Secp256k1::Field>;
using Scalar = Residue<Secp256k1::Order>;

// The compiler may not leave this out, although nothing reads the memory afterwards.
void wipe(void* memory, size_t size) noexcept {
    std::memset(memory, 0, size);
    __asm__ volatile("" : : "r"(memory) : "memory");
}

template <class T>
struct Wiped {
    T value{};
    ~Wiped() { wipe(&value, sizeof value); }
};

// HMAC-SHA256 (RFC 2104) with a key of 32 bytes. size <= 97.
void hmac(const uint8_t key[32], const uint8_t* message, size_t size, uint8_t output[32]) noexcept {
    Wiped<uint8_t[64 + 97]> inner;
    Wiped<uint8_t[64 + 32]> outer;
    Hash digest;
    for (int i = 0; i < 64; ++i) {
        const uint8_t byte = i < 32 ? key[i] : 0;
        inner.value[i] = byte ^ 0x36;
        outer.value[i] = byte ^ 0x5c;
    }
    std::memcpy(inner.value + 64, message, size);
    sha256_portable(inner.value, 64 + size, &digest);
    std::memcpy(outer.value + 64, digest.bytes, 32);
    sha256_portable(outer.value, sizeof outer.value, &digest);
    std::memcpy(output, digest.bytes, 32);
    wipe(&digest, sizeof digest);
}

// RFC 6979, section 3.2: an HMAC-DRBG seeded with the key and the hash, which is taken modulo the order.
class NonceGenerator {
public:
    NonceGenerator(const uint8_t key[32], const uint8_t hash[32]) noexcept {
        std::memcpy(seed, key, 32);
        std::memcpy(seed + 32, hash, 32);
        std::memset(v, 1, sizeof v);
        update(0, sizeof seed);
        update(1, sizeof seed);
    }
    ~NonceGenerator() { wipe(this, sizeof *this); }

    void next(uint8_t nonce[32]) noexcept {
        if (is_used)
            update(0, 0);
        is_used = true;
        hmac(k, v, sizeof v, v);
        std::memcpy(nonce, v, sizeof v);
    }

private:
    void update(uint8_t separator, size_t seed_size) noexcept {
        Wiped<uint8_t[97]> message;
        std::memcpy(message.value, v, 32);
        message.value[32] = separator;
        std::memcpy(message.value + 33, seed, seed_size);
        hmac(k, message.value, 33 + seed_size, k);
        hmac(k, v, sizeof v, v);
    }

    uint8_t seed[64], k[32] = {}, v[32];
    bool is_used = false;
};

// (x / z, y / z); infinity is (0, 1, 0). The addition formula has no exceptions, so it needs no branch.
struct CompletePoint {
    Field x, y, z;
};

// Renes, Costello and Batina, "Complete addition formulas for prime order elliptic curves" (2016), algorithm 7; 3 b = 21.
CompletePoint complete_sum(const CompletePoint& p, const CompletePoint& q) noexcept {
    static const Field b3 = Field::from(u256{21});
    const Field xx = p.x * q.x, yy = p.y * q.y, zz = p.z * q.z;
    const Field xy = (p.x + p.y) * (q.x + q.y) - (xx + yy);
    const Field yz = (p.y + p.z) * (q.y + q.z) - (yy + zz);
    const Field xz = (p.x + p.z) * (q.x + q.z) - (xx + zz);
    const Field xx3 = xx + xx + xx, b3zz = b3 * zz, b3xz = b3 * xz;
    const Field plus = yy + b3zz, minus = yy - b3zz;
    return {xy * minus - yz * b3xz, minus * plus + b3xz * xx3, plus * yz + xx3 * xy};
}

struct MultiplesOfGenerator {
    CompletePoint multiple[16];

    MultiplesOfGenerator() noexcept {
        multiple[0] = {Field::zero(), Field::one(), Field::zero()};
        multiple[1] = {Field::from(Secp256k1::generator_x), Field::from(Secp256k1::generator_y), Field::one()};
        for (int i = 2; i < 16; ++i)
            multiple[i] = complete_sum(multiple[i - 1], multiple[1]);
    }
};

void copy_if(uint64_t mask, u256& target, const u256& source) noexcept {
    for (int i = 0; i < 4; ++i)
        target.limb[i] = (target.limb[i] & ~mask) | (source.limb[i] & mask);
}

// All ones if a == b, else zero, for numbers below 2^63.
uint64_t equality_mask(uint64_t a, uint64_t b) noexcept {
    uint64_t difference = a ^ b;
    __asm__("" : "+r"(difference));  // so that the compiler doesn't turn the mask into a branch
    return 0 - ((difference - 1) >> 63);
}

// scalar * G, four bits at a time from the top: four doublings and an addition, whatever the bits are.
CompletePoint times_generator(const u256& scalar) noexcept {
    static const MultiplesOfGenerator table;  // built at the first use, then frozen
    CompletePoint result = table.multiple[0];
    for (int nibble = 63; nibble >= 0; --nibble) {
        for (int i = 0; i < 4; ++i)
            result = complete_sum(result, result);
        const uint64_t digit = scalar.limb[nibble / 16] >> (4 * (nibble % 16)) & 15;
        CompletePoint addend = table.multiple[0];
        for (uint64_t i = 1; i < 16; ++i) {
            const uint64_t mask = equality_mask(i, digit);
            copy_if(mask, addend.x.word, table.multiple[i].x.word);
            copy_if(mask, addend.y.word, table.multiple[i].y.word);
            copy_if(mask, addend.z.word, table.multiple[i].z.word);
        }
        result = complete_sum(result, addend);
    }
    return result;
}

// Whether 0 < number < order. That it is so, is no secret; how near it comes is not shown.
bool is_valid_scalar(const u256& number) noexcept {
    u256 unused;
    const uint64_t is_below = subtract(unused, number, Secp256k1::Order::value);
    const uint64_t bits = number.limb[0] | number.limb[1] | number.limb[2] | number.limb[3];
    return (is_below & (1 ^ (equality_mask(bits >> 1 | (bits & 1), 0) & 1))) != 0;
}

}  // namespace

bool sign_recoverable_portable(const uint8_t hash[32], const uint8_t private_key[32], Signature* out) noexcept {
    const u256& order = Secp256k1::Order::value;
    Wiped<u256> key, nonce;
    Wiped<uint8_t[32]> nonce_bytes;
    key.value = load_big_endian(private_key);
    if (!is_valid_scalar(key.value))
        return false;
    u256 hash_number = load_big_endian(hash);
    if (!is_less(hash_number, order))
        subtract(hash_number, hash_number, order);

    uint8_t reduced_hash[32];
    store_big_endian(reduced_hash, hash_number);

    NonceGenerator nonces(private_key, reduced_hash);
    for (;;) {
        nonces.next(nonce_bytes.value);
        nonce.value = load_big_endian(nonce_bytes.value);
        if (!is_valid_scalar(nonce.value))
            continue;
        // R = nonce * G; r = R.x and the parity of R.y are public. The inverse's exponent is public, too.
        Wiped<CompletePoint> point;
        point.value = times_generator(nonce.value);
        const Field z_inverse = point.value.z.inverted();
        const u256 r = (point.value.x * z_inverse).to_number(), y = (point.value.y * z_inverse).to_number();
        // An x above the order comes once in 2^127, and a transaction has no room for its bit.
        if (r.is_zero() || !is_less(r, order))
            continue;
        Wiped<Scalar> inverse, secret;
        inverse.value = Scalar::from(nonce.value).inverted();
        secret.value = Scalar::from(r) * Scalar::from(key.value);
        u256 s = (inverse.value * (Scalar::from(hash_number) + secret.value)).to_number();
        if (s.is_zero())
            continue;
        // The lower of s and order - s (EIP-2); with the other one, R is its own mirror image.
        u256 negated, unused;
        subtract(negated, order, s);
        const uint64_t is_high = subtract(unused, negated, s);
        copy_if(0 - is_high, s, negated);
        store_big_endian(out->r, r);
        store_big_endian(out->s, s);
        out->y_parity = static_cast<uint8_t>((y.limb[0] & 1) ^ is_high);
        return true;
    }
}

}  // namespace evmcore
