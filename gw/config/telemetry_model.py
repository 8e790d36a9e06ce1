"""The shape of `[otel]`, `[datadog]` and `[claude_telemetry]`: what gw tells others of its calls, and what Claude Code tells
gw."""

from typing import Annotated, Literal

from msgspec import field

from gw.config.schema import Table, about
from gw.config.secret import Secret

IDENTITIES = (
    "Which of key, team, customer, project, tags, session, prompt, agent, device and credential are named, as patterns; the "
    'others stay here. ["team", "project"] names no person.'
)
SAMPLE = (
    "Share of traces that are sent, by their ids, so that the spans of one trace go or stay together. Calls that failed always "
    "go; where the caller sent a traceparent, its sampled flag decides."
)


class Otel(Table, frozen=True):
    """OpenTelemetry: a span, an event and metrics of every call, sent by OTLP over HTTP (protobuf). Needs the extra gw[otel]."""

    endpoint: Annotated[
        str,
        about(
            "Base URL of the collector; /v1/traces, /v1/metrics and /v1/logs are added. Empty: nothing is sent.",
            kind="url",
            example="http://127.0.0.1:4318",
        ),
    ] = ""
    headers: Annotated[
        dict[str, Secret], about("Headers of every request; each value may be env:NAME or file:PATH.", kind="pairs")
    ] = field(default_factory=dict)
    traces: Annotated[bool, about("Send a span per call.")] = True
    metrics: Annotated[bool, about("Send metrics.")] = True
    logs: Annotated[bool, about("Send an event per call, with the same attributes as its span.")] = True
    sample: Annotated[float, about(SAMPLE, low=0, high=1)] = 1.0
    propagate: Annotated[
        bool,
        about(
            "Put gw's own span into the traceparent that goes to the upstream. false: what the client sent passes unchanged. "
            "Works without an endpoint, too."
        ),
    ] = False
    interval_s: Annotated[
        float, about("How long a finished call waits at most before its span and event are sent.", unit="s", low=0.1, high=3600)
    ] = 5
    metrics_interval_s: Annotated[float, about("How often metrics are sent.", unit="s", low=0.1, high=3600)] = 30
    temporality: Annotated[
        Literal["cumulative", "delta"], about("Of metrics: sums since the courier began, or since the export before.")
    ] = "cumulative"
    identities: Annotated[tuple[str, ...], about(IDENTITIES)] = ("*",)
    service_name: Annotated[str, about("The resource attribute service.name.")] = "gw"
    resource: Annotated[
        dict[str, Secret],
        about(
            'More resource attributes, such as "deployment.environment.name"; values may be env:NAME or file:PATH.', kind="pairs"
        ),
    ] = field(default_factory=dict)
    gzip: Annotated[bool, about("Compress what is sent.")] = True
    timeout_s: Annotated[float, about("Longest wait for an answer.", unit="s", low=0.1, high=300)] = 10
    ca_file: Annotated[str, about("File of CA certificates (PEM) to trust instead of the system's.", kind="path")] = ""


class Datadog(Table, frozen=True):
    """Datadog: calls as spans of its LLM Observability, sent to its intake; metrics to its Agent (DogStatsD)."""

    api_key: Annotated[Secret, about("Sends spans to LLM Observability. Empty: none are sent.", kind="secret")] = Secret("")
    site: Annotated[str, about("Which Datadog.", example="datadoghq.eu")] = "datadoghq.com"
    url: Annotated[
        str, about("Where spans are sent instead of https://api.SITE, such as a proxy of your own.", kind="url")
    ] = ""
    ml_app: Annotated[str, about("Name of the application in LLM Observability; lower case.")] = "gw"
    statsd_host: Annotated[
        str, about("Host of an Agent that takes DogStatsD over UDP. Empty: no metrics.", example="127.0.0.1")
    ] = ""
    statsd_port: Annotated[int, about("Its UDP port.", low=1, high=65_535)] = 8125
    statsd_socket: Annotated[
        str, about("Instead: its Unix socket.", kind="path", example="/var/run/datadog/dsd.socket")
    ] = ""
    tags: Annotated[
        dict[str, Secret],
        about('Tags of everything, such as { env = "prod" }; values may be env:NAME or file:PATH.', kind="pairs"),
    ] = field(default_factory=dict)
    sample: Annotated[float, about(SAMPLE, low=0, high=1)] = 1.0
    identities: Annotated[tuple[str, ...], about(IDENTITIES)] = ("*",)
    interval_s: Annotated[
        float, about("How long a finished call waits at most before it is sent.", unit="s", low=0.1, high=3600)
    ] = 5
    timeout_s: Annotated[float, about("Longest wait for an answer.", unit="s", low=0.1, high=300)] = 10
    ca_file: Annotated[str, about("File of CA certificates (PEM) to trust instead of the system's.", kind="path")] = ""


class ClaudeTelemetry(Table, frozen=True):
    """What Claude Code itself reports (lines, commits, pull requests, tools, skills, MCP servers), taken at /v1/metrics,
    /v1/logs and /v1/traces from whoever shows a virtual key; docs/telemetry.md has the client's settings."""

    enabled: Annotated[bool, about("Take it. false: those paths do not exist.")] = False
    body_bytes_max: Annotated[
        int, about("Largest request, unpacked; a larger one is refused with 413.", unit="bytes", low=1024, high=1 << 26)
    ] = 4_194_304
    requests_per_minute: Annotated[
        int, about("Requests that one virtual key may send to one worker; more are refused with 429.", low=1, high=1_000_000)
    ] = 1200
    spool_bytes_max: Annotated[
        int,
        about(
            "What may wait on disk in the state directory, all workers together; beyond it requests are refused with 503, and "
            "Claude Code drops them.",
            unit="bytes",
            low=1 << 20,
            high=1 << 40,
        ),
    ] = 268_435_456
    texts: Annotated[
        bool,
        about(
            "Keep what clients say of texts: prompts, answers, commands, paths, inputs of tools. They send most of that only "
            "when told to by OTEL_LOG_USER_PROMPTS and the like. false: dropped before anything is stored."
        ),
    ] = False
    retention_days: Annotated[int, about("How long it is kept. 0 keeps all.", unit="days", low=0, high=36_500)] = 90
    forward_url: Annotated[
        str,
        about(
            "Base URL of a collector that every request is sent on to, byte for byte, texts included. Empty: none.",
            kind="url",
            example="http://127.0.0.1:4318",
        ),
    ] = ""
    forward_headers: Annotated[
        dict[str, Secret], about("Headers of those requests; each value may be env:NAME or file:PATH.", kind="pairs")
    ] = field(default_factory=dict)
    forward_timeout_s: Annotated[float, about("Longest wait for its answer.", unit="s", low=0.1, high=300)] = 10
    forward_ca_file: Annotated[str, about("File of CA certificates (PEM) to trust instead of the system's.", kind="path")] = ""
