"""What a header has to be, given its parent's: fields, times, limits, base fee, blob gas, difficulty, proof of work.

Each check raises through `refusal`, with what the header has and what it should have. Yellow Paper 4.4.4;
EIP-2, 100, 649, 779, 1234, 1559, 2384, 3554, 3675, 4345, 4788, 4844, 4895, 5133, 7685, 7918.
"""

from __future__ import annotations

from .. import rlp
from .._core import PARAMETERS, ethash, fake_exponential
from ..header import EMPTY_OMMERS_HASH, LATER_FIELDS, Header
from ..receipt import keccak256
from .refusal import refusal
from .schedule import BlobLimits, Schedule, blob_limits, rules_of

__all__ = ["base_fee", "check_header", "difficulty", "excess_blob_gas", "seal_hash"]

_DAO_EXTRA_DATA = b"dao-hard-fork"
_TWO_256 = 1 << 256


def check_header(
    header: Header, parent: Header, schedule: Schedule, parent_total_difficulty: int, limits: BlobLimits | None = None
) -> None:
    """Whether a header may follow its parent. Its `fork` is the schedule's; raises InvalidBlock.

    limits  the chain's own blob limits, where it has some
    """
    rules = rules_of(header.fork)
    _check_extra_data(header, schedule)
    if header.number != parent.number + 1:
        raise refusal("BLOCK_NUMBER", have=header.number, want=parent.number + 1)
    if header.timestamp <= parent.timestamp:
        raise refusal("BLOCK_TIMESTAMP", have=header.timestamp, want=parent.timestamp)
    if rules.is_proof_of_stake:
        _check_proof_of_stake(header)
    elif schedule.terminal_total_difficulty is not None and header.difficulty == 0:
        raise refusal("BLOCK_BEFORE_PARIS", have=parent_total_difficulty, want=schedule.terminal_total_difficulty)
    _check_gas(header, parent)
    _check_fields(header)
    if rules.has_base_fee and header.base_fee_per_gas != base_fee(parent):
        raise refusal("BLOCK_BASE_FEE", have=header.base_fee_per_gas, want=base_fee(parent))
    if rules.has_blobs:
        excess = excess_blob_gas(parent, header.fork, limits or blob_limits(rules))
        if header.excess_blob_gas != excess:
            raise refusal("BLOCK_EXCESS_BLOB_GAS", have=header.excess_blob_gas, want=excess)
    if not rules.is_proof_of_stake:
        wanted = difficulty(header, parent)
        if header.difficulty != wanted:
            raise refusal("BLOCK_DIFFICULTY", have=header.difficulty, want=wanted)
        if schedule.checks_seals:
            _check_seal(header)


def _check_extra_data(header: Header, schedule: Schedule) -> None:
    most = PARAMETERS["extra_data_maximum_bytes"]
    if len(header.extra_data) > most:
        raise refusal("BLOCK_EXTRA_DATA_TOO_LONG", have=len(header.extra_data), want=most)
    if (
        schedule.dao_block is not None
        and 0 <= header.number - schedule.dao_block < PARAMETERS["dao_extra_data_blocks"]
        and header.extra_data != _DAO_EXTRA_DATA
    ):
        raise refusal("BLOCK_EXTRA_DATA_DAO", have=header.extra_data, want=_DAO_EXTRA_DATA)


def _check_proof_of_stake(header: Header) -> None:
    if header.difficulty != 0:
        raise refusal("BLOCK_DIFFICULTY_NOT_ZERO", have=header.difficulty)
    if header.nonce != bytes(8):
        raise refusal("BLOCK_NONCE_NOT_ZERO", have=header.nonce)
    if header.ommers_hash != EMPTY_OMMERS_HASH:
        raise refusal("BLOCK_OMMERS_NOT_EMPTY", have=header.ommers_hash)


def _check_fields(header: Header) -> None:
    """A header has the fields of its fork, no fewer and no more."""
    rules = rules_of(header.fork)
    for name, rule in LATER_FIELDS.items():
        is_there = getattr(header, name) is not None
        if getattr(rules, rule) and not is_there:
            raise refusal("BLOCK_FIELD_MISSING", message=f"field missing: {header.fork} wants {name} in the header")
        if is_there and not getattr(rules, rule):
            raise refusal(
                "BLOCK_FIELD_TOO_EARLY", message=f"field too early: {header.fork} has no {name} in the header"
            )


