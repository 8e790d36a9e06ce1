"""Amazon Bedrock: Converse for any model, InvokeModel with a model's own body; at its Mantle host Anthropic's and OpenAI's APIs.

Claude is spoken to by InvokeModel, whose body is Anthropic's own; all else by Converse. `api` decides otherwise, and with it the
host: an upstream has one. Ids are percent-encoded whole: an ARN has slashes and colons.
"""

import re
from collections.abc import Iterator

from gw.providers import passages
from gw.providers.anthropic import OPERATIONS, VERSION
from gw.providers.openai_paths import openai_line
from gw.providers.passages import Passage
from gw.providers.place import Place
from gw.providers.provider import Common, CredentialKind, Lines, Operation, below, line, segment

# What an inference profile's id has before the model's own: tokens are counted for models alone.
PROFILE = re.compile(r"^(?:global|us|us-gov|eu|apac|jp|au|ca|sa)\.")
EMBEDDINGS = (("titan-embed", "titan_embeddings"), ("cohere.embed", "bedrock_cohere_embeddings"))
MANTLE = ("anthropic", "chat", "responses")
VERBS = {
    ("converse", False): "converse",
    ("converse", True): "converse-stream",
    ("invoke", False): "invoke",
    ("invoke", True): "invoke-with-response-stream",
}


class Bedrock(Common):
    name = "bedrock"
    key_env = "AWS_BEARER_TOKEN_BEDROCK"
    apis: tuple[str, ...] = ("converse", "invoke", *MANTLE)

    def dialect(self, place: Place, model: str, operation: Operation, client: str = "") -> str:
        if place.api in MANTLE:
            if place.api == "anthropic":
                return "anthropic" if operation in ("messages", "responses", "count_tokens") else ""
            return place.api if operation in ("messages", "responses") else ""
        if operation == "embeddings":
            name = place.model_behind(model).lower()
            return next((dialect for mark, dialect in EMBEDDINGS if mark in name), "")
        if operation == "count_tokens":
            return "converse"
        if operation not in ("messages", "responses"):
            return ""
        if place.api in ("converse", "invoke"):
            return place.api
        if client in ("converse", "invoke"):
            return client
        return "invoke" if "anthropic.claude" in place.model_behind(model).lower() else "converse"

    def request_line(  # noqa: PLR0917 - by position: every call asks
        self, place: Place, dialect: str, operation: Operation, model: str, stream: bool, query: bytes = b""
    ) -> tuple[bytes, bytes]:
        if dialect == "anthropic":
            return line("POST", below(place, "/anthropic" + OPERATIONS[operation][1]), query)
        if dialect in ("chat", "responses"):
            return openai_line(place, "/openai/v1", dialect, operation)
        if operation == "count_tokens":
            return line("POST", below(place, f"/model/{segment(PROFILE.sub('', place.model_behind(model)))}/count-tokens"))
        verb = "invoke" if operation == "embeddings" else VERBS[dialect, stream]
        return line("POST", below(place, f"/model/{segment(model)}/{verb}"))

    def default_base_url(self, place: Place) -> str:
        if not place.region:
            return ""
        if place.api in MANTLE:
            return f"https://bedrock-mantle.{place.region}.api.aws"
        suffix = ".cn" if place.region.startswith("cn-") else ""
        return f"https://bedrock-runtime.{place.region}.amazonaws.com{suffix}"

    def lacking(self, place: Place) -> Iterator[tuple[str, str]]:
        if not place.region:
            yield "region", 'is required, such as "us-east-1": it is part of the address, the signature and the price'

    def credential(self, place: Place) -> CredentialKind:
        return "aws"

    def signing(self, place: Place, dialect: str) -> tuple[str, str]:
        return "bedrock-mantle" if place.api in MANTLE else "bedrock", place.region

    def headers(self, place: Place, dialect: str) -> Lines:
        return ((b"anthropic-version", VERSION),) if dialect == "anthropic" else ()

    def passages(self, place: Place) -> tuple[Passage, ...]:
        return () if place.api in MANTLE else passages.BEDROCK
