"""Fixtures of the tests that kill runs."""

from crash.crasher import crasher

__all__ = ["crasher"]
