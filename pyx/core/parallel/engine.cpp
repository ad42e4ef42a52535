// Predictions held against what happened.
#include "engine.hpp"

namespace evmcore {

namespace {

const AccountEffect* find_account(const Effects& effects, const Address& address) noexcept {
    for (const AccountEffect& effect : effects.accounts)
        if (effect.address == address)
            return &effect;
    return nullptr;
}

const SlotEffect* find_slot(const Effects& effects, const Address& address, const u256& key) noexcept {
    for (const SlotEffect& effect : effects.slots)
        if (effect.is_write && effect.key == key && effects.accounts[effect.account].address == address)
            return &effect;
    return nullptr;
}

constexpr uint8_t VALUE_WRITES = WROTE_BALANCE | WROTE_NONCE | WROTE_CODE;

// Whether everything `wanted` writes is written by `given`, with the same values.
bool covers(const Effects& given, const Effects& wanted) noexcept {
    for (const AccountEffect& want : wanted.accounts) {
        const uint8_t writes = want.writes & VALUE_WRITES;
        if (writes == 0 || (want.writes & DESTROYED))
            continue;
        const AccountEffect* have = find_account(given, want.address);
        if (have == nullptr || (have->writes & writes) != writes)
            return false;
        if ((writes & WROTE_BALANCE) && have->balance_change != want.balance_change)
            return false;
        if ((writes & WROTE_NONCE) && have->nonce != want.nonce)
            return false;
        if ((writes & WROTE_CODE) && !(hash_of(have->code) == hash_of(want.code)))
            return false;
    }
    for (const SlotEffect& want : wanted.slots) {
        const AccountEffect& owner = wanted.accounts[want.account];
        if (!want.is_write || (owner.writes & DESTROYED))
            continue;
        const SlotEffect* have = find_slot(given, owner.address, want.key);
        if (have == nullptr || have->value != want.value)
            return false;
    }
    return true;
}

}  // namespace

namespace {

uint32_t place_of(Effects* effects, const Address& address) noexcept {
    for (size_t i = 0; i < effects->accounts.size(); ++i)
        if (effects->accounts[i].address == address)
            return static_cast<uint32_t>(i);
    AccountEffect effect;
    effect.address = address;
    effects->accounts.push_back(effect);
    return static_cast<uint32_t>(effects->accounts.size() - 1);
}

}  // namespace

void Engine::predict_account(uint32_t i, const Address& address, uint8_t writes, const u256& balance_after,
                             uint64_t nonce, const Code* code) noexcept {
    while (predicted.size() <= i)
        predicted.emplace_back();
    AccountEffect& effect = predicted[i].accounts[place_of(&predicted[i], address)];
    effect.writes |= writes;
    if (writes & (WROTE_BALANCE | DESTROYED)) {
        bool is_new;
        u256* last = predicted_balances_.insert_or_find(address, &is_new);
        if (last != nullptr) {
            AccountState before;
            if (is_new && job->world->account(address, &before) == Status::RUNNING)
                *last = before.balance;
            effect.balance_change = balance_after - *last;
            *last = balance_after;
        }
    }
    effect.nonce = nonce;
    if (writes & WROTE_CODE)
        effect.code = code != nullptr ? code->acquire() : nullptr;
}

void Engine::predict_slot(uint32_t i, const Address& address, const u256& key, const u256& value) noexcept {
    while (predicted.size() <= i)
        predicted.emplace_back();
    SlotEffect effect;
    effect.account = place_of(&predicted[i], address);
    effect.is_write = true;
    effect.key = key;
    effect.value = value;
    predicted[i].slots.push_back(effect);
}

bool Engine::meets_prediction(uint32_t i) const noexcept {
    if (i >= predicted.size())
        return true;
    const Effects& actual = job->outcomes[i].effects;
    return covers(predicted[i], actual) && covers(actual, predicted[i]);
}

}  // namespace evmcore
