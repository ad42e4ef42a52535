"""ECDSA on secp256k1: the library's answers and evmcore's own are the same, and evmcore works without the library."""

import hashlib
import random
import subprocess
import sys
import textwrap

import pytest

from evmcore import InvalidTransaction, Transaction, _core, keccak256

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def sign(portable: bool, message_hash: bytes, key: bytes) -> tuple[int, int, int] | None:
    return _core.probe_sign(message_hash, key) if portable else _core.sign_hash(message_hash, key)


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


# (private key, message, r, s): widely published vectors of RFC 6979 on secp256k1 with SHA-256.
VECTORS = [
    (
        1,
        b"Satoshi Nakamoto",
        0x934B1EA10A4B3C1757E2B0C017D0B6143CE3C9A7E6A4A49860D7A6AB210EE3D8,
        0x2442CE9D2B916064108014783E923EC36B49743E2FFA1C4496F01A512AAFD9E5,
    ),
    (
        1,
        b"All those moments will be lost in time, like tears in rain. Time to die...",
        0x8600DBD41E348FE5C9465AB92D23E3DB8B98B873BEECD930736488696438CB6B,
        0x547FE64427496DB33BF66019DACBF0039C04199ABB0122918601DB38A72CFC21,
    ),
    (
        ORDER - 1,
        b"Satoshi Nakamoto",
        0xFD567D121DB66E382991534ADA77A6BD3106F0A1098C231E47993447CD6AF2D0,
        0x6B39CD0EB1BC8603E159EF5C20A5C8AD685A45B06CE9BEBED3F153D10D93BED5,
    ),
    (
        0xF8B8AF8CE3C7CCA5E300D33939540C10D45CE001B8F252BFBC57BA0342904181,
        b"Alan Turing",
        0x7063AE83E7F62BBB171798131B4A0564B956930092B33B07B395615D9EC7E15C,
        0x58DFCC1E00A35E1572F366FFE34BA0FC47DB1E7189759B9FB233C5B05AB388EA,
    ),
]


@pytest.mark.parametrize("portable", [True, False])
@pytest.mark.parametrize(("key", "message", "r", "s"), VECTORS)
def test_published_vectors_of_deterministic_nonces(portable, key, message, r, s):
    digest = hashlib.sha256(message).digest()
    assert sign(portable, digest, word(key))[:2] == (r, s)


