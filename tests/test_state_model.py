"""States against dicts: random writes, deletions, snapshots, reverts, copies, fetches and kept results, on plain, strict and lazy
states. After each step the state says what the dicts say, no more and no less, and takes memory for what they hold.
"""

from __future__ import annotations

import copy
from random import Random

import pytest
from helpers import dump
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import state_root

from evmcore import Account, Block, Header, MissingState, State, execute_block
from evmcore._core import _Fetcher

ADDRESSES = [bytes([n]) * 20 for n in range(1, 7)]
SLOTS = range(4)
FIELDS = ("balance", "nonce", "code")
BLOCK = Block(Header(number=1, fork="Shanghai"))
MISSING = object()


class Record:
    """What is known of an account: None is unknown. `others`: whether it has slots that aren't listed."""

    def __init__(self, is_strict: bool) -> None:
        unknown = is_strict or None
        self.exists: bool | None = None if unknown else False
        self.fields = dict(zip(FIELDS, (None, None, None) if unknown else (0, 0, b""), strict=True))
        self.slots: dict[int, int] = {}
        self.others: bool | None = None if unknown else False


class Model:
    """One state as dicts, with its snapshots."""

    def __init__(self, is_strict: bool) -> None:
        self.is_strict = is_strict
        self.records: dict[bytes, Record] = {}
        self.snapshots: list[tuple[int, dict[bytes, Record]]] = []

    def edit(self, address: bytes) -> Record:
        return self.records.setdefault(address, Record(self.is_strict))

    def set_field(self, address: bytes, name: str, value: object) -> None:
        record = self.edit(address)
        record.exists = True
        record.fields[name] = value

    def set_slot(self, address: bytes, slot: int, value: int) -> None:
        record = self.edit(address)
        record.exists = True
        record.slots[slot] = value
        if value == 0 and record.others:
            record.others = None

    def delete(self, address: bytes) -> Record:
        record = self.records[address] = Record(False)
        return record

    def learn(self, address: bytes, told: dict | None) -> None:
        record = self.edit(address)
        for name, default in zip(FIELDS, (0, 0, b""), strict=True):
            if record.fields[name] is None:
                record.fields[name] = default if told is None else told.get(name, default)
        if record.exists is None:
            record.exists = told is not None
        if record.others is None:
            record.others = False if told is None else told_storage(told)

    def learn_slot(self, address: bytes, slot: int, value: int) -> None:
        if self.slot(address, slot) is MISSING:
            self.edit(address).slots[slot] = value

    def field(self, address: bytes, name: str) -> object:
        if address not in self.records:
            return MISSING if self.is_strict else {"code": b""}.get(name, 0)
        value = self.records[address].fields[name]
        return MISSING if value is None else value

    def exists(self, address: bytes) -> object:
        if address not in self.records:
            return MISSING if self.is_strict else False
        value = self.records[address].exists
        return MISSING if value is None else value

    def slot(self, address: bytes, slot: int) -> object:
        record = self.records.get(address)
        if record is not None and slot in record.slots:
            return record.slots[slot]
        is_known = record is not None and (record.others is False or record.exists is False)
        return 0 if is_known or not self.is_strict else MISSING

    def cells(self) -> int:
        held = [self.records, *(records for _, records in self.snapshots)]
        return sum(1 + len(record.slots) for records in held for record in records.values())


def told_storage(told: dict) -> bool | None:
    return True if any(told.get("storage", {}).values()) else told.get("has_storage")


def answer(ask) -> object:
    try:
        return ask()
    except MissingState:
        return MISSING


def agree(state: State, model: Model) -> None:
    for address in ADDRESSES:
        assert answer(lambda address=address: state.exists(address)) == model.exists(address)
        for name in FIELDS:
            assert answer(lambda address=address, name=name: getattr(state, f"get_{name}")(address)) == model.field(
                address, name
            )
        for slot in SLOTS:
            known = answer(lambda address=address, slot=slot: state.get_storage(address, slot))
            assert known == model.slot(address, slot)
    alive = sorted(address for address, record in model.records.items() if record.exists)
    assert (list(state), len(state)) == (alive, len(alive))
    listed = answer(lambda: dict(state.items()))
    if any(value is None for address in alive for value in model.records[address].fields.values()):
        assert listed is MISSING
    else:
        records = ((address, model.records[address]) for address in alive)
        assert listed == {
            address: Account(*record.fields.values(), {slot: value for slot, value in record.slots.items() if value})
            for address, record in records
        }


def random_account(random: Random) -> dict:
    account = {"balance": random.choice([0, 1, 2**255]), "nonce": random.randrange(3)}
    if random.random() < 0.5:
        account["code"] = random.randbytes(random.choice([1, 40]))
    if random.random() < 0.6:
        account["storage"] = {slot: random.choice([0, 1, 2**200]) for slot in SLOTS if random.random() < 0.5}
    if random.random() < 0.4:
        account["has_storage"] = random.random() < 0.5 or any(account.get("storage", {}).values())
    return account


