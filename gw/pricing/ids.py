"""How a model's id, as it is sent upstream, is called in the data set: what each platform adds to a name that has no price of
its own."""

from collections.abc import Iterable, Iterator

# OpenRouter: which of a model's hosts is taken, or a plug-in beside it. What it then costs stands in the answer; this is the
# estimate. ":free", ":batch" and the like have rows of their own.
VARIANTS = (":nitro", ":floor", ":online", ":exacto", ":extended")
PUBLISHERS = ("models/", "publishers/google/models/", "google/")
FIREWORKS = "accounts/fireworks/models/"


def listed(provider: str, catalogs: Iterable[str], model: str) -> Iterator[tuple[str, str]]:
    """(catalog, name) to look for, in this order. `model` is in lower case."""
    if provider == "huggingface":  # model:host, under the host's own price; without a host it is not known before the answer
        name, _, host = model.partition(":")
        yield f"huggingface_{host}", name
        return
    for catalog in catalogs:
        yield catalog, model
        for name in _other_names(provider, model):
            yield catalog, name


def _other_names(provider: str, model: str) -> Iterator[str]:
    if provider in ("vertex", "gemini"):
        bare = model
        for start in PUBLISHERS:
            bare = bare.removeprefix(start)
        yield bare.partition("@")[0]
    elif provider == "openrouter" and model.endswith(VARIANTS):
        yield model.rpartition(":")[0]
    elif provider == "fireworks" and "/" not in model:
        yield FIREWORKS + model
    elif provider == "bedrock" and model.rpartition(".")[2].startswith("gpt-oss-"):
        yield f"{model}-1:0"  # its OpenAI-like endpoint has no version in the names
