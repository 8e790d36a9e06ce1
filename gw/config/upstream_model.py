"""[[upstream]] of config.toml: where calls go, what is spoken there, and what authorises them. Part of `model.py`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import field

from gw.config.schema import Table, about
from gw.config.secret import Secret
from gw.providers.place import Place
from gw.providers.registry import REGISTRY, provider_of

Globs = tuple[str, ...]
Name = Literal[
    "anthropic", "anthropic_aws", "openai", "azure", "foundry", "bedrock", "vertex", "gemini", "cohere",
    "groq", "mistral", "deepseek", "xai", "together", "fireworks", "openrouter", "cerebras", "perplexity", "nebius",
    "huggingface", "ollama", "vllm", "sglang", "parasail", "openai_compatible", "custom",
]  # fmt: skip
Api = Literal["auto", "anthropic", "chat", "responses", "converse", "invoke"]
Dialect = Literal["", "anthropic", "chat", "responses", "gemini", "cohere", "converse", "invoke"]
Auth = Literal["", "x-api-key", "bearer", "api-key", "x-goog-api-key", "none"]

SECONDS_MAX = 86_400.0  # a day: longer is a mistake in the unit
CONNECTIONS_MAX = 100_000


def own_key(table: Mapping[str, object]) -> str:
    """Where the API key is looked for if the configuration does not say it: in the variable that the provider's tools read."""
    found = REGISTRY.get(str(table.get("provider", "anthropic")))
    return f"env:{found.key_env}" if found is not None and found.key_env else ""


class Credential(Table, frozen=True):
    """One of several accounts at the upstream above it, instead of its api_key. Calls are spread by weight, a session stays on
    one. What is empty is found as the cloud's own tools find it (environment, profile, the machine's identity)."""

    name: Annotated[str, about("Recorded with each call; unique within its upstream.", kind="name", example="second")]
    api_key: Annotated[
        Secret, about("An API key, whatever the provider.", kind="secret", example="env:ANTHROPIC_API_KEY")
    ] = Secret("")
    weight: Annotated[
        int, about("Its share of the calls, beside the others' weights. 0: only when no other can.", low=0, high=1000)
    ] = 1
    requests_per_min: Annotated[
        int, about("Requests a minute that the account allows. 0: not known.", unit="requests", low=0, high=10_000_000)
    ] = 0
    tokens_per_min: Annotated[
        int, about("Tokens a minute that the account allows. 0: not known.", unit="tokens", low=0, high=10_000_000_000)
    ] = 0
    aws_profile: Annotated[str, about("AWS: a profile of the shared configuration files.")] = ""
    aws_access_key_id: Annotated[
        Secret, about("AWS: a static key's id; wants aws_secret_access_key, too.", kind="secret")
    ] = Secret("")
    aws_secret_access_key: Annotated[Secret, about("AWS: the static key itself.", kind="secret")] = Secret("")
    aws_session_token: Annotated[Secret, about("AWS: of a temporary key.", kind="secret")] = Secret("")
    aws_role_arn: Annotated[str, about("AWS: a role to assume with what was found so far, renewed before it ends.")] = ""
    aws_external_id: Annotated[str, about("AWS: what the role's owner wants to hear.")] = ""
    google_credentials_file: Annotated[
        str, about("Google: a service account's key, or the description of a workload identity (JSON).", kind="path")
    ] = ""
    azure_tenant_id: Annotated[str, about("Azure: tenant of an application in Entra ID; wants the next two, too.")] = ""
    azure_client_id: Annotated[str, about("Azure: the application; alone, a managed identity assigned by hand.")] = ""
    azure_client_secret: Annotated[Secret, about("Azure: its secret.", kind="secret")] = Secret("")


