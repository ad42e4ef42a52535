"""Blobs that are sent with a transaction: held against their proofs, of both forms."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest
from test_server import ACCOUNTS, HER, Client

from evmcore import Transaction, rlp
from evmcore.server import kzg

# Of the blob below, by c-kzg-4844 2.1.
MADE = json.loads(Path(__file__).with_name("blob_proofs.json").read_text())
BLOB = b"".join(b"\0" + sha256(index.to_bytes(4, "big")).digest()[1:] for index in range(4096))
COMMITMENT, PROOF = bytes.fromhex(MADE["commitment"]), bytes.fromhex(MADE["proof"])
HASHES = (kzg.versioned_hash(COMMITMENT),)
CELL_PROOFS = [bytes.fromhex(one) for one in MADE["cell_proofs"]]
OTHER = BLOB[:32] + bytes(32) + BLOB[64:]


@cache
def transaction():
    fields = {"max_fee_per_gas": 10**11, "max_priority_fee_per_gas": 1, "max_fee_per_blob_gas": 10**11}
    made = Transaction(
        type=3, to=HER, gas_limit=100_000, chain_id=1337, nonce=0, blob_versioned_hashes=HASHES, **fields
    )
    return made.sign(ACCOUNTS[0].key)


def raw(blobs=(BLOB,), commitments=(COMMITMENT,), proofs=(PROOF,), version=None):
    body = rlp.decode(transaction().raw[1:], "transaction")
    parts = [list(blobs), list(commitments), list(proofs)]
    given = [body, *parts] if version is None else [body, bytes([version]) if version else b"", *parts]
    return "0x03" + rlp.encode(given).hex()


def test_proofs_of_blobs_and_cells_verify_and_others_do_not():
    """With another point of the ceremony's than c-kzg's the cells' proofs wouldn't: the blob is of degree 4,095."""
    assert kzg.is_blob_proof_right(BLOB, COMMITMENT, PROOF)
    for blob, commitment, proof in (
        (OTHER, COMMITMENT, PROOF), (BLOB, PROOF, PROOF), (BLOB, COMMITMENT, COMMITMENT), (BLOB, COMMITMENT, bytes(48)),
        (BLOB, bytes(48), PROOF), (b"\xff" * kzg.BLOB_BYTES, COMMITMENT, PROOF), (BLOB[:-1], COMMITMENT, PROOF),
        (BLOB, COMMITMENT, b"\xc0" + bytes(47)), (BLOB, b"\xff" * 48, PROOF),
    ):  # fmt: skip
        assert not kzg.is_blob_proof_right(blob, commitment, proof)
    swapped = [*CELL_PROOFS[:3], CELL_PROOFS[4], CELL_PROOFS[3], *CELL_PROOFS[5:]]
    for blob, commitment, proofs in (
        (OTHER, COMMITMENT, CELL_PROOFS), (BLOB, PROOF, CELL_PROOFS), (BLOB, COMMITMENT, swapped),
        (BLOB, COMMITMENT, CELL_PROOFS[:-1]), (BLOB, COMMITMENT, [*CELL_PROOFS[:-1], b"\xff" * 48]),
        (BLOB, COMMITMENT, [*CELL_PROOFS[:-1], b"\x80" + bytes(46) + b"\x01"]), (BLOB, bytes(48), CELL_PROOFS),
    ):  # fmt: skip
        assert not kzg.are_cell_proofs_right(blob, commitment, proofs)


def test_a_constant_blob_has_nothing_to_prove():
    blob, infinity = (5).to_bytes(32, "big") * 4096, b"\xc0" + bytes(47)
    # 5 G1
    commitment = bytes.fromhex(
        "b0e7791fb972fe014159aa33a98622da3cdc98ff707965e536d8636b5fcc5ac7a91a8c46e59a00dca575af0f18fb13dc"
    )
    assert kzg.is_blob_proof_right(blob, commitment, infinity)
    assert kzg.are_cell_proofs_right(blob, commitment, [infinity] * 128)
    assert not kzg.are_cell_proofs_right(blob, COMMITMENT, [infinity] * 128)


def test_without_the_library_it_is_said_that_nothing_can_be_verified(monkeypatch):
    monkeypatch.setattr(kzg, "run_precompile", lambda address, data: None)
    kzg.check_library.cache_clear()
    code, message = Client().error("eth_sendRawTransaction", raw())
    kzg.check_library.cache_clear()
    assert (code, "ckzg" in message) == (-32000, True)


def test_both_forms_are_taken_and_mined():
    for given in (raw(), raw(proofs=CELL_PROOFS, version=1)):
        client = Client()
        sent = client("eth_sendRawTransaction", given)
        receipt = client("eth_getTransactionReceipt", sent)
        assert (receipt["status"], receipt["blobGasUsed"]) == ("0x1", "0x20000")
        assert client("eth_getRawTransactionByHash", sent) == "0x" + transaction().raw.hex()


def test_a_transaction_without_its_blobs_is_for_blocks_alone():
    """As go-ethereum's pool has it; a block may have it, and before blobs it is refused for its type."""
    bare = "0x" + transaction().raw.hex()
    for method in ("eth_sendRawTransaction", "eth_sendRawTransactionSync"):
        client = Client()
        assert client.error(method, bare) == (-32000, "missing sidecar in blob transaction")
        assert client("txpool_status") == {"pending": "0x0", "queued": "0x0"}
        assert client("eth_blockNumber") == "0x0"
    assert client.node.chain.send(transaction()).is_success
    client = Client()
    client("evm_mine")
    client("anvil_reorg", {"depth": 1, "txBlockPairs": [[bare, 0]]})
    assert client("eth_getTransactionReceipt", "0x" + transaction().hash.hex())["status"] == "0x1"
    assert "sidecar" not in Client(forks="Shanghai").error("eth_sendRawTransaction", bare)[1]


