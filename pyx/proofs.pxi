# Floor 8: proofs of accounts and slots (EIP-1186), and the faults of those that are given.
from cpython.object cimport PyObject_GenericSetAttr
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_CheckExact, PyTuple_New, PyTuple_SET_ITEM
from libcpp.memory cimport shared_ptr

from core.base.types cimport Bytes, ByteView, Hash, u256
from core.base.vector cimport Vector
from core.crypto.keccak cimport EMPTY_KECCAK, EMPTY_TRIE_ROOT, c_keccak256
from core.math.u256 cimport to_big_endian
from core.state.batch_hash cimport hash_many
from core.state.code cimport view_of
from core.state.local_reads cimport LocalReads
from core.state.local_source cimport EvmcoreLocalSource
from core.state.part_source cimport PartSource
from core.state.shared_trie cimport (
    Leaf, MissingNode, Node, NodeEncoding, NodePath, Ref, UPPERMOST, find_leaf, find_path, hash_of_node, leaf_value)
from core.state.state_root cimport ACCOUNT_BYTES_MOST, StoredAccount
from core.state.trie_proof cimport PartialTrie, ProofResult, check_proof, encode_known
from core.state.world cimport World


cdef Hash hashed_bytes(bytes key) except *:
    cdef Hash hash
    c_keccak256(<const uint8_t*><const char*>key, len(key), &hash)
    return hash


cdef Hash hashed_slot(const u256& slot) except *:
    cdef uint8_t word[32]
    cdef Hash hash
    to_big_endian(slot, word)
    c_keccak256(word, 32, &hash)
    return hash


cdef tuple proof_of(const Node* root, const Hash& key, const Hash* account, const Leaf** leaf):
    """The nodes from a trie's root towards a hashed key, and its leaf (NULL: absent). `account`: in whose storage; null: among the accounts."""
    cdef NodePath path
    cdef MissingNode missing
    cdef tuple nodes
    cdef bytes node
    cdef size_t i
    if not find_path(root, key, &path, &missing):
        raise missing_node(missing, account)
    leaf[0] = path.leaf
    nodes = PyTuple_New(<Py_ssize_t>path.count)
    for i in range(path.count):
        node = kept_node(path.nodes[i]) if i < UPPERMOST else encoded_node(NodeEncoding(path.nodes[i]))
        Py_INCREF(node)  # the tuple takes one
        PyTuple_SET_ITEM(nodes, <Py_ssize_t>i, node)
    return nodes


cdef bytes encoded_node(const NodeEncoding& encoding):
    cdef bytes encoded = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>encoding.size())
    encoding.put(<uint8_t*>PyBytes_AS_STRING(encoded))
    return encoded


# Encodings of nodes near a root, which the proofs of many accounts have: by the node's hash, of which each has one place.
cdef enum:
    KEPT_NODES = 1024  # a state's three uppermost levels have 273

cdef Hash[KEPT_NODES] _kept_hashes
cdef list _kept_nodes = [None] * KEPT_NODES


cdef bytes kept_node(const Node* node):
    cdef const Hash* hash = hash_of_node(node)
    cdef size_t place
    cdef object kept
    if hash == NULL:
        return encoded_node(NodeEncoding(node))
    place = (hash.bytes[0] << 8 | hash.bytes[1]) % KEPT_NODES
    kept = _kept_nodes[place]
    if kept is None or not _kept_hashes[place] == hash[0]:
        kept = _kept_nodes[place] = encoded_node(NodeEncoding(node))
        _kept_hashes[place] = hash[0]
    return kept


cdef tuple kept_node_figures():
    sizes = [len(node) for node in _kept_nodes if node is not None]
    return len(sizes), KEPT_NODES, sum(sizes), None


cdef void forget_kept_nodes():
    _kept_nodes[:] = [None] * KEPT_NODES


cdef const Leaf* leaf_for(const Node* root, const Hash& key, const Hash* account) except? NULL:
    cdef MissingNode missing
    cdef const Leaf* leaf = find_leaf(root, key, &missing)
    if missing.is_missing:
        raise missing_node(missing, account)
    return leaf


