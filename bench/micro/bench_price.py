"""Time of `PriceBook.price`, per kind of reading.

python bench/micro/bench_price.py
"""

import timeit

from gw.domain.usage import Iteration, Reading, Usage
from gw.pricing.book import PriceBook
from gw.pricing.overrides import Override, PartialRates

AT_US = 1_795_000_000_000_000
PLAIN = Usage(input_tokens=12, output_tokens=812, cache_read_tokens=48_210, cache_write_1h_tokens=2_150, service_tier="standard")
KINDS = {
    "plain": ("claude-opus-5-5", Reading(usage=PLAIN, stop_reason="end_turn", content_empty=False)),
    "stepped (Haiku 5.5)": ("claude-haiku-5-5", Reading(usage=PLAIN, stop_reason="end_turn", content_empty=False)),
    "geo us": ("claude-opus-5-5", Reading(usage=Usage(input_tokens=12, output_tokens=812, inference_geo="us"))),
    "advisor": (
        "claude-sonnet-5",
        Reading(
            usage=Usage(
                input_tokens=1760,
                output_tokens=531,
                iterations=(
                    Iteration("message", "", 412, 89),
                    Iteration("advisor_message", "claude-opus-5", 823, 1612),
                    Iteration("message", "", 1348, 442),
                ),
            )
        ),
    ),
    "unknown model": ("no-such-model", Reading(usage=PLAIN)),
}
BOOKS = {
    "list": PriceBook.load(),
    "rates override": PriceBook.load(overrides=[Override(name="a", rates=PartialRates(input="1"), key="alice")]),
    "multiplier": PriceBook.load(overrides=[Override(name="a", multiplier="0.85", key="alice")]),
}


def main() -> None:
    for book_name, book in BOOKS.items():
        for kind, (model, reading) in KINDS.items():

            def call(book=book, model=model, reading=reading):
                return book.price(
                    provider="anthropic",
                    upstream="anthropic",
                    region="",
                    model=model,
                    reading=reading,
                    at_us=AT_US,
                    key="alice",
                    team="core",
                )

            count = 20_000
            best = min(timeit.repeat(call, number=count, repeat=5)) / count
            print(f"{book_name:16} {kind:20} {best * 1e6:7.2f} us")


if __name__ == "__main__":
    main()
