"""Layers that check each other: who lies is named, who dies or sleeps is replaced, and every block is right, once, in order."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from test_ranges import block_number

from evmcore import Block, execute_block, keccak256
from evmcore.__main__ import main
from evmcore.errors import DecodeError, EvmError, UnusableInput
from evmcore.example import EXAMPLE_FILE
from evmcore.layers import (
    Answer,
    Certificate,
    InvalidCertificate,
    LocalLayer,
    Quorum,
    address_of,
    answer_block,
    digest_of,
    local_layers,
    processes,
    verdict,
)
from evmcore.layers.certificate import refusal_digest

KEYS = [keccak256(b"layer %d" % number) for number in range(8)]
FALSE = bytes([0xFA]) * 32


@pytest.fixture(scope="module")
def blocks():
    return [block_number(number) for number in range(1, 9)]


def certify(key, digest=bytes(32), block_hash=bytes(32), number=7):
    return Certificate.sign(key, chain_id=1, number=number, block_hash=block_hash, digest=digest)


def lie(answer, key, digest=FALSE):
    """The answer with another digest, signed as if it were true."""
    said = answer.certificate
    signed = Certificate.sign(
        key, chain_id=said.chain_id, number=said.number, block_hash=said.block_hash, digest=digest
    )
    return Answer(replace(answer.summary, digest=digest), signed)


class Liar:
    """Lies about its first blocks, so many; None: about all."""

    def __init__(self, times=None):
        self.times = times

    def __call__(self, block, key, cpu_limit_s):
        answer = answer_block(block, key, cpu_limit_s)
        if self.times is not None:
            self.times -= 1
            if self.times < 0:
                return answer
        return lie(answer, key)


def layers(*answers, executor=None):
    return [
        LocalLayer(f"layer {number}", KEYS[number], executor, answer=answer or answer_block)
        for number, answer in enumerate(answers)
    ]


def check(verdicts, blocks):
    """Every block once, right, in order."""
    assert [one.index for one in verdicts] == list(range(len(blocks)))
    for one, block in zip(verdicts, blocks):
        assert one.is_ok, one.summary.error
        assert one.digest == digest_of(execute_block(block, block.pre_state.copy(), access_list=True))
        assert one.summary.block_hash == block.hash


def test_layers_that_agree_make_a_verdict_that_others_can_check(blocks):
    with Quorum(layers(None, None, None), 2) as quorum:
        verdicts = list(quorum.verify(blocks))
    check(verdicts, blocks)
    assert not quorum.struck
    assert not quorum.lost
    known = [address_of(key) for key in KEYS[:3]]
    for one, block in zip(verdicts, blocks):
        assert len(one.certificates) == len(one.asked) == 2
        shown = verdict(one.certificates, known, 2, block_hash=block.hash)
        assert shown.digest == one.digest
        assert len(shown.signers) == 2
    assert {name for one in verdicts for name in one.asked} == {"layer 0", "layer 1", "layer 2"}


@pytest.mark.parametrize("times", [None, 1], ids=["always", "once"])
def test_a_liar_is_found_by_a_third_and_struck_off(blocks, times):
    with Quorum(layers(Liar(times), None, None), 2, in_flight=1) as quorum:
        verdicts = list(quorum.verify(blocks))
    check(verdicts, blocks)
    [dissent] = quorum.struck
    assert (dissent.layer, dissent.address) == ("layer 0", address_of(KEYS[0]))
    assert dissent.certificate.signer == address_of(KEYS[0])  # the evidence is its own
    assert dissent.certificate.digest == FALSE != dissent.digest
    [found] = [one for one in verdicts if one.dissents]
    assert len(found.asked) == 3
    assert all("layer 0" not in one.asked for one in verdicts[found.index + 1 :])


def test_two_that_lie_together_are_outvoted_by_three_and_named(blocks):
    for seed in (b"a", b"b", b"c"):
        with Quorum(layers(None, Liar(), None, Liar(), None), 3, seed=seed) as quorum:
            check(list(quorum.verify(blocks)), blocks)
        assert {dissent.layer for dissent in quorum.struck} == {"layer 1", "layer 3"}


def test_without_enough_that_agree_there_is_no_verdict_and_nobody_is_blamed(blocks):
    with Quorum(layers(Liar(), None), 2) as quorum:
        [one] = quorum.verify(blocks[:1])
    assert (one.digest, one.is_ok, quorum.struck) == (None, False, [])
    assert "no 2 layers agree" in (one.summary.error or "")


class Abstainer:
    """Has no memory for some blocks, or none at all."""

    def __call__(self, block, key, cpu_limit_s):
        answer = answer_block(block, key, cpu_limit_s)
        return Answer(replace(answer.summary, is_ok=False, digest=None, error="no memory", is_conclusive=False))


def test_an_internal_error_abstains_and_is_no_dissent(blocks):
    with Quorum(layers(Abstainer(), None, None), 2) as quorum:
        verdicts = list(quorum.verify(blocks))
    check(verdicts, blocks)
    assert not quorum.struck
    assert ("layer 0", "no memory") in [pair for one in verdicts for pair in one.abstained]


def test_no_memory_in_the_engine_is_no_dissent(blocks, monkeypatch):
    from evmcore.layers import summary

    def fail(*_):
        raise MemoryError("the state could not grow")

    monkeypatch.setattr(summary, "_execute", fail)
    answer = answer_block(blocks[0], KEYS[0])
    assert answer.certificate is None
    assert not answer.summary.is_conclusive


class Forger:
    """Signs with another's key, or another block than it says."""

    def __init__(self, how):
        self.how = how

    def __call__(self, block, key, cpu_limit_s):
        answer = answer_block(block, key, cpu_limit_s)
        if self.how == "key":
            return lie(answer, KEYS[1], answer.certificate.digest)
        if self.how == "block":
            return Answer(answer.summary, certify(key, answer.certificate.digest))
        if self.how == "both":  # consistent in itself, but of a block that nobody asked for
            return Answer(replace(answer.summary, block_hash=FALSE), certify(key, answer.certificate.digest, FALSE))
        return "yes"


