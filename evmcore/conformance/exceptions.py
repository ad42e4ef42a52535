"""The names of a rejection: ours (the rows of status.def), the execution-spec-tests', and the old ones of ethereum/tests.

One table. A case that expects an exception passes only if what happened is one of the kinds its label stands for; a label
that stands for several kinds is in several rows, and "A|B" is any of A and B.
"""

from __future__ import annotations

from .._core import STATUSES

__all__ = ["comes_before", "is_expected", "labels_of", "statuses_of"]

# A row's own name in status.def ("TransactionException.…", "BlockException.…") is a label of it and is not repeated here.
# "STATUS" or "STATUS field" (the field of the RLP at which decoding stopped, or the transaction type that isn't supported),
# then labels, the execution-spec-tests' without their prefix. "RLP_*" stands for all the RLP rows.
_TABLE = """
RLP_TRUNCATED                            RLP_ERROR_EOF RLP_ERROR_SIZE RLP_STRUCTURES_ENCODING
RLP_TRUNCATED transaction                RLP_INVALID_HEADER
RLP_TRUNCATED transaction                TYPE_4_INVALID_AUTHORIZATION_FORMAT
RLP_TRAILING_BYTES transaction           TYPE_4_INVALID_AUTHORIZATION_FORMAT
RLP_TRAILING_BYTES                       RLP_ERROR_SIZE RLP_STRUCTURES_ENCODING
RLP_NON_CANONICAL                        RLP_ERROR_SIZE_LEADING_ZEROS RLP_STRUCTURES_ENCODING
RLP_NON_CANONICAL nonce                  RLP_LEADING_ZEROS_NONCE_SIZE
RLP_NON_CANONICAL data                   RLP_LEADING_ZEROS_DATA_SIZE
RLP_EXPECTED_LIST                        RLP_ERROR_SIZE RLP_STRUCTURES_ENCODING
RLP_EXPECTED_LIST transaction            RLP_INVALID_HEADER
RLP_* authorization_list                 TYPE_4_INVALID_AUTHORIZATION_FORMAT
RLP_NUMBER_TOO_LARGE authorization_list.y_parity  TYPE_4_INVALID_AUTHORITY_SIGNATURE
RLP_NUMBER_TOO_LARGE authorization_list.r  TYPE_4_INVALID_AUTHORITY_SIGNATURE
RLP_NUMBER_TOO_LARGE authorization_list.s  TYPE_4_INVALID_AUTHORITY_SIGNATURE TYPE_4_INVALID_AUTHORITY_SIGNATURE_S_TOO_HIGH
RLP_EXPECTED_STRING nonce                RLP_INVALID_NONCE
RLP_EXPECTED_STRING gas_limit            RLP_INVALID_GASLIMIT
RLP_EXPECTED_STRING gas_price            RLP_INVALID_GASPRICE
RLP_EXPECTED_STRING to                   RLP_INVALID_TO
RLP_EXPECTED_STRING value                RLP_INVALID_VALUE
RLP_EXPECTED_STRING data                 RLP_INVALID_DATA
RLP_EXPECTED_STRING v                    RLP_INVALID_SIGNATURE_V
RLP_EXPECTED_STRING r                    RLP_INVALID_SIGNATURE_R
RLP_EXPECTED_STRING s                    RLP_INVALID_SIGNATURE_S
RLP_LEADING_ZEROS nonce                  RLP_LEADING_ZEROS_NONCE RLP_LEADING_ZEROS_NONCE_SIZE
RLP_LEADING_ZEROS gas_limit              RLP_LEADING_ZEROS_GASLIMIT GASLIMIT_OVERFLOW
RLP_LEADING_ZEROS gas_price              RLP_LEADING_ZEROS_GASPRICE
RLP_LEADING_ZEROS max_fee_per_gas        RLP_LEADING_ZEROS_BASEFEE
RLP_LEADING_ZEROS max_priority_fee_per_gas  RLP_LEADING_ZEROS_PRIORITY_FEE
RLP_LEADING_ZEROS value                  RLP_LEADING_ZEROS_VALUE
RLP_LEADING_ZEROS v                      RLP_LEADING_ZEROS_V
RLP_LEADING_ZEROS y_parity               RLP_LEADING_ZEROS_V
RLP_LEADING_ZEROS r                      RLP_LEADING_ZEROS_R
RLP_LEADING_ZEROS s                      RLP_LEADING_ZEROS_S
RLP_TOO_FEW_FIELDS                       RLP_TOO_FEW_ELEMENTS RLP_STRUCTURES_ENCODING
RLP_TOO_MANY_FIELDS                      RLP_TOO_MANY_ELEMENTS RLP_STRUCTURES_ENCODING
RLP_NUMBER_TOO_LARGE                     RLP_STRUCTURES_ENCODING
RLP_NUMBER_TOO_LARGE nonce               NONCE_OVERFLOW
RLP_NUMBER_TOO_LARGE gas_limit           GASLIMIT_OVERFLOW
RLP_NUMBER_TOO_LARGE gas_price           GASPRICE_OVERFLOW
RLP_NUMBER_TOO_LARGE max_fee_per_gas     GASPRICE_OVERFLOW
RLP_NUMBER_TOO_LARGE max_priority_fee_per_gas  PRIORITY_OVERFLOW
RLP_NUMBER_TOO_LARGE value               VALUE_OVERFLOW RLP_INVALID_VALUE TR_RLP_WRONGVALUE
RLP_NUMBER_TOO_LARGE r                   INVALID_SIGNATURE_VRS
RLP_NUMBER_TOO_LARGE s                   INVALID_SIGNATURE_VRS
RLP_WRONG_LENGTH                         RLP_STRUCTURES_ENCODING
RLP_WRONG_LENGTH to                      ADDRESS_TOO_LONG ADDRESS_TOO_SHORT
RLP_WRONG_LENGTH access_list.address     RLP_INVALID_ACCESS_LIST_ADDRESS_TOO_LONG RLP_INVALID_ACCESS_LIST_ADDRESS_TOO_SHORT
RLP_WRONG_LENGTH access_list.storage_keys  RLP_INVALID_ACCESS_LIST_STORAGE_TOO_LONG RLP_INVALID_ACCESS_LIST_STORAGE_TOO_SHORT
TYPE_NOT_SUPPORTED                       TR_TypeNotSupported TR_TypeNotSupportedBlob
TYPE_NOT_SUPPORTED 1                     TYPE_1_TX_PRE_FORK
TYPE_NOT_SUPPORTED 2                     TYPE_2_TX_PRE_FORK
TYPE_NOT_SUPPORTED 3                     TYPE_3_TX_PRE_FORK TYPE_3_TX_ZERO_BLOBS_PRE_FORK
TYPE_NOT_SUPPORTED 4                     TYPE_4_TX_PRE_FORK
INVALID_SIGNATURE v                      INVALID_CHAINID
INVALID_SIGNATURE                        EC_RECOVERY_FAIL InvalidSignature
SENDER_NOT_EOA                           SenderNotEOA SenderNotEOAorNoCASH
NONCE_TOO_LOW                            TR_NonceTooLow
NONCE_TOO_HIGH                           TR_NonceTooHigh
NONCE_IS_MAX                             NONCE_TOO_BIG TR_NonceHasMaxValue
INSUFFICIENT_FUNDS                       TR_NoFunds TR_NoFundsX TR_NoFundsOrGas SenderNotEOAorNoCASH TR_FeeCapLessThanBlocksORNoFunds
INTRINSIC_GAS_TOO_LOW                    TR_IntrinsicGas IntrinsicGas TR_NoFundsOrGas
GAS_ALLOWANCE_EXCEEDED                   TR_GasLimitReached TR_FeeCapLessThanBlocksORGasLimitReached
GASLIMIT_PRICE_OVERFLOW                  TR_NoFundsX INSUFFICIENT_ACCOUNT_FUNDS
INITCODE_TOO_LARGE                       TR_InitCodeLimitExceeded
MAX_FEE_BELOW_BASE_FEE                   TR_FeeCapLessThanBlocks TR_FeeCapLessThanBlocksORNoFunds TR_FeeCapLessThanBlocksORGasLimitReached
PRIORITY_ABOVE_MAX_FEE                   TR_TipGtFeeCap PRIORITY_GREATER_THAN_MAX_FEE_PER_GAS_2
TOO_MANY_BLOBS                           TR_BLOBLIST_OVERSIZE
BLOB_GAS_ALLOWANCE_EXCEEDED              TR_BLOBLIST_OVERSIZE TYPE_3_TX_BLOB_COUNT_EXCEEDED
NO_BLOBS                                 TR_EMPTYBLOB
BLOB_HASH_VERSION                        TR_BLOBVERSION_INVALID
BLOB_CREATES_CONTRACT                    TR_BLOBCREATE
RLP_EXPECTED_STRING                      RLP_STRUCTURES_ENCODING
RLP_EXPECTED_STRING chain_id             TYPE_3_TX_WITH_FULL_BLOBS
RLP_WRONG_LENGTH                         RLP_INVALID_ADDRESS INPUT_UNMARSHAL_ADDRESS_ERROR
RLP_NUMBER_TOO_LARGE                     RLP_INVALID_FIELD_OVERFLOW_64 INPUT_UNMARSHAL_ERROR
RLP_* header                             INCORRECT_BLOCK_FORMAT
GAS_ALLOWANCE_EXCEEDED                   BlockGasLimitReached GAS_USED_OVERFLOW
BLOCK_PARENT_UNKNOWN                     UnknownParent
BLOCK_PARENT_ZERO                        UnknownParent UnknownParent2
BLOCK_NUMBER                             InvalidNumber
BLOCK_TIMESTAMP                          InvalidTimestamp InvalidTimestampOlderParent
BLOCK_EXTRA_DATA_TOO_LONG                ExtraDataTooBig
BLOCK_GAS_LIMIT_TOO_HIGH                 InvalidGasLimit
BLOCK_GAS_LIMIT                          InvalidGasLimit InvalidGasLimit2 TooMuchGasUsed
BLOCK_GAS_USED_ABOVE_LIMIT               TooMuchGasUsed INVALID_GAS_USED_ABOVE_LIMIT
BLOCK_BASE_FEE                           1559BlockImportImpossible_BaseFeeWrong
BLOCK_DIFFICULTY                         InvalidDifficulty 3675PoSBlockRejected
BLOCK_BEFORE_PARIS                       3675PoSBlockRejected
BLOCK_DIFFICULTY_NOT_ZERO                PostParisDifficultyIsNot0 3675PreParis1559BlockRejected
BLOCK_DIFFICULTY_NOT_ZERO                IMPORT_IMPOSSIBLE_PARIS_WRONG_POW IMPORT_IMPOSSIBLE_LONDON_OVER_PARIS INVALID_DIFFICULTY
BLOCK_OMMERS_NOT_EMPTY                   PostParisUncleHashIsNotEmpty 3675PreParis1559BlockRejected
BLOCK_MIX_HASH                           InvalidBlockNonce
BLOCK_SEAL                               InvalidBlockNonce
BLOCK_FIELD_MISSING                      IMPORT_IMPOSSIBLE_LEGACY IMPORT_IMPOSSIBLE_LEGACY_WRONG_PARENT
BLOCK_FIELD_MISSING                      IMPORT_IMPOSSIBLE_PARIS_OVER_SHANGHAI
BLOCK_FIELD_TOO_EARLY                    IMPORT_IMPOSSIBLE_LONDON_WRONG_PARENT IMPORT_IMPOSSIBLE_SHANGHAI
BLOCK_TRANSACTIONS_ROOT                  InvalidTransactionsRoot
BLOCK_OMMERS_HASH                        InvalidUnclesHash
BLOCK_WITHDRAWALS_MISSING                RLP_ExpectedAsList
BLOCK_WITHDRAWALS_ROOT                   InvalidWithdrawals
OMMER_COUNT                              TooManyUncles
OMMER_DUPLICATE                          UncleInChain UncleIsBrother
OMMER_IS_ANCESTOR                        UncleIsAncestor UncleInChain InvalidUncleParentHash
OMMER_IS_BROTHER                         UncleIsBrother UncleParentIsNotAncestor
OMMER_PARENT                             UncleParentIsNotAncestor InvalidUncleParentHash
OMMER_AGE                                UncleTooOld UncleParentIsNotAncestor
BLOCK_GAS_USED                           InvalidGasUsed
BLOCK_LOGS_BLOOM                         InvalidLogBloom
BLOCK_RECEIPTS_ROOT                      InvalidReceiptsStateRoot
BLOCK_STATE_ROOT                         InvalidStateRoot
BLOCK_ACCESS_LIST                        INVALID_BAL_HASH
BLOCK_ACCESS_LIST_HASH                   INVALID_BLOCK_ACCESS_LIST INVALID_BLOCK_HASH
"""


