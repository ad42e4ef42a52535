"""The differential test: random blocks through evmcore and through the executable specification, compared in full.

Everything is made from a seed. `python -m tests.differential --help` runs it for as long as it is told to.
"""
