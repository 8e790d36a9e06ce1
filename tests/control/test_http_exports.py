"""The API of exports and of the chargeback report."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from gw.config.load import ConfigError, load
from gw.control.http_operations import openapi_document
from gw.courier import Desk
from gw.courier_export import perform_export
from gw.ledger import errand
from gw.ledger.database import database_of
from gw.ledger.store import Database
from gw.snapshot import read
from tests.control.api import CONFIG, Api, serving
from tests.export.ground import call, files, fill

EXPORTS = """
[[export]]
name = "ware house"
to = "file://{folder}/out"
every = ""
[[export]]
name = "focus"
what = "focus"
to = "s3://bucket/x"
"""
DRAFT = "https://json-schema.org/draft/2020-12/schema"


@pytest.fixture
async def exporting(tmp_path: Path, token: str) -> AsyncIterator[Api]:
    async with serving(tmp_path, CONFIG + EXPORTS.format(folder=tmp_path)) as one:
        yield one


def ledger_of(api: Api) -> Database:
    return database_of(api.worker.snapshot.config.storage.address)


async def courier(api: Api, folder: Path) -> None:
    """Does the errands that were asked for."""
    desk = Desk(folder / "state", api.worker.state, ledger_of(api), read(folder / "state"))
    for one in errand.take(desk.database, ("export",), 10, 1):
        answer = await perform_export(desk, one)
        errand.finish(desk.database, one.id, "done", answer, 2)


def valid(name: str, value: object) -> None:
    document = openapi_document()
    schema: dict[str, Any] = {"$ref": f"#/components/schemas/{name}", "components": document["components"], "$schema": DRAFT}
    jsonschema_rs.validator_for(schema).validate(value)


async def test_a_run_is_asked_for_done_and_shown(exporting: Api, tmp_path: Path) -> None:
    await asyncio.to_thread(fill, ledger_of(exporting), [call(number) for number in range(9)])
    asked = await exporting.ask("POST", "/api/exports/ware%20house/run")
    assert asked.status == 202 and asked.json["outcome"] == ""
    valid("ExportAsked", asked.json)
    await courier(exporting, tmp_path)
    done = (await exporting.ask("GET", f"/api/exports/ware%20house/run/{asked.json['id']}")).json
    assert done["outcome"] == "done" and done["runs"] == [1]
    history = (await exporting.ask("GET", "/api/exports/ware%20house/runs")).json
    valid("ExportRuns", history)
    (run,) = history["items"]
    assert (run["status"], run["rows"], run["first"], run["last"]) == ("done", 9, 1, 9) and "admin" in run["asked_by"]
    assert len(files(tmp_path)) == run["files"]
    listed = (await exporting.ask("GET", "/api/exports")).json
    valid("Exports", listed)
    assert [one["name"] for one in listed["items"]] == ["ware house", "focus"]
    assert listed["items"][0]["last"]["id"] == 1 and listed["items"][0]["next_at"] is None and listed["items"][1]["next_at"]
    noted = (await exporting.ask("GET", "/api/audit?kind=export")).json["items"]
    assert [(one["action"], one["via"]) for one in noted] == [("export", "gw"), ("run", "api")]
    assert {one["name"] for one in noted} == {"ware house"}
    assert noted[0]["actor"] == noted[1]["actor"] == run["asked_by"] and noted[0]["after"]["rows"] == 9


async def test_a_window_is_asked_for(exporting: Api, tmp_path: Path) -> None:
    await asyncio.to_thread(fill, ledger_of(exporting), [call(number) for number in range(9)])
    body = {"since": "2026-11-01T00:00:00Z", "until": "2026-11-02T00:00:00+00:00"}
    assert (await exporting.ask("POST", "/api/exports/ware%20house/run", body)).status == 202
    await courier(exporting, tmp_path)
    (run,) = (await exporting.ask("GET", "/api/exports/ware%20house/runs")).json["items"]
    assert (run["reason"], run["starts_at"], run["first"]) == ("window", "2026-11-01T00:00:00Z", None)


@pytest.mark.parametrize(
    ("method", "path", "body", "slug"),
    [
        ("POST", "/api/exports/nothing/run", None, "not_found"),
        ("GET", "/api/exports/nothing/runs", None, "not_found"),
        ("GET", "/api/exports/focus/run/abc", None, "not_found"),
        ("GET", "/api/exports/focus/runs?cursor=x", None, "invalid"),
        ("POST", "/api/exports/focus/run", {"since": "2026-11-01"}, "invalid"),
        ("POST", "/api/exports/focus/run", {"since": 1}, "invalid"),
        ("POST", "/api/exports/focus/run", {"from": "x"}, "invalid"),
        ("POST", "/api/exports/focus/run", {"since": "2026-11-02T00:00:00Z", "until": "2026-11-01T00:00:00Z"}, "invalid"),
        ("GET", "/api/chargeback?month=2026-13", None, "invalid"),
        ("GET", "/api/chargeback?by=team,team", None, "invalid"),
        ("GET", "/api/chargeback?format=pdf", None, "invalid"),
    ],
)
async def test_what_is_wrong_is_said(exporting: Api, method: str, path: str, body: object, slug: str) -> None:
    (await exporting.ask(method, path, body)).problem({"not_found": 404, "invalid": 422}[slug], slug)


async def test_the_chargeback_report_in_each_form(exporting: Api) -> None:
    await asyncio.to_thread(fill, ledger_of(exporting), [call(number) for number in range(30)])
    answer = await exporting.ask("GET", "/api/chargeback?month=2026-11&by=team,key")
    valid("Chargeback", answer.json)
    assert answer.json["total"]["calls"] == 30 and len(answer.json["groups"]) == 3
    sheet = await exporting.ask("GET", "/api/chargeback?month=2026-11&format=csv")
    assert sheet.headers["content-type"].startswith("text/csv")
    assert "chargeback-2026-11.csv" in sheet.headers["content-disposition"]
    html = await exporting.ask("GET", "/api/chargeback?month=2026-11&format=html")
    assert html.body.startswith(b"<!doctype html>")
    policy = html.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "sha256-" in policy
    valid("Chargeback", (await exporting.ask("GET", "/api/chargeback", x_gw_actor="finance")).json)
    noted = (await exporting.ask("GET", "/api/audit?kind=report")).json["items"]
    assert [(one["action"], one["after"]["format"]) for one in noted] == [
        ("read_report", form) for form in ("json", "html", "csv", "json")
    ]
    assert noted[-1]["name"] == "chargeback 2026-11" and noted[-1]["after"]["by"] == "team,key"
    assert noted[0]["actor"] == "admin token (finance)"


def test_the_configuration_says_what_is_wrong_with_an_export(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        '[[export]]\nname = "a"\nto = "ftp://x"\nevery = "13m"\npath = "{nothing}"\n'
        '[[export]]\nname = "a"\nto = "file:///x"\nregion = "eu"\ncolumns = ["sequ"]\nhash = ["status"]\n'
        '[[export]]\nname = "c"\nto = "s3://b/p"\ncredentials = { access_key_id = "env:GW_NO_SUCH" }\n'
    )
    with pytest.raises(ConfigError) as caught:
        load(path)
    said = "\n".join(map(str, caught.value.problems))
    for words in ("must begin with file:///", "must divide a day", "knows only {what}", "GW_NO_SUCH is not set"):
        assert words in said
    path.write_text(
        '[[export]]\nname = "a"\nto = "file:///x"\nregion = "eu"\ncolumns = ["sequ"]\nhash = ["status"]\n'
        '[[export]]\nname = "a"\nto = "s3://bb"\n'
    )
    with pytest.raises(ConfigError) as caught:
        load(path)
    said = "\n".join(map(str, caught.value.problems))
    columns = 'no column "sequ" in calls; did you mean "seq"?'
    for words in (columns, '"status" is not of text', "is of a store", 'duplicate name "a"'):
        assert words in said, said
