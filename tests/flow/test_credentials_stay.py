"""What an upstream says of gw's credential reaches no client with the credential in it."""

from pathlib import Path

import orjson
import pytest

from gw.demo import answers
from gw.demo.exchange import Chunk, Reply
from gw.preparing import straight
from tests.flow.landscape import landscape

SECRETS = ("sk-first-0123456789", "sk-second-0123456789", "tenant-0123456789")
CONFIG = """
[pricing]
unknown_model = "allow_unpriced"
[[upstream]]
name = "lab"
provider = "custom"
dialect = "{dialect}"
base_url = "@lab@"
headers = {{ "x-tenant" = "tenant-0123456789" }}
[[upstream.credential]]
name = "a"
api_key = "sk-first-0123456789"
[[upstream.credential]]
name = "b"
api_key = "sk-second-0123456789"
[[key]]
name = "ada"
team = "a"
secret = "#ada#"
[[team]]
name = "a"
"""


@pytest.mark.parametrize("dialect", ["anthropic", "chat"])
@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_the_upstream_repeats_is_not_shown(tmp_path: Path, dialect: str, status: int) -> None:
    said = orjson.dumps({"error": {"type": f"no {SECRETS[0]}", "message": f"Wrong: {' '.join(SECRETS)}. Ask your operator."}})
    reply = Reply(status, answers.JSON_HEADERS, [Chunk(said)])
    async with landscape(tmp_path, CONFIG.format(dialect=dialect), lab=lambda request: reply) as house:
        body = {"model": "claude-opus-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        answered = await house.send(body, key="ada")
    assert answered.headers["x-gw-error"] == "upstream_credential_refused"
    assert b"Ask your operator" in answered.body
    assert not [secret for secret in SECRETS if secret.encode() in answered.body]


NONE = """
[[upstream]]
name = "aws"
provider = "bedrock"
region = "us-east-1"
base_url = "@aws@"
[[upstream.credential]]
name = "a"
aws_profile = "there-is-none-of-this-name"
[[key]]
name = "ada"
team = "a"
secret = "#ada#"
[[team]]
name = "a"
"""


@pytest.mark.parametrize("path", ["/bedrock/guardrail/g/version/1/apply", "/bedrock/model/anthropic.claude-opus-5-5/converse"])
async def test_a_credential_that_cannot_be_had_is_no_bug_of_gws(tmp_path: Path, path: str) -> None:
    async with landscape(tmp_path, "[pricing]\nunknown_model = 'allow_unpriced'" + NONE) as house:
        answered = await house.send({"messages": [{"role": "user", "content": [{"text": "hi"}]}]}, key="ada", path=path)
    assert answered.headers["x-gw-error"] == "upstream_no_credential"
    assert (answered.row.outcome, answered.row.error) == ("refused", "upstream_no_credential")
    assert not house.asked()


@pytest.mark.parametrize("name", ["x-amz-date", "X-Amz-Security-Token", "x-amz-content-sha256"])
def test_what_a_client_says_of_a_signature_does_not_stand_beside_gws(name: str) -> None:
    kept = b"x-amzn-trace-id: 1\r\nanthropic-beta: x-amz-date: 1\r\n"
    assert straight(b"%b: 20260101T000000Z\r\n" % name.encode() + kept) == kept
