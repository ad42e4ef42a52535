# Floor 8: Transaction: decoded natively, seen from Python.


cdef class Transaction:
    """One transaction of any type, immutable.

    Build it from its wire form with `Transaction.decode(raw)`, or from fields:
    `Transaction(type=2, nonce=0, to="0x…", value=1, gas_limit=21000, max_fee_per_gas=…, sender="0x…")`.
    One made from fields is unsigned unless v (or y_parity), r and s are given; with a `sender` it may be executed as it is.
    """
    cdef CTransaction tx
    cdef bint is_checked_for_sender

    def __init__(self, *, type=None, nonce=0, gas_price=None, max_fee_per_gas=None, max_priority_fee_per_gas=None,
                 gas_limit=21000, to=None, value=0, data=b"", chain_id=None, access_list=(), max_fee_per_blob_gas=0,
                 blob_versioned_hashes=(), authorization_list=(), v=None, y_parity=None, r=0, s=0, sender=None):
        cdef CTransaction* tx = &self.tx
        cdef AccessEntry entry
        cdef Authorization auth
        if type is None:
            type = (4 if authorization_list else 3 if blob_versioned_hashes else 2 if max_fee_per_gas is not None
                    else 1 if access_list else 0)
        if type not in (0, 1, 2, 3, 4):
            raise_decode_error(Status.TYPE_NOT_SUPPORTED, "type")
        tx.type = type
        tx.nonce = to_u64(nonce, "nonce")
        tx.gas_limit = to_u64(gas_limit, "gas_limit")
        tx.value = to_word(value, "value")
        if type < 2:
            if max_fee_per_gas is not None or max_priority_fee_per_gas is not None:
                raise ValueError(f"max_fee_per_gas: a transaction of type {type} has a gas_price")
            tx.gas_price = to_word(gas_price or 0, "gas_price")
            tx.max_fee_per_gas = tx.max_priority_fee_per_gas = tx.gas_price
        else:
            if gas_price is not None:
                raise ValueError(f"gas_price: a transaction of type {type} has max_fee_per_gas")
            tx.max_fee_per_gas = to_word(max_fee_per_gas or 0, "max_fee_per_gas")
            tx.max_priority_fee_per_gas = to_word(max_priority_fee_per_gas or 0, "max_priority_fee_per_gas")
        tx.is_create = to is None or to == b"" or to == ""
        if not tx.is_create:
            tx.to = to_address_value(to, "to")
        tx.data = bytes_vector(to_data(data, "data"))
        if type > 0:
            tx.has_chain_id = True
            tx.chain_id = to_word(1 if chain_id is None else chain_id, "chain_id")
        elif chain_id is not None:
            tx.has_chain_id = True
            tx.chain_id = to_word(chain_id, "chain_id")
        if access_list and type == 0:
            raise ValueError("access_list: a transaction of type 0 has none")
        for item in access_list:
            address, keys = (item["address"], item["storageKeys"]) if isinstance(item, dict) else item
            entry.address = to_address_value(address, "access_list")
            entry.first_key = <uint32_t>tx.access_keys.size()
            entry.key_count = len(keys)
            for key in keys:
                tx.access_keys.push_back(to_word(_quantity(key, "access_list"), "access_list")
                                         if not isinstance(key, bytes) else to_word(int.from_bytes(key, "big"), "access_list"))
            tx.access_list.push_back(entry)
        if (blob_versioned_hashes or max_fee_per_blob_gas) and type != 3:
            raise ValueError(f"blob_versioned_hashes: a transaction of type {type} has none")
        tx.max_fee_per_blob_gas = to_word(max_fee_per_blob_gas, "max_fee_per_blob_gas")
        for item in blob_versioned_hashes:
            tx.blob_versioned_hashes.push_back(to_hash_value(item, "blob_versioned_hashes"))
        if authorization_list and type != 4:
            raise ValueError(f"authorization_list: a transaction of type {type} has none")
        for item in authorization_list:
            chain, address, auth_nonce, parity, auth_r, auth_s = item
            auth.chain_id = to_word(chain, "authorization_list")
            auth.address = to_address_value(address, "authorization_list")
            auth.nonce = to_u64(auth_nonce, "authorization_list")
            auth.y_parity = min(to_u64(parity, "authorization_list"), 255)
            auth.r = to_word(auth_r, "authorization_list")
            auth.s = to_word(auth_s, "authorization_list")
            tx.authorizations.push_back(auth)
        tx.r = to_word(r, "r")
        tx.s = to_word(s, "s")
        if y_parity is not None:
            tx.y_parity = to_u64(y_parity, "y_parity")
            if type == 0:
                v = (35 + 2 * chain_id + y_parity) if chain_id is not None else 27 + y_parity
            else:
                v = y_parity
        if v is not None:
            tx.v = to_word(v, "v")
            if type == 0:
                if split_legacy_v(tx) != Status.SUCCESS:
                    raise_decode_error(Status.INVALID_SIGNATURE, "v")
            else:
                tx.y_parity = to_u64(v, "v")
        if sender is not None:
            tx.sender = to_address_value(sender, "sender")
            tx.has_sender = True
        encode_transaction(tx[0], &tx.raw)
        hash_transaction(tx)

    @staticmethod
    def decode(raw):
        """The transaction with this wire form (EIP-2718): type byte and payload, or the bare list of a legacy one.

        raw     bytes, or a 0x string
        raise   DecodeError, which names the field
        """
        cdef bytes data = to_data(raw, "raw")
        cdef Transaction self = Transaction.__new__(Transaction)
        cdef const char* field = NULL
        cdef Status status = decode_transaction(view_bytes(data), &self.tx, &field)
        if status != Status.SUCCESS:
            raise_decode_error(status, field.decode() if field != NULL else "transaction")
        hash_transaction(&self.tx)
        return self

    def encode(self):
        """The wire form."""
        return from_bytes(self.tx.raw)

    raw = property(encode)

    @property
    def type(self): return self.tx.type
    @property
    def nonce(self): return self.tx.nonce
    @property
    def gas_limit(self): return self.tx.gas_limit
    @property
    def value(self): return to_int(self.tx.value)
    @property
    def data(self): return from_bytes(self.tx.data)
    @property
    def v(self): return to_int(self.tx.v)
    @property
    def r(self): return to_int(self.tx.r)
    @property
    def s(self): return to_int(self.tx.s)
    @property
    def y_parity(self): return self.tx.y_parity
    @property
    def max_fee_per_gas(self): return to_int(self.tx.max_fee_per_gas)
    @property
    def max_priority_fee_per_gas(self): return to_int(self.tx.max_priority_fee_per_gas)
    @property
    def max_fee_per_blob_gas(self): return to_int(self.tx.max_fee_per_blob_gas)

    @property
    def gas_price(self):
        """wei a gas; None in types 2 and later, which have max_fee_per_gas."""
        return to_int(self.tx.gas_price) if self.tx.type < 2 else None

    @property
    def to(self):
        """20 bytes; None for a creation."""
        return None if self.tx.is_create else from_address_bytes(self.tx.to)

    @property
    def chain_id(self):
        """None for a legacy transaction without replay protection (EIP-155)."""
        return to_int(self.tx.chain_id) if self.tx.has_chain_id else None

    @property
    def access_list(self):
        """(address, (slot, …)), … as bytes and ints."""
        cdef uint32_t k
        cdef size_t i
        result = []
        for i in range(self.tx.access_list.size()):
            keys = tuple(to_int(self.tx.access_keys[self.tx.access_list[i].first_key + k])
                         for k in range(self.tx.access_list[i].key_count))
            result.append((from_address_bytes(self.tx.access_list[i].address), keys))
        return tuple(result)

    @property
    def blob_versioned_hashes(self):
        cdef size_t i
        return tuple(from_hash_bytes(self.tx.blob_versioned_hashes[i]) for i in range(self.tx.blob_versioned_hashes.size()))

    @property
    def authorization_list(self):
        """(chain_id, address, nonce, y_parity, r, s), … (EIP-7702)."""
        cdef size_t i
        cdef Authorization* a
        result = []
        for i in range(self.tx.authorizations.size()):
            a = &self.tx.authorizations[i]
            result.append((to_int(a.chain_id), from_address_bytes(a.address), a.nonce, a.y_parity, to_int(a.r), to_int(a.s)))
        return tuple(result)

    @property
    def hash(self):
        """keccak-256 of the wire form, 32 bytes."""
        return from_hash_bytes(self.tx.hash)

    @property
    def signing_hash(self):
        """What the sender signed, 32 bytes."""
        return from_hash_bytes(self.tx.signing_hash)

    @property
    def sender(self):
        """20 bytes, recovered from the signature at the first use. InvalidTransaction if it has none that is valid."""
        if not self.tx.has_sender:
            recover_senders((self,), fork=0 if not self.tx.has_chain_id else len(FORKS) - 1)
        return from_address_bytes(self.tx.sender)

    @property
    def has_sender(self):
        """Whether the sender is known already."""
        return self.tx.has_sender

    def forget_sender(self):
        """A copy whose sender is to be recovered anew."""
        return Transaction.decode(self.encode())

    def with_sender(self, sender):
        """A copy that is executed as from `sender`, whatever its signature says."""
        cdef Transaction other = Transaction.decode(self.encode())
        other.tx.sender = to_address_value(sender, "sender")
        other.tx.has_sender = True
        return other

    def sign(self, private_key):
        """A signed copy; `private_key` is 32 bytes. The signature is deterministic (RFC 6979), with a low s (EIP-2).

        Signed by libsecp256k1 if coincurve or the system has it, else by evmcore's own code, which gives the same signature;
        SECURITY.md says what that is not made for. ValueError if the key is not between 1 and the order of secp256k1 less 1.
        """
        r, s, y_parity = sign_hash(self.signing_hash, private_key)
        fields = dict(type=self.type, nonce=self.nonce, gas_limit=self.gas_limit, to=self.to, value=self.value,
                      data=self.data, chain_id=self.chain_id, access_list=self.access_list,
                      blob_versioned_hashes=self.blob_versioned_hashes, authorization_list=self.authorization_list,
                      max_fee_per_blob_gas=self.max_fee_per_blob_gas, y_parity=y_parity, r=r, s=s)
        if self.type < 2:
            fields["gas_price"] = self.gas_price
        else:
            fields["max_fee_per_gas"] = self.max_fee_per_gas
            fields["max_priority_fee_per_gas"] = self.max_priority_fee_per_gas
        return Transaction(**fields)

    def __eq__(self, other):
        return isinstance(other, Transaction) and self.tx.hash == (<Transaction>other).tx.hash

    def __hash__(self):
        return hash(self.hash)

    def __repr__(self):
        return f"<Transaction 0x{self.hash.hex()} type {self.type} nonce {self.nonce}>"


