"""The server's answers against a real node's: execution-apis' request and response files, for the same chain."""

from __future__ import annotations

import json

import pytest
from helpers import shared

from evmcore.chain import Genesis
from evmcore.dev import DevChain
from evmcore.server import Dispatcher, Node
from evmcore.tools.importing import _pieces


@pytest.fixture(scope="module")
def dispatcher():
    folder = shared("rpc-tests")
    blocks = [piece.encoded for piece in _pieces((folder / "chain.rlp").read_bytes())]
    chain = DevChain.from_genesis(Genesis.load(folder / "genesis.json"), blocks)
    return Dispatcher(Node(chain, mining="none"))


def without_messages(value):
    """An answer without the words of its errors: codes and data count."""
    if isinstance(value, dict):
        return {
            name: without_messages(one) for name, one in value.items() if not (name == "message" and "code" in value)
        }
    return [without_messages(one) for one in value] if isinstance(value, list) else value


def test_the_answers_are_those_of_a_node(dispatcher):
    wrong, seen = [], 0
    for path in sorted(shared("rpc-tests").glob("*/*.io")):
        lines = path.read_text().splitlines()
        is_form_alone = any("speconly" in line for line in lines if line.startswith("//"))
        asked = [line[3:] for line in lines if line.startswith(">> ")]
        told = [json.loads(line[3:]) for line in lines if line.startswith("<< ")]
        for request, wanted in zip(asked, told):
            answer = json.loads(dispatcher.answer(request))
            seen += 1
            same = without_messages(answer) == without_messages(wanted)
            if not (("error" in answer) == ("error" in wanted) if is_form_alone else same):
                wrong.append(f"{path.parent.name}/{path.stem}: {json.dumps(answer)[:200]}")
    assert not wrong
    assert seen >= 190
