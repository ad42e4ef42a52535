# Floor 8: Transaction: decoded natively, seen from Python. Its fields are rows of transaction_fields.def: a field with a form
# that is there already needs no line here but the one in the class.

cdef class Transaction


cdef class _FieldOfTransaction:
    """Reads a field of a transaction, which can't be changed."""
    cdef int row

    def __init__(self, name):
        self.row = _field_by_name[name].number

    @property
    def __doc__(self):
        return TRANSACTION_FIELDS[self.row].text

    def __get__(self, instance, owner):
        return self if instance is None else field_value(&(<Transaction?>instance).tx, self.row)

    def __set__(self, instance, value):
        raise AttributeError(f"{TRANSACTION_FIELDS[self.row].name}: a transaction can't be changed")


cdef object field_value(CTransaction* tx, int row):
    """A field as Python sees it."""
    cdef TransactionCodec codec = transaction_field_rows[row].codec
    cdef void* member = transaction_field_rows[row].member(tx[0])
    if codec == TransactionCodec.NUMBER_64:
        return (<uint64_t*>member)[0]
    if codec == TransactionCodec.NUMBER:
        return to_int((<u256*>member)[0])
    if codec == TransactionCodec.CHAIN_ID:
        return to_int((<u256*>member)[0]) if tx.has_chain_id else None
    if codec == TransactionCodec.RECIPIENT:
        return None if tx.is_create else from_address_bytes((<Address*>member)[0])
    if codec == TransactionCodec.DATA:
        return from_bytes((<Bytes*>member)[0])
    if codec == TransactionCodec.ACCESS_LIST:
        return from_access_list((<Vector[AccessEntry]*>member)[0], tx.access_keys)
    if codec == TransactionCodec.HASHES:
        return from_hashes((<Vector[Hash]*>member)[0])
    if codec == TransactionCodec.AUTHORIZATIONS:
        return from_authorizations((<Vector[Authorization]*>member)[0])
    raise SystemError(f"{transaction_field_rows[row].name.decode()}: a form that Python doesn't see")


cdef int set_field(CTransaction* tx, int row, object value) except -1:
    """Set a field of a new transaction from Python's value; None: zero or empty, where that has a meaning."""
    cdef TransactionCodec codec = transaction_field_rows[row].codec
    cdef void* member = transaction_field_rows[row].member(tx[0])
    cdef str name = transaction_field_rows[row].name.decode()
    if codec == TransactionCodec.NUMBER_64:
        (<uint64_t*>member)[0] = to_u64(value, name)
    elif codec == TransactionCodec.NUMBER:
        (<u256*>member)[0] = to_word(0 if value is None and transaction_field_rows[row].default_number < 0 else value, name)
    elif codec == TransactionCodec.CHAIN_ID:
        (<u256*>member)[0] = to_word(transaction_field_rows[row].default_number if value is None else value, name)
        tx.has_chain_id = True
    elif codec == TransactionCodec.RECIPIENT:
        tx.is_create = value is None or value == b"" or value == ""
        if not tx.is_create:
            (<Address*>member)[0] = to_address_value(value, name)
    elif codec == TransactionCodec.DATA:
        assign_bytes(<Bytes*>member, to_data(b"" if value is None else value, name))
    elif codec == TransactionCodec.ACCESS_LIST:
        to_access_list(value, <Vector[AccessEntry]*>member, &tx.access_keys, name)
    elif codec == TransactionCodec.HASHES:
        for item in value or ():
            append_to((<Vector[Hash]*>member)[0], to_hash_value(item, name))
    elif codec == TransactionCodec.AUTHORIZATIONS:
        to_authorizations(value, <Vector[Authorization]*>member, name)
    else:
        raise SystemError(f"{name}: a form that Python doesn't give")
    return 0


cdef tuple from_access_list(const Vector[AccessEntry]& entries, const Vector[u256]& keys):
    cdef size_t i
    cdef uint32_t k
    cdef list slots
    cdef list result = []
    for i in range(entries.size()):
        slots = []
        for k in range(entries[i].key_count):
            slots.append(to_int(keys[entries[i].first_key + k]))
        result.append((from_address_bytes(entries[i].address), tuple(slots)))
    return tuple(result)


cdef int to_access_list(object value, Vector[AccessEntry]* entries, Vector[u256]* keys, str name) except -1:
    cdef AccessEntry entry
    for item in value or ():
        address, slots = (item["address"], item["storageKeys"]) if isinstance(item, dict) else item
        entry.address = to_address_value(address, name)
        entry.first_key = <uint32_t>keys.size()
        entry.key_count = 0
        for slot in slots:
            append_to(keys[0], to_word(int.from_bytes(slot, "big") if isinstance(slot, bytes) else _quantity(slot, name), name))
            entry.key_count += 1
        append_to(entries[0], entry)
    return 0


cdef tuple from_hashes(const Vector[Hash]& hashes):
    cdef size_t i
    cdef list result = []
    for i in range(hashes.size()):
        result.append(from_hash_bytes(hashes[i]))
    return tuple(result)


