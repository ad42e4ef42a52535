from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libcpp cimport bool as cbool

from core.base.types cimport Address

cdef extern from "core/rules/rules.hpp" namespace "evmcore" nogil:
    cdef enum class Fork(uint8_t):
        pass
    cppclass Rules:
        Fork fork
        int32_t base_gas[256]
        cbool is_defined[256]
        cbool has_transaction_type[128]
        int64_t cold_account_gas
        cbool coinbase_is_warm
        cbool has_warm_access
        int64_t refund_quotient
        cbool deletes_empty_accounts
        uint64_t contract_start_nonce
        cbool storage_collides
        cbool keeps_contract_without_deposit
        int64_t max_code_size_bytes
        int64_t max_initcode_size_bytes
        int64_t initcode_word_gas
        cbool rejects_ef_code
        int64_t code_deposit_byte_gas
        int64_t code_deposit_word_gas
        cbool has_delegation
        cbool logs_transfers
        cbool has_state_gas
        int64_t new_account_state_gas
        int64_t new_slot_state_gas
        int64_t delegation_state_gas
        int64_t code_byte_state_gas
        int64_t system_call_state_gas
        int64_t account_write_gas
        int64_t transaction_gas
        int64_t create_transaction_gas
        int64_t recipient_gas
        int64_t transaction_value_gas
        int64_t access_list_address_gas
        int64_t access_list_key_gas
        int64_t authorization_gas
        int64_t authorization_refund_gas
        int64_t calldata_zero_gas
        int64_t calldata_nonzero_gas
        int64_t floor_zero_byte_gas
        int64_t floor_nonzero_byte_gas
        int64_t floor_access_list_address_gas
        int64_t floor_access_list_key_gas
        cbool floor_counts_destination
        int64_t transaction_gas_cap
        int64_t execution_gas_cap
        cbool has_low_s_rule
        cbool has_replay_protection
        cbool has_base_fee
        cbool has_blobs
        int64_t max_blobs_per_transaction
        int64_t block_reward_finney
        cbool receipt_has_status
        cbool is_proof_of_stake
        cbool has_withdrawals
        cbool has_beacon_root
        cbool stores_parent_hash
        cbool has_requests
        cbool has_builder_requests
        cbool checks_deposit_layout
        cbool has_slot_number
        cbool has_block_access_list
        int64_t blob_target
        int64_t blob_max
        int64_t blob_fee_update_fraction
        int64_t blob_base_cost_gas
        int64_t max_block_size_bytes
        int64_t bomb_delay_blocks
        int difficulty_rule
    const int OP_CALL "evmcore::OP_CALL"
    const unsigned FORK_COUNT
    const Fork newest_fork "evmcore::NEWEST_FORK"
    const Rules& rules_of(Fork fork)

cdef extern from "core/rules/rules.hpp" namespace "evmcore::parameter" nogil:
    const int64_t access_list_item_gas
    const int64_t call_depth_limit
    const int64_t blob_gas_per_blob
    const int64_t blob_base_fee_minimum_wei
    const int64_t blob_hash_version
    const int64_t system_call_gas
    const int64_t block_hash_window

cdef extern from "core/rules/rules.hpp" namespace "evmcore::system_address" nogil:
    const Address system_caller
    const Address beacon_roots_contract
    const Address history_contract
    const Address withdrawal_contract
    const Address consolidation_contract
    const Address builder_deposit_contract
    const Address builder_exit_contract
    const Address ripemd160_precompile
