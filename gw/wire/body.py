"""The client's request body: read whole up to the limit, kept verbatim; decoded only for the peek."""

import zlib

from gw.errors import Refusal
from gw.wire.asgi import Message, Receive

PEEK_MESSAGES = {
    "not_object": ("invalid_json", "The body is not a JSON object."),
    "invalid_json": ("invalid_json", "The body is not valid JSON (at byte {offset})."),
    "trailing_data": ("invalid_json", "The body has data after its JSON object (at byte {offset})."),
    "duplicate_model": ("duplicate_key", 'The body names "model" twice (at byte {offset}). Send it once.'),
    "duplicate_stream": ("duplicate_key", 'The body names "stream" twice (at byte {offset}). Send it once.'),
    "duplicate_max_tokens": ("duplicate_key", 'The body names "max_tokens" twice (at byte {offset}). Send it once.'),
    "bad_model": ("invalid_field", '"model" must be a non-empty string.'),
    "bad_stream": ("invalid_field", '"stream" must be true or false.'),
    "bad_max_tokens": ("invalid_field", '"max_tokens" must be a whole number, zero or more.'),
}
Number = int  # compiled, a C integer: body.pxd

READABLE = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}  # deflate as RFC 9110 has it: with the zlib frame


async def read_body(receive: Receive, declared: int, limit: int) -> bytes | None:
    """The whole body; None if it ended before its end: the client left, or sent chunks that are none (the server does not say
    which). Raises Refusal body_too_large (413)."""
    if declared > limit:
        raise too_large(limit)
    message = await receive()
    whole = whole_in(message, declared)
    return whole if whole is not None else await read_on(message, receive, declared, limit)


def whole_in(message: Message, declared: Number) -> bytes | None:
    """The body, if this first message has as much as was declared, as of small ones. None: `read_on`."""
    body: bytes = message.get("body", b"")
    return body if message["type"] == "http.request" and len(body) == declared else None


async def read_on(message: Message, receive: Receive, declared: int, limit: int) -> bytes | None:
    """The rest of `read_body`, whose first message this is."""
    if message["type"] != "http.request":
        return None
    body: bytes = message.get("body", b"")
    parts, size = [body], len(body)
    # Whole when as long as declared: to wait for the message that says so costs a round trip between the server's threads.
    while message.get("more_body", False) and size <= limit and size != declared:
        message = await receive()
        if message["type"] != "http.request":
            return None
        part: bytes = message.get("body", b"")
        if part:
            parts.append(part)
            size += len(part)
    if size > limit:
        raise too_large(limit)
    if size < declared:
        return None
    return parts[0] if len(parts) == 1 else b"".join(parts)


def too_large(limit: int) -> Refusal:
    return Refusal(
        "body_too_large",
        f"The request body is larger than this gateway takes ({limit} bytes). Shorten the conversation with /compact.",
    )


def readable(body: bytes, encoding: bytes, limit: int) -> bytes:
    """The body as JSON text. Raises Refusal: unsupported_encoding (415), body_too_large, invalid_json."""
    if not encoding or encoding == b"identity":
        return body
    window = READABLE.get(encoding)
    if window is None:
        raise Refusal(
            "unsupported_encoding",
            f"Content-Encoding {encoding.decode('latin-1')[:40]!r} cannot be read here. Send gzip, deflate or identity.",
        )
    decoder = zlib.decompressobj(window)
    try:
        text = decoder.decompress(body, limit + 1)
    except zlib.error as error:
        raise Refusal("invalid_json", "The body is not what its Content-Encoding says.") from error
    return _complete(text, decoder.eof, bool(decoder.unused_data), limit)


def _complete(text: bytes, whole: bool, trailing: bool, limit: int) -> bytes:
    if len(text) > limit:
        raise too_large(limit)
    if not whole or trailing:
        raise Refusal("invalid_json", "The compressed body is cut short, or followed by other data.")
    return text
