"""Several layers execute each block, and what enough of them say counts: who says otherwise is struck off.

The rules are those of approval voting (Polkadot). Each block goes to `quorum` layers. If they agree, that is the verdict; if not, further ones are
asked until one digest has `quorum` votes: of 2 quorum - 1 layers, quorum - 1 that lie together are outvoted. A layer that gave another
digest is a dissenter and is asked no more. One that fails for want of memory, processor time or a library abstains, which is no dissent. One that is slow
or lost is replaced by another; how long a block may take is judged by the processor's time it took, not by the clock on the wall.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import dataclass, field
from typing import Any

from .. import keccak256
from ..errors import EvmError, UnusableInput
from ..hexadecimal import checked_bytes, checked_quantity, short_text, shown, to_address
from .certificate import Certificate
from .layer import Answer, Layer
from .summary import BlockSummary, fault_of

__all__ = ["Dissent", "Quorum", "QuorumVerdict"]

# Blocks that a layer is given at a time: it has the next one when it has done one.
_DEPTH = 2
# A layer that was lost so often in a row is not tried again.
_MOST_LOSSES = 3
# A layer that takes so many times as long as the one in the middle is asked when no other is free.
_SLOW = 4
# An ask that is unanswered for so many times the patience: its layer hangs, and is begun again.
_HANGS_AFTER = 4
# Longer than anybody waits, and short enough for what waits.
_LONGEST_SECONDS = 1e9
# Of a summary what a layer can't help saying like the others: what isn't in the digest is outvoted with it.
_FACTS = ("is_ok", "number", "chain_id", "fork", "transactions", "gas_used", "receipts_root", "state_root", "checks")


@dataclass(frozen=True, slots=True)
class Dissent:
    """A layer that was struck off, and why.

    layer        its name;  address  of its key
    certificate  what it signed: the evidence. None where what it gave was no certificate of its own
    digest       that enough others signed; None as above
    reason       in a sentence
    """

    layer: str
    address: bytes
    number: int | None
    certificate: Certificate | None
    digest: bytes | None
    reason: str


@dataclass(frozen=True, slots=True)
class QuorumVerdict:
    """What the layers say of one block.

    index         its place among the blocks
    summary       of one of the layers that agree, on what it says of the block, too; where there is no verdict, what is wrong
    digest        that they agree on; None: they don't
    certificates  of those that agree: with `evmcore.layers.verdict` others see it without executing anything
    dissents      layers that were struck off for this block
    abstained     names of those that said nothing, and why
    asked         layers, in the order in which they were
    """

    index: int
    summary: BlockSummary
    digest: bytes | None = None
    certificates: tuple[Certificate, ...] = ()
    dissents: tuple[Dissent, ...] = ()
    abstained: tuple[tuple[str, str], ...] = ()
    asked: tuple[str, ...] = ()

    @property
    def is_ok(self) -> bool:
        """The layers agree, and the block is right as far as the data can tell."""
        return self.digest is not None and self.summary.is_ok


@dataclass(slots=True, eq=False)
class _Member:
    """A layer among the others, and what is known of it."""

    layer: Layer
    address: bytes
    losses: int = 0  # in a row
    begun: float = 0.0  # when its worker was last begun again, by time.monotonic
    seconds: float = 0.0  # decaying mean of how long an answer takes, wall time
    is_out: bool = False  # struck off, or lost for good


@dataclass(slots=True, eq=False)
class _Ask:
    place: int  # of the layer
    member: _Member
    future: Future[Answer]
    began: float
    is_late: bool = False


@dataclass(slots=True, eq=False)
class _Case:
    """One block on its way to a verdict."""

    index: int
    block: Any
    pending: Counter[int]  # by the layer's place: asks that are open, of all blocks that are verified together
    asks: list[_Ask] = field(default_factory=list)
    answers: dict[int, Answer] = field(default_factory=dict)  # by the layer's place
    tries: dict[int, int] = field(default_factory=dict)  # how often each was asked
    abstained: list[tuple[str, str]] = field(default_factory=list)
    dissents: list[Dissent] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    verdict: QuorumVerdict | None = None


class Quorum:
    """Layers that check each other.

    layers       objects with name, address, submit, restart and close: LocalLayer, DaskLayer, RemoteLayer
    quorum       how many have to agree; of 2 quorum - 1 layers, quorum - 1 may lie, together if they like
    patience_s   wall time after which another layer is asked too. The late one's answer still counts when it comes
    cpu_limit_s  of the processor's time that a block may take a layer; None: any. Beyond it a layer abstains
    retries      how often a layer is asked again that was lost, or abstained before its processor time was used up
    seed         of the order in which layers are asked: who is asked can't be foreseen by who doesn't know it

    `struck` are the layers that were struck off, `lost` the names of those that were lost for good.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        quorum: int = 2,
        *,
        patience_s: float = 60.0,
        cpu_limit_s: float | None = None,
        retries: int = 1,
        in_flight: int | None = None,
        seed: bytes = b"",
    ) -> None:
        self._members = [_Member(layer, _address_of(layer, place)) for place, layer in enumerate(layers)]
        self._quorum = checked_quantity(quorum, "quorum")
        if not 1 <= self._quorum <= len(self._members):
            raise UnusableInput(f"quorum: {shown(quorum)} of {len(self._members)} layers can't agree")
        if len({member.address for member in self._members}) != len(self._members):
            raise UnusableInput("layers: two have the same key, and would be one voice twice")
        self._patience_s = _seconds(patience_s, "patience_s")
        self._cpu_limit_s = None if cpu_limit_s is None else _seconds(cpu_limit_s, "cpu_limit_s")
        self._retries = checked_quantity(retries, "retries")
        self._seed = checked_bytes(seed, "seed")
        self._in_flight = 2 * len(self._members) if in_flight is None else checked_quantity(in_flight, "in_flight")
        if self._in_flight < 1:
            raise UnusableInput("in_flight: 0 is less than 1")
        self.struck: list[Dissent] = []
        self.lost: list[str] = []

    def verify(self, blocks: Iterable[Any]) -> Iterator[QuorumVerdict]:
        """The verdicts of the blocks, in order. A block is whatever the layers take: `replay_range`'s forms, or Witnessed."""
        source = enumerate(blocks)
        open_: deque[_Case] = deque()
        pending: Counter[int] = Counter()
        try:
            while True:
                while len(open_) < self._in_flight and (item := next(source, None)) is not None:
                    open_.append(_Case(*item, pending))
                if not open_:
                    return
                for case in open_:
                    self._advance(case)
                if open_[0].verdict is not None:
                    yield open_.popleft().verdict  # type: ignore[misc]
                    continue
                self._wait(open_)
        finally:
            for case in open_:
                self._let_go(case)

    def close(self) -> None:
        """End the layers, as far as that is ours to do."""
        for member in self._members:
            with contextlib.suppress(Exception):
                member.layer.close()

    def __enter__(self) -> Quorum:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _advance(self, case: _Case) -> None:
        """Decide the case if that can be done, else ask as many as it needs."""
        if case.verdict is not None:
            return
        votes = self._votes(case)
        best = max(votes.values(), key=len, default=[])
        if len(best) >= self._quorum:
            self._decide(case, best)
            return
        # Those that are late may never come: others are asked in their place.
        coming = sum(not ask.is_late for ask in case.asks)
        while len(best) + coming < self._quorum:
            place = self._next(case)
            if place is None:
                break
            coming += self._ask(case, place)
        if not case.asks and not self._may_still_ask(case):
            self._give_up(case, votes)

    def _votes(self, case: _Case) -> dict[tuple[Any, ...], list[int]]:
        """Digest, block hash and facts -> places of those that say so."""
        votes: dict[tuple[Any, ...], list[int]] = {}
        for place, answer in case.answers.items():
            said = answer.certificate
            if said is not None and not self._members[place].is_out:
                votes.setdefault((said.digest, said.block_hash, *_facts(answer.summary)), []).append(place)
        return votes

    def _candidates(self, case: _Case) -> list[int]:
        """Layers that may be asked about it: never yet, or again since they said nothing."""
        asked = {id(ask.member) for ask in case.asks}
        return [
            place
            for place, member in enumerate(self._members)
            if not member.is_out
            and id(member) not in asked
            and place not in case.answers
            and case.tries.get(place, 0) <= self._retries
        ]

    def _may_still_ask(self, case: _Case) -> bool:
        return bool(self._candidates(case))

    def _next(self, case: _Case) -> int | None:
        """The layer to ask: one that wasn't, isn't much slower than others, and has the least to do; by lot among equals."""
        free = [place for place in self._candidates(case) if case.pending[place] < _DEPTH]

        known = sorted(member.seconds for member in self._members if member.seconds and not member.is_out)
        slow = _SLOW * known[len(known) // 2] if known else 0.0

        def rank(place: int) -> tuple[Any, ...]:
            member = self._members[place]
            lot = keccak256(self._seed + case.index.to_bytes(8, "big") + member.address)
            return case.tries.get(place, 0), bool(slow) and member.seconds > slow, case.pending[place], lot

        return min(free, key=rank, default=None)

    def _ask(self, case: _Case, place: int) -> int:
        """Give the block to a layer; how many answers that will make."""
        member = self._members[place]
        case.tries[place] = case.tries.get(place, 0) + 1
        if member.layer.name not in case.order:
            case.order.append(member.layer.name)
        try:
            future = member.layer.submit(case.block, self._cpu_limit_s)
            if not isinstance(future, Future):
                raise TypeError(f"submit gave {shown(future)}, and no Future")
        except Exception as error:
            case.abstained.append((member.layer.name, f"{type(error).__name__}: {error}"))
            self._count_loss(member)
            return 0
        case.pending[place] += 1
        case.asks.append(_Ask(place, member, future, time.monotonic()))
        return 1

    def _wait(self, open_: Iterable[_Case]) -> None:
        """Until an answer comes, or somebody's time is up; take what has come."""
        now = time.monotonic()
        asks = [(case, ask) for case in open_ for ask in case.asks]
        if not asks:  # all are busy with others, which can't be, or each layer failed at once
            time.sleep(0.01)
            return
        ends = [ask.began + self._patience_s * (_HANGS_AFTER if ask.is_late else 1) for _, ask in asks]
        wait([ask.future for _, ask in asks], max(0.0, min(ends) - now), FIRST_COMPLETED)
        now = time.monotonic()
        for case, ask in asks:
            if ask.future.done():
                self._take(case, ask, now)
            elif now - ask.began >= self._patience_s * _HANGS_AFTER:
                self._drop(case, ask, f"no answer for {now - ask.began:.1f} s")
                self._lose(case, ask)
            elif now - ask.began >= self._patience_s:
                ask.is_late = True
                ask.member.seconds = max(ask.member.seconds, now - ask.began)

    def _take(self, case: _Case, ask: _Ask, now: float) -> None:
        member, name = ask.member, ask.member.layer.name
        error: BaseException | None
        try:
            # Not raised: a layer that ends its own thread doesn't end this one.
            error = ask.future.exception()
        except CancelledError as cancelled:
            error = cancelled
        if error is not None:
            self._drop(case, ask, f"{type(error).__name__}: {error}")
            if not isinstance(error, EvmError):
                self._lose(case, ask)
            return
        answer = ask.future.result()
        self._drop(case, ask)
        member.losses = 0
        member.seconds = now - ask.began if not member.seconds else 0.8 * member.seconds + 0.2 * (now - ask.began)
        place = ask.place
        fault = _fault(member.address, answer)
        if fault is not None:
            number = getattr(getattr(answer, "summary", None), "number", None)
            number = number if type(number) is int else None
            self._strike(case, member, Dissent(name, member.address, number, None, None, fault))
        elif answer.certificate is None:
            case.abstained.append((name, answer.summary.error or "it abstains"))
            used = answer.summary.cpu_seconds
            if self._cpu_limit_s is not None and used >= self._cpu_limit_s:
                case.tries[place] = self._retries + 1
            if answer.summary.block_hash is None and answer.summary.is_conclusive:
                case.answers[place] = answer  # it says that this is no block, which nobody signs
        else:
            case.answers[place] = answer

    def _drop(self, case: _Case, ask: _Ask, reason: str | None = None) -> None:
        if ask in case.asks:
            case.asks.remove(ask)
            case.pending[ask.place] -= 1
        if reason is not None:
            case.abstained.append((ask.member.layer.name, reason))

    def _lose(self, case: _Case, ask: _Ask) -> None:
        """Count the loss of a worker once, and begin it again: other asks that went down with it say nothing about the layer."""
        if ask.began < ask.member.begun:
            case.tries[ask.place] -= 1
            return
        self._count_loss(ask.member)
        self._restart(ask.member)

    def _count_loss(self, member: _Member) -> None:
        member.losses += 1
        if member.losses >= _MOST_LOSSES and not member.is_out:
            member.is_out = True
            self.lost.append(member.layer.name)

    def _restart(self, member: _Member) -> None:
        if not member.is_out:
            member.begun = time.monotonic()
            with contextlib.suppress(Exception):
                member.layer.restart()

    def _strike(self, case: _Case, member: _Member, dissent: Dissent) -> None:
        if not member.is_out:
            member.is_out = True
            self.struck.append(dissent)
            case.dissents.append(dissent)

    def _decide(self, case: _Case, places: list[int]) -> None:
        answers = [case.answers[place] for place in places]
        certificates = tuple(one.certificate for one in answers if one.certificate is not None)
        digest = certificates[0].digest
        for place, answer in case.answers.items():
            if place not in places and answer.certificate is not None:
                member = self._members[place]
                reason = _difference(answer, answers[0])
                dissent = Dissent(
                    member.layer.name, member.address, answer.summary.number, answer.certificate, digest, reason
                )
                self._strike(case, member, dissent)
        self._end(case, answers[0].summary, digest, certificates)

    def _give_up(self, case: _Case, votes: dict[tuple[Any, ...], list[int]]) -> None:
        unreadable = [one.summary for one in case.answers.values() if one.certificate is None]
        said = [
            f"{', '.join(self._members[place].layer.name for place in places)}: 0x{digest[:8].hex()}…"
            for (digest, *_), places in votes.items()
        ]
        said += [f"{name}: {reason}" for name, reason in case.abstained]
        reason = f"no {self._quorum} layers agree: {'; '.join(said) or 'none is left'}"
        number = next((one.summary.number for one in case.answers.values()), None)
        summary = (
            unreadable[0]
            if unreadable and not votes
            else BlockSummary(number=number, error=reason, is_conclusive=False)
        )
        self._end(case, summary, None, ())

    def _end(
        self, case: _Case, summary: BlockSummary, digest: bytes | None, certificates: tuple[Certificate, ...]
    ) -> None:
        case.verdict = QuorumVerdict(
            case.index,
            summary,
            digest,
            certificates,
            tuple(case.dissents),
            tuple(case.abstained),
            tuple(case.order),
        )
        self._let_go(case)
        case.block = None

    def _let_go(self, case: _Case) -> None:
        for ask in list(case.asks):
            if ask.future.cancel() or not ask.is_late:
                self._drop(case, ask)
            else:  # it hangs with a block that is decided
                self._drop(case, ask)
                self._restart(ask.member)


def _address_of(layer: Any, place: int) -> bytes:
    try:
        address = layer.address
    except AttributeError:
        raise UnusableInput(f"layers[{place}]: {shown(layer)} is no layer") from None
    return to_address(address, f"layers[{place}].address")


def _seconds(value: float, name: str) -> float:
    try:
        seconds = min(float(value), _LONGEST_SECONDS)
    except (TypeError, ValueError, OverflowError):
        seconds = 0.0
    if not seconds > 0:
        raise UnusableInput(f"{name}: {shown(value)} is no number of seconds above 0")
    return seconds


def _facts(summary: BlockSummary) -> tuple[Any, ...]:
    """What the summary says of the block, to be compared."""
    values = [getattr(summary, name) for name in _FACTS]
    return tuple(tuple(sorted(value.items())) if isinstance(value, Mapping) else value for value in values)


def _difference(answer: Answer, agreed: Answer) -> str:
    """In which the answer differs from that of those who agree."""
    assert answer.certificate is not None
    assert agreed.certificate is not None
    where = f"block {answer.summary.number}"
    own, their = answer.certificate, agreed.certificate
    if own.block_hash != their.block_hash:
        return f"{where}: signed block 0x{own.block_hash.hex()} instead of 0x{their.block_hash.hex()}"
    if own.digest != their.digest:
        return f"{where}: digest 0x{own.digest.hex()} instead of 0x{their.digest.hex()}"
    for name, said, agreed_on in zip(_FACTS, _facts(answer.summary), _facts(agreed.summary)):
        if said != agreed_on:
            return f"{where}: the digest, but {name} {short_text(said)} instead of {short_text(agreed_on)}"
    raise AssertionError("answers that agree")


def _fault(address: bytes, answer: Any) -> str | None:
    """What is wrong with an answer, whatever others say: it isn't the layer's own, or signs another thing than it says."""
    if not isinstance(answer, Answer):
        return f"{type(answer).__name__} is no answer"
    certificate = answer.certificate
    if not isinstance(answer.summary, BlockSummary):
        return f"its summary: {type(answer.summary).__name__} is no summary"
    if (fault := fault_of(answer.summary)) is not None:
        return f"its summary: {fault}"
    if certificate is None:
        return None
    if not isinstance(certificate, Certificate):
        return f"its certificate: {type(certificate).__name__} is no certificate"
    try:
        signer = certificate.signer
    except EvmError as error:
        return str(error)
    if signer != address:
        return f"signed by 0x{signer.hex()}, and not by its key"
    for name in ("block_hash", "digest", "number", "chain_id"):
        if (signed := getattr(certificate, name)) != (said := getattr(answer.summary, name)):
            return f"its certificate is of {name} {short_text(signed)}, and its summary of {short_text(said)}"
    return None
