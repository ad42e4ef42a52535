// Powers modulo m = odd * 2^s: one power modulo the odd part (Montgomery), one modulo 2^s (low limbs only), joined by the
// Chinese remainder theorem. Sliding windows over the exponent. Moduli of one to four limbs have unrolled arithmetic.
// Once poll said stop, every step below ends at once and what it leaves means nothing: modular_power looks last of all.
#include "modular_power.hpp"

#include <cstdlib>

#include "../crypto/limbs.hpp"

namespace evmcore {

Operand Operand::stripped() const noexcept {
    uint64_t zeros = 0;
    while (zeros < present && data[zeros] == 0)
        ++zeros;
    if (zeros == present)  // nothing but zeros, read or implied
        return {};
    return {data + zeros, present - zeros, length - zeros};
}

uint64_t Operand::limb(uint64_t i) const noexcept {
    if (i >= (length + 7) / 8)
        return 0;
    const uint64_t end = length - 8 * i;  // one past the last byte, counted from the front
    if (end >= 8 && end <= present) [[likely]] {
        uint64_t big_endian;
        std::memcpy(&big_endian, data + end - 8, 8);
        return __builtin_bswap64(big_endian);
    }
    uint64_t value = 0;
    for (uint64_t at = end > 8 ? end - 8 : 0; at < end; ++at)
        value = value << 8 | (at < present ? data[at] : 0);
    return value;
}

uint64_t Operand::size_bits() const noexcept {
    return length == 0 ? 0 : 8 * length - static_cast<uint64_t>(__builtin_clz(data[0]) - 24);
}

namespace {

using uint128 = unsigned __int128;

// Jumps (4 ns) that multiplying a number of n limbs by one limb is worth.
uint32_t row_weight(size_t n) noexcept { return static_cast<uint32_t>(n / 8); }

// One product of numbers this long takes a tenth of a millisecond: from here on, each row of it asks whether to stop.
constexpr size_t LONG_LIMBS = 512;

// Numbers below an odd modulus of N limbs, x held as x * R mod m with R = 2^(64 N).
template <int N>
struct MontgomeryFixed {
    const uint64_t* modulus;
    uint64_t inverse;

    static constexpr size_t size() noexcept { return N; }

    void multiply(uint64_t* r, const uint64_t* a, const uint64_t* b) const noexcept {
#if defined(__x86_64__)
        if constexpr (N == 4)
            if (limbs::has_two_carry_chains) {
                limbs::montgomery_multiply_4(r, a, b, modulus, inverse);
                return;
            }
#endif
        uint64_t t[N + 1] = {};
#pragma GCC unroll 4
        for (int i = 0; i < N; ++i) {
            uint64_t carry = 0;
#pragma GCC unroll 4
            for (int j = 0; j < N; ++j) {
                const uint128 sum = static_cast<uint128>(a[j]) * b[i] + t[j] + carry;
                t[j] = static_cast<uint64_t>(sum);
                carry = static_cast<uint64_t>(sum >> 64);
            }
            const uint128 top = static_cast<uint128>(t[N]) + carry;
            const uint64_t m = t[0] * inverse;
            uint128 sum = static_cast<uint128>(m) * modulus[0] + t[0];
#pragma GCC unroll 4
            for (int j = 1; j < N; ++j) {
                sum = static_cast<uint128>(m) * modulus[j] + t[j] + static_cast<uint64_t>(sum >> 64);
                t[j - 1] = static_cast<uint64_t>(sum);
            }
            sum = top + static_cast<uint64_t>(sum >> 64);
            t[N - 1] = static_cast<uint64_t>(sum);
            t[N] = static_cast<uint64_t>(sum >> 64);
        }
        uint64_t reduced[N];
        const uint64_t borrow = limbs::subtract(reduced, t, modulus, N);
        const uint64_t keep = 0 - static_cast<uint64_t>(borrow > t[N]);
        for (int i = 0; i < N; ++i)
            r[i] = (t[i] & keep) | (reduced[i] & ~keep);
    }
    void square(uint64_t* r, const uint64_t* a) const noexcept { multiply(r, a, a); }
};

// The same for any number of limbs. `scratch`: 2 n limbs.
struct MontgomeryAny {
    const uint64_t* modulus;
    uint64_t inverse;
    size_t n;
    uint64_t* scratch;
    Poll& poll;

