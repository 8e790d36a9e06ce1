"""Which models a request names that passes as it is: in its path, its JSON, a field of a form, the lines of a batch's file.

A key that may not use all models must not reach the others this way; and what an answer has used, without saying which model it
was, is priced by the name that the request has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gw._fast import peek
from gw.demand import Demand
from gw.domain.account import Account
from gw.errors import Refusal
from gw.routing.plan import ALL, plan
from gw.translate.loose import loaded
from gw.wire.body import readable

_IN_PATH = re.compile(r"/(?:models|tunedModels)/([^/]+):\w+$")
_PART = re.compile(rb"(?i)\ncontent-disposition:")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_OF_MODEL = re.compile(rb'(?i)[; ]name="?model"?(?:[ ;\r\n]|$)')
_LINE = re.compile(rb"[^\r\n]*")
_IN_LINE = re.compile(rb'"model(?:Id)?"\s*:\s*"([^"]*)"')
_NAMES = ("model", "modelId")
_INNER = ("params", "body", "request")  # of a batch's requests
FORM = b"multipart/form-data"


def model_of(demand: Demand, account: Account, limit: int, *, needed: bool) -> str:
    """The model that the request asks for, "" if it names none. `needed`: the path is that of a model's answer. `limit`: of a
    body, in bytes. Raises Refusal: model_not_allowed, invalid_field, duplicate_key, or that the body cannot be read."""
    bounded = account.models != ALL
    if demand.method != b"POST" or not (needed or bounded):
        return ""
    named = list(dict.fromkeys(_named(demand, limit, whole=bounded)))
    if bounded and needed and not named:
        raise Refusal("invalid_field", '"model" is missing. Name the model in the request.')
    for name in named if bounded else ():
        if not account.may_use_model(name):
            plan(account, name, ())  # refuses, in the words that it has for it
    if needed and len(named) > 1:
        raise Refusal("duplicate_key", "The request names several models. Name one.")
    return named[0] if named else ""


def _named(demand: Demand, limit: int, *, whole: bool) -> Iterator[str]:
    """`whole`: also of each request of a batch."""
    in_path = _IN_PATH.search(demand.door.path)
    if in_path is not None:
        yield in_path[1].removeprefix("models/")
    body = readable(demand.body, demand.sent.content_encoding, limit)
    if FORM in demand.header("content-type").encode().lower():
        yield from _of_form(b"\r\n" + body)
        lines = body.splitlines() if whole else ()
        yield from (name for line in lines if line.lstrip()[:1] == b"{" for name in _of_lines(line))
        return
    read = loaded(body)
    if read is None and body.lstrip()[:1] == b"{" and whole:  # the upstream may be one that can read it
        raise Refusal("invalid_json", "The body is not valid JSON.")
    if isinstance(read, dict):
        if peek(body).error == "duplicate_model":
            raise Refusal("duplicate_key", 'The body names "model" twice. Send it once.')
        if whole and read.get("purpose") == "batch":
            raise Refusal("model_not_allowed", "A batch that is uploaded in parts cannot be read here. Upload it as one file.")
        yield from _of_json(read, whole=whole)


def _of_form(body: bytes) -> Iterator[str]:
    """Values of the fields of this name. Each byte is looked at once or twice: a form may be made of beginnings alone."""
    at = 0
    while (part := _PART.search(body, at)) and (end := _HEAD_END.search(body, part.end())):
        value = _LINE.match(body, end.end())
        if value and _OF_MODEL.search(body, part.end(), end.start()):
            yield value[0].decode("utf-8", "replace").strip()
        at = end.start()


def _of_lines(line: bytes) -> Iterator[str]:
    read = loaded(line)
    if isinstance(read, dict):
        yield from _of_json(read, whole=True)
    elif read is None:  # of a batch, maybe, whose provider may be one that can read it
        yield from (name[1].decode("utf-8", "replace") for name in _IN_LINE.finditer(line))


def _of_json(read: dict[str, Any], *, whole: bool) -> Iterator[str]:
    yield from (name.removeprefix("models/") for key in _NAMES if isinstance(name := read.get(key), str))
    inner = [read[key] for key in _INNER if isinstance(read.get(key), dict)] if whole else []
    requests = read.get("requests") if whole else None
    inner += [one for one in requests if isinstance(one, dict)] if isinstance(requests, list) else []
    for one in inner:
        yield from _of_json(one, whole=True)
