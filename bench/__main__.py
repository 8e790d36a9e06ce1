"""`python -m bench`: `make bench` and `make bench-smoke`."""

from bench.load.run import main

main()
