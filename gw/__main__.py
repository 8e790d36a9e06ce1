"""`python -m gw` is `gw`."""

from gw.cli import main

main()
