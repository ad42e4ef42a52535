# Floor 8: a state's trie by itself: kept beside a database from block to block, brought up to date by rows, and what of it is new.
from libcpp.memory cimport shared_ptr

from core.base.types cimport Hash
from core.state.cell_rows cimport AccountCells, CellRows, SlotCells
from core.state.local_reads cimport LocalReads
from core.state.local_source cimport EVMCORE_LOCAL_SOURCE_CAPSULE, EVMCORE_LOCAL_SOURCE_VERSION, EvmcoreLocalSource
from core.state.shared_trie cimport cut_trie, make_unknown_root, NodeSource, Ref, trie_root_hash, trie_size_bytes
from core.state.trie_rows cimport TrieDifference

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_IsValid

cdef extern from *:
    """
    static void evmcore_share(const evmcore::shared_trie::Ref& from, evmcore::shared_trie::Ref* to) { *to = from.share(); }
    static void evmcore_share_local(evmcore::LocalReads* from, evmcore::shared_trie::Ref* to) { *to = from->trie(); }
    """
    void share_trie "evmcore_share"(const Ref&, Ref*) noexcept
    void share_local_trie "evmcore_share_local"(LocalReads*, Ref*) noexcept


cdef shared_ptr[LocalReads] local_of(object source) except *:
    """A capsule's table, to be read."""
    cdef EvmcoreLocalSource* table
    if not PyCapsule_IsValid(source, EVMCORE_LOCAL_SOURCE_CAPSULE):
        raise TypeError(f"source: expected a capsule {EVMCORE_LOCAL_SOURCE_CAPSULE.decode()}, got {type(source).__name__}")
    table = <EvmcoreLocalSource*>PyCapsule_GetPointer(source, EVMCORE_LOCAL_SOURCE_CAPSULE)
    if table.version != EVMCORE_LOCAL_SOURCE_VERSION:
        raise ValueError(f"source: version {table.version}, expected {EVMCORE_LOCAL_SOURCE_VERSION}")
    return make_local(table[0], False)


@cython.final
cdef class StateTrie:
    """The trie of a state as of a root: frozen, and shared with the state and with those that follow from it.

    root    32 bytes: its nodes are then known by that alone, and read from a database when they are needed

    `State.trie` gives that of a state. Any thread.
    """
    cdef Ref trie

    def __dealloc__(self):
        let_go_of_trie(&self.trie)

    def __init__(self, root):
        cdef Hash hash = to_hash_value(root, "root")
        cdef Ref made
        or_memory_error(make_unknown_root(hash, &made))
        if self.trie.get() != NULL:
            raise TypeError("a StateTrie is made once; make another one")
        share_trie(made, &self.trie)

    @property
    def root(self):
        """32 bytes."""
        return from_hash_bytes(trie_root_hash(self.trie.get()))

    @property
    def size_bytes(self):
        """Memory of the nodes that are known, of which others may hold some, too."""
        return trie_size_bytes(self.trie.get())

    def cut(self, size_t most_bytes):
        """The same trie in about so much memory: of what lies deepest only the hash is known, and it has to be read again."""
        cdef StateTrie made = StateTrie.__new__(StateTrie)
        or_memory_error(cut_trie(self.trie, most_bytes, &made.trie))
        return made

    def updated(self, const uint8_t[::1] accounts, const uint8_t[::1] slots, source):
        """(this trie with all that was read for it, the trie with the values after changes).

        accounts, slots  the bytes of rows as `Changes.accounts` and `.slots` are (evmcore.changes); what is before is not read
        source           the capsule of a database that has this trie (`State.from_local`); None: nothing needs to be read
        raise            MissingNode if it lacks a node; ValueError for rows that can't be
        """
        cdef shared_ptr[LocalReads] local
        cdef NodeSource nodes
        cdef StateTrie known = StateTrie.__new__(StateTrie)
        cdef StateTrie after = StateTrie.__new__(StateTrie)
        cdef const AccountCells* first
        cdef const SlotCells* second
        cdef size_t account_count = <size_t>accounts.shape[0] // sizeof(AccountCells)
        cdef size_t slot_count = <size_t>slots.shape[0] // sizeof(SlotCells)
        cdef _Lease lease
        cdef CellRows* rows
        cdef cbool is_done = False
        first = <const AccountCells*>rows_given(accounts, sizeof(AccountCells), "accounts")
        second = <const SlotCells*>rows_given(slots, sizeof(SlotCells), "slots")
        if source is not None:
            local = local_of(source)
            nodes = local.get().nodes()
        lease = lease_signals()
        rows = new CellRows(lease.poll)
        try:
            with nogil:
                if rows.open(first, account_count, second, slot_count):
                    is_done = rows.apply(self.trie, nodes, &known.trie, &after.trie)
            lease.finish_whole("a trie")
            if rows.fault != NULL:
                raise ValueError(f"rows: {rows.fault.decode()}")
            if rows.missing.is_missing:
                raise missing_node(rows.missing, &rows.account if rows.is_in_storage else NULL)
            or_memory_error(is_done)
        finally:
            del rows
        return known, after

    def nodes_since(self, StateTrie before not None, source, accounts=None, slots=None):
        """The nodes that another trie doesn't have at their places, and those that it has and this one hasn't: rows for a database
        (pyx/core/state/trie_rows.hpp), bytes.

        source           the capsule of a database that has the trie `before`; None: nothing needs to be read
        accounts, slots  rows as for `updated`: ValueError, with the hashed address, if the tries differ in anything else
        raise            MissingNode if it takes a node that the source lacks
        """
        cdef shared_ptr[LocalReads] local
        cdef NodeSource nodes
        if source is not None:
            local = local_of(source)
            nodes = local.get().nodes()
        return nodes_between(before, self, nodes, accounts, slots)

    def __reduce__(self):
        raise TypeError("a StateTrie has no pickled form; its state has")

    def __repr__(self):
        return f"<StateTrie 0x{self.root.hex()}>"


