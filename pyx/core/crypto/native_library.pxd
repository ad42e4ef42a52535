from libcpp cimport bool as cbool

cdef extern from "core/crypto/native_library.hpp" namespace "evmcore" nogil:
    cppclass NativeSymbol:
        const char* name
        const char* package
    const NativeSymbol* c_native_symbols "evmcore::native_symbols"
    const size_t NATIVE_SYMBOL_COUNT
    cbool c_set_native_symbol "evmcore::set_native_symbol"(const char* name, void* address)
