"""What is fast enough, measured: every figure is a ratio of arms that ran interleaved (docs/benchmarks/README.md)."""
