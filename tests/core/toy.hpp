// Toy transactions: a few bytes of data say what one reads and writes. They go through the same hooks as real ones, on the real journal,
// views, multi-version memory and base state, so that the parallel floor is tested without the interpreter and without Python.
#pragma once

#include <memory>
#include <random>
#include <vector>

#include "core/parallel/engine.hpp"
#include "core/parallel/groups.hpp"
#include "core/parallel/recorded.hpp"

namespace toy {

using namespace evmcore;

constexpr int ACCOUNTS = 6, SLOTS = 5;

inline Address address_of(unsigned number) {
    Address address{};
    address.bytes[0] = 0xaa;
    address.bytes[19] = static_cast<uint8_t>(number);
    return address;
}
const Address COINBASE = address_of(200);

enum Op : uint8_t {
    LOAD,      // sum += slot
    STORE,     // slot = sum + operand
    COUNT,     // slot += operand, as a tracked program does: the execution depends on a range, not on the value
    COUNT_IF,  // the same if slot < 1000
    PAY,       // the sender pays operand to an account, if it can
    BALANCE,   // sum += balance
    EXISTS,    // sum += whether the account is alive
    DESTROY,   // the account goes, with its slots
    CREATE,    // the account starts anew, unless there is code, a nonce or storage
    FAIL,      // takes back what came since the last MARK
    MARK,
    OP_COUNT,
};

// An operation is three bytes: what, on which account and slot, and an operand.
inline void add(Bytes* program, Op op, unsigned account = 0, unsigned slot = 0, unsigned operand = 0) {
    const uint8_t bytes[3] = {op, static_cast<uint8_t>(account * 16 + slot), static_cast<uint8_t>(operand)};
    for (const uint8_t byte : bytes)
        (void)program->push_back(byte);
}

struct Step {
    Journal& journal;
    Machine& machine;
    u256 sum;
    Snapshot mark;

    Status run(const Transaction& tx, JournalAccount* sender) {
        mark = journal.snapshot();
        for (size_t at = 0; at + 3 <= tx.data.size(); at += 3) {
            if (machine.poll.poll(1))
                return Status::ABORTED;
            JournalAccount* account = journal.account(address_of(tx.data[at + 1] / 16));
            if (account == nullptr)
                return journal.failure;
            if (!run_one(static_cast<Op>(tx.data[at]), account, u256{uint64_t{tx.data[at + 1]} % 16}, u256{tx.data[at + 2]},
                         sender))
                return journal.failure;
        }
        return Status::SUCCESS;
    }

