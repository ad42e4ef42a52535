"""`python -m fuzz.api`: what `python -m tests.fuzz api` starts, with its output here."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .drive import fuzz

parser = argparse.ArgumentParser(prog="python -m fuzz.api", description=__doc__)
parser.add_argument(
    "--minutes", type=float, default=10, help="how long (default %(default)g); 0: the program of one seed"
)
parser.add_argument("--seed", type=int, default=0, help="to begin with; 0: a random one")
parser.add_argument("--sanitize", action="store_true", help="with AddressSanitizer and UndefinedBehaviorSanitizer")
parser.add_argument("--no-shrink", action="store_true", help="print failures as they are found")
parser.add_argument(
    "--library", type=Path, metavar="FOLDER", help="where evmcore lies, if not here: to try another build"
)
options = parser.parse_args()
sys.exit(fuzz(options.minutes, options.seed, options.sanitize, not options.no_shrink, options.library) > 0)
