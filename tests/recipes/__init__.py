"""The recipes of CONTRIBUTING, followed: a fork, three instructions, a precompile and a transaction type, each by its rows and its
body alone, in a copy of the tree; then the tests that hold rows to what they say, and blocks in parallel. `make recipes`.
"""
