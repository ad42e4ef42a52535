// Predicted conflicts of rows that a recorded execution left, of the same block or of one like it.
#include "predicted.hpp"

#include "../state/effects.hpp"
#include "access_rows.hpp"

namespace evmcore {

namespace {

// What of an account is read and written, by bits of its row. A minimum of a balance isn't in it: it commutes with payments.
struct Aspect {
    uint8_t reads, writes;
};
constexpr Aspect BALANCE{READ_BALANCE, WROTE_BALANCE}, NONCE{READ_NONCE, WROTE_NONCE}, CODE{READ_CODE, WROTE_CODE},
    LIFE{READ_ALIVE | READ_EXISTS | READ_COLLISION, CREATED | DESTROYED};
constexpr Aspect ASPECTS[] = {BALANCE, NONCE, CODE, LIFE};

// A seeded hash of the bytes that name what is read and written.
uint64_t hash_bytes(const uint8_t* bytes, size_t size) noexcept {
    uint64_t hash = size;
    for (size_t at = 0; at < size; at += 8) {
        uint64_t word = 0;
        std::memcpy(&word, bytes + at, std::min(size - at, size_t{8}));
        hash = multiply_mix(hash ^ hash_seed.word[2], word ^ hash_seed.word[3]) ^ hash_seed.word[4];
    }
    return hash;
}

uint64_t key_of(const AccountAccess& row, size_t aspect) noexcept {
    return mix64(hash_bytes(row.address, sizeof(row.address)), aspect);
}
uint64_t key_of(const SlotAccess& row) noexcept {
    static_assert(offsetof(SlotAccess, slot) == offsetof(SlotAccess, address) + sizeof(row.address));
    return hash_bytes(row.address, sizeof(row.address) + sizeof(row.slot));
}

}  // namespace

bool find_conflicts(const AccountAccess* accounts, size_t account_count, const SlotAccess* slots, size_t slot_count,
                    uint32_t count, PredictedConflicts* out) noexcept {
    ConflictFinder finder{out};
    const AccountAccess* const last_account = accounts + account_count;
    const SlotAccess* const last_slot = slots + slot_count;
    for (uint32_t i = 0; i < count; ++i) {
        const AccountAccess* account = accounts;
        const SlotAccess* slot = slots;
        for (; account != last_account && account->transaction == i; ++account)
            for (size_t k = 0; k < std::size(ASPECTS); ++k) {
                // A nonce that is written is most often the sender's, which is the transaction's own and commutes.
                if (&ASPECTS[k] == &ASPECTS[1] && (account->writes & WROTE_NONCE))
                    continue;
                if ((account->reads & ASPECTS[k].reads) && !finder.read(key_of(*account, k)))
                    return false;
            }
        // One that is written is read, too: its price depends on what was there (EIP-2200).
        for (; slot != last_slot && slot->transaction == i; ++slot)
            if (!finder.read(key_of(*slot)))
                return false;
        for (; accounts != account; ++accounts)
            for (size_t k = 0; k < std::size(ASPECTS); ++k)
                if ((accounts->writes & ASPECTS[k].writes) && !finder.write(key_of(*accounts, k)))
                    return false;
        for (; slots != slot; ++slots)
            if (slots->is_write && !finder.write(key_of(*slots)))
                return false;
        if (!finder.finish())
            return false;
    }
    return true;
}

}  // namespace evmcore
