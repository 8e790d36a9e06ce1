"""The demo's configuration: two customers, three teams, five virtual keys and budgets of theirs, in front of the fake upstream.

Everything lives in one directory: config.toml, the keys' secrets (each in a file of its own, mode 0600), the state.
"""

from pathlib import Path

from msgspec import Struct

from gw.demo.traffic import Seat
from gw.domain.key import mint


class KeyPlan(Struct, frozen=True):
    name: str
    team: str
    project: str
    models: tuple[str, ...] = ("*",)


TEAMS = {"platform": "acme", "mobile": "acme", "research": "globex"}  # team: customer
KEYS = (
    KeyPlan("ada", "platform", "billing"),
    KeyPlan("grace", "platform", "search"),
    KeyPlan("linus", "mobile", "app"),
    KeyPlan("ci-bot", "mobile", "app", models=("claude-haiku-*", "claude-sonnet-*")),
    KeyPlan("marie", "research", "papers"),
)
# None that refuses soon: the demo is to go on. What developers spend a day passes its soft limit after some minutes.
BUDGETS = (
    ('name = "acme-monthly"', 'customer = "acme"', 'limit_usd = "1500"', 'window = "month"'),
    ('name = "globex-monthly"', 'customer = "globex"', 'limit_usd = "500"', 'window = "month"'),
    ('name = "team-weekly"', 'team = "*"', "each = true", 'limit_usd = "250"', 'window = "week"'),
    ('name = "developer-daily"', 'key = "*"', "each = true", 'limit_usd = "8"', 'window = "day"', 'mode = "soft"'),
    ('name = "project-hourly"', 'project = "*"', "each = true", 'limit_usd = "2.50"', 'window = "hour"', 'mode = "shadow"'),
)
STATE = "state"  # below the demo's directory
LEDGER = f"{STATE}/gw.db"
UPSTREAM = "fake-anthropic"
UPSTREAM_KEY = "sk-ant-demo"


def prepare(directory: Path, *, upstream_url: str, port: int) -> tuple[Path, list[Seat]]:
    """Write the files; returns the configuration's path and one seat per key, plus one that brings its own credential.

    Existing secrets are kept, so that a ledger of an earlier demo in the same directory still knows its keys.
    """
    secrets_dir = directory / "keys"
    secrets_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    seats = []
    for index, plan in enumerate(KEYS):
        key = _secret(secrets_dir / plan.name, mint().text)
        seats.append(Seat(plan.name, key, plan.project, bearer=index % 2 == 1))
    _secret(secrets_dir / "upstream", UPSTREAM_KEY)
    config = directory / "config.toml"
    config.write_text(_config(upstream_url, port))
    return config, [*seats, Seat("visitor", "sk-ant-visitors-own", "trial")]


def _secret(path: Path, fresh: str) -> str:
    """What the file holds; `fresh` becomes its content if there is no file yet."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(fresh + "\n")
    return path.read_text().strip()


def _config(upstream_url: str, port: int) -> str:
    """TOML; every name and URL in it is plain ASCII without quotes."""
    lines = [
        "# Written by `gw demo`: gw in front of a fake Anthropic upstream.",
        "[server]",
        f"port = {port}",
        "workers = 1",
        f'state_dir = "{STATE}"',
        "[storage]",
        f'url = "sqlite:///{LEDGER}"',
        "[auth]",
        "passthrough = true",
        "[[upstream]]",
        f'name = "{UPSTREAM}"',
        'provider = "anthropic"',
        f'base_url = "{upstream_url}"',
        'api_key = "file:keys/upstream"',
    ]
    for customer in dict.fromkeys(TEAMS.values()):
        lines += ["[[customer]]", f'name = "{customer}"']
    for team, customer in TEAMS.items():
        lines += ["[[team]]", f'name = "{team}"', f'customer = "{customer}"']
    for plan in KEYS:
        models = ", ".join(f'"{model}"' for model in plan.models)
        lines += ["[[key]]", f'name = "{plan.name}"', f'team = "{plan.team}"']
        lines += [f'secret = "file:keys/{plan.name}"', f"models = [{models}]"]
    for budget in BUDGETS:
        lines += ["[[budget]]", *budget]
    lines += [
        "[[pricing.override]]",
        'name = "globex contract"',
        'team = "research"',
        'model = "claude-*"',
        'multiplier = "0.85"',
    ]
    return "\n".join(lines) + "\n"
