# Floor 8: what a block's transactions are predicted to read and write, as conflicts that the optimistic strategy waits for.
from core.parallel.access_rows cimport AccountAccess, SlotAccess
from core.parallel.predicted cimport ConflictFinder, find_conflicts
from core.parallel.tuning cimport tuning

from cpython.object cimport PyObject_Hash
from libcpp.memory cimport unique_ptr


cdef predictions_of(predicted, size_t count):
    """What was predicted of so many transactions: None, an Accesses, or a tuple. Its members are looked at when they are used."""
    if predicted is None:
        return None  # and no import of what only others need: that takes longer than ten blocks
    from evmcore.accesses import Accesses
    if isinstance(predicted, Accesses):
        return predicted
    if not isinstance(predicted, (list, tuple)):
        raise TypeError(f"predicted: expected Accesses or a list of predictions, got {type(predicted).__name__}")
    predicted = tuple(predicted)
    if <size_t>len(predicted) != count:
        raise errors.UnusableInput(f"predicted: {len(predicted)} predictions for {count} transactions")
    return predicted


cdef int find_predicted(_Job job, predicted, int workers) except -1:
    """Fill the job's conflicts from what `predictions_of` gave, where so many workers gain by them."""
    cdef uint32_t count = <uint32_t>job.job.transactions.size()
    cdef bytes account_rows, slot_rows
    cdef const AccountAccess* accounts
    cdef const SlotAccess* slots
    cdef size_t account_count, slot_count
    cdef cbool is_done
    cdef unique_ptr[ConflictFinder] finder
    cdef size_t looked = 0
    if <uint32_t>workers < tuning.predicted_workers:
        return 0
    if not isinstance(predicted, tuple):
        account_rows, slot_rows = predicted.in_order("accounts").tobytes(), predicted.in_order("slots").tobytes()
        account_count, slot_count = len(account_rows) // sizeof(AccountAccess), len(slot_rows) // sizeof(SlotAccess)
        accounts, slots = <const AccountAccess*><const char*>account_rows, <const SlotAccess*><const char*>slot_rows
        with nogil:
            is_done = find_conflicts(accounts, account_count, slots, slot_count, count, &job.predicted)
        or_memory_error(is_done)
        return 0
    finder.reset(new ConflictFinder(&job.predicted))
    for place, each in enumerate(predicted):
        if each is not None:
            for key in keys_of(each.reads, place, "reads"):
                or_memory_error(finder.get().read(key_hash(key, place)))
                check_often(&looked)
            for key in keys_of(each.writes, place, "writes"):
                or_memory_error(finder.get().write(key_hash(key, place)))
                check_often(&looked)
        or_memory_error(finder.get().finish())
    return 0


cdef keys_of(keys, place, name):
    if not isinstance(keys, (frozenset, set, tuple, list)):
        raise TypeError(f"predicted[{place}].{name}: expected a set, got {type(keys).__name__}")
    return keys


cdef inline uint64_t key_hash(key, place) except? 0xFFFFFFFFFFFFFFFF:
    if type(key) is not bytes:
        raise TypeError(f"predicted[{place}]: expected keys of bytes, got {type(key).__name__}")
    return <uint64_t><Py_hash_t>PyObject_Hash(key)  # its own, which is kept with it
