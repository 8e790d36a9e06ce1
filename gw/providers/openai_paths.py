"""The paths of OpenAI's API, which many speak."""

from gw.providers.place import Place
from gw.providers.provider import Operation, below, line

PATHS = {
    "chat": "/chat/completions",
    "responses": "/responses",
    "embeddings": "/embeddings",
    "completions": "/completions",
}


def openai_line(place: Place, root: str, dialect: str, operation: Operation) -> tuple[bytes, bytes]:
    """`root`: what stands before the paths, such as /v1. The client's query means nothing here: an `api-version` or `beta` of
    another API would be refused."""
    if operation == "models":
        return line("GET", below(place, f"{root}/models"))
    if operation == "count_tokens":
        return line("POST", below(place, f"{root}/responses/input_tokens"))
    return line("POST", below(place, root + PATHS[dialect]))
