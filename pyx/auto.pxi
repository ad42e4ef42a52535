# Floor 8: which strategy "auto" chooses for a block, by what it is estimated to take.
from core.base.status cimport Status
from core.base.transaction cimport CTransaction
from core.state.local_reads cimport LocalReads
from core.state.view cimport AccountState
from core.state.world cimport AccountRecord, World
from core.vm.block_job cimport BlockJob


cdef struct BlockEstimate:
    uint64_t program_gas  # what transactions that run code may use, as far as that says something of their use
    size_t programs
    size_t payments
    size_t unknown_senders


cdef BlockEstimate estimate_block(BlockJob* core, State state, int workers) except *:
    """What there is to do, as far as it shows before the block runs."""
    cdef World* world = state.reader()
    cdef LocalReads* local = world.local()
    cdef AccountState account
    cdef BlockEstimate work = BlockEstimate(0, 0, 0, 0)
    cdef const CTransaction* tx
    cdef const AccountRecord* receiver
    cdef size_t i
    if isinstance(state.source, _WitnessSource):
        local = (<_WitnessSource>state.source).reads.get()
    for i in range(core.transactions.size()):
        tx = core.transactions[i]
        work.unknown_senders += not tx.knows_sender()
        if not tx.is_create:
            receiver = world.find(tx.to)
            if receiver != NULL:
                account.code = receiver.code
            elif local == NULL or workers == 1 or local.account(tx.to, &account) != Status.RUNNING:
                account.code = NULL
            if account.code == NULL:
                work.payments += 1
                continue
        work.programs += 1
        work.program_gas += min(tx.gas_limit, <uint64_t>PROGRAM_GAS_MOST)
    return work


# What "auto" has learnt in this process, averages over about four blocks; `auto_history` shows and resets it. Decides on a
# strategy, never on a result. How long a gas takes differs by an order of magnitude between the years of a chain and with
# what else the processors do; the blocks of one process are mostly alike.
cdef double SECONDS_PER_GAS = 1.25e-10
cdef double seconds_per_gas = SECONDS_PER_GAS
cdef double aborted_share = 0

AutoHistory = namedtuple("AutoHistory", "seconds_per_gas aborted_share")
AutoHistory.__doc__ = """What strategy "auto" has learnt: averages over about the last four blocks that it decided on.

seconds_per_gas  of all workers together, for a gas of what programs may use
aborted_share    of the gas that was executed in parallel, or of the transactions that the sequential fallback took; 0 to 1. It
                 fades while blocks are executed sequentially
"""


def auto_history(*, reset=False):
    """AutoHistory: what strategy "auto" has learnt from the blocks that it decided on in this process.

    reset  forget it, once it is told: the next block is weighed as in a new process

    It decides on a strategy, never on a result. All threads of a process share it.
    """
    global seconds_per_gas, aborted_share
    history = AutoHistory(seconds_per_gas, aborted_share)
    if reset:
        seconds_per_gas, aborted_share = SECONDS_PER_GAS, 0
    return history


cdef str choose_strategy(const BlockEstimate& work, int workers):
    """The mode that pays for this block, by what it costs to start workers against what there is to share.

    A plain payment takes less than a microsecond, less than handing it to a worker does: only what runs code counts, and
    senders that are to be recovered.
    """
    if workers == 1:
        return "sequential"
    if work.unknown_senders >= PARALLEL_MIN_TRANSACTIONS:
        return "optimistic"
    if (work.programs < PARALLEL_MIN_PROGRAMS or aborted_share > ABORTED_SHARE_MOST
            or seconds_per_gas * work.program_gas < PARALLEL_MIN_SECONDS + PAYMENT_LOSS_SECONDS * work.payments):
        return "sequential"
    return "optimistic"


cdef int choose_listed_workers(const BlockEstimate& work, int workers):
    """How many for a block with a list beside it, of which nothing is executed twice, and the workers share the state root.

    Also one goes by the list: to hold each transaction against it takes less than to make the block's own and compare them.
    """
    if (work.unknown_senders >= PARALLEL_MIN_TRANSACTIONS
            or seconds_per_gas * work.program_gas + PAYMENT_SECONDS * work.payments > LISTED_MIN_SECONDS):
        return workers
    return 1


cdef void learn_from(const BlockEstimate& work, double seconds, double aborted):
    """Note how long all workers together took for a block, and what share of it was executed in vain, or not in parallel."""
    global seconds_per_gas, aborted_share
    cdef double sample
    aborted_share += (aborted - aborted_share) / 4
    if work.program_gas < LEARN_MIN_GAS:
        return
    sample = max(seconds - PAYMENT_SECONDS * work.payments, 0) / work.program_gas
    seconds_per_gas += (min(sample, SECONDS_PER_GAS_MOST) - seconds_per_gas) / 4


cdef double PARALLEL_MIN_SECONDS = 250e-6  # of programs: what starting the workers costs, several times over
cdef double LISTED_MIN_SECONDS = 400e-6    # below it workers lose by waking more than the root gains
cdef double PAYMENT_SECONDS = 0.7e-6
cdef double PAYMENT_LOSS_SECONDS = 0.6e-6  # by being handed over
cdef double SECONDS_PER_GAS_MOST = 1e-8
cdef double ABORTED_SHARE_MOST = 0.2
cdef enum:
    PROGRAM_GAS_MOST = 300000              # beyond this a limit says nothing of the use
    PARALLEL_MIN_PROGRAMS = 12             # of fewer, most often one is half of the work or needs the one before
    PARALLEL_MIN_TRANSACTIONS = 4          # whose senders are to be recovered, which takes 50 microseconds each
    LEARN_MIN_GAS = 300000
