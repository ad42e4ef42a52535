"""Calls as columns: what a record array, or a dict of arrays, lists and single values, says of each field, as arrays that the core reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from .hexadecimal import checked_quantity, data, shown, to_address

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Columns", "columns_of", "is_columns"]

Columns: TypeAlias = "np.ndarray | Mapping[str, Any]"
_MOST_SMALL = 2**64 - 1


def is_columns(calls: Any) -> bool:
    """Whether calls are given as columns: an array of records or a dict, and not one by one."""
    return isinstance(calls, Mapping) or getattr(getattr(calls, "dtype", None), "names", None) is not None


def columns_of(calls: Any) -> tuple[dict[str, Any], int]:
    """The columns as `_simulate` takes them, and how many calls they are of."""
    if isinstance(calls, Mapping):
        given = dict(calls)
    elif calls.ndim == 1:
        given = {name: calls[name] for name in calls.dtype.names}
    else:
        raise ValueError(f"calls: an array of {calls.ndim} dimensions")
    given = {name: value for name, value in given.items() if value is not None}
    for name, value in given.items():
        if name not in _READERS:
            raise TypeError(f"calls: a message has no {shown(name)}")
        if hasattr(value, "dtype") and hasattr(
            value, "mask"
        ):  # NumPy's masked arrays: what lies under the mask means nothing
            raise TypeError(f"{name}: expected an array without a mask, got {type(value).__name__}")
    if isinstance(given.get("data"), (list, tuple)):
        for name in ("data_begin", "data_size"):
            if name in given:  # a list's are its items'
                raise TypeError(f"{name}: for data that is bytes, and data is {type(given['data']).__name__}")
    lengths = {name: len(value) for name, value in given.items() if _is_column(value)}
    if not lengths:
        raise ValueError("calls: no column says how many there are")
    first, count = next(iter(lengths.items()))
    for name, length in lengths.items():
        if length != count:
            raise ValueError(f"{name}: {length} values, {first} has {count}")
    columns: dict[str, Any] = {}
    for name, value in given.items():
        columns.update(_READERS[name](name, value, count))
    return columns, count


def _is_column(value: Any) -> bool:
    """A memoryview is bytes, the same for all, whatever it says of dimensions."""
    return isinstance(value, (list, tuple)) or (hasattr(value, "dtype") and getattr(value, "ndim", 0) > 0)


def _same(row: bytes, count: int) -> np.ndarray:
    """An array with the same row for each."""
    import numpy as np

    return np.broadcast_to(np.frombuffer(row, np.uint8), (count, len(row)))


def _rows(name: str, array: np.ndarray, width: int | None) -> np.ndarray:
    """An array of (calls, bytes), of bytes in one of NumPy's forms for them. `width`: how many they have to be."""
    import numpy as np

    if array.ndim == 1 and array.dtype.kind in "VS" and array.dtype.names is None:
        array = array.view(np.dtype((np.uint8, array.dtype.itemsize)))
    if array.ndim != 2 or array.dtype != np.uint8 or (width is not None and array.shape[1] != width):
        what = f"{width} bytes" if width is not None else "bytes"
        raise ValueError(f"{name}: expected {what} for each call, got an array of {array.shape} of {array.dtype}")
    return array if array.shape[1] < 2 or array.strides[1] == 1 else np.ascontiguousarray(array)


def _addresses(name: str, value: Any, count: int) -> dict[str, Any]:
    if isinstance(value, (list, tuple)):
        return {name: _joined(b"".join(to_address(item, name) for item in value), 20)}
    if _is_column(value):
        return {name: _rows(name, value, 20)}
    return {name: _same(to_address(value, name), count)}


def _joined(rows: bytes, width: int) -> np.ndarray:
    import numpy as np

    return np.frombuffer(rows, np.uint8).reshape(-1, width)


def _numbers(name: str, value: Any, count: int) -> dict[str, Any]:
    """Of 64 bits where all are, else of 32 bytes each."""
    import numpy as np

    if _is_column(value) and not isinstance(value, (list, tuple)):
        if value.dtype.kind in "ui" and value.ndim == 1:
            return {name: _unsigned(name, value)}
        if value.dtype.kind != "O":
            return {name: _rows(name, value, 32)}
        value = value.tolist()
    if not isinstance(value, (list, tuple)):
        number = checked_quantity(value, name)
        if number <= _MOST_SMALL:
            return {name: np.broadcast_to(np.uint64(number), (count,))}
        return {name: _same(number.to_bytes(32, "big"), count)}
    numbers = [checked_quantity(item, name) for item in value]
    if max(numbers, default=0) <= _MOST_SMALL:
        return {name: np.array(numbers, np.uint64)}
    return {name: _joined(b"".join(number.to_bytes(32, "big") for number in numbers), 32)}


def _small(name: str, value: Any, count: int) -> dict[str, Any]:
    columns = _numbers(name, value, count)
    if columns[name].ndim != 1:
        raise ValueError(f"{name}: a number of more than 64 bits")
    return columns


def _unsigned(name: str, array: np.ndarray) -> np.ndarray:
    import numpy as np

    if array.dtype.kind == "i" and array.size and array.min() < 0:
        raise ValueError(f"{name}: {int(array.min())} is negative")
    return array if array.dtype.itemsize == 8 and array.dtype.isnative else array.astype(np.uint64)


def _data(name: str, value: Any, count: int) -> dict[str, Any]:
    import numpy as np

    if isinstance(value, (list, tuple)):
        parts = [data(item, name) for item in value]
        sizes = np.fromiter(map(len, parts), np.uint64, len(parts))
        return {name: b"".join(parts), "data_begin": np.cumsum(sizes, dtype=np.uint64) - sizes, "data_size": sizes}
    if _is_column(value):
        return {name: _rows(name, value, None)}
    return {name: data(value, name)}


def _places(name: str, value: Any, count: int) -> dict[str, Any]:
    """Where parts of the data begin, or their sizes: a copy, which nobody else writes to once it is checked."""
    return {name: _small(name, value, count)[name].copy()}


_READERS: dict[Any, Callable[[str, Any, int], dict[str, Any]]] = {
    "sender": _addresses,
    "to": _addresses,
    "value": _numbers,
    "gas": _small,
    "gas_price": _numbers,
    "data": _data,
    "data_begin": _places,
    "data_size": _places,
}
