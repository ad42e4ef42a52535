// Bytes to points and back, and the choice of arithmetic. The mathematics is in bn254_{field,tower,curve,pairing}.hpp.
#include "bn254.hpp"

#include "bn254_field_x86.hpp"
#include "bn254_pairing.hpp"
#include "bn254_vector_pairing.hpp"

namespace evmcore {

namespace {

using namespace bn254;

// A pair keeps a core busy for about as long as this many jumps (2^18 jumps are about a millisecond).
constexpr uint32_t PAIR_WEIGHT = 1 << 15;

Fp read_plain(const uint8_t* bytes) noexcept {
    Fp number;
    for (int i = 0; i < 4; ++i) {
        uint64_t limb;
        std::memcpy(&limb, bytes + 24 - 8 * i, 8);
        number.limb[i] = __builtin_bswap64(limb);
    }
    return number;
}

void write_plain(uint8_t* bytes, const Fp& number) noexcept {
    for (int i = 0; i < 4; ++i) {
        const uint64_t limb = __builtin_bswap64(number.limb[i]);
        std::memcpy(bytes + 24 - 8 * i, &limb, 8);
    }
}

// On arithmetic A and the pairing E over some tower.
template <class A, class E>
struct Wire {
    using T = typename E::T;

    // false when the number isn't below the modulus
    static bool read(Fp& r, const uint8_t* bytes) noexcept {
        const Fp plain = read_plain(bytes);
        A::multiply(r, plain, TO_MONTGOMERY);
        return is_below(plain, MODULUS);
    }

    static bool read(G1& p, const uint8_t* bytes) noexcept {
        return read(p.x, bytes) && read(p.y, bytes + 32) && (p.is_infinity() || Curve<A>::is_on_curve(p));
    }

    static bool read(G2& q, const uint8_t* bytes) noexcept {
        return read(q.x.im, bytes) && read(q.x.re, bytes + 32) && read(q.y.im, bytes + 64) && read(q.y.re, bytes + 96) &&
               (q.is_infinity() || Curve<A>::is_on_twist(q));
    }

    static void write(uint8_t* bytes, const Fp& a) noexcept {
        Fp plain;
        A::multiply(plain, a, Fp{{1, 0, 0, 0}});
        write_plain(bytes, plain);
    }

    static void write(uint8_t* bytes, const G1& p) noexcept {
        write(bytes, p.x);
        write(bytes + 32, p.y);
    }

    static bool add(const uint8_t* input, uint8_t* output) noexcept {
        G1 a, b;
        if (!read(a, input) || !read(b, input + BN254_POINT_BYTES))
            return false;
        Curve<A>::add(a, a, b);
        write(output, a);
        return true;
    }

    static bool multiply(const uint8_t* input, uint8_t* output) noexcept {
        G1 p;
        if (!read(p, input))
            return false;
        Curve<A>::multiply(p, p, read_plain(input + BN254_POINT_BYTES));
        write(output, p);
        return true;
    }

    static Status pairing_is_one(ByteView input, bool& is_one, Poll& poll) noexcept {
        Pair pairs[PAIRS_A_LOOP];
        int count = 0;
        typename T::Element product;
        bool is_empty = true;
        for (size_t at = 0; at < input.size; at += BN254_PAIR_BYTES) {
            if (poll.poll(PAIR_WEIGHT))
                return Status::ABORTED;
            Pair& pair = pairs[count];
            if (!read(pair.p, input.data + at) || !read(pair.q, input.data + at + BN254_POINT_BYTES))
                return Status::PRECOMPILE_FAILURE;
            if (!pair.q.is_infinity())
                ++count;
            if (count == PAIRS_A_LOOP || (count != 0 && at + BN254_PAIR_BYTES == input.size)) {
                typename T::Element f;
                if (!E::miller_loop(is_empty ? product : f, pairs, count))
                    return Status::PRECOMPILE_FAILURE;
                if (!is_empty)
                    T::multiply(product, product, f);
                is_empty = false;
                count = 0;
            }
        }
        is_one = is_empty || is_one_after_final_exponentiation<T>(product);
        return Status::SUCCESS;
    }
};

using PortableWire = Wire<Portable, Pairing<Portable>>;

#if defined(__x86_64__)
using FastWire = Wire<WithMulx, LanePairing>;
const bool is_fast = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
#define EVMCORE_CHOOSE(CALL) (is_fast ? FastWire::CALL : PortableWire::CALL)
#else
#define EVMCORE_CHOOSE(CALL) PortableWire::CALL
#endif

}  // namespace

bool bn254_add(const uint8_t* input, uint8_t* output) noexcept { return EVMCORE_CHOOSE(add(input, output)); }

bool bn254_multiply(const uint8_t* input, uint8_t* output) noexcept { return EVMCORE_CHOOSE(multiply(input, output)); }

Status bn254_pairing_is_one(ByteView input, bool& is_one, Poll& poll) noexcept {
    return EVMCORE_CHOOSE(pairing_is_one(input, is_one, poll));
}

}  // namespace evmcore