    size_t size() const noexcept { return n; }

    void multiply(uint64_t* r, const uint64_t* a, const uint64_t* b) const noexcept {
        std::memset(scratch, 0, n * sizeof(uint64_t));
        for (size_t i = 0; i < n; ++i) {
            scratch[n + i] = limbs::multiply_add(scratch + i, a, n, b[i]);
            if (must_stop())
                return;
        }
        reduce(r);
    }

    void square(uint64_t* r, const uint64_t* a) const noexcept {
        // The products above the diagonal once, doubled, plus the squares on it.
        std::memset(scratch, 0, 2 * n * sizeof(uint64_t));
        for (size_t i = 0; i + 1 < n; ++i) {
            scratch[n + i] = limbs::multiply_add(scratch + 2 * i + 1, a + i + 1, n - i - 1, a[i]);
            if (must_stop())
                return;
        }
        uint64_t shifted_out = 0, carry = 0;
        for (size_t i = 0; i < n; ++i) {
            const uint64_t low = scratch[2 * i], high = scratch[2 * i + 1];
            const uint128 diagonal = static_cast<uint128>(a[i]) * a[i];
            uint128 sum = static_cast<uint128>(low << 1 | shifted_out) + static_cast<uint64_t>(diagonal) + carry;
            scratch[2 * i] = static_cast<uint64_t>(sum);
            sum = static_cast<uint128>(high << 1 | low >> 63) + static_cast<uint64_t>(diagonal >> 64) +
                  static_cast<uint64_t>(sum >> 64);
            scratch[2 * i + 1] = static_cast<uint64_t>(sum);
            carry = static_cast<uint64_t>(sum >> 64);
            shifted_out = high >> 63;
        }
        reduce(r);
    }

private:
    bool must_stop() const noexcept { return n >= LONG_LIMBS && poll.poll(row_weight(n)); }

    // r = scratch / R mod modulus. Each row clears the lowest limb and leaves its carry there, to be added at the end.
    void reduce(uint64_t* r) const noexcept {
        for (size_t i = 0; i < n; ++i) {
            scratch[i] = limbs::multiply_add(scratch + i, modulus, n, scratch[i] * inverse);
            if (must_stop())
                return;
        }
        const uint64_t carry = limbs::add(r, scratch + n, scratch, n);
        if (carry != 0 || !limbs::is_less(r, modulus, n))
            limbs::subtract(r, r, modulus, n);
    }
};

// Numbers modulo 2^(64 n). `scratch`: n limbs.
struct LowLimbs {
    size_t n;
    uint64_t* scratch;
    Poll& poll;

    size_t size() const noexcept { return n; }

