"""The table of dialects."""

from gw.translate.anthropic import ANTHROPIC_MESSAGES
from gw.translate.chat import CHAT
from gw.translate.cohere import COHERE
from gw.translate.completions import COMPLETIONS
from gw.translate.converse import CONVERSE_DIALECT
from gw.translate.converse_words import error_head
from gw.translate.dialect import Dialect
from gw.translate.form import Failure
from gw.translate.gemini import GEMINI_DIALECT
from gw.translate.invoke_dialect import INVOKE
from gw.translate.responses import RESPONSES

DIALECTS: dict[str, Dialect] = {
    "anthropic": ANTHROPIC_MESSAGES,
    "chat": CHAT,
    "cohere": COHERE,  # of upstreams only
    "completions": COMPLETIONS,
    "converse": CONVERSE_DIALECT,
    "gemini": GEMINI_DIALECT,
    "invoke": INVOKE,
    "responses": RESPONSES,
}


def error_headers(dialect: str, failure: Failure) -> tuple[int, list[tuple[bytes, bytes]]]:
    """Status and further headers of an error in this dialect, beside the body of `write_error`."""
    if dialect in ("converse", "invoke"):
        status, name = error_head(failure)
        return status, [(b"x-amzn-errortype", name.encode())]
    return failure.status, []


# What says errors where an operation has no dialect of its own.
ALIKE = {"": "anthropic", "vertex_anthropic": "anthropic", "embeddings": "chat", "gemini_embeddings": "gemini"}


def speaker(name: str) -> Dialect:
    """Who says errors of this dialect; "" is Anthropic's."""
    return DIALECTS[ALIKE.get(name, name)]
