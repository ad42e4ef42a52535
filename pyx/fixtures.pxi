# Floor 8: the fast door for state tests: the hexadecimal text of a parsed JSON fixture straight into the core, without
# a Python object a field. evmcore/conformance/state_tests.py is its one caller.
from core.base.hexadecimal cimport read_hex_bytes, read_hex_fixed, read_number, TextError
from core.base.status cimport Kind, kind_of, NUMBER_TOO_LARGE, Status
from core.base.transaction cimport (
    AccessEntry, Authorization, clear_transaction, CTransaction, decode_transaction, encode_for_signing, LAST_TYPE_BYTE,
    transaction_field_rows, TransactionCodec, TransactionField, type_has_field)
from core.base.types cimport Address, Bytes, ByteView, Hash, u256
from core.base.vector cimport Vector
from core.crypto.keccak cimport c_keccak256
from core.crypto.transaction_hash cimport hash_transaction
from core.math.u256 cimport mul_u64_overflow, same_word
from core.rules.rules cimport blob_base_fee_minimum_wei, Fork, Rules, rules_of
from core.state.view cimport StateView
from core.state.world cimport World
from core.vm.block_job cimport BlobLimits, BlockRoom
from core.vm.frame cimport BlockContext, Machine
from core.vm.outcome cimport encode_logs, Outcome


cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL


class FieldOverflow(errors.UnusableInput):
    """A field that is larger than its type. A transaction with such a field can't be decoded; elsewhere it is an error."""

    def __init__(self, field):
        super().__init__(f"{field}: a number too large")
        self.field = field


cdef int raise_text_error(TextError error, object text, str name) except -1:
    or_memory_error(error != TextError.NO_MEMORY)
    if error == TextError.TOO_LARGE:
        raise FieldOverflow(name)
    raise errors.UnusableInput(f"{name}: {str(text)[:80]!r} is not what it should be")


cdef const char* characters_of(object text, Py_ssize_t* size, str name) except NULL:
    """The characters of a string, as long as it lives."""
    if not isinstance(text, str):
        raise errors.UnusableInput(f"{name}: {shown(text)} is not text")
    try:
        return PyUnicode_AsUTF8AndSize(text, size)
    except UnicodeEncodeError:  # half of a surrogate pair
        raise_text_error(TextError.NOT_A_NUMBER, text, name)
    return NULL


cdef int read_word(object text, u256* out, str name) except -1:
    cdef Py_ssize_t size = 0
    cdef const char* characters
    cdef TextError error
    if isinstance(text, int):
        out[0] = to_word(text, name)
        return 0
    # retesteth writes what doesn't fit 256 bits as "0x:bigint 0x…".
    if isinstance(text, str) and (<str>text).startswith("0x:bigint "):
        raise FieldOverflow(name)
    characters = characters_of(text, &size, name)
    error = read_number(characters, size, out)
    if error != TextError.NONE:
        raise_text_error(error, text, name)
    return 0


cdef int read_u64(object text, uint64_t* out, str name) except -1:
    cdef u256 word
    read_word(text, &word, name)
    if not word.fits_u64():
        raise FieldOverflow(name)
    out[0] = word.limb[0]
    return 0


cdef int read_fixed(object text, uint8_t* out, size_t count, str name) except -1:
    cdef Py_ssize_t size = 0
    cdef const char* characters = characters_of(text, &size, name)
    cdef TextError error = read_hex_fixed(characters, size, out, count)
    if error != TextError.NONE:
        raise_text_error(error, text, name)
    return 0


cdef int read_data(object text, Bytes* out, str name) except -1:
    cdef Py_ssize_t size = 0
    cdef const char* characters = characters_of(text, &size, name)
    cdef TextError error = read_hex_bytes(characters, size, out)
    if error != TextError.NONE:
        raise_text_error(error, text, name)
    return 0


