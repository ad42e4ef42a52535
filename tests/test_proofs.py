"""Proofs: those that are given prove what the state holds, to a reader who has the root alone; forged ones are refused with the node at fault."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evmcore import (
    AccountProof,
    InvalidProof,
    State,
    UnusableInput,
    caches,
    empty_caches,
    keccak256,
    rlp,
    verify_proof,
)
from evmcore._core import check_trie_proof

RPC_TESTS = Path(__file__).resolve().parents[2] / "shared" / "rpc-tests" / "eth_getProof"
ADDRESSES = [bytes([n]) * 20 for n in range(1, 60)]


def random_state(random: Random) -> State:
    accounts = {}
    for address in random.sample(ADDRESSES, random.randrange(len(ADDRESSES))):
        slots = {random.randrange(200): random.choice([1, 127, 128, 2**255]) for _ in range(random.choice([0, 1, 40]))}
        accounts[address] = {"balance": random.randrange(2**70), "nonce": random.randrange(3), "storage": slots}
        if random.random() < 0.3:
            accounts[address]["code"] = random.randbytes(5)
    return State(accounts)


def followed(root: bytes, key: bytes, nodes: tuple[bytes, ...]) -> bytes | None:
    """The trie's definition, followed by hand (Yellow Paper, appendix D)."""
    path = keccak256(key).hex()
    wanted: object = root
    rest = list(nodes)
    while True:
        if isinstance(wanted, bytes):
            if wanted == keccak256(b"\x80"):
                assert not rest
                return None
            node = rest.pop(0)
            assert keccak256(node) == wanted
            wanted = rlp.decode(node)
        if len(wanted) == 17:
            if wanted[int(path[0], 16)] == b"":
                assert not rest
                return None
            wanted, path = wanted[int(path[0], 16)], path[1:]
            continue
        encoded = wanted[0].hex()
        nibbles = encoded[1:] if int(encoded[0], 16) & 1 else encoded[2:]
        if not path.startswith(nibbles):
            assert not rest
            return None
        if int(encoded[0], 16) & 2:
            assert not rest
            return wanted[1]
        wanted, path = wanted[1], path[len(nibbles) :]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_proofs_show_what_the_state_holds(seed):
    random = Random(seed)
    state = random_state(random)
    for _ in range(8):
        address = random.choice(ADDRESSES)
        if random.random() < 0.5:
            state.set_storage(random.choice(ADDRESSES), random.randrange(200), random.randrange(2))
        slots = [random.randrange(200) for _ in range(random.randrange(5))]
        proof = state.prove(address, slots)
        assert [one.slot for one in proof.storage] == slots
        root = state.root()
        for given_form in (proof, proof.to_json(), json.loads(json.dumps(proof.to_json()))):
            assert verify_proof(root, address, given_form, slots) == proof
        account = state.get_account(address)
        leaf = followed(root, address, proof.nodes)
        if account is None:
            assert leaf is None
            assert (proof.balance, proof.nonce, proof.storage) == (
                0,
                0,
                tuple(one for one in proof.storage if one.value == 0 and not one.nodes),
            )
            continue
        assert rlp.decode(leaf) == [
            rlp.number(account.nonce), rlp.number(account.balance), proof.storage_root, keccak256(account.code)]  # fmt: skip
        assert (proof.balance, proof.nonce) == (account.balance, account.nonce)
        for one in proof.storage:
            value = followed(proof.storage_root, one.slot.to_bytes(32, "big"), one.nodes)
            assert one.value == account.storage.get(one.slot, 0)
            assert (value or b"\x80") == rlp.encode(rlp.number(one.value))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_forged_proofs_are_refused(seed):
    random = Random(seed)
    state = random_state(random)
    state.set_account(ADDRESSES[0], {"balance": 5, "storage": {n: n + 1 for n in range(50)}})
    address = random.choice([ADDRESSES[0], *ADDRESSES])
    proof, root = state.prove(address, [1, 99]), state.root()
    given_form = proof.to_json()
    lists = [given_form["accountProof"], *(one["proof"] for one in given_form["storageProof"] if one["proof"])]
    nodes = random.choice(lists)
    kind = random.randrange(8)
    if kind == 0:  # a bit
        index = random.randrange(len(nodes))
        raw = bytearray.fromhex(nodes[index][2:])
        raw[random.randrange(len(raw))] ^= 1 << random.randrange(8)
        nodes[index] = "0x" + raw.hex()
    elif kind == 1:
        del nodes[random.randrange(len(nodes))]
    elif kind == 2:
        nodes.append(random.choice(nodes))
    elif kind == 3:
        index = random.randrange(len(nodes))
        nodes[index] = nodes[index][: 2 + 2 * random.randrange(len(nodes[index]) // 2 - 1)]
    elif kind == 4:
        nodes.insert(
            random.randrange(len(nodes)), random.choice(["0x", "0x80", "0xc0", "0x" + "00" * 100_000, nodes[-1]])
        )
    elif kind == 5:
        name = random.choice(["balance", "nonce"])
        given_form[name] = hex(int(given_form[name], 16) + 1)
    elif kind == 6:
        name = random.choice(["codeHash", "storageHash"])
        given_form[name] = "0x" + random.randbytes(32).hex()
    else:
        one = random.choice(given_form["storageProof"])
        one["value"] = hex(int(one["value"], 16) + 1)
    with pytest.raises(InvalidProof):
        verify_proof(root, address, given_form)
    with pytest.raises(InvalidProof):
        verify_proof(random.randbytes(32), address, proof)


def test_a_proof_names_the_node_at_fault():
    state = State({address: {"balance": 1} for address in ADDRESSES})
    proof, root = state.prove(ADDRESSES[0]), state.root()
    broken = proof.to_json()
    broken["accountProof"][1] = "0x" + bytes(40).hex()
    with pytest.raises(
        InvalidProof, match=r"the account's proof, node 1, which should be 0x[0-9a-f]{64}: it has another hash"
    ) as caught:
        verify_proof(root, ADDRESSES[0], broken)
    assert (caught.value.index, caught.value.node, caught.value.slot) == (1, keccak256(proof.nodes[1]), None)
    with pytest.raises(InvalidProof, match="not 0x0202"):
        verify_proof(root, ADDRESSES[1], proof)
    with pytest.raises(InvalidProof, match="the proof of slot 0x7"):
        verify_proof(root, ADDRESSES[0], proof, [7])
    with pytest.raises(InvalidProof, match="more than any way has"):
        check_trie_proof(root, ADDRESSES[0], [b"\xc0"] * 100_000)


def test_nodes_that_hash_right_and_are_no_nodes_are_refused():
    """A root from an untrusted source says nothing of the nodes: what is below it may be anything."""
    key = ADDRESSES[0]
    path = keccak256(key)
    leaf = [b"\x20" + path, b"value"]
    assert check_trie_proof(keccak256(rlp.encode(leaf)), key, [rlp.encode(leaf)]) == b"value"
    bad = [
        [], [b""], [b"\x20" + path, b""], [b"\x20" + path, [b"x"]], [b"\x20" + path[:31], b"value"], [b"\x40" + path, b"value"],
        [b"\x21" + path, b"value"], [b"\x20" + path + b"\0", b"value"], [[b"\x20"], b"value"], [b"\x00" + path, path],
        [b"\x00", path], [b"", path], [b"\x00" + path[:1], b"short"], [b""] * 17, [path] + [b""] * 16, [path] * 17,
        [path] * 16 + [b"value"], [path] * 15 + [b""] * 3, [b"x"] * 2 + [b""] * 15, leaf * 2, [[b"y" * 40]] * 2 + [b""] * 15,
    ]  # fmt: skip
    for node in bad:
        encoded = rlp.encode(node)
        with pytest.raises(InvalidProof, match="node 0"):
            check_trie_proof(keccak256(encoded), key, [encoded])
    for raw in (b"", b"\xc1", b"\xf8\x02\x80\x80", b"\xc2\x80\x80\x80", b"\xff" * 9, rlp.encode([b"a" * 2000, b"b"])):
        with pytest.raises(InvalidProof):
            check_trie_proof(keccak256(raw), key, [raw])


def is_branch(raw: bytes) -> bool:
    try:
        items = rlp.decode(raw)
    except ValueError:
        return False
    named = [item for item in items if item != b""]
    return len(items) == 17 and items[16] == b"" and len(named) > 1 and all(len(item) == 32 for item in named)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 16])