class Upstream(Table, frozen=True):
    """A provider's endpoint that calls are sent to. docs/providers.md says what each provider needs, with examples."""

    name: Annotated[str, about("Recorded with each call.", kind="name", example="anthropic")]
    provider: Annotated[
        Name,
        about("Whose rules it follows: paths, dialect, credentials, prices. custom: any address that speaks a dialect gw knows."),
    ] = "anthropic"
    base_url: Annotated[
        str, about("Where it is; gw adds paths such as /v1/messages. Empty: the provider's own address.", kind="url")
    ] = ""
    api: Annotated[
        Api,
        about(
            "Which of its APIs is spoken, where a provider has several. auto: the one that the client speaks, else the one that "
            "says most of the model."
        ),
    ] = "auto"
    dialect: Annotated[Dialect, about("What a custom provider speaks. Empty: chat, that is Chat Completions of OpenAI's.")] = ""
    api_key: Annotated[
        Secret,
        about(
            "gw's own credential there, sent for virtual keys only. May be missing while no virtual key needs it. "
            "By default the variable that the provider's own tools read, such as OPENAI_API_KEY.",
            kind="secret",
            default_of=own_key,
        ),
    ] = Secret("env:ANTHROPIC_API_KEY")
    auth: Annotated[Auth, about("Header that carries api_key. Empty: the provider's own.")] = ""
    models: Annotated[Globs, about("Models that it serves, as clients and routes name them.")] = ("*",)
    model_map: Annotated[
        dict[str, Any],
        about('What names of models become there: { "claude-*" = "anthropic.claude-*" }. The first that fits.', kind="model_map"),
    ] = field(default_factory=dict)
    deployments: Annotated[
        dict[str, Any],
        about(
            "Which model stands behind an id that does not say it, such as a deployment of Azure's or the ARN of an inference "
            'profile: { "prod" = "gpt-5.1" }. Decides price and dialect.',
            kind="deployments",
        ),
    ] = field(default_factory=dict)
    region: Annotated[str, about("Region of the endpoint: part of its address or its price in the clouds. Empty: global.")] = ""
    project: Annotated[str, about("Vertex: the project. OpenAI: the project. Claude Platform on AWS: the workspace.")] = ""
    resource: Annotated[str, about("Azure and Foundry: the name of the resource, first part of its host.")] = ""
    api_version: Annotated[
        str, about("Azure: a dated version such as 2024-10-21 for the API before v1. Google: instead of v1beta or v1.")
    ] = ""
    quirks: Annotated[
        dict[str, Any],
        about("What it does otherwise than others of its dialect (docs/providers.md has the list).", kind="quirks"),
    ] = field(default_factory=dict)
    max_retries: Annotated[
        int,
        about(
            "How often a call is tried again here, after a moment, when the upstream could not be reached or answered 408, 409, "
            "500, 502 or 504. Claude Code and the providers' SDKs try again by themselves.",
            low=0,
            high=10,
        ),
    ] = 0
    probe_s: Annotated[
        float,
        about(
            "So often, give or take a tenth, gw asks it something that costs nothing; after two failures in a row its credential "
            "is left alone until it answers again. 0: never, what becomes of calls is enough.",
            unit="s",
            low=0,
            high=3600,
        ),
    ] = 0
    probe_path: Annotated[
        str,
        about(
            "What is asked for, by GET, below base_url. Empty: the list of models, or if there is none whether anybody is there.",
            example="/health",
        ),
    ] = ""
    headers: Annotated[
        dict[str, Secret], about("Static headers added to every request; each value may be env:NAME or file:PATH.")
    ] = field(default_factory=dict)
    connect_timeout_s: Annotated[
        float, about("Longest wait for a connection, TLS included.", unit="s", low=0.01, high=SECONDS_MAX)
    ] = 10
    first_byte_timeout_s: Annotated[
        float, about("Longest wait from the request's end to the response's first byte.", unit="s", low=0.01, high=SECONDS_MAX)
    ] = 300
    idle_timeout_s: Annotated[float, about("Longest silence within a response.", unit="s", low=0.01, high=SECONDS_MAX)] = 300
    total_timeout_s: Annotated[float, about("Longest time for one whole attempt.", unit="s", low=0.01, high=SECONDS_MAX)] = 3600
    pool_max: Annotated[int, about("Idle connections kept open per worker.", unit="connections", low=0, high=CONNECTIONS_MAX)] = (
        100
    )
    connections_max: Annotated[
        int,
        about(
            "Connections in use per worker; beyond it a call is answered with 529.",
            unit="connections",
            low=1,
            high=CONNECTIONS_MAX,
        ),
    ] = 1000
    keepalive_s: Annotated[float, about("An idle connection is closed after this long.", unit="s", low=0, high=3600)] = 50
    proxy: Annotated[
        Secret,
        about("HTTP or HTTPS proxy in front of it. A URL with a password must be given as env:NAME or file:PATH.", kind="proxy"),
    ] = Secret("")
    ca_file: Annotated[str, about("File of CA certificates (PEM) to trust instead of the system's.", kind="path")] = ""
    credential: tuple[Credential, ...] = ()

    @property
    def place(self) -> Place:
        """What its provider's rules go by."""
        base_url = self.base_url.removesuffix("/v1") if self.provider == "anthropic" else self.base_url  # all its paths have it
        return Place(
            provider=self.provider,
            api=self.api,
            dialect=self.dialect,
            base_url=base_url,
            region=self.region,
            project=self.project,
            resource=self.resource,
            api_version=self.api_version,
            auth=self.auth,
            deployments=self.deployments,
        )

    @property
    def address(self) -> str:
        """Its base URL, the provider's own if none is configured; "" where the provider has none either."""
        place = self.place
        return place.base_url or provider_of(place).default_base_url(place)

    @property
    def authorised(self) -> bool:
        """gw has something of its own to send there: a key, an account of the cloud, or nothing is wanted."""
        if self.credential:
            return any(not one.api_key.missing for one in self.credential)
        place = self.place
        return bool(self.api_key) or provider_of(place).credential(place) != "key"


EXAMPLES = {
    "upstream": """\
[[upstream]]  # OpenAI, and all compatible providers alike: groq, mistral, deepseek, xai, openrouter, ...
name = "openai"
provider = "openai"
models = ["gpt-*", "o3*"]

[[upstream]]  # Claude on Bedrock, with whatever AWS credentials the machine has
name = "bedrock"
provider = "bedrock"
region = "us-east-1"
models = ["claude-*"]
model_map = { "claude-*" = "us.anthropic.claude-*" }

[[upstream]]  # Gemini and Claude on Vertex AI
name = "vertex"
provider = "vertex"
project = "company-ai"
region = "global"
models = ["gemini-*", "claude-*"]

[[upstream]]  # Azure: deployments have names of their own
name = "azure"
provider = "azure"
resource = "company-openai"
models = ["prod-chat"]
deployments = { "prod-chat" = "gpt-5.1" }

[[upstream]]  # anything else that speaks Chat Completions
name = "lab"
provider = "custom"
base_url = "http://127.0.0.1:8000/v1"
api_key = "env:LAB_KEY"
models = ["lab/*"]
model_map = { "lab/*" = "*" }
quirks = { max_tokens_field = "max_tokens", parallel_tools = false }

[[upstream]]  # two accounts, the second with half of the calls of the first
name = "anthropic"

[[upstream.credential]]
name = "main"
api_key = "env:ANTHROPIC_KEY_MAIN"
weight = 2

[[upstream.credential]]
name = "spare"
api_key = "env:ANTHROPIC_KEY_SPARE"
requests_per_min = 1000
""",
}