cdef extern from *:
    """
    // What state tests take for the hash of an earlier block: keccak-256 of its number in decimal.
    static bool evmcore_fixture_block_hash(void*, uint64_t number, evmcore::Hash* out) noexcept {
        uint8_t digits[20];
        size_t begin = sizeof digits;
        do {
            digits[--begin] = static_cast<uint8_t>('0' + number % 10);
            number /= 10;
        } while (number != 0);
        evmcore::keccak256(digits + begin, sizeof digits - begin, out);
        return true;
    }
    """
    cbool (*fixture_block_hash "evmcore_fixture_block_hash")(void*, uint64_t, Hash*) noexcept nogil


cdef int read_fixture_access_list(object entries, Vector[AccessEntry]* member, CTransaction* tx) except -1:
    cdef AccessEntry entry
    cdef u256 key
    for item in entries:
        read_fixed(item["address"], entry.address.bytes, 20, "accessLists.address")
        entry.first_key = <uint32_t>tx.access_keys.size()
        entry.key_count = 0
        for text in item["storageKeys"]:
            read_word(text, &key, "accessLists.storageKeys")
            append_to(tx.access_keys, key)
            entry.key_count += 1
        append_to(member[0], entry)
    return 0


cdef int read_fixture_authorizations(object entries, Vector[Authorization]* member) except -1:
    cdef Authorization auth
    cdef u256 parity
    for item in entries:
        read_word(item["chainId"], &auth.chain_id, "authorizationList.chainId")
        read_fixed(item["address"], auth.address.bytes, 20, "authorizationList.address")
        read_u64(item["nonce"], &auth.nonce, "authorizationList.nonce")
        read_word(item["yParity"] if "yParity" in item else item["v"], &parity, "authorizationList.yParity")
        if not parity.fits_u64() or parity.limb[0] > 255:
            raise FieldOverflow("authorizationList.yParity")
        auth.y_parity = <uint8_t>parity.limb[0]
        read_word(item["r"], &auth.r, "authorizationList.r")
        read_word(item["s"], &auth.s, "authorizationList.s")
        append_to(member[0], auth)
    return 0


cdef int read_fixture_field(CTransaction* tx, int row, object text) except -1:
    """One field out of a state test's JSON."""
    cdef TransactionCodec codec = transaction_field_rows[row].codec
    cdef void* member = transaction_field_rows[row].member(tx[0])
    cdef str name = transaction_field_rows[row].name.decode()
    cdef Hash hash
    if codec == TransactionCodec.NUMBER_64:
        read_u64(text, <uint64_t*>member, name)
    elif codec == TransactionCodec.NUMBER:
        read_word(text, <u256*>member, name)
    elif codec == TransactionCodec.RECIPIENT:
        tx.is_create = not text or text == "0x"
        if not tx.is_create:
            read_fixed(text, (<Address*>member).bytes, 20, name)
    elif codec == TransactionCodec.DATA:
        read_data(text, <Bytes*>member, name)
    elif codec == TransactionCodec.ACCESS_LIST:
        read_fixture_access_list(text, <Vector[AccessEntry]*>member, tx)
    elif codec == TransactionCodec.HASHES:
        for item in text:
            read_fixed(item, hash.bytes, 32, name)
            append_to((<Vector[Hash]*>member)[0], hash)
    elif codec == TransactionCodec.AUTHORIZATIONS:
        read_fixture_authorizations(text, <Vector[Authorization]*>member)
    else:
        raise SystemError(f"{name}: a form that state tests are not read by")
    return 0


