"""`python -m leadhouse` is the command."""

from leadhouse.cli import main

main()
