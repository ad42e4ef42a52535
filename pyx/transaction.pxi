# Floor 5: one transaction, from its signature to its effects. Yellow Paper section 6;
# EIP-155, 1559, 2681, 2780, 2930, 3607, 3860, 4844, 7623, 7702, 7778, 7825, 7976, 7981, 8037.
from core.base.clock cimport evmcore_seconds
from core.base.status cimport Kind, kind_of, Status
from core.base.transaction cimport CTransaction, LAST_TYPE_BYTE
from core.base.types cimport Address, u256
from core.crypto.secp256k1 cimport recover_sender
from core.math.u256 cimport add_overflow, less, minus, mul_u64, mul_u64_overflow, plus, same_word, to_big_endian
from core.rules.rules cimport blob_gas_per_blob, blob_hash_version, ripemd160_precompile, Rules
from core.state.code cimport Code
from core.state.effects cimport READ_NONCE
from core.state.journal cimport JournalAccount, JournalSlot
from core.state.view cimport StateView
from core.vm.block_job cimport BlobLimits, BlockRoom
from core.vm.frame cimport BlockContext, Machine
from core.vm.outcome cimport Outcome, take_logs


cdef enum:
    TYPE_BLOB = 3
    TYPE_SET_CODE = 4


# Checks of a transaction that a simulation may leave out: bits of `Machine.unchecked`.
cdef enum:
    UNCHECKED_BASE_FEE = 1
    UNCHECKED_BALANCE = 2
    UNCHECKED_NONCE = 4
    UNCHECKED_SENDER_CODE = 8
    UNCHECKED_CHAIN_ID = 16
    UNCHECKED_BLOCK_GAS = 32
    UNCHECKED_GAS_CAP = 64
    UNCHECKED_BLOB_HASH_VERSION = 128


cdef Status recover_transaction_sender(CTransaction* tx, const Rules* rules) noexcept nogil:
    """Fill `tx.sender` from the signature, unless it is known."""
    cdef uint8_t r[32]
    cdef uint8_t s[32]
    cdef Address sender
    if tx.knows_sender():
        return Status.RUNNING
    if tx.type == 0 and tx.has_chain_id and not rules.has_replay_protection:
        return Status.INVALID_SIGNATURE
    if rules.has_low_s_rule and is_above_half_order(tx.s):
        return Status.INVALID_SIGNATURE
    if tx.type != 0 and not tx.v.fits_u64() or tx.y_parity > 1:
        return Status.INVALID_SIGNATURE
    to_big_endian(tx.r, r)
    to_big_endian(tx.s, s)
    if recover_sender(tx.signing_hash, r, s, tx.y_parity, &sender) != Status.SUCCESS:
        return Status.INVALID_SIGNATURE
    tx.set_sender(sender)
    return Status.RUNNING


cdef Status recover_timed(Machine* m, CTransaction* tx) noexcept nogil:
    """The same, and count the time: most transactions take less to run."""
    cdef double began = evmcore_seconds()
    cdef Status status = recover_transaction_sender(tx, m.rules)
    m.recover_seconds += evmcore_seconds() - began
    return status


cdef struct IntrinsicGas:
    int64_t gas
    int64_t floor


cdef inline int64_t destination_gas(const CTransaction* tx, const Rules* rules) noexcept nogil:
    """What the creation, or the recipient and the value, cost before it runs. The sender is known if recipients cost something. EIP-2780."""
    if tx.is_create:
        return rules.create_transaction_gas
    if rules.recipient_gas == 0 or tx.to == tx.sender:
        return 0
    return rules.recipient_gas + (0 if tx.value.is_zero() else rules.transaction_value_gas)


