"""Every figure that this project promises, measured: ``python -m benchmarks``."""