class World:
    """States that were copied from each other, each with its model, and results that were kept."""

    def __init__(self, seed: int, kind: str) -> None:
        self.random = Random(seed)
        self.is_strict = kind != "plain"
        self.whole = {address: random_account(self.random) for address in ADDRESSES if self.random.random() < 0.7}
        self.source = self.fetch if kind == "lazy" else None
        self.is_asked = False  # does the source answer? Else a lazy state's getters show what it knows.
        self.states = [(State(strict=self.is_strict, source=self.source), Model(self.is_strict))]
        self.gone: list[int] = [0, 2**64 - 1]
        self.results: list[tuple[object, bytes]] = []

    def fetch(self, keys):
        if not self.is_asked:
            raise MissingState(ADDRESSES[0])
        return {key: self.told(key[0]) if key[1] is None else self.told_slot(*key) for key in keys}

    def told(self, address: bytes) -> dict | None:
        return self.whole.get(address)

    def told_slot(self, address: bytes, slot: int) -> int:
        return (self.whole.get(address) or {}).get("storage", {}).get(slot, 0)

    def step(self) -> None:
        random = self.random
        index = random.randrange(len(self.states))
        state, model = self.states[index]
        address, slot = random.choice(ADDRESSES), random.choice(SLOTS)
        kind = random.choice(
            ["field"] * 4
            + ["slot"] * 4
            + ["account", "account", "delete", "complete", "snapshot", "snapshot"]
            + ["revert", "release", "copy", "fetch", "fetch", "fetch", "result", "root", "wrong"]
        )
        if kind == "field":
            name = random.choice(FIELDS)
            value = random.randbytes(random.choice([0, 30])) if name == "code" else random.choice([0, 1, 2**60])
            getattr(state, f"set_{name}")(address, value)
            model.set_field(address, name, value)
        elif kind == "slot":
            value = random.choice([0, 0, 1, 2**256 - 1])
            state.set_storage(address, slot, value)
            model.set_slot(address, slot, value)
        elif kind == "account":
            account = random_account(random)
            state.set_account(address, account)
            record = model.delete(address)
            record.exists = True
            record.fields.update({name: account.get(name, record.fields[name]) for name in FIELDS})
            record.slots = dict(account.get("storage", {}))
            record.others = told_storage(account) if self.is_strict else False
        elif kind == "delete":
            state.delete_account(address)
            model.delete(address)
        elif kind == "complete":
            is_complete = random.random() < 0.5
            state.set_storage_complete(address, is_complete)
            model.edit(address).others = False if is_complete or not self.is_strict else None
        elif kind == "snapshot":
            model.snapshots.append((state.snapshot(), copy.deepcopy(model.records)))
        elif kind in ("revert", "release"):
            if model.snapshots:
                place = random.randrange(len(model.snapshots))
                number, records = model.snapshots[place]
                getattr(state, kind)(number)
                if kind == "revert":
                    model.records = records
                self.gone.extend(number for number, _ in model.snapshots[place:])
                del model.snapshots[place:]
        elif kind == "wrong":
            others = [number for _, other in self.states for number, _ in other.snapshots if other is not model]
            wrong = random.choice(self.gone + others)
            with pytest.raises(ValueError, match=f"no such snapshot: {wrong}"):
                random.choice([state.revert, state.release])(wrong)
        elif kind == "copy":
            twin = Model(self.is_strict)
            twin.records = copy.deepcopy(model.records)
            if len(self.states) == 3:
                dropped = random.randrange(3)
                self.gone.extend(number for number, _ in self.states[dropped][1].snapshots)
                del self.states[dropped]
            self.states.append((state.copy(), twin))
        elif kind == "fetch" and self.source is not None:
            self.is_asked = True
            by_getter, of_account = random.random() < 0.5, random.random() < 0.5
            if not by_getter:
                _Fetcher(state).fetch({(address, None if of_account else slot)})
            is_new = not by_getter
            if by_getter and of_account:
                name = random.choice(FIELDS)
                is_new = model.field(address, name) is MISSING
                value = getattr(state, f"get_{name}")(address)
            elif by_getter:
                is_new = model.slot(address, slot) is MISSING
                value = state.get_storage(address, slot)
            if is_new and of_account:
                model.learn(address, self.told(address))
            elif is_new:
                model.learn_slot(address, slot, self.told_slot(address, slot))
            if by_getter:
                assert value == (model.field(address, name) if of_account else model.slot(address, slot))
            self.is_asked = False
        elif kind == "result":
            self.is_asked = True  # for the coinbase
            self.results.append((execute_block(BLOCK, state, workers=1, strategy="sequential"), state.copy().root()))
            self.is_asked = False
            if len(self.results) > 4 or random.random() < 0.3:
                result, root = self.results.pop(random.randrange(len(self.results)))
                if random.random() < 0.7:
                    assert result.state_root == root
        elif kind == "root" and not self.is_strict:
            assert state.root() == state_root(dump(state))
        agree(state, model)

    def bound(self) -> None:
        for state, model in self.states:
            assert state.size_bytes < 100_000 + 1000 * model.cells()


@pytest.mark.parametrize("kind", ["plain", "strict", "lazy"])
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 120))
def test_a_state_is_its_dicts(kind, seed, steps):
    world = World(seed, kind)
    for _ in range(steps):
        world.step()
    for state, model in world.states:
        agree(state, model)
    for result, root in world.results:
        assert result.state_root == root
    world.bound()


@pytest.mark.parametrize("kind", ["plain", "strict", "lazy"])
def test_a_long_life_takes_no_more_memory_than_what_lives(kind):
    world = World(7, kind)
    for _ in range(6):
        for _ in range(500):
            world.step()
        world.bound()
