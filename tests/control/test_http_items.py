"""Customers, teams, keys, budgets and limits through the API: what can be made, changed and removed, and by whose leave."""

import re
from typing import Any
from urllib.parse import quote

import pytest

from tests.control.api import Answer, Api

NEW: dict[str, dict[str, Any]] = {
    "customers": {"name": "globex"},
    "teams": {"name": "infra", "customer": "acme"},
    "keys": {"name": "alice", "team": "platform", "expires": "2031-01-01T00:00:00Z"},
    "budgets": {"name": "infra-daily", "team": "platform", "limit_usd": "10.5", "window": "day"},
    "limits": {"name": "parallel", "team": "platform", "parallel": 4},
}
CHANGE: dict[str, dict[str, Any]] = {
    "teams": {"customer": ""},
    "keys": {"models": ["claude-opus-*"]},
    "budgets": {"limit_usd": "11", "mode": "soft"},
    "limits": {"parallel": 5},
}
PROVISIONED = {"customers": "acme", "teams": "platform", "keys": "ci", "budgets": "acme-monthly", "limits": "ci-rate"}


def without(entry: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in names}


@pytest.mark.parametrize("plural", NEW)
async def test_what_is_made_can_be_found_and_removed(api: Api, plural: str) -> None:
    made = await api.made(plural, **NEW[plural])
    name = NEW[plural]["name"]
    assert made.headers["location"] == f"{plural}/{name}"
    shown = await api.ask("GET", f"/api/{plural}/{name}")
    assert shown.status == 200 and shown.etag == made.etag
    assert shown.json == (without(made.json, "key") if plural == "keys" else made.json)
    assert shown.json["source"] == "database" and not shown.json["problem"]
    assert NEW[plural].items() <= shown.json.items()
    listed = await api.ask("GET", f"/api/{plural}?source=database")
    assert listed.json == {"items": [shown.json], "next_cursor": None, "total": 1}
    removed = await api.ask("DELETE", f"/api/{plural}/{name}", if_match=made.etag)
    assert (removed.status, removed.body) == (204, b"") and "content-type" not in removed.headers
    (await api.ask("GET", f"/api/{plural}/{name}")).problem(404, "not_found")
    assert (await api.ask("GET", f"/api/{plural}?source=database")).json["items"] == []


@pytest.mark.parametrize("plural", CHANGE)
async def test_a_change_touches_only_the_fields_that_are_given(api: Api, plural: str) -> None:
    made = await api.made(plural, **NEW[plural])
    path = f"/api/{plural}/{NEW[plural]['name']}"
    changed = await api.ask("PATCH", path, CHANGE[plural], if_match=made.etag)
    assert changed.status == 200 and changed.etag != made.etag
    moving = ("version", "updated_at", *(["key"] if plural == "keys" else []))
    assert without(changed.json, *moving) == {**without(made.json, *moving), **CHANGE[plural]}
    assert changed.json["version"] > made.json["version"]
    assert (await api.ask("GET", path)).etag == changed.etag


async def test_null_sets_a_field_back_to_its_default(api: Api) -> None:
    made = await api.made("budgets", **NEW["budgets"], mode="shadow", warn_at=[0.1])
    body = {"mode": None, "warn_at": None, "window": None}
    changed = await api.ask("PATCH", "/api/budgets/infra-daily", body, if_match=made.etag)
    assert (changed.json["mode"], changed.json["warn_at"], changed.json["window"]) == ("hard", [0.5, 0.8, 0.95], "month")


@pytest.mark.parametrize("plural", PROVISIONED)
async def test_what_the_file_defines_is_shown_and_not_changed(api: Api, plural: str) -> None:
    path = f"/api/{plural}/{PROVISIONED[plural]}"
    shown = await api.ask("GET", path)
    assert (shown.json["source"], shown.json["version"], shown.json["created_at"]) == ("config", 0, None)
    body = CHANGE.get(plural, {})
    for answer in (
        await api.ask("PATCH", path, body, if_match="*"),
        await api.ask("DELETE", path, if_match=shown.etag),
        await api.ask("POST", f"/api/{plural}", {**NEW[plural], "name": PROVISIONED[plural]}),
    ):
        assert "configuration file" in answer.problem(409, "provisioned")["title"]


async def test_who_has_not_looked_may_not_change(api: Api) -> None:
    made = await api.made("teams", **NEW["teams"])
    for method, body in (("PATCH", CHANGE["teams"]), ("DELETE", None)):
        (await api.ask(method, "/api/teams/infra", body)).problem(428, "precondition_required")
        for stale in ('"another"', f"W/{made.etag}", made.etag.strip('"'), '""', "nonsense"):
            answer = await api.ask(method, "/api/teams/infra", body, if_match=stale)
            answer.problem(412, "precondition_failed")
            assert answer.etag == made.etag
    assert (await api.ask("PATCH", "/api/teams/infra", CHANGE["teams"], if_match=f'"x", {made.etag}')).status == 200
    (await api.ask("DELETE", "/api/teams/infra", if_match=made.etag)).problem(412, "precondition_failed")
    assert (await api.ask("DELETE", "/api/teams/infra", if_match="*")).status == 204


