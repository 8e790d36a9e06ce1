"""gw in front of all fakes: its configuration, and a model of each."""

from tests.support.fakes.server import Fakes

MODELS = {
    "anthropic": "anthropic/claude-opus-5-5",
    "chat": "chat/gpt-5.6",
    "responses": "responses/gpt-5.6",
    "gemini": "gemini/gemini-3-pro-preview",
    "converse": "converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "invoke": "invoke/global.anthropic.claude-opus-5-5",
    "vertex": "vertex/claude-opus-5-5",
    "cohere": "cohere/command-a-reasoning-08-2025",
    "deepseek": "deepseek/deepseek-v4-pro",
}
UPSTREAMS = """
[[upstream]]
name = "anthropic"
base_url = "{anthropic}"
api_key = "env:GW_FAKE_ANTHROPIC"
[[upstream]]
name = "chat"
provider = "openai"
api = "chat"
base_url = "{chat}"
api_key = "env:GW_FAKE_CHAT"
models = ["*", "listed-1", "listed-2"]
[[upstream]]
name = "deepseek"
provider = "deepseek"
base_url = "{deepseek}"
api_key = "env:GW_FAKE_DEEPSEEK"
[[upstream]]
name = "responses"
provider = "openai"
api = "responses"
base_url = "{responses}"
api_key = "env:GW_FAKE_RESPONSES"
[[upstream]]
name = "gemini"
provider = "gemini"
base_url = "{gemini}"
api_key = "env:GW_FAKE_GEMINI"
[[upstream]]
name = "converse"
provider = "bedrock"
api = "converse"
region = "us-east-1"
base_url = "{converse}"
[[upstream.credential]]
name = "main"
aws_access_key_id = "env:GW_FAKE_CONVERSE"
aws_secret_access_key = "env:GW_FAKE_SECRET"
[[upstream]]
name = "invoke"
provider = "bedrock"
api = "invoke"
region = "us-east-1"
base_url = "{invoke}"
api_key = "env:GW_FAKE_INVOKE"
[[upstream]]
name = "vertex"
provider = "vertex"
region = "europe-west1"
project = "p"
base_url = "{vertex}"
api_key = "env:GW_FAKE_VERTEX"
[[upstream]]
name = "cohere"
provider = "cohere"
base_url = "{cohere}"
api_key = "env:GW_FAKE_COHERE"
[[pricing.override]]
name = "cohere"
upstream = "cohere"
model = "command-a-reasoning-*"
input = "2.50"
output = "10"
"""


def configured(fakes: Fakes) -> str:
    """An upstream for each fake, by its name; to be put behind other tables."""
    names = [line.split('"')[1] for line in UPSTREAMS.splitlines() if line.startswith("base_url = ")]
    return UPSTREAMS.format(**{name.strip("{}"): fakes.url(name.strip("{}")) for name in names})
