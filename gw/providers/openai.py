"""OpenAI: Chat Completions and Responses side by side, embeddings, and the rest as it is.

Which of the two a conversation goes to: the one that the client speaks, so that its bytes pass; else Responses for the models
that think (they take tools and an effort together only there, and keep their thoughts between the turns), Chat Completions for
the older ones. `api` in the configuration decides otherwise.
"""

from gw.domain.quirks import Quirks
from gw.providers import passages
from gw.providers.openai_paths import openai_line
from gw.providers.passages import Passage
from gw.providers.place import Place
from gw.providers.provider import Common, Lines, Operation

# Models before the thinking ones; whatever is newer thinks.
OLD = ("gpt-3", "gpt-4", "chatgpt-", "davinci", "babbage", "text-", "ft:gpt-3", "ft:gpt-4", "omni-", "tts-", "whisper")


def thinks(model: str) -> bool:
    """The model takes an effort, and is at home in Responses."""
    name = model.lower().rpartition("/")[2]
    return name.startswith(("gpt-", "o1", "o3", "o4", "ft:", "codex", "computer-use")) and not name.startswith((*OLD, "gpt-oss"))


def completes(model: str) -> bool:
    """The model answers a text instead of a conversation: of OpenAI's, the oldest alone."""
    name = model.lower().rpartition("/")[2]
    return name.startswith(("davinci-", "babbage-", "ft:davinci-", "ft:babbage-")) or "-instruct" in name


# How a model's name begins -> the levels of effort that it takes, the most special name first.
EFFORTS = (
    (("o1", "o3", "o4", "gpt-oss"), ("low", "medium", "high")),
    (("gpt-5.1",), ("none", "low", "medium", "high")),
    (("gpt-5.",), ("none", "low", "medium", "high", "xhigh")),
    (("gpt-5-pro",), ("high",)),
    (("gpt-5",), ("minimal", "low", "medium", "high")),
)


def _efforts(model: str) -> tuple[str, ...]:
    """() for a model that is not known: it is asked as the client asks."""
    name = model.lower().rpartition("/")[2]
    return next((levels for starts, levels in EFFORTS if name.startswith(starts)), ())


def conversation(place: Place, model: str, operation: Operation, client: str) -> str:
    """"chat" or "responses", for who speaks both."""
    if place.api in ("chat", "responses"):
        return place.api
    if client in ("chat", "responses"):
        return client
    return "responses" if operation == "responses" or thinks(place.model_behind(model)) else "chat"


def spoken(place: Place, model: str, operation: Operation, client: str) -> str:
    """The dialect for any operation at who has the whole of OpenAI's API."""
    if operation in ("messages", "responses"):
        return conversation(place, model, operation, client)
    if operation == "embeddings":
        return operation
    if operation == "completions":
        return operation if completes(place.model_behind(model)) else ""
    if operation == "count_tokens":
        return "responses" if place.api != "chat" else ""
    return "chat"


class OpenAI(Common):
    name = "openai"
    key_env = "OPENAI_API_KEY"
    apis: tuple[str, ...] = ("chat", "responses")

    def dialect(self, place: Place, model: str, operation: Operation, client: str = "") -> str:
        return spoken(place, model, operation, client)

    def request_line(  # noqa: PLR0917 - by position: every call asks
        self, place: Place, dialect: str, operation: Operation, model: str, stream: bool, query: bytes = b""
    ) -> tuple[bytes, bytes]:
        return openai_line(place, "/v1", dialect, operation)

    def default_base_url(self, place: Place) -> str:
        return "https://api.openai.com"

    def headers(self, place: Place, dialect: str) -> Lines:
        return ((b"openai-project", place.project.encode("latin-1")),) if place.project else ()

    def passages(self, place: Place) -> tuple[Passage, ...]:
        return passages.OPENAI

    def quirks(self, place: Place, dialect: str, model: str) -> Quirks:
        """Cap, roles and sampling are those of the thinking models; the older ones take them, too."""
        old = not thinks(place.model_behind(model))
        return Quirks(
            max_tokens_field="max_completion_tokens" if dialect == "chat" else "",
            developer_role=True,
            thinking="no" if old else "",
            fixed_sampling=not old,
            efforts=_efforts(place.model_behind(model)) if dialect == "chat" else (),  # Responses knows them itself
            custom_tools=True,
            cache_key=True,
        )
