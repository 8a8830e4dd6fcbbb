"""Benchmarks of the main job: `python tests/bench/run.py [names…]` measures and prints one table."""
