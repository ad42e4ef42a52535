"""Parts of states that travel: changes, witnesses, proofs, encodings. They give what the whole state gives, or are refused."""

from __future__ import annotations

from random import Random

from ..sequence import CHANGES, STATES, operation
from ..values import address, data, listed, thing, word
from .blocks import sound


def some_state(random: Random) -> str:
    return random.choice((*STATES, "State(accounts())", "State(accounts())"))


@operation(2)
def changes_apply(random: Random) -> str:
    return f"applied({sound(random)}, {some_state(random)}, {random.randint(1, 4)})"


@operation(2)
def stateless(random: Random) -> str:
    return f"stateless({sound(random)}, {some_state(random)}, {random.randint(1, 4)})"


@operation(1, CHANGES)
def odd_changes(random: Random) -> str:
    """Changes of another state, changed ones and what is none: applied whole, or refused."""
    on = random.choice(STATES)
    made = random.choice(
        (
            f"changes_of({sound(random)}, {some_state(random)})",
            f"changes_of({sound(random)}, {some_state(random)}).inverse()",
            f"Changes.decode(altered(changes_of({sound(random)}, State(accounts())).encode(), {random.randint(0, 10**6)}))",
            f"Changes.decode({data(random, 0.5)})",
            "Changes.__new__(Changes)",
            f"{on}.changes_since({on}.snapshot())",
            thing(random),
        )
    )
    return f"unchanged({on}, lambda: {on}.apply({made}, check={random.choice(('True', 'False', thing(random)))}))"


@operation(1)
def odd_witness(random: Random) -> str:
    """Witnesses with nodes that are gone, twice, of something else, or no nodes at all."""
    seed = random.randint(0, 10**6)
    change = random.choice(
        (
            f"replace(w, state=tuple(altered_items(w.state, {seed})))",
            f"replace(w, codes=tuple(altered_items(w.codes, {seed})))",
            f"replace(w, headers=tuple(altered_items(w.headers, {seed})))",
            f"replace(w, state={listed(random, data(random))})",
            f"ExecutionWitness({thing(random)}, {thing(random)}, {thing(random)})",
            "w.to_json()",
            "pickle.loads(pickle.dumps(w))",
            thing(random),
        )
    )
    return f"stateless({sound(random)}, State(accounts()), 1, lambda w: {change})"


@operation(1)
def odd_proof(random: Random) -> str:
    key, slots = address(random), listed(random, word(random))
    seed = random.randint(0, 10**6)
    proof = random.choice(
        (
            f"s.prove({key}, {slots})",
            f"replace(s.prove(A, [0, 1]), nodes=tuple(altered_items(s.prove(A).nodes, {seed})))",
            f"changed(s.prove(AT['count'], [0, 1]).to_json(), {seed}, 2)",
            thing(random),
        )
    )
    return f"(lambda s: verify_proof(s.root(), {key}, {proof}))({some_state(random)})"


@operation(1)
def odd_bytes(random: Random) -> str:
    """A state's bytes, altered: another sound state, or refused."""
    return f"(lambda s: s.root() and s.to_bytes())(State.from_bytes(altered({some_state(random)}.to_bytes(), {random.randint(0, 10**6)})))"
