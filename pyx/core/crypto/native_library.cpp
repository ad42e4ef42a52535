// The one table of native functions, and how rows are set. Nothing else writes it.
#include "native_library.hpp"

#include <cstring>
#include <unistd.h>
#if defined(__APPLE__)
#include <sys/random.h>
#endif

namespace evmcore {

NativeLibrary native;

namespace {
// SECP256K1_CONTEXT_VERIFY | SECP256K1_CONTEXT_SIGN: versions before 0.2 want them, later ones take them for none.
constexpr unsigned CONTEXT_FLAGS = 0x101 | 0x201;

// The seed blinds the multiplications of signing; without entropy they are as they would be without a seed.
void* make_secp256k1_context() noexcept {
    void* context = native.secp256k1_context_create(CONTEXT_FLAGS);
    uint8_t seed[32];
    if (context != nullptr && getentropy(seed, sizeof seed) == 0)
        native.secp256k1_context_randomize(context, seed);
    return context;
}
}  // namespace

bool set_native_symbol(const char* name, void* address) noexcept {
    bool is_known = false;
    bool is_complete[NATIVE_PACKAGE_COUNT];
    std::memset(is_complete, true, sizeof is_complete);
#define NATIVE_SYMBOL(PACKAGE, NAME, RETURN, PARAMETERS)               \
    if (!is_known && std::strcmp(name, #NAME) == 0) {                  \
        native.NAME = reinterpret_cast<RETURN(*) PARAMETERS>(address); \
        is_known = true;                                               \
    }                                                                  \
    if (native.NAME == nullptr)                                        \
        is_complete[static_cast<unsigned>(NativePackage::PACKAGE)] = false;
#include "native_symbols.def"
#undef NATIVE_SYMBOL
    std::memcpy(native.is_complete, is_complete, sizeof is_complete);
    if (!has_native(NativePackage::coincurve))
        native.secp256k1_context = nullptr;
    else if (native.secp256k1_context == nullptr)
        native.secp256k1_context = make_secp256k1_context();
    return is_known;
}

}  // namespace evmcore
