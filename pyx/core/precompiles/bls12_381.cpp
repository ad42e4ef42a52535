// BLS12-381 (0x0b .. 0x11): addition, multi-scalar multiplication, pairing and maps, on blst. EIP-2537.
// A field element is 64 bytes, big-endian, the first 16 zero, below p. A point is its two coordinates, infinity all zeros.
// Additions take any point of the curve; multiplication and pairing take points of the right subgroup only.
#include <cstdlib>

#include "../crypto/native_library.hpp"
#include "precompiles.hpp"

namespace evmcore {
namespace {

constexpr int64_t G1ADD_GAS = 375, G2ADD_GAS = 600;
constexpr int64_t G1MUL_GAS = 12000, G2MUL_GAS = 22500;
constexpr int64_t PAIRING_BASE_GAS = 37700, PAIRING_PAIR_GAS = 32600;
constexpr int64_t MAP_FP_TO_G1_GAS = 5500, MAP_FP2_TO_G2_GAS = 23800;

// Thousandths of the price of k multiplications, for k = 1 .. 128; more pairs cost what 128 cost, each.
constexpr int64_t DISCOUNT_COUNT = 128;
constexpr uint16_t G1_DISCOUNT[DISCOUNT_COUNT] = {
    1000, 949, 848, 797, 764, 750, 738, 728, 719, 712, 705, 698, 692, 687, 682, 677, 673, 669, 665, 661, 658, 654,
    651,  648, 645, 642, 640, 637, 635, 632, 630, 627, 625, 623, 621, 619, 617, 615, 613, 611, 609, 608, 606, 604,
    603,  601, 599, 598, 596, 595, 593, 592, 591, 589, 588, 586, 585, 584, 582, 581, 580, 579, 577, 576, 575, 574,
    573,  572, 570, 569, 568, 567, 566, 565, 564, 563, 562, 561, 560, 559, 558, 557, 556, 555, 554, 553, 552, 551,
    550,  549, 548, 547, 547, 546, 545, 544, 543, 542, 541, 540, 540, 539, 538, 537, 536, 536, 535, 534, 533, 532,
    532,  531, 530, 529, 528, 528, 527, 526, 525, 525, 524, 523, 522, 522, 521, 520, 520, 519};
constexpr uint16_t G2_DISCOUNT[DISCOUNT_COUNT] = {
    1000, 1000, 923, 884, 855, 832, 812, 796, 782, 770, 759, 749, 740, 732, 724, 717, 711, 704, 699, 693, 688, 683,
    679,  674,  670, 666, 663, 659, 655, 652, 649, 646, 643, 640, 637, 634, 632, 629, 627, 624, 622, 620, 618, 615,
    613,  611,  609, 607, 606, 604, 602, 600, 598, 597, 595, 593, 592, 590, 589, 587, 586, 584, 583, 582, 580, 579,
    578,  576,  575, 574, 573, 571, 570, 569, 568, 567, 566, 565, 563, 562, 561, 560, 559, 558, 557, 556, 555, 554,
    553,  552,  552, 551, 550, 549, 548, 547, 546, 545, 545, 544, 543, 542, 541, 541, 540, 539, 538, 537, 537, 536,
    535,  535,  534, 533, 532, 532, 531, 530, 530, 529, 528, 528, 527, 526, 526, 525, 524, 524};

constexpr size_t FP_BYTES = 64, FP_ZEROS = 16;

// The base field's prime, big-endian.
constexpr uint8_t PRIME[48] = {0x1a, 0x01, 0x11, 0xea, 0x39, 0x7f, 0xe6, 0x9a, 0x4b, 0x1b, 0xa7, 0xb6, 0x43, 0x4b, 0xac, 0xd7,
                               0x64, 0x77, 0x4b, 0x84, 0xf3, 0x85, 0x12, 0xbf, 0x67, 0x30, 0xd2, 0xa0, 0xf6, 0xb0, 0xf6, 0x24,
                               0x1e, 0xab, 0xff, 0xfe, 0xb1, 0x53, 0xff, 0xff, 0xb9, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xaa, 0xab};

// --- Field elements ---

bool read(BlstFp* element, const uint8_t* bytes) noexcept {
    static constexpr uint8_t ZEROS[FP_ZEROS] = {};
    if (std::memcmp(bytes, ZEROS, FP_ZEROS) != 0 || std::memcmp(bytes + FP_ZEROS, PRIME, sizeof PRIME) >= 0)
        return false;
    native.blst_fp_from_bendian(element, bytes + FP_ZEROS);
    return true;
}

bool read(BlstFp2* element, const uint8_t* bytes) noexcept {
    return read(&element->fp[0], bytes) && read(&element->fp[1], bytes + FP_BYTES);
}

void write(uint8_t* bytes, const BlstFp& element) noexcept {
    std::memset(bytes, 0, FP_ZEROS);
    native.blst_bendian_from_fp(bytes + FP_ZEROS, &element);
}

void write(uint8_t* bytes, const BlstFp2& element) noexcept {
    write(bytes, element.fp[0]);
    write(bytes + FP_BYTES, element.fp[1]);
}

// --- The two groups, under the same names ---

struct G1 {
    using Element = BlstFp;
    using Affine = BlstP1Affine;
    using Point = BlstP1;
    static constexpr size_t COORDINATE_BYTES = FP_BYTES;
    static bool is_on_curve(const Affine& p) noexcept { return native.blst_p1_affine_on_curve(&p); }
    static bool is_in_group(const Affine& p) noexcept { return native.blst_p1_affine_in_g1(&p); }
    static bool is_infinite(const Affine& p) noexcept { return native.blst_p1_affine_is_inf(&p); }
    static void to_affine(Affine& out, const Point& p) noexcept { native.blst_p1_to_affine(&out, &p); }
    static void from_affine(Point& out, const Affine& p) noexcept { native.blst_p1_from_affine(&out, &p); }
    static void add(Point& out, const Point& a, const Affine& b) noexcept { native.blst_p1_add_or_double_affine(&out, &a, &b); }
    static void multiply(Point& out, const Point& p, const BlstScalar& s, size_t bits) noexcept {
        native.blst_p1_mult(&out, &p, s.bytes, bits);
    }
    static size_t scratch_bytes(size_t count) noexcept { return native.blst_p1s_mult_pippenger_scratch_sizeof(count); }
    static constexpr auto& multiply_many = native.blst_p1s_mult_pippenger;
    static void map(Point& out, const Element& u) noexcept { native.blst_map_to_g1(&out, &u, nullptr); }
};

struct G2 {
    using Element = BlstFp2;
    using Affine = BlstP2Affine;
    using Point = BlstP2;
    static constexpr size_t COORDINATE_BYTES = 2 * FP_BYTES;
    static bool is_on_curve(const Affine& p) noexcept { return native.blst_p2_affine_on_curve(&p); }
    static bool is_in_group(const Affine& p) noexcept { return native.blst_p2_affine_in_g2(&p); }
    static bool is_infinite(const Affine& p) noexcept { return native.blst_p2_affine_is_inf(&p); }
    static void to_affine(Affine& out, const Point& p) noexcept { native.blst_p2_to_affine(&out, &p); }
    static void from_affine(Point& out, const Affine& p) noexcept { native.blst_p2_from_affine(&out, &p); }
    static void add(Point& out, const Point& a, const Affine& b) noexcept { native.blst_p2_add_or_double_affine(&out, &a, &b); }
    static void multiply(Point& out, const Point& p, const BlstScalar& s, size_t bits) noexcept {
        native.blst_p2_mult(&out, &p, s.bytes, bits);
    }
    static size_t scratch_bytes(size_t count) noexcept { return native.blst_p2s_mult_pippenger_scratch_sizeof(count); }
    static constexpr auto& multiply_many = native.blst_p2s_mult_pippenger;
    static void map(Point& out, const Element& u) noexcept { native.blst_map_to_g2(&out, &u, nullptr); }
};

template <class G>
constexpr size_t POINT_BYTES = 2 * G::COORDINATE_BYTES;

constexpr size_t SCALAR_BYTES = 32, SCALAR_BITS = 255;

template <class G>
bool read_point(typename G::Affine* point, const uint8_t* bytes) noexcept {
    return read(&point->x, bytes) && read(&point->y, bytes + G::COORDINATE_BYTES) && G::is_on_curve(*point);
}

template <class G>
bool read_group_point(typename G::Affine* point, const uint8_t* bytes) noexcept {
    return read_point<G>(point, bytes) && (G::is_infinite(*point) || G::is_in_group(*point));
}

template <class G>
Status write_point(Bytes& output, const typename G::Point& point) noexcept {
    typename G::Affine affine;
    G::to_affine(affine, point);  // infinity becomes all zeros
    if (!output.resize(POINT_BYTES<G>))
        return Status::OUT_OF_MEMORY;
    write(output.data(), affine.x);
    write(output.data() + G::COORDINATE_BYTES, affine.y);
    return Status::SUCCESS;
}

// --- The operations ---

// What checking one point or multiplying it is worth in polled jumps (4 ns).
constexpr uint32_t POINT_WEIGHT = 1 << 14, PAIR_WEIGHT = 1 << 17;

// Points that blst adds up in one go, during which nobody is asked whether to stop: some 20 ms in G1, 40 in G2.
constexpr size_t POINTS_AT_ONCE = 512;

template <class G>
Status run_add(ByteView input, Bytes& output) noexcept {
    if (input.size != 2 * POINT_BYTES<G>)
        return Status::PRECOMPILE_FAILURE;
    if (!has_native(NativePackage::ckzg))
        return Status::PRECOMPILE_UNAVAILABLE;
    typename G::Affine a, b;
    if (!read_point<G>(&a, input.data) || !read_point<G>(&b, input.data + POINT_BYTES<G>))
        return Status::PRECOMPILE_FAILURE;
    typename G::Point sum;
    G::from_affine(sum, a);
    G::add(sum, sum, b);
    return write_point<G>(output, sum);
}

template <class G>
constexpr size_t MSM_PAIR_BYTES = POINT_BYTES<G> + SCALAR_BYTES;

template <class G>
int64_t price_msm(ByteView input, int64_t mul_gas, const uint16_t discount[DISCOUNT_COUNT]) noexcept {
    const int64_t count = static_cast<int64_t>(input.size / MSM_PAIR_BYTES<G>);
    if (count == 0)
        return 0;  // refused by run, whatever the gas
    return count * mul_gas * discount[(count < DISCOUNT_COUNT ? count : DISCOUNT_COUNT) - 1] / 1000;
}

template <class G>
struct MsmMemory {
    typename G::Affine* points;
    BlstScalar* scalars;
    uint64_t* scratch;
    void* block;