cdef tuple from_authorizations(const Vector[Authorization]& authorizations):
    cdef size_t i
    cdef const Authorization* a
    result = []
    for i in range(authorizations.size()):
        a = &authorizations[i]
        result.append((to_int(a.chain_id), from_address_bytes(a.address), a.nonce, a.y_parity, to_int(a.r), to_int(a.s)))
    return tuple(result)


cdef int to_authorizations(object value, Vector[Authorization]* authorizations, str name) except -1:
    cdef Authorization auth
    for item in value or ():
        chain, address, nonce, parity, r, s = item
        auth.chain_id = to_word(chain, name)
        auth.address = to_address_value(address, name)
        auth.nonce = to_u64(nonce, name)
        auth.y_parity = min(to_u64(parity, name), 255)
        auth.r = to_word(r, name)
        auth.s = to_word(s, name)
        append_to(authorizations[0], auth)
    return 0


cdef int set_parity(CTransaction* tx, uint64_t parity) except -1:
    """Set y_parity and with it v, which in a legacy transaction has the chain id inside (EIP-155)."""
    if parity > (1 if tx.type == 0 else 255):
        raise ValueError(f"y_parity: {parity} is neither 0 nor 1")
    tx.y_parity = <uint8_t>parity
    if tx.type != 0:
        tx.v = u256(parity)
    elif tx.has_chain_id:
        tx.v = to_word(35 + 2 * to_int(tx.chain_id) + parity, "v")
    else:
        tx.v = u256(27 + parity)
    return 0


def _type_of_fields(fields):
    """The first transaction type that has all the fields which are given: not None, not empty, not the row's default."""
    return max((_field_by_name[name].types[0] for name, value in fields.items()
                if value is not None and value != _field_by_name[name].default and not (isinstance(value, (tuple, list)) and not value)
                and name != "chain_id"), default=0)


cdef class Transaction:
    """One transaction of any type, immutable.

    Build it from its wire form with `Transaction.decode(raw)`, or from fields:
    `Transaction(type=2, nonce=0, to="0x…", value=1, gas_limit=21000, max_fee_per_gas=…, sender="0x…")`.
    One made from fields is unsigned unless v (or y_parity), r and s are given; with a `sender` it may be executed as it is.
    """
    cdef CTransaction tx
    cdef bint is_checked_for_sender

    def __init__(self, *, type=None, v=None, y_parity=None, r=0, s=0, sender=None, **fields):
        cdef CTransaction* tx = &self.tx
        clear_transaction(tx)
        for name in fields:
            if name not in _field_by_name:
                raise TypeError(f"Transaction() got an unexpected keyword argument {name!r}")
        if type is None:
            type = _type_of_fields(fields)
        if type not in _fields_of_type:
            raise_decode_error(Status.TYPE_NOT_SUPPORTED, "type")
        tx.type = type
        for name, value in fields.items():
            if type not in _field_by_name[name].types and value and not (name == "chain_id" and type == 0):
                raise ValueError(f"{name}: a transaction of type {type} has none")
        for field in _fields_of_type[type]:
            set_field(tx, field.number, fields.get(field.name) if field.default is None else fields.get(field.name, field.default))
        if type == 0 and fields.get("chain_id") is not None:
            set_field(tx, _field_by_name["chain_id"].number, fields["chain_id"])
        if type_has_field(tx.type, TransactionField.gas_price):
            tx.max_fee_per_gas = tx.max_priority_fee_per_gas = tx.gas_price
        tx.r = to_word(r, "r")
        tx.s = to_word(s, "s")
        if y_parity is not None:
            set_parity(tx, to_u64(y_parity, "y_parity"))
        elif v is not None:
            tx.v = to_word(v, "v")
            if type != 0:
                set_parity(tx, to_u64(v, "v"))
            elif split_legacy_v(tx) != Status.SUCCESS:
                raise_decode_error(Status.INVALID_SIGNATURE, "v")
        if sender is not None:
            tx.sender = to_address_value(sender, "sender")
            tx.has_sender = 1
        or_memory_error(hash_transaction(tx))

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
        or_memory_error(hash_transaction(&self.tx))
        return self

    def encode(self):
        """The wire form."""
        return from_bytes(self.tx.raw)

    raw = property(encode)

    @property
    def type(self): return self.tx.type
    @property
    def v(self): return to_int(self.tx.v)
    @property
    def r(self): return to_int(self.tx.r)
    @property
    def s(self): return to_int(self.tx.s)
    @property
    def y_parity(self): return self.tx.y_parity

    # One for each row of transaction_fields.def, which says what it is. In types without the field it is zero or empty.
    chain_id = _FieldOfTransaction("chain_id")
    nonce = _FieldOfTransaction("nonce")
    max_priority_fee_per_gas = _FieldOfTransaction("max_priority_fee_per_gas")
    max_fee_per_gas = _FieldOfTransaction("max_fee_per_gas")
    gas_limit = _FieldOfTransaction("gas_limit")
    to = _FieldOfTransaction("to")
    value = _FieldOfTransaction("value")
    data = _FieldOfTransaction("data")
    access_list = _FieldOfTransaction("access_list")
    max_fee_per_blob_gas = _FieldOfTransaction("max_fee_per_blob_gas")
    blob_versioned_hashes = _FieldOfTransaction("blob_versioned_hashes")
    authorization_list = _FieldOfTransaction("authorization_list")

    @property
    def gas_price(self):
        """wei a gas; None in types that have max_fee_per_gas"""
        return to_int(self.tx.gas_price) if type_has_field(self.tx.type, TransactionField.gas_price) else None

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
        if not self.tx.knows_sender():
            recover_senders((self,), fork=0 if not self.tx.has_chain_id else NEWEST_FORK)
        return from_address_bytes(self.tx.sender)

    @property
    def has_sender(self):
        """Whether the sender is known already."""
        return self.tx.knows_sender()

    def forget_sender(self):
        """A copy whose sender is to be recovered anew."""
        return Transaction.decode(self.encode())

    def with_sender(self, sender):
        """A copy that is executed as from `sender`, whatever its signature says."""
        cdef Transaction other = Transaction.decode(self.encode())
        other.tx.sender = to_address_value(sender, "sender")
        other.tx.has_sender = 1
        return other

    def sign(self, private_key):
        """A signed copy; `private_key` is 32 bytes. The signature is deterministic (RFC 6979), with a low s (EIP-2).

        Signed by libsecp256k1 if coincurve or the system has it, else by evmcore's own code, which gives the same signature;
        SECURITY.md says what that is not made for. ValueError if the key is not between 1 and the order of secp256k1 less 1.
        """
        cdef Transaction other = Transaction.__new__(Transaction)
        r, s, y_parity = sign_hash(self.signing_hash, private_key)
        or_memory_error(copy_fields(self.tx, &other.tx))
        other.tx.r = to_word(r, "r")
        other.tx.s = to_word(s, "s")
        set_parity(&other.tx, y_parity)
        or_memory_error(hash_transaction(&other.tx))
        return other

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
    or_memory_error(status != Status.OUT_OF_MEMORY)
    raise errors.DecodeError(f"{field}: {status_text(status)}", status=status_name(status),
                             exception=status_text(status), field=field)