cdef IntrinsicGas intrinsic_gas(const CTransaction* tx, const Rules* rules) noexcept nogil:
    """What a transaction costs before it runs, and the least it costs in all (EIP-7623, EIP-7976, EIP-7981)."""
    cdef IntrinsicGas cost
    cdef int64_t size = <int64_t>tx.data.size()
    cdef int64_t zeros = <int64_t>tx.zero_data_bytes()
    cdef int64_t nonzeros = size - zeros
    cdef int64_t destination = destination_gas(tx, rules)
    cost.gas = (rules.transaction_gas + destination + zeros * rules.calldata_zero_gas + nonzeros * rules.calldata_nonzero_gas
                + <int64_t>tx.access_list.size() * rules.access_list_address_gas
                + <int64_t>tx.access_keys.size() * rules.access_list_key_gas
                + <int64_t>tx.authorizations.size() * rules.authorization_gas)
    if tx.is_create:
        cost.gas += rules.initcode_word_gas * ((size + 31) // 32)
    cost.floor = 0
    if rules.floor_zero_byte_gas != 0:
        cost.floor = (rules.transaction_gas + zeros * rules.floor_zero_byte_gas + nonzeros * rules.floor_nonzero_byte_gas
                      + <int64_t>tx.access_list.size() * rules.floor_access_list_address_gas
                      + <int64_t>tx.access_keys.size() * rules.floor_access_list_key_gas)
        if rules.floor_counts_destination:
            cost.floor += destination
    return cost


cdef Status check_fee_caps(const CTransaction* tx, const Rules* rules, const BlockContext* block, uint32_t unchecked,
                           Outcome* out) noexcept nogil:
    """The caps on fees against each other and the block's base fee. EIP-1559."""
    if less(tx.max_fee_per_gas, tx.max_priority_fee_per_gas):
        out.have, out.want = tx.max_priority_fee_per_gas, tx.max_fee_per_gas
        return Status.PRIORITY_ABOVE_MAX_FEE
    if rules.has_base_fee and less(tx.max_fee_per_gas, block.base_fee) and not unchecked & UNCHECKED_BASE_FEE:
        out.have, out.want = tx.max_fee_per_gas, block.base_fee
        return Status.MAX_FEE_BELOW_BASE_FEE
    return Status.RUNNING


cdef Status check_cost(const CTransaction* tx, const Rules* rules, const BlockContext* block,
                       const IntrinsicGas* cost, uint32_t unchecked, Outcome* out) noexcept nogil:
    """Whether its gas limit covers what it costs in any case. With state gas it is looked at last, as go-ethereum does."""
    cdef Status status
    if cost.floor > 0 and <uint64_t>cost.floor > tx.gas_limit and <uint64_t>cost.gas <= tx.gas_limit:
        out.have, out.want = u256(tx.gas_limit), u256(<uint64_t>cost.floor)
        return Status.FLOOR_GAS_TOO_LOW
    if <uint64_t>cost.gas > tx.gas_limit:
        # Of the two reasons a cap on fees is the one that the classic tests name: go-ethereum looks there first.
        status = check_fee_caps(tx, rules, block, unchecked, out)
        if status != Status.RUNNING:
            return status
        out.have, out.want = u256(tx.gas_limit), u256(<uint64_t>cost.gas)
        return Status.INTRINSIC_GAS_TOO_LOW
    if rules.execution_gas_cap != 0 and max(cost.gas, cost.floor) > rules.execution_gas_cap:
        # No gas limit is enough: it is told as too little for the floor, as go-ethereum and the specification do.
        out.have, out.want = u256(<uint64_t>rules.execution_gas_cap), u256(<uint64_t>max(cost.gas, cost.floor))
        return Status.FLOOR_GAS_TOO_LOW
    return Status.RUNNING


cdef Status check_type(const CTransaction* tx, const Rules* rules, const BlockContext* block, uint32_t unchecked,
                       Outcome* out) noexcept nogil:
    """Whether the fork knows it, and it is of this chain."""
    if tx.type > LAST_TYPE_BYTE or not rules.has_transaction_type[tx.type]:
        out.have = u256(tx.type)
        return Status.TYPE_NOT_SUPPORTED
    if tx.has_chain_id and not same_word(tx.chain_id, block.chain_id) and not unchecked & UNCHECKED_CHAIN_ID:
        out.have, out.want = tx.chain_id, block.chain_id
        return Status.INVALID_CHAIN_ID
    return Status.RUNNING


cdef Status check_form(const CTransaction* tx, const Rules* rules, const BlockContext* block,
                       const IntrinsicGas* cost, uint32_t unchecked, Outcome* out) noexcept nogil:
    """What can be refused without looking at the state or at what the block has left."""
    cdef Status status = check_type(tx, rules, block, unchecked, out)
    if status != Status.RUNNING:
        return status
    if (rules.execution_gas_cap != 0 and tx.gas_limit > <uint64_t>rules.transaction_gas_cap
            and not unchecked & UNCHECKED_GAS_CAP):
        # Before what its data costs: go-ethereum looks there first since a limit may be larger than what is executed (EIPs#12311).
        out.have, out.want = u256(tx.gas_limit), u256(<uint64_t>rules.transaction_gas_cap)
        return Status.GAS_LIMIT_EXCEEDS_MAXIMUM
    if tx.gas_limit > <uint64_t>INT64_MAX:
        out.have, out.want = u256(tx.gas_limit), u256(<uint64_t>INT64_MAX)
        return Status.GAS_ALLOWANCE_EXCEEDED
    if not rules.has_state_gas:
        status = check_cost(tx, rules, block, cost, unchecked, out)
        if status != Status.RUNNING:
            return status
    if tx.nonce == UINT64_MAX and not unchecked & UNCHECKED_NONCE:
        out.have = u256(tx.nonce)
        return Status.NONCE_IS_MAX
    if (rules.transaction_gas_cap != 0 and tx.gas_limit > <uint64_t>rules.transaction_gas_cap
            and not unchecked & UNCHECKED_GAS_CAP):
        out.have, out.want = u256(tx.gas_limit), u256(<uint64_t>rules.transaction_gas_cap)
        return Status.GAS_LIMIT_EXCEEDS_MAXIMUM
    return check_initcode(tx, rules, unchecked, out)


cdef Status check_initcode(const CTransaction* tx, const Rules* rules, uint32_t unchecked, Outcome* out) noexcept nogil:
    """EIP-3860."""
    if (tx.is_create and rules.max_initcode_size_bytes != 0 and tx.data.size() > <size_t>rules.max_initcode_size_bytes
            and not unchecked & UNCHECKED_CODE_SIZE):
        out.have, out.want = u256(tx.data.size()), u256(<uint64_t>rules.max_initcode_size_bytes)
        return Status.INITCODE_TOO_LARGE
    return Status.RUNNING


cdef Status check_room(const CTransaction* tx, const Rules* rules, const BlockContext* block, const BlobLimits* blobs,
                       const BlockRoom* room, Outcome* out) noexcept nogil:
    """Whether the block has gas and blob gas left for it. Execution and state gas each have the block's whole limit (EIP-8037)."""
    cdef uint64_t execution = tx.gas_limit
    if rules.execution_gas_cap != 0:
        execution = min(execution, <uint64_t>rules.execution_gas_cap)
        if room.state_gas_used > block.gas_limit or tx.gas_limit > block.gas_limit - room.state_gas_used:
            out.have, out.want = u256(tx.gas_limit), u256(block.gas_limit - room.state_gas_used)
            return Status.GAS_ALLOWANCE_EXCEEDED
    if room.gas_used > block.gas_limit or execution > block.gas_limit - room.gas_used:
        out.have, out.want = u256(execution), u256(block.gas_limit - room.gas_used)
        return Status.GAS_ALLOWANCE_EXCEEDED
    return check_blob_room(tx, blobs, room, out)


cdef inline Status check_blob_room(const CTransaction* tx, const BlobLimits* blobs, const BlockRoom* room, Outcome* out) noexcept nogil:
    cdef uint64_t blob_gas = <uint64_t>tx.blob_versioned_hashes.size() * <uint64_t>blob_gas_per_blob
    cdef uint64_t blob_room = <uint64_t>(blobs.max_blobs * blob_gas_per_blob)
    if blob_gas != 0 and (room.blob_gas_used > blob_room or blob_gas > blob_room - room.blob_gas_used):
        out.have, out.want = u256(blob_gas), u256(blob_room - room.blob_gas_used)
        return Status.BLOB_GAS_ALLOWANCE_EXCEEDED
    return Status.RUNNING


cdef Status check_fees(const CTransaction* tx, const Rules* rules, const BlockContext* block,
                       const BlobLimits* blobs, uint32_t unchecked, Outcome* out) noexcept nogil:
    """Fees against the block's prices, and the rules of the typed transactions. Sets the effective gas price."""
    cdef size_t i
    cdef u256 tip
    cdef Status status = check_fee_caps(tx, rules, block, unchecked, out)
    if status != Status.RUNNING:
        return status
    if rules.has_base_fee and not less(tx.max_fee_per_gas, block.base_fee):
        tip = minus(tx.max_fee_per_gas, block.base_fee)
        if less(tx.max_priority_fee_per_gas, tip):
            tip = tx.max_priority_fee_per_gas
        out.effective_gas_price = plus(block.base_fee, tip)
    else:
        out.effective_gas_price = tx.max_fee_per_gas
    if tx.type == TYPE_BLOB:
        if tx.blob_versioned_hashes.empty():
            return Status.NO_BLOBS
        if (rules.max_blobs_per_transaction != 0
                and tx.blob_versioned_hashes.size() > <size_t>rules.max_blobs_per_transaction):
            out.have = u256(tx.blob_versioned_hashes.size())
            out.want = u256(<uint64_t>rules.max_blobs_per_transaction)
            return Status.TOO_MANY_BLOBS
        for i in range(tx.blob_versioned_hashes.size()):
            if (tx.blob_versioned_hashes[i].bytes[0] != blob_hash_version
                    and not unchecked & UNCHECKED_BLOB_HASH_VERSION):
                out.have = u256(tx.blob_versioned_hashes[i].bytes[0])
                out.want = u256(<uint64_t>blob_hash_version)
                return Status.BLOB_HASH_VERSION
        if less(tx.max_fee_per_blob_gas, block.blob_base_fee) and not unchecked & UNCHECKED_BASE_FEE:
            out.have, out.want = tx.max_fee_per_blob_gas, block.blob_base_fee
            return Status.MAX_BLOB_FEE_TOO_LOW
        if tx.is_create:
            return Status.BLOB_CREATES_CONTRACT
    elif tx.type == TYPE_SET_CODE:
        if tx.is_create:
            return Status.SET_CODE_CREATES_CONTRACT
        if tx.authorizations.empty():
            return Status.NO_AUTHORIZATIONS
    return Status.RUNNING


cdef inline Status check_nonce(Machine* m, const CTransaction* tx, JournalAccount* sender, Outcome* out) noexcept nogil:
    if sender.nonce != tx.nonce and not m.unchecked & UNCHECKED_NONCE:
        out.have, out.want = u256(tx.nonce), u256(sender.nonce)
        return Status.NONCE_TOO_LOW if tx.nonce < sender.nonce else Status.NONCE_TOO_HIGH
    return Status.RUNNING


cdef inline Status check_funds(Machine* m, const CTransaction* tx, JournalAccount* sender, Outcome* out) noexcept nogil:
    cdef u256 cost
    cdef u256 part
    cdef uint64_t blob_gas = <uint64_t>tx.blob_versioned_hashes.size() * <uint64_t>blob_gas_per_blob
    if mul_u64_overflow(tx.max_fee_per_gas, tx.gas_limit, &cost):
        out.have = sender.balance  # and wanted: `most_cost`, which 256 bits don't hold
        return Status.GASLIMIT_PRICE_OVERFLOW
    if (mul_u64_overflow(tx.max_fee_per_blob_gas, blob_gas, &part) or add_overflow(cost, part, &cost)
            or add_overflow(cost, tx.value, &cost)):
        out.have, out.want = sender.balance, cost
        return Status.INSUFFICIENT_FUNDS
    if not m.journal.can_pay(sender, cost):
        out.have, out.want = sender.balance, cost
        if not m.unchecked & UNCHECKED_BALANCE:
            return Status.INSUFFICIENT_FUNDS
        m.journal.credit(sender, minus(cost, sender.balance))
    return Status.RUNNING


cdef inline Status check_sender_code(Machine* m, JournalAccount* sender) noexcept nogil:
    """No contract sends (EIP-3607); a delegation may (EIP-7702)."""
    cdef const Code* code
    if m.unchecked & UNCHECKED_SENDER_CODE:
        return Status.RUNNING
    code = m.journal.read_code_or_hash(sender)
    if code == NULL:
        return Status.RUNNING
    if not m.rules.has_delegation:
        return Status.SENDER_NOT_EOA
    if not m.journal.need_bytes(sender, code):
        return m.journal.failure
    return Status.RUNNING if code.is_delegation() else Status.SENDER_NOT_EOA


cdef Status check_sender(Machine* m, const CTransaction* tx, JournalAccount* sender, Outcome* out) noexcept nogil:
    """Nonce, funds, and that no contract sends."""
    cdef Status status = check_nonce(m, tx, sender, out)
    if status == Status.RUNNING:
        status = check_funds(m, tx, sender, out)
    if status == Status.RUNNING:
        status = check_sender_code(m, sender)
    return status


cdef Status check_in_the_senders_order(Machine* m, const CTransaction* tx, const BlobLimits* blobs, const BlockRoom* room,
                                       const IntrinsicGas* cost, JournalAccount* sender, Outcome* out) noexcept nogil:
    """All of it as go-ethereum does: of several reasons its first is told. Forks with state gas have had no other order.

    Their transactions may have more gas than is executed, so that what they cost is looked at last; and a block's blobs are counted
    before any transaction is looked at.
    """
    cdef Status status = Status.RUNNING
    if room != NULL and not m.unchecked & UNCHECKED_BLOCK_GAS:
        status = check_blob_room(tx, blobs, room, out)
    if status == Status.RUNNING:
        status = check_nonce(m, tx, sender, out)
    if status != Status.RUNNING:
        return status
    if tx.nonce == UINT64_MAX and not m.unchecked & UNCHECKED_NONCE:
        out.have = u256(tx.nonce)
        return Status.NONCE_IS_MAX
    if tx.gas_limit > <uint64_t>m.rules.transaction_gas_cap and not m.unchecked & UNCHECKED_GAS_CAP:
        out.have, out.want = u256(tx.gas_limit), u256(<uint64_t>m.rules.transaction_gas_cap)
        return Status.GAS_LIMIT_EXCEEDS_MAXIMUM
    if tx.gas_limit > <uint64_t>INT64_MAX:
        out.have, out.want = u256(tx.gas_limit), u256(<uint64_t>INT64_MAX)
        return Status.GAS_ALLOWANCE_EXCEEDED
    status = check_sender_code(m, sender)
    if status == Status.RUNNING:
        status = check_fees(tx, m.rules, &m.block, blobs, m.unchecked, out)
    if status == Status.RUNNING:
        status = check_initcode(tx, m.rules, m.unchecked, out)
    if status == Status.RUNNING and room != NULL and not m.unchecked & UNCHECKED_BLOCK_GAS:
        status = check_room(tx, m.rules, &m.block, blobs, room, out)
    if status == Status.RUNNING:
        status = check_funds(m, tx, sender, out)
    if status == Status.RUNNING:
        status = check_cost(tx, m.rules, &m.block, cost, m.unchecked, out)
    return status


cdef Status warm_up(Machine* m, const CTransaction* tx, JournalAccount* sender) noexcept nogil:
    """Fill the warm sets: sender, beneficiary, access list. Precompiles are warm by their address. EIP-2929, 2930, 3651."""
    cdef JournalAccount* account
    cdef JournalSlot* slot
    cdef size_t i
    cdef uint32_t k
    if not m.rules.has_warm_access:
        return Status.RUNNING
    m.journal.warm(sender)
    if m.rules.coinbase_is_warm:
        account = m.journal.peek(m.block.coinbase)
        if account == NULL:
            return m.journal.failure
        m.journal.warm(account)
    for i in range(tx.access_list.size()):
        account = m.journal.peek(tx.access_list[i].address)
        if account == NULL:
            return m.journal.failure
        m.journal.warm(account)
        for k in range(tx.access_list[i].key_count):
            slot = m.journal.peek_slot(account, tx.access_keys[tx.access_list[i].first_key + k])
            if slot == NULL:
                return m.journal.failure
            m.journal.warm_slot(slot)
    return Status.RUNNING


cdef Status settle(Machine* m, const CTransaction* tx, JournalAccount* sender, int64_t floor, Status status,
                   Outcome* out) noexcept nogil:
    """Refund the sender, pay the beneficiary, burn the rest. EIP-1559, EIP-3529, EIP-7623."""
    cdef JournalAccount* ripemd
    cdef int64_t limit = <int64_t>tx.gas_limit
    cdef int64_t used = limit - m.gas_left
    cdef int64_t refund
    cdef u256 tip = out.effective_gas_price
    if m.rules.has_state_gas:
        used -= m.reservoir
        # For the block refunds don't count, the floor does (EIP-7778).
        out.state_gas = m.state_gas
        out.execution_gas = max(used - m.state_gas, floor)
    refund = min(used // m.rules.refund_quotient, m.journal.refund)
    out.gas_refund = refund
    used -= refund
    if used < floor:
        used = floor
    out.gas_used = used
    if not m.rules.has_state_gas:
        out.state_gas = 0
        out.execution_gas = used
    m.journal.credit(sender, mul_u64(out.effective_gas_price, <uint64_t>(limit - used)))
    if m.rules.has_base_fee:
        tip = u256() if less(tip, m.block.base_fee) else minus(tip, m.block.base_fee)  # less: its check was left out
    if not m.journal.credit_blindly(m.block.coinbase, mul_u64(tip, <uint64_t>used)):
        return m.journal.failure
    if m.ripemd_touch_survives and status == Status.SUCCESS:
        ripemd = m.journal.account(ripemd160_precompile)
        if ripemd == NULL:
            return m.journal.failure
        m.journal.touch(ripemd)
    return status


cdef Status apply_transaction(Machine* m, const StateView* view, CTransaction* tx, const BlobLimits* blobs,
                              const BlockRoom* room, cbool is_speculative, Outcome* out) noexcept nogil:
    """Validate, buy gas, run, refund, pay. The effects are in `out`; nothing outside the machine has changed.

    room            what the block has left; null when that is checked later
    is_speculative  the view may be behind: take the sender's nonce from the transaction, and check it when it commits
    return          SUCCESS, REVERT or a HALT: a result; INVALID: it may not be included; BROKEN: no answer
    """
    cdef Status status
    cdef IntrinsicGas cost
    cdef JournalAccount* sender
    cdef int64_t gas
    cdef u256 fee
    cdef u256 blob_fee
    m.journal.begin(view)
    m.spare_effects.open(&out.effects)
    out.type = tx.type
    out.has_contract = False
    out.execution_count += 1
    if m.rules.recipient_gas != 0 and not tx.knows_sender():  # a transaction to oneself is cheaper
        status = recover_timed(m, tx)
        if status != Status.RUNNING:
            return status
    cost = intrinsic_gas(tx, m.rules)
    if m.rules.has_state_gas:
        status = check_type(tx, m.rules, &m.block, m.unchecked, out)
    else:
        status = check_form(tx, m.rules, &m.block, &cost, m.unchecked, out)
        if status == Status.RUNNING and room != NULL and not m.unchecked & UNCHECKED_BLOCK_GAS:
            status = check_room(tx, m.rules, &m.block, blobs, room, out)
    if status == Status.RUNNING and not tx.knows_sender():
        status = recover_timed(m, tx)
    if status == Status.RUNNING and not m.rules.has_state_gas:
        status = check_fees(tx, m.rules, &m.block, blobs, m.unchecked, out)
    if status != Status.RUNNING:
        return status

    sender = m.journal.account(tx.sender)
    if sender == NULL:
        return give_up(m, m.journal.failure, out)
    sender.reads |= READ_NONCE
    if is_speculative:
        sender.nonce = sender.original.nonce = tx.nonce
    if m.rules.has_state_gas:
        status = check_in_the_senders_order(m, tx, blobs, room, &cost, sender, out)
    else:
        status = check_sender(m, tx, sender, out)
    if kind_of(status) == Kind.BROKEN:
        return give_up(m, status, out)
    if status != Status.RUNNING:
        return status

    # Buy gas.
    out.blob_gas = <uint64_t>tx.blob_versioned_hashes.size() * <uint64_t>blob_gas_per_blob
    fee = mul_u64(out.effective_gas_price, tx.gas_limit)
    blob_fee = mul_u64(m.block.blob_base_fee, out.blob_gas)
    m.journal.debit(sender, plus(fee, blob_fee))
    m.journal.set_nonce(sender, sender.nonce + 1)  # the highest is followed by 0, where nonces aren't checked
    m.transaction.origin = tx.sender
    m.transaction.gas_price = out.effective_gas_price
    m.transaction.blob_hashes = tx.blob_versioned_hashes.data()
    m.transaction.blob_hash_count = tx.blob_versioned_hashes.size()
    status = warm_up(m, tx, sender)
    if status == Status.RUNNING:
        gas = <int64_t>tx.gas_limit - cost.gas
        if m.rules.has_state_gas:
            m.reservoir = max(<int64_t>tx.gas_limit - m.rules.execution_gas_cap, <int64_t>0)
            gas -= m.reservoir
        status = run_message(m, tx, sender, NULL, gas, out)
    if kind_of(status) == Kind.BROKEN:
        return give_up(m, status, out)
    if status != Status.SUCCESS and status != Status.REVERT:
        m.return_data.clear()

    out.has_contract = tx.is_create and status == Status.SUCCESS
    if out.has_contract:
        m.return_data.clear()
    status = unless_failed(m, settle(m, tx, sender, cost.floor, status, out))
    # A copy of the output: the machine keeps its memory for the next transaction.
    if kind_of(status) != Kind.BROKEN and not (
            out.output.assign(m.return_data.data(), m.return_data.size()) and take_logs(m, out)
            and m.journal.extract(&out.effects)):
        status = Status.OUT_OF_MEMORY
    if kind_of(status) == Kind.BROKEN:
        out.effects.clear()
        return give_up(m, status, out)
    return status


cdef Status give_up(Machine* m, Status status, Outcome* out) noexcept nogil:
    """Say what was missing when a run could not be finished."""
    out.missing = m.journal.missing
    out.missing_block_number = m.missing_block_number
    return status
