"""What is taken out of a text before it is kept. Pure.

A rule sees one JSON string at a time, as its reader sees it: without quotes and escapes. What stands between strings (numbers, or
all of a body that is not JSON) it sees as it is. A string in which nothing was found keeps its bytes.
"""

import json
import re
from typing import NamedTuple

from gw.config.content_model import Content

_LITERAL = re.compile(rb'"(?>[^"\\]++|\\.)*+"', re.DOTALL)
_NEWLINE = r"(?:\\+[nr]|\s)"  # in a text that is itself quoted within a text, a line break is spelled out

API_KEYS = re.compile(
    r"\b(?:"
    r"sk-ant-[A-Za-z0-9_-]{16,}|sk-(?:proj-|svcacct-|or-v1-)?[A-Za-z0-9_-]{20,}|gw[ka]_[A-Za-z0-9_-]{20,}"
    r"|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{40,}|glpat-[A-Za-z0-9_-]{20,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{40,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|hf_[A-Za-z0-9]{30,}|AIza[A-Za-z0-9_-]{35}|(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"
    # A JSON Web Token: of any length where a run of its letters begins, else bounded, or each of many beginnings would look at
    # all that follows.
    r"|(?:(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,}+|eyJ[A-Za-z0-9_-]{10,300})\.eyJ[A-Za-z0-9_-]{10,}+\.[A-Za-z0-9_-]{10,}"
    r")"
)
PRIVATE_KEYS = re.compile(  # up to where it ends, if it does; else as far as it can be one
    rf"-----BEGIN (?:[A-Z0-9]+ ){{0,3}}PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/=:,. ]|-(?!----)|{_NEWLINE})*+"
    r"(?:-----END [A-Z0-9 ]{0,40}-----)?"
)
EMAILS = re.compile(r"\b[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b")


class Rule(NamedTuple):
    pattern: re.Pattern[str]
    replacement: str  # as `re.sub` takes it


class Redactor:
    """The rules of one configuration. Without any it gives back what it gets."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self.rules = rules

    def text(self, text: str) -> str:
        for pattern, replacement in self.rules:
            text = pattern.sub(replacement, text)
        return text

    def literal(self, literal: bytes) -> bytes:
        """A JSON string with its quotes, as one again. One that is none is taken by its bytes."""
        if not self.rules:
            return literal
        text = _decoded(literal)
        found = self.text(text)
        return literal if found == text else _encoded(found)

    def part(self, slice_: bytes) -> bytes:
        """Any part of a document that cuts no string in two."""
        if not self.rules:
            return slice_
        parts: list[bytes] = []
        end = 0
        for found in _LITERAL.finditer(slice_):
            parts += (self.plain(slice_[end : found.start()]), self.literal(found[0]))
            end = found.end()
        parts.append(self.plain(slice_[end:]))
        return b"".join(parts)

    def plain(self, between: bytes) -> bytes:
        """Bytes that are no JSON string, by what they say."""
        text = between.decode("utf-8", "surrogateescape")
        found = self.text(text)
        return between if found == text else found.encode("utf-8", "surrogateescape")


def rules_of(content: Content) -> tuple[Rule, ...]:
    """Raises re.error for a pattern that is none, which the configuration has refused before."""
    built_in = (
        (content.redact_private_keys, PRIVATE_KEYS, "private key"),
        (content.redact_api_keys, API_KEYS, "API key"),
        (content.redact_emails, EMAILS, "e-mail address"),
    )
    rules = [Rule(pattern, f"[redacted {name}]") for wanted, pattern, name in built_in if wanted]
    for one in content.redact:
        replacement = one.replacement or f"[redacted {one.name}]"
        rules.append(Rule(re.compile(one.pattern), replacement.replace("\\", r"\\")))  # nothing in it is a reference to a group
    return tuple(rules)


def _decoded(literal: bytes) -> str:
    text = literal.decode("utf-8", "surrogateescape")
    if "\\" in text:
        try:
            return str(json.loads(text, strict=False))
        except ValueError:
            return text[1:-1]
    return text[1:-1]


def _encoded(text: str) -> bytes:
    try:
        return json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(text).encode()
