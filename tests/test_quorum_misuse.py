"""Layers that forge what isn't signed or answer with nonsense, and arguments that make no quorum."""

from __future__ import annotations

import threading
from concurrent.futures import BrokenExecutor, Future
from dataclasses import replace

import pytest
from test_quorum import KEYS, certify, layers
from test_ranges import block_number

from evmcore.errors import UnusableInput
from evmcore.layers import Answer, BlockSummary, Certificate, LocalLayer, Quorum, address_of, answer_block, verdict
from evmcore.layers.executors import DaemonThreads


@pytest.fixture(scope="module")
def blocks():
    return [block_number(number) for number in range(1, 4)]


class Forger:
    """Changes its true answer's summary, and signs the true digest."""

    def __init__(self, **members):
        self.members = members

    def __call__(self, block, key, cpu_limit_s):
        answer = answer_block(block, key, cpu_limit_s)
        return Answer(replace(answer.summary, **self.members), answer.certificate)


class Says:
    """Answers whatever it is given."""

    def __init__(self, answer):
        self.answer = answer

    def __call__(self, block, key, cpu_limit_s):
        return self.answer


class Raises:
    def __init__(self, error):
        self.error = error

    def __call__(self, block, key, cpu_limit_s):
        raise self.error


@pytest.mark.parametrize(
    "members", [{"is_ok": True, "error": None}, {"gas_used": 5}, {"state_root": bytes(32)}, {"checks": {}}], ids=str
)
def test_what_a_summary_says_beside_its_digest_is_outvoted_too(blocks, members):
    wrong = blocks[0].with_header(state_root=bytes(31) + b"\7")
    for seed in range(4):  # the layer that is asked first differs
        with Quorum(layers(Forger(**members), None, None), 2, seed=bytes([seed])) as quorum:
            [said] = quorum.verify([wrong])
        assert not said.is_ok
        assert "state root" in said.summary.error
        assert said.summary.gas_used == 200_000
        assert all(dissent.layer == "layer 0" and next(iter(members)) in dissent.reason for dissent in quorum.struck)


def test_a_certificate_of_another_number_or_chain_is_struck_off(blocks):
    def sign_other(block, key, cpu_limit_s):
        answer = answer_block(block, key, cpu_limit_s)
        said = answer.certificate
        other = Certificate.sign(key, chain_id=9, number=999, block_hash=said.block_hash, digest=said.digest)
        return Answer(answer.summary, other)

    with Quorum(layers(sign_other, None, None), 2, in_flight=1) as quorum:
        verdicts = list(quorum.verify(blocks))
    assert all(one.is_ok for one in verdicts)
    assert all(one.number == verdict_.summary.number for verdict_ in verdicts for one in verdict_.certificates)
    [dissent] = quorum.struck
    assert "number 999" in dissent.reason


@pytest.mark.parametrize(
    "answer",
    [
        Says(Answer({"a": 1})),
        Says(Answer(BlockSummary(), {"a": 1})),
        Says(Answer(BlockSummary(cpu_seconds="x", is_conclusive=False))),
        Says(Answer(BlockSummary(checks=5))),
        Forger(number="1"),
        Forger(checks={"state_root": "yes"}),
        Forger(gas_used=[]),
    ],
    ids=range(7),
)
def test_an_answer_of_other_types_is_struck_off_and_the_others_go_on(blocks, answer):
    with Quorum(layers(answer, None, None), 2, cpu_limit_s=60, in_flight=1) as quorum:
        verdicts = list(quorum.verify(blocks))
    assert all(one.is_ok for one in verdicts)
    assert [dissent.layer for dissent in quorum.struck] == ["layer 0"]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), ValueError("no")], ids=repr)
def test_a_layer_that_ends_its_thread_does_not_end_the_quorum(blocks, error):
    with Quorum(layers(Raises(error), None, None), 2) as quorum:
        assert all(one.is_ok for one in quorum.verify(blocks))
    assert not quorum.struck


def test_a_layer_whose_submit_gives_no_future_is_lost(blocks):
    class Bad(LocalLayer):
        def submit(self, block, cpu_limit_s=None):
            return None

    with Quorum([Bad("bad", KEYS[0])], 1) as quorum:
        [said] = quorum.verify(blocks[:1])
    assert "submit gave None" in said.summary.error