def choose_fields(dict fields not None, data, gas, value):
    """A state test's `transaction` for one choice: (type, {name of a field: its JSON}); what is null or absent is left out.

    The type is the first that has all the fields, of which gas_price says nothing: the makers of tests write it anyway.
    """
    cdef int type = 0
    chosen = {}
    choices = {name: exact_int(index, name) for name, index in (("data", data), ("gas", gas), ("value", value))}
    for field in TRANSACTION_FIELDS:
        given = fields.get(field.json_name) if field.json_name else None
        if given is not None and field.choice:
            index = choices[field.choice]
            if not isinstance(given, list) or not 0 <= index < len(given):
                raise errors.UnusableInput(f"transaction.{field.json_name}: no item {shown(index)}"
                                           + (f" among {len(given)}" if isinstance(given, list) else f" in {shown(given)}"))
            given = given[index]
        if given is None:
            continue
        chosen[field.name] = given
        if field.name != "gas_price":
            type = max(type, field.types[0])
    for name in chosen:
        if type not in _field_by_name[name].types and name != "gas_price":
            raise errors.UnusableInput(f"transaction: no type has {name} and all the others")
    return type, chosen


cdef int read_fixture_transaction(dict fields, object data, object gas, object value, CTransaction* tx) except -1:
    """The transaction of a state test's `transaction`, for one choice of data, gas limit and value; unsigned."""
    clear_transaction(tx)
    type, chosen = choose_fields(fields, data, gas, value)
    tx.type = type
    tx.has_sender = 1
    tx.is_create = True
    read_fixed(fields["sender"], tx.sender.bytes, 20, "sender")
    for field in _fields_of_type[type]:
        given = chosen.get(field.name)
        if given is not None:
            read_fixture_field(tx, field.number, given)
        elif field.json_name and not field.may_be_empty:
            raise KeyError(field.json_name)
    if type_has_field(tx.type, TransactionField.gas_price):
        tx.max_fee_per_gas = tx.max_priority_fee_per_gas = tx.gas_price
    return 0


cdef inline cbool is_known_type(uint8_t first_byte, const Rules* rules) noexcept nogil:
    """Whether the fork has the type that this first byte of a wire form says; other bytes begin a list (EIP-2718)."""
    return first_byte > LAST_TYPE_BYTE or rules.has_transaction_type[first_byte]


