"""What an upstream's table means, for who shows it: what is spoken there, and which credentials it has. No secret leaves here."""

from collections.abc import Iterator
from typing import NamedTuple

from gw.config.upstream_model import Credential, Upstream
from gw.providers.registry import provider_of

# Where patterns leave open which model it is, a name of each kind that providers speak differently to.
SAMPLES = ("claude-opus-5-5", "gpt-5.1", "gpt-4o", "gemini-3-pro", "meta/llama-3.3-70b")
CLIENTS = ("anthropic", "chat", "responses", "gemini", "converse", "invoke")
OPERATIONS = ("messages", "responses")
NOT_NEEDED = "none needed"
SPOKEN = {"vertex_anthropic": "anthropic", "invoke": "anthropic (InvokeModel)"}


class CredentialFact(NamedTuple):
    """`name`: "" of an upstream's only one. `source`: where it comes from, by reference. `there`: None of what only the cloud
    can say."""

    name: str
    source: str
    there: bool | None
    weight: int


def dialects_of(upstream: Upstream) -> tuple[str, ...]:
    """In which it may be spoken to, for conversations with the models that it serves."""
    place, rules = upstream.place, provider_of(upstream.place)
    said = [name.replace("*", "").replace("?", "") for name in (*upstream.models, *upstream.model_map.values())]
    names = [name for name in said if name] if all(said) else [*filter(None, said), *SAMPLES]
    found = {
        rules.dialect(place, name, operation, client)  # type: ignore[arg-type]  # words of its Literal
        for name in names
        for operation in OPERATIONS
        for client in CLIENTS
    }
    return tuple(sorted({SPOKEN.get(one, one) for one in found if one}))


def credentials_of(upstream: Upstream) -> tuple[CredentialFact, ...]:
    return tuple(_facts(upstream))


def _facts(upstream: Upstream) -> Iterator[CredentialFact]:
    kind = provider_of(upstream.place).credential(upstream.place)
    for one in upstream.credential:
        if one.api_key.reference:
            yield CredentialFact(one.name, one.api_key.reference, bool(one.api_key), one.weight)
        else:
            yield CredentialFact(one.name, _of_cloud(kind, one), None, one.weight)
    if upstream.credential:
        return
    key = upstream.api_key
    if key or kind == "key":
        yield CredentialFact("", key.reference or "api_key", bool(key), 1)
    elif kind == "none":
        yield CredentialFact("", NOT_NEEDED, True, 1)
    else:
        yield CredentialFact("", _of_cloud(kind, Credential(name="")), None, 1)


def _of_cloud(kind: str, one: Credential) -> str:
    """In words; ids of accounts are no secrets, keys are."""
    if kind == "aws":
        own = "a static key" if one.aws_access_key_id else "as AWS's tools find it"
        start = f"profile {one.aws_profile}" if one.aws_profile else own
        return f"AWS: {start}{f', as {one.aws_role_arn}' if one.aws_role_arn else ''}"
    if kind == "google":
        return f"Google: {one.google_credentials_file or 'Application Default Credentials'}"
    if one.azure_client_secret:
        return f"Entra ID: application {one.azure_client_id}"
    return f"Entra ID: {f'managed identity {one.azure_client_id}' if one.azure_client_id else 'as the tools of Azure find it'}"