async def test_who_has_it_already_is_told_so(api: Api) -> None:
    shown = await api.ask("GET", "/api/customers/acme")
    for known in (shown.etag, f"W/{shown.etag}", f'"x", {shown.etag}', "*"):
        again = await api.ask("GET", "/api/customers/acme", if_none_match=known)
        assert (again.status, again.body, again.etag) == (304, b"", shown.etag)
    assert (await api.ask("GET", "/api/customers/acme", if_none_match='"x"')).status == 200


async def test_a_name_is_taken_once(api: Api) -> None:
    for plural, fields in NEW.items():
        await api.made(plural, **fields)
        (await api.ask("POST", f"/api/{plural}", fields)).problem(409, "exists")


async def test_what_is_referred_to_cannot_be_removed(api: Api) -> None:
    await api.made("customers", name="globex")
    await api.made("teams", name="infra", customer="globex")
    (await api.ask("DELETE", "/api/customers/globex", if_match="*")).problem(409, "in_use")


async def test_a_name_may_hold_slashes_and_blanks(api: Api) -> None:
    made = await api.made("customers", name="acme/north west")
    assert made.headers["location"] == "customers/acme%2Fnorth%20west"
    assert (await api.ask("GET", "/api/customers/acme%2Fnorth%20west")).json["name"] == "acme/north west"
    (await api.ask("GET", "/api/customers/acme/north%20west")).problem(404, "unknown_path")


WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    ("budgets", {"limit_usd": 10}, "limit_usd", "in quotes"),
    ("budgets", {"limit_usd": 10.5}, "limit_usd", "in quotes"),
    ("budgets", {"limit_usd": "-1"}, "limit_usd", "in quotes"),
    ("budgets", {"limit_usd": "1.0000000001"}, "limit_usd", "9 decimals"),
    ("budgets", {"limit_usd": "1e3"}, "limit_usd", "in quotes"),
    ("budgets", {"limit_usd": ""}, "limit_usd", "in quotes"),
    ("budgets", {"limit_usd": None}, "limit_usd", "in quotes"),
    ("budgets", {"limt_usd": "10"}, "limt_usd", 'did you mean "limit_usd"?'),
    ("budgets", {"window": "fortnight"}, "window", "no window"),
    ("budgets", {"window": 5}, "window", "text in quotes"),
    ("budgets", {"warn_at": [0.5, "x"]}, "warn_at", ""),
    ("budgets", {"each": "true"}, "each", "true or false"),
    ("budgets", {"increase": [{"limit_usd": "1", "until": "2031-01-01T00:00:00Z", "reasn": ""}]}, "increase.0.reasn", "reason"),
    ("budgets", {"increase": ["x"]}, "increase.0", "an object"),
    ("budgets", {"increase": [{"limit_usd": "1"}]}, "increase.0.until", "is required"),
    ("limits", {"parallel": True}, "parallel", "whole number"),
    ("limits", {"parallel": 1.5}, "parallel", "whole number"),
    ("keys", {"models": "*"}, "models", "a list of patterns"),
    ("keys", {"models": []}, "models", ""),
    ("keys", {"expires": "soon"}, "expires", "date"),
    ("keys", {"secret": "gwk_mine"}, "secret", "unknown field"),
    ("keys", {"secret_hash": "ab" * 32}, "secret_hash", "unknown field"),
    ("keys", {"name": "gwk_mine"}, "name", "secret"),
    ("customers", {"name": ""}, "name", "empty"),
    ("customers", {"name": "a  b"}, "name", "single spaces"),
]


@pytest.mark.parametrize(("plural", "fields", "field", "said"), WRONG, ids=lambda value: str(value)[:40])
async def test_a_wrong_field_is_named(api: Api, plural: str, fields: dict[str, Any], field: str, said: str) -> None:
    problem = (await api.ask("POST", f"/api/{plural}", {**NEW[plural], **fields})).problem(422, "invalid")
    (error,) = [one for one in problem["errors"] if one["field"] == field]
    assert error["in"] == "body" and said in error["message"]
    assert (await api.ask("GET", f"/api/{plural}?source=database")).json["total"] == 0


async def test_all_that_is_wrong_is_named_at_once(api: Api) -> None:
    problem = (await api.ask("POST", "/api/budgets", {"limit_usd": 1, "mod": "hard"})).problem(422, "invalid")
    assert {one["field"] for one in problem["errors"]} == {"limit_usd", "mod", "name"}


async def test_a_name_never_changes(api: Api) -> None:
    await api.made("customers", name="globex")
    problem = (await api.ask("PATCH", "/api/customers/globex", {"name": "other"}, if_match="*")).problem(422, "invalid")
    assert problem["errors"][0]["field"] == "name"


# --- keys ---------------------------------------------------------------------------------------------------------------