cdef class StateTest:
    """One state test's pre-state and block, read once; each case runs on them and leaves them as they were.

    pre  address -> {balance, nonce, code, storage}, hexadecimal text
    env  the block's fields: currentNumber, currentGasLimit …
    pays_always  whether the tests' maker paid a block reward of zero even when the transaction was refused, which leaves
                 an empty account where those stay (before EIP-161): retesteth did, execution-spec-tests don't

    Then `use_fork`, then `run` for each case. Not to be shared by threads.
    """
    cdef World* world
    cdef _Lease lease
    cdef const Rules* rules
    cdef BlockContext block
    cdef BlobLimits blobs
    cdef u256 random
    cdef u256 difficulty
    cdef u256 base_fee
    cdef uint64_t excess_blob_gas
    cdef bint pays_always
    cdef bint is_read    # `__init__` has been called
    cdef bint is_busy
    cdef Hash rejected_roots[2]  # without a payment, and with one that leaves an account
    cdef bint is_root_known[2]
    cdef CTransaction unsigned
    cdef CTransaction signed
    cdef Outcome out
    cdef Bytes scratch

    def __cinit__(self):
        self.world = new World(False)
        self.lease = lease_machine()
        self.lease.finish()
        self.block.block_hash = fixture_block_hash
        self.block.block_hash_context = NULL

    def __dealloc__(self):
        del self.world

    def __init__(self, dict pre not None, dict env not None, *, bint pays_always=True):
        cdef BlockContext* block = &self.block
        if self.is_read:
            raise TypeError("a StateTest is read once; make another one")
        self.is_read = True
        self.pays_always = pays_always
        read_u64(env["currentNumber"], &block.number, "currentNumber")
        read_u64(env["currentTimestamp"], &block.timestamp, "currentTimestamp")
        read_u64(env["currentGasLimit"], &block.gas_limit, "currentGasLimit")
        read_u64(env.get("slotNumber", "0x00"), &block.slot_number, "slotNumber")
        read_fixed(env["currentCoinbase"], block.coinbase.bytes, 20, "currentCoinbase")
        read_word(env.get("currentDifficulty", "0x00"), &self.difficulty, "currentDifficulty")
        self.random = self.difficulty
        if "currentRandom" in env:
            read_word(env["currentRandom"], &self.random, "currentRandom")
        # The base fee of tests that were made before there was one.
        read_word(env.get("currentBaseFee", "0x0a"), &self.base_fee, "currentBaseFee")
        read_u64(env.get("currentExcessBlobGas", "0x00"), &self.excess_blob_gas, "currentExcessBlobGas")
        for address, account in pre.items():
            if not isinstance(account, dict):
                raise errors.UnusableInput(f"pre.{shown(address)}: {shown(account)} is not an object")
            self.add_account(address, account)
        if not self.world.release(self.world.checkpoint()):  # makes room for those to come
            raise MemoryError("a state test")

    cdef int add_account(self, object address_text, dict account) except -1:
        cdef Address address
        cdef u256 word
        cdef u256 key
        cdef uint64_t nonce
        cdef World* world = self.world
        read_fixed(address_text, address.bytes, 20, "address")
        raise_status(world.create(address))
        read_word(account.get("balance", "0x00"), &word, "balance")
        raise_status(world.set_balance(address, word))
        read_u64(account.get("nonce", "0x00"), &nonce, "nonce")
        raise_status(world.set_nonce(address, nonce))
        code = account.get("code")
        if code:
            read_data(code, &self.scratch, "code")
            raise_status(world.set_code(address, ByteView(self.scratch.data(), self.scratch.size())))
        storage = account.get("storage")
        if storage:
            if not isinstance(storage, dict):
                raise errors.UnusableInput(f"storage: {shown(storage)} is not an object")
            for key_text, value_text in (<dict>storage).items():
                read_word(key_text, &key, "storage")
                read_word(value_text, &word, "storage")
                raise_status(world.set_slot(address, key, word))
        return 0

    def use_fork(self, fork, chain_id=1, blob_schedule=None):
        """Run what follows under a fork's rules. `blob_schedule`: (max blobs, update fraction), or None: the fork's."""
        cdef const Rules* rules = &rules_of(<Fork><uint8_t>(<int>fork_index(fork)))
        if self.is_busy:
            raise errors.EvmError("the state test runs in another thread")
        self.rules = NULL  # until all of it is right
        self.block.chain_id = to_word(chain_id, "chainid")
        self.block.prev_randao = self.random if rules.is_proof_of_stake else self.difficulty
        self.block.base_fee = self.base_fee if rules.has_base_fee else u256()
        self.blobs.max_blobs = rules.blob_max
        self.blobs.update_fraction = rules.blob_fee_update_fraction
        if blob_schedule is not None:
            most, fraction = to_parts(blob_schedule, 2, "blob_schedule", "(max blobs, update fraction)")
            set_blob_limits(&self.blobs, most, fraction)
        self.block.blob_base_fee = u256()
        if rules.has_blobs:
            self.block.blob_base_fee = to_word(
                fake_exponential(blob_base_fee_minimum_wei, self.excess_blob_gas, self.blobs.update_fraction),
                "currentExcessBlobGas")
        self.rules = rules

    def run(self, dict transaction not None, data, gas, value, txbytes=None):
        """Run one case: (status row number, state root, logs hash, detail, note).

        txbytes  the signed transaction, hexadecimal text: it is decoded, its sender recovered, and it is what runs;
                 without it, the fields run as from their `sender`
        return   for a rejected transaction the root is the untouched state's; `detail` is the field where decoding
                 stopped, or the type that isn't supported; `note` tells where fields and txbytes disagree, or is None
        """
        if self.rules == NULL:
            raise errors.UnusableInput("a state test runs under a fork: use_fork comes first")
        if self.is_busy:
            raise errors.EvmError("the state test runs in another thread")
        self.is_busy = True
        try:
            return self.run_alone(transaction, data, gas, value, txbytes)
        finally:
            self.is_busy = False

    cdef object run_alone(self, dict transaction, object data, object gas, object value, object txbytes):
        cdef CTransaction* tx = &self.unsigned
        cdef Status status = Status.RUNNING
        cdef Hash root
        cdef Hash logs
        cdef Machine* m = self.lease.machine
        cdef const char* field = NULL
        note = detail = None
        try:
            read_fixture_transaction(transaction, data, gas, value, tx)
        except FieldOverflow as overflow:
            detail = overflow.field
            status = NUMBER_TOO_LARGE
        if txbytes is not None:
            read_data(txbytes, &self.scratch, "txbytes")
            tx = &self.signed
            if self.scratch.size() != 0 and not is_known_type(self.scratch[0], self.rules):
                status = Status.TYPE_NOT_SUPPORTED
                tx.type = self.scratch[0]
            else:
                status = decode_transaction(ByteView(self.scratch.data(), self.scratch.size()), tx, &field)
            or_memory_error(status != Status.OUT_OF_MEMORY)
            if status == Status.SUCCESS:
                status = Status.RUNNING
                or_memory_error(hash_transaction(tx))
                recover_transaction_sender(tx, self.rules)
                if detail is None:
                    note = self.disagreement()
            elif field != NULL:
                detail = field.decode()
        if kind_of(status) != Kind.INVALID:
            self.lease.watch()
            with nogil:
                status = self.apply(m, tx, &root, &logs)
                m.trim()
            self.lease.finish()
        if kind_of(status) == Kind.INVALID:
            if status == Status.TYPE_NOT_SUPPORTED:
                detail = str(tx.type)
            self.out.logs.clear()
            or_memory_error(self.rejected_root(&root) and self.logs_hash(&logs))
        return <int>status, from_hash_bytes(root), from_hash_bytes(logs), detail, note

    cdef cbool rejected_root(self, Hash* root) noexcept nogil:
        """The state's root when nothing ran. False without memory."""
        cdef int i = self.pays_always and not self.rules.deletes_empty_accounts
        cdef uint64_t checkpoint
        if not self.is_root_known[i]:
            checkpoint = self.world.checkpoint()
            self.is_root_known[i] = ((not i or self.world.create(self.block.coinbase) == Status.RUNNING)
                                     and self.world.root(&self.rejected_roots[i], NULL))
            self.world.revert(checkpoint)
        root[0] = self.rejected_roots[i]
        return self.is_root_known[i]

    cdef Status apply(self, Machine* m, CTransaction* tx, Hash* root, Hash* logs) noexcept nogil:
        """Run the transaction, take root and logs of what it leaves, and take it back."""
        cdef StateView view = self.world.view()
        cdef BlockRoom room
        cdef Status status
        cdef Status applied
        cdef uint64_t checkpoint
        room.gas_used = room.state_gas_used = room.blob_gas_used = 0
        m.rules = self.rules
        m.block = self.block
        m.tracer = NULL
        status = apply_transaction(m, &view, tx, &self.blobs, &room, False, &self.out)
        if kind_of(status) == Kind.INVALID or kind_of(status) == Kind.BROKEN:
            return status
        checkpoint = self.world.checkpoint()
        applied = self.world.apply(self.out.effects, self.rules.deletes_empty_accounts)
        self.out.effects.clear()
        if applied == Status.RUNNING:
            if not self.world.root(root, NULL) or not self.logs_hash(logs):
                status = Status.OUT_OF_MEMORY
        else:
            status = applied
        self.world.revert(checkpoint)
        return status

    cdef cbool logs_hash(self, Hash* hash) noexcept nogil:
        """The hash of the logs' RLP. False without memory."""
        self.scratch.clear()
        if not encode_logs(self.out, &self.scratch):
            return False
        c_keccak256(self.scratch.data(), self.scratch.size(), hash)
        return True

    cdef object disagreement(self):
        """What the signed transaction has otherwise than the fields; None when they agree."""
        cdef Hash hash
        if self.unsigned.type != self.signed.type:
            return f"txbytes: type {self.signed.type}, the fields make {self.unsigned.type}"
        # The fields don't tell whether the signature is protected.
        self.unsigned.has_chain_id = self.signed.has_chain_id
        self.unsigned.chain_id = self.signed.chain_id
        self.scratch.clear()
        or_memory_error(encode_for_signing(self.unsigned, &self.scratch))
        c_keccak256(self.scratch.data(), self.scratch.size(), &hash)
        if not hash == self.signed.signing_hash:
            return "txbytes: signs something else than the fields say"
        if self.signed.knows_sender() and not self.signed.sender == self.unsigned.sender:
            return f"txbytes: sender 0x{from_address_bytes(self.signed.sender).hex()}"
        return None


