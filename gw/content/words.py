"""What of a conversation is indexed, and what a search asks for. Pure: both databases are given the same words.

A word is a run of letters and digits of any script, in lower case; each character of a script that sets no blanks between words
(Chinese, Japanese, Korean) is one. So `gw_budget.py` is three words that follow each other, in the text as in the query.

Indexed of a call is what is new in it: what the user said since the model's last answer, and that call's answer (texts and the
inputs of tools; what tools answered, if the configuration says so). The whole history is indexed where it comes first.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

WORD_CHARS_MAX = 64  # longer runs are encoded data, and nobody searches for them
TEXT_CHARS_MAX = 262_144  # of one request or answer; a tsvector holds 1 MB
TERMS_MAX = 32

_SOLID = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_SOLID}]|[^\W_{_SOLID}]+")
_TERM = re.compile(r'"([^"]*)"|(\S+)')


class Query(NamedTuple):
    """All of them must be there. Of each: its words, in their order, and whether the last is only the beginning of one."""

    terms: list[tuple[list[str], bool]]


def words(text: str) -> str:
    """With one blank between two."""
    found = (one.lower() for one in _WORD.findall(text[:TEXT_CHARS_MAX]))
    return " ".join(one for one in found if len(one) <= WORD_CHARS_MAX and one.isalnum())


def query(text: str) -> Query:
    """`refund "credit card" invoi*`: all of them, words in quotes beside each other, a * for any ending. Raises ValueError."""
    terms: list[tuple[list[str], bool]] = []
    for found in _TERM.finditer(text):
        said = found[1] if found[1] is not None else found[2]
        these = words(said).split()
        if these:
            terms.append((these, said.endswith("*")))
    if not terms:
        raise ValueError("must hold a word to look for")
    if len(terms) > TERMS_MAX:
        raise ValueError(f"must hold at most {TERMS_MAX} words")
    return Query(terms)


def parsed(body: bytes) -> Any:
    """A body as JSON; None if it is none, or nested beyond reason."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(body.decode("utf-8", "replace"), strict=False)  # half a surrogate pair, a control character
    except (ValueError, RecursionError):
        return None


def said(body: bytes, *, tool_results: bool, whole: bool) -> str:
    """What is new in a request; all of it with `whole`."""
    document = parsed(body)
    messages = document.get("messages") if isinstance(document, dict) else None
    if not isinstance(messages, list):
        return ""
    first = 0
    if not whole:
        answered = (position for position in range(len(messages) - 1, -1, -1) if _role(messages[position]) == "assistant")
        first = next(answered, -1) + 1
    return "\n".join(text for message in messages[first:] for text in _texts(message, tool_results=tool_results))


def _role(message: Any) -> object:
    return message.get("role") if isinstance(message, dict) else None


def _texts(message: Any, *, tool_results: bool) -> Iterator[str]:
    if not isinstance(message, dict) or message.get("role") not in ("user", "assistant"):
        return
    yield from texts(message.get("content"), tool_results=tool_results)


def texts(content: Any, *, tool_results: bool) -> Iterator[str]:
    """Of a message's content: a string, or blocks."""
    if isinstance(content, str):
        yield content
    for block in content if isinstance(content, list) else ():
        if not isinstance(block, dict):
            continue
        kind = block.get("type")
        if kind == "text" and isinstance(block.get("text"), str):
            yield block["text"]
        elif kind == "tool_use" and block.get("input"):
            yield from strings(block["input"])
        elif kind == "tool_result" and tool_results:
            yield from texts(block.get("content"), tool_results=True)


def strings(value: Any) -> Iterator[str]:
    """Every string in a JSON value; not by recursion, for it may be nested as deep as a parser allows."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting += reversed(one.values())
        elif isinstance(one, list):
            waiting += reversed(one)
