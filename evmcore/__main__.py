"""The command line: `evmcore COMMAND …`, or `python -m evmcore COMMAND …`.

A command is a row of COMMANDS and a file in tools/ with SUMMARY, DESCRIPTION, EXAMPLES, add_arguments and main.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from . import __version__
from .errors import EvmError, UnusableInput
from .tools.output import EXIT_MISMATCH, EXIT_UNUSABLE, complain

COMMANDS = ("replay", "import", "run", "disasm", "statetest", "blocktest", "txtest", "conformance")
# A command's file in tools/ where it can't be named as the command is.
MODULES = {"import": "importing"}
EXIT_INTERRUPTED = 130  # what a shell says of a program that Ctrl-C ended

DESCRIPTION = """\
evmcore executes Ethereum: blocks, transactions and programs, from Frontier on, without Python's global lock.
"""
EXAMPLES = """\
  evmcore replay blocks/                    execute the blocks in a directory again and verify them
  evmcore run --code 600160010160005260206000f3
  evmcore disasm 6001600101

evmcore COMMAND --help says more of each. What is wrong with an input goes to standard error, results to standard output.
"""


def parser() -> argparse.ArgumentParser:
    """The arguments of all commands."""
    top = argparse.ArgumentParser(
        prog="evmcore",
        description=DESCRIPTION,
        epilog="examples:\n" + EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"evmcore {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for name in COMMANDS:
        tool = importlib.import_module(f".tools.{MODULES.get(name, name)}", __package__)
        command = commands.add_parser(
            name,
            help=tool.SUMMARY,
            description=tool.DESCRIPTION,
            epilog="examples:\n" + tool.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        tool.add_arguments(command)
        command.set_defaults(main=tool.main)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    arguments = parser().parse_args(argv)
    try:
        return int(arguments.main(arguments))
    except UnusableInput as error:
        complain(str(error))
        return EXIT_UNUSABLE
    except EvmError as error:
        complain(str(error))
        return EXIT_MISMATCH
    except KeyboardInterrupt:
        complain("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader (head, say) has gone: nothing more to say, and no complaint at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_MISMATCH


if __name__ == "__main__":
    sys.exit(main())
