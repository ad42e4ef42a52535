"""The benchmarks: `make bench` (bench/report.py) and `make bench-parallel` (bench/parallel.py). They need evmcore and its data
only; peers (pyrevm, py-evm, the executable specification) are measured beside it where they happen to be installed."""
