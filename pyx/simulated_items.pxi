# Floor 8: what is asked of a simulation, out of Python: dicts and Transactions, or arrays with a column for each field.
from cpython.buffer cimport PyBUF_STRIDED_RO, PyBuffer_Release, PyObject_GetBuffer

from core.base.types cimport Address, Hash
from core.vm.simulation cimport AskedSlot, Column, SimulatedItem, SimulatedRow, Simulation


cdef enum:
    ITEMS_READY_AT_ONCE = 64  # bundles that are made before the workers are told
    MOST_COLUMNS = 8


cdef str NAME_TO = "to"
cdef str NAME_SENDER = "sender"
cdef str NAME_DATA = "data"
cdef str NAME_VALUE = "value"
cdef str NAME_GAS = "gas"
cdef str NAME_GAS_PRICE = "gas_price"


cdef class _Simulation:
    """What is asked, with the Python objects it borrows from, and the room for the answers."""
    cdef Simulation core
    cdef list items     # as given; of bundles a list each
    cdef list kept      # Transactions, data
    cdef size_t made    # bundles whose items are in the core
    cdef bint is_bundled
    cdef bint has_long_bundles
    cdef bytes rows
    cdef bytes values
    cdef object known_sender  # given last, and what it stands for: many items mostly name a few
    cdef object known_to
    cdef Address sender_address
    cdef Address to_address
    cdef Py_buffer buffers[MOST_COLUMNS]
    cdef int buffer_count

    def __cinit__(self):
        self.kept = []

    def __dealloc__(self):
        for i in range(self.buffer_count):
            PyBuffer_Release(&self.buffers[i])

    cdef int count(self, object items, bint is_bundled) except -1:
        """Take the items as they are, and make room for them, so that they won't move once workers read them."""
        cdef size_t count = 0
        cdef list bundle
        self.is_bundled = is_bundled
        self.items = list(items) if type(items) is list else to_list(items, "bundles" if is_bundled else "calls")
        self.core.bundle_count = self.core.item_count = <size_t>len(self.items)
        if self.core.bundle_count > 0xFFFF0000:
            raise ValueError(f"bundles: {self.core.bundle_count} are too many")
        if is_bundled:
            self.core.item_count = 0
            for i in range(len(self.items)):
                bundle = to_list(self.items[i], "bundles")
                self.items[i] = bundle
                self.core.item_count += <size_t>len(bundle)
                self.has_long_bundles = self.has_long_bundles or len(bundle) > 1
                check_often(&count)
            or_memory_error(self.core.bundle_ends.reserve(self.core.bundle_count))
            self.core.first_end = self.core.bundle_ends.data()
        or_memory_error(self.core.items.reserve(self.core.item_count))
        self.core.first_item = self.core.items.data()
        return 0

    cdef int make_rows(self) except -1:
        """Room for the answers."""
        self.rows = PyBytes_FromStringAndSize(NULL, self.core.item_count * sizeof(SimulatedRow))
        self.values = PyBytes_FromStringAndSize(NULL, self.core.item_count * 32 * (self.core.balances.size() + self.core.slots.size()))
        self.core.rows = <SimulatedRow*>PyBytes_AS_STRING(self.rows)
        self.core.values = <Hash*>PyBytes_AS_STRING(self.values)
        return 0

    cdef bytes gather(self):
        """All outputs in the order of the items."""
        cdef bytes outputs = PyBytes_FromStringAndSize(NULL, self.core.output_size())
        cdef uint8_t* all = <uint8_t*>PyBytes_AS_STRING(outputs)
        with nogil:
            self.core.gather(all)
        return outputs

    cdef int make_items(self) except -1:
        """Make what the core executes of all items that aren't made yet, and tell the workers of it as it comes."""
        cdef size_t count = 0
        while self.made < self.core.bundle_count:
            item = self.items[self.made]
            if self.is_bundled:
                for one in <list>item:
                    self.add(one)
                append_to(self.core.bundle_ends, self.core.items.size())
            else:
                self.add(item)
            self.made += 1
            if self.made % ITEMS_READY_AT_ONCE == 0:
                self.core.set_ready(self.made)
            check_often(&count)
        return 0

    cdef int add(self, object item) except -1:
        cdef SimulatedItem made
        if isinstance(item, dict):
            self.read_message(<dict>item, &made)
        elif isinstance(item, Transaction):
            made.transaction = core_transaction(item)
            self.kept.append(item)
        else:
            raise TypeError(f"calls: expected a dict or a Transaction, got {type(item).__name__}")
        append_to(self.core.items, made)
        return 0

    cdef int read_message(self, dict item, SimulatedItem* made) except -1:
        made.gas = self.core.default_gas
        made.is_create = True
        for name, value in item.items():
            # Names that are literals are these very objects.
            if name is NAME_TO or name is NAME_SENDER or name is NAME_DATA or name is NAME_VALUE or name is NAME_GAS:
                self.read_field(name, value, made)
            else:
                self.read_field(self.known_name(name), value, made)
        return 0

    cdef str known_name(self, object name):
        for known in (NAME_TO, NAME_SENDER, NAME_DATA, NAME_VALUE, NAME_GAS, NAME_GAS_PRICE):
            if name == known:
                return known
        raise TypeError(f"calls: a message has no {shown(name)}")

    cdef int read_field(self, str name, object value, SimulatedItem* made) except -1:
        cdef bytes data
        if name is NAME_TO:
            made.is_create = value is None
            if value is not None:
                if value is not self.known_to:
                    self.to_address = to_address_value(value, "to")
                    self.known_to = value if is_unchanging(value) else None
                made.to = self.to_address
        elif name is NAME_SENDER:
            if value is None or value is not self.known_sender:
                self.sender_address = to_address_value(value, "sender")
                self.known_sender = value if is_unchanging(value) else None
            made.sender = self.sender_address
        elif name is NAME_DATA:
            data = to_data(value, "data")
            self.kept.append(data)
            made.data, made.data_size = <const uint8_t*>PyBytes_AS_STRING(data), <size_t>len(data)
        elif name is NAME_VALUE:
            made.value = to_word(value, "value")
        elif name is NAME_GAS:
            if value is not None:
                made.gas = min(to_u64(value, "gas"), <uint64_t>INT64_MAX)
        else:
            made.gas_price = to_word(value, "gas_price")
        return 0

    cdef int want(self, object balances, object slots) except -1:
        cdef AskedSlot asked
        for address in balances:
            append_to(self.core.balances, to_address_value(address, "balances"))
        for item in slots:
            address, key = to_parts(item, 2, "slots", "(address, slot)")
            asked.address, asked.key = to_address_value(address, "slots"), to_word(key, "slots")
            append_to(self.core.slots, asked)
        return 0

    cdef int take_columns(self, dict columns, size_t count) except -1:
        """The arrays of evmcore/call_columns.py: of addresses, data and large numbers (messages, bytes), of small numbers (messages,) of
        64 bits. `data` that is the same for all, or of which each has its part, is bytes."""
        self.core.has_columns = True
        self.core.bundle_count = self.core.item_count = count
        if count > 0xFFFF0000:
            raise ValueError(f"calls: {count} are too many")
        self.made = self.core.bundle_count
        for name, column in columns.items():
            if name == "sender":
                self.take_column(column, name, &self.core.columns.sender, (20,))
            elif name == "to":
                self.take_column(column, name, &self.core.columns.to, (20,))
            elif name == "value":
                self.take_column(column, name, &self.core.columns.value, (8, 32))
            elif name == "gas":
                self.take_column(column, name, &self.core.columns.gas, (8,))
            elif name == "gas_price":
                self.take_column(column, name, &self.core.columns.gas_price, (8, 32))
            elif name == "data_begin":
                self.take_column(column, name, &self.core.columns.data_begin, (8,))
            elif name == "data_size":
                self.take_column(column, name, &self.core.columns.data_size, (8,))
            elif isinstance(column, bytes):
                self.kept.append(column)
                self.core.columns.data.first = <const uint8_t*>PyBytes_AS_STRING(column)
                self.core.columns.data.width = <size_t>len(column)
            else:
                self.take_column(column, name, &self.core.columns.data, ())
        self.check_parts(columns)
        return 0

    cdef int check_parts(self, dict columns) except -1:
        """Each part lies within the data."""
        cdef size_t outside
        if ("data_begin" in columns) != ("data_size" in columns):
            raise TypeError("calls: data_begin and data_size go together")
        if "data_size" not in columns:
            return 0
        if not isinstance(columns.get("data"), bytes):
            raise TypeError("data: with data_begin and data_size it is bytes")
        outside = self.core.columns.first_outside(self.core.item_count)
        if outside < self.core.item_count:
            raise ValueError(f"data: {self.core.columns.data_size.small(outside)} bytes from {self.core.columns.data_begin.small(outside)} "
                             f"on, of call {outside}, in {self.core.columns.data.width}")
        return 0

    cdef int take_column(self, object array, str name, Column* column, tuple widths) except -1:
        cdef Py_buffer* buffer = &self.buffers[self.buffer_count]
        cdef Py_ssize_t width
        if self.buffer_count == MOST_COLUMNS:
            raise ValueError("calls: too many columns")
        PyObject_GetBuffer(array, buffer, PyBUF_STRIDED_RO)
        self.buffer_count += 1
        width = buffer.itemsize if buffer.ndim == 1 else buffer.shape[1] if buffer.ndim == 2 else -1
        if (width < 0 or <size_t>buffer.shape[0] != self.core.item_count or (widths and width not in widths)
                or (buffer.ndim == 2 and (buffer.itemsize != 1 or (width > 1 and buffer.strides[1] != 1)))):
            raise ValueError(f"{name}: an array of {buffer.ndim} dimensions and {buffer.itemsize} bytes an item")
        column.first, column.stride, column.width = <const uint8_t*>buffer.buf, buffer.strides[0], <size_t>width
        return 0


cdef inline bint is_unchanging(object value) noexcept:
    """What bytes it stands for can't change while it is kept."""
    return type(value) is bytes or type(value) is str
