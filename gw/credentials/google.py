"""Google's credentials: a service account's file, a workload identity, or what the machine has (Application Default Credentials).

A token holds for an hour and is renewed five minutes before its end, in a thread; the library waits on the network.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gw import clock
from gw.credentials.credential import CredentialError
from gw.credentials.renewed import Bearer, Fetched, lifetime, scrubbed

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
AWS_TOKEN = "urn:ietf:params:aws:token-type:aws4_request"  # noqa: S105 - the name of a kind of token
EARLY_S = 300
UNKNOWN_S = 300  # a token whose end is not said
WHERE = (
    "run gcloud auth application-default login, set GOOGLE_APPLICATION_CREDENTIALS, give gw a service account, or set "
    "google_credentials_file in [[upstream.credential]]"
)


def google(file: str = "") -> Bearer:
    """`file`: JSON of a service account or an external account; "" as the environment says."""
    return Bearer(_tokens(file))


def _tokens(file: str) -> Callable[[], Fetched[str]]:
    source: list[Any] = []

    def fetch() -> Fetched[str]:
        auth, request, failures = _library()
        try:
            if not source:
                source.append(_of_file(file) if file else auth.default(scopes=SCOPES)[0])
            source[0].refresh(request())
        except failures as error:
            of = f"with {file}" if file else "by Application Default Credentials"
            raise CredentialError(f"Google gives no token {of}: {scrubbed(str(error))}; {WHERE}") from None
        return Fetched(source[0].token, *lifetime(_left_s(source[0].expiry), EARLY_S))

    return fetch


def _of_file(file: str) -> Any:
    """By what the file says that it is. Raises ValueError, OSError, GoogleAuthError."""
    from google.auth import aws, identity_pool, impersonated_credentials  # noqa: PLC0415 - an extra
    from google.oauth2 import credentials, service_account  # noqa: PLC0415 - an extra

    said = json.loads(Path(file).read_text(encoding="utf-8"))
    kind = said.get("type") if isinstance(said, dict) else None
    outside = aws if kind == "external_account" and said.get("subject_token_type") == AWS_TOKEN else identity_pool
    loads: dict[object, Any] = {
        "service_account": service_account.Credentials.from_service_account_info,
        "external_account": outside.Credentials.from_info,
        "impersonated_service_account": impersonated_credentials.Credentials.from_impersonated_service_account_info,
        "authorized_user": credentials.Credentials.from_authorized_user_info,
    }
    if kind not in loads:
        raise ValueError(f"its type is {kind!r}, none of {', '.join(map(str, loads))}")
    return loads[kind](said, scopes=SCOPES)


def _left_s(expiry: datetime | None) -> float:
    """`expiry` is UTC, without saying so."""
    if expiry is None:
        return UNKNOWN_S
    return expiry.replace(tzinfo=UTC).timestamp() - clock.wall_us() / 1e6


def _library() -> tuple[Any, Any, tuple[type[Exception], ...]]:
    """(google.auth, its way to make requests, what it may raise)"""
    try:
        import google.auth  # noqa: PLC0415 - an extra
        import google.auth.exceptions  # noqa: PLC0415 - an extra
        from google.auth.transport.requests import Request  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise CredentialError(f"Google needs google-auth ({error}): pip install 'gw[vertex]'", permanent=True) from error
    return google.auth, Request, (google.auth.exceptions.GoogleAuthError, OSError, ValueError)
