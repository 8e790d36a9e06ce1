"""The shape of `[metrics]`: what /metrics tells apart, and to whom it says anything."""

from typing import Annotated

from gw.config.schema import Table, about
from gw.config.secret import Secret
from gw.domain.labels import DEFAULT_LABELS

SERIES_MAX = 100_000


class Metrics(Table, frozen=True):
    """What /metrics tells apart, and to whom it says anything. docs/metrics.md has the metrics."""

    token: Annotated[
        Secret,
        about(
            "What a scraper must send (`Authorization: Bearer ...`) to read /metrics and /healthz/accounting. Empty: whoever "
            "reaches the port may read them.",
            kind="secret",
        ),
    ] = Secret("")
    labels: Annotated[
        tuple[str, ...],
        about(
            "What metrics of calls are told apart by: customer, team, key, upstream, model, project, or patterns of these. "
            "Takes effect at the next start.",
            kind="globs",
        ),
    ] = DEFAULT_LABELS
    series_max: Annotated[
        int,
        about(
            "Most combinations of labels in one metric of calls, and most accounts of budgets; further ones are counted under "
            '"other". Takes effect at the next start.',
            unit="combinations",
            low=1,
            high=SERIES_MAX,
        ),
    ] = 1000
