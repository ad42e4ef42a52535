"""A chain on disk: the state at its head, its blocks, and what it takes to go back some blocks.

A block is one transaction of libmdbx: all of it is there, durable, or nothing. A store is one process's; any thread may use it, one
writes at a time.
"""

from __future__ import annotations

import os
from types import TracebackType

from .. import rlp
from .._core import BlockResult, Changes, State, StateTrie, keccak256
from ..block import Block
from ..chain.genesis import Genesis
from ..errors import EvmError
from ..header import Header
from ..locks import lock_of_process
from . import _mdbx
from .claims import FILE, claim, find_folder, open_database, release
from .faults import StoreError, told
from .libraries import load_mdbx
from .rows import account_rows, body_of, bytes_of, height_key, join_block, pieces, there, undo_of
from .writing import Writing

__all__ = ["Store"]

_NAME = b"evmcore-store"
_FORM = 3
DEFAULT_DEPTH = 128
DEFAULT_MOST_BYTES = 1 << 40
DEFAULT_CACHE_BYTES = 64 << 20
DEFAULT_JOURNAL_BYTES = 64 << 20
DEFAULT_TRIE_BYTES = 64 << 20


class Store:
    """A chain's state and blocks in a folder.

    path         of the folder; made if it isn't there
    genesis      of a new store; of one that is there it has to be the genesis. None: there is a store
    depth        how many blocks can be taken back, and how old a state can be asked for: an existing store keeps its own unless it is given
    most_bytes   how large its file may grow; address space, not memory
    cache_bytes  of memory, for accounts and slots that were read or committed lately; its states share it
    journal_bytes  of memory, for rows that are committed, are in the journal on disk and will be written to their tables together, once
                 there are so many; 0: each block's are at once
    trie_bytes   of memory, for nodes of the head's trie, which its states share and the next block's root follows from; 0: none are kept
    raise        StoreError: it is open already, it is no store or one of a newer form, its genesis is another, its disk is full
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        genesis: Genesis | None = None,
        depth: int | None = None,
        most_bytes: int = DEFAULT_MOST_BYTES,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
        journal_bytes: int = DEFAULT_JOURNAL_BYTES,
        trie_bytes: int = DEFAULT_TRIE_BYTES,
    ) -> None:
        sizes = {"cache_bytes": cache_bytes, "journal_bytes": journal_bytes, "trie_bytes": trie_bytes}
        for name, size in sizes.items():
            if not isinstance(size, int) or not 0 <= size < 1 << 40:
                raise ValueError(f"{name}: {size!r} is not between 0 and a tebibyte")
        if depth is not None and (not isinstance(depth, int) or not 0 <= depth < 2**31):
            raise ValueError(f"depth: {depth!r} is not a number of blocks")
        if not isinstance(most_bytes, int) or not 1 << 20 <= most_bytes < 1 << 47:
            raise ValueError(f"most_bytes: {most_bytes!r} is not between a megabyte and 128 TiB")
        if genesis is not None and not isinstance(genesis, Genesis):
            raise TypeError(f"genesis: expected Genesis, got {type(genesis).__name__}")
        self.path = os.fsdecode(path)
        self._lock = lock_of_process()
        self._head_snapshot: _mdbx.Snapshot | None = None
        self._database: _mdbx.Database | None = None
        self._key: tuple[int, int] | None = None  # while it is open
        self._trie_bytes = trie_bytes
        self._trie = StateTrie(bytes(32))  # the head's, once there is one
        load_mdbx()
        find_folder(self.path, genesis is None)
        self._key, self._database = claim(self.path)
        try:
            with told(self.path):
                is_held = self._database is not None
                if self._database is None:
                    self._database = open_database(self.path, most_bytes, cache_bytes, journal_bytes)
                self._read_meta(genesis, depth)
                self._read_trie(is_held)
        except BaseException:
            self.close()
            raise

    def _read_meta(self, genesis: Genesis | None, depth: int | None) -> None:
        snapshot = self._open_snapshot()
        name, form = snapshot.get("meta", b"name"), snapshot.get("meta", b"form")
        if name is None and snapshot.entries("meta") == 0:
            if genesis is None:
                raise StoreError(f"store {self.path}: it is empty; it needs a genesis")
            self._write_genesis(genesis, DEFAULT_DEPTH if depth is None else depth)
            return
        if name != _NAME or form is None:
            raise StoreError(f"store {self.path}: its database is no store of evmcore")
        if int.from_bytes(form, "big") != _FORM:
            raise StoreError(
                f"store {self.path}: it has form {int.from_bytes(form, 'big')}, this evmcore reads form {_FORM}"
            )
        self._read_head(snapshot)
        if genesis is not None and self.genesis_hash != genesis.header.hash:
            raise StoreError(
                f"store {self.path}: its genesis is 0x{self.genesis_hash.hex()}, not 0x{genesis.header.hash.hex()}"
            )
        self.depth = int.from_bytes(there(snapshot.get("meta", b"depth"), "depth"), "big")
        if depth is not None and depth != self.depth:
            with self._writing() as writer:
                writer.put("meta", b"depth", height_key(depth))
                self.depth = depth
                self._prune_undo(writer, self.height)

    def _read_head(self, snapshot: _mdbx.Snapshot) -> None:
        self.height = int.from_bytes(there(snapshot.get("meta", b"height"), "height"), "big")
        self.first_height = int.from_bytes(there(snapshot.get("meta", b"first"), "first"), "big")
        self.genesis_hash = there(snapshot.get("headers", height_key(self.first_height)), "genesis")[:32]
        self.head_hash = there(snapshot.get("headers", height_key(self.height)), "head")[:32]

    def _read_trie(self, is_held: bool) -> None:
        """The head's trie: that of the tables, with what is in the journal alone. `is_held`: by who holds the database, it was made."""
        head = self.header().state_root
        self._trie = StateTrie(head)
        snapshot = self._open_snapshot()
        accounts, slots = (b"", b"") if is_held else snapshot.cells(of_journal=True)
        if not accounts:
            return
        try:
            source = snapshot.source()
            known, trie = StateTrie(there(snapshot.get("meta", b"trie"), "trie")).updated(accounts, slots, source)
            nodes = trie.nodes_since(known, source)
        except EvmError as error:
            raise StoreError(f"store {self.path}: its journal leads to no trie: {error}") from None
        if trie.root != head:
            raise StoreError(f"store {self.path}: its journal is damaged: it leads to state root 0x{trie.root.hex()}")
        self._opened().put_nodes(nodes)
        self._head_snapshot = None
        self._keep_trie(trie)

    def _keep_trie(self, trie: StateTrie) -> None:
        """As the head's, within the memory that there is for it."""
        self._trie = trie if trie.size_bytes <= self._trie_bytes else trie.cut(self._trie_bytes // 2)

    def _write_genesis(self, genesis: Genesis, depth: int) -> None:
        header = genesis.header
        with self._writing() as writer:
            writer.settle()
            for accounts, account_count, slots, slot_count, codes in account_rows(genesis.state):
                writer.put_accounts(accounts, account_count, slots, slot_count)
                writer.take_undo()
                for code_hash, code in codes.items():
                    writer.put("codes", code_hash, code)
            writer.put_nodes(genesis.state.unsaved_nodes())
            writer.take_undo()
            self._put_block(writer, header.number, header, header.difficulty, None, ())
            writer.put("meta", b"name", _NAME)
            writer.put("meta", b"form", height_key(_FORM))
            writer.put("meta", b"first", height_key(header.number))
            writer.put("meta", b"depth", height_key(depth))
        self.depth = depth
        self._read_head(self._open_snapshot())

    # ------------------------------------------------------------ life

    def close(self) -> None:
        """Let go of the files. Who holds a state still may read it; until it goes the store can't be opened again."""
        with self._lock:
            self._head_snapshot = None
            database, self._database = self._database, None
            key, self._key = self._key, None
            if key is not None:
                release(key, database)

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_lock"):
            self.close()

    def __copy__(self) -> Store:
        raise TypeError("a Store is one database's: it has no copy; State.copy() has")

    def __deepcopy__(self, memo: object) -> Store:
        return self.__copy__()

    def __reduce_ex__(self, protocol: object) -> str:
        raise TypeError("a Store is one database's: it isn't pickled; its folder can be copied when it is closed")

    def __repr__(self) -> str:
        return f"<Store {self.path}: {'closed' if self._database is None else f'block {self.height}'}>"

    def _opened(self) -> _mdbx.Database:
        database = self._database
        if database is None:
            raise StoreError(f"store {self.path}: it is closed")
        if not database.is_of_this_process:
            raise StoreError(f"store {self.path}: it was opened before this process was forked")
        return database

    def _open_snapshot(self) -> _mdbx.Snapshot:
        with told(self.path):
            return _mdbx.Snapshot(self._opened())

    def _snapshot(self) -> _mdbx.Snapshot:
        """Of the head, shared by all that read it."""
        with self._lock:
            self._opened()
            if self._head_snapshot is None:
                self._head_snapshot = self._open_snapshot()
            return self._head_snapshot

    def _writing(self) -> Writing:
        return Writing(self)

    # ------------------------------------------------------------ reading

    @property
    def oldest_height(self) -> int:
        """The lowest height whose state can be read, and to which the chain can go back."""
        return max(self.first_height, self.height - self.depth)

    @property
    def file_bytes(self) -> int:
        """The size of its file, free pages included."""
        return os.stat(os.path.join(self.path, FILE)).st_size

    def state(self, height: int | None = None) -> State:
        """The state after a block: its own from then on, whatever is committed later. None: the head's.

        What it doesn't hold the workers read from disk. As long as it is held the pages that it may read are kept.
        raise   StoreError for a height that isn't there, or whose undo rows are pruned
        """
        with self._lock, told(self.path):
            wanted = self._height_of(height)
            if wanted < self.oldest_height:
                raise StoreError(f"store {self.path}: states go back to height {self.oldest_height}, not to {wanted}")
            snapshot, trie = self._at(wanted)
            return State.from_local(snapshot.source(), trie)

    def _at(self, height: int) -> tuple[_mdbx.Snapshot, StateTrie]:
        """What is read of the state at a height, and its trie, whose nodes are those of the head where they are the same."""
        snapshot = self._snapshot()
        if height == self.height:
            return snapshot, self._trie
        snapshot = self._open_snapshot()
        for later in range(self.height, height, -1):
            if not snapshot.take_back(undo_of(snapshot, later)):
                raise StoreError(f"store {self.path}: the undo rows of block {later} are damaged")
        try:
            self._trie, trie = self._trie.updated(*snapshot.cells(of_journal=False), snapshot.source())
        except EvmError as error:
            raise StoreError(f"store {self.path}: the state at height {height} can't be made: {error}") from None
        if trie.root != self.header(height).state_root:
            raise StoreError(f"store {self.path}: the undo rows above block {height} are damaged")
        self._keep_trie(self._trie)
        return snapshot, trie

    def _height_of(self, height: int | None) -> int:
        if height is None:
            return self.height
        if not isinstance(height, int) or isinstance(height, bool):
            raise TypeError(f"height: expected an int, got {type(height).__name__}")
        if not self.first_height <= height <= self.height:
            raise StoreError(f"store {self.path}: no block {height}; it has {self.first_height} to {self.height}")
        return height

    def header(self, height: int | None = None) -> Header:
        """The header at a height of the chain; None: the head's. Its `fork` and what else is around it are not kept."""
        return Header.decode(self._header_row(height)[64:])

    def total_difficulty(self, height: int | None = None) -> int:
        """Of the block at a height and all before it."""
        return int.from_bytes(self._header_row(height)[32:64], "big")

    def hash_of(self, height: int | None = None) -> bytes:
        """The hash of the block at a height, 32 bytes."""
        return self._header_row(height)[:32]

    def height_of(self, block_hash: bytes) -> int | None:
        """Where a block of the chain is; None: it isn't part of it."""
        found = self._get("hashes", block_hash)
        return None if found is None else int.from_bytes(found, "big")

    def block(self, height: int | None = None) -> bytes:
        """The RLP of the block at a height. StoreError if it is pruned, or the genesis."""
        with self._lock:
            wanted = self._height_of(height)
            body = self._get("bodies", height_key(wanted))
            if body is None:
                raise StoreError(f"store {self.path}: block {wanted} has no body any more")
            return join_block(self._header_row(wanted)[64:], body)

    def receipts(self, height: int | None = None) -> tuple[bytes, ...]:
        """The receipts of the block at a height, as its receipts root is made of them. StoreError if they are pruned."""
        wanted = self._height_of(height)
        found = self._get("receipts", height_key(wanted))
        if found is None:
            raise StoreError(f"store {self.path}: block {wanted} has no receipts any more")
        return tuple(rlp.to_bytes(item, "receipt") for item in rlp.to_list(rlp.decode(found, "receipts"), "receipts"))

    def transaction(self, transaction_hash: bytes) -> tuple[int, int] | None:
        """(height, index) of a transaction of the chain; None: there is none, or its block is pruned."""
        found = self._get("transactions", transaction_hash)
        return None if found is None else (int.from_bytes(found[:8], "big"), int.from_bytes(found[8:], "big"))

    def recent_hashes(self, height: int | None = None, most: int = 256) -> dict[int, bytes]:
        """The hashes of a block and of those before it: what BLOCKHASH may ask for in the next one."""
        with self._lock:
            top = self._height_of(height)
            return {n: self.hash_of(n) for n in range(top, max(self.first_height, top - most + 1) - 1, -1)}

    def _header_row(self, height: int | None) -> bytes:
        with self._lock:
            return there(self._get("headers", height_key(self._height_of(height))), "header")

    def _get(self, table: str, key: bytes) -> bytes | None:
        with told(self.path):
            return self._snapshot().get(table, bytes(key))

    # ------------------------------------------------------------ writing

    def commit(
        self,
        block: Block,
        result: BlockResult,
        *,
        on: int | None = None,
        state: State | None = None,
        changes: Changes | None = None,
    ) -> None:
        """Append a block to the chain: durable when this returns, or not there at all if it raises.

        block    its header is held against the state root alone: what else is right is its executor's to say
        result   of `execute_block(..., changes=True)` on `state(on)`
        on       the height of its parent; the blocks above are taken back, in the same transaction. None: the head
        state    the one that it was executed on, made by `state(on)`, whose root is known; None: the root is made of the changes
        changes  of the block, if there are more than the result's
        raise    StoreError: it isn't its parent's child, the root is another than its header's, the changes aren't what the state
                 differs by, the disk is full
        """
        for name, value, kind in (("block", block, Block), ("result", result, BlockResult)):
            if not isinstance(value, kind):
                raise TypeError(f"{name}: expected {kind.__name__}, got {type(value).__name__}")
        with self._lock:
            self._commit(block, result, on, state, result.changes if changes is None else changes)

    def _commit(
        self, block: Block, result: BlockResult, on: int | None, state: State | None, changes: Changes | None
    ) -> None:
        header = block.header
        parent = self._height_of(on)
        if header.number != parent + 1 or header.parent_hash != self.hash_of(parent):
            raise StoreError(
                f"store {self.path}: block {header.number} on 0x{header.parent_hash.hex()} is no child of "
                f"block {parent} 0x{self.hash_of(parent).hex()}"
            )
        if changes is None:
            raise StoreError("store: the result has no changes; execute_block(..., changes=True) keeps them")
        accounts, slots = changes.accounts, changes.slots
        rows = bytes_of(accounts), bytes_of(slots)
        difficulty = self.total_difficulty(parent) + header.difficulty
        self._height_to_go_back_to(parent)
        snapshot, before = self._at(parent)
        way_back = before.nodes_since(self._trie, snapshot.source()) if parent != self.height else b""
        trie, nodes = self._next_trie(header, snapshot, before, state if parent == self.height else None, rows)
        with self._writing() as writer:
            if parent != self.height:
                self._take_back(writer, parent)
                writer.put_nodes(way_back)
            gone = accounts[(accounts["storage"] != 0) | ~accounts["exists"]]
            for row in gone["address"]:
                writer.clear_storage(row.tobytes())
            writer.put_accounts(rows[0], len(accounts), rows[1], len(slots))
            writer.put_nodes(nodes)
            for code_hash, code in changes.codes.items():
                writer.put("codes", code_hash, code)
            for piece, noted in pieces(writer.take_undo()):
                writer.put("undo", height_key(header.number) + piece, noted)
            self._put_block(writer, header.number, header, difficulty, block, result.encoded_receipts)
            self._prune_undo(writer, header.number)
        self._keep_trie(trie)

    def _next_trie(
        self,
        header: Header,
        snapshot: _mdbx.Snapshot,
        before: StateTrie,
        state: State | None,
        rows: tuple[memoryview, memoryview],
    ) -> tuple[StateTrie, bytes]:
        """The trie after a block, whose root is the header's and which differs by the changes and nothing else; its new nodes."""
        source = snapshot.source()
        if state is None:
            before, trie = before.updated(*rows, source)
        else:
            trie = state.trie()
            known = state.source_trie
            if known is not None and known.root == before.root:
                before = known
        if trie.root != header.state_root:
            raise StoreError(
                f"store {self.path}: block {header.number} has state root 0x{header.state_root.hex()}, "
                f"its state 0x{trie.root.hex()}"
            )
        try:
            return trie, trie.nodes_since(before, source, *rows)
        except ValueError as error:
            raise StoreError(
                f"store {self.path}: the changes of block {header.number} are not what its state differs by: {error}"
            ) from None

    def _put_block(
        self,
        writer: _mdbx.Writer,
        height: int,
        header: Header,
        difficulty: int,
        block: Block | None,
        receipts: tuple[bytes, ...],
    ) -> None:
        key, encoded = height_key(height), header.encode()
        block_hash = keccak256(encoded)
        writer.put("headers", key, block_hash + difficulty.to_bytes(32, "big") + encoded)
        writer.put("hashes", block_hash, key)
        writer.put("meta", b"height", key)
        if block is None:
            return
        writer.put("bodies", key, body_of(block))
        writer.put_list("receipts", key, receipts)
        writer.put_places("transactions", [tx.hash for tx in block.transactions], key)

    def _prune_undo(self, writer: _mdbx.Writer, height: int) -> None:
        """Undo rows that lead further back than `depth`."""
        while (first := writer.first("undo")) is not None:
            if int.from_bytes(first[0][:8], "big") > height - self.depth:
                return
            writer.remove("undo", first[0])

    def rewind(self, height: int) -> None:
        """Take blocks back until the one at this height is the head. StoreError if their undo rows are pruned."""
        with self._lock:
            height = self._height_to_go_back_to(height)
            snapshot, trie = self._at(height)
            nodes = trie.nodes_since(self._trie, snapshot.source())
            with self._writing() as writer:
                self._take_back(writer, height)
                writer.put_nodes(nodes)
            self._keep_trie(trie)

    def _height_to_go_back_to(self, height: int) -> int:
        height = self._height_of(height)
        if height < self.oldest_height:
            raise StoreError(f"store {self.path}: it can go back to height {self.oldest_height}, not to {height}")
        return height

    def _take_back(self, writer: _mdbx.Writer, height: int) -> None:
        """Accounts, slots and blocks; the trie's nodes are the caller's to bring back."""
        for number in range(self.height, height, -1):
            key = height_key(number)
            writer.take_back(undo_of(writer, number))
            while (first := writer.first("undo", key)) is not None:
                writer.remove("undo", first[0])
            body = writer.get("bodies", key)
            if body is not None:
                header = there(writer.get("headers", key), "header")[64:]
                for tx in Block.decode(join_block(header, body)).transactions:
                    writer.remove("transactions", tx.hash)
            writer.remove("hashes", there(writer.get("headers", key), "header")[:32])
            for table in ("headers", "bodies", "receipts"):
                writer.remove(table, key)
        writer.put("meta", b"height", height_key(height))

    def prune(self, height: int) -> int:
        """Remove bodies, receipts and transactions of blocks below this height; headers stay. How many blocks had some."""
        with self._lock, self._writing() as writer:
            height = self._height_of(height)
            removed = 0
            while (first := writer.first("bodies")) is not None:
                key = first[0]
                if int.from_bytes(key, "big") >= height:
                    break
                header = there(writer.get("headers", key), "header")[64:]
                for tx in Block.decode(join_block(header, first[1])).transactions:
                    writer.remove("transactions", tx.hash)
                writer.remove("bodies", key)
                writer.remove("receipts", key)
                removed += 1
            return removed