cdef StoredAccount decode_leaf(const Leaf* leaf) except *:
    cdef Bytes value
    cdef StoredAccount account
    or_memory_error(leaf_value(leaf, &value))
    if not account.decode(ByteView(value.data(), value.size())):
        raise errors.EvmError("a leaf of the state's trie is no account")
    return account


cdef object _AccountProof = None  # of evmcore.proofs, which imports this module
cdef object _StorageProof = None


cdef int load_proof_types() except -1:
    global _AccountProof, _StorageProof
    if _AccountProof is None:
        from evmcore.proofs import AccountProof as _AccountProof, StorageProof as _StorageProof
    return 0


cdef object prove_account(const Node* trie, bytes address, list slots):
    """An AccountProof of what a trie, which somebody holds, has for an address and slots (ints)."""
    cdef Hash key = hashed_bytes(address)
    cdef Hash slot_key
    cdef const Leaf* leaf = NULL
    cdef const Leaf* slot_leaf = NULL
    cdef const Node* storage = NULL
    cdef StoredAccount account
    cdef Bytes value
    cdef size_t count = 0
    load_proof_types()
    nodes = proof_of(trie, key, NULL, &leaf)
    balance, nonce, code_hash, storage_root = 0, 0, _EMPTY_CODE_HASH, EMPTY_STORAGE_ROOT
    if leaf != NULL:
        account = decode_leaf(leaf)
        storage = leaf.storage()
        balance, nonce = to_int(account.balance), account.nonce
        if not account.code_hash == EMPTY_KECCAK:
            code_hash = from_hash_bytes(account.code_hash)
        if not account.storage_root == EMPTY_TRIE_ROOT:
            storage_root = from_hash_bytes(account.storage_root)
    storage_proofs = []
    for slot in slots:
        slot_key = hashed_slot(to_word(slot, "slot"))
        slot_nodes = proof_of(storage, slot_key, &key, &slot_leaf)
        number = 0
        if slot_leaf != NULL:
            or_memory_error(leaf_value(slot_leaf, &value))
            number = _slot_value(from_bytes(value))
        storage_proofs.append(_StorageProof(slot, number, slot_nodes))
        check_often(&count)
    # As its __init__ would, which for a frozen dataclass takes 1.2 µs of a proof's 4.
    proof = _AccountProof.__new__(_AccountProof)
    PyObject_GenericSetAttr(proof, "address", address)
    PyObject_GenericSetAttr(proof, "balance", balance)
    PyObject_GenericSetAttr(proof, "nonce", nonce)
    PyObject_GenericSetAttr(proof, "code_hash", code_hash)
    PyObject_GenericSetAttr(proof, "storage_root", storage_root)
    PyObject_GenericSetAttr(proof, "nodes", nodes)
    PyObject_GenericSetAttr(proof, "storage", tuple(storage_proofs))
    return proof


def _slot_value(encoded):
    """The number in a slot's leaf: its RLP."""
    return int.from_bytes(encoded if encoded[0] < 0x80 else encoded[1:], "big")


EMPTY_STORAGE_ROOT = bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")
_EMPTY_CODE_HASH = bytes.fromhex("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")


cdef enum:
    PROOF_NODES_MOST = 128  # one a nibble of the key would be 65


