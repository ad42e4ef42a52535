// Coverage-guided fuzzing of the decoder of transactions: any bytes are refused, or decode to what encodes to the same bytes again.
// Headers and blocks are decoded in Python: fuzz/encodings.py.
// libFuzzer's entry point; stands on base, math and crypto alone. How to build and run it is said by __main__.py.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "core/base/transaction.hpp"

using namespace evmcore;

namespace {

void expect_same(ByteView given, const Bytes& again, const char* what) {
    if (again.size() == given.size && std::equal(again.begin(), again.end(), given.data))
        return;
    std::fprintf(stderr, "%s: decodes, but does not encode to the same bytes\n", what);
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const ByteView given{data, size};
    const char* field = nullptr;
    Bytes again;

    Transaction tx;
    if (decode_transaction(given, &tx, &field) == Status::SUCCESS && encode_transaction(tx, &again))
        expect_same(given, again, "transaction");
    return 0;
}
