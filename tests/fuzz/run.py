"""Runs one check under atheris: coverage-guided over the pure twin, which is instrumented; any exception is a find."""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris


def fuzz(check: Callable[[bytes], None], seeds: list[bytes], name: str) -> None:
    """Never returns: libFuzzer ends the process, with status 0 if nothing was found.

    `--runs N` inputs; `--seconds N` at most; `--corpus DIR` keeps what was learned. Inputs that fail are left in the
    current directory by libFuzzer.
    """
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("--corpus", type=Path)
    given = parser.parse_args()
    corpus = given.corpus or Path(tempfile.mkdtemp(prefix="gw-fuzz-"))
    corpus.mkdir(parents=True, exist_ok=True)
    for index, seed in enumerate(seeds):
        (corpus / f"seed-{index}").write_bytes(seed)
    limits = [f"-atheris_runs={given.runs}", f"-max_total_time={given.seconds}", "-max_len=16384", "-timeout=10"]
    atheris.Setup([sys.argv[0], *limits, str(corpus)], check)
    atheris.Fuzz()
