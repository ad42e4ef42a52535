# Floor 8: the only conversions between Python's values and the core's: int <-> u256, bytes <-> address and hash.
#
# What comes from Python may be a subclass that lies about itself. It is made an object of the exact type first, by C functions
# that look at the value and call none of its methods; what is checked then is what is used. Sequences are iterated once, and
# what came is counted: their len() is not asked.
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_CheckSignals
from cpython.long cimport PyLong_AsLongLongAndOverflow, PyLong_CheckExact
from cpython.memoryview cimport PyMemoryView_Check
from cpython.number cimport PyIndex_Check, PyNumber_Index

from core.base.hexadecimal cimport read_hex_digits
from core.base.status cimport name_of, Status, text_of
from core.base.types cimport Address, Bytes, ByteView, Hash, u256
from core.math.u256 cimport from_big_endian, to_big_endian

cdef extern from *:
    """
    // Under the GIL: appends to a Vector or assigns to Bytes, and raises MemoryError where there is no memory.
    static inline int evmcore_done(bool is_done) {
        if (!is_done)
            PyErr_NoMemory();
        return is_done ? 0 : -1;
    }
    template <class V, class Item>
    static inline int evmcore_append(V& items, const Item& item) { return evmcore_done(items.push_back(item)); }
    """
    int or_memory_error "evmcore_done"(cbool is_done) except -1
    int append_to "evmcore_append"(...) except -1

cdef extern from "Python.h":
    object PyBytes_FromObject(object)
    object PyUnicode_FromObject(object)
    const char* PyUnicode_AsUTF8AndSize(object, Py_ssize_t*) except NULL


cdef enum:
    MAX_GIVEN_ITEMS = 1 << 24   # of a sequence from Python: far above any block's, and an endless iterator ends
    ITEMS_A_SIGNAL_CHECK = 1 << 14
    SHOWN_CHARACTERS = 80       # of a bad value, in a message


cdef str shown(object value):
    """A value for a message, cut to a readable length; of what is no plain number, string or bytes, the type alone."""
    cdef str text
    if PyLong_CheckExact(value) and value.bit_length() > 256:
        return f"a number of {value.bit_length()} bits"
    if type(value) is str or type(value) is bytes:
        value = value[:SHOWN_CHARACTERS + 1]
    elif not (PyLong_CheckExact(value) or value is None or isinstance(value, (bool, float))):
        return f"a {type(value).__name__}"
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"


# ---------------------------------------------------------------- numbers


cdef object to_int(const u256& word):
    cdef uint8_t data[32]
    if word.fits_u64():
        return word.limb[0]
    to_big_endian(word, data)
    return int.from_bytes((<const char*>data)[:32], "big")


cdef inline object exact_int(object value, str name):
    """The int that a value is or stands for (`__index__`), of exactly that type. A bool is none."""
    if PyLong_CheckExact(value):
        return value
    if isinstance(value, bool) or not PyIndex_Check(value):
        raise TypeError(f"{name}: expected an int, got {type(value).__name__}")
    return PyNumber_Index(value)


cdef u256 to_word(object value, str name) except *:
    """A quantity of at most 256 bits; ValueError or TypeError names it."""
    cdef u256 word
    cdef bytes data
    cdef int overflow = 0
    cdef long long small
    value = exact_int(value, name)
    small = PyLong_AsLongLongAndOverflow(value, &overflow)
    if overflow == 0 and small >= 0:
        word.limb[0] = <uint64_t>small
        return word
    if overflow <= 0:
        raise ValueError(f"{name}: {shown(value)} is negative")
    try:
        data = value.to_bytes(32, "big")
    except OverflowError:
        raise ValueError(f"{name}: a number of {value.bit_length()} bits does not fit 256") from None
    return from_big_endian(<const uint8_t*>PyBytes_AS_STRING(data))


cdef uint64_t to_u64(object value, str name) except? 0:
    """A quantity of at most 64 bits."""
    cdef u256 word = to_word(value, name)
    if not word.fits_u64():
        raise ValueError(f"{name}: {to_int(word)} does not fit 64 bits")
    return word.limb[0]


cdef int64_t to_i64(object value, str name) except? -1:
    """A quantity of at most 63 bits, as gas is counted."""
    cdef uint64_t number = to_u64(value, name)
    if number > <uint64_t>INT64_MAX:
        raise ValueError(f"{name}: {number} does not fit 63 bits")
    return <int64_t>number


cdef uint32_t number_between(object value, uint32_t least, uint32_t most, str name) except? 0:
    """A number of a range, its ends included."""
    number = exact_int(value, name)
    if not least <= number <= most:
        raise ValueError(f"{name}: {shown(number)} is not from {least} to {most}")
    return number


cdef object _quantity(object value, str name):
    """An int out of a 0x string or a decimal string; anything else as it is."""
    cdef str text
    if not isinstance(value, str):
        return value
    text = PyUnicode_FromObject(value)
    # int() takes "1_000", " 1 " and the digits of any script, too.
    if text.isascii() and "_" not in text and text.strip() == text:
        try:
            return int(text, 16 if text[:2] in ("0x", "0X") else 10)
        except ValueError:
            pass
    raise ValueError(f"{name}: {shown(text)} is not a number")


# ---------------------------------------------------------------- bytes


