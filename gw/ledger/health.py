"""How well the calls of the ledger are priced, and which of them are open: what /healthz/accounting is made of."""

from typing import NamedTuple

import msgspec

from gw.domain.call import OpenCall
from gw.ledger.store import Connection
from gw.ledger.sums import count_if

MODELS_MAX = 20
# A call that was priced afterwards is priced.
LEFT_UNPRICED = (
    "price_version = 'unpriced' AND NOT EXISTS (SELECT 1 FROM adjustment WHERE adjustment.call_id = call.call_id)"
)
MODEL = "CASE WHEN served_model <> '' THEN served_model ELSE requested_model END"
_open_call = msgspec.msgpack.Decoder(OpenCall)


class Priced(NamedTuple):
    """Calls by how their cost is known."""

    exact: int
    observed: int
    estimated: int
    unpriced: int
    unpriced_models: tuple[str, ...]  # those with the most calls first


class Opened(NamedTuple):
    calls: int
    oldest_us: int  # when it began; 0: none


def priced(db: Connection, since_us: int) -> Priced:
    """Of calls that ended since then, by the index on that."""
    counts = [count_if(f"usage_source = '{source}'") for source in ("exact", "observed", "estimated")]
    counts.append(count_if(LEFT_UNPRICED))
    query = f"SELECT {', '.join(counts)} FROM call WHERE ended_us >= ?"  # noqa: S608 - our own words
    exact, observed, estimated, unpriced = db.execute(query, (since_us,)).fetchone()
    models: tuple[str, ...] = ()
    if unpriced:
        order = f"GROUP BY label ORDER BY COUNT(*) DESC, label LIMIT {MODELS_MAX}"
        query = f"SELECT {MODEL} AS label FROM call WHERE ended_us >= ? AND {LEFT_UNPRICED} {order}"  # noqa: S608
        models = tuple(label for (label,) in db.execute(query, (since_us,)))
    return Priced(exact, observed, estimated, unpriced, models)


def opened(db: Connection) -> Opened:
    """Calls that were begun and have no row yet."""
    begun = [_open_call.decode(payload).started_us for (payload,) in db.execute("SELECT payload FROM open_call")]
    return Opened(len(begun), min(begun, default=0))
