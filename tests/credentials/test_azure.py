"""Entra ID's tokens: of an application, of a managed identity, or of the chain of Azure's own tools."""

import azure.identity
import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from gw import clock
from gw.credentials.azure import SCOPE
from gw.credentials.azure import azure as entra
from gw.credentials.credential import CredentialError

made: list[tuple[str, tuple[object, ...], dict[str, object]]] = []


def fake(kind: str, fails: str = "") -> type:
    class Fake:
        def __init__(self, *given: object, **named: object) -> None:
            made.append((kind, given, named))
            self.count = 0

        def get_token(self, *scopes: str) -> AccessToken:
            assert scopes == (SCOPE,)
            self.count += 1
            if fails:
                raise ClientAuthenticationError(fails)
            return AccessToken(f"{kind}-{self.count}", clock.wall_us() // 10**6 + 3600)

    return Fake


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    made.clear()
    for kind in ("ClientSecretCredential", "ManagedIdentityCredential", "DefaultAzureCredential"):
        monkeypatch.setattr(azure.identity, kind, fake(kind))


@pytest.mark.parametrize(
    ("given", "kind", "arguments"),
    [
        (("tenant", "client", "secret"), "ClientSecretCredential", (("tenant", "client", "secret"), {})),
        (("", "client", ""), "ManagedIdentityCredential", ((), {"client_id": "client"})),
        ((), "DefaultAzureCredential", ((), {})),
    ],
)
async def test_what_is_configured_decides_whose_token_it_is(given, kind, arguments) -> None:
    credential = entra(*given)
    assert not made, "nothing is loaded before the first call"
    await credential.ready()
    await credential.ready()
    assert made == [(kind, *arguments)]
    assert credential.head() == f"authorization: Bearer {kind}-1\r\n".encode()


async def test_a_token_is_renewed_five_minutes_before_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now_ns = clock.mono_ns()
    monkeypatch.setattr(clock, "mono_ns", lambda: now_ns)
    credential = entra()
    await credential.ready()
    now_ns += 3290 * 10**9
    assert credential.usable
    now_ns += 20 * 10**9
    assert not credential.usable


async def test_a_refusal_says_what_to_set_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = fake("ClientSecretCredential", "AADSTS7000215: Invalid client secret provided: 'hush-hush'.\r\nTrace ID: 1")
    monkeypatch.setattr(azure.identity, "ClientSecretCredential", failing)
    with pytest.raises(CredentialError, match=r"AADSTS7000215.*; set an api_key, run az login") as raised:
        await entra("tenant", "client", "hush-hush").ready()
    assert "hush-hush" not in str(raised.value) and "\n" not in str(raised.value)
