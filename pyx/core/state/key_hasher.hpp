// Hashing many keys of tries.
#pragma once

#include "../crypto/keccak.hpp"

namespace evmcore {

// Hashes messages of one size, eight side by side; each must stay where it is until the end.
class KeyHasher {
public:
    explicit KeyHasher(size_t size) noexcept : size_{size} {}
    ~KeyHasher() {
        for (unsigned i = 0; i < count_; ++i)
            keccak256(data_[i], size_, out_[i]);
    }
    void add(const uint8_t* data, Hash* out) noexcept {
        data_[count_] = data;
        out_[count_] = out;
        if (++count_ == LANES) {
            const size_t sizes[LANES] = {size_, size_, size_, size_, size_, size_, size_, size_};
            keccak256_x8(data_, sizes, out_);
            count_ = 0;
        }
    }

private:
    static constexpr unsigned LANES = 8;
    size_t size_;
    unsigned count_ = 0;
    const uint8_t* data_[LANES];
    Hash* out_[LANES];
};

}  // namespace evmcore