def check_transaction(raw, fork, chain_id=1):
    """What a fork says of a transaction's wire form by itself, with no state and no block.

    return  (faults, hash, sender, intrinsic gas). `faults` is empty for a valid one; else (status row name, detail) for
            the first, and before it, where the fork doesn't have the type, for that. `detail` is the field where
            decoding stopped, or the type. What isn't known is None
    """
    cdef const Rules* rules = &rules_of(<Fork><uint8_t>(<int>fork_index(fork)))
    cdef bytes data = to_data(raw, "raw")
    cdef CTransaction tx
    cdef const char* field = NULL
    cdef BlockContext block
    cdef BlobLimits blobs
    cdef IntrinsicGas cost
    cdef Outcome out
    cdef u256 product
    cdef uint64_t gas_limit
    cdef Status status
    faults = []
    # A first byte from 0x80 to 0xbf is neither a type nor the beginning of a list: wrong in both ways.
    if data and (not is_known_type(data[0], rules) or 0x80 <= data[0] < 0xc0):
        faults.append((status_name(Status.TYPE_NOT_SUPPORTED), str(data[0])))
    status = decode_transaction(view_bytes(data), &tx, &field)
    or_memory_error(status != Status.OUT_OF_MEMORY)
    if status != Status.SUCCESS:
        faults.append((status_name(status), field.decode() if field != NULL else None))
        return faults, None, None, None
    if faults:
        return faults, None, None, None
    or_memory_error(hash_transaction(&tx))
    block.chain_id = to_word(chain_id, "chain_id")
    status = Status.RUNNING
    if tx.has_chain_id and not same_word(tx.chain_id, block.chain_id) and (tx.type != 0 or rules.has_replay_protection):
        status = Status.INVALID_CHAIN_ID
    if status == Status.RUNNING:
        status = recover_transaction_sender(&tx, rules)
    cost = intrinsic_gas(&tx, rules)
    if status == Status.RUNNING:
        # A limit that no block has is a matter between the transaction and the block.
        gas_limit = tx.gas_limit
        tx.gas_limit = min(gas_limit, <uint64_t>INT64_MAX)
        status = check_form(&tx, rules, &block, &cost, 0, &out)
        if status == Status.RUNNING and rules.has_state_gas:
            status = check_cost(&tx, rules, &block, &cost, 0, &out)
        tx.gas_limit = gas_limit
    if status == Status.RUNNING:
        status = check_fees(&tx, rules, &block, &blobs, 0, &out)
    if status == Status.RUNNING and mul_u64_overflow(tx.max_fee_per_gas, tx.gas_limit, &product):
        status = Status.GASLIMIT_PRICE_OVERFLOW
    if status != Status.RUNNING:
        faults.append((status_name(status), None))
    return faults, from_hash_bytes(tx.hash), from_address_bytes(tx.sender) if tx.knows_sender() else None, cost.gas


