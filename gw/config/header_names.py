"""Names of headers that a configuration may set."""

import re

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OF_THE_BODY = {"content-encoding", "content-length", "transfer-encoding", "trailer", "te", "expect"}
_OF_THE_CONNECTION = {"connection", "host", "keep-alive", "proxy-authorization", "proxy-connection", "upgrade"}
_CREDENTIALS = {"authorization", "x-api-key", "x-gw-key"}


def is_header(name: str) -> bool:
    """RFC 9110, 5.1: a token."""
    return _NAME.fullmatch(name) is not None


def is_own(name: str, *, credentials: bool) -> bool:
    """gw answers for it itself. `credentials`: for those, too."""
    own = _OF_THE_BODY | _OF_THE_CONNECTION | (_CREDENTIALS if credentials else set())
    return name.lower() in own