def test_branches_of_hashes_are_read_as_rlp_is(count):
    key = ADDRESSES[0]
    way = keccak256(key)[0] >> 4
    places = [way, *(n for n in range(16) if n != way)][:count]
    raw = rlp.encode([bytes([n]) * 32 if n in places else b"" for n in range(17)])
    forms = [raw, *(raw[:n] for n in range(len(raw))), raw + b"\x80", raw + b"\0"]
    for at in range(len(raw)):
        if at < 3 or raw[at] in (0x80, 0xA0):
            forms += [
                raw[:at] + bytes([byte]) + raw[at + 1 :]
                for byte in (0, 0x7F, 0x80, 0x9F, 0xA0, 0xA1, 0xF7, 0xF8, 0xF9, 0xFA)
            ]
    for form in forms:
        with pytest.raises(InvalidProof) as caught:
            check_trie_proof(keccak256(form), key, [form])
        assert (caught.value.index == 1) == is_branch(form), form.hex()
    if count > 1:
        with pytest.raises(InvalidProof, match=f"node 1, which should be 0x{bytes([way] * 32).hex()}"):
            check_trie_proof(keccak256(raw), key, [raw])
        absent = rlp.encode([bytes([n]) * 32 if n != way else b"" for n in range(16)] + [b""])
        assert check_trie_proof(keccak256(absent), key, [absent]) is None


