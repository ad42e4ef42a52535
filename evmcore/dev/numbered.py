"""A list whose places are block numbers, from any first one on."""

from __future__ import annotations

from typing import Generic, TypeVar, overload

__all__ = ["Numbered"]

_Item = TypeVar("_Item")


class Numbered(Generic[_Item]):
    """Items by number. Its length is the number after the last one; -1 is the last; what is before `first` raises IndexError."""

    def __init__(self, first: int, item: _Item) -> None:
        self.first = first
        self._items = [item]

    def _place(self, number: int) -> int:
        if 0 <= number < self.first:
            raise IndexError(number)
        return number if number < 0 else number - self.first

    def _slice(self, numbers: slice) -> slice:
        begin, end = (None if one is None else max(one - self.first, 0) for one in (numbers.start, numbers.stop))
        return slice(begin, end)

    def __len__(self) -> int:
        return self.first + len(self._items)

    @overload
    def __getitem__(self, number: int) -> _Item: ...

    @overload
    def __getitem__(self, number: slice) -> list[_Item]: ...

    def __getitem__(self, number: int | slice) -> _Item | list[_Item]:
        return self._items[self._slice(number)] if isinstance(number, slice) else self._items[self._place(number)]

    def __setitem__(self, number: int, item: _Item) -> None:
        self._items[self._place(number)] = item

    def __delitem__(self, numbers: slice) -> None:
        del self._items[self._slice(numbers)]

    def append(self, item: _Item) -> None:
        """One more, of the next number."""
        self._items.append(item)
