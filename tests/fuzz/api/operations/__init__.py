"""What programs are made of, by what it is about; importing this registers all of it."""

from . import arguments, blocks, files, parts, states, troubles

__all__ = ["arguments", "blocks", "files", "parts", "states", "troubles"]