def _read_table() -> dict[str, frozenset[tuple[str, str | None]]]:
    """Label -> the (status, field) that it stands for; field None: any."""
    meanings: dict[str, set[tuple[str, str | None]]] = {}
    known = {row.name for row in STATUSES}
    for row in STATUSES:
        if row.kind == "INVALID":
            meanings.setdefault(_bare(row.text), set()).add((row.name, None))
    for line in _TABLE.strip().splitlines():
        status, *words = line.split()
        rows = {name for name in known if name.startswith("RLP_")} if status == "RLP_*" else {status} & known
        assert rows, f"no row {status} in status.def"
        field = words.pop(0) if words[0].islower() or words[0].isdigit() else None
        for label in words:
            meanings.setdefault(label, set()).update((name, field) for name in rows)
    return {label: frozenset(kinds) for label, kinds in meanings.items()}


def _bare(label: str) -> str:
    """A label without its prefix."""
    return label.removeprefix("TransactionException.").removeprefix("BlockException.")


_MEANINGS = _read_table()


def statuses_of(label: str) -> frozenset[tuple[str, str | None]]:
    """What one label stands for: (status, field or None for any). Empty where it isn't known."""
    return _MEANINGS.get(_bare(label), frozenset())


def is_expected(expected: str, status: str, field: str | None = None) -> bool:
    """Whether a rejection is one of the kinds that `expected` names.

    expected  a label, or several joined by "|"
    status    the row of status.def
    field     where decoding stopped ("gas_limit"); for TYPE_NOT_SUPPORTED the transaction's type
    """
    happened = {(status, None), (status, field)}
    if field is not None:
        happened.add((status, field.partition(".")[0]))
    return any(not happened.isdisjoint(statuses_of(label)) for label in expected.split("|"))


# What is looked at first of a block: what it is made of, its header, its transactions; the results of its execution come last.
_FIRST_RESULT = "BLOCK_GAS_USED"
_ROWS = [row.name for row in STATUSES]


def _stage(status: str) -> int:
    """0: decoding, 1: the header, 2: a transaction, or how large a list of accesses may be, 3: what the execution came to."""
    if status.startswith("RLP_"):
        return 0
    if not status.startswith(("BLOCK_", "OMMER_")) or status == "BLOCK_ACCESS_LIST_SIZE":
        return 2
    return 3 if _ROWS.index(status) >= _ROWS.index(_FIRST_RESULT) else 1


def comes_before(status: str, expected: str) -> bool:
    """Whether a block may be refused so although `expected` names what it was spoilt in: it may have been one to refuse before.

    What then counts is what is looked at first. Of two results of an execution neither comes before the other.
    """
    meant = [_stage(name) for label in expected.split("|") for name, _ in statuses_of(label)]
    return bool(meant) and _stage(status) < 3 and _stage(status) <= max(meant)


def labels_of(status: str) -> list[str]:
    """All labels that a row goes by, sorted."""
    return sorted(label for label, kinds in _MEANINGS.items() if any(kind == status for kind, _ in kinds))
