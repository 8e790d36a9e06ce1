"""Signatures are those of AWS's own signer, for any request."""

import re
import string

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from gw.credentials.sigv4 import Keys, signature_lines

KEYS = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
AT_US = 1_795_000_000_000_000
HOST = "https://bedrock-runtime.us-east-1.amazonaws.com"
ARN = "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc"


def theirs(keys: Keys, url: str, headers: dict[str, str], body: bytes, service: str, region: str, stamp: str) -> str:
    """What botocore says at the moment of `stamp`."""
    request = AWSRequest("POST", url, headers={**headers, "X-Amz-Date": stamp}, data=body)
    request.context["timestamp"] = stamp
    signer = SigV4Auth(Credentials(keys.access_key_id, keys.secret_access_key, keys.token or None), service, region)
    if keys.token:
        request.headers["X-Amz-Security-Token"] = keys.token
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return signer.signature(text, request)


def ours(keys: Keys, url: str, headers: dict[str, str], body: bytes, service: str, region: str) -> dict[str, str]:
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
    lines = signature_lines(keys, service, region, AT_US, method=b"POST", url=url, head=head, body=body)
    assert lines.endswith(b"\r\n")
    return dict(line.split(": ", 1) for line in lines.decode().split("\r\n") if line)


@pytest.mark.parametrize("token", ["", "a/temporary+token=="])
@pytest.mark.parametrize(
    "path",
    [
        "/model/us.anthropic.claude-opus-5-5/converse-stream",
        "/model/anthropic.claude-3-haiku-20240307-v1%3A0/invoke",
        f"/model/{ARN}/invoke-with-response-stream",
        "/anthropic/v1/messages?beta=true",
        "/x?b=2&a=1&a=0&c",
        "",
    ],
)
def test_a_signature_is_botocores(path: str, token: str) -> None:
    keys = KEYS._replace(token=token)
    found = ours(keys, HOST + path, {"content-type": "application/json"}, b'{"a":1}', "bedrock", "us-east-1")
    wanted = theirs(
        keys, HOST + path, {"content-type": "application/json"}, b'{"a":1}', "bedrock", "us-east-1", found["x-amz-date"]
    )
    assert found["authorization"].endswith(f"Signature={wanted}")
    assert found["x-amz-date"] == "20261118T110640Z"
    assert found.get("x-amz-security-token", "") == token


segments = st.text(string.ascii_letters + string.digits + "-._~%+@,;=:!$&'()*", min_size=1, max_size=12)


@given(
    st.lists(segments.filter(lambda text: text not in (".", "..")), min_size=1, max_size=4),
    st.dictionaries(st.from_regex(r"x-amzn?-[a-z]{1,8}", fullmatch=True), st.text("abc  ;,/=", max_size=8), max_size=3),
    st.binary(max_size=64),
    st.sampled_from(["bedrock", "bedrock-mantle", "aws-external-anthropic"]),
)
def test_any_request_is_signed_as_botocore_signs_it(parts: list[str], headers: dict[str, str], body: bytes, service: str) -> None:
    headers = {name: value for name, value in headers.items() if name not in ("x-amz-date", "x-amz-security-token")}
    url = f"{HOST}/" + "/".join(part.replace("%", "%25") for part in parts)
    found = ours(KEYS, url, headers, body, service, "eu-central-1")
    wanted = theirs(KEYS, url, headers, body, service, "eu-central-1", found["x-amz-date"])
    assert found["authorization"].endswith(f"Signature={wanted}")


def test_only_what_is_on_its_way_is_signed() -> None:
    """User agents and the like may be changed by a proxy."""
    headers = {"content-type": "application/json", "user-agent": "x", "x-amzn-bedrock-trace": "ENABLED", "accept": "*/*"}
    found = ours(KEYS, HOST + "/model/m/invoke", headers, b"", "bedrock", "us-east-1")
    assert "SignedHeaders=content-type;host;x-amz-date;x-amzn-bedrock-trace," in found["authorization"]
    assert re.search(r"Credential=AKIDEXAMPLE/20261118/us-east-1/bedrock/aws4_request,", found["authorization"])


def test_keys_show_no_secret() -> None:
    keys = KEYS._replace(token="a-token")
    assert "EXAMPLE" not in repr(keys) and "token" not in f"{keys}"
