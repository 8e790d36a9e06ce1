"""What a finished call came to. Its record in the journal says everything; this is what gw itself still needs of it."""


class Settled:
    """For the counters, the budgets and the call's answer. Filled by gw.settle with the record's own figures, same names."""

    __slots__ = (
        "billed_pusd",
        "cache_read_tokens",
        "cache_write_1h_tokens",
        "cache_write_5m_tokens",
        "charged",
        "ended_us",
        "endpoint",
        "error",
        "exact",
        "first_token_us",
        "input_tokens",
        "list_pusd",
        "outcome",
        "output_tokens",
        "retries",
        "started_us",
        "unpriced",
        "usage_source",
    )

    def __init__(self, endpoint: str, outcome: str, error: str, source: str) -> None:
        self.endpoint = endpoint
        self.outcome = outcome
        self.error = error
        self.usage_source = source
        self.exact = source == "exact"  # the provider has said what was used
        self.charged = self.exact or source != "none"  # something was
        self.started_us = 0
        self.first_token_us = 0
        self.ended_us = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self.cache_read_tokens = 0
        self.cache_write_5m_tokens = 0
        self.cache_write_1h_tokens = 0
        self.list_pusd = 0  # of any size: what a provider says may be garbage
        self.billed_pusd = 0
        self.unpriced = False  # its model has no price
        self.retries = 0
