"""The example block: contracts of our own in our own assembly, and the script that makes the block file from them."""

from pathlib import Path

__all__ = ["EXAMPLE_FILE"]

EXAMPLE_FILE = Path(__file__).with_name("block.json.gz")
