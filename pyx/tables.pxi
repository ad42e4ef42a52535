# Floor 8: the .def tables as Python tuples, for documentation, the disassembler and the tests.
from core.base.status cimport kind_of, Status, STATUS_COUNT
from core.base.transaction cimport TRANSACTION_FIELD_COUNT, transaction_field_rows, TransactionCodec
from core.rules.rules cimport Fork, FORK_COUNT, newest_fork, Rules, rules_of
from core.rules.tables cimport (
    fork_rows, OPCODE_ROW_COUNT, opcode_rows, PARAMETER_ROW_COUNT, parameter_rows, PRECOMPILE_ROW_COUNT, precompile_rows,
    SYSTEM_ADDRESS_ROW_COUNT, system_address_rows, TRANSACTION_ROW_COUNT, transaction_rows)

from collections import namedtuple
from types import MappingProxyType

Opcode = namedtuple("Opcode", "number name pops pushes depth immediate since effect")
ForkInfo = namedtuple("ForkInfo", "index name parent mainnet_name test_name other_names config_name may_be_left_out")
PrecompileInfo = namedtuple("PrecompileInfo", "address name since eip effect")
TransactionTypeInfo = namedtuple("TransactionTypeInfo", "type name since eip effect fields")
TransactionFieldInfo = namedtuple("TransactionFieldInfo", "number name types default json_name choice may_be_empty text")
StatusInfo = namedtuple("StatusInfo", "number name kind text")


cdef str _fork_mainnet_name(Fork fork):
    return fork_rows[<int>fork].mainnet_name.decode()


def _read_tables():
    cdef size_t i
    kinds = ("FLOW", "OK", "REVERT", "HALT", "INVALID", "BROKEN")
    opcodes = tuple(
        Opcode(opcode_rows[i].number, opcode_rows[i].name.decode(), opcode_rows[i].pops, opcode_rows[i].pushes,
               opcode_rows[i].depth, opcode_rows[i].immediate, _fork_mainnet_name(opcode_rows[i].since), opcode_rows[i].effect.decode())
        for i in range(OPCODE_ROW_COUNT))
    forks = tuple(
        ForkInfo(i, fork_rows[i].name.decode(), None if i == <size_t>fork_rows[i].parent else _fork_mainnet_name(fork_rows[i].parent),
                 fork_rows[i].mainnet_name.decode(), fork_rows[i].test_name.decode(),
                 tuple(fork_rows[i].other_names.decode().split()), fork_rows[i].config_name.decode(),
                 bool(fork_rows[i].may_be_left_out))
        for i in range(FORK_COUNT))
    precompiles = tuple(
        PrecompileInfo(precompile_rows[i].address, precompile_rows[i].name.decode(),
                       _fork_mainnet_name(precompile_rows[i].since), precompile_rows[i].eip,
                       precompile_rows[i].effect.decode())
        for i in range(PRECOMPILE_ROW_COUNT))
    types = tuple(
        TransactionTypeInfo(transaction_rows[i].type, transaction_rows[i].name.decode(),
                            _fork_mainnet_name(transaction_rows[i].since), transaction_rows[i].eip,
                            transaction_rows[i].effect.decode(),
                            tuple(transaction_field_rows[<int>transaction_rows[i].fields[k]].name.decode()
                                  for k in range(transaction_rows[i].field_count)))
        for i in range(TRANSACTION_ROW_COUNT))
    statuses = tuple(
        StatusInfo(i, status_name(<Status><uint8_t>i), kinds[<int>kind_of(<Status><uint8_t>i)], status_text(<Status><uint8_t>i))
        for i in range(STATUS_COUNT))
    return opcodes, forks, precompiles, types, statuses


def _read_fields():
    """The rows of transaction_fields.def. `json_name` and `choice`: "gasLimit[gas]" taken apart."""
    cdef size_t i
    rows = []
    for i in range(TRANSACTION_FIELD_COUNT):
        name = transaction_field_rows[i].name.decode()
        json_name, _, choice = transaction_field_rows[i].json_name.decode().rstrip("]").partition("[")
        is_number = transaction_field_rows[i].codec in (TransactionCodec.NUMBER, TransactionCodec.NUMBER_64)
        types = tuple(row.type for row in TRANSACTION_TYPES if name in row.fields)
        default = transaction_field_rows[i].default_number
        rows.append(TransactionFieldInfo(i, name, types, default if is_number and default >= 0 else None, json_name, choice,
                                         not is_number, transaction_field_rows[i].text.decode()))
    return tuple(rows)


def _read_parameters():
    cdef size_t i
    return {parameter_rows[i].name.decode(): parameter_rows[i].value for i in range(PARAMETER_ROW_COUNT)}


def _read_system_addresses():
    cdef size_t i
    return {system_address_rows[i].name.decode(): (<const char*>system_address_rows[i].address.bytes)[:20]
            for i in range(SYSTEM_ADDRESS_ROW_COUNT)}