def secret_of(answer: Answer) -> str:
    assert answer.headers["cache-control"] == "no-store"
    text = answer.json["key"]
    assert re.fullmatch(r"gwk_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}", text)
    return str(text)


async def test_a_key_is_shown_once(api: Api) -> None:
    made = await api.made("keys", **NEW["keys"])
    text = secret_of(made)
    assert made.json["public_id"] in text
    pages = [await api.ask("GET", path) for path in ("/api/keys", "/api/keys/alice", "/api/audit", "/api/config")]
    assert not [page for page in pages if text.encode() in page.body or text.split("_")[2].encode() in page.body]


async def test_a_rotated_key_has_a_new_secret_and_an_overlap(api: Api) -> None:
    made = await api.made("keys", **NEW["keys"])
    rotated = await api.ask("POST", "/api/keys/alice/rotate", {"overlap_s": 60})
    assert rotated.status == 200 and secret_of(rotated) != secret_of(made)
    assert rotated.json["overlap_until"] and rotated.json["public_id"] == made.json["public_id"]
    assert secret_of(await api.ask("POST", "/api/keys/alice/rotate")) != secret_of(rotated), "no body is no overlap"
    for body, said in (({"overlap_s": -1}, "must be 0 to"), ({"overlap_s": "60"}, "must be 0 to"), ({"overlap": 1}, "overlap_s")):
        assert said in (await api.ask("POST", "/api/keys/alice/rotate", body)).problem(422, "invalid")["detail"]
    (await api.ask("POST", "/api/keys/alice/rotate", if_match=made.etag)).problem(412, "precondition_failed")
    (await api.ask("POST", "/api/keys/nobody/rotate")).problem(404, "not_found")
    (await api.ask("POST", "/api/keys/ci/rotate")).problem(409, "provisioned")


async def test_a_revoked_key_is_gone_from_the_list_but_can_be_asked_for(api: Api) -> None:
    made = await api.made("keys", **NEW["keys"])
    revoked = await api.ask("POST", "/api/keys/alice/revoke", {})
    assert revoked.status == 200 and revoked.json["revoked_at"]
    names = [one["name"] for one in (await api.ask("GET", "/api/keys")).json["items"]]
    assert names == ["ci"]
    again = await api.made("keys", **NEW["keys"])
    assert again.json["public_id"] != made.json["public_id"]
    listed = (await api.ask("GET", "/api/keys?revoked=true&limit=1&q=alice")).json
    rest = (await api.ask("GET", f"/api/keys?revoked=true&limit=1&q=alice&cursor={listed['next_cursor']}")).json
    both = {one["public_id"] for one in (*listed["items"], *rest["items"])}
    assert both == {made.json["public_id"], again.json["public_id"]} and listed["total"] == 2
    (await api.ask("GET", "/api/keys?revoked=maybe")).problem(422, "invalid")


async def test_a_revoked_key_that_is_meant_by_its_id_never_stands_for_a_new_one_of_its_name(api: Api) -> None:
    old = (await api.made("keys", **NEW["keys"])).json["public_id"]
    await api.ask("POST", "/api/keys/alice/revoke")
    new = await api.made("keys", **NEW["keys"])
    for method, path, body in (
        ("PATCH", f"/api/keys/{old}", {"models": ["none"]}),
        ("DELETE", f"/api/keys/{old}", None),
        ("POST", f"/api/keys/{old}/rotate", None),
        ("POST", f"/api/keys/{old}/revoke", None),
    ):
        await api.ask(method, path, body, if_match="*")
    now = await api.ask("GET", "/api/keys/alice")
    assert (now.json["public_id"], now.etag) == (new.json["public_id"], new.etag)


# --- increases ----------------------------------------------------------------------------------------------------------

MORE = {"limit_usd": "5", "until": "2031-01-01T00:00:00Z", "reason": "release week"}


async def test_a_budget_is_raised_for_a_while_and_lowered_again(api: Api) -> None:
    await api.made("budgets", **NEW["budgets"])
    path = "/api/budgets/infra-daily/increases"
    raised = await api.ask("POST", path, MORE)
    assert raised.status == 201 and raised.json["increase"] == [MORE]
    (await api.ask("DELETE", f"{path}/0")).problem(428, "precondition_required")
    (await api.ask("DELETE", f"{path}/0", if_match='"old"')).problem(412, "precondition_failed")
    for position in ("1", "-1", "x", "9" * 5000, "٠"):
        (await api.ask("DELETE", f"{path}/{quote(position)}", if_match="*")).problem(404, "not_found")
    lowered = await api.ask("DELETE", f"{path}/0", if_match=raised.etag)
    assert lowered.status == 200 and lowered.json["increase"] == []
    (await api.ask("POST", path, {**MORE, "limit_usd": 5})).problem(422, "invalid")
    (await api.ask("POST", path, {"limit_usd": "5"})).problem(422, "invalid")
    (await api.ask("POST", "/api/budgets/acme-monthly/increases", MORE)).problem(409, "provisioned")
