"""Cohere: its own v2 API; with `api = "chat"` the one that is compatible with OpenAI's."""

from gw.providers import passages
from gw.providers.openai_paths import openai_line
from gw.providers.passages import Passage
from gw.providers.place import Place
from gw.providers.provider import Common, Operation, below, line

LINES: dict[str, tuple[str, str]] = {
    "messages": ("POST", "/v2/chat"),
    "responses": ("POST", "/v2/chat"),
    "embeddings": ("POST", "/v2/embed"),
    "models": ("GET", "/v1/models"),
}


class Cohere(Common):
    name = "cohere"
    key_env = "CO_API_KEY"
    apis: tuple[str, ...] = ("chat",)

    def dialect(self, place: Place, model: str, operation: Operation, client: str = "") -> str:
        if place.api == "chat":
            return {"messages": "chat", "responses": "chat", "embeddings": "embeddings"}.get(operation, "")
        if operation == "embeddings":
            return "cohere_embeddings"
        return "cohere" if operation in LINES or operation == "other" else ""

    def request_line(  # noqa: PLR0917 - by position: every call asks
        self, place: Place, dialect: str, operation: Operation, model: str, stream: bool, query: bytes = b""
    ) -> tuple[bytes, bytes]:
        if dialect in ("chat", "embeddings"):
            return openai_line(place, "/compatibility/v1", dialect, operation)
        method, path = LINES[operation]
        return line(method, below(place, path))

    def default_base_url(self, place: Place) -> str:
        return "https://api.cohere.com"

    def passages(self, place: Place) -> tuple[Passage, ...]:
        return passages.COHERE
