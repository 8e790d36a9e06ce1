"""AWS credentials are found as AWS's own tools find them, roles are assumed, and all of it beside the loop."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from gw import clock
from gw.credentials.aws import Aws, found_keys
from gw.credentials.credential import CredentialError

ROLE = "arn:aws:iam::123456789012:role/gw-bedrock"
URL = "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse"


@pytest.fixture(autouse=True)
def nothing_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials from this machine, and no metadata service."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))


@pytest.fixture(scope="module")
def sts() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


async def authorization(aws: Aws) -> str:
    await aws.ready()
    assert aws.usable and aws.head() is None
    return aws.sign(b"POST", URL, b"content-type: application/json\r\n", b"{}").decode()


async def test_static_keys_sign_without_a_library() -> None:
    keys = found_keys("us-east-1", access_key_id="AKIA1", secret_access_key="s")
    lines = await authorization(Aws("bedrock", "us-east-1", keys))
    assert "Credential=AKIA1/" in lines and "/us-east-1/bedrock/aws4_request" in lines


async def test_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "tok")
    lines = await authorization(Aws("bedrock", "eu-west-1", found_keys("eu-west-1")))
    assert "Credential=AKIAENV/" in lines and "x-amz-security-token: tok\r\n" in lines


async def test_a_profile_is_read(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("[ai]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = s\n")
    lines = await authorization(Aws("bedrock", "us-east-1", found_keys("us-east-1", profile="ai")))
    assert "Credential=AKIAPROFILE/" in lines


async def test_a_role_is_assumed_and_its_token_sent(sts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts)
    keys = found_keys(
        "us-east-1", access_key_id="AKIASOURCE", secret_access_key="s", role_arn=ROLE, external_id="contract-7"
    )
    lines = await authorization(Aws("bedrock", "us-east-1", keys))
    assert "Credential=ASIA" in lines and "AKIASOURCE" not in lines
    assert "x-amz-security-token: " in lines


async def test_keys_are_asked_for_again_each_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now_ns = clock.mono_ns()
    monkeypatch.setattr(clock, "mono_ns", lambda: now_ns)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    aws = Aws("bedrock", "us-east-1", found_keys("us-east-1"))
    await aws.ready()
    now_ns += 59 * 10**9
    assert aws.usable
    now_ns += 2 * 10**9
    assert not aws.usable
    await aws.ready()
    assert aws.sign(b"POST", URL, b"", b"")


async def test_without_any_the_message_says_what_to_set() -> None:
    aws = Aws("bedrock", "us-east-1", found_keys("us-east-1"))
    with pytest.raises(CredentialError, match=r"no AWS credentials; set AWS_ACCESS_KEY_ID .* AWS_BEARER_TOKEN_BEDROCK"):
        await aws.ready()


async def test_a_profile_that_is_not_there_is_named() -> None:
    with pytest.raises(CredentialError, match=r"profile .*nobody.* could not be found"):
        await Aws("bedrock", "us-east-1", found_keys("us-east-1", profile="nobody")).ready()


async def test_a_role_that_cannot_be_had_is_named_and_no_secret_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    keys = found_keys("us-east-1", access_key_id="AKIASOURCE", secret_access_key="very-secret", role_arn=ROLE)
    with pytest.raises(CredentialError, match="the role arn:aws:iam::123456789012:role/gw-bedrock cannot be had") as raised:
        await Aws("bedrock", "us-east-1", keys).ready()
    assert "very-secret" not in str(raised.value)
