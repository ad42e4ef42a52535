"""The methods, by namespace; each is a row: its name, its parameters with their decoders, its handler."""

from . import blocks, bundles, calls, config, debug, dev, filters, inspect, parity, pool, reorganise, state, wallet, web
from .table import Later, Method, Parameter

__all__ = ["METHODS", "Later", "Method", "Parameter"]

METHODS: dict[str, Method] = {}
for _rows in (
    web.ROWS, blocks.ROWS, state.ROWS, calls.ROWS, filters.ROWS, pool.ROWS, wallet.ROWS, debug.ROWS, dev.ROWS,
    bundles.ROWS, config.ROWS, inspect.ROWS, parity.ROWS, reorganise.ROWS,
):  # fmt: skip
    METHODS.update(_rows)
