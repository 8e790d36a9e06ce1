"""AWS credentials: found as AWS's own tools find them (botocore), or as configured; signatures made here (`sigv4`).

botocore renews temporary keys a quarter of an hour before they end; it is asked once a minute, in a thread, since it may ask a
metadata service, STS or a program. Signing is done with the keys of the last answer, so no call waits.
"""

from collections.abc import Callable
from typing import Any

from gw import clock
from gw.credentials.credential import CredentialError
from gw.credentials.renewed import Fetched, Renewed, scrubbed
from gw.credentials.sigv4 import Keys, signature_lines

ASK_S = 60  # how often botocore is asked
HOLDS_S = 9 * 60  # it gives nothing out that ends within ten minutes
ROLE_SESSION = "gw"
WHERE = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE or AWS_BEARER_TOKEN_BEDROCK, give gw an instance or task role, "
    "or configure [[upstream.credential]]"
)


class Aws:
    """Signs for one service and region. `keys`: where they come from, see `found_keys`."""

    def __init__(self, service: str, region: str, keys: Callable[[], Fetched[Keys]]) -> None:
        self._service = service
        self._region = region
        self._keys = Renewed(keys)

    @property
    def usable(self) -> bool:
        return self._keys.usable

    async def ready(self) -> None:
        await self._keys.ready()

    def head(self) -> bytes | None:
        return None

    def sign(self, method: bytes, url: str, head: bytes, body: bytes) -> bytes:
        keys = self._keys.value
        at_us = clock.wall_us()
        return signature_lines(keys, self._service, self._region, at_us, method=method, url=url, head=head, body=body)


def found_keys(
    region: str,
    *,
    profile: str = "",
    access_key_id: str = "",
    secret_access_key: str = "",
    session_token: str = "",
    role_arn: str = "",
    external_id: str = "",
) -> Callable[[], Fetched[Keys]]:
    """For `Aws`: static keys if they are given, else what the profile or the environment has; then the role, if one is named."""
    static = Keys(access_key_id, secret_access_key, session_token) if access_key_id else None
    if static is not None and not role_arn:
        for_ever = Fetched(static, float(10**9), float(10**9))
        return lambda: for_ever
    source: list[Any] = []  # botocore's credentials, made at the first fetch

    def fetch() -> Fetched[Keys]:
        botocore, failures = _botocore()
        try:
            if not source:
                made = _source(botocore, region, profile=profile, static=static, role_arn=role_arn, external_id=external_id)
                source.append(made)
            frozen = source[0].get_frozen_credentials()
        except failures as error:
            about = f"the role {role_arn}" if role_arn else "the AWS credentials"
            reason = scrubbed(str(error), secret_access_key, session_token)
            raise CredentialError(f"{about} cannot be had: {reason}; {WHERE}") from None
        return Fetched(Keys(frozen.access_key, frozen.secret_key, frozen.token or ""), ASK_S, HOLDS_S)

    return fetch


def _botocore() -> tuple[Any, tuple[type[Exception], ...]]:
    """(the module with its parts loaded, what it may raise)"""
    try:
        import botocore.credentials  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
        import botocore.exceptions  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
        import botocore.session  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise CredentialError(f"AWS needs botocore ({error}): pip install 'gw[bedrock]'", permanent=True) from error
    failures = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, OSError, ValueError, RuntimeError)
    return botocore, failures


def _source(botocore: Any, region: str, *, profile: str, static: Keys | None, role_arn: str, external_id: str) -> Any:
    session = botocore.session.Session(profile=profile or None)
    session.set_config_variable("region", region)
    if static is not None:
        found = botocore.credentials.Credentials(static.access_key_id, static.secret_access_key, static.token or None)
    else:
        found = session.get_credentials()
    if found is None:
        raise CredentialError(f"there are no AWS credentials; {WHERE}")
    if not role_arn:
        return found
    fetcher = botocore.credentials.AssumeRoleCredentialFetcher(
        session.create_client,
        found,
        role_arn,
        extra_args={"RoleSessionName": ROLE_SESSION, **({"ExternalId": external_id} if external_id else {})},
    )
    return botocore.credentials.DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