cdef const uint8_t* rows_given(const uint8_t[::1] rows, size_t size_bytes, str name) except? NULL:
    if rows.shape[0] % <Py_ssize_t>size_bytes:
        raise ValueError(f"{name}: {rows.shape[0]} bytes, rows have {size_bytes}")
    return &rows[0] if rows.shape[0] else NULL


cdef int check_rows(const uint8_t[::1] accounts, const uint8_t[::1] slots, StateTrie before, StateTrie after,
                    TrieDifference* difference) except -1:
    """Whether these rows are what two tries differ by."""
    cdef _Lease lease
    cdef CellRows* rows
    cdef const char* wrong = NULL
    cdef cbool is_open
    cdef const AccountCells* first = <const AccountCells*>rows_given(accounts, sizeof(AccountCells), "accounts")
    cdef const SlotCells* second = <const SlotCells*>rows_given(slots, sizeof(SlotCells), "slots")
    cdef size_t account_count = <size_t>accounts.shape[0] // sizeof(AccountCells)
    cdef size_t slot_count = <size_t>slots.shape[0] // sizeof(SlotCells)
    lease = lease_signals()
    rows = new CellRows(lease.poll)
    try:
        with nogil:
            is_open = rows.open(first, account_count, second, slot_count)
            if is_open:
                wrong = rows.check(before.trie.get(), after.trie.get(), difference[0])
        lease.finish_whole("a trie")
        if rows.fault != NULL:
            raise ValueError(f"rows: {rows.fault.decode()}")
        or_memory_error(is_open and not rows.failed)
        if wrong != NULL:
            raise ValueError(f"{wrong.decode()}: hashed address 0x{from_hash_bytes(rows.account).hex()}")
    finally:
        del rows
    return 0


cdef bytes nodes_between(StateTrie before, StateTrie after, const NodeSource& source, accounts, slots):
    """`StateTrie.nodes_since`."""
    cdef _Lease lease = lease_signals()
    cdef TrieDifference* difference = new TrieDifference(source, lease.poll)
    cdef cbool is_done
    try:
        with nogil:
            is_done = difference.find(before.trie.get(), after.trie.get())
        lease.finish_whole("the nodes of a trie")
        if difference.missing.is_missing:
            raise missing_node(difference.missing, &difference.account if difference.is_in_storage else NULL)
        or_memory_error(is_done)
        if accounts is not None:
            check_rows(accounts, slots, before, after, difference)
        return from_bytes(difference.rows)
    finally:
        del difference
