"""What keys of [[upstream]] say about each other, and about their provider. Part of `rules.py`."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path as File

from gw.config.locate import Path
from gw.config.secret import Secret
from gw.config.upstream_model import Credential, Upstream
from gw.providers.registry import provider_of

Finding = tuple[Path, str]
PROBE_LEAST_S = 0.5  # more often it would be load, not a question
_PATH = re.compile(r"/[!-~]*")
CUSTOM = ("custom", "openai_compatible")
# Fields of a credential by the cloud they are of.
CLOUDS = {
    "aws": ("aws_profile", "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_role_arn", "aws_external_id"),
    "google": ("google_credentials_file",),
    "azure": ("azure_tenant_id", "azure_client_id", "azure_client_secret"),
}
PAIRS = (
    ("aws_access_key_id", "aws_secret_access_key"),
    ("aws_secret_access_key", "aws_access_key_id"),
    ("aws_session_token", "aws_access_key_id"),
    ("aws_external_id", "aws_role_arn"),
    ("azure_client_secret", "azure_client_id"),
    ("azure_client_secret", "azure_tenant_id"),
    ("azure_tenant_id", "azure_client_secret"),
)


def problems(upstreams: tuple[Upstream, ...]) -> Iterator[Finding]:
    """Every reason why one of them could not be used."""
    for position, upstream in enumerate(upstreams):
        path: Path = ("upstream", position)
        for key, message in _of_provider(upstream):
            yield (*path, key), message
        if upstream.probe_path and not _PATH.fullmatch(upstream.probe_path):
            yield (*path, "probe_path"), 'is a path from "/" on, such as "/health", in ASCII and without spaces'
        if 0 < upstream.probe_s < PROBE_LEAST_S:
            yield (*path, "probe_s"), f"is 0 or at least {PROBE_LEAST_S} s"
        if upstream.proxy.missing:
            yield (*path, "proxy"), upstream.proxy.reason
        if upstream.ca_file and not File(upstream.ca_file).is_file():
            yield (*path, "ca_file"), f"there is no file {upstream.ca_file}"
        first: dict[str, int] = {}
        for nth, credential in enumerate(upstream.credential):
            here = (*path, "credential", nth)
            if first.setdefault(credential.name, nth) != nth:
                yield (*here, "name"), f'duplicate name "{credential.name}" within the upstream "{upstream.name}"'
            yield from _credential(upstream, credential, here)


def warnings(upstreams: tuple[Upstream, ...], origins: Mapping[Path, str]) -> Iterator[Finding]:
    """What is allowed and probably not meant."""
    for position, upstream in enumerate(upstreams):
        path: Path = ("upstream", position)
        given = origins.get((*path, "api_key"), "default") != "default"
        if upstream.credential and given:
            yield (*path, "api_key"), "is not used: the upstream has [[upstream.credential]]"
        elif upstream.api_key.missing and (given or not upstream.authorised):
            yield (*path, "api_key"), f"{upstream.api_key.reason}: virtual keys cannot use this upstream"
        for nth, credential in enumerate(upstream.credential):
            if credential.api_key.missing:
                yield (*path, "credential", nth, "api_key"), f"{credential.api_key.reason}: this credential is not used"


def secrets(upstreams: tuple[Upstream, ...]) -> Iterator[tuple[Path, Secret]]:
    """Those that should not be literals."""
    for position, upstream in enumerate(upstreams):
        yield ("upstream", position, "api_key"), upstream.api_key
        for nth, credential in enumerate(upstream.credential):
            for name in ("api_key", "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "azure_client_secret"):
                yield ("upstream", position, "credential", nth, name), getattr(credential, name)


def missing(upstream: Upstream) -> Iterator[tuple[Path, str]]:
    """(path within the upstream, why) of what keeps it from serving virtual keys; nothing if it can."""
    if upstream.authorised:
        return
    for nth, credential in enumerate(upstream.credential):
        yield ("credential", nth, "api_key"), credential.api_key.reason
    if not upstream.credential:
        yield ("api_key",), upstream.api_key.reason if upstream.api_key.missing else "is empty"


def _kind(upstream: Upstream) -> str:
    place = upstream.place
    return provider_of(place).credential(place)


def _of_provider(upstream: Upstream) -> Iterator[tuple[str, str]]:
    provider, place = provider_of(upstream.place), upstream.place
    yield from provider.lacking(place)
    if upstream.dialect and upstream.provider not in CUSTOM:
        yield "dialect", f'is for custom providers; what "{upstream.provider}" speaks is known, and api chooses where it can'
    if upstream.provider == "openai_compatible" and upstream.dialect not in ("", "chat", "responses"):
        yield "dialect", f'is not OpenAI\'s; write provider = "custom" for one that speaks {upstream.dialect}'
    if upstream.api not in ("auto", *provider.apis):
        choice = ", ".join(f'"{api}"' for api in ("auto", *provider.apis))
        yield "api", f'"{upstream.provider}" knows {choice}, not "{upstream.api}"'


def _credential(upstream: Upstream, credential: Credential, path: Path) -> Iterator[Finding]:
    kind = _kind(upstream)
    for cloud, names in CLOUDS.items():
        for name in names:
            if getattr(credential, name) and cloud != kind:
                yield (*path, name), f'means nothing to the provider "{upstream.provider}"'
    given = [name for names in CLOUDS.values() for name in names if getattr(credential, name)]
    if credential.api_key.reference and given:
        yield path, f'credential "{credential.name}" has an api_key and {given[0]}; keep one of the two'
    if not credential.api_key.reference and kind in ("key", "none"):
        yield (*path, "api_key"), f'is required: "{upstream.provider}" knows no other credential'
    for one, other in PAIRS:
        if getattr(credential, one) and not getattr(credential, other):
            yield (*path, one), f"wants {other} beside it"
    for name in ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "azure_client_secret"):
        secret: Secret = getattr(credential, name)
        if secret.missing:
            yield (*path, name), secret.reason
    if credential.google_credentials_file and not File(credential.google_credentials_file).is_file():
        yield (*path, "google_credentials_file"), f"there is no file {credential.google_credentials_file}"
