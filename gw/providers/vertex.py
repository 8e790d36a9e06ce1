"""Google Vertex AI: Claude by rawPredict with Anthropic's body, Gemini by its own, other publishers' models by Chat Completions.

The region is a place (`europe-west1`), a group of places (`us`, `eu`) or `global`, each under a host of its own.
"""

from collections.abc import Iterator

from gw.providers.gemini import gemini_line
from gw.providers.place import Place
from gw.providers.provider import Common, CredentialKind, Operation, below, line, segment

GROUPS = ("us", "eu")


class Vertex(Common):
    name = "vertex"
    apis: tuple[str, ...] = ("chat",)

    def dialect(self, place: Place, model: str, operation: Operation, client: str = "") -> str:
        name = place.model_behind(model).lower()
        if "claude" in name:
            return "vertex_anthropic" if operation in ("messages", "responses", "count_tokens") else ""
        if operation == "embeddings":
            return _embeddings(name.rpartition("/")[2])
        publisher = name.removeprefix("publishers/").rpartition("/")[0].partition("/")[0]
        if place.api == "chat" or publisher not in ("", "google"):
            return "chat" if operation in ("messages", "responses") else ""
        return "gemini" if operation in ("messages", "responses", "count_tokens") else ""

    def request_line(  # noqa: PLR0917 - by position: every call asks
        self, place: Place, dialect: str, operation: Operation, model: str, stream: bool, query: bytes = b""
    ) -> tuple[bytes, bytes]:
        home = f"/{place.api_version or 'v1'}/projects/{segment(place.project)}/locations/{segment(place.region or 'global')}"
        if dialect == "chat":
            return line("POST", below(place, f"{home}/endpoints/openapi/chat/completions"))
        name = model.rpartition("/")[2]
        if dialect == "vertex_anthropic":
            verb = f"{segment(name)}:{'streamRawPredict' if stream else 'rawPredict'}"
            if operation == "count_tokens":
                verb = "count-tokens:rawPredict"  # the model stands in the body
            return line("POST", below(place, f"{home}/publishers/anthropic/models/{verb}"))
        if dialect == "predict_embeddings":
            return line("POST", below(place, f"{home}/publishers/google/models/{segment(name)}:predict"))
        return gemini_line(place, f"{home}/publishers/google/models", operation, name, stream, query)

    def default_base_url(self, place: Place) -> str:
        region = place.region or "global"
        if region == "global":
            return "https://aiplatform.googleapis.com"
        if region in GROUPS:
            return f"https://aiplatform.{region}.rep.googleapis.com"
        return f"https://{region}-aiplatform.googleapis.com"

    def lacking(self, place: Place) -> Iterator[tuple[str, str]]:
        if not place.project:
            yield "project", "is required: the id of the Google Cloud project"

    def credential(self, place: Place) -> CredentialKind:
        return "google"

    def auth(self, place: Place) -> str:
        return place.auth or "x-goog-api-key"


def _embeddings(model: str) -> str:
    """Gemini's models are asked as generateContent is, the older ones by :predict."""
    if "embedding" not in model:
        return ""
    return "vertex_embeddings" if model.startswith("gemini") else "predict_embeddings"
