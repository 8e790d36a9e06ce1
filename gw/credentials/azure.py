"""Entra ID: tokens of an application, a managed identity, or whatever Azure's own tools would take."""

from collections.abc import Callable
from typing import Any

from gw import clock
from gw.credentials.credential import CredentialError
from gw.credentials.renewed import Bearer, Fetched, lifetime, scrubbed

SCOPE = "https://cognitiveservices.azure.com/.default"
EARLY_S = 300
WHERE = (
    "set an api_key, run az login, give gw a managed identity, or set azure_tenant_id, azure_client_id and azure_client_secret "
    "in [[upstream.credential]]"
)


def azure(tenant_id: str = "", client_id: str = "", client_secret: str = "", scope: str = SCOPE) -> Bearer:
    """All three: an application. The client's id alone: a managed identity. None: the chain of Azure's own tools."""
    return Bearer(_tokens(tenant_id, client_id, client_secret, scope))


def _tokens(tenant_id: str, client_id: str, client_secret: str, scope: str) -> Callable[[], Fetched[str]]:
    source: list[Any] = []

    def fetch() -> Fetched[str]:
        identity, failures = _library()
        try:
            if not source:
                source.append(_source(identity, tenant_id, client_id, client_secret))
            token = source[0].get_token(scope)
        except failures as error:
            raise CredentialError(f"Entra ID gives no token: {scrubbed(str(error), client_secret)}; {WHERE}") from None
        return Fetched(token.token, *lifetime(token.expires_on - clock.wall_us() / 1e6, EARLY_S))

    return fetch


def _source(identity: Any, tenant_id: str, client_id: str, client_secret: str) -> Any:
    if client_secret:
        return identity.ClientSecretCredential(tenant_id, client_id, client_secret)
    if client_id:
        return identity.ManagedIdentityCredential(client_id=client_id)
    return identity.DefaultAzureCredential()


def _library() -> tuple[Any, tuple[type[Exception], ...]]:
    """(azure.identity, what it may raise)"""
    try:
        import azure.core.exceptions  # noqa: PLC0415 - an extra
        import azure.identity  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise CredentialError(f"Azure needs azure-identity ({error}): pip install 'gw[azure]'", permanent=True) from error
    return azure.identity, (azure.core.exceptions.AzureError, OSError, ValueError)
