"""Sandbox portals over real HTTP, for the demo, the tests and anyone's CI."""
