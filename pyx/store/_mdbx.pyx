# cython: language_level=3, binding=True
# distutils: language = c++
"""A chain's database in libmdbx, as evmcore.store uses it: Database, Snapshot, Writer.

An extension of its own: the core knows it by nothing but the table of functions that a snapshot gives (core/state/local_source.hpp).
Faults raise DatabaseFault with libmdbx's number. Reads and writes of a block run without the GIL.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from libc.stdint cimport uint8_t, uint64_t, uintptr_t
from libcpp cimport bool as cbool
from libcpp.memory cimport make_shared, shared_ptr, weak_ptr
from libcpp.string cimport string
from libcpp.vector cimport vector


cdef extern from "<string_view>" namespace "std" nogil:
    cppclass string_view:
        string_view()
        string_view(const char*, size_t)
        const char* data()
        size_t size()


cdef extern from "core/state/local_source.hpp" nogil:
    cppclass EvmcoreLocalSource:
        pass
    const char* EVMCORE_LOCAL_SOURCE_CAPSULE


cdef extern from "store/database.hpp" namespace "evmstore" nogil:
    cppclass Table:
        pass
    int TABLE_COUNT
    int MDBX_OK
    int MDBX_NOT_FOUND
    const char** TABLE_NAMES
    cbool set_symbol(const char*, void*)
    vector[string] symbol_names() except +
    cppclass CDatabase "evmstore::Database":
        CDatabase(size_t cache_bytes, size_t journal_bytes) except +
        int open(const char* path, uint64_t most_bytes) except +
        cbool is_of_this_process()
        @staticmethod
        string text_of(int) except +
        int put_pending_nodes(string_view) except +
        void* env
    cppclass CSnapshot "evmstore::Snapshot":
        @staticmethod
        CSnapshot* open(const shared_ptr[CDatabase]&, int*) except +
        void release()
        int get(Table, string_view, string_view*)
        int entries(Table, uint64_t*)
        cbool take_back(string_view) except +
        int cells(cbool of_journal, string*, string*) except +
        EvmcoreLocalSource source()
    cppclass CWriter "evmstore::Writer":
        CWriter(shared_ptr[CDatabase]) except +
        int begin()
        int commit() except +
        void abort()
        int get(Table, string_view, string_view*)
        int put(Table, string_view, string_view) except +
        int put_places(Table, string_view, string_view) except +
        int remove(Table, string_view) except +
        int first(Table, string_view, string*, string*) except +
        int put_accounts(const uint8_t*, size_t, const uint8_t*, size_t) except +
        int put_nodes(string_view) except +
        int clear_storage(string_view) except +
        int take_back(string_view) except +
        int settle() except +
        cbool is_settled()
        string undo


cdef extern from *:
    """
    // Up to `most` rows from the first that isn't below `from`: (key, value) one after the other.
    static int evmstore_rows(evmstore::Snapshot* snapshot, evmstore::Table table, std::string from, size_t most,
                             std::vector<std::string>* out) {
        return snapshot->scan(table, std::move(from), [&](std::string_view key, std::string_view value) {
            out->emplace_back(key);
            out->emplace_back(value);
            return out->size() < 2 * most;
        });
    }
    static void evmstore_append_size(std::string* out, size_t size, unsigned char first) {
        unsigned bytes = 0;
        if (size < 56) {
            out->push_back(static_cast<char>(first + size));
            return;
        }
        for (size_t rest = size; rest != 0; rest >>= 8)
            ++bytes;
        out->push_back(static_cast<char>(first + 55 + bytes));
        while (bytes-- != 0)
            out->push_back(static_cast<char>(size >> 8 * bytes));
    }
    // As RLP has a string (Yellow Paper, appendix B).
    static void evmstore_append_string(std::string* out, std::string_view item) {
        if (item.size() != 1 || static_cast<unsigned char>(item[0]) >= 0x80)
            evmstore_append_size(out, item.size(), 0x80);
        out->append(item);
    }
    static void evmstore_append_list(std::string* out, const std::string& payload) {
        evmstore_append_size(out, payload.size(), 0xc0);
        out->append(payload);
    }
    static evmstore::Table evmstore_table(int number) { return static_cast<evmstore::Table>(number); }
    static int evmstore_copy(evmstore::Database* database, const char* path) {
        return evmstore::mdbx.mdbx_env_copy(database->env, path, 1);  // MDBX_CP_COMPACT
    }
    """
    int rows_of "evmstore_rows"(CSnapshot*, Table, string, size_t, vector[string]*) except + nogil
    void append_string "evmstore_append_string"(string*, string_view) except +
    void append_list "evmstore_append_list"(string*, const string&) except + nogil
    Table table_of "evmstore_table"(int) nogil
    int copy_of "evmstore_copy"(CDatabase*, const char*) nogil


class DatabaseFault(Exception):
    """`.code` is libmdbx's number, or the system's."""

    def __init__(self, code, text):
        super().__init__(code, text)
        self.code = code
        self.text = text


TABLES = tuple([TABLE_NAMES[i].decode() for i in range(TABLE_COUNT)])
cdef dict _NUMBERS = {name: number for number, name in enumerate(TABLES)}


def symbols():
    """The names of libmdbx's functions that are called."""
    return [name.decode() for name in symbol_names()]