cdef int assign_bytes(Bytes* out, bytes data) except -1:
    return or_memory_error(out.assign(<const uint8_t*><const char*>data, len(data)))


def recover_senders(transactions, *, fork=NEWEST_FORK, workers=None):
    """Recover the senders of all transactions that don't have one yet, without the GIL.

    workers  threads to use; None or 1: this one
    raise    InvalidTransaction with the index of the first that has no valid signature
    """
    cdef const Rules* rules = &rules_of(<Fork><uint8_t>(<int>fork_index(fork)))
    transactions = tuple(transactions)
    cdef vector[CTransaction*] pointers
    cdef RecoverJob job
    cdef ClaimCounter claims
    cdef _Lease lease
    cdef cbool is_stopped
    cdef size_t count = 0
    for tx in transactions:
        pointers.push_back(&(<Transaction?>tx).tx)
        check_often(&count)
    job.transactions = pointers.data()
    job.count = pointers.size()
    job.rules = rules
    job.claims = &claims
    job.engine = NULL
    if workers is not None and workers > 1 and job.count >= 2 * RECOVER_CHUNK:
        lease = lease_engine(_worker_count(workers))
        job.engine = lease.engine
        with nogil:
            run_on_workers(lease.engine, recover_some, &job)
    else:
        lease = lease_signals()
        job.poll = lease.poll
        with nogil:
            recover_some(&job, 0)
    is_stopped = lease.poll.abort.load()
    lease.finish()
    if is_stopped:
        raise errors.ExecutionAborted("the recovery of senders was told to stop")
    for index, tx in enumerate(transactions):
        if not (<Transaction>tx).tx.knows_sender():
            raise errors.rejection("INVALID_SIGNATURE", status_text(Status.INVALID_SIGNATURE), index=index)
        check_often(&count)


cdef struct RecoverJob:
    CTransaction** transactions
    size_t count
    const Rules* rules
    ClaimCounter* claims
    Engine* engine
    Poll* poll  # where there is no engine


cdef enum:
    RECOVER_CHUNK = 4   # about 200 µs of work


cdef void recover_some(void* context, int worker) noexcept nogil:
    """Recover senders, a few at a time, until there are none left."""
    cdef RecoverJob* job = <RecoverJob*>context
    cdef Poll* poll = poll_of(job.engine, job.poll, worker)
    cdef size_t i
    cdef size_t first
    while True:
        if poll.poll(HOOK_INTERVAL):
            stop_workers(job.engine)
            break
        first = job.claims.next.fetch_add(RECOVER_CHUNK)
        if first >= job.count:
            break
        for i in range(first, min(first + RECOVER_CHUNK, job.count)):
            recover_transaction_sender(job.transactions[i], job.rules)
