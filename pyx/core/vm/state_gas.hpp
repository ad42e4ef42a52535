// State gas (EIP-8037): what makes the state grow is paid out of a reservoir first, and out of the frame's own gas where that is empty.
// The reservoir is one for all frames, since a call gets all of it; a frame keeps what it was when it began. Only rules that have state gas
// come here. A refill gives gas back for state that isn't there after all: to the frame's gas first, as far as that had paid.
#pragma once

#include <algorithm>

#include "frame.hpp"

namespace evmcore {

// Takes state gas; false: there isn't enough, and nothing is taken.
inline bool charge_state_gas(Machine& m, int64_t* gas, int64_t* spill, int64_t amount) noexcept {
    const int64_t rest = amount - std::min(amount, m.reservoir);
    if (rest > *gas)
        return false;
    m.reservoir -= amount - rest;
    *gas -= rest;
    *spill += rest;
    m.state_gas += amount;
    return true;
}

inline void refill_state_gas(Machine& m, int64_t* gas, int64_t* spill, int64_t amount) noexcept {
    const int64_t back = std::min(amount, *spill);
    *gas += back;
    *spill -= back;
    m.reservoir += amount - back;
    m.state_gas -= amount;
}

inline bool charge_state_gas(Frame& f, int64_t amount) noexcept {
    return charge_state_gas(*f.machine, &f.gas, &f.spill, amount);
}
inline void refill_state_gas(Frame& f, int64_t amount) noexcept { refill_state_gas(*f.machine, &f.gas, &f.spill, amount); }

// A frame begins, for the machine's request.
inline void open_state_gas(Machine& m, Frame& f) noexcept {
    f.spill = 0;
    f.reservoir_before = m.reservoir;
    f.state_gas_before = m.state_gas;
    f.new_account_gas = m.request.new_account_gas;
    m.request.new_account_gas = 0;
}

// What the frame did is taken back, and so is the state gas that it and the frames below it paid, or were given back.
inline void revert_state_gas(Machine& m, Frame& f) noexcept {
    f.gas += f.spill;
    m.reservoir = f.reservoir_before;
    m.state_gas = f.state_gas_before;
}

// A frame has ended, and its caller goes on. After a success what the callee was given back may have been paid out of the caller's own
// gas: then it goes there (EIPs#12265). After a failure the caller gets back what it paid for the account.
inline void join_state_gas(Machine& m, Frame& caller, const Frame& callee, Status status) noexcept {
    if (status == Status::SUCCESS) {
        caller.spill += callee.spill;
        const int64_t back = std::min(m.reservoir, caller.spill);
        caller.gas += back;
        caller.spill -= back;
        m.reservoir -= back;
    } else if (callee.new_account_gas != 0) {
        refill_state_gas(caller, callee.new_account_gas);
    }
}

// The same of a request that needed no frame.
inline void join_state_gas(Machine& m, Frame& caller, Status status) noexcept {
    if (status != Status::SUCCESS && m.request.new_account_gas != 0)
        refill_state_gas(caller, m.request.new_account_gas);
    m.request.new_account_gas = 0;
}

}  // namespace evmcore