def set_address(name, address):
    """Give a function its address, before the first database is opened."""
    if not set_symbol(name.encode(), <void*><uintptr_t>address):
        raise ValueError(f"no symbol {name!r}")


cdef Table number_of(str table) except *:
    return table_of(<int>_NUMBERS[table])


cdef string_view view(bytes data):
    return string_view(PyBytes_AS_STRING(data), <size_t>PyBytes_GET_SIZE(data))


cdef bytes bytes_of(string_view found):
    return PyBytes_FromStringAndSize(found.data(), <Py_ssize_t>found.size())


cdef int check(int code) except -1:
    if code != MDBX_OK:
        raise DatabaseFault(code, CDatabase.text_of(code).decode("utf-8", "replace"))
    return 0


cdef class Database:
    """An open database, with a cache of rows; an empty one gets its tables. Closed when its snapshots and writers are gone, too."""
    cdef shared_ptr[CDatabase] core

    def __init__(self, str path not None, uint64_t most_bytes, size_t cache_bytes, size_t journal_bytes):
        cdef shared_ptr[CDatabase] made = make_shared[CDatabase](cache_bytes, journal_bytes)
        cdef bytes name = path.encode("utf-8", "surrogateescape")
        cdef const char* text = name
        cdef int code
        with nogil:
            code = made.get().open(text, most_bytes)
        check(code)
        self.core = made

    @property
    def is_of_this_process(self):
        """Whether it was opened in this process, not in one that it was forked from."""
        return self.core.get().is_of_this_process()

    @property
    def holders(self):
        """How many hold it open: this, its snapshots, its writers."""
        return self.core.use_count()

    def put_nodes(self, bytes rows not None):
        """The nodes that follow from what is in the journal (`StateTrie.nodes_since`), before a snapshot that reads them is made."""
        cdef string_view given = view(rows)
        cdef int code
        with nogil:
            code = self.core.get().put_pending_nodes(given)
        check(code)

    def copy_to(self, str path not None):
        """Write a compacted copy to a file that isn't there yet."""
        cdef bytes name = path.encode("utf-8", "surrogateescape")
        cdef const char* text = name
        cdef int code
        with nogil:
            code = copy_of(self.core.get(), text)
        check(code)


cdef class WeakDatabase:
    """A database that is closed when nobody else holds it."""
    cdef weak_ptr[CDatabase] core

    def __cinit__(self, Database database not None):
        self.core = weak_ptr[CDatabase](database.core)

    def get(self):
        """The Database, if it is open still; else None."""
        cdef shared_ptr[CDatabase] held = self.core.lock()
        cdef Database database
        if held.get() == NULL:
            return None
        database = Database.__new__(Database)
        database.core = held
        return database


cdef void free_capsule(object capsule) noexcept:
    cdef EvmcoreLocalSource* table = <EvmcoreLocalSource*>PyCapsule_GetPointer(capsule, EVMCORE_LOCAL_SOURCE_CAPSULE)
    del table


cdef class Snapshot:
    """A database as it is now, whatever is written later. Any thread may read it."""
    cdef CSnapshot* core

    def __cinit__(self, Database database not None):
        cdef int code = 0
        self.core = CSnapshot.open(database.core, &code)
        check(code)

    def __dealloc__(self):
        if self.core != NULL:
            self.core.release()

    def get(self, str table not None, bytes key not None):
        """The value of a key; None: there is none."""
        cdef string_view found
        cdef int code = self.core.get(number_of(table), view(key), &found)
        if code == MDBX_NOT_FOUND:
            return None
        check(code)
        return bytes_of(found)

    def rows(self, str table not None, bytes start=b"", size_t most=1000):
        """[(key, value)] of up to `most` rows, ascending, from the first whose key isn't below `start`."""
        cdef vector[string] found
        cdef Table number = number_of(table)
        cdef string begin = start
        cdef int code
        cdef size_t i
        with nogil:
            code = rows_of(self.core, number, begin, most, &found)
        check(code)
        return [(bytes_of(string_view(found[i].data(), found[i].size())),
                 bytes_of(string_view(found[i + 1].data(), found[i + 1].size()))) for i in range(0, found.size(), 2)]

    def entries(self, str table not None):
        """How many rows a table has."""
        cdef uint64_t count = 0
        check(self.core.entries(number_of(table), &count))
        return count

    def take_back(self, bytes undo not None):
        """Read as before a block, whose undo rows these are: the newest block's first. Before anybody else reads it. False: they are none."""
        return self.core.take_back(view(undo))

    def cells(self, *, bint of_journal):
        """Rows of `Changes.accounts` and `.slots`, bytes: what accounts and slots are that were taken back, or that are in the journal."""
        cdef string accounts
        cdef string slots
        cdef int code
        with nogil:
            code = self.core.cells(of_journal, &accounts, &slots)
        check(code)
        return (bytes_of(string_view(accounts.data(), accounts.size())), bytes_of(string_view(slots.data(), slots.size())))

    def source(self):
        """The capsule that `State.from_local` takes; its holder has to hold the snapshot as well until then."""
        cdef EvmcoreLocalSource* table = new EvmcoreLocalSource()
        table[0] = self.core.source()
        return PyCapsule_New(<void*>table, EVMCORE_LOCAL_SOURCE_CAPSULE, free_capsule)


