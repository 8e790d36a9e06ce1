"""The tables of config.toml about being told: the audit, where it goes, alerts and their channels. Part of `model.py`."""

from typing import Annotated, Literal

from msgspec import field

from gw.config.schema import Table, about
from gw.config.secret import Secret

AlertKind = Literal[
    "budget_threshold",
    "budget_forecast",
    "spend_rate",
    "unusual_session",
    "error_rate",
    "unpriced_model",
    "accounting_drift",
    "database_lag",
]
Globs = tuple[str, ...]
CALLS_MAX = 1_000_000_000


class Audit(Table, frozen=True):
    """The audit is a chain of hashes; its head is signed, so that a change of any row can be shown (docs/audit.md)."""

    sign_every_h: Annotated[int, about("How often what has come is signed.", unit="h", low=1, high=168)] = 24
    key: Annotated[
        Secret,
        about(
            "Ed25519 key that signs: 64 hexadecimal digits (openssl rand -hex 32). Empty: audit.key in the state directory, made "
            "if it is not there; without the extra gw[content], the pepper signs (HMAC).",
            kind="secret",
        ),
    ] = Secret("")
    anchor_file: Annotated[
        str, about("Signatures are appended to this file, too, for somebody else to keep. Empty: none.", kind="path")
    ] = ""
    anchor_url: Annotated[
        str,
        about(
            "Signatures are put there, too, one object each; credentials as the provider's own tools take them from the "
            "environment. Needs the extra gw[export]. Empty: nowhere.",
            example="s3://company-audit/gw",
        ),
    ] = ""
    anchor_endpoint: Annotated[str, about("Of an S3-compatible store that is not Amazon's.", kind="url")] = ""
    anchor_region: Annotated[str, about("Where the store has regions.", example="eu-central-1")] = ""
    ledger: Annotated[bool, about("true chains the calls of the ledger as well, and signs that chain with the audit's.")] = False


class Siem(Table, frozen=True):
    """Where each entry of the audit is sent as it comes: in order, again until it is taken."""

    name: Annotated[str, about("Under it is kept how far it has come.", kind="name", example="splunk")]
    kind: Annotated[
        Literal["syslog", "webhook"], about("syslog: RFC 5424. webhook: batches of JSON by POST, signed.", example="syslog")
    ]
    url: Annotated[
        Secret,
        about(
            "udp://host:514, tcp://host:601 or tls://host:6514 for syslog; an https URL for a webhook. What holds a password "
            "or a token stands behind env:NAME or file:PATH.",
            kind="secret",
            example="tls://siem.example.com:6514",
        ),
    ] = Secret("")
    secret: Annotated[
        Secret,
        about("Keys the signature of a webhook (HMAC-SHA-256). Empty: none is sent.", kind="secret", example="env:GW_SIEM_KEY"),
    ] = Secret("")
    headers: Annotated[dict[str, Secret], about("Sent to a webhook as well, such as a token.", kind="pairs")] = field(
        default_factory=dict
    )
    ca_file: Annotated[str, about("File of CA certificates (PEM) to trust instead of the system's.", kind="path")] = ""
    from_start: Annotated[bool, about("true sends first what is in the audit already; false begins with what comes.")] = False


class Notify(Table, rename={"from_": "from"}, frozen=True):
    """A channel that alerts go to."""

    name: Annotated[str, about("Named by alerts.", kind="name", example="ops")]
    kind: Annotated[Literal["webhook", "slack", "email", "pagerduty"], about("Which keys below matter.", example="slack")]
    url: Annotated[
        Secret,
        about(
            "webhook: where to POST. slack: the incoming webhook, which is a secret. email: smtp://host:25 or smtps://host:465. "
            "pagerduty: empty, or another Events API.",
            kind="secret",
            example="env:GW_SLACK_URL",
        ),
    ] = Secret("")
    secret: Annotated[
        Secret,
        about("webhook: keys its signature. email: the password. pagerduty: the integration key (routing key).", kind="secret"),
    ] = Secret("")
    headers: Annotated[dict[str, Secret], about("webhook: sent as well, such as a token.", kind="pairs")] = field(
        default_factory=dict
    )
    to: Annotated[str, about("email: recipients, separated by commas.", example="platform@example.com")] = ""
    from_: Annotated[str, about("email: the sender.", example="gw@example.com")] = ""
    user: Annotated[str, about("email: who signs in; empty: nobody.")] = ""
    starttls: Annotated[bool, about("email over smtp://: demand STARTTLS.")] = True
    ca_file: Annotated[str, about("File of CA certificates (PEM) to trust instead of the system's.", kind="path")] = ""