@pytest.mark.parametrize("how", ["key", "block", "both", "type"])
def test_an_answer_that_is_not_the_layers_own_word_is_struck_off(blocks, how):
    with Quorum(layers(Forger(how), None, None), 2) as quorum:
        check(list(quorum.verify(blocks)), blocks)
    assert [dissent.layer for dissent in quorum.struck] == ["layer 0"]


class Deadly:
    """Takes its process down at the first block of each process, or always."""

    def __init__(self, mark=None):
        self.mark = mark

    def __call__(self, block, key, cpu_limit_s):
        if self.mark is None or not os.path.exists(self.mark):
            if self.mark is not None:
                Path(self.mark).touch()
            os._exit(9)
        return answer_block(block, key, cpu_limit_s)


def test_a_layer_that_dies_is_begun_again(blocks, tmp_path):
    with Quorum(layers(Deadly(str(tmp_path / "mark")), None, None, executor=processes), 3, retries=2) as quorum:
        verdicts = list(quorum.verify(blocks))
    check(verdicts, blocks)
    assert not quorum.struck
    assert not quorum.lost
    assert any("terminated" in reason for one in verdicts for _, reason in one.abstained)


def test_a_layer_that_dies_always_is_lost_and_the_others_go_on(blocks):
    with Quorum(layers(Deadly(), None, None, executor=processes), 2) as quorum:
        check(list(quorum.verify(blocks)), blocks)
    assert quorum.lost in ([], ["layer 0"])
    assert not quorum.struck


class Sleeper:
    def __call__(self, block, key, cpu_limit_s):
        time.sleep(90)
        return answer_block(block, key, cpu_limit_s)


