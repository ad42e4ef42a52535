"""eth-tester on evmcore: `EthereumTester(EvmcoreBackend())`, or ETHEREUM_TESTER_CHAIN_BACKEND=evmcore.ethtester.EvmcoreBackend.

For eth-tester 0.13 and 0.14 (`pip install evmcore[tester]`). What py-evm raises by a class of its own is raised by a class that is
that one, too, where its package is there.
"""

from .backend import EvmcoreBackend
from .errors import InvalidTransactionError, UnknownBlock

__all__ = ["EvmcoreBackend", "InvalidTransactionError", "UnknownBlock"]