class Alerts(Table, frozen=True):
    """What holds for all alerts."""

    every_s: Annotated[int, about("How often rules are looked at.", unit="s", low=1, high=3600)] = 30
    link: Annotated[
        str,
        about("Address of this gateway as people reach it, for links in messages.", kind="url", example="https://gw.example.com"),
    ] = ""
    history_days: Annotated[int, about("How long past alerts are kept.", unit="days", low=1, high=3650)] = 400


class Alert(Table, frozen=True):
    """What to be told of (docs/alerts.md says how each kind judges)."""

    name: Annotated[str, about("Named in messages.", kind="name", example="budgets")]
    kind: Annotated[AlertKind, about("What is looked at.", example="budget_threshold")]
    notify: Annotated[Globs, about("Channels, by name.")] = ("*",)
    severity: Annotated[Literal["info", "warning", "critical"], about("Said in messages, and to PagerDuty.")] = "warning"
    active: Annotated[bool, about("false: nothing is looked at.")] = True
    cooldown: Annotated[str, about("About the same thing, nothing is said again for so long, once it was over.", kind="per")] = (
        "1h"
    )
    resolve_after: Annotated[str, about("How long it must be over before that is said.", kind="per")] = "10m"
    budget: Annotated[str, about("budget_threshold, budget_forecast: which budgets, by name.", kind="glob")] = "*"
    at: Annotated[
        tuple[float, ...],
        about("budget_threshold: parts of the limit, each told once in a window.", kind="fractions"),
    ] = (0.8, 1)
    by: Annotated[
        Literal["", "customer", "team", "key", "upstream", "model", "project"],
        about("spend_rate, error_rate, unusual_session, unpriced_model: each of these by itself. Empty: all calls together."),
    ] = ""
    match: Annotated[str, about("Only those of this name.", kind="glob")] = "*"
    usd_per_hour: Annotated[str, about("spend_rate: more than this.", kind="usd", unit="USD", example="50")] = ""
    times: Annotated[
        float,
        about(
            "spend_rate: more than so many times the median of the hours of the last four weeks in which there was spending. "
            "unusual_session: more than so many times the median session. 0: not looked at.",
            low=0,
            high=1000,
        ),
    ] = 0
    usd_min: Annotated[
        str, about("spend_rate with times, unusual_session: less than this is never told.", kind="usd", unit="USD")
    ] = "1"
    history_min: Annotated[int, about("Fewer earlier sessions (or hours) than this say nothing yet.", low=5, high=500)] = 20
    window: Annotated[str, about("spend_rate, error_rate: over the last so long, at most 6h.", kind="per")] = "15m"
    share: Annotated[float, about("error_rate: more than this part of the calls fail.", low=0.001, high=1)] = 0.1
    calls_min: Annotated[int, about("error_rate: of at least so many calls.", low=1, high=CALLS_MAX)] = 20
    drift_usd: Annotated[
        str, about("accounting_drift: counters and ledger differ by more than this.", kind="usd", unit="USD")
    ] = "0"
    behind_s: Annotated[
        int, about("database_lag: the ledger lacks calls that ended so long ago.", unit="s", low=1, high=86_400)
    ] = 60


EXAMPLES = {
    "siem": """\
[[siem]]  # every change, sign-in and look at data, to a syslog server
name = "splunk"
kind = "syslog"
url = "tls://siem.example.com:6514"
""",
    "notify": """\
[[notify]]
name = "ops"
kind = "slack"
url = "env:GW_SLACK_URL"

[[notify]]
name = "finance"
kind = "email"
url = "smtp://mail.example.com:587"
user = "gw"
secret = "env:GW_SMTP_PASSWORD"
from = "gw@example.com"
to = "finance@example.com"

[[notify]]
name = "on call"
kind = "pagerduty"
secret = "env:GW_PAGERDUTY_KEY"
""",
    "alert": """\
[[alert]]  # every budget, at 80 % and when it is spent
name = "budgets"
kind = "budget_threshold"

[[alert]]  # a key that spends five times what it usually does
name = "burn rate"
kind = "spend_rate"
by = "key"
times = 5
usd_min = "10"

[[alert]]  # an upstream that fails
name = "errors"
kind = "error_rate"
by = "upstream"
share = 0.2
severity = "critical"
""",
}
