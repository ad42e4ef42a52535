"""From a seed to a program: lines of Python as data, made by the operations, which are registered here by `operation`.

A line runs alone; what it raises is its own affair, as long as it is an answer. A line of kind MODELLED runs on the models,
too. A line of kind CHANGES may change the states that it names, by what the models don't know: they take its outcome over.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from . import given, harness, hostile, promises, world

MODELLED, CHANGES = "modelled", "changes"
STATES = ("s0", "s1", "s2")
MARKS = ("n0", "n1", "n2")
BEGIN = ("s0 = State(accounts())", MODELLED)
IMPORTS = """\
import contextlib, copy, gc, gzip, io, json, operator, os, pickle, random, resource, signal, sys, tempfile, threading, time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
import numpy
import evmcore
from evmcore import *
from evmcore import __main__ as command_line, _core as core, rlp, tracing
from evmcore.accesses import *
from evmcore.chain import *
"""


@dataclass
class Program:
    """Lines with their kinds, and which operation wrote each; `repeats`: it is run a few times, and nothing may grow."""

    seed: int
    lines: list[tuple[str, str]] = field(default_factory=lambda: [BEGIN])
    names: list[str] = field(default_factory=lambda: ["begin"])
    repeats: bool = False

    def without(self, begin: int, end: int) -> Program:
        return Program(
            self.seed, self.lines[:begin] + self.lines[end:], self.names[:begin] + self.names[end:], self.repeats
        )

    def with_line(self, at: int, line: tuple[str, str]) -> Program:
        return Program(self.seed, [*self.lines[:at], line, *self.lines[at + 1 :]], self.names, self.repeats)


@dataclass(frozen=True)
class Operation:
    """A function that writes a line. `weight`: how often; `heavy`: takes long; `ordinary`: not with sanitizers."""

    name: str
    write: Callable[[Random], str]
    kind: str
    weight: float
    ordinary: bool


OPERATIONS: list[Operation] = []


def operation(weight: float = 1, kind: str = "", ordinary: bool = False) -> Callable:
    """Register a function of a Random that writes a line."""

    def register(write: Callable[[Random], str]) -> Callable[[Random], str]:
        OPERATIONS.append(Operation(write.__name__, write, kind, weight, ordinary))
        return write

    return register


def program_of(seed: int, sanitized: bool = False, only: str = "") -> Program:
    """The program of a seed; `only`: of operations whose name has this in it."""
    random = Random(seed)
    chosen = [
        one for one in OPERATIONS if not (sanitized and one.ordinary) and (only in one.name or one.kind == MODELLED)
    ]
    # Some programs are of a few operations alone, so that these meet more often.
    if random.random() < 0.5:
        chosen = random.sample(chosen, min(len(chosen), random.randint(3, 8)))
    weights = [one.weight for one in chosen]
    program = Program(seed, repeats=random.random() < 0.1)
    for one in random.choices(chosen, weights, k=random.choice((3, 6, 10, 20))):
        program.lines.append((one.write(random), one.kind))
        program.names.append(one.name)
    return program


def stand_alone(program: Program, remark: str = "") -> str:
    """The program as one file that needs nothing but evmcore: with what it uses of the world, the liars and the harness."""
    parts: dict[str, ast.stmt] = {}
    for module in (hostile, world, given, harness, promises):
        for node in ast.parse(inspect.getsource(module)).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                parts[node.name] = node
            elif isinstance(node, ast.Assign):
                parts.update(
                    (name.id, node)
                    for target in node.targets
                    for name in ast.walk(target)
                    if isinstance(name, ast.Name)
                )
    ordered: list[ast.stmt] = []
    seen: set[int] = set()

    def want(tree: ast.AST) -> None:
        for name in (node.id for node in ast.walk(tree) if isinstance(node, ast.Name)):
            part = parts.get(name)
            if part is not None and id(part) not in seen:
                seen.add(id(part))
                want(part)
                ordered.append(part)

    text = "\n".join(
        f"try:\n    {line}\nexcept (*EXPECTED, NameError) as error:\n    print(type(error).__name__, error)"
        for line, _ in program.lines
    )
    want(ast.parse(text))
    definitions = "\n".join(ast.unparse(part) for part in ordered)
    return f"# {remark or f'seed {program.seed}'}\n{IMPORTS}\n{definitions}\n\n{text}\n"