@pytest.mark.parametrize(
    ("given", "fork", "says"),
    [
        ({"blobs": (BLOB,) * 7}, "Osaka", "too many blobs in transaction: have 7, permitted 6"),
        ({"blobs": ()}, "Osaka", "invalid number of 0 blobs compared to 1 blob hashes"),
        (
            {"commitments": (COMMITMENT, COMMITMENT)},
            "Osaka",
            "invalid number of 2 blob commitments compared to 1 blob hashes",
        ),
        ({"proofs": ()}, "Osaka", "invalid number of 0 blob proofs expected 1"),
        ({"proofs": CELL_PROOFS}, "Osaka", "invalid number of 128 blob proofs expected 1"),
        ({"version": 1}, "Osaka", "invalid number of 1 blob proofs expected 128"),
        ({"version": 1, "proofs": CELL_PROOFS}, "Prague", "unexpected sidecar version, want: 0, got: 1"),
        ({"version": 2, "proofs": CELL_PROOFS}, "Osaka", "sidecar of version 2"),
        ({"version": 0, "proofs": (PROOF,)}, "Osaka", "sidecar of version 0"),
        ({"commitments": (PROOF,)}, "Osaka", "mismatches transaction one"),
        ({"blobs": (OTHER,)}, "Osaka", "invalid blob 0: can't verify opening proof"),
        ({"proofs": (COMMITMENT,)}, "Osaka", "invalid blob 0: can't verify opening proof"),
        ({"version": 1, "proofs": CELL_PROOFS[::-1]}, "Osaka", "invalid blob 0: can't verify opening proof"),
        ({"blobs": (BLOB[1:],)}, "Osaka", "blob"),
        ({"proofs": (PROOF[1:],)}, "Osaka", "proof"),
        ({"commitments": (b"",)}, "Osaka", "commitment"),
    ],
)
def test_a_sidecar_that_is_wrong_is_refused_and_leaves_nothing(given, fork, says):
    client = Client(forks=fork)
    code, message = client.error("eth_sendRawTransaction", raw(**given))
    assert code == -32000
    assert says in message
    assert client("txpool_status") == {"pending": "0x0", "queued": "0x0"}
    assert client("eth_blockNumber") == "0x0"