def _check_gas(header: Header, parent: Header) -> None:
    most = PARAMETERS["gas_limit_maximum"]
    if header.gas_limit > most:
        raise refusal("BLOCK_GAS_LIMIT_TOO_HIGH", have=header.gas_limit, want=most)
    # At London's first block the parent's limit counts twice: the target is to stay what the limit was (EIP-1559).
    is_first_with_base_fee = rules_of(header.fork).has_base_fee and parent.base_fee_per_gas is None
    before = parent.gas_limit * (PARAMETERS["elasticity_multiplier"] if is_first_with_base_fee else 1)
    step = before // PARAMETERS["gas_limit_bound_divisor"]
    highest = before + step - 1
    lowest = max(before - step + 1, PARAMETERS["gas_limit_minimum"])
    if not lowest <= header.gas_limit <= highest:
        wanted = lowest if header.gas_limit < lowest else highest
        raise refusal("BLOCK_GAS_LIMIT", have=header.gas_limit, want=wanted)
    if header.gas_used > header.gas_limit:
        raise refusal("BLOCK_GAS_USED_ABOVE_LIMIT", have=header.gas_used, want=header.gas_limit)


def base_fee(parent: Header) -> int:
    """The base fee of the block after `parent`, in wei (EIP-1559)."""
    fee = parent.base_fee_per_gas
    if fee is None:
        return PARAMETERS["initial_base_fee_wei"]
    target = parent.gas_limit // PARAMETERS["elasticity_multiplier"]
    if parent.gas_used == target or target == 0:
        return fee
    change = fee * abs(parent.gas_used - target) // target // PARAMETERS["base_fee_change_denominator"]
    return fee + max(change, 1) if parent.gas_used > target else fee - change


def excess_blob_gas(parent: Header, fork: str, limits: BlobLimits) -> int:
    """The excess blob gas of the block after `parent`; the block's own fork and limits count (EIP-4844, EIP-7918)."""
    target, most, update_fraction = limits
    per_blob = PARAMETERS["blob_gas_per_blob"]
    excess, used = parent.excess_blob_gas or 0, parent.blob_gas_used or 0
    if excess + used < target * per_blob:
        return 0
    base_cost = rules_of(fork).blob_base_cost_gas
    if base_cost and parent.base_fee_per_gas is not None:
        price = fake_exponential(PARAMETERS["blob_base_fee_minimum_wei"], excess, update_fraction)
        if base_cost * parent.base_fee_per_gas > per_blob * price:
            return excess + used * (most - target) // most
    return excess + used - target * per_blob


def difficulty(header: Header, parent: Header) -> int:
    """The difficulty that a header has to have on its parent, before Paris."""
    return difficulty_after(
        header.fork,
        header.number,
        header.timestamp,
        parent.timestamp,
        parent.difficulty,
        parent.ommers_hash != EMPTY_OMMERS_HASH,
    )


def difficulty_after(
    fork: str, number: int, timestamp: int, parent_timestamp: int, parent_difficulty: int, parent_has_ommers: bool
) -> int:
    """The difficulty of block `number`. Yellow Paper 4.4.4; EIP-2, EIP-100, and the bomb's delays."""
    rules = rules_of(fork)
    elapsed = timestamp - parent_timestamp
    least = PARAMETERS["difficulty_minimum"]
    if rules.difficulty_rule == "FRONTIER":
        steps = 1 if elapsed < PARAMETERS["difficulty_frontier_seconds"] else -1
    elif rules.difficulty_rule == "HOMESTEAD":
        steps = max(1 - elapsed // PARAMETERS["difficulty_homestead_seconds"], -PARAMETERS["difficulty_steps_down"])
    else:
        steps = (2 if parent_has_ommers else 1) - elapsed // PARAMETERS["difficulty_byzantium_seconds"]
        steps = max(steps, -PARAMETERS["difficulty_steps_down"])
    value = max(parent_difficulty + parent_difficulty // PARAMETERS["difficulty_bound_divisor"] * steps, least)
    periods = max(number - rules.bomb_delay_blocks, 0) // PARAMETERS["difficulty_bomb_period_blocks"] - 2
    # From period 256 on no header can say the number: how far beyond doesn't matter.
    return value + (1 << min(periods, 256)) if periods >= 0 else value


def seal_hash(header: Header) -> bytes:
    """What a proof of work is about: the hash of the header without mix hash and nonce."""
    fields = rlp.to_list(rlp.decode(header.encode(), "header"), "header")
    return keccak256(rlp.encode([*fields[:13], *fields[15:]]))


def _check_seal(header: Header) -> None:
    """Ethash, by light verification (Yellow Paper appendix J)."""
    mix_hash, result = ethash(header.number, seal_hash(header), header.nonce)
    if mix_hash != header.mix_hash:
        raise refusal("BLOCK_MIX_HASH", have=header.mix_hash, want=mix_hash)
    most = _TWO_256 // header.difficulty if header.difficulty else 0
    if int.from_bytes(result, "big") > most:
        raise refusal("BLOCK_SEAL", have=result, want=min(most, _TWO_256 - 1).to_bytes(32, "big"))
