"""What [content] may say beside the rest of the configuration."""

import re
from collections.abc import Iterator
from importlib.util import find_spec

from gw.config.content_model import encryption_key_of
from gw.config.locate import Path
from gw.config.model import Config
from gw.config.secret import Secret

Finding = tuple[Path, str]
KEYS = ("encryption_key", "former_encryption_key")


def problems(config: Config) -> Iterator[Finding]:
    content = config.content
    for position, rule in enumerate(content.redact):
        path = ("content", "redact", position)
        try:
            pattern = re.compile(rule.pattern)
        except (re.error, OverflowError, RecursionError) as error:
            yield (*path, "pattern"), f"is no regular expression: {error}"
            continue
        if pattern.match(""):
            yield (*path, "pattern"), "matches even where there is nothing; make it match at least one character"
    for name in KEYS:
        secret: Secret = getattr(content, name)
        if secret.missing:
            yield ("content", name), secret.reason
        elif secret:
            try:
                encryption_key_of(secret.reveal())
            except ValueError as error:
                yield ("content", name), str(error)
    if content.store != "none":
        needed = ("zstandard", *(["cryptography"] if content.encryption_key.reference else []))
        lacking = [module for module in needed if find_spec(module) is None]
        if lacking:
            yield ("content", "store"), f"needs an extra ({', '.join(lacking)} is missing): pip install 'gw[content]'"


def warnings(config: Config) -> Iterator[Finding]:
    content = config.content
    if content.store == "none":
        for kind in ("team", "key"):
            for position, one in enumerate(getattr(config, kind)):
                if one.store_content == "yes":
                    yield (kind, position, "store_content"), 'has no effect while [content] store is "none"'
    elif content.encryption_key.reference and content.search:
        yield ("content", "search"), "is off: an index of words would say in the clear what encryption_key hides"


def secrets(config: Config) -> Iterator[tuple[Path, Secret]]:
    for name in KEYS:
        yield ("content", name), getattr(config.content, name)


def stores(config: Config, *, key: str, team: str) -> bool:
    """Whether calls are kept with their content: by what the key says, else its team, else everybody."""
    if config.content.store == "none":
        return False
    return (key or team or ("yes" if config.content.store == "all" else "no")) == "yes"