def test_encodings_are_kept_for_other_proofs_and_are_those_of_the_state():
    empty_caches()
    assert caches()["nodes"].entries == 0
    state = State({keccak256(bytes([n]))[12:]: {"balance": n} for n in range(200)})
    address = keccak256(b"\x05")[12:]
    for turn in range(40):
        state = state.copy()
        state.set_balance(address, 1000 + turn)
        proof = state.prove(address)
        assert proof.nodes[0] is state.prove(address).nodes[0]
        assert verify_proof(state.root(), address, proof).balance == 1000 + turn
    kept = caches()["nodes"]
    assert 2 <= kept.entries <= kept.limit
    empty_caches()
    assert caches()["nodes"].entries == 0
    assert state.prove(address) == proof


def test_a_proof_of_other_types_is_read_as_it_was():
    state = State({ADDRESSES[0]: {"balance": 7, "storage": {1: 2}}})
    root, proof = state.root(), state.prove(ADDRESSES[0], [1])
    assert verify_proof(root, ADDRESSES[0], proof) is proof

    class Number(int):
        def to_bytes(self, *arguments, **options):
            return b""

    for change in [
        {"balance": Number(7)}, {"nodes": list(proof.nodes)}, {"storage_root": bytearray(proof.storage_root)},
        {"nodes": tuple(memoryview(node) for node in proof.nodes)}, {"storage": list(proof.storage)},
        {"storage": (replace(proof.storage[0], value=Number(2)),)},
        {"storage": (replace(proof.storage[0], nodes=list(proof.storage[0].nodes)),)},
    ]:  # fmt: skip
        read = verify_proof(root, ADDRESSES[0], replace(proof, **change))
        assert read == proof
        assert (type(read.balance), type(read.nodes), type(read.storage)) == (int, tuple, tuple)
    for change in [
        {"balance": -7},
        {"nonce": 2**64},
        {"code_hash": b"\0" * 31},
        {"nodes": (b"", None)},
        {"balance": True},
    ]:
        with pytest.raises((UnusableInput, InvalidProof)):
            verify_proof(root, ADDRESSES[0], replace(proof, **change))


@pytest.mark.parametrize("change", [
    {"address": 5}, {"balance": -1}, {"nonce": 2**64}, {"codeHash": "0x12"}, {"accountProof": "0x"}, {"accountProof": [None]},
    {"storageProof": [{}]}, {"storageProof": 3}, {"storageProof": [{"key": "0x0", "value": "0x0", "proof": None}]}])  # fmt: skip
def test_what_is_no_proof_at_all_is_refused(change):
    state = State({ADDRESSES[0]: {"balance": 1}})
    proof = state.prove(ADDRESSES[0])
    with pytest.raises(UnusableInput):
        verify_proof(state.root(), ADDRESSES[0], {**proof.to_json(), **change})
    with pytest.raises(UnusableInput):
        verify_proof(
            state.root(), ADDRESSES[0], {name: proof.to_json()[name] for name in proof.to_json() if name not in change}
        )
    with pytest.raises(UnusableInput):
        verify_proof(state.root(), ADDRESSES[0], AccountProof(ADDRESSES[0], "1", 0, b"", b"", (), ()))


@pytest.mark.skipif(not RPC_TESTS.exists(), reason="needs the public RPC tests beside the checkout")
@pytest.mark.parametrize("path", sorted(RPC_TESTS.glob("*.io")) or [None], ids=lambda path: path and path.stem)
def test_proofs_of_the_public_rpc_tests_hold(path):
    """Of blocks whose state root isn't named: the root is that of the first node."""
    lines = path.read_text().splitlines()
    answers = [json.loads(line[3:])["result"] for line in lines if line.startswith("<<")]
    for answer in answers:
        root = keccak256(bytes.fromhex(answer["accountProof"][0][2:]))
        shown = verify_proof(root, answer["address"], answer)
        assert shown.balance == int(answer["balance"], 16)
        assert AccountProof.from_json(shown.to_json()) == shown