def least_gas(Transaction tx not None, fork):
    """(what a transaction costs before it runs, the least that it pays in all), in gas; the second is 0 before Prague (EIP-7623).

    From Amsterdam on it depends on the sender, who is recovered if need be (EIP-2780).
    """
    cdef const Rules* rules = &rules_of(<Fork><uint8_t>(<int>fork_index(fork)))
    cdef IntrinsicGas cost
    if rules.recipient_gas != 0:
        tx.sender
    cost = intrinsic_gas(core_transaction(tx), rules)
    return cost.gas, cost.floor


cdef extern from *:
    """
    #include "core/state/trie.hpp"
    // The keys of a trie, in their order. False without memory.
    static bool evmcore_trie_keys(const evmcore::Trie& trie, evmcore::Vector<evmcore::Bytes>* keys) {
        bool is_ok = true;
        const bool is_whole = trie.for_each([&](evmcore::ByteView key, evmcore::ByteView) {
            evmcore::Bytes* const copy = is_ok ? keys->add() : nullptr;
            is_ok = copy != nullptr && copy->assign(key.data, key.size);
        });
        return is_whole && is_ok;
    }
    // The hex-prefix encoding of a run of nibbles (Yellow Paper, appendix C). False without memory.
    static bool evmcore_hex_prefix(evmcore::ByteView nibbles, bool is_leaf, evmcore::Bytes* out) {
        const size_t odd = nibbles.size % 2;
        evmcore::Bytes key;
        if (!key.resize((nibbles.size + 1) / 2) || !out->resize(key.size() + 12))
            return false;
        for (size_t i = 0; i < nibbles.size; ++i)
            key[(i + odd) / 2] |= static_cast<uint8_t>(nibbles[i] << ((i + odd) % 2 != 0 ? 0 : 4));
        const uint8_t* end = evmcore::trie_node::put_path(out->data(), key.data(), odd, 2 * key.size(), is_leaf);
        out->truncate(static_cast<size_t>(end - out->data()));
        return true;
    }
    """
    const size_t TRIE_MAX_KEY_BYTES "evmcore::Trie::MAX_KEY_BYTES"
    cppclass CTrie "evmcore::Trie":
        cbool insert(ByteView key, ByteView value)
        cbool erase(ByteView key, cbool* was_there)
        ByteView get(ByteView key)
        cbool root(Hash* out)
        size_t size()
    cbool evmcore_trie_keys(const CTrie& trie, Vector[Bytes]* keys)
    cbool evmcore_hex_prefix(ByteView nibbles, cbool is_leaf, Bytes* out)