cdef class Writer:
    """The one transaction that writes, from `begin` to `commit` or `abort`. One thread's."""
    cdef CWriter* core

    def __cinit__(self, Database database not None):
        self.core = new CWriter(database.core)

    def __dealloc__(self):
        del self.core

    def begin(self):
        cdef int code
        with nogil:
            code = self.core.begin()
        check(code)

    def commit(self):
        """Durable when it returns; nothing of it is there if it raises."""
        cdef int code
        with nogil:
            code = self.core.commit()
        check(code)

    def abort(self):
        self.core.abort()

    def get(self, str table not None, bytes key not None):
        cdef string_view found
        cdef int code = self.core.get(number_of(table), view(key), &found)
        if code == MDBX_NOT_FOUND:
            return None
        check(code)
        return bytes_of(found)

    def put(self, str table not None, bytes key not None, bytes value not None):
        check(self.core.put(number_of(table), view(key), view(value)))

    def put_list(self, str table not None, bytes key not None, tuple items not None):
        """The RLP of a list of strings."""
        cdef string payload
        cdef string encoded
        cdef bytes item
        cdef Table number = number_of(table)
        cdef string_view name = view(key)
        cdef int code
        for item in items:
            append_string(&payload, view(item))
        with nogil:
            append_list(&encoded, payload)
            code = self.core.put(number, name, string_view(encoded.data(), encoded.size()))
        check(code)

    def put_places(self, str table not None, list keys not None, bytes start not None):
        """To each key `start` and its index, in 4 bytes: keys of 32 bytes."""
        cdef string joined = b"".join(keys)
        cdef string_view begin = view(start)
        cdef Table number = number_of(table)
        cdef int code
        if joined.size() != 32 * <size_t>len(keys):
            raise ValueError("keys: not all have 32 bytes")
        with nogil:
            code = self.core.put_places(number, string_view(joined.data(), joined.size()), begin)
        check(code)

    def remove(self, str table not None, bytes key not None):
        check(self.core.remove(number_of(table), view(key)))

    def first(self, str table not None, bytes start=b""):
        """(key, value) of the first row whose key isn't below `start`; None: there is none."""
        cdef string key
        cdef string value
        cdef int code = self.core.first(number_of(table), view(start), &key, &value)
        if code == MDBX_NOT_FOUND:
            return None
        check(code)
        return bytes_of(string_view(key.data(), key.size())), bytes_of(string_view(value.data(), value.size()))

    def put_accounts(self, const uint8_t[::1] accounts, size_t account_count, const uint8_t[::1] slots, size_t slot_count):
        """The values after changes: rows of `Changes.accounts` and `.slots`. What was there goes to `undo`."""
        cdef int code
        cdef const uint8_t* first = &accounts[0] if account_count else NULL
        cdef const uint8_t* second = &slots[0] if slot_count else NULL
        with nogil:
            code = self.core.put_accounts(first, account_count, second, slot_count)
        check(code)

    def put_nodes(self, bytes rows not None):
        """`StateTrie.nodes_since`, of a trie that the database has."""
        cdef string_view given = view(rows)
        cdef int code
        with nogil:
            code = self.core.put_nodes(given)
        check(code)

    def clear_storage(self, bytes address not None):
        """Remove an account's slots; they go to `undo`."""
        cdef string_view given = view(address)
        cdef int code
        with nogil:
            code = self.core.clear_storage(given)
        check(code)

    @property
    def is_settled(self):
        """Whether the tables are all that there is, and nothing is in the journal alone."""
        return self.core.is_settled()

    def take_back(self, bytes undo not None):
        """Put back what was there before a block."""
        cdef string_view given = view(undo)
        cdef int code
        with nogil:
            code = self.core.take_back(given)
        check(code)

    def settle(self):
        """Write all that is in the journal to its tables, and what changes from now on in this transaction as well."""
        cdef int code
        with nogil:
            code = self.core.settle()
        check(code)

    def take_undo(self):
        """The undo rows noted so far, which are then forgotten."""
        cdef bytes noted = bytes_of(string_view(self.core.undo.data(), self.core.undo.size()))
        self.core.undo.clear()
        return noted
