"""`evmcore disasm`: bytecode as instructions, one a line."""

from __future__ import annotations

import argparse

from ..disassembler import disassemble
from .output import EXIT_OK, fork, hex_bytes

SUMMARY = "show a program's instructions"
DESCRIPTION = """\
Print a program one instruction a line: offset, name, immediate bytes, and what it does to the stack, top first:
"before -- after". A byte that is no instruction is shown as UNDEFINED.
"""
EXAMPLES = """\
  evmcore disasm 6001600101
  evmcore disasm @contract.hex --fork London
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("code", metavar="HEX|@FILE", help="the program: hexadecimal, or @FILE with it (@- reads stdin)")
    parser.add_argument("--fork", type=fork, metavar="NAME", help="whose instructions count (default: all forks')")


def main(arguments: argparse.Namespace) -> int:
    """Print the listing."""
    for line in disassemble(hex_bytes(arguments.code, "code"), arguments.fork).lines():
        print(line)
    return EXIT_OK
