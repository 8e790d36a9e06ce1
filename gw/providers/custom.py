"""Providers that are data: those of the table of compatible ones, and any that the configuration alone describes.

Whoever speaks a dialect that gw knows needs no file: an address, a key and the dialect's name are enough, and `quirks` for what
it does otherwise.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from gw.domain.quirks import Quirks
from gw.providers import passages
from gw.providers.anthropic import Anthropic
from gw.providers.bedrock import Bedrock
from gw.providers.cohere import Cohere
from gw.providers.compatible import Compatible
from gw.providers.gemini import Gemini
from gw.providers.openai import OpenAI
from gw.providers.openai_paths import openai_line
from gw.providers.passages import Passage, moved
from gw.providers.place import Place
from gw.providers.provider import Common, CredentialKind, Lines, Operation, Provider

# Whose paths a custom upstream of a dialect has.
MODELLED_ON: dict[str, Provider] = {
    "anthropic": Anthropic(),
    "chat": OpenAI(),
    "responses": OpenAI(),
    "gemini": Gemini(),
    "cohere": Cohere(),
    "converse": Bedrock(),
    "invoke": Bedrock(),
}


class Tabled(Common):
    """A row of gw.providers.compatible."""

    def __init__(self, name: str, row: Compatible) -> None:
        self.name = name
        self.key_env = row.key_env
        self.apis: tuple[str, ...] = ("chat", "responses") if row.responses else ("chat",)
        self._row = row

    def dialect(self, place: Place, model: str, operation: Operation, client: str = "") -> str:
        """Chat Completions, which is what the table is about; Responses for who speaks that, where it is known."""
        row = self._row
        if operation in ("messages", "responses"):
            wanted = place.api if place.api != "auto" else "responses" if "responses" in (operation, client) else "chat"
            return "responses" if row.responses and wanted == "responses" else "chat"
        known = {"embeddings": row.embeddings, "completions": row.completions}
        if operation in known:
            return operation if known[operation] else ""
        return "" if operation == "count_tokens" else "chat"

    def request_line(  # noqa: PLR0917 - by position: every call asks
        self, place: Place, dialect: str, operation: Operation, model: str, stream: bool, query: bytes = b""
    ) -> tuple[bytes, bytes]:
        return openai_line(place, self._row.prefix, dialect, operation)

    def default_base_url(self, place: Place) -> str:
        return self._row.base_url

    def credential(self, place: Place) -> CredentialKind:
        return "key" if self.key_env else "none"

    def auth(self, place: Place) -> str:
        return place.auth or self._row.auth

    def passages(self, place: Place) -> tuple[Passage, ...]:
        """Whoever does not have one of them says so."""
        return moved(passages.OPENAI, "/v1", self._row.prefix)

    def quirks(self, place: Place, dialect: str, model: str) -> Quirks:
        """In Responses the cap has one name everywhere."""
        return self._row.quirks if dialect == "chat" else replace(self._row.quirks, max_tokens_field="")


class Custom(Common):
    """`provider = "custom"`: whatever stands at `base_url` and speaks `dialect`."""

    name = "custom"

    def dialect(self, place: Place, model: str, operation: Operation, client: str = "") -> str:
        mine = place.dialect or "chat"
        if operation in ("messages", "responses"):
            return mine
        if mine in ("chat", "responses") and operation == "count_tokens":
            return ""
        return MODELLED_ON[mine].dialect(place, model, operation, client)

    def request_line(  # noqa: PLR0917 - by position: every call asks
        self, place: Place, dialect: str, operation: Operation, model: str, stream: bool, query: bytes = b""
    ) -> tuple[bytes, bytes]:
        return MODELLED_ON[place.dialect or "chat"].request_line(place, dialect, operation, model, stream, query)

    def lacking(self, place: Place) -> Iterator[tuple[str, str]]:
        if not place.base_url:
            yield "base_url", "is required: a custom provider has no address of its own"

    def credential(self, place: Place) -> CredentialKind:
        return "none"

    def auth(self, place: Place) -> str:
        if place.auth or place.dialect in ("converse", "invoke"):
            return place.auth or "bearer"
        return MODELLED_ON[place.dialect or "chat"].auth(place)

    def headers(self, place: Place, dialect: str) -> Lines:
        return MODELLED_ON[place.dialect].headers(place, dialect) if place.dialect == "anthropic" else ()

    def passages(self, place: Place) -> tuple[Passage, ...]:
        return passages.OPENAI if place.dialect in ("", "chat", "responses") else MODELLED_ON[place.dialect].passages(place)