def test_two_verifications_at_once_do_not_wait_for_each_other(blocks):
    done = []
    with Quorum(layers(None, None, None), 2) as quorum:
        first = quorum.verify(blocks * 6)
        assert next(first).is_ok
        thread = threading.Thread(target=lambda: done.extend(quorum.verify(blocks)), daemon=True)
        thread.start()
        thread.join(20)
        assert [one.is_ok for one in done] == [True] * 3
        assert sum(one.is_ok for one in first) == 17


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"quorum": "2"}, "quorum"),
        ({"quorum": None}, "quorum"),
        ({"quorum": 1.5}, "quorum"),
        ({"quorum": 4}, "quorum"),
        ({"quorum": 1 << 300}, "quorum"),
        ({"in_flight": -1}, "in_flight"),
        ({"in_flight": 0}, "in_flight"),
        ({"retries": None}, "retries"),
        ({"seed": "text"}, "seed"),
        ({"patience_s": float("nan")}, "patience_s"),
        ({"patience_s": "1"}, None),
        ({"cpu_limit_s": float("nan")}, "cpu_limit_s"),
        ({"cpu_limit_s": -1}, "cpu_limit_s"),
    ],
    ids=str,
)
def test_options_that_make_no_quorum_are_named(options, name):
    made = layers(None, None, None)
    if name is None:
        Quorum(made, **options)
        return
    with pytest.raises(UnusableInput, match=name):
        Quorum(made, **options)


def test_patience_without_end_waits(blocks):
    with Quorum(layers(None, None), 2, patience_s=float("inf")) as quorum:
        assert [one.is_ok for one in quorum.verify(blocks)] == [True] * 3


def test_what_is_no_layer_and_the_same_key_in_other_words_are_refused():
    with pytest.raises(UnusableInput, match=r"layers\[1\]: 5 is no layer"):
        Quorum([LocalLayer("one", KEYS[0]), 5])

    class Word(LocalLayer):
        address = property(lambda self: "0x" + address_of(KEYS[0]).hex())

    with pytest.raises(UnusableInput, match="the same key"):
        Quorum([LocalLayer("one", KEYS[0]), Word("two", KEYS[0])])


def test_a_verdict_refuses_what_would_silently_count_for_nobody():
    certificate = certify(KEYS[0])
    known = [address_of(KEYS[0])]
    assert verdict([certificate], known, 1, block_hash="0x" + "00" * 32).digest == certificate.digest
    for block_hash in (None, b"", "0x", 0):
        with pytest.raises(UnusableInput, match="block_hash"):
            verdict([certificate], known, 1, block_hash=block_hash)
    for needed in ("1", None, 0.5, 0, 2):
        with pytest.raises(UnusableInput, match="needed"):
            verdict([certificate], known, needed, block_hash=bytes(32))
    with pytest.raises(TypeError, match="expected Certificate, got dict"):
        verdict([certificate.to_json()], known, 1, block_hash=bytes(32))


def test_a_certificates_json_names_its_signer_and_text_that_is_none_is_refused():
    said = certify(KEYS[0]).to_json()
    assert Certificate.from_json(said).to_json() == said
    with pytest.raises(UnusableInput, match="signer"):
        Certificate.from_json(said | {"signer": "0x" + "00" * 20})
    with pytest.raises(UnusableInput, match="engine"):
        Certificate.from_json(said | {"engine": "\ud800"})


def test_threads_that_are_closed_take_nothing_more(blocks):
    threads = DaemonThreads(1)
    assert threads.submit(int).result() == 0
    threads.shutdown()
    threads.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        threads.submit(int)
    quorum = Quorum(layers(None, None), 2)
    quorum.close()
    [said] = quorum.verify(blocks[:1])
    assert "after shutdown" in said.summary.error


def test_asks_that_go_down_with_one_worker_are_one_loss(blocks):
    class Frail(LocalLayer):
        """Two of its workers hang; what each had is broken when it is begun again."""

        lives = 2
        open = ()

        def submit(self, block, cpu_limit_s=None):
            if self.lives == 0:
                return super().submit(block, cpu_limit_s)
            self.open = (*self.open, Future())
            return self.open[-1]

        def restart(self):
            self.lives -= bool(self.open)
            for future in self.open:
                if not future.done():
                    future.set_exception(BrokenExecutor("its worker was ended"))
            self.open = ()
            return True

    with Quorum([Frail("frail", KEYS[0]), *layers(None, None)[1:]], 2, patience_s=0.05, retries=3) as quorum:
        assert [one.is_ok for one in quorum.verify(blocks * 2)] == [True] * 6
    assert quorum.lost == []
