#include "transaction.hpp"

#include <algorithm>

namespace evmcore {

size_t Transaction::zero_data_bytes() const noexcept {
    return static_cast<size_t>(std::count(data.data(), data.data() + data.size(), uint8_t{0}));
}

}  // namespace evmcore
