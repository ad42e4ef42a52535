# Floor 8: Transaction: decoded natively, seen from Python. Its fields are rows of transaction_fields.def: a field with a form
# that is there already needs no line here but the one in the class.
from core.base.poll cimport HOOK_INTERVAL, Poll
from core.base.status cimport Status
from core.base.transaction cimport (
    AccessEntry, Authorization, clear_transaction, copy_fields, CTransaction, decode_transaction, split_legacy_v,
    transaction_field_rows, TransactionCodec, TransactionField, type_has_field)
from core.base.types cimport Address, Bytes, Hash, u256
from core.base.vector cimport Vector
from core.crypto.secp256k1 cimport sign_recoverable, Signature
from core.crypto.transaction_hash cimport hash_transaction
from core.math.u256 cimport from_big_endian
from core.parallel.engine cimport Engine
from core.parallel.pool cimport ClaimCounter
from core.rules.rules cimport Fork, Rules, rules_of


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
        return self if instance is None else field_value(core_transaction(instance), self.row)

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


cdef object plain_field(int row, object value):
    """A field as it was given, as an object of the exact type that its form has; None as it is."""
    cdef TransactionCodec codec = transaction_field_rows[row].codec
    cdef str name = field_names[row]
    if value is None:
        return None
    if codec == TransactionCodec.NUMBER_64 or codec == TransactionCodec.NUMBER or codec == TransactionCodec.CHAIN_ID:
        return exact_int(value, name)
    if codec == TransactionCodec.RECIPIENT:
        return given_bytes(value, name, "20 bytes, a 0x string or None")
    if codec == TransactionCodec.DATA:
        return to_data(value, name)
    return to_list(value, name)


cdef int set_field(CTransaction* tx, int row, object value) except -1:
    """Set a field of a new transaction from Python's value; None: zero or empty, where that has a meaning."""
    cdef TransactionCodec codec = transaction_field_rows[row].codec
    cdef void* member = transaction_field_rows[row].member(tx[0])
    cdef str name = field_names[row]
    if codec == TransactionCodec.NUMBER_64:
        (<uint64_t*>member)[0] = to_u64(value, name)
    elif codec == TransactionCodec.NUMBER:
        (<u256*>member)[0] = to_word(0 if value is None and transaction_field_rows[row].default_number < 0 else value, name)
    elif codec == TransactionCodec.CHAIN_ID:
        (<u256*>member)[0] = to_word(transaction_field_rows[row].default_number if value is None else value, name)
        tx.has_chain_id = True
    elif codec == TransactionCodec.RECIPIENT:
        tx.is_create = value is None or len(<bytes?>value) == 0
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
    cdef list slots
    for item in value or ():
        if isinstance(item, dict):
            try:
                address, given = item["address"], item["storageKeys"]
            except KeyError as error:
                raise ValueError(f"{name}: an entry has no {error}") from None
        else:
            address, given = to_parts(item, 2, name, "(address, slots)")
        slots = to_list(given, name)
        if keys.size() + len(slots) > MAX_GIVEN_ITEMS:
            raise ValueError(f"{name}: more than {MAX_GIVEN_ITEMS} slots")
        entry.address = to_address_value(address, name)
        entry.first_key = <uint32_t>keys.size()
        entry.key_count = <uint32_t>len(slots)
        for slot in slots:
            if isinstance(slot, (bytes, bytearray, memoryview)):
                slot = int.from_bytes(fixed_bytes(slot, 32, name), "big")
            append_to(keys[0], to_word(_quantity(slot, name), name))
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
    cdef uint64_t y_parity
    for item in value or ():
        chain, address, nonce, parity, r, s = to_parts(item, 6, name, "(chain_id, address, nonce, y_parity, r, s)")
        auth.chain_id = to_word(chain, name)
        auth.address = to_address_value(address, name)
        auth.nonce = to_u64(nonce, name)
        y_parity = to_u64(parity, name)
        if y_parity > 255:
            raise ValueError(f"{name}: a y_parity of {y_parity} does not fit 8 bits")
        auth.y_parity = <uint8_t>y_parity
        auth.r = to_word(r, name)
        auth.s = to_word(s, name)
        append_to(authorizations[0], auth)
    return 0


cdef int set_parity(CTransaction* tx, uint64_t parity) except -1:
    """Set y_parity and with it v, which in a legacy transaction has the chain id inside (EIP-155)."""
    if parity > 1:
        raise_decode_error(Status.INVALID_SIGNATURE, "y_parity", parity)
    tx.y_parity = <uint8_t>parity
    if tx.type != 0:
        tx.v = u256(parity)
    elif tx.has_chain_id:
        tx.v = to_word(35 + 2 * to_int(tx.chain_id) + parity, "v")
    else:
        tx.v = u256(27 + parity)
    return 0


