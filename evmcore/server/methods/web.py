"""net_, web3_, and what a node says of itself."""

from __future__ import annotations

import sys
from typing import Any

from ... import __version__
from ..._core import keccak256
from ...hexadecimal import to_hex
from .. import decode
from ..node import Node
from .table import Later, required, rows


def client_version(node: Node) -> str:
    return f"evmcore/v{__version__}/{sys.platform}/python{sys.version_info.major}.{sys.version_info.minor}"


def sha3(value: bytes) -> str:
    return to_hex(keccak256(value))


def modules(node: Node) -> dict[str, str]:
    return dict.fromkeys(("anvil", "debug", "eth", "evm", "hardhat", "net", "rpc", "trace", "txpool", "web3"), "1.0")


def capabilities(node: Node) -> dict[str, Any]:
    """From which block on a node has what: all of it, from the first on."""
    head = node.chain.head
    whole = {"disabled": False, "oldestBlock": "0x0"}
    kinds = ("state", "tx", "logs", "receipts", "blocks", "stateproofs")
    return {"head": {"number": hex(head.number), "hash": to_hex(head.hash)}, **{kind: dict(whole) for kind in kinds}}


ROWS = {
    **rows(
        ("web3_clientVersion", client_version),
        ("net_version", lambda node: str(node.chain.chain_id)),
        ("net_listening", lambda node: True),
        ("net_peerCount", lambda node: "0x0"),
        ("rpc_modules", modules),
        ("eth_chainId", lambda node: hex(node.chain.chain_id)),
        ("eth_protocolVersion", lambda node: "0x44"),
        ("eth_syncing", lambda node: False),
        ("eth_mining", lambda node: node.mining != "none"),
        ("eth_hashrate", lambda node: "0x0"),
        ("eth_networkId", lambda node: str(node.chain.chain_id)),
        is_free=True,
    ),
    **rows(
        ("web3_sha3", lambda node, value: Later(lambda: sha3(value)), required("data", decode.data)),
        ("eth_capabilities", capabilities),
        ("eth_coinbase", lambda node: to_hex(node.chain.pending.header.coinbase)),
    ),
}
