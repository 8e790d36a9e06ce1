"""Envelopes for what an upstream has sealed and wants back, inside the few opaque fields that clients return verbatim.

Two of them, both reversible, both readable without any key:

- A thought's signature, in Anthropic's `signature` (or `data` of a redacted thought): `gw1.<dialect>.<signature>.<id>`. A part
  in base64's letters stands as it is, any other as `~` and base64url. What Anthropic itself has signed passes untouched (its
  signatures are base64: they have no dot).
- A tool call's signature (Gemini), in the call's id: `<id><signature>_gw<kind><size of the signature's part>`, all of it within
  Anthropic's `^[a-zA-Z0-9_-]+$`. An id that is no such word is itself put in base64url behind `toolu_`, so the upstream gets its
  own back. A signature of more than SIGNATURE_CHARS_MAX is left out: then the upstream thinks anew.
"""

import re
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode

from gw._fast import holds

ANTHROPIC = "anthropic"
SIGNATURE_CHARS_MAX = 16_384  # Gemini's have some hundreds to some thousands

_MARK = "gw1."
MARK_IN_JSON = b'"gw1.'
_PLAIN = re.compile(r"[A-Za-z0-9+/=_-]*")
_WORD = re.compile(r"[a-zA-Z0-9_-]+")
_SEALED_ID = re.compile(r"_gw([a-d])(\d{1,6})$")
_ENCODED_HEAD = "toolu_"
# Kind of a sealed id: (the id is encoded, the signature was standard base64 and has its letters changed only).
_KINDS = {"a": (False, True), "b": (False, False), "c": (True, True), "d": (True, False)}
_LETTERS = {parts: letter for letter, parts in _KINDS.items()}


def sealed(dialect: str, signature: str, id: str = "") -> str:
    """What a client is to return of a thought of this dialect; also for one that nobody signed (dialect and all "")."""
    if dialect == ANTHROPIC and signature and not id and not signature.startswith(_MARK):
        return signature
    return f"{_MARK}{_packed(dialect)}.{_packed(signature)}.{_packed(id)}"


def unseal(text: str) -> tuple[str, str, str]:
    """(dialect, signature, id). What is in no envelope is Anthropic's; "" and a damaged envelope are nobody's."""
    if not text.startswith(_MARK):
        return (ANTHROPIC if text else ""), text, ""
    parts = text[len(_MARK) :].split(".")
    if len(parts) != 3:
        return "", "", ""
    try:
        dialect, signature, id = (_unpacked(part) for part in parts)
    except ValueError:
        return "", "", ""
    return dialect, signature, id


def may_hold_sealed(body: bytes) -> bool:
    """Whether a request, as it came, may bring thoughts that another upstream has sealed: Anthropic refuses the whole for one.
    Read and written again, it goes without them."""
    return holds(body, MARK_IN_JSON)


def seal_id(id: str, signature: str = "") -> str:
    """A tool call's id for an Anthropic client. `id` must not be empty."""
    encoded = _WORD.fullmatch(id) is None
    if len(signature) > SIGNATURE_CHARS_MAX:
        signature = ""
    if not signature and not encoded and _SEALED_ID.search(id) is None:
        return id
    standard = _is_standard(signature)
    tail = signature.rstrip("=").translate(_TO_URL) if standard else _base64(signature)
    head = _ENCODED_HEAD + _base64(id) if encoded else id
    return f"{head}{tail}_gw{_LETTERS[encoded, standard]}{len(tail)}"


def unseal_id(text: str) -> tuple[str, str]:
    """(id, signature) of what `seal_id` made; any other text is an id without a signature."""
    mark = _SEALED_ID.search(text)
    if mark is None or int(mark[2]) > mark.start():
        return text, ""
    encoded, standard = _KINDS[mark[1]]
    cut = mark.start() - int(mark[2])
    head, tail = text[:cut], text[cut : mark.start()]
    try:
        signature = _padded(tail.translate(_FROM_URL)) if standard else _text(tail)
        return (_text(head.removeprefix(_ENCODED_HEAD)) if encoded else head), signature
    except ValueError:
        return text, ""


_TO_URL = str.maketrans("+/", "-_")
_FROM_URL = str.maketrans("-_", "+/")


def _is_standard(signature: str) -> bool:
    """Base64 with its own padding and no other: without that, changing letters would not lead back."""
    try:
        b64decode(signature, validate=True)
    except ValueError:  # also what is not ASCII
        return False
    return _padded(signature.rstrip("=")) == signature


def _padded(text: str) -> str:
    return text + "=" * (-len(text) % 4)


def _packed(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else "~" + _base64(text)


def _unpacked(text: str) -> str:
    return _text(text[1:]) if text.startswith("~") else text


def _base64(text: str) -> str:
    return urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).rstrip(b"=").decode()


def _text(text: str) -> str:
    return urlsafe_b64decode(_padded(text)).decode("utf-8", "surrogatepass")
