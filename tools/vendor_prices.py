"""Write the embedded price snapshot from the installed `genai-prices` package (development tool; not shipped).

    python tools/vendor_prices.py [--date 2026-11-21]

Output: gw/pricing/snapshot/genai-prices-<date>.json, an array of providers in the shape of the data set's own v2
`data.json` without descriptions, comments and usage extractors, prices as decimal strings; source.json beside it; and
the licence. The date is the day the package was taken, by default today (UTC).
"""

import argparse
import datetime
import hashlib
import importlib.metadata
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from genai_prices.data import providers
from genai_prices.types import StartDateConstraint, TieredPrices

SNAPSHOT = Path(__file__).resolve().parent.parent / "gw" / "pricing" / "snapshot"
CLAUSES = ("starts_with", "ends_with", "contains", "regex", "equals")


def decimal_text(value: Decimal) -> str:
    return f"{value:f}"


def price(value: Any) -> Any:
    if isinstance(value, TieredPrices):
        tiers = [{"start": tier.start, "price": decimal_text(tier.price)} for tier in value.tiers]
        return {"base": decimal_text(value.base), "tiers": tiers}
    return decimal_text(value)


def prices(model_price: Any) -> dict[str, Any]:
    return {key: price(value) for key, value in vars(model_price).items() if value is not None}


def clause(logic: Any) -> dict[str, Any]:
    for name in CLAUSES:
        if hasattr(logic, name):
            return {name: getattr(logic, name)}
    word = "or" if hasattr(logic, "or_") else "and"
    return {word: [clause(inner) for inner in getattr(logic, f"{word}_")]}


def clock(value: datetime.time) -> str:
    return value.isoformat().replace("+00:00", "Z")


def constrained(item: Any, out: dict[str, Any]) -> dict[str, Any]:
    if isinstance(item.constraint, StartDateConstraint):
        out["constraint"] = {"start_date": item.constraint.start_date.isoformat()}
    elif item.constraint is not None:
        out["constraint"] = {"start_time": clock(item.constraint.start_time), "end_time": clock(item.constraint.end_time)}
    return out


def model(entry: Any) -> dict[str, Any]:
    out: dict[str, Any] = {"id": entry.id, "match": clause(entry.match)}
    if entry.context_window is not None:
        out["context_window"] = entry.context_window
    if isinstance(entry.prices, list):
        out["prices"] = [constrained(item, {"prices": prices(item.prices)}) for item in entry.prices]
    else:
        out["prices"] = prices(entry.prices)
    if entry.price_variants:
        out["price_variants"] = [
            constrained(item, {"when": item.when, "prices": prices(item.prices)}) for item in entry.price_variants
        ]
    return out


def provider(entry: Any) -> dict[str, Any]:
    out: dict[str, Any] = {"id": entry.id, "name": entry.name, "api_pattern": entry.api_pattern}
    if entry.model_match is not None:
        out["model_match"] = clause(entry.model_match)
    if entry.provider_match is not None:
        out["provider_match"] = clause(entry.provider_match)
    if entry.fallback_model_providers:
        out["fallback_model_providers"] = entry.fallback_model_providers
    out["models"] = [model(item) for item in entry.models]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--date", default=datetime.datetime.now(datetime.UTC).date().isoformat())
    day = datetime.date.fromisoformat(parser.parse_args().date).isoformat()
    package = importlib.metadata.distribution("genai-prices")
    rows = ",\n".join(json.dumps(provider(item), separators=(",", ":")) for item in providers)
    body = f"[\n{rows}\n]\n".encode()
    licence = package.read_text("licenses/LICENSE")
    if licence is None:
        raise SystemExit("genai-prices came without its licence")
    SNAPSHOT.mkdir(parents=True, exist_ok=True)
    for old in SNAPSHOT.glob("genai-prices-*.json"):
        old.unlink()
    name = f"genai-prices-{day}.json"
    (SNAPSHOT / name).write_bytes(body)
    (SNAPSHOT / "LICENSE.genai-prices").write_text(licence)
    source = {
        "file": name,
        "label": f"genai-prices-{day}",
        "date": day,
        "sha256": hashlib.sha256(body).hexdigest(),
        "source": f"genai-prices {package.version} from PyPI (https://github.com/pydantic/genai-prices)",
        "licence": "MIT, Copyright (c) Pydantic Services Inc. 2025 to present",
    }
    (SNAPSHOT / "source.json").write_text(json.dumps(source, indent=1) + "\n")
    count = sum(len(item.models) for item in providers)
    sys.stdout.write(f"{name}: {len(providers)} providers, {count} models, {len(body)} bytes\n")


if __name__ == "__main__":
    main()
