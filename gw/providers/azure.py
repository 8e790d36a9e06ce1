"""Azure: OpenAI's models under the v1 API or the older one with a version, and Claude in Foundry under Anthropic's own API.

A model's id is the name of a deployment there. Where that does not say which model it is, `deployments` in the configuration
does: price and dialect depend on it.
"""

from collections.abc import Iterator

from gw.domain.quirks import Quirks
from gw.providers import passages
from gw.providers.anthropic import OPERATIONS, VERSION
from gw.providers.openai import OpenAI, spoken
from gw.providers.openai_paths import PATHS, openai_line
from gw.providers.passages import Passage, moved
from gw.providers.place import Place
from gw.providers.provider import Common, CredentialKind, Lines, Operation, below, line, segment

SCOPE_OPENAI = "https://cognitiveservices.azure.com/.default"
UNDATED = ("", "v1", "latest", "preview")  # versions of the v1 API; anything else, such as 2024-10-21, is the older one


class Azure(Common):
    """A resource of the kind Azure OpenAI."""

    name = "azure"
    key_env = "AZURE_OPENAI_API_KEY"
    apis: tuple[str, ...] = ("chat", "responses", "anthropic")
    host = "openai.azure.com"

    def dialect(self, place: Place, model: str, operation: Operation, client: str = "") -> str:
        if self._claude(place, model):
            return "anthropic" if operation in OPERATIONS and operation != "models" else ""
        spoken_there = spoken(place, model, operation, client)
        return "" if operation == "count_tokens" else spoken_there

    def request_line(  # noqa: PLR0917 - by position: every call asks
        self, place: Place, dialect: str, operation: Operation, model: str, stream: bool, query: bytes = b""
    ) -> tuple[bytes, bytes]:
        if dialect == "anthropic":
            method, path = OPERATIONS[operation]
            return line(method, below(place, "/anthropic" + path), query)
        if place.api_version in ("", "v1"):
            return openai_line(place, "/openai/v1", dialect, operation)
        if place.api_version in UNDATED:
            asked, address = openai_line(place, "/openai/v1", dialect, operation)
            return asked, address + b"?api-version=" + place.api_version.encode()
        version = f"?api-version={place.api_version}"
        if operation == "models":
            return line("GET", below(place, "/openai/models") + version)
        if dialect == "responses":
            return line("POST", below(place, "/openai/responses") + version)
        return line("POST", below(place, f"/openai/deployments/{segment(model)}{PATHS[dialect]}") + version)

    def default_base_url(self, place: Place) -> str:
        return f"https://{place.resource}.{self.host}" if place.resource else ""

    def lacking(self, place: Place) -> Iterator[tuple[str, str]]:
        if not place.base_url and not place.resource:
            yield "resource", f"is required: the first part of the host {self.host}; or give base_url"

    def credential(self, place: Place) -> CredentialKind:
        return "azure"

    def auth(self, place: Place) -> str:
        return place.auth or "azure"

    def headers(self, place: Place, dialect: str) -> Lines:
        return ((b"anthropic-version", VERSION),) if dialect == "anthropic" else ()

    def passages(self, place: Place) -> tuple[Passage, ...]:
        return moved(passages.OPENAI, "/v1", "/openai/v1") if place.api_version in UNDATED else ()

    def quirks(self, place: Place, dialect: str, model: str) -> Quirks:
        return Quirks() if dialect == "anthropic" else OpenAI().quirks(place, dialect, model)

    def _claude(self, place: Place, model: str) -> bool:
        return place.api == "anthropic"


class Foundry(Azure):
    """A resource of Foundry: the same, and Claude."""

    name = "foundry"
    key_env = "ANTHROPIC_FOUNDRY_API_KEY"
    host = "services.ai.azure.com"

    def _claude(self, place: Place, model: str) -> bool:
        return place.api == "anthropic" or (place.api == "auto" and "claude" in place.model_behind(model).lower())
