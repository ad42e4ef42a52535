# Floor 8: the only conversions between Python's values and the core's: int <-> u256, bytes <-> address and hash.


cdef object to_int(const u256& word):
    cdef uint8_t data[32]
    if word.fits_u64():
        return word.limb[0]
    to_big_endian(word, data)
    return int.from_bytes((<const char*>data)[:32], "big")


cdef u256 to_word(object value, str name) except *:
    """A quantity of at most 256 bits; ValueError or TypeError names it."""
    cdef u256 word
    cdef bytes data
    if isinstance(value, bool) or not isinstance(value, int):
        try:
            value = value.__index__()
        except AttributeError:
            raise TypeError(f"{name}: expected an int, got {type(value).__name__}") from None
    if value < 0:
        raise ValueError(f"{name}: {value} is negative")
    if value >> 64 == 0:
        word.limb[0] = value
        return word
    if value >> 256:
        raise ValueError(f"{name}: a number of {value.bit_length()} bits does not fit 256")
    data = value.to_bytes(32, "big")
    return from_big_endian(<const uint8_t*><const char*>data)


cdef uint64_t to_u64(object value, str name) except? 0:
    """A quantity of at most 64 bits."""
    cdef u256 word = to_word(value, name)
    if not word.fits_u64():
        raise ValueError(f"{name}: {value} does not fit 64 bits")
    return word.limb[0]


cdef bytes from_address_bytes(const Address& address):
    return (<const char*>address.bytes)[:20]


cdef bytes from_hash_bytes(const Hash& hash):
    return (<const char*>hash.bytes)[:32]


cdef bytes from_bytes(const Bytes& data):
    return (<const char*>data.data())[:data.size()]


cdef bytes from_view(ByteView view):
    return (<const char*>view.data)[:view.size]


cdef object fixed_bytes(object value, Py_ssize_t size, str name):
    """`value` as bytes of that length; "0x…" strings are read as hex."""
    if isinstance(value, str):
        digits = value[2:] if value[:2] in ("0x", "0X") else value
        try:
            value = bytes.fromhex(digits)
        except ValueError:
            raise ValueError(f"{name}: {value!r} is not hex") from None
    elif not isinstance(value, bytes):
        if not isinstance(value, (bytearray, memoryview)):
            raise TypeError(f"{name}: expected {size} bytes or a 0x string, got {type(value).__name__}")
        value = bytes(value)
    if len(value) != size:
        raise ValueError(f"{name}: expected {size} bytes, got {len(value)}")
    return value


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


cdef bytes to_data(object value, str name):
    """Bytes of any length; "0x…" strings are read as hex."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        digits = value[2:] if value[:2] in ("0x", "0X") else value
        try:
            return bytes.fromhex(digits)
        except ValueError:
            raise ValueError(f"{name}: not hex") from None
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    raise TypeError(f"{name}: expected bytes or a 0x string, got {type(value).__name__}")


cdef inline ByteView view_bytes(bytes data):
    return ByteView(<const uint8_t*><const char*>data, len(data))


cdef inline str status_name(Status status):
    return name_of(status).decode()


cdef inline str status_text(Status status):
    return text_of(status).decode()
