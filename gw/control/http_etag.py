"""Nobody overwrites what somebody else has changed meanwhile (RFC 9110, section 13). Pure."""

import re
from hashlib import blake2b
from typing import Any

import orjson

from gw.control.problem import Problem

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')


def etag(entry: dict[str, Any]) -> str:
    """Differs whenever anything that is shown does."""
    return f'"{blake2b(orjson.dumps(entry), digest_size=9).hexdigest()}"'


def must_match(if_match: str, tag: str, *, required: bool = True) -> None:
    """Raises Problem precondition_required or precondition_failed."""
    if not if_match.strip():
        if required:
            raise Problem("precondition_required")
        return
    if if_match.strip() == "*":
        return
    strong = {f'"{text}"' for weak, text in _TAG.findall(if_match) if not weak}
    if tag not in strong:
        raise Problem("precondition_failed", headers={"etag": tag})


def not_modified(if_none_match: str, tag: str) -> bool:
    """Whether the caller has it already."""
    if if_none_match.strip() == "*":
        return True
    return tag in {f'"{text}"' for _, text in _TAG.findall(if_none_match)}
