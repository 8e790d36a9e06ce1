"""Google's tokens: from a service account's file or the environment, kept until they end, fetched beside the loop."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gw import clock
from gw.credentials.credential import CredentialError
from gw.credentials.google import google


class Tokens(ThreadingHTTPServer):
    """A token endpoint: tok-1, tok-2, ...; or refuses."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, list[str]]] = []
        self.refuses = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/token"


class _Handler(BaseHTTPRequestHandler):
    server: Tokens

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.server.asked.append(parse_qs(body))
        count = len(self.server.asked)
        said = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
        if not self.server.refuses:
            said = {"access_token": f"tok-{count}", "expires_in": 3600, "token_type": "Bearer"}
        answer = json.dumps(said).encode()
        self.send_response(400 if self.server.refuses else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def tokens() -> Iterator[Tokens]:
    server = Tokens()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def key() -> str:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.fixture
def account(tokens: Tokens, key: str, tmp_path: Path) -> Path:
    path = tmp_path / "account.json"
    said = {"type": "service_account", "client_email": "gw@p.iam.gserviceaccount.com", "token_uri": tokens.url}
    path.write_text(json.dumps({**said, "private_key": key, "project_id": "p", "private_key_id": "1", "client_id": "2"}))
    return path


async def test_a_service_account_gets_a_token_and_keeps_it(tokens: Tokens, account: Path) -> None:
    credential = google(str(account))
    assert not credential.usable
    for _ in range(3):
        await credential.ready()
        assert credential.usable
        assert credential.head() == b"authorization: Bearer tok-1\r\n"
    assert [one["grant_type"] for one in tokens.asked] == [["urn:ietf:params:oauth:grant-type:jwt-bearer"]]


async def test_a_token_is_renewed_before_its_end_and_no_call_waits(
    tokens: Tokens, account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ns = clock.mono_ns()
    monkeypatch.setattr(clock, "mono_ns", lambda: now_ns)
    credential = google(str(account))
    await credential.ready()
    now_ns += 3310 * 10**9  # less than five minutes are left
    assert not credential.usable
    await credential.ready()
    assert credential.head() == b"authorization: Bearer tok-1\r\n"
    now_ns += 300 * 10**9  # now it has ended
    await credential.ready()
    assert credential.head() == b"authorization: Bearer tok-2\r\n"


async def test_the_environment_is_asked(tokens: Tokens, account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
    credential = google()
    await credential.ready()
    assert credential.head() == b"authorization: Bearer tok-1\r\n"


async def test_a_workload_identity_is_exchanged(tokens: Tokens, tmp_path: Path) -> None:
    (tmp_path / "subject").write_text("a-kubernetes-token")
    path = tmp_path / "identity.json"
    said = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/k8s",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": tokens.url,
        "credential_source": {"file": str(tmp_path / "subject")},
    }
    path.write_text(json.dumps(said))
    credential = google(str(path))
    await credential.ready()
    assert credential.head() == b"authorization: Bearer tok-1\r\n"
    assert tokens.asked[0]["subject_token"] == ["a-kubernetes-token"]


async def test_a_refusal_says_why_and_what_to_set(tokens: Tokens, account: Path, key: str) -> None:
    tokens.refuses = True
    message = r"Google gives no token with .*account\.json: .*Invalid JWT Signature.*; run gcloud"
    with pytest.raises(CredentialError, match=message) as raised:
        await google(str(account)).ready()
    assert key.splitlines()[1] not in str(raised.value)


async def test_without_any_the_message_says_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(CredentialError, match=r"Application Default Credentials: .*; run gcloud auth .* google_credentials_file"):
        await google().ready()


async def test_a_file_that_is_no_credential_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"type": "nothing"}')
    with pytest.raises(CredentialError, match=r"x\.json"):
        await google(str(path)).ready()
