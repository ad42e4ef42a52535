// The functions that come from other packages' libraries, called by raw pointer so that no call needs the GIL.
// native_symbols.def lists them; evmcore/native.py finds them and checks each package with known vectors, once, at import.
// frozen: set before the first worker starts, only read afterwards.
#pragma once

#include <cstddef>
#include <cstdint>

namespace evmcore {

// blst's types as 64-bit machines lay them out: limbs least significant first, field elements in Montgomery form.
// clang-format off: a type a line
struct BlstScalar { uint8_t bytes[32]; };  // little-endian
struct BlstFp { uint64_t limb[6]; };
struct BlstFp2 { BlstFp fp[2]; };
struct BlstFp6 { BlstFp2 fp2[3]; };
struct BlstFp12 { BlstFp6 fp6[2]; };
struct BlstP1Affine { BlstFp x, y; };      // all zero: infinity
struct BlstP1 { BlstFp x, y, z; };         // Jacobian; z = 0: infinity
struct BlstP2Affine { BlstFp2 x, y; };
struct BlstP2 { BlstFp2 x, y, z; };
// clang-format on

enum class NativePackage : uint8_t { coincurve, ckzg };
constexpr unsigned NATIVE_PACKAGE_COUNT = 2;

struct NativeLibrary {
#define NATIVE_SYMBOL(PACKAGE, NAME, RETURN, PARAMETERS) RETURN(*NAME) PARAMETERS = nullptr;
#include "native_symbols.def"
#undef NATIVE_SYMBOL
    const void* secp256k1_context = nullptr;      // one for all threads: every use only reads it; never destroyed
    bool is_complete[NATIVE_PACKAGE_COUNT] = {};  // every symbol of the package is there
};

extern NativeLibrary native;

// The rows, for the one who resolves them.
struct NativeSymbol {
    const char* name;
    const char* package;
};
constexpr NativeSymbol native_symbols[] = {
#define NATIVE_SYMBOL(PACKAGE, NAME, RETURN, PARAMETERS) {#NAME, #PACKAGE},
#include "native_symbols.def"
#undef NATIVE_SYMBOL
};
constexpr size_t NATIVE_SYMBOL_COUNT = sizeof(native_symbols) / sizeof(native_symbols[0]);

// Sets one row; a null address takes it away again. False: no such row. Not safe while anything runs.
bool set_native_symbol(const char* name, void* address) noexcept;

inline bool has_native(NativePackage package) noexcept { return native.is_complete[static_cast<unsigned>(package)]; }

}  // namespace evmcore