def check_trie_proof(root, bytes key not None, nodes, *, slot=None):
    """What nodes, from the root towards a key, prove of it: the value, or None if it is absent.

    root    of the trie, 32 bytes
    key     not hashed: a 20-byte address, or a slot's 32 bytes; a secure trie hashes it
    nodes   a list of bytes
    slot    what InvalidProof says it is about; None: the account
    raise   InvalidProof, which names the node at fault
    """
    cdef Hash root_hash = to_hash_value(root, "root")
    cdef Hash hash = hashed_bytes(key)
    cdef Vector[ByteView] views
    cdef ProofResult result
    cdef list kept = []  # what the views are of
    given = nodes if PyTuple_CheckExact(nodes) else to_list(nodes, "proof")
    if len(given) > PROOF_NODES_MOST:
        raise errors.InvalidProof(f"{len(given)} nodes, more than any way has", PROOF_NODES_MOST, None, slot)
    for node in given:
        data = to_data(node, "proof")
        kept.append(data)
        append_to(views, view_bytes(data))
    result = check_proof(root_hash, hash, views.data(), views.size())
    if result.fault != NULL:
        raise errors.InvalidProof(result.fault.decode(), result.index,
                                  from_hash_bytes(result.hash) if result.has_hash else None, slot)
    return from_view(result.value) if result.value.size else None


cdef bint is_plain_bytes(object value, Py_ssize_t size):
    return PyBytes_CheckExact(value) and PyBytes_GET_SIZE(value) == size


cdef bint is_plain_number(object value, unsigned bits):
    return PyLong_CheckExact(value) and value >= 0 and value.bit_length() <= bits


cdef bint are_plain_nodes(object nodes):
    if not PyTuple_CheckExact(nodes):
        return False
    for node in <tuple>nodes:
        if not PyBytes_CheckExact(node):
            return False
    return True


def is_plain_proof(proof):
    """Whether it is an AccountProof, and every field of just the type, and within the bounds, that it has when it is read from JSON."""
    load_proof_types()
    if not (type(proof) is _AccountProof and is_plain_bytes(proof.address, 20) and is_plain_bytes(proof.code_hash, 32) and is_plain_bytes(proof.storage_root, 32)
            and is_plain_number(proof.balance, 256) and is_plain_number(proof.nonce, 64) and are_plain_nodes(proof.nodes)
            and PyTuple_CheckExact(proof.storage)):
        return False
    for one in <tuple>proof.storage:
        if not (type(one) is _StorageProof and is_plain_number(one.slot, 256) and is_plain_number(one.value, 256)
                and are_plain_nodes(one.nodes)):
            return False
    return True


def account_leaf(nonce, balance, storage_root, code_hash):
    """The RLP of an account, as its leaf in the state's trie has it."""
    cdef StoredAccount account
    cdef uint8_t[ACCOUNT_BYTES_MOST] encoded
    account.nonce = to_u64(nonce, "nonce")
    account.balance = to_word(balance, "balance")
    account.storage_root = to_hash_value(storage_root, "storage_root")
    account.code_hash = to_hash_value(code_hash, "code_hash")
    return (<const char*>encoded)[:account.encode(encoded)]


# ---------------------------------------------------------------- states of which a part is known


cdef class _WitnessSource:
    """The source of a state that came from a witness: looks up what the state lacks in the trie as it was before."""
    cdef Ref trie
    cdef dict codes
    cdef shared_ptr[LocalReads] reads  # the same for workers

    def __dealloc__(self):
        self.reads.reset()
        let_go_of_trie(&self.trie)

    def __call__(self, keys):
        cdef size_t count = 0
        answers = {}
        for address, slot in keys:
            answers[address, slot] = self.account(address) if slot is None else self.slot(address, slot)
            check_often(&count)
        return answers

    cdef object account(self, bytes address):
        cdef const Leaf* leaf = leaf_for(self.trie.get(), hashed_bytes(address), NULL)
        cdef StoredAccount account
        if leaf == NULL:
            return None
        account = decode_leaf(leaf)
        code_hash = from_hash_bytes(account.code_hash)
        code = b"" if code_hash == _EMPTY_CODE_HASH else self.codes.get(code_hash)
        return {"balance": to_int(account.balance), "nonce": account.nonce, "code": code, "code_hash": code_hash,
                "storage_root": from_hash_bytes(account.storage_root)}

    cdef object slot(self, bytes address, object slot):
        cdef Hash key = hashed_bytes(address)
        cdef const Leaf* leaf = leaf_for(self.trie.get(), key, NULL)
        cdef Bytes value
        if leaf == NULL:
            return 0
        leaf = leaf_for(leaf.storage(), hashed_slot(to_word(slot, "slot")), &key)
        if leaf == NULL:
            return 0
        or_memory_error(leaf_value(leaf, &value))
        return _slot_value(from_bytes(value))