def sign_hash(message_hash, private_key):
    """(r, s, y_parity): the deterministic signature of a hash on secp256k1, as `Transaction.sign` makes it (RFC 6979, low s).

    message_hash, private_key  32 bytes each
    raise                      ValueError if the key is not between 1 and the order less 1; its message doesn't show the key
    """
    cdef Signature signature
    cdef Hash hash = to_hash_value(message_hash, "message_hash")
    cdef bytes key = None
    try:
        key = fixed_bytes(private_key, 32, "private_key")
    except ValueError:
        pass   # its message shows the value
    if key is None:
        raise ValueError("private_key: expected 32 bytes or 64 hex digits")
    if not sign_recoverable(hash.bytes, <const uint8_t*><const char*>key, &signature):
        raise ValueError("private_key: not between 1 and the order of secp256k1 less 1")
    return to_int(from_big_endian(signature.r)), to_int(from_big_endian(signature.s)), signature.y_parity


cdef int raise_decode_error(Status status, str field) except -1:
    raise errors.DecodeError(f"{field}: {status_text(status)}", status=status_name(status),
                             exception=status_text(status), field=field)


cdef Bytes bytes_vector(bytes data):
    cdef Bytes result
    cdef const uint8_t* begin = <const uint8_t*><const char*>data
    result.assign(begin, begin + len(data))
    return result


