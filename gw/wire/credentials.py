"""Where clients of other providers put their credential, brought to the headers that gw.wire.headers knows.

Google's send `x-goog-api-key` or `?key=`; Azure's `api-key`; AWS's sign each request with a secret key that gw does not have:
there the virtual key stands where the access key id does, and is the secret itself; a Bedrock API key comes as bearer.
"""

from gw.wire.asgi import Scope

KEY_HEADERS = {b"x-goog-api-key", b"api-key"}
AWS = b"AWS4-HMAC-SHA256"
OF_AWS = {b"x-amz-date", b"x-amz-security-token", b"x-amz-content-sha256", b"amz-sdk-invocation-id", b"amz-sdk-request"}


def as_known(scope: Scope, family: str) -> list[tuple[bytes, bytes]]:
    """The request's headers, with the credential as `x-api-key` or `authorization: Bearer`."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    found = [(b"x-api-key", value) if name in KEY_HEADERS else (name, value) for name, value in headers]
    if family == "gemini":
        key = next((part[4:] for part in scope["query_string"].split(b"&") if part.startswith(b"key=")), b"")
        return [*found, (b"x-api-key", key)] if key else found
    if family == "bedrock":
        return [(name, _of_aws(value) if name == b"authorization" else value) for name, value in found if name not in OF_AWS]
    return found


def _of_aws(value: bytes) -> bytes:
    """The access key id of a signature, as a bearer's key; what is no signature stays."""
    if not value.startswith(AWS):
        return value
    _, _, rest = value.partition(b"Credential=")
    return b"Bearer " + rest.partition(b"/")[0].strip()
