"""A State as plain Python dicts: what its writes, snapshots, reverts and copies have to come to.

Lines of a program that say so run twice, on States and on these; what they give, and whether they raise, has to be the same.
"""

from __future__ import annotations

from itertools import count

from evmcore import Account, keccak256

# Numbers of snapshots are never used twice, so one of another state, or one that is gone, is no snapshot.
_numbers = count(1000)


class Refused(Exception):
    """A call that a State refuses, too."""


def number(value, bits=256):
    if isinstance(value, str):
        try:
            value = int(value, 16 if value[:2] in ("0x", "0X") else 10)
        except ValueError as error:
            raise Refused(value) from error
    if not isinstance(value, int) or not 0 <= value < 2**bits:
        raise Refused(value)
    return int(value)


def address(value):
    if not isinstance(value, bytes) or len(value) != 20:
        raise Refused(value)
    return bytes(value)


class Model:
    """What State does, for arguments of the plain kinds."""

    def __init__(self, accounts=None):
        self.accounts = {}  # address -> [balance, nonce, code, storage]
        self.snapshots = {}
        for key, account in (accounts or {}).items():
            self.set_account(key, account)

    def dump(self):
        return {key: (*fields, dict(slots)) for key, (*fields, slots) in sorted(self.accounts.items())}

    def load(self, state):
        """Take over what a state has; the snapshots stay."""
        self.accounts = {key: [a.balance, a.nonce, a.code, dict(a.storage)] for key, a in state.items()}

    def copy(self):
        other = Model()
        other.accounts = self._image()
        return other

    def _image(self):
        return {key: [*fields, dict(slots)] for key, (*fields, slots) in self.accounts.items()}

    def _edit(self, key):
        return self.accounts.setdefault(address(key), [0, 0, b"", {}])

    def set_balance(self, key, balance):
        address(key)
        self._edit(key)[0] = number(balance)

    def set_nonce(self, key, nonce):
        address(key)
        self._edit(key)[1] = number(nonce, 64)

    def set_code(self, key, code):
        address(key)
        if not isinstance(code, (bytes, bytearray)):
            raise Refused(code)
        self._edit(key)[2] = bytes(code)

    def set_storage(self, key, slot, value):
        address(key)
        slot, value = number(slot), number(value)
        slots = self._edit(key)[3]
        if value:
            slots[slot] = value
        else:
            slots.pop(slot, None)

    def set_account(self, key, account):
        key = address(key)
        if account is None:
            self.accounts.pop(key, None)
            return
        storage = {number(slot): number(value) for slot, value in account.get("storage", {}).items()}
        fields = [number(account.get("balance", 0)), number(account.get("nonce", 0), 64), account.get("code", b"")]
        self.accounts[key] = [*fields, {slot: value for slot, value in storage.items() if value}]

    def delete_account(self, key):
        self.accounts.pop(address(key), None)

    def snapshot(self):
        mark = next(_numbers)
        self.snapshots[mark] = self._image()
        return mark

    def _forget_from(self, mark):
        if mark not in self.snapshots:
            raise Refused(mark)
        image = self.snapshots[mark]
        self.snapshots = {other: kept for other, kept in self.snapshots.items() if other < mark}
        return image

    def revert(self, mark):
        self.accounts = self._forget_from(mark)

    def release(self, mark):
        self._forget_from(mark)

    def exists(self, key):
        return address(key) in self.accounts

    __contains__ = exists

    def _read(self, key):
        return self.accounts.get(address(key), (0, 0, b"", {}))

    def get_balance(self, key):
        return self._read(key)[0]

    def get_nonce(self, key):
        return self._read(key)[1]

    def get_code(self, key):
        return self._read(key)[2]

    def get_code_hash(self, key):
        return keccak256(self._read(key)[2])

    def get_storage(self, key, slot):
        return self._read(key)[3].get(number(slot), 0)

    def storage(self, key):
        return dict(self._read(key)[3])

    def get_account(self, key):
        return Account(*self._read(key)) if address(key) in self.accounts else None

    def addresses(self):
        return sorted(self.accounts)

    def __len__(self):
        return len(self.accounts)

    def __eq__(self, other):
        return self.accounts == other.accounts

    __hash__ = None