OPCODES, FORKS, PRECOMPILES, TRANSACTION_TYPES, STATUSES = _read_tables()

TRANSACTION_FIELDS = _read_fields()
_field_by_name = {field.name: field for field in TRANSACTION_FIELDS}
cdef tuple field_names = tuple([field.name for field in TRANSACTION_FIELDS])
_fields_of_type = {row.type: tuple(_field_by_name[name] for name in row.fields) for row in TRANSACTION_TYPES}

# Numbers and addresses that forks don't change (parameters.def), by name.
PARAMETERS = MappingProxyType(_read_parameters())
SYSTEM_ADDRESSES = MappingProxyType(_read_system_addresses())
# How difficulty follows from the parent's: what `fork_rules(…)["difficulty_rule"]` says.
DIFFICULTY_RULES = ("FRONTIER", "HOMESTEAD", "BYZANTIUM")

# The fork whose rules hold where none is named.
NEWEST_FORK = _fork_mainnet_name(newest_fork)

_fork_by_name = {}
for _fork in FORKS:
    for _name in (_fork.mainnet_name, _fork.test_name, _fork.name, *_fork.other_names):
        _fork_by_name.setdefault(_name.lower(), _fork.index)


def fork_index(name):
    """The place of a fork in `FORKS`, by its mainnet name or its test name, in any case. ValueError if there is none."""
    found = None
    if isinstance(name, str):
        found = _fork_by_name.get(PyUnicode_FromObject(name).lower())
    elif PyIndex_Check(name) and not isinstance(name, bool):
        number = PyNumber_Index(name)
        if 0 <= number < <int>FORK_COUNT:
            found = number
    if found is None:
        raise ValueError(f"unknown fork {shown(name)}; known: " + ", ".join(f.mainnet_name for f in FORKS))
    return found


def fork_name(name):
    """The mainnet name of a fork that is given by any of its names."""
    return FORKS[fork_index(name)].mainnet_name


def fork_includes(fork, other):
    """Whether a fork is another, or descends from it: what came with `other` is there. Both by any of their names.

    Mainnet's forks are a line, but not all forks are in it: BPO3 is not in what follows BPO2.
    """
    cdef int at = fork_index(fork)
    cdef int wanted = fork_index(other)
    while at != wanted:
        if <int>fork_rows[at].parent == at:
            return False
        at = <int>fork_rows[at].parent
    return True


def base_gas(opcode, fork):
    """Gas of an instruction before its own charges, or None where the fork doesn't have it."""
    cdef const Rules* rules = &rules_of(<Fork><uint8_t>(<int>fork_index(fork)))
    cdef uint64_t number = to_u64(opcode, "opcode")
    if number > 255:
        raise ValueError(f"opcode: {number} does not fit a byte")
    return rules.base_gas[number] if rules.is_defined[number] else None


def fork_rules(name):
    """The numbers of a fork that Python code needs, as a dict: blob schedule, rewards, limits."""
    cdef const Rules* r = &rules_of(<Fork><uint8_t>(<int>fork_index(name)))
    return {
        "blob_target": r.blob_target, "blob_max": r.blob_max, "blob_fee_update_fraction": r.blob_fee_update_fraction,
        "blob_base_cost_gas": r.blob_base_cost_gas, "block_reward_finney": r.block_reward_finney,
        "receipt_has_status": r.receipt_has_status, "is_proof_of_stake": r.is_proof_of_stake,
        "has_base_fee": r.has_base_fee, "has_withdrawals": r.has_withdrawals, "has_blobs": r.has_blobs,
        "has_beacon_root": r.has_beacon_root, "has_requests": r.has_requests,
        "has_slot_number": r.has_slot_number, "has_block_access_list": r.has_block_access_list,
        "stores_parent_hash": r.stores_parent_hash, "max_block_size_bytes": r.max_block_size_bytes,
        "max_code_size_bytes": r.max_code_size_bytes, "max_initcode_size_bytes": r.max_initcode_size_bytes,
        "refund_quotient": r.refund_quotient, "has_delegation": r.has_delegation,
        "bomb_delay_blocks": r.bomb_delay_blocks, "difficulty_rule": DIFFICULTY_RULES[<int>r.difficulty_rule],
        "deletes_empty_accounts": r.deletes_empty_accounts, "transaction_types": tuple(row.type for row in TRANSACTION_TYPES if r.has_transaction_type[<int>row.type]),
        "max_blobs_per_transaction": r.max_blobs_per_transaction, "transaction_gas_cap": r.transaction_gas_cap,
        "has_replay_protection": r.has_replay_protection,
        "transaction_gas": r.transaction_gas, "has_state_gas": r.has_state_gas, "execution_gas_cap": r.execution_gas_cap,
        "has_builder_requests": r.has_builder_requests, "logs_transfers": r.logs_transfers,
        "checks_deposit_layout": r.checks_deposit_layout,
    }
