"""All that is done with calls once they are over, as TOML; `{url}`: somebody who takes whatever is sent."""

SEEN = """
[otel]
endpoint = "{url}"
interval_s = 1
metrics_interval_s = 1
[datadog]
api_key = "of-the-bench"
url = "{url}"
statsd_host = "127.0.0.1"
interval_s = 1
[claude_telemetry]
enabled = true
[audit]
ledger = true
[alerts]
every_s = 1
[[notify]]
name = "ops"
kind = "webhook"
url = "{url}/alerts"
[[alert]]
name = "budgets"
kind = "budget_threshold"
[[alert]]
name = "burn"
kind = "spend_rate"
by = "key"
times = 5
[[alert]]
name = "sessions"
kind = "unusual_session"
times = 5
[[alert]]
name = "errors"
kind = "error_rate"
by = "upstream"
[[siem]]
name = "siem"
kind = "webhook"
url = "{url}/siem"
[[export]]
name = "warehouse"
to = "file://{folder}/out"
format = "csv"
every = "1m"
"""