    explicit MsmMemory(size_t count) noexcept {
        const size_t points_bytes = count * sizeof(typename G::Affine), scalars_bytes = count * sizeof(BlstScalar);
        block = std::malloc(points_bytes + scalars_bytes + G::scratch_bytes(count));
        points = static_cast<typename G::Affine*>(block);
        scalars = reinterpret_cast<BlstScalar*>(static_cast<uint8_t*>(block) + points_bytes);
        scratch = reinterpret_cast<uint64_t*>(static_cast<uint8_t*>(block) + points_bytes + scalars_bytes);
    }
    ~MsmMemory() { std::free(block); }
    MsmMemory(const MsmMemory&) = delete;
    MsmMemory& operator=(const MsmMemory&) = delete;
};

// The sum of the multiples of `count` points, none of them infinite.
template <class G>
void multiply_and_add(typename G::Point& sum, const MsmMemory<G>& memory, size_t count) noexcept {
    if (count == 1) {
        G::from_affine(sum, memory.points[0]);
        G::multiply(sum, sum, memory.scalars[0], SCALAR_BITS);
        return;
    }
    // A null second entry means: the rest follows the first in memory.
    const typename G::Affine* const points[2] = {memory.points, nullptr};
    const uint8_t* const scalars[2] = {memory.scalars[0].bytes, nullptr};
    G::multiply_many(&sum, points, count, scalars, SCALAR_BITS, memory.scratch);
}

template <class G>
Status run_msm(ByteView input, Bytes& output, Poll& poll) noexcept {
    if (input.empty() || input.size % MSM_PAIR_BYTES<G> != 0)
        return Status::PRECOMPILE_FAILURE;
    if (!has_native(NativePackage::ckzg))
        return Status::PRECOMPILE_UNAVAILABLE;
    const size_t pair_count = input.size / MSM_PAIR_BYTES<G>;
    MsmMemory<G> memory{pair_count < POINTS_AT_ONCE ? pair_count : POINTS_AT_ONCE};
    if (memory.block == nullptr)
        return Status::OUT_OF_MEMORY;

    typename G::Point sum{};
    bool is_first = true;
    size_t count = 0;  // pairs that matter: blst's sums want no infinity among the points
    for (size_t i = 0; i < pair_count; ++i) {
        const uint8_t* pair = input.data + i * MSM_PAIR_BYTES<G>;
        if (poll.poll(POINT_WEIGHT))
            return Status::ABORTED;
        if (!read_group_point<G>(&memory.points[count], pair))
            return Status::PRECOMPILE_FAILURE;
        // Reduced modulo the order; false: zero. The point is in the group, so the reduction changes nothing.
        const bool is_nonzero = native.blst_scalar_from_be_bytes(&memory.scalars[count], pair + POINT_BYTES<G>, SCALAR_BYTES);
        if (is_nonzero && !G::is_infinite(memory.points[count]))
            ++count;
        if (count == POINTS_AT_ONCE || (count != 0 && i + 1 == pair_count)) {
            typename G::Point part;
            multiply_and_add<G>(is_first ? sum : part, memory, count);
            if (!is_first) {
                typename G::Affine affine;
                G::to_affine(affine, part);
                G::add(sum, sum, affine);
            }
            is_first = false;
            count = 0;
        }
    }
    return write_point<G>(output, sum);
}

template <class G>
Status run_map(ByteView input, Bytes& output) noexcept {
    if (input.size != G::COORDINATE_BYTES)
        return Status::PRECOMPILE_FAILURE;
    if (!has_native(NativePackage::ckzg))
        return Status::PRECOMPILE_UNAVAILABLE;
    typename G::Element u;
    if (!read(&u, input.data))
        return Status::PRECOMPILE_FAILURE;
    typename G::Point point;
    G::map(point, u);
    return write_point<G>(output, point);
}

constexpr size_t PAIRING_PAIR_BYTES = POINT_BYTES<G1> + POINT_BYTES<G2>;

// Pairs whose Miller loops share their squarings, and between which nobody is asked whether to stop: some 4 ms.
constexpr size_t PAIRS_AT_ONCE = 16;

struct PairingProduct {
    BlstFp12 value;
    bool is_one = true;
    BlstP1Affine ps[PAIRS_AT_ONCE];
    BlstP2Affine qs[PAIRS_AT_ONCE];
    size_t waiting = 0;

