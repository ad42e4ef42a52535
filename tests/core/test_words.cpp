// 256-bit words against slow arithmetic on single bits and digits.
#include <doctest/doctest.h>

#include <random>

#include "core/math/prepared_modulus.hpp"

namespace {

using namespace evmcore;

bool bit(const u256& x, unsigned i) { return x.limb[i / 64] >> (i % 64) & 1; }
void set_bit(u256* x, unsigned i) { x->limb[i / 64] |= uint64_t{1} << (i % 64); }

u256 slow_sum(const u256& a, const u256& b) {
    u256 sum;
    unsigned carry = 0;
    for (unsigned i = 0; i < 256; ++i) {
        const unsigned digit = bit(a, i) + bit(b, i) + carry;
        if (digit & 1)
            set_bit(&sum, i);
        carry = digit >> 1;
    }
    return sum;
}
u256 slow_product(const u256& a, const u256& b) {
    u256 product, shifted = a;
    for (unsigned i = 0; i < 256; ++i, shifted = slow_sum(shifted, shifted))
        if (bit(b, i))
            product = slow_sum(product, shifted);
    return product;
}
u256 slow_not(const u256& x) { return {~x.limb[0], ~x.limb[1], ~x.limb[2], ~x.limb[3]}; }
u256 slow_difference(const u256& a, const u256& b) { return slow_sum(a, slow_sum(slow_not(b), u256{1})); }
bool slow_less(const u256& a, const u256& b) {
    for (unsigned i = 256; i-- > 0;)
        if (bit(a, i) != bit(b, i))
            return bit(b, i);
    return false;
}
void slow_divide(const u256& a, const u256& b, u256* quotient, u256* rest) {
    *quotient = *rest = u256{};
    for (unsigned i = 256; i-- > 0;) {
        const bool overflows = bit(*rest, 255);
        *rest = slow_sum(*rest, *rest);
        if (bit(a, i))
            set_bit(rest, 0);
        if (overflows || !slow_less(*rest, b)) {
            *rest = slow_difference(*rest, b);
            set_bit(quotient, i);
        }
    }
}

// Limbs at the edges are as likely as any others.
u256 random_word(std::mt19937_64& random) {
    u256 word;
    for (uint64_t& limb : word.limb)
        limb = random() % 3 == 0 ? random() % 2 - random() % 2 : random() >> random() % 64;
    return random() % 5 == 0 ? u256{word.limb[0]} : word;
}

}  // namespace

TEST_CASE("sums, differences, products, orders") {
    std::mt19937_64 random{1};
    for (int turn = 0; turn < 2000; ++turn) {
        const u256 a = random_word(random), b = random_word(random);
        CHECK(a + b == slow_sum(a, b));
        CHECK(a - b == slow_difference(a, b));
        CHECK(a * b == slow_product(a, b));
        CHECK(square(a) == slow_product(a, a));
        CHECK((a < b) == slow_less(a, b));
        u256 sum;
        CHECK(add_overflow(a, b, &sum) == slow_less(slow_sum(a, b), a));
        const u256 narrow = mul_u64(a, b.limb[0]);
        CHECK(narrow == slow_product(a, u256{b.limb[0]}));
    }
}

TEST_CASE("quotients and what is left") {
    std::mt19937_64 random{2};
    for (int turn = 0; turn < 2000; ++turn) {
        const u256 a = random_word(random), b = random_word(random), m = random_word(random);
        u256 quotient, rest;
        if (!b.is_zero()) {
            slow_divide(a, b, &quotient, &rest);
            CHECK(div(a, b) == quotient);
            CHECK(mod(a, b) == rest);
        } else {
            CHECK(div(a, b).is_zero());
            CHECK(mod(a, b).is_zero());
        }
        if (!m.is_zero() && !slow_less(a + b, a)) {
            slow_divide(a + b, m, &quotient, &rest);
            CHECK(addmod(a, b, m) == rest);
        }
    }
    PreparedModulus prepared;
    CHECK(mulmod(u256{} - u256{1}, u256{} - u256{1}, u256{12}, &prepared) == u256{9});
    CHECK(exp(u256{3}, u256{5}) == u256{243});
    CHECK(exp(u256{2}, u256{256}).is_zero());
}

