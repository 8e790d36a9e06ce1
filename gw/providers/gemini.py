"""The Gemini API of Google AI Studio, with an API key."""

from gw.providers import passages
from gw.providers.openai_paths import openai_line
from gw.providers.passages import Passage
from gw.providers.place import Place
from gw.providers.provider import CREDENTIALS, Common, Operation, below, line, segment, without

VERSION = "v1beta"
VERBS = {"count_tokens": "countTokens", "embeddings": "batchEmbedContents"}
# `alt` gw says itself; a mask of fields would leave out what the answer says of its usage.
OWN_QUERY = (*CREDENTIALS, b"alt", b"$alt", b"fields", b"$fields")


def gemini_line(  # noqa: PLR0917 - as request_line
    place: Place, models: str, operation: Operation, model: str, stream: bool, query: bytes
) -> tuple[bytes, bytes]:
    """`models`: what stands before a model's name."""
    if operation == "models":
        return line("GET", below(place, models), without(query, *OWN_QUERY))
    verb = VERBS.get(operation) or ("streamGenerateContent?alt=sse" if stream else "generateContent")
    return line("POST", below(place, f"{models}/{segment(model)}:{verb}"), without(query, *OWN_QUERY))


class Gemini(Common):
    name = "gemini"
    key_env = "GEMINI_API_KEY"
    apis: tuple[str, ...] = ("chat",)

    def dialect(self, place: Place, model: str, operation: Operation, client: str = "") -> str:
        if operation == "embeddings":
            return "gemini_embeddings"
        if operation == "completions":
            return ""
        return "chat" if place.api == "chat" and operation in ("messages", "responses") else "gemini"

    def request_line(  # noqa: PLR0917 - by position: every call asks
        self, place: Place, dialect: str, operation: Operation, model: str, stream: bool, query: bytes = b""
    ) -> tuple[bytes, bytes]:
        version = place.api_version or VERSION
        if dialect == "chat":
            return openai_line(place, f"/{version}/openai", dialect, operation)
        home, name = "models", model.removeprefix("models/")
        if model.startswith("tunedModels/"):
            home, name = "tunedModels", model.removeprefix("tunedModels/")
        return gemini_line(place, f"/{version}/{home}", operation, name, stream, query)

    def default_base_url(self, place: Place) -> str:
        return "https://generativelanguage.googleapis.com"

    def auth(self, place: Place) -> str:
        return place.auth or ("bearer" if place.api == "chat" else "x-goog-api-key")

    def passages(self, place: Place) -> tuple[Passage, ...]:
        return passages.GEMINI