cdef extern from *:
    """
    static std::shared_ptr<evmcore::LocalReads> evmcore_make_local(const EvmcoreLocalSource& source, bool is_part) {
        return std::make_shared<evmcore::LocalReads>(source, is_part);
    }
    """
    shared_ptr[LocalReads] make_local "evmcore_make_local"(const EvmcoreLocalSource&, cbool is_part) except +


cdef _WitnessSource witness_source(object nodes, object codes, object state_root):
    """Of the nodes and codes of a witness, whose trie has that root."""
    cdef _WitnessSource source = _WitnessSource.__new__(_WitnessSource)
    cdef PartialTrie partial
    cdef Hash root = to_hash_value(state_root, "state_root")
    cdef size_t count = 0
    cdef Vector[ByteView] views
    cdef Vector[Hash] hashes
    cdef size_t i
    cdef cbool is_built
    cdef bytes node
    kept = [to_data(item, "witness.state") for item in to_list(nodes, "witness.state")]
    for node in kept:
        if len(node) > _TRIE_NODE_BYTES_MOST:
            raise errors.InvalidWitness("it is longer than any node", keccak256(node))
        append_to(views, view_bytes(node))
        check_often(&count)
    with nogil:
        is_built = partial.add(views.data(), views.size()) and partial.build(root, &source.trie)
    if not is_built:
        or_memory_error(partial.fault != NULL)
        raise errors.InvalidWitness(partial.fault.decode(), from_hash_bytes(partial.fault_node))
    views.clear()
    kept = [to_data(item, "witness.codes") for item in to_list(codes, "witness.codes")]
    for node in kept:
        append_to(views, view_bytes(node))
    or_memory_error(hashes.resize(views.size()))
    with nogil:
        is_built = hash_many(views.data(), views.size(), hashes.data())
    or_memory_error(is_built)
    source.codes = {from_hash_bytes(hashes[i]): code for i, code in enumerate(kept)}
    source.reads = reads_of_part(source.trie, source.codes)
    return source


cdef shared_ptr[LocalReads] reads_of_part(const Ref& trie, dict codes) except *:
    cdef shared_ptr[LocalReads] reads
    cdef PartSource* part = PartSource.create(trie)
    cdef bytes code
    or_memory_error(part != NULL)
    try:
        for hash, code in codes.items():
            or_memory_error(part.add_code(view_bytes(code), to_hash_value(hash, "code_hash")))
        reads = make_local(part.table(), True)
    finally:
        part.release()
    return reads


_TRIE_NODE_BYTES_MOST = 1024  # core/state/trie_proof.hpp


cdef int raise_missing_node(World* world) except -1:
    """What a state root inside a block lacked, if that was why there is none."""
    cdef MissingNode missing = world.missing_node
    if missing.is_missing:
        world.missing_node.is_missing = False
        raise missing_node(missing, &world.missing_node_account if world.is_missing_in_storage else NULL)
    return 0


cdef list known_nodes(const Node* root):
    """The encodings of all nodes of a hashed trie that are known, storage tries too, each once."""
    cdef Vector[Bytes] nodes
    cdef size_t i
    cdef size_t count = 0
    cdef cbool is_done
    with nogil:
        is_done = encode_known(root, &nodes)
    or_memory_error(is_done)
    found = set()
    for i in range(nodes.size()):
        found.add(from_bytes(nodes[i]))
        check_often(&count)
    return sorted(found)


cdef list known_codes(World* world):
    """The codes that accounts of a state have, as far as their bytes are there."""
    cdef size_t i
    cdef size_t count = 0
    found = set()
    for i in range(world.account_count()):
        if world.record(i).code != NULL and world.record(i).code.has_bytes():
            found.add(from_view(view_of(world.record(i).code)))
        check_often(&count)
    return sorted(found)