TEST_CASE("shifts, bytes and lengths") {
    std::mt19937_64 random{3};
    for (int turn = 0; turn < 2000; ++turn) {
        const u256 x = random_word(random);
        const unsigned count = random() % 256;
        u256 left, right;
        for (unsigned i = 0; i < 256; ++i) {
            if (i >= count && bit(x, i - count))
                set_bit(&left, i);
            if (i + count < 256 && bit(x, i + count))
                set_bit(&right, i);
        }
        CHECK(shl(u256{count}, x) == left);
        CHECK(shr(u256{count}, x) == right);
        unsigned length = 0;
        for (unsigned i = 0; i < 256; ++i)
            length = bit(x, i) ? i + 1 : length;
        CHECK(bit_length(x) == length);
        uint8_t bytes[32];
        to_big_endian(x, bytes);
        CHECK(from_big_endian(bytes) == x);
        CHECK(byte_at(u256{count % 32}, x) == u256{bytes[count % 32]});
    }
}

TEST_CASE("signed quotients and orders") {
    std::mt19937_64 random{4};
    const u256 least = shl(u256{255}, u256{1});
    const auto size_of = [](const u256& x) { return bit(x, 255) ? slow_difference(u256{}, x) : x; };
    for (int turn = 0; turn < 2000; ++turn) {
        u256 a = random_word(random), b = random_word(random);
        if (random() % 2)
            a = slow_difference(u256{}, a);
        if (random() % 2)
            b = slow_difference(u256{}, b);
        u256 quotient, rest;
        if (!b.is_zero()) {
            slow_divide(size_of(a), size_of(b), &quotient, &rest);
            if (bit(a, 255) != bit(b, 255))
                quotient = slow_difference(u256{}, quotient);
            if (bit(a, 255))
                rest = slow_difference(u256{}, rest);
        }
        CHECK(sdiv(a, b) == quotient);
        CHECK(smod(a, b) == rest);
        CHECK(signed_less(a, b) == (bit(a, 255) != bit(b, 255) ? bit(a, 255) : slow_less(a, b)));
        CHECK(-a == slow_difference(u256{}, a));
    }
    CHECK(sdiv(least, U256_MAX) == least);  // the one quotient that doesn't fit
    CHECK(smod(least, U256_MAX).is_zero());
}

TEST_CASE("products and sums of any modulus, and powers") {
    std::mt19937_64 random{5};
    PreparedModulus prepared;
    for (int turn = 0; turn < 300; ++turn) {
        const u256 a = random_word(random), b = random_word(random), m = random_word(random);
        if (m.is_zero()) {
            CHECK(mulmod(a, b, m, &prepared).is_zero());
            CHECK(addmod(a, b, m).is_zero());
            continue;
        }
        // One bit of b after the other, as on paper, with sums below 2m in 257 bits.
        u256 quotient, part, product;
        slow_divide(a, m, &quotient, &part);
        const auto sum = [&m](const u256& x, const u256& y) {
            const u256 total = slow_sum(x, y);
            return slow_less(total, x) || !slow_less(total, m) ? slow_difference(total, m) : total;
        };
        for (unsigned i = 256; i-- > 0;) {
            product = sum(product, product);
            if (bit(b, i))
                product = sum(product, part);
        }
        CHECK(mulmod(a, b, m, &prepared) == product);
        u256 other;
        slow_divide(b, m, &quotient, &other);
        CHECK(addmod(a, b, m) == sum(part, other));
        const unsigned exponent = random() % 300;
        u256 power{1};
        for (unsigned i = 0; i < exponent; ++i)
            power = power * a;
        CHECK(exp(a, u256{exponent}) == power);
        u256 wrapped;
        const bool fits = a.is_zero() || bit_length(a) + bit_length(b) <= 256;
        if (mul_overflow(a, b, &wrapped))
            CHECK(!fits);
        else
            CHECK(wrapped == slow_product(a, b));
    }
}

TEST_CASE("signs are extended, and kept by shifts") {
    std::mt19937_64 random{6};
    for (int turn = 0; turn < 2000; ++turn) {
        const u256 x = random_word(random);
        const unsigned byte = random() % 34, count = random() % 300;
        u256 extended = x, shifted;
        for (unsigned i = byte < 32 ? 8 * byte + 8 : 256; i < 256; ++i) {
            extended.limb[i / 64] &= ~(uint64_t{1} << i % 64);
            if (bit(x, 8 * byte + 7))
                set_bit(&extended, i);
        }
        CHECK(sign_extend(u256{byte}, x) == extended);
        for (unsigned i = 0; i < 256; ++i)
            if (i + count < 256 ? bit(x, i + count) : bit(x, 255))
                set_bit(&shifted, i);
        CHECK(sar(u256{count}, x) == shifted);
        CHECK(from_address(to_address(x)) == (x & shr(u256{96}, U256_MAX)));
        CHECK(from_hash(to_hash(x)) == x);
    }
    CHECK(sar(U256_MAX, U256_MAX) == U256_MAX);
    CHECK(shl(U256_MAX, U256_MAX).is_zero());
    CHECK(sign_extend(U256_MAX, u256{128}) == u256{128});
}