    bool run_one(Op op, JournalAccount* account, const u256& key, const u256& operand, JournalAccount* sender) {
        JournalSlot* slot = nullptr;
        switch (op) {
        case LOAD:
        case STORE:
            if ((slot = journal.slot(account, key)) == nullptr)
                return false;
            slot->range = nullptr;
            if (op == LOAD)
                sum += slot->value;
            else
                journal.set_slot(slot, sum + operand);
            return true;
        case COUNT:
        case COUNT_IF: {
            if ((slot = journal.peek_slot(account, key)) == nullptr)
                return false;
            if (!slot->is_loaded && machine.tracks_values && account->original.is_tracked)
                slot->range = journal.add_range();
            if ((slot = journal.slot(account, key)) == nullptr)
                return false;
            const u256 bound{1000};
            if (op == COUNT_IF && slot->range != nullptr)
                slot->range->keep_less(slot->original, slot->value, bound);
            if (op == COUNT || slot->value < bound)
                journal.set_slot(slot, slot->value + operand);
            return true;
        }
        case PAY:
            if (!journal.can_pay(sender, operand)) {
                sum += u256{7};
                return true;
            }
            journal.debit(sender, operand);
            journal.credit(account, operand);
            return true;
        case BALANCE: sum += journal.read_balance(account); return true;
        case EXISTS: sum += u256{journal.read_alive(account)}; return true;
        case DESTROY:
            if (account->address == sender->address)
                return true;
            journal.set_balance_zero(account);
            journal.mark_destroyed(account);
            return true;
        case CREATE:
            if (journal.read_collision(account))
                return true;
            journal.mark_created(account);
            journal.touch(account);
            journal.set_nonce(account, 1);
            return true;
        case FAIL: journal.revert(mark); return true;
        default: mark = journal.snapshot(); return true;
        }
    }
};

inline Status apply(Machine* machine, BlockJob* job, uint32_t index, const StateView* view, ApplyMode mode) {
    const Transaction& tx = *job->transactions[index];
    Outcome& outcome = job->outcomes[index];
    Journal& journal = machine->journal;
    journal.begin(view);
    machine->spare_effects.open(&outcome.effects);
    ++outcome.execution_count;
    if (mode == ApplyMode::EXACT && job->room.gas_used + tx.gas_limit > job->context.gas_limit)
        return Status::GAS_ALLOWANCE_EXCEEDED;
    JournalAccount* sender = journal.account(tx.sender);
    if (sender == nullptr)
        return journal.failure;
    sender->reads |= READ_NONCE;
    if (mode == ApplyMode::SPECULATIVE)
        sender->nonce = sender->original.nonce = tx.nonce;
    if (sender->nonce != tx.nonce)
        return sender->nonce < tx.nonce ? Status::NONCE_TOO_HIGH : Status::NONCE_TOO_LOW;
    const u256 fee{tx.gas_limit};
    if (!journal.can_pay(sender, fee))
        return Status::INSUFFICIENT_FUNDS;
    journal.debit(sender, fee);
    journal.set_nonce(sender, tx.nonce + 1);
    Step step{journal, *machine, {}, {}};
    const Status status = step.run(tx, sender);
    if (kind_of(status) == Kind::BROKEN)
        return status;
    // Gas used depends on all that was read, so that a difference shows in it.
    outcome.gas_used = static_cast<int64_t>(1 + step.sum.limb[0] % tx.gas_limit);
    outcome.output.clear();
    for (unsigned byte = 0; byte < 8; ++byte)
        (void)outcome.output.push_back(static_cast<uint8_t>(step.sum.limb[0] >> 8 * byte));
    journal.credit(sender, u256{tx.gas_limit - static_cast<uint64_t>(outcome.gas_used)});
    if (!journal.credit_blindly(job->context.coinbase, u256{static_cast<uint64_t>(outcome.gas_used)}))
        return journal.failure;
    return journal.extract(&outcome.effects) ? status : Status::OUT_OF_MEMORY;
}

inline Status check_room(BlockJob* job, uint32_t index) {
    const bool fits = job->room.gas_used + job->transactions[index]->gas_limit <= job->context.gas_limit;
    return fits ? Status::RUNNING : Status::GAS_ALLOWANCE_EXCEEDED;
}

inline Status commit(BlockJob* job, uint32_t index) {
    Outcome& outcome = job->outcomes[index];
    const Status status = job->world->apply(outcome.effects, job->rules->deletes_empty_accounts);
    if (status != Status::RUNNING)
        return job->fail(status, index);
    job->count_in(&outcome);
    return Status::RUNNING;
}

inline Status execute_in_order(Machine* machine, BlockJob* job, uint32_t index) {
    const StateView view = job->world->view();
    Outcome& outcome = job->outcomes[index];
    outcome.status = apply(machine, job, index, &view, ApplyMode::EXACT);
    ++job->counts.executions;
    return is_result(outcome.status) ? commit(job, index) : job->fail(outcome.status, index);
}

inline void open(Machine* machine, BlockJob* job) { machine->rules = job->rules; }
inline Status begin_or_end(Machine*, BlockJob*) { return Status::RUNNING; }

const ExecutionHooks HOOKS = {apply, check_room, commit, execute_in_order, open, begin_or_end, begin_or_end};

// A random block and the state before it.
struct Case {
    World world;
    std::vector<std::unique_ptr<Transaction>> transactions;
    BlockJob job;