def test_a_layer_that_sleeps_is_replaced_and_not_blamed(blocks):
    started = time.monotonic()
    with Quorum(layers(Sleeper(), None, None, executor=processes), 2, patience_s=0.6) as quorum:
        check(list(quorum.verify(blocks)), blocks)
    assert time.monotonic() - started < 60
    assert not quorum.struck


class Burner:
    """Uses the processor's time, and never ends."""

    def __call__(self, block, key, cpu_limit_s):
        return answer_block(ENDLESS, key, cpu_limit_s)


def endless():
    from evmcore import Header, State, Transaction, assemble

    a, loop = bytes([1]) * 20, bytes([2]) * 20
    state = State({a: {"balance": 2**200}, loop: {"code": assemble("again: PUSH @again JUMP")}})
    header = Header(number=1, fork="London", base_fee_per_gas=7, gas_limit=2**62)
    return Block(header, (Transaction(to=loop, sender=a, gas_limit=2**60, gas_price=10),), pre_state=state)


ENDLESS = endless()


def test_processor_time_is_what_is_limited_and_beyond_it_a_layer_abstains():
    started = time.process_time()
    answer = answer_block(ENDLESS, KEYS[0], 0.3)
    assert time.process_time() - started < 5
    assert answer.certificate is None
    assert not answer.summary.is_conclusive
    assert "more than 0.3 seconds of the processor's time" in (answer.summary.error or "")


def test_waiting_takes_no_processor_time(blocks, monkeypatch):
    from evmcore.layers import layer

    real = layer.replay_block

    def slowly(*args, **options):
        time.sleep(0.8)
        return real(*args, **options)

    monkeypatch.setattr(layer, "replay_block", slowly)
    assert answer_block(blocks[0], KEYS[0], 0.4).certificate is not None


def test_a_block_that_no_layer_can_end_is_no_verdict():
    with Quorum(local_layers(2), 2, cpu_limit_s=0.2) as quorum:
        [one] = quorum.verify([ENDLESS])
    assert one.digest is None
    assert not one.summary.is_conclusive
    assert not quorum.struck


def test_a_refused_block_has_a_digest_on_which_layers_agree(blocks):
    wrong = Block(blocks[0].header, blocks[0].transactions, pre_state=type(blocks[0].pre_state)())
    with Quorum(layers(None, None), 2) as quorum:
        [one, missing] = quorum.verify([wrong, "no such file"])
    assert one.digest == refusal_digest(wrong.hash)
    assert not one.is_ok
    assert "funds" in (one.summary.error or "")
    assert missing.digest is None
    assert "no such file" in (missing.summary.error or "")


def test_a_certificate_is_what_was_signed_and_by_whom():
    signed = certify(KEYS[0])
    assert signed.signer == address_of(KEYS[0])
    assert Certificate.decode(signed.encode()) == signed == Certificate.from_json(signed.to_json())
    for other in (
        {"number": 8},
        {"chain_id": 2},
        {"block_hash": FALSE},
        {"digest": FALSE},
        {"engine": "another"},
    ):
        assert replace(signed, **other).signer != signed.signer
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high = (order - int.from_bytes(signed.signature[32:64], "big")).to_bytes(32, "big")
    for signature in (signed.signature[:32] + high + bytes([1 - signed.signature[64]]), bytes(65), b"\xff" * 65):
        with pytest.raises(InvalidCertificate):
            replace(signed, signature=signature).signer
    with pytest.raises(UnusableInput, match="certificate.engine"):
        replace(signed, engine="")
    with pytest.raises(UnusableInput, match="digest"):
        replace(signed, digest=b"short")
    with pytest.raises(ValueError, match="key"):
        certify(bytes(32))


@pytest.mark.parametrize("encoded", [b"", b"\xc0", b"\x80", b"\xf8", bytes(200)])
def test_bytes_that_are_no_certificate_are_refused(encoded):
    with pytest.raises((DecodeError, UnusableInput)):
        Certificate.decode(encoded)


