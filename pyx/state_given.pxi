# Floor 8: accounts as a user gives them, written as one change, and as geth's alloc form has them.
from core.base.status cimport Status
from core.base.types cimport Address, u256
from core.base.vector cimport Vector
from core.state.code cimport view_of
from core.state.stored cimport OtherSlots
from core.state.world cimport AccountRecord, World

# Far above any chain's limit; keeps sizes within 32 bits.
MAX_GIVEN_CODE_BYTES = 64 * 1024 * 1024


cdef bytes code_bytes(const AccountRecord& record):
    """The account's code; MissingCode where only its hash is known."""
    if record.code != NULL and not record.code.has_bytes():
        raise errors.MissingCode(from_address_bytes(record.address), from_hash_bytes(record.code.hash))
    return from_view(view_of(record.code))


cdef bytes given_code(object code):
    """Code as a user gives it."""
    cdef bytes data = to_data(code, "code")
    if len(data) > MAX_GIVEN_CODE_BYTES:
        raise ValueError(f"code: {len(data)} bytes, at most {MAX_GIVEN_CODE_BYTES} are taken")
    return data


cdef object fields_of(object account):
    """`get` of a mapping, or of an Account's attributes. TypeError for what is neither."""
    if hasattr(account, "get"):
        return account.get
    if not hasattr(account, "balance"):
        raise TypeError(f"account: expected an Account or a mapping, got {type(account).__name__}")
    return lambda field, default: getattr(account, field, default)


cdef OtherSlots slots_told(object get) except *:
    """What an account, by its `get`, says of its storage: slots that it names, `storage_root`, `has_storage`."""
    cdef size_t count = 0
    root = get("storage_root", None)
    told = get("has_storage", None)
    if told is not None and not isinstance(told, bool):
        raise TypeError(f"has_storage: expected a bool, got {type(told).__name__}")
    if root is not None:
        has_root = fixed_bytes(root, 32, "storage_root") != EMPTY_STORAGE_ROOT
        if told is not None and has_root != told:
            raise ValueError(f"has_storage: {told}, but storage_root is {'not ' if has_root else ''}that of no storage")
        told = has_root
    for value in dict(get("storage", None) or {}).values():
        check_often(&count)
        if _quantity(value, "value"):
            if told is False:
                raise ValueError("storage: it names slots, but has_storage or storage_root says that there are none")
            return OtherSlots.SOME
    if told is None:
        return OtherSlots.UNKNOWN
    return OtherSlots.SOME if told else OtherSlots.NONE


cdef int put_account(
    World* world,
    const Address& key,
    const u256& balance,
    uint64_t nonce,
    bytes code,
    const Vector[u256]& words,
    OtherSlots other_slots,
) except -1:
    """Replace an account, all or nothing. `words` are its slots, each followed by its value."""
    cdef uint64_t checkpoint = world.checkpoint()
    cdef Status status = Status.RUNNING
    cdef size_t i
    if checkpoint == 0:
        raise MemoryError("the state could not grow")
    if world.find(key) != NULL or world.is_strict():
        status = world.destroy(key)
    if status == Status.RUNNING:
        status = world.set_balance(key, balance)
    if status == Status.RUNNING and nonce != 0:
        status = world.set_nonce(key, nonce)
    if status == Status.RUNNING and len(code) != 0:
        status = world.set_code(key, view_bytes(code))
    for i in range(0, words.size(), 2):
        if status == Status.RUNNING:
            status = world.set_slot(key, words[i], words[i + 1])
    if status == Status.RUNNING:
        status = world.set_other_slots(key, other_slots)
    if status == Status.RUNNING:
        world.release(checkpoint)
    else:
        world.revert(checkpoint)
    return raise_write(status, world)


cdef dict alloc_of(object items):
    """(address, Account) pairs in geth's alloc form."""
    cdef size_t count = 0
    cdef dict alloc = {}
    for address, account in items:
        entry = {"balance": hex(account.balance)}
        if account.nonce:
            entry["nonce"] = hex(account.nonce)
        if account.code:
            entry["code"] = "0x" + account.code.hex()
        if account.storage:
            entry["storage"] = slots = {}
            for key, value in account.storage.items():
                slots[f"0x{key:064x}"] = f"0x{value:064x}"
                check_often(&count)
        alloc["0x" + address.hex()] = entry
    return alloc
