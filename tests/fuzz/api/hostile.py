"""Values and callbacks that lie: what a program of the fuzzer passes where something honest is expected.

Self-contained: what a failing program uses of this file is printed with it.
"""

from __future__ import annotations

from collections.abc import Mapping


class Stop(Exception):
    """What signal handlers, tracers and sources raise."""


class ShortInt(int):
    """Its own to_bytes gives nothing."""

    def to_bytes(self, *args, **options):
        return b""


class WildInt(int):
    """Answers each question about itself wrongly."""

    def __index__(self):
        return 2**300

    def __rshift__(self, other):
        return 0

    def __lt__(self, other):
        return False

    def bit_length(self):
        return 1

    def to_bytes(self, *args, **options):
        return bytes(1000)


class Index:
    """A number by __index__ alone."""

    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value


class PlainBytes(bytes):
    """An honest subclass, such as HexBytes."""


class LongBytes(bytes):
    """Says that it is 20 bytes long."""

    def __len__(self):
        return 20


class PlainStr(str):
    """An honest subclass of str."""


class LongList(list):
    """Says that it has 300 items."""

    def __len__(self):
        return 300


class ShortList(list):
    """Says that it has none."""

    def __len__(self):
        return 0

    def __bool__(self):
        return True


class Growing(list):
    """Grows by an item each time that it is iterated."""

    def __iter__(self):
        if len(self) < 20:
            self.append(self[0] if len(self) else 0)
        return list.__iter__(self)


class WildDict(dict):
    """items() has more than there is, get() raises."""

    def items(self):
        return [*dict.items(self), (b"\x77" * 20, {"balance": 1}), None]

    def get(self, *args):
        raise Stop("get")


class Raising:
    """Raises whatever is asked of it."""

    def __getattr__(self, name):
        raise Stop(name)

    def __index__(self):
        raise Stop("index")

    def __len__(self):
        raise Stop("len")

    def __iter__(self):
        raise Stop("iter")

    def __eq__(self, other):
        raise Stop("eq")

    __hash__ = object.__hash__

    def __call__(self, *args, **options):
        raise Stop("call")


class Like(Mapping):
    """A mapping that answers each key with the same value."""

    def __init__(self, value):
        self.value = value

    def __getitem__(self, key):
        return self.value

    def __iter__(self):
        return iter(())

    def __len__(self):
        return 1


class Thing:
    """An object with the attributes given."""

    def __init__(self, **members):
        self.__dict__.update(members)


class Acting:
    """A tracer that does something at the n-th thing that it is told, each time that it is used."""

    wants_memory = True

    def __init__(self, at, action):
        self.at, self.action, self.told = at, action, 0

    def tell(self, what):
        self.told += 1
        if self.told == self.at:
            self.action()

    on_enter = on_step = on_exit = tell

    def on_transaction_start(self, index, what):
        self.tell(what)

    on_transaction_end = on_transaction_start


class Stepper:
    """A tracer that is told each step and does nothing."""

    wants_stack = False

    def on_step(self, step):
        pass


class Stream:
    """A file whose n-th write does something."""

    def __init__(self, at=1, action=None):
        self.at, self.action, self.written = at, action or stop, 0

    def write(self, text):
        self.written += 1
        if self.written == self.at:
            self.action()


def stop(*args):
    """Raise, as a function."""
    raise Stop("stop")


def source_of(whole, at=0, action=stop):
    """The source of a lazy state that has what `whole` has; it acts when it is asked for the `at`-th time."""
    asked = 0

    def source(keys):
        nonlocal asked
        asked += 1
        if asked == at:
            action()
        return {key: whole.get_account(key[0]) if key[1] is None else whole.get_storage(*key) for key in keys}

    return source


def answering(value):
    """A source that has the same answer for each key."""
    return lambda keys: dict.fromkeys(keys, value)