cdef class FixtureTrie:
    """The core's Merkle Patricia trie, for the trie tests."""
    cdef CTrie trie

    def __setitem__(self, bytes key not None, bytes value not None):
        if not self.trie.insert(view_bytes(key), view_bytes(value)):
            or_memory_error(len(key) > TRIE_MAX_KEY_BYTES)
            raise ValueError(f"key: {len(key)} bytes, at most {TRIE_MAX_KEY_BYTES} are taken")

    def __getitem__(self, bytes key not None):
        return from_view(self.trie.get(view_bytes(key)))

    def __delitem__(self, bytes key not None):
        cdef cbool was_there = False
        or_memory_error(self.trie.erase(view_bytes(key), &was_there))
        if not was_there:
            raise KeyError(key)

    def __len__(self):
        return self.trie.size()

    def keys(self):
        """All keys in their order."""
        cdef Vector[Bytes] keys
        cdef size_t i
        or_memory_error(evmcore_trie_keys(self.trie, &keys))
        return [from_bytes(keys[i]) for i in range(keys.size())]

    def root(self):
        cdef Hash root
        or_memory_error(self.trie.root(&root))
        return from_hash_bytes(root)


def hex_prefix(nibbles, is_leaf):
    """The encoding of a path in a trie node, as RLP (Yellow Paper, appendix C)."""
    cdef bytes given = bytes(to_list(nibbles, "nibbles"))
    cdef Bytes out
    or_memory_error(evmcore_hex_prefix(view_bytes(given), bool(is_leaf), &out))
    return from_bytes(out)