def recover_senders(transactions, *, fork="BPO2", workers=None):
    """Recover the senders of all transactions that don't have one yet, without the GIL.

    workers  threads to use; None or 1: this one
    raise    InvalidTransaction with the index of the first that has no valid signature
    """
    cdef const Rules* rules = &rules_of(<Fork><uint8_t>(<int>fork_index(fork)))
    transactions = tuple(transactions)
    cdef vector[CTransaction*] pointers
    cdef RecoverJob job
    cdef _Engine lent
    for tx in transactions:
        pointers.push_back(&(<Transaction?>tx).tx)
    job.transactions = pointers.data()
    job.count = pointers.size()
    job.rules = rules
    job.claims = new ClaimCounter()
    try:
        if workers is not None and workers > 1 and job.count >= 2 * RECOVER_CHUNK:
            lent = borrow_engine(_worker_count(workers))
            with nogil:
                lent.engine.pool.run(recover_some, &job)
            return_engine(lent)
        else:
            with nogil:
                recover_some(&job, 0)
    finally:
        del job.claims
    for index, tx in enumerate(transactions):
        if not tx.has_sender:
            raise errors.rejection("INVALID_SIGNATURE", status_text(Status.INVALID_SIGNATURE), index=index)


cdef struct RecoverJob:
    CTransaction** transactions
    size_t count
    const Rules* rules
    ClaimCounter* claims


cdef enum:
    RECOVER_CHUNK = 4   # about 200 µs of work


cdef void recover_some(void* context, int worker) noexcept nogil:
    """Recover senders, a few at a time, until there are none left."""
    cdef RecoverJob* job = <RecoverJob*>context
    cdef size_t i
    cdef size_t first
    while True:
        first = job.claims.next.fetch_add(RECOVER_CHUNK)
        if first >= job.count:
            break
        for i in range(first, min(first + RECOVER_CHUNK, job.count)):
            recover_transaction_sender(job.transactions[i], job.rules)
