"""Calls as the text that Postgres copies in: 400 of them, as the keeper does at a time. The figure is of one."""

import pytest
from msgspec.structs import astuple
from pytest_benchmark.fixture import BenchmarkFixture

from bench.micro.measure import each
from gw._fast import copy_text
from gw.ledger.tail import PIECE
from tests.ledger.records import record

pytestmark = pytest.mark.benchmark(group="copytext")


def test_a_piece(benchmark: BenchmarkFixture) -> None:
    one = record(
        "gw_019a8d0000000123456789abcd",
        session_id="00000001-5e55-4000-8000-000000000000",
        client_version="claude-cli/2.1.329",
        input_tokens=1200,
        output_tokens=340,
        billed_pusd=43_094_000_000,
        price_version="2026-11-21/anthropic/claude-sonnet-4-5",
    )
    rows = [astuple(one)] * PIECE
    each(benchmark, lambda: copy_text(rows, 1), calls=10, events=PIECE, size=len(copy_text(rows, 1)))
