"""Benchmarks: `python -m benchmarks` prints one table of targets, measured beside a baseline in the same run."""
