# Floor 5: the delegations that a transaction carries, and what they cost. EIP-7702, EIP-8037.
from core.base.status cimport Status
from core.base.transaction cimport Authorization, CTransaction
from core.base.types cimport Address, ByteView, Hash, u256
from core.crypto.secp256k1 cimport recover_sender
from core.crypto.transaction_hash cimport authorization_signing_hash
from core.math.u256 cimport less, same_word, to_big_endian
from core.state.code cimport Code
from core.state.journal cimport JournalAccount
from core.vm.frame cimport Machine
from core.vm.state_gas cimport charge_state_gas


cdef inline cbool is_above_half_order(const u256& s) noexcept nogil:
    """Whether s is in the upper half of secp256k1's order (EIP-2)."""
    cdef u256 half
    half.limb[0] = 0xDFE92F46681B20A0u
    half.limb[1] = 0x5D576E7357A4501Du
    half.limb[2] = 0xFFFFFFFFFFFFFFFFu
    half.limb[3] = 0x7FFFFFFFFFFFFFFFu
    return less(half, s)


cdef inline cbool is_zero_address(const Address& address) noexcept nogil:
    cdef int i
    for i in range(20):
        if address.bytes[i] != 0:
            return False
    return True


cdef cbool pay_authorization(Machine* m, const CTransaction* tx, JournalAccount* authority,
                             const Authorization* auth) noexcept nogil:
    """Charge for writing the account and for what it adds to the state, each once an authority. False: out of gas. EIP-8037.

    The sender is written in any case, and value pays for its recipient.
    """
    cdef int64_t execution = 0
    cdef int64_t state = 0
    # Its nonce tells whether an earlier tuple has paid for the account; only the sender's changes otherwise.
    if (authority.nonce == authority.original.nonce and not authority.address == tx.sender
            and (tx.value.is_zero() or not authority.address == tx.to)):
        execution = m.rules.account_write_gas
    if not m.journal.read_alive(authority):
        state = m.rules.new_account_state_gas
    # An authority that gets here had no code before the transaction, or a delegation.
    if authority.original.code == NULL and not authority.has_delegated and not is_zero_address(auth.address):
        authority.has_delegated = True
        state += m.rules.delegation_state_gas
    if m.request.gas < execution:
        return False
    m.request.gas -= execution
    return charge_state_gas(m[0], &m.request.gas, &m.spill, state)


cdef Status apply_authorizations(Machine* m, const CTransaction* tx) noexcept nogil:
    """Set the delegations that the transaction carries; a tuple that doesn't fit is skipped. EIP-7702.

    return  RUNNING, OUT_OF_GAS where they are paid for by now, out of `m.request.gas`, or BROKEN
    """
    cdef const Authorization* auth
    cdef JournalAccount* authority
    cdef const Code* code
    cdef Address signer
    cdef Hash hash
    cdef uint8_t r[32]
    cdef uint8_t s[32]
    cdef uint8_t designator[23]
    cdef size_t i
    for i in range(tx.authorizations.size()):
        auth = &tx.authorizations[i]
        if not auth.chain_id.is_zero() and not same_word(auth.chain_id, m.block.chain_id):
            continue
        if auth.nonce == UINT64_MAX or auth.y_parity > 1 or is_above_half_order(auth.s):
            continue
        hash = authorization_signing_hash(auth[0])
        to_big_endian(auth.r, r)
        to_big_endian(auth.s, s)
        if recover_sender(hash, r, s, auth.y_parity, &signer) != Status.SUCCESS:
            continue
        authority = m.journal.peek(signer)
        if authority == NULL:
            return m.journal.failure
        m.journal.warm(authority)
        if m.journal.account(signer) == NULL:
            return m.journal.failure
        code = m.journal.read_code(authority)
        if m.journal.failure != Status.RUNNING:
            return m.journal.failure
        if code != NULL and not code.is_delegation():
            continue
        if m.journal.read_nonce(authority) != auth.nonce:
            continue
        if m.rules.has_state_gas:
            if not pay_authorization(m, tx, authority, auth):
                return Status.OUT_OF_GAS
        elif m.journal.read_exists(authority):
            m.journal.refund += m.rules.authorization_refund_gas
        if is_zero_address(auth.address):
            if not m.journal.set_code(authority, ByteView()):
                return m.journal.failure
        else:
            designator[0], designator[1], designator[2] = 0xEF, 0x01, 0x00
            memcpy(designator + 3, auth.address.bytes, 20)
            if not m.journal.set_code(authority, ByteView(designator, 23)):
                return m.journal.failure
        m.journal.set_nonce(authority, authority.nonce + 1)
    return Status.RUNNING
