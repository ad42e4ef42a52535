# Floor 8: the block that a run is in, out of its header.
from core.precompiles.precompiles cimport find_precompile, MovedPrecompile
from core.rules.rules cimport blob_base_fee_minimum_wei, Fork, Rules, rules_of
from core.vm.block_job cimport BlobLimits, BlockJob, job_block_hash
from core.vm.frame cimport BlockContext


# e^177.4 is 2^256. Without a bound the series would go on for as many terms as the exponent is large.
BLOB_FEE_EXPONENT_MAX = 178


def fake_exponential(factor, numerator, denominator):
    """factor · e^(numerator / denominator), by its Taylor series in integers (EIP-4844).

    raise   UnusableInput where the price would not fit 256 bits, as no chain's does
    """
    factor, numerator, denominator = (exact_int(value, name) for value, name in (
        (factor, "factor"), (numerator, "excess_blob_gas"), (denominator, "blob_schedule")))
    if denominator <= 0:
        raise errors.UnusableInput(f"blob_schedule: an update fraction of {shown(denominator)}")
    if numerator > BLOB_FEE_EXPONENT_MAX * denominator:
        raise errors.UnusableInput(f"excess_blob_gas: {shown(numerator)} makes a blob base fee of more than 256 bits")
    i = 1
    output = 0
    term = factor * denominator
    while term > 0:
        output += term
        term = term * numerator // (denominator * i)
        i += 1
    return output // denominator


def blob_base_fee(excess_blob_gas, fork, update_fraction=None):
    """Blob base fee in wei a blob gas for a block's excess blob gas (EIP-4844)."""
    if update_fraction is None:
        update_fraction = fork_rules(fork)["blob_fee_update_fraction"]
    return fake_exponential(blob_base_fee_minimum_wei, excess_blob_gas, update_fraction)


cdef int set_blob_limits(BlobLimits* limits, object most, object fraction) except -1:
    """The limits that a header or a test names in place of its fork's."""
    # No block has so many; their gas fits 63 bits.
    limits.max_blobs = min(to_u64(most, "blob_schedule"), <uint64_t>(1 << 32))
    limits.update_fraction = to_i64(fraction, "blob_schedule")
    return 0


cdef int fill_context(_Job owner, object header) except -1:
    """The parts of a job that come from the header."""
    cdef BlockJob* job = &owner.job
    cdef BlockContext* context = &job.context
    cdef const Rules* rules = &rules_of(<Fork><uint8_t>(<int>fork_index(of_header(header, "fork"))))
    job.rules = rules
    context.number = to_u64(header.number, "number")
    context.timestamp = to_u64(header.timestamp, "timestamp")
    context.gas_limit = to_u64(header.gas_limit, "gas_limit")
    context.slot_number = to_u64(0 if header.slot_number is None else header.slot_number, "slot_number")
    context.coinbase = to_address_value(header.coinbase, "coinbase")
    if rules.is_proof_of_stake:
        context.prev_randao = to_word(int.from_bytes(fixed_bytes(header.mix_hash, 32, "mix_hash"), "big"), "mix_hash")
    else:
        context.prev_randao = to_word(header.difficulty, "difficulty")
    context.base_fee = to_word(0 if header.base_fee_per_gas is None else header.base_fee_per_gas, "base_fee_per_gas")
    context.chain_id = to_word(header.chain_id, "chain_id")
    job.blobs.max_blobs = rules.blob_max
    job.blobs.update_fraction = rules.blob_fee_update_fraction
    if header.blob_schedule is not None:
        _, most, fraction = to_parts(header.blob_schedule, 3, "blob_schedule", "(target, max, update fraction)")
        set_blob_limits(&job.blobs, most, fraction)
    if rules.has_blobs:
        excess = to_u64(0 if header.excess_blob_gas is None else header.excess_blob_gas, "excess_blob_gas")
        fee = fake_exponential(blob_base_fee_minimum_wei, excess, job.blobs.update_fraction)
        if fee >> 256:
            raise errors.UnusableInput(f"excess_blob_gas: {excess} makes a blob base fee of {fee.bit_length()} bits")
        context.blob_base_fee = to_word(fee, "blob_base_fee")
    job.parent_hash = to_hash_value(header.parent_hash, "parent_hash")
    job.has_beacon_root = header.parent_beacon_block_root is not None
    if job.has_beacon_root:
        job.beacon_root = to_hash_value(header.parent_beacon_block_root, "parent_beacon_block_root")
    owner.block_hashes = block_hashes_of(header)
    job.block_hashes = &owner.block_hashes.known
    context.block_hash = job_block_hash
    context.block_hash_context = job
    if header.overrides is not None:
        override_context(owner, header.overrides)
    return 0


cdef int override_context(_Job owner, object overrides) except -1:
    """What a simulation has otherwise than its header and fork say."""
    cdef BlockContext* context = &owner.job.context
    cdef MovedPrecompile moved
    if overrides.blob_base_fee is not None:
        context.blob_base_fee = to_word(overrides.blob_base_fee, "overrides.blob_base_fee")
    owner.moved_precompiles.clear()
    for address, origin in overrides.precompiles:
        moved.address = to_address_value(address, "overrides.precompiles")
        moved.precompile = NULL
        if origin is not None:
            moved.precompile = find_precompile(to_address_value(origin, "overrides.precompiles"), owner.job.rules[0])
            if moved.precompile == NULL:
                raise errors.UnusableInput(f"overrides.precompiles: 0x{bytes(origin).hex()} is no precompile of the fork")
        append_to(owner.moved_precompiles, moved)
    context.moved_precompiles = owner.moved_precompiles.data()
    context.moved_precompile_count = owner.moved_precompiles.size()
    return 0