    Case(uint64_t seed, size_t count) {
        std::mt19937_64 random{seed};
        const auto below = [&](uint64_t limit) { return static_cast<unsigned>(random() % limit); };
        job.rules = &rules_of(below(4) == 0 ? Fork::HOMESTEAD : Fork::CANCUN);
        job.context.coinbase = below(8) == 0 ? address_of(1) : COINBASE;
        job.context.gas_limit = below(10) == 0 ? 400 : 1'000'000;
        for (unsigned account = 0; account < ACCOUNTS; ++account) {
            if (account >= 4 && below(2) == 0)
                continue;
            (void)world.set_balance(address_of(account), u256{below(6) == 0 ? 150u : 100'000u});
            for (unsigned slot = 0; slot < SLOTS; ++slot)
                if (below(2) == 0)
                    (void)world.set_slot(address_of(account), u256{slot}, u256{below(3) == 0 ? 990u : below(50)});
        }
        uint64_t nonces[ACCOUNTS] = {};
        // A block is about few slots, or many; about counters, or anything.
        const unsigned accounts = 1 + below(ACCOUNTS), slots = 1 + below(SLOTS), theme = below(4);
        for (size_t i = 0; i < count; ++i) {
            auto tx = std::make_unique<Transaction>();
            const unsigned sender = below(4);
            tx->set_sender(address_of(sender));
            tx->nonce = below(400) == 0 ? 7 : nonces[sender]++;
            tx->gas_limit = below(8) == 0 ? 90 : 20;
            tx->to = address_of(below(ACCOUNTS));
            for (unsigned step = 0, steps = below(6); step < steps; ++step) {
                const unsigned op = theme == 0 ? COUNT + below(2) : theme == 1 ? below(6) : below(OP_COUNT);
                add(&tx->data, static_cast<Op>(op), below(accounts), below(slots), below(40));
            }
            transactions.push_back(std::move(tx));
        }
    }
    // Points a job at this block and a state.
    void open_job(BlockJob* other, World* on) {
        other->rules = job.rules;
        other->context = job.context;
        other->world = on;
        other->transactions.clear();
        for (auto& tx : transactions)
            (void)other->transactions.push_back(tx.get());
    }
};

struct Result {
    Status status;
    size_t failed_index;
    uint64_t gas_used;
    Hash root;
    std::vector<std::pair<int64_t, std::vector<uint8_t>>> outcomes;
    bool operator==(const Result&) const = default;
};

inline Result result_of(Status status, BlockJob* job) {
    Result result{status, job->failed_index, 0, {}, {}};
    if (status != Status::RUNNING)
        return result;
    result.gas_used = job->room.gas_used;
    if (!job->world->root(&result.root))
        result.status = Status::OUT_OF_MEMORY;
    for (size_t i = 0; i < job->transactions.size(); ++i) {
        const Outcome& outcome = job->outcomes[i];
        result.outcomes.push_back({outcome.gas_used, {outcome.output.begin(), outcome.output.end()}});
    }
    return result;
}

inline Machine* sequential_machine() {
    static Machine machine;
    static const bool is_allocated = machine.allocate();
    return is_allocated ? &machine : nullptr;
}

// The oracle: one transaction after the other on the base state.
inline Result run_sequentially(Case* block) {
    std::unique_ptr<World> world{block->world.clone()};
    BlockJob job;
    block->open_job(&job, world.get());
    (void)job.reset_results();
    Status status = Status::RUNNING;
    open(sequential_machine(), &job);
    for (uint32_t i = 0; i < job.transactions.size() && status == Status::RUNNING; ++i)
        status = execute_in_order(sequential_machine(), &job, i);
    return result_of(status, &job);
}

// An engine a number of workers, made once: its threads live as long as the process.
inline Engine* engine_of(int workers) {
    static Engine* engines[17] = {};
    if (engines[workers] == nullptr) {
        engines[workers] = new Engine(workers);
        if (!engines[workers]->allocate())
            std::abort();
        engines[workers]->hooks = &HOOKS;
    }
    return engines[workers];
}

inline Result run_optimistically(Case* block, int workers, ExecutionCounts* counts = nullptr) {
    std::unique_ptr<World> world{block->world.clone()};
    BlockJob job;
    block->open_job(&job, world.get());
    Engine* engine = engine_of(workers);
    engine->job = &job;
    engine->records = false;
    engine->room = 1;
    (void)world->checkpoint();
    const Status status = execute_optimistically(engine);
    if (status != Status::RUNNING)
        (void)world->revert(0);
    Result result = result_of(status, &job);
    if (counts != nullptr)
        counts->add(job.counts);
    return result;
}

// What all that is rare in a real block needs in a small one.
struct SmallTuning {
    Tuning before = tuning;
    SmallTuning() {
        tuning.window_per_worker = 2;
        tuning.fallback_length = tuning.abort_memory = 2;
    }
    ~SmallTuning() { tuning = before; }
};

}  // namespace toy
