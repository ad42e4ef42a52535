"""The command line: `evmcore COMMAND …`, or `python -m evmcore COMMAND …`.

A command is a row of COMMANDS and a file in tools/ with SUMMARY, DESCRIPTION, EXAMPLES, add_arguments and main.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from . import __version__
from .errors import EvmError, UnusableInput
from .tools.output import EXIT_MISMATCH, EXIT_UNUSABLE, complain, write_nowhere

COMMANDS = (
    "replay", "fetch", "verify", "report", "import", "db", "witness", "bal", "run", "call", "disasm", "statetest", "blocktest", "txtest", "conformance", "t8n", "t9n", "b11r",
    "serve",
)  # fmt: skip
# A command's file in tools/ where it can't be named as the command is.
MODULES = {"import": "importing", "db": "database"}
# go-ethereum's longer names.
OTHER_NAMES = {"transition": "t8n", "transaction": "t9n", "block-builder": "b11r"}
# Commands that may be given in go-ethereum's spelling: their file has `geth_main(words)`, the exit status, or None where it isn't.
GETH_COMMANDS = ("t8n", "t9n", "b11r", "run", "statetest", "blocktest")
EXIT_INTERRUPTED = 130  # what a shell says of a program that Ctrl-C ended
TRACEBACK_VARIABLE = "EVMCORE_TRACEBACK"  # set: what nobody has thought of is shown whole

DESCRIPTION = """\
evmcore executes Ethereum: blocks, transactions and programs, from Frontier on, without Python's global lock.
"""
EXAMPLES = """\
  evmcore replay blocks/                    execute the blocks in a directory again and verify them
  evmcore run --code 600160010160005260206000f3
  evmcore disasm 6001600101

evmcore COMMAND --help says more of each. What is wrong with an input goes to standard error, results to standard output.
Exit status: 0 all is well, 1 a mismatch or a failure, 2 what was given can't be used or written, 130 interrupted.
EVMCORE_MAX_JSON_MB: how large a JSON file may be, unpacked (default: 256); EVMCORE_TRACEBACK=1 shows where an error comes from.
"""


class _Parser(argparse.ArgumentParser):
    """argparse says nothing where its help can't be written, and exits with 0."""

    def _print_message(self, message: str, file: Any = None) -> None:
        if file is sys.stdout and file is not None:
            file.write(message)
        else:
            super()._print_message(message, file)


def parser() -> argparse.ArgumentParser:
    """The arguments of all commands."""
    top = _Parser(
        prog="evmcore",
        description=DESCRIPTION,
        epilog="examples:\n" + EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("-v", "--version", action="version", version=f"evmcore {__version__}")
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
        command.set_defaults(main=getattr(tool, "main", None))
    return top


def spelled_as_geth(words: Sequence[str]) -> int | None:
    """The exit status of a command that is given as go-ethereum's `evm` takes it; None for any other."""
    name = OTHER_NAMES.get(words[0], words[0]) if words else ""
    if name not in GETH_COMMANDS or any(word in ("-h", "--help", "-help") for word in words[1:]):
        return None
    tool = importlib.import_module(f".tools.{name}", __package__)
    status: int | None = tool.geth_main(words[1:])
    return status


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status. What is wrong is a line on standard error, and nothing is raised."""
    try:
        try:
            if sys.stdout is None:
                raise UnusableInput("standard output is closed")
            words = sys.argv[1:] if argv is None else argv
            answered = spelled_as_geth(words)
            if answered is None:
                arguments = parser().parse_args([OTHER_NAMES.get(words[0], words[0]), *words[1:]] if words else words)
                answered = int(arguments.main(arguments))
            status = answered
        except SystemExit as exit_:  # argparse leaves this way
            status = exit_.code if isinstance(exit_.code, int) else EXIT_UNUSABLE
        # What is still to be written fails here, or at exit, where nobody could say why.
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
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
        write_nowhere()
        return EXIT_UNUSABLE
    except MemoryError as error:
        complain(f"not enough memory{f': {error}' if str(error) else ''}")
        return EXIT_UNUSABLE
    except OSError as error:
        where = "output" if error.filename is None else os.fsdecode(error.filename)
        complain(f"{where}: {error.strerror or error}")
        write_nowhere()
        return EXIT_UNUSABLE
    except Exception as error:
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        complain(f"{type(error).__name__}: {error} ({TRACEBACK_VARIABLE}=1 shows where)")
        return EXIT_UNUSABLE


if __name__ == "__main__":
    sys.exit(main())