def _type_of_fields(fields):
    """The first transaction type that has all the fields which are given: not None, not empty, not the row's default.

    raise   TypeError that names a field which no type has
    """
    if not isinstance(fields, dict):
        raise TypeError(f"fields: expected a dict, got {type(fields).__name__}")
    for name in fields:
        if name not in _field_by_name:
            raise TypeError(f"fields: no transaction has {shown(name)}")
    return _first_type_with(fields)


cdef object _first_type_with(dict fields):
    least = 0
    for name, value in fields.items():
        if value is None or name == "chain_id" or (isinstance(value, (tuple, list)) and not value):
            continue
        field = _field_by_name[name]
        if value != field.default and field.types[0] > least:
            least = field.types[0]
    return least


cdef class Transaction:
    """One transaction of any type, immutable.

    Build it from its wire form with `Transaction.decode(raw)`, or from fields:
    `Transaction(type=2, nonce=0, to="0x…", value=1, gas_limit=21000, max_fee_per_gas=…, sender="0x…")`.
    One made from fields is unsigned unless v (or y_parity), r and s are given; with a `sender` it may be executed as it is.
    """
    cdef CTransaction tx
    cdef bint is_made  # by `__init__` or a decoder; what a subclass leaves out shows here

    def __init__(self, *, type=None, v=None, y_parity=None, r=0, s=0, sender=None, **fields):
        cdef CTransaction* tx = &self.tx
        if self.is_made:
            raise TypeError("a Transaction is made once; make another one")
        clear_transaction(tx)
        for name, value in fields.items():
            field = _field_by_name.get(name)
            if field is None:
                raise TypeError(f"Transaction() got an unexpected keyword argument {name!r}")
            fields[name] = plain_field(field.number, value)
        type = _first_type_with(fields) if type is None else to_u64(type, "type")
        if type not in _fields_of_type:
            raise_unknown_type(type)
        tx.type = type
        for name, value in fields.items():
            if value and type not in _field_by_name[name].types and not (name == "chain_id" and type == 0):
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
                raise_decode_error(Status.INVALID_SIGNATURE, "v", to_int(tx.v))
        if sender is not None:
            tx.sender = to_address_value(sender, "sender")
            tx.has_sender = 1
        or_memory_error(hash_transaction(tx))
        self.is_made = True

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
        if status == Status.TYPE_NOT_SUPPORTED and self.tx.type <= 0x7f:
            raise_unknown_type(self.tx.type)
        if status != Status.SUCCESS:
            raise_decode_error(status, field.decode() if field != NULL else "transaction")
        or_memory_error(hash_transaction(&self.tx))
        self.is_made = True
        return self

    def __reduce__(self):
        """Its wire form with what that doesn't tell: a sender that is known. Copies are made so, too."""
        cdef CTransaction* tx = core_transaction(self)
        sender = from_address_bytes(tx.sender) if tx.knows_sender() else None
        if tx.type == 0 and tx.v.is_zero():  # not signed, which no wire form of a legacy transaction is
            fields = {field.name: field_value(tx, field.number) for field in _fields_of_type[0]}
            fields.update(chain_id=self.chain_id, r=self.r, s=self.s, sender=sender)
            return _restore_transaction, (type(self), None, fields), self._attributes()
        return _restore_transaction, (type(self), from_bytes(tx.raw), sender), self._attributes()

    def _attributes(self):
        """What a subclass has added; None without any."""
        return getattr(self, "__dict__", None) or None

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
        cdef Transaction other = Transaction.__new__(Transaction)
        copy_transaction(self, other)
        other.tx.has_sender = 0
        return other

    def with_sender(self, sender):
        """A copy that is executed as from `sender`, whatever its signature says."""
        cdef Transaction other = Transaction.__new__(Transaction)
        cdef Address address = to_address_value(sender, "sender")
        copy_transaction(self, other)
        other.tx.sender = address
        other.tx.has_sender = 1
        return other

    def sign(self, private_key):
        """A signed copy; `private_key` is 32 bytes. The signature is deterministic (RFC 6979), with a low s (EIP-2).

        Signed by libsecp256k1 if coincurve or the system has it, else by evmcore's own code, which gives the same signature;
        SECURITY.md says what that is not made for. ValueError if the key is not between 1 and the order of secp256k1 less 1.
        """
        cdef Transaction other = Transaction.__new__(Transaction)
        r, s, y_parity = sign_hash(self.signing_hash, private_key)
        or_memory_error(copy_fields(core_transaction(self)[0], &other.tx))
        other.tx.r = to_word(r, "r")
        other.tx.s = to_word(s, "s")
        set_parity(&other.tx, y_parity)
        or_memory_error(hash_transaction(&other.tx))
        other.is_made = True
        return other

    def __eq__(self, other):
        return isinstance(other, Transaction) and self.tx.hash == (<Transaction>other).tx.hash

    def __hash__(self):
        return hash(self.hash)

    def __repr__(self):
        if not self.is_made:
            return f"<{type(self).__name__} that was not made>"
        to = "a creation" if self.tx.is_create else f"to 0x{self.to.hex()}"
        sender = f" from 0x{from_address_bytes(self.tx.sender).hex()}" if self.tx.knows_sender() else ""
        return f"<Transaction 0x{self.hash.hex()} type {self.type} nonce {self.nonce}{sender} {to}>"


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