    void multiply(uint64_t* r, const uint64_t* a, const uint64_t* b) const noexcept {
        std::memset(scratch, 0, n * sizeof(uint64_t));
        for (size_t i = 0; i < n; ++i) {
            limbs::multiply_add(scratch + i, a, n - i, b[i]);
            if (n >= LONG_LIMBS && poll.poll(row_weight(n - i)))
                return;
        }
        std::memcpy(r, scratch, n * sizeof(uint64_t));
    }
    void square(uint64_t* r, const uint64_t* a) const noexcept { multiply(r, a, a); }
};

int window_bits(uint64_t exponent_bits) noexcept {
    return exponent_bits < 8      ? 1
           : exponent_bits < 36   ? 2
           : exponent_bits < 140  ? 3
           : exponent_bits < 450  ? 4
           : exponent_bits < 1303 ? 5
                                  : 6;
}
constexpr size_t MAX_TABLE = 32;  // odd powers up to the 63rd

// About how many jumps (4 ns) a product of n limbs is worth.
uint32_t weight_of(size_t n) noexcept {
    const uint64_t jumps = 1 + static_cast<uint64_t>(n) * n / 4;
    return jumps < 1u << 20 ? static_cast<uint32_t>(jumps) : 1u << 20;
}

// result = base ** exponent in the ring; the exponent is stripped and not zero. `table`: MAX_TABLE * n limbs; its first
// entry is the base. False when poll said stop.
template <class Ring>
bool power(const Ring& ring, uint64_t* result, uint64_t* table, const Operand& exponent, uint64_t* spare, Poll& poll) noexcept {
    const size_t n = ring.size();
    const uint32_t weight = weight_of(n);
    const uint64_t size = exponent.size_bits();
    const int width = window_bits(size);
    if (width > 1) {
        ring.square(spare, table);
        for (size_t i = 1; i < size_t{1} << (width - 1); ++i)
            ring.multiply(table + i * n, table + (i - 1) * n, spare);
    }

    uint64_t cached_index = ~uint64_t{0}, cached = 0;
    const auto bit = [&](uint64_t i) noexcept {
        if (i / 64 != cached_index)
            cached = exponent.limb(cached_index = i / 64);
        return cached >> (i % 64) & 1;
    };
    bool is_one = true;  // nothing multiplied in yet
    uint64_t left = size;
    while (left > 0) {
        if (poll.poll(weight))
            return false;
        if (bit(left - 1) == 0) {
            ring.square(result, result);
            --left;
            continue;
        }
        // The longest run of at most `width` bits that ends in a one.
        uint64_t digit = 0, best_digit = 0;
        int best = 0;
        for (int taken = 1; taken <= width && static_cast<uint64_t>(taken) <= left; ++taken) {
            digit = digit << 1 | bit(left - taken);
            if ((digit & 1) != 0)
                best_digit = digit, best = taken;
        }
        if (is_one) {
            std::memcpy(result, table + best_digit / 2 * n, n * sizeof(uint64_t));
            is_one = false;
        } else {
            for (int i = 0; i < best; ++i)
                ring.square(result, result);
            ring.multiply(result, result, table + best_digit / 2 * n);
        }
        left -= best;
    }
    return true;
}

// x = 2 x mod m, for x < m.
void double_modulo(uint64_t* x, const uint64_t* modulus, size_t n) noexcept {
    const uint64_t carry = limbs::add(x, x, x, n);
    if (carry != 0 || !limbs::is_less(x, modulus, n))
        limbs::subtract(x, x, modulus, n);
}

// result = base ** exponent mod the ring's odd modulus (above 1), as a plain number. work: (MAX_TABLE + 3) * n limbs.
template <class Ring>
bool odd_power(const Ring& ring, uint64_t* result, const Operand& base, const Operand& exponent, uint64_t* work,
               Poll& poll) noexcept {
    const size_t n = ring.size();
    const uint64_t* modulus = ring.modulus;
    uint64_t *square_of_r = work, *chunk = work + n, *spare = work + 2 * n, *table = work + 3 * n;

    // R * 2^n by doubling from the highest power of two below the modulus; six squarings make it R * 2^(64 n) = R^2.
    std::memset(square_of_r, 0, n * sizeof(uint64_t));
    size_t top = n - 1;
    while (modulus[top] == 0)
        --top;
    const size_t size_bits = 64 * top + 64 - static_cast<size_t>(__builtin_clzll(modulus[top]));
    square_of_r[(size_bits - 1) / 64] = uint64_t{1} << ((size_bits - 1) % 64);
    for (size_t i = size_bits - 1; i < 64 * n + n; ++i) {
        if (n >= LONG_LIMBS && poll.poll(row_weight(n)))
            return false;
        double_modulo(square_of_r, modulus, n);
    }
    for (int i = 0; i < 6; ++i)
        ring.square(square_of_r, square_of_r);

    // The base modulo m, n limbs at a time from the top: base = base * R + chunk, all in Montgomery form.
    uint64_t* reduced = table;
    std::memset(reduced, 0, n * sizeof(uint64_t));
    const uint64_t base_limbs = (base.length + 7) / 8;
    for (uint64_t chunks = (base_limbs + n - 1) / n; chunks-- > 0;) {
        if (poll.poll(2 * weight_of(n)))
            return false;
        for (size_t i = 0; i < n; ++i)
            chunk[i] = base.limb(chunks * n + i);
        ring.multiply(spare, chunk, square_of_r);
        ring.multiply(reduced, reduced, square_of_r);
        const uint64_t carry = limbs::add(reduced, reduced, spare, n);
        if (carry != 0 || !limbs::is_less(reduced, modulus, n))
            limbs::subtract(reduced, reduced, modulus, n);
    }

    if (!power(ring, result, table, exponent, spare, poll))
        return false;
    std::memset(chunk, 0, n * sizeof(uint64_t));
    chunk[0] = 1;
    ring.multiply(result, result, chunk);
    return true;
}

bool odd_power_any(const uint64_t* modulus, size_t n, uint64_t* result, const Operand& base, const Operand& exponent,
                   uint64_t* work, Poll& poll) noexcept {
    const uint64_t inverse = limbs::negative_inverse(modulus[0]);
    switch (n) {
    case 1: return odd_power(MontgomeryFixed<1>{modulus, inverse}, result, base, exponent, work, poll);
    case 2: return odd_power(MontgomeryFixed<2>{modulus, inverse}, result, base, exponent, work, poll);
    case 3: return odd_power(MontgomeryFixed<3>{modulus, inverse}, result, base, exponent, work, poll);
    case 4: return odd_power(MontgomeryFixed<4>{modulus, inverse}, result, base, exponent, work, poll);
    default: return odd_power(MontgomeryAny{modulus, inverse, n, work, poll}, result, base, exponent, work + 2 * n, poll);
    }
}

// result = base ** exponent mod 2^(64 n). work: (MAX_TABLE + 2) * n limbs.
bool low_power(size_t n, uint64_t* result, const Operand& base, const Operand& exponent, uint64_t* work, Poll& poll) noexcept {
    uint64_t* table = work + 2 * n;
    for (size_t i = 0; i < n; ++i)
        table[i] = base.limb(i);
    return power(LowLimbs{n, work, poll}, result, table, exponent, work + n, poll);
}

// x = 1 / odd mod 2^(64 n), by Newton's iteration. work: 3 n limbs; `odd` has odd_size limbs.
void invert_low(uint64_t* x, const uint64_t* odd, size_t odd_size, size_t n, uint64_t* work, Poll& poll) noexcept {
    const LowLimbs ring{n, work, poll};
    uint64_t *product = work + n, *odd_low = work + 2 * n;
    std::memset(odd_low, 0, n * sizeof(uint64_t));
    std::memcpy(odd_low, odd, (odd_size < n ? odd_size : n) * sizeof(uint64_t));
    std::memset(x, 0, n * sizeof(uint64_t));
    x[0] = 0 - limbs::negative_inverse(odd[0]);
    for (size_t correct = 1; correct < n; correct *= 2) {
        ring.multiply(product, odd_low, x);  // x (2 - odd x) = x - x (odd x - 1)
        product[0] -= 1;                     // odd x = 1 mod 2^64, so no borrow
        ring.multiply(product, product, x);
        limbs::subtract(x, x, product, n);
    }
}

void store(uint8_t* output, uint64_t size, const uint64_t* number, size_t n) noexcept {
    for (uint64_t i = 0; i < size; ++i)
        output[size - 1 - i] = i / 8 < n ? static_cast<uint8_t>(number[i / 8] >> (8 * (i % 8))) : 0;
}

Status odd_times_two_power(const Operand& base, const Operand& exponent, const Operand& modulus, uint8_t* output,
                           uint64_t output_size, uint64_t* memory, size_t n, Poll& poll) noexcept {
    uint64_t *number = memory, *odd = memory + n, *result = memory + 2 * n + 1, *low = memory + 3 * n + 2,
             *work = memory + 4 * n + 2;
    for (size_t i = 0; i < n; ++i)
        number[i] = modulus.limb(i);

    // modulus = odd * 2^twos
    size_t zero_limbs = 0;
    while (number[zero_limbs] == 0)
        ++zero_limbs;
    const unsigned shift = static_cast<unsigned>(__builtin_ctzll(number[zero_limbs]));
    const size_t twos = 64 * zero_limbs + shift, low_size = (twos + 63) / 64;
    size_t odd_size = n - zero_limbs;
    for (size_t i = 0; i < odd_size; ++i) {
        const uint64_t above = i + 1 < odd_size ? number[zero_limbs + i + 1] : 0;
        odd[i] = shift == 0 ? number[zero_limbs + i] : number[zero_limbs + i] >> shift | above << (64 - shift);
    }
    while (odd[odd_size - 1] == 0)
        --odd_size;
    const bool odd_is_one = odd_size == 1 && odd[0] == 1;

    std::memset(result, 0, (n + 1) * sizeof(uint64_t));
    if (!odd_is_one && !odd_power_any(odd, odd_size, result, base, exponent, work, poll))
        return Status::ABORTED;
    if (twos != 0) {
        if (!low_power(low_size, low, base, exponent, work, poll))
            return Status::ABORTED;
        // result + odd * ((low - result) / odd mod 2^twos)
        uint64_t *inverse = work, *quotient = work + low_size;
        invert_low(inverse, odd, odd_size, low_size, work + 2 * low_size, poll);
        limbs::subtract(low, low, result, low_size);
        LowLimbs{low_size, work + 2 * low_size, poll}.multiply(quotient, low, inverse);
        if (twos % 64 != 0)
            quotient[low_size - 1] &= (uint64_t{1} << (twos % 64)) - 1;
        for (size_t i = 0; i < low_size; ++i) {
            if (low_size >= LONG_LIMBS && poll.poll(row_weight(odd_size)))
                return Status::ABORTED;
            // The sum stays below the modulus, so carries end within n limbs; rows may reach one zero limb beyond.
            uint64_t carry = limbs::multiply_add(result + i, odd, odd_size, quotient[i]);
            for (size_t at = i + odd_size; carry != 0 && at <= n; ++at) {
                result[at] += carry;
                carry = result[at] < carry;
            }
        }
    }
    store(output, output_size, result, n);
    return Status::SUCCESS;
}

}  // namespace

Status modular_power(const Operand& base, const Operand& exponent, const Operand& modulus, uint8_t* output,
                     Poll& poll) noexcept {
    const Operand m = modulus.stripped(), e = exponent.stripped(), b = base.stripped();
    std::memset(output, 0, modulus.length);
    if (m.length == 1 && m.present == 1 && m.data[0] == 1)
        return Status::SUCCESS;
    if (e.is_zero()) {
        output[modulus.length - 1] = 1;
        return Status::SUCCESS;
    }
    const size_t n = (m.length + 7) / 8;
    // The table of powers, and what the steps above name as their work.
    const size_t limb_count = (4 * n + 2) + (MAX_TABLE + 6) * n;
    uint64_t stack_memory[512];
    uint64_t* memory = limb_count <= 512 ? stack_memory : static_cast<uint64_t*>(std::malloc(limb_count * sizeof(uint64_t)));
    if (memory == nullptr)
        return Status::OUT_OF_MEMORY;
    const Status status = odd_times_two_power(b, e, m, output, modulus.length, memory, n, poll);
    if (memory != stack_memory)
        std::free(memory);
    return poll.abort.load(std::memory_order_relaxed) ? Status::ABORTED : status;
}

}  // namespace evmcore
