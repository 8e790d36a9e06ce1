"""The OpenAPI document says what is there, is valid, and needs no network to be read; and a bounded pass of schemathesis."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis

from gw.control.http_docs import FILES
from gw.control.http_operations import OPERATIONS, openapi_document
from gw.control.http_schema import PLURALS
from gw.control.problem import PROBLEMS
from tests.control.api import CONFIG, TOKEN, Api
from tests.support.gateway import GatewayUnderTest

SCHEMATHESIS = Path(__file__).with_name("schemathesis.toml")
DRAFT = "https://json-schema.org/draft/2020-12/schema"


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method.upper(), one) for path, methods in document["paths"].items() for method, one in methods.items()]


def references(part: object) -> set[str]:
    if isinstance(part, dict):
        own = {part["$ref"]} if "$ref" in part else set()
        return own.union(*(references(inner) for inner in part.values()))
    return set().union(*(references(inner) for inner in part)) if isinstance(part, list | tuple) else set()


async def test_the_document_is_valid_and_whole(api: Api) -> None:
    answer = await api.ask("GET", "/api/openapi.json", token=None)
    document = answer.json
    schemathesis.openapi.from_dict(document).validate()
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        jsonschema_rs.meta.validate({**schema, "$schema": DRAFT})
    assert references(document) == {f"#/components/schemas/{name}" for name in schemas}, "none missing, none unused"


UNVERSIONED = {("DELETE", "/api/alerts/{name}/silence")}  # nobody can have changed it meanwhile in a way that matters
OPEN = {("GET", "/api/docs"), ("GET", "/api/openapi.json"), ("POST", "/api/session"), ("DELETE", "/api/session")}


def test_every_operation_is_described_and_protected() -> None:
    document = openapi_document()
    found = operations(document)
    assert len(found) == len(OPERATIONS)
    ids = [one["operationId"] for _, _, one in found]
    assert len(set(ids)) == len(ids)
    tags = {tag["name"] for tag in document["tags"]}
    for path, method, one in found:
        where = f"{method} {path}"
        assert one["summary"] and set(one["tags"]) <= tags, where
        in_path = set(re.findall(r"{(\w+)}", path))
        assert in_path == {part["name"] for part in one.get("parameters", []) if part["in"] == "path" and part["required"]}, where
        assert (one.get("security") == []) == ((method, path) in OPEN), where
        assert ("401" in one["responses"]) == ((method, path) not in OPEN - {("POST", "/api/session")}), where
        if method in ("PATCH", "DELETE") and (method, path) not in {*OPEN, *UNVERSIONED}:
            assert {"412", "428"} <= one["responses"].keys(), where


async def test_what_is_answered_is_what_the_document_says(api: Api) -> None:
    """Each kind as shown and in lists, and every view, against its schema."""
    document = openapi_document()
    await api.made("keys", name="alice", expires="2031-01-01T00:00:00Z")
    await api.made("limits", name="fast", team="platform", usd="1.5", per="1h", burst="3")
    paths = {f"/api/{plural}": f"{kind.capitalize()}Page" for kind, plural in PLURALS.items()}
    paths |= {"/api/keys/alice": "Key", "/api/limits/fast": "Limit", "/api/accounts/key/ci": "AccountView"}
    paths |= {"/api/audit": "AuditPage", "/api/config": "ConfigView", "/api/status": "StatusView", "/api/nothing": "Problem"}
    for path, name in paths.items():
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"], "$schema": DRAFT}
        jsonschema_rs.validator_for(schema).validate((await api.ask("GET", path)).json)


async def test_the_page_loads_nothing_and_runs_only_its_own_script(api: Api) -> None:
    answer = await api.ask("GET", "/api/docs", token=None)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = answer.body.decode()
    assert not re.findall(r"(?:src|href|url|@import)\s*[=(]?\s*[\"']?(?:https?:)?//", page)
    assert "innerHTML" not in page and "eval(" not in page and "<script src" not in page and "<link" not in page
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-") and "unsafe" not in policy
    assert {path.name for path in FILES.iterdir()} == {"docs.html", "docs.css", "docs.js"}


def test_every_problem_is_explained() -> None:
    document = openapi_document()
    assert {one["slug"] for one in document["x-problems"]} == set(PROBLEMS)
    assert document["components"]["schemas"]["Problem"]["properties"]["slug"]["enum"] == list(PROBLEMS)
    assert all(kind.hint.endswith(".") and not kind.title.endswith(".") for kind in PROBLEMS.values())


@pytest.mark.parametrize(
    ("header", "left_out"),
    [("If-Match: *", ("--exclude-method", "GET")), ("X-Gw-Actor: a stranger to ETags", ("--exclude-method", "POST"))],
    ids=["changing", "looking"],
)
def test_schemathesis_finds_no_fault(tmp_path: Path, header: str, left_out: tuple[str, ...]) -> None:
    """Against a real gateway: no 5xx, no answer that breaks its schema, nothing accepted that the document forbids."""
    more = CONFIG.partition('api_key = "sk-ant-upstream-of-the-test"')[2]
    with GatewayUnderTest(tmp_path / "gw", "http://127.0.0.1:9", more=more, environ={"GW_ADMIN_TOKEN": TOKEN}) as gateway:
        address = f"{gateway.base_url.removesuffix('/anthropic')}/api/openapi.json"
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(SCHEMATHESIS), "run", address]
        command += ["-H", f"Authorization: Bearer {TOKEN}", "-H", header, "--checks", "all", "--continue-on-failure", *left_out]
        command += ["-n", "6", "--seed", "1", "--generation-database", "none", "--warnings", "off", "--no-color"]
        command += ["--exclude-path", "/api/session"]  # it is right to refuse any token that fits the schema
        command += ["--exclude-path", "/api/live"]  # its answer has no end
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
        assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
        asked = [one for one in OPERATIONS if one.path not in ("/api/session", "/api/live") and one.method not in left_out]
        found = re.search(r"(\d+) selected / (\d+) total", ran.stdout)
        assert found is not None, ran.stdout[:600]
        assert int(found[1]) >= len(asked) - 1, found[0]  # where the document itself stands is not asked
