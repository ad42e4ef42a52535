"""A node for tests: JSON-RPC over HTTP out of a DevChain, with the faults that a test asks for. Standard library alone."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from evmcore import Transaction, call
from evmcore.dev import BlockNotFound, DevChain


class RpcError(Exception):
    def __init__(self, code: int, message: str):
        self.error = {"code": code, "message": message}


class Node:
    """Serves `chain` at `url` while it is open.

    script    requests, in order, are first given to these functions: (handler, body) -> what to send in place of the answer: bytes,
              (status, bytes), (status, bytes, headers), or None for the answer itself
    methods   name -> function of the parameters, in place of the chain's own answer
    """

    def __init__(self, chain: DevChain | None = None, *, path: str = "/"):
        self.chain = chain
        self.script: list[Callable[[Any, Any], Any]] = []
        self.always: Callable[[Any, Any], Any] | None = None
        self.methods: dict[str, Callable[..., Any]] = {}
        self.requests: list[Any] = []
        self.path = path
        self._lock = threading.Lock()

    def __enter__(self) -> Node:
        node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else the body waits for the acknowledgement of the head

            def do_POST(self) -> None:
                node.handle(self)

            def log_message(self, *arguments: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                if not isinstance(sys.exc_info()[1], OSError):  # a client that went away
                    super().handle_error(request, client_address)

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}{self.path}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def handle(self, handler: Any) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
        with self._lock:
            self.requests.append(body)
            faulty = self.script.pop(0) if self.script else self.always
        made = faulty(handler, body) if faulty is not None else None
        if made is None:
            made = json.dumps(self.answer(body)).encode()
        if made == b"":
            handler.close_connection = True
            return
        status, content, headers = (200, made, {}) if isinstance(made, bytes) else (*made, {})[:3]
        handler.send_response(status)
        for name, value in {"content-length": str(len(content)), "content-type": "application/json", **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    def answer(self, body: Any) -> Any:
        return [self.answer_one(one) for one in body] if isinstance(body, list) else self.answer_one(body)

    def answer_one(self, body: Any) -> Any:
        head = {"jsonrpc": "2.0", "id": body["id"]}
        try:
            method = self.methods.get(body["method"]) or getattr(self, body["method"], None)
            if method is None:
                raise RpcError(-32601, f"the method {body['method']} does not exist/is not available")
            return head | {"result": method(*body["params"])}
        except RpcError as error:
            return head | {"error": error.error}
        except BlockNotFound:
            return head | {"error": {"code": -32000, "message": "header not found"}}

    @property
    def asked(self) -> list[str]:
        """The methods, in order."""
        return [one["method"] for body in self.requests for one in (body if isinstance(body, list) else [body])]

    # -------------------------------------------------------------- what a node answers

    def which(self, block: Any) -> Any:
        if isinstance(block, dict):
            return bytes.fromhex(block["blockHash"][2:])
        return int(block, 16) if block.startswith("0x") else block

    def state(self, block: Any) -> Any:
        return self.chain.state_at(self.which(block))

    def eth_chainId(self) -> str:
        return hex(self.chain.chain_id)

    def eth_getBlockByNumber(self, block: str, whole: bool) -> Any:
        try:
            return self.block_json(self.chain.block(self.which(block)), whole)
        except BlockNotFound:
            return None

    def eth_getBlockByHash(self, block: str, whole: bool) -> Any:
        try:
            return self.block_json(self.chain.block(bytes.fromhex(block[2:])), whole)
        except BlockNotFound:
            return None

    def block_json(self, made: Any, whole: bool) -> dict[str, Any]:
        block = made.block
        listed = [
            transaction_json(one, place) if whole else "0x" + one.hash.hex()
            for place, one in enumerate(block.transactions)
        ]
        value = block.header.to_json() | {"transactions": listed, "uncles": []}
        if block.withdrawals is not None:
            value["withdrawals"] = [
                {
                    "index": hex(one.index),
                    "validatorIndex": hex(one.validator_index),
                    "address": "0x" + one.address.hex(),
                    "amount": hex(one.amount_gwei),
                }
                for one in block.withdrawals
            ]
        return value

    def eth_getBalance(self, address: str, block: Any) -> str:
        return hex(self.state(block).get_balance(address))

    def eth_getTransactionCount(self, address: str, block: Any) -> str:
        return hex(self.state(block).get_nonce(address))

    def eth_getCode(self, address: str, block: Any) -> str:
        return "0x" + self.state(block).get_code(address).hex()

    def eth_getStorageAt(self, address: str, slot: str, block: Any) -> str:
        return f"0x{self.state(block).get_storage(address, int(slot, 16)):064x}"

    def eth_getProof(self, address: str, slots: list[str], block: Any) -> Any:
        return self.chain.prove(address, [int(slot, 16) for slot in slots], self.which(block)).to_json()

    def eth_call(self, transaction: dict[str, str], block: Any) -> str:
        made = self.chain.block(self.which(block))
        first = max(0, made.number - 256)
        header = made.header.__class__(
            **{
                **{name: getattr(made.header, name) for name in made.header.__dataclass_fields__},
                "block_hashes": {at: self.chain.block(at).hash for at in range(first, made.number)},
            }
        )
        to = transaction.get("to")
        result = call(made.state.copy(), header, to=to, data=transaction.get("data", "0x"), gas=50_000_000)
        if not result.is_success:
            raise RpcError(3, f"execution reverted: {result.error}")
        return "0x" + result.output.hex()

    def eth_blockNumber(self) -> str:
        return hex(self.chain.head.number)


class JsonClient:
    """Asks a dispatcher of evmcore.server, without a network: called with a method's name and its parameters, it gives the result."""

    def __init__(self, dispatcher: Any):
        self.dispatcher = dispatcher
        self.node = dispatcher.node

    def answer(self, method: str, *params: Any) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        return json.loads(self.dispatcher.answer(body))

    def __call__(self, method: str, *params: Any) -> Any:
        answer = self.answer(method, *params)
        assert "error" not in answer, answer
        return answer["result"]

    def error(self, method: str, *params: Any) -> tuple[int, str]:
        answer = self.answer(method, *params)
        assert "result" not in answer, answer
        return answer["error"]["code"], answer["error"]["message"]


def transaction_json(one: Transaction, place: int) -> dict[str, Any]:
    """As eth_getBlockByNumber has it."""
    value = {
        "type": hex(one.type),
        "hash": "0x" + one.hash.hex(),
        "from": "0x" + one.sender.hex(),
        "nonce": hex(one.nonce),
        "gas": hex(one.gas_limit),
        "to": None if one.to is None else "0x" + one.to.hex(),
        "value": hex(one.value),
        "input": "0x" + one.data.hex(),
        "v": hex(one.v),
        "r": hex(one.r),
        "s": hex(one.s),
        "transactionIndex": hex(place),
    }
    if one.chain_id is not None:
        value["chainId"] = hex(one.chain_id)
    if one.type < 2:
        value["gasPrice"] = hex(one.gas_price)
    else:
        value |= {"maxFeePerGas": hex(one.max_fee_per_gas), "maxPriorityFeePerGas": hex(one.max_priority_fee_per_gas)}
    if one.type > 0:
        value["accessList"] = [
            {"address": "0x" + address.hex(), "storageKeys": [f"0x{slot:064x}" for slot in slots]}
            for address, slots in one.access_list
        ]
        value["yParity"] = hex(one.y_parity)
    return value