cdef CTransaction* core_transaction(object tx) except NULL:
    """The core's side of a transaction, as long as the object lives; TypeError for what is none, or was never made."""
    if not isinstance(tx, Transaction):
        raise TypeError(f"transactions: expected a Transaction, got {type(tx).__name__}")
    if not (<Transaction>tx).is_made:
        raise TypeError(f"transactions: a {type(tx).__name__} whose __init__ didn't call that of Transaction")
    return &(<Transaction>tx).tx


def _restore_transaction(kind, raw, known):
    """What `Transaction.__reduce__` says: of that class, from the wire form and its sender (None: not known), or from fields."""
    cdef Transaction self
    cdef Transaction made
    if not isinstance(kind, type) or not issubclass(kind, Transaction):
        raise TypeError(f"a pickled transaction: {kind!r:.80} is not a Transaction")
    if raw is not None:
        made = Transaction.decode(raw)
        if known is not None:
            made = made.with_sender(known)
    elif isinstance(known, dict):
        made = Transaction(**known)
    else:
        raise TypeError(f"a pickled transaction: fields are a {type(known).__name__}")
    if kind is Transaction:
        return made
    self = Transaction.__new__(kind)
    copy_transaction(made, self)
    return self


cdef int copy_transaction(Transaction source, Transaction into) except -1:
    """All of one into a new one, its sender if that is known."""
    cdef CTransaction* tx = core_transaction(source)
    or_memory_error(copy_fields(tx[0], &into.tx))
    into.tx.v, into.tx.y_parity, into.tx.r, into.tx.s = tx.v, tx.y_parity, tx.r, tx.s
    or_memory_error(hash_transaction(&into.tx))
    if tx.knows_sender():
        into.tx.sender = tx.sender
        into.tx.has_sender = 1
    into.is_made = True
    return 0


cdef int raise_decode_error(Status status, str field, object value=None) except -1:
    or_memory_error(status != Status.OUT_OF_MEMORY)
    given = "" if value is None else f" ({shown(value)})"
    raise errors.DecodeError(f"{field}: {status_text(status)}{given}", status=status_name(status),
                             exception=status_text(status), field=field)


cdef int raise_unknown_type(object number) except -1:
    raise errors.DecodeError(f"type: transaction type {number} is not known", status=status_name(Status.TYPE_NOT_SUPPORTED),
                             exception=status_text(Status.TYPE_NOT_SUPPORTED), field="type")


cdef int assign_bytes(Bytes* out, bytes data) except -1:
    return or_memory_error(out.assign(<const uint8_t*><const char*>data, len(data)))


def recover_senders(transactions, *, fork=NEWEST_FORK, workers=None):
    """Recover the senders of all transactions that don't have one yet, without the GIL.

    workers  threads to use; None or 1: this one
    raise    InvalidTransaction with the index of the first that has no valid signature
    """
    cdef const Rules* rules = &rules_of(<Fork><uint8_t>(<int>fork_index(fork)))
    cdef int threads = 1 if workers is None else worker_count_of(workers)
    transactions = to_list(transactions, "transactions")
    cdef Vector[CTransaction*] pointers
    cdef RecoverJob job
    cdef ClaimCounter claims
    cdef _Lease lease
    cdef cbool is_stopped
    cdef size_t count = 0
    for tx in transactions:
        append_to(pointers, core_transaction(tx))
        check_often(&count)
    job.transactions = pointers.data()
    job.count = pointers.size()
    job.rules = rules
    job.claims = &claims
    job.engine = NULL
    if threads > 1 and job.count >= 2 * RECOVER_CHUNK:
        lease = lease_engine(threads)
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