cdef bytes from_address_bytes(const Address& address):
    return (<const char*>address.bytes)[:20]


cdef bytes from_hash_bytes(const Hash& hash):
    return (<const char*>hash.bytes)[:32]


cdef bytes from_bytes(const Bytes& data):
    return (<const char*>data.data())[:data.size()]


cdef bytes from_view(ByteView view):
    return (<const char*>view.data)[:view.size]


cdef bytes hex_bytes(object value, str name):
    """The bytes of a string of hexadecimal digits, "0x" before them or not."""
    cdef str text = PyUnicode_FromObject(value)
    cdef str digits
    cdef bytes data
    cdef Py_ssize_t size
    cdef const char* characters
    if text.isascii():
        characters = PyUnicode_AsUTF8AndSize(text, &size)
        if size >= 2 and characters[0] == c"0" and characters[1] in (c"x", c"X"):
            characters, size = characters + 2, size - 2
        if size % 2 == 0:
            data = PyBytes_FromStringAndSize(NULL, size // 2)
            if read_hex_digits(characters, <size_t>size, <uint8_t*>PyBytes_AS_STRING(data)):
                return data
    # What is wrong with it.
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    if len(digits) % 2:
        raise ValueError(f"{name}: {shown(text)} has {len(digits)} hexadecimal digits, an odd number"
                         if is_hexadecimal(digits) else f"{name}: {shown(text)} is not hexadecimal")
    raise ValueError(f"{name}: {shown(text)} is not hexadecimal")


cdef bint is_hexadecimal(str digits):
    return all(digit in "0123456789abcdefABCDEF" for digit in digits)


cdef bytes given_bytes(object value, str name, str wanted):
    """What bytes, a subclass of them, a bytearray, a memoryview of bytes or a string of hexadecimal digits holds."""
    if PyBytes_CheckExact(value):
        return value
    if isinstance(value, bytes):
        return PyBytes_FromStringAndSize(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
    if isinstance(value, str):
        return hex_bytes(value, name)
    if PyMemoryView_Check(value):
        try:
            if value.format not in ("B", "b", "c"):
                raise TypeError(f"{name}: expected {wanted}, got a memoryview of format {value.format!r}")
            return PyBytes_FromObject(value)
        except ValueError as error:  # it was released
            raise ValueError(f"{name}: {error}") from None
    if isinstance(value, bytearray):
        return PyBytes_FromObject(value)
    raise TypeError(f"{name}: expected {wanted}, got {type(value).__name__}")


cdef bytes fixed_bytes(object value, Py_ssize_t size, str name):
    """`value` as bytes of that length; "0x…" strings are read as hex."""
    cdef bytes data
    if PyBytes_CheckExact(value):
        data = value
    else:
        data = given_bytes(value, name, f"{size} bytes or a 0x string")
    if len(data) != size:
        raise ValueError(f"{name}: expected {size} bytes, got {len(data)}")
    return data


cdef Address to_address_value(object value, str name) except *:
    cdef Address address
    cdef bytes data = fixed_bytes(value, 20, name)
    memcpy(address.bytes, <const char*>data, 20)
    return address


cdef Hash to_hash_value(object value, str name) except *:
    cdef Hash hash
    cdef bytes data = fixed_bytes(value, 32, name)
    memcpy(hash.bytes, <const char*>data, 32)
    return hash


cdef object of_header(object header, str name):
    """A member of a header, of which a caller may have given something else."""
    try:
        return getattr(header, name)
    except AttributeError:
        raise TypeError(f"header: expected a Header, got {type(header).__name__}") from None


cdef bytes to_data(object value, str name):
    """Bytes of any length; "0x…" strings are read as hex."""
    if PyBytes_CheckExact(value):
        return value
    return given_bytes(value, name, "bytes or a 0x string")


cdef inline ByteView view_bytes(bytes data):
    return ByteView(<const uint8_t*><const char*>data, len(data))


# ---------------------------------------------------------------- sequences


cdef list to_list(object value, str name):
    """What iterating gives, once. TypeError where that can't be, ValueError for more than anything has."""
    cdef list items = []
    if isinstance(value, (str, bytes, bytearray)):
        raise TypeError(f"{name}: expected a sequence, got {type(value).__name__}")
    try:
        iterator = iter(value)
    except TypeError:
        raise TypeError(f"{name}: expected a sequence, got {type(value).__name__}") from None
    for item in iterator:
        items.append(item)
        if len(items) % ITEMS_A_SIGNAL_CHECK == 0:
            PyErr_CheckSignals()
            if len(items) > MAX_GIVEN_ITEMS:
                raise ValueError(f"{name}: more than {MAX_GIVEN_ITEMS} items")
    return items


cdef tuple to_parts(object value, Py_ssize_t count, str name, str wanted):
    """Exactly so many values out of a sequence."""
    cdef list parts = to_list(value, name)
    if len(parts) != count:
        raise ValueError(f"{name}: {len(parts)} values, wants {wanted}")
    return tuple(parts)


# ---------------------------------------------------------------- what results are made of


_types_module = None


def _types():
    """The module of the classes of values, which imports this one."""
    global _types_module
    if _types_module is None:
        import evmcore.types as module
        _types_module = module
    return _types_module


cdef inline str status_name(Status status):
    return name_of(status).decode()


cdef inline str status_text(Status status):
    return text_of(status).decode()