def test_every_flipped_bit_of_a_certificate_is_another_signer_or_refused():
    encoded = certify(KEYS[0]).encode()
    for bit in range(0, 8 * len(encoded), 5):
        flipped = bytearray(encoded)
        flipped[bit // 8] ^= 1 << bit % 8
        with contextlib.suppress(EvmError):
            assert Certificate.decode(bytes(flipped)).signer != address_of(KEYS[0])


def test_a_verdict_counts_each_layer_once_and_liars_not_at_all():
    known = [address_of(key) for key in KEYS[:5]]

    def decide(*certificates, needed=3):
        return verdict(certificates, known, needed, block_hash=bytes(32))

    honest = [certify(key) for key in KEYS[:3]]
    assert decide(*honest).digest == bytes(32)
    assert decide(*honest[:2], honest[0], honest[1]).digest is None
    assert decide(*honest[:2], certify(KEYS[6])).digest is None  # not one of them
    assert decide(*honest[:2], certify(KEYS[2], block_hash=FALSE)).digest is None  # of another block
    assert decide(*honest, certify(KEYS[3], FALSE)).dissenters == {known[3]}
    twice = decide(*honest, certify(KEYS[0], FALSE))
    assert (twice.digest, twice.liars) == (None, {known[0]})
    assert decide(*honest, replace(honest[0], signature=bytes(65))).digest == bytes(32)
    split = decide(*honest[:2], certify(KEYS[3], FALSE), certify(KEYS[4], FALSE), needed=2)
    assert split.digest is None
    for needed in (0, 6):
        with pytest.raises(UnusableInput, match="needed"):
            decide(needed=needed)


def test_layers_that_are_one_voice_are_refused():
    with pytest.raises(UnusableInput, match="same key"):
        Quorum([LocalLayer("a", KEYS[0]), LocalLayer("b", KEYS[0])], 2)
    with pytest.raises(UnusableInput, match="quorum: 3 of 2"):
        Quorum(layers(None, None), 3)


def test_the_command_verifies_and_writes_certificates(tmp_path, capsys):
    for number in range(2):
        shutil.copy(EXAMPLE_FILE, tmp_path / f"{number}.json.gz")
    (tmp_path / "other.json").write_text("{}")
    written = tmp_path / "certificates.jsonl"
    assert (
        main(["verify", str(tmp_path), "--layers", "2", "--quorum", "2", "--json", "--certificates", str(written)]) == 0
    )
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["ok"] for line in lines] == [True, True]
    block = Block.load(EXAMPLE_FILE)
    for line, row in zip(lines, written.read_text().splitlines()):
        certificates = [Certificate.from_json(one) for one in json.loads(row)["certificates"]]
        shown = verdict(certificates, line["signers"], 2, block_hash=block.hash)
        assert "0x" + shown.digest.hex() == line["digest"]
    assert main(["verify", str(tmp_path / "other.json"), "--layers", "1", "--quorum", "1"]) == 2
    assert main(["verify", str(EXAMPLE_FILE), "--layers", "1", "--quorum", "2"]) == 2
    assert "quorum: 2 of 1" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore")  # of the cluster's own making
def test_workers_of_a_cluster_are_layers(blocks, tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="pip install evmcore[cluster]")
    from evmcore.layers import DaskLayer

    monkeypatch.setenv("EVMCORE_LAYER_KEY", KEYS[5].hex())
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=None, local_directory=str(tmp_path), processes=False
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        [worker] = client.scheduler_info()["workers"]
        layer = DaskLayer(client, worker)
        assert layer.address == address_of(KEYS[5])
        with Quorum([layer, *layers(None, Liar())], 2) as quorum:
            check(list(quorum.verify(blocks)), blocks)
        assert [dissent.layer for dissent in quorum.struck] == ["layer 1"]
    monkeypatch.setenv("EVMCORE_LAYER_KEY", "none")
    with pytest.raises(UnusableInput, match="EVMCORE_LAYER_KEY"):
        answer_block(blocks[0])