    void flush() noexcept {
        if (waiting == 0)
            return;
        const BlstP1Affine* const p[2] = {ps, nullptr};
        const BlstP2Affine* const q[2] = {qs, nullptr};
        BlstFp12 factor;
        native.blst_miller_loop_n(is_one ? &value : &factor, q, p, waiting);
        if (!is_one)
            native.blst_fp12_mul(&value, &value, &factor);
        is_one = false;
        waiting = 0;
    }
};

}  // namespace

int64_t price_bls12_g1add(ByteView, const Rules&) noexcept { return G1ADD_GAS; }
int64_t price_bls12_g2add(ByteView, const Rules&) noexcept { return G2ADD_GAS; }
int64_t price_bls12_g1msm(ByteView input, const Rules&) noexcept { return price_msm<G1>(input, G1MUL_GAS, G1_DISCOUNT); }
int64_t price_bls12_g2msm(ByteView input, const Rules&) noexcept { return price_msm<G2>(input, G2MUL_GAS, G2_DISCOUNT); }
int64_t price_bls12_map_fp_to_g1(ByteView, const Rules&) noexcept { return MAP_FP_TO_G1_GAS; }
int64_t price_bls12_map_fp2_to_g2(ByteView, const Rules&) noexcept { return MAP_FP2_TO_G2_GAS; }
int64_t price_bls12_pairing_check(ByteView input, const Rules&) noexcept {
    return PAIRING_BASE_GAS + PAIRING_PAIR_GAS * static_cast<int64_t>(input.size / PAIRING_PAIR_BYTES);
}

Status run_bls12_g1add(ByteView input, Bytes& output, Poll&) noexcept { return run_add<G1>(input, output); }
Status run_bls12_g2add(ByteView input, Bytes& output, Poll&) noexcept { return run_add<G2>(input, output); }
Status run_bls12_g1msm(ByteView input, Bytes& output, Poll& poll) noexcept { return run_msm<G1>(input, output, poll); }
Status run_bls12_g2msm(ByteView input, Bytes& output, Poll& poll) noexcept { return run_msm<G2>(input, output, poll); }
Status run_bls12_map_fp_to_g1(ByteView input, Bytes& output, Poll&) noexcept { return run_map<G1>(input, output); }
Status run_bls12_map_fp2_to_g2(ByteView input, Bytes& output, Poll&) noexcept { return run_map<G2>(input, output); }

Status run_bls12_pairing_check(ByteView input, Bytes& output, Poll& poll) noexcept {
    if (input.empty() || input.size % PAIRING_PAIR_BYTES != 0)
        return Status::PRECOMPILE_FAILURE;
    if (!has_native(NativePackage::ckzg))
        return Status::PRECOMPILE_UNAVAILABLE;
    PairingProduct product;
    for (const uint8_t* pair = input.begin(); pair != input.end(); pair += PAIRING_PAIR_BYTES) {
        if (poll.poll(PAIR_WEIGHT))
            return Status::ABORTED;
        BlstP1Affine& p = product.ps[product.waiting];
        BlstP2Affine& q = product.qs[product.waiting];
        if (!read_group_point<G1>(&p, pair) || !read_group_point<G2>(&q, pair + POINT_BYTES<G1>))
            return Status::PRECOMPILE_FAILURE;
        if (!G1::is_infinite(p) && !G2::is_infinite(q) && ++product.waiting == PAIRS_AT_ONCE)  // infinity pairs to one
            product.flush();
    }
    product.flush();
    if (!product.is_one)
        native.blst_final_exp(&product.value, &product.value);
    if (!output.fill(32, 0))
        return Status::OUT_OF_MEMORY;
    output[31] = product.is_one || native.blst_fp12_is_one(&product.value);
    return Status::SUCCESS;
}

}  // namespace evmcore