def edges() -> list[int]:
    return [1, 2, 3, 2**64 - 1, 2**64, 2**128, 2**255, ORDER // 2, ORDER // 2 + 1, ORDER - 2, ORDER - 1]


def test_both_implementations_sign_alike_and_recover_the_same_key():
    chance = random.Random(1)
    keys = edges() + [chance.randrange(1, ORDER) for _ in range(200)]
    hashes = [0, 1, ORDER - 1, ORDER, ORDER + 1, 2**256 - 1] + [chance.getrandbits(256) for _ in range(200)]
    pairs = [(key, number) for key in edges() for number in hashes[:6]] + list(zip(keys, reversed(hashes)))
    seen = set()
    for key, number in pairs:
        signature = _core.probe_sign(word(number), word(key))
        assert signature == _core.sign_hash(word(number), word(key)), (key, number)
        r, s, y_parity = signature
        assert 1 <= s <= ORDER // 2
        public = _core.probe_recover(word(number), r, s, y_parity, portable=True)
        assert public is not None
        assert public == _core.probe_recover(word(number), r, s, y_parity, portable=False)
        # The other parity is another key, or none.
        assert public != _core.probe_recover(word(number), r, s, 1 - y_parity, portable=True)
        # The mirror image: -s with the other parity is as valid.
        assert public == _core.probe_recover(word(number), r, ORDER - s, 1 - y_parity, portable=True)
        seen.add(y_parity)
    assert seen == {0, 1}


def test_the_generator_is_the_public_key_of_one():
    r, s, y_parity = _core.probe_sign(word(7), word(1))
    public = _core.probe_recover(word(7), r, s, y_parity, portable=True)
    assert public.hex() == (
        "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
        "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
    )


@pytest.mark.parametrize("key", [0, ORDER, ORDER + 1, 2**256 - 1])
def test_keys_out_of_range_sign_nothing(key):
    assert _core.probe_sign(word(1), word(key)) is None
    with pytest.raises(ValueError, match="private_key: not between 1 and the order"):
        Transaction(to=bytes(20), chain_id=1).sign(word(key))


@pytest.mark.parametrize("portable", [True, False])
@pytest.mark.parametrize(("r", "s"), [(0, 1), (1, 0), (ORDER, 1), (1, ORDER), (2**256 - 1, 1), (1, 2**256 - 1), (5, 1)])
def test_numbers_that_are_no_signature_recover_nothing(r, s, portable):
    # 5 is no x of a point: 132 is no square modulo the prime.
    assert _core.probe_recover(word(1), r, s, 0, portable=portable) is None


@pytest.mark.parametrize("key", ["0x" + "5ec2e7" * 10 + "zz00", b"5ec2e7", "0x5ec2e7"])
def test_an_unusable_private_key_is_not_shown(key):
    with pytest.raises(ValueError, match="private_key: expected 32 bytes or 64 hex digits") as caught:
        Transaction(to=bytes(20), chain_id=1).sign(key)
    assert caught.value.__context__ is None


def run_without_coincurve(code: str) -> str:
    """Standard output of a program in a process of its own in which coincurve can't be found and no library is used."""
    hidden = """
    import sys
    class Hide:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] == "coincurve":
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    sys.meta_path.insert(0, Hide())
    import evmcore
    from evmcore import _core
    for symbol, package in _core.native_symbols():
        if package == "coincurve":
            _core.set_native_symbol(symbol, 0)   # the system's library may have been found
    """
    program = textwrap.dedent(hidden) + textwrap.dedent(code) + "\nassert 'coincurve' not in sys.modules\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_coincurve_transactions_are_signed_and_senders_recovered():
    printed = run_without_coincurve("""
        from evmcore import Transaction
        for kind in range(5):
            fees = {"gas_price": 9} if kind < 2 else {"max_fee_per_gas": 9, "max_priority_fee_per_gas": 1}
            more = {3: {"max_fee_per_blob_gas": 1, "blob_versioned_hashes": [b"\\1" + bytes(31)]}}.get(kind, {})
            tx = Transaction(type=kind, to=bytes(20), chain_id=1, nonce=kind, **fees, **more).sign(b"\\x11" * 32)
            decoded = Transaction.decode(tx.encode())
            print(decoded.hash.hex(), decoded.sender.hex())
    """)
    key = b"\x11" * 32
    lines = []
    for kind in range(5):
        fees = {"gas_price": 9} if kind < 2 else {"max_fee_per_gas": 9, "max_priority_fee_per_gas": 1}
        more = {3: {"max_fee_per_blob_gas": 1, "blob_versioned_hashes": [b"\1" + bytes(31)]}}.get(kind, {})
        tx = Transaction(type=kind, to=bytes(20), chain_id=1, nonce=kind, **fees, **more).sign(key)
        lines.append(f"{tx.hash.hex()} {tx.sender.hex()}")
    assert printed.splitlines() == lines


def test_without_coincurve_a_block_of_signed_transactions_verifies():
    printed = run_without_coincurve("""
        from evmcore import Block, execute_block, recover_senders
        from evmcore.example.generate import EXAMPLE_FILE
        block = Block.load(EXAMPLE_FILE)
        known = [tx.sender for tx in block.transactions]
        anew = [tx.forget_sender() for tx in block.transactions]
        for workers in (1, 2):
            recover_senders(anew, workers=workers)
            assert [tx.sender for tx in anew] == known
        result = execute_block(block, block.pre_state.copy(), workers=2)
        print(len(result.receipts), result.state_root == block.header.state_root)
    """)
    assert printed.split() == ["99", "True"]


def test_without_coincurve_the_precompile_answers_and_bad_signatures_are_refused():
    printed = run_without_coincurve("""
        from evmcore import InvalidTransaction, Transaction
        from evmcore.native import KNOWN_ANSWERS
        [(_, address, given, expected)] = [row for row in KNOWN_ANSWERS if row[0] == "coincurve"]
        print(_core.run_precompile(address, bytes.fromhex(given)).hex() == expected)
        try:
            Transaction(type=2, to=bytes(20), chain_id=1, r=5, s=1, y_parity=0).sender
        except InvalidTransaction as error:
            print(error.status)
    """)
    assert printed.split() == ["True", "INVALID_SIGNATURE"]
    with pytest.raises(InvalidTransaction):
        _ = Transaction(type=2, to=bytes(20), chain_id=1, r=5, s=1, y_parity=0).sender


def test_a_library_that_signs_wrongly_is_not_used(monkeypatch):
    from evmcore import native

    assert native._answers_right(_core, "coincurve")
    monkeypatch.setattr(native, "KNOWN_SIGNATURE", (1, 2, 0))
    assert not native._answers_right(_core, "coincurve")


def test_addresses_of_published_keys():
    r, s, y_parity = _core.probe_sign(word(1), keccak256(b"cow"))
    public = _core.probe_recover(word(1), r, s, y_parity, portable=True)
    assert keccak256(public)[12:].hex() == "cd2a3d9f938e13cd947ec05abc7fe734df8dd826"
