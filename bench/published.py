"""Figures that others published, to stand beside ours. They were measured elsewhere: compare the shape, not the last digit."""

from __future__ import annotations

# Speed-up of pevm over its own sequential run, by block: README of risechain/pevm (9cbd856), AWS c7g.8xlarge (Graviton3), 12
# threads. 1.0: it ran the block sequentially.
PEVM_BLOCKS = {
    46147: 1.0, 116525: 1.0, 930196: 1.0, 1150000: 1.0, 2179522: 1.19, 2462997: 1.0, 2674998: 1.0, 2675000: 1.0,
    3356896: 1.26, 4330482: 2.01, 4370000: 1.03, 4864590: 3.55, 5526571: 2.24, 5891667: 1.41, 6137495: 1.8, 7279999: 4.32,
    7280000: 1.94, 8038679: 2.35, 9068998: 1.0, 9069000: 1.75, 10760440: 2.51, 11114732: 0.89, 11814555: 1.53,
    12047794: 0.9, 12243999: 2.77, 12244000: 1.59, 12300570: 1.68, 12522062: 2.4, 13217637: 3.01, 13287210: 1.66,
    14396881: 1.79, 15199017: 3.41, 15274915: 2.3, 15537393: 1.0, 15537394: 1.56, 15752489: 2.18, 16146267: 2.86,
    17034869: 2.37, 17666333: 2.01, 18085863: 1.84, 18988207: 1.59, 19426586: 2.12, 19426587: 1.0, 19917570: 2.67,
    19923400: 1.0, 19929064: 2.0, 19932703: 1.39, 19933122: 1.0, 19933597: 1.78, 19934116: 1.0,
}  # fmt: skip

# The same project's blocks of 1 Ggas without conflicts (crates/pevm/benches/README.md): speed-up on 32 vCPU.
PEVM_GIGAGAS = {"transfers": 2.82, "erc20": 4.05, "swaps": 22.1}

# Mgas/s of whole transactions over real blocks, one thread, senders known. evmone: 67 mainnet blocks, baseline interpreter,
# state of its test library, on a busy machine of 2 cores. revm: inside pevm, sequential, on a Graviton3.
EVMONE_BLOCKS_MGAS_S = 1185
REVM_BLOCKS_MGAS_S = 2850
