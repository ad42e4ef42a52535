// The one table of native functions, and how rows are set. Nothing else writes it.
#include "native_library.hpp"

#include <cstring>

namespace evmcore {

NativeLibrary native;

namespace {
constexpr unsigned CONTEXT_VERIFY = 0x101;  // SECP256K1_CONTEXT_VERIFY
}

bool set_native_symbol(const char* name, void* address) noexcept {
    bool is_known = false;
    bool is_complete[NATIVE_PACKAGE_COUNT];
    std::memset(is_complete, true, sizeof is_complete);
#define NATIVE_SYMBOL(PACKAGE, NAME, RETURN, PARAMETERS)                           \
    if (!is_known && std::strcmp(name, #NAME) == 0) {                              \
        native.NAME = reinterpret_cast<RETURN(*) PARAMETERS>(address);             \
        is_known = true;                                                           \
    }                                                                              \
    if (native.NAME == nullptr)                                                    \
        is_complete[static_cast<unsigned>(NativePackage::PACKAGE)] = false;
#include "native_symbols.def"
#undef NATIVE_SYMBOL
    std::memcpy(native.is_complete, is_complete, sizeof is_complete);
    if (!has_native(NativePackage::coincurve))
        native.secp256k1_context = nullptr;
    else if (native.secp256k1_context == nullptr)
        native.secp256k1_context = native.secp256k1_context_create(CONTEXT_VERIFY);
    return is_known;
}

}  // namespace evmcore
