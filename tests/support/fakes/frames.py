"""AWS event-stream messages and errors, written out by hand from the description of the format."""

import struct
import zlib

from tests.support.fakes.speaker import WHOLE, Spoken
from tests.support.fakes.words import Json, Trouble, dumped

CONTENT_TYPE = "application/vnd.amazon.eventstream"
NAMES = {
    400: "ValidationException", 401: "UnrecognizedClientException", 404: "ResourceNotFoundException", 429: "ThrottlingException",
    500: "InternalServerException", 529: "ServiceUnavailableException",
}  # fmt: skip
STATUSES = {401: 403, 529: 503}  # as AWS has them


def event(name: str, payload: Json) -> bytes:
    return _message({":event-type": name, ":content-type": "application/json", ":message-type": "event"}, dumped(payload))


def exception(name: str, payload: Json) -> bytes:
    return _message({":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}, dumped(payload))


def trouble(trouble: Trouble, message: str) -> Spoken:
    name = NAMES[trouble.status]
    headers = (("x-amzn-errortype", f"{name}:http://internal.amazon.com/"),)
    return Spoken(WHOLE, [dumped({"message": message})], headers, STATUSES.get(trouble.status, 0))


def _message(headers: dict[str, str], payload: bytes) -> bytes:
    head = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + payload
    return message + struct.pack(">I", zlib.crc32(message))
