"""Ethereum's public test fixtures, found, run and counted: what `evmcore statetest` and its sisters share."""
