"""What the recipes say to write, for things that Ethereum doesn't have, or not yet: where, and what."""

from __future__ import annotations

# file -> [(the line that it goes before, or None: at the end; the text)]
ADDITIONS: dict[str, list[tuple[str | None, str]]] = {
    "pyx/core/rules/forks.def": [
        ("NEWEST(BPO2)", 'FORK(NEXT, AMSTERDAM, "Next", "Next", "", "nextTime")\n  GAS(1, CLZ, 6)\n\n'),
    ],
    "pyx/core/rules/opcodes.def": [
        (
            "// Exchange, by an immediate\n",
            'OPCODE(0xb6, PICKN,    pickn,    17, 18, 235, 1, NEXT, 3, "copy item n")\n'
            'OPCODE(0xb7, TOPN,     topn,     18, 18, 236, 1, NEXT, 3, "exchange the top with item n + 1")\n'
            'OPCODE(0xb8, TRADE,    trade,    3,  3,  30,  1, NEXT, 3, "exchange item n + 1 with item m + 1")\n\n',
        ),
    ],
    "pyx/core/vm/ops/stack.hpp": [
        (
            "}  // namespace evmcore::op",
            """\
EVMCORE_INLINE Status pickn(Cursor& c) noexcept { return dupn(c); }
EVMCORE_INLINE Status topn(Cursor& c) noexcept { return swapn(c); }
EVMCORE_INLINE Status trade(Cursor& c) noexcept { return exchange(c); }

""",
        ),
    ],
    "pyx/core/rules/precompiles.def": [
        (None, 'PRECOMPILE(0x0101, BACKWARDS, backwards, NEXT, 1, "the input, its last byte first")\n'),
    ],
    "pyx/core/precompiles/hashes.cpp": [
        (
            "}  // namespace evmcore",
            """\
int64_t price_backwards(ByteView input, const Rules&) noexcept { return 10 + static_cast<int64_t>(input.size); }
Status run_backwards(ByteView input, Bytes& output, Poll&) noexcept {
    if (!output.assign(input.data, input.size))
        return Status::OUT_OF_MEMORY;
    for (size_t i = 0; i < output.size() / 2; ++i)
        std::swap(output[i], output[output.size() - 1 - i]);
    return Status::SUCCESS;
}

""",
        ),
    ],
    "pyx/core/rules/transaction_fields.def": [
        ("MEMBER_ROW(PART,      uint8_t,", 'FIELD_ROW(lucky_number, lucky_number, NUMBER, 0, "luckyNumber", "of no use")\n\n'),
    ],
    "pyx/core/rules/transactions.def": [
        (
            None,
            'TRANSACTION(0x2a, LUCKY, NEXT, 1, "a number to sign", FIELD(chain_id) FIELD(lucky_number) FIELD(nonce)\n'
            "            FIELD(max_priority_fee_per_gas) FIELD(max_fee_per_gas) FIELD(gas_limit) FIELD(to) FIELD(value) FIELD(data))\n",
        ),
    ],
    "pyx/transaction_face.pxi": [
        ("    authorization_list = _FieldOfTransaction(", '    lucky_number = _FieldOfTransaction("lucky_number")\n'),
    ],
    "evmcore/_core.pyi": [
        ("        max_fee_per_blob_gas: int = 0,\n", "        lucky_number: int = 0,\n"),
        ("    @property\n    def max_fee_per_blob_gas", "    @property\n    def lucky_number(self) -> int: ...\n"),
    ],
    # The tests' own lists: a sample of the field, and one of the type.
    "tests/test_tables.py": [
        ('        4: {"authorization_list": [(0, bytes(20)', '        0x2A: {"lucky_number": 1},\n'),
    ],
    "tests/test_transaction_fields.py": [
        ('    "max_fee_per_blob_gas": (', '    "lucky_number": ((7, 2**255), ("0x07", "0x80" + "00" * 31)),\n'),
    ],
}  # fmt: skip


def apply(read, write) -> None:
    """Make the additions. `read(path)` gives a file's text, `write(path, text)` takes it."""
    for path, additions in ADDITIONS.items():
        text = read(path)
        for before, addition in additions:
            at = len(text) if before is None else text.index(before)
            if before == "}  // namespace evmcore":
                at = text.rindex(before)
            text = text[:at] + addition + text[at:]
        write(path, text)
