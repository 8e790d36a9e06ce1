"""Which credential an account comes to, what each sends, and what they say where there is none."""

import builtins
from collections.abc import Callable

import pytest

from gw.credentials.account import Account, credential_of
from gw.credentials.aws import Aws
from gw.credentials.credential import CredentialError
from gw.credentials.renewed import Bearer
from gw.credentials.static import Key, Missing

SECRET = "sk-very-secret"


@pytest.mark.parametrize(
    ("auth", "lines"),
    [
        ("bearer", b"authorization: Bearer sk-very-secret\r\n"),
        ("x-api-key", b"x-api-key: sk-very-secret\r\n"),
        ("api-key", b"api-key: sk-very-secret\r\n"),
        ("x-goog-api-key", b"x-goog-api-key: sk-very-secret\r\n"),
        ("azure", b"api-key: sk-very-secret\r\nx-api-key: sk-very-secret\r\n"),
        ("none", b""),
    ],
)
@pytest.mark.parametrize("kind", ["key", "aws", "google", "azure", "none"])
async def test_an_api_key_wins_whatever_the_kind(kind: str, auth: str, lines: bytes) -> None:
    credential = credential_of(Account(kind, auth, api_key=SECRET))
    await credential.ready()
    assert credential.usable
    assert credential.head() == credential.sign(b"POST", "https://h/", b"", b"") == lines


@pytest.mark.parametrize(
    ("kind", "made"), [("key", Missing), ("none", Key), ("aws", Aws), ("google", Bearer), ("azure", Bearer)]
)
def test_without_one_the_kind_decides(kind: str, made: type) -> None:
    assert type(credential_of(Account(kind))) is made


async def test_what_is_missing_says_why() -> None:
    credential = credential_of(Account("key", reason="environment variable GROQ_API_KEY is not set or empty"))
    assert not credential.usable
    for ask in (credential.head, lambda: credential.sign(b"POST", "https://h/", b"", b"")):
        with pytest.raises(CredentialError, match="GROQ_API_KEY"):
            ask()
    with pytest.raises(CredentialError, match="GROQ_API_KEY") as raised:
        await credential.ready()
    assert raised.value.permanent


@pytest.mark.parametrize(
    ("kind", "library", "extra"),
    [("aws", "botocore", "bedrock"), ("google", "google", "vertex"), ("azure", "azure", "azure")],
)
async def test_a_library_that_is_not_there_is_named_with_its_extra(
    kind: str, library: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: Callable[..., object] = builtins.__import__

    def refuse(name: str, *args: object, **more: object) -> object:
        if name.partition(".")[0] == library:
            raise ImportError(f"No module named '{library}'")
        return there(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(CredentialError, match=rf"pip install 'gw\[{extra}\]'") as raised:
        await credential_of(Account(kind)).ready()
    assert raised.value.permanent


def test_an_account_shows_no_secret() -> None:
    account = Account("aws", api_key=SECRET, aws_secret_access_key=SECRET, aws_session_token=SECRET, azure_client_secret=SECRET)
    assert SECRET not in repr(account) and SECRET not in str(account)
