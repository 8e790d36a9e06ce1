"""The service: every change is judged by the rules of the configuration, over both sources."""

import pytest

from gw.control.service import Conflict, InUse, Invalid, NotFound, Provisioned, Service, Stale
from gw.ledger.control import control_version
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import Database
from tests.control.defining import ANN, FILE, PEPPER, config_of


@pytest.fixture
def service(database: Database) -> Service:
    return Service(config_of(), database, PEPPER)


def actions(service: Service) -> list[tuple[str, str, str]]:
    return [(entry.action, entry.kind, entry.name) for entry in reversed(service.audit())]


# --- looking ----------------------------------------------------------------------------------------------------------------


def test_what_the_file_defines_is_shown_and_makes_no_database(service: Service, database: Database) -> None:
    (item,) = service.list("budget")
    assert (item.kind, item.name, item.source, item.version, item.problem) == ("budget", "all", "config", 0, "")
    assert item.fields["team"] == "*" and item.fields["limit_usd"] == "100" and item.fields["mode"] == "hard"
    assert service.get("key", "ci").fields.keys().isdisjoint({"secret", "secret_hash", "name"})
    with pytest.raises(NotFound, match='there is no team "platfrom"; did you mean "platform"'):
        service.get("team", "platfrom")
    assert service.audit() == [] and not (isinstance(database, SqliteDatabase) and database.path.exists())


def test_created_definition_has_every_field_and_stands_behind_the_files(service: Service) -> None:
    made = service.create("team", "red", {"customer": "acme"}, actor=ANN)
    assert made.fields == {"customer": "acme", "store_content": ""}
    assert (made.source, made.version, made.problem) == ("database", 1, "")
    assert made.created_us == made.updated_us > 0
    budget = service.create("budget", "red", {"team": "red", "limit_usd": "5", "warn_at": [0.5], "anchor": ""}, actor=ANN)
    assert budget.version == 2 and budget.fields["warn_at"] == [0.5] and budget.fields["window"] == "month"
    assert service.get("team", "red") == made and service.list("team")[1:] == [made]
    assert service.list("budget")[1:] == [budget]


def test_list_of_another_process_is_up_to_date(service: Service, database: Database) -> None:
    other = Service(config_of(), database, PEPPER)
    assert other.list("team")[1:] == []
    made = service.create("team", "red", {}, actor=ANN)
    assert other.list("team")[1:] == [made]


# --- changes ----------------------------------------------------------------------------------------------------------------


def test_update_changes_what_is_given_and_none_is_the_default(service: Service) -> None:
    service.create("budget", "b", {"team": "platform", "limit_usd": "5", "mode": "soft"}, actor=ANN)
    changed = service.update("budget", "b", {"limit_usd": "6"}, actor=ANN, version=1)
    assert (changed.fields["limit_usd"], changed.fields["mode"], changed.version) == ("6", "soft", 2)
    changed = service.update("budget", "b", {"mode": None, "team": None, "customer": "acme"}, actor=ANN)
    assert (changed.fields["mode"], changed.fields["team"], changed.fields["customer"]) == ("hard", "", "acme")
    assert changed.version == 3 and changed.updated_us >= changed.created_us


def test_update_that_changes_nothing_leaves_no_trace(service: Service, database: Database) -> None:
    made = service.create("budget", "b", {"team": "platform", "limit_usd": "5"}, actor=ANN)
    assert service.update("budget", "b", {"limit_usd": "5"}, actor=ANN) == made
    key, _ = service.create_key("anna", {}, actor=ANN)
    assert service.update("key", "anna", {"team": ""}, actor=ANN) == key
    assert control_version(database) == 2 and len(service.audit()) == 2


REFUSED: list[tuple[str, dict[str, object], list[tuple[str, str]]]] = [
    ("b", {"team": "platform"}, [("limit_usd", "is required")]),
    ("b", {"team": "platfrom", "limit_usd": "5"}, [("team", 'there is no team "platfrom"; did you mean "platform"?')]),
    ("b", {"key": "cii", "limit_usd": "5"}, [("key", 'there is no key "cii"; did you mean "ci"?')]),
    (
        "b*",
        {"team": "*", "limit_usd": "5"},
        [("name", "must be letters, digits, . @ + : / _ - and single spaces between them, ")],
    ),
    ("b", {"limit_usd": "5"}, [("", 'budget "b" is about nobody; give one of ')]),
    ("b", {"team": "*", "limit_usd": 5.5}, [("limit_usd", 'must be written in quotes, "5.5"')]),
    ("b", {"team": "*", "limit_usd": "5", "window": "wek"}, [("window", '"wek" is no window; did you mean "week"?')]),
    ("b", {"team": "*", "limit_usd": "5", "windw": "week"}, [("windw", 'unknown key; did you mean "window"?')]),
    (
        "b",
        {"team": "*", "limit_usd": "5", "increase": [{"limit_usd": "0", "until": "2027-01-31", "reason": "x"}]},
        [("increase.0.limit_usd", "must be more than 0")],
    ),
    (
        "b",
        {"team": "*", "limit_usd": "-5", "mode": "block"},
        [("limit_usd", "must be 0 to 1000000000 USD"), ("mode", 'must be one of "hard", "soft", "shadow"')],
    ),
]


@pytest.mark.parametrize(("name", "fields", "errors"), REFUSED)
def test_mistake_is_named_with_its_field_in_the_words_of_the_configuration(
    service: Service, database: Database, name: str, fields: dict[str, object], errors: list[tuple[str, str]]
) -> None:
    with pytest.raises(Invalid) as caught:
        service.create("budget", name, fields, actor=ANN)
    assert [field for field, _ in caught.value.errors] == [field for field, _ in errors]
    assert all(said.startswith(begin) for (_, said), (_, begin) in zip(caught.value.errors, errors, strict=True))
    assert control_version(database) == 0 and service.audit() == []


def test_change_that_would_put_another_out_of_force_is_refused(service: Service) -> None:
    for at in range(23):
        service.create("budget", f"soft {at:02}", {"team": "*", "limit_usd": "1", "mode": "soft"}, actor=ANN)
    with pytest.raises(Invalid, match='the budget "soft 22" could then not be in force: one call could fall under more than 24'):
        service.create("budget", "hard", {"team": "*", "limit_usd": "1"}, actor=ANN)
    with pytest.raises(Invalid, match="one call could fall under more than 24 budgets"):
        service.create("budget", "shadow", {"team": "*", "limit_usd": "1", "mode": "shadow"}, actor=ANN)
    assert all(not item.problem for item in service.list("budget"))


def test_taken_names_are_refused_by_where_they_are_taken(service: Service) -> None:
    with pytest.raises(Provisioned, match='the configuration file has a team named "platform"; choose another name'):
        service.create("team", "platform", {}, actor=ANN)
    with pytest.raises(Provisioned, match='the configuration file has a key named "ci"'):
        service.create_key("ci", {}, actor=ANN)
    service.create("team", "red", {}, actor=ANN)
    with pytest.raises(Conflict, match='there is already a team named "red"'):
        service.create("team", "red", {}, actor=ANN)
    item, _ = service.create_key("anna", {}, actor=ANN)
    with pytest.raises(Conflict, match="revoke it first, or choose another name"):
        service.create_key("anna", {}, actor=ANN)
    with pytest.raises(Conflict, match="there is a key with the public id"):
        service.create_key(item.public_id, {}, actor=ANN)
    service.create("customer", "anna", {}, actor=ANN)  # names are of their kind


def test_what_the_file_defines_is_changed_only_there(service: Service) -> None:
    for change in (
        lambda: service.update("budget", "all", {"limit_usd": "1"}, actor=ANN),
        lambda: service.delete("budget", "all", actor=ANN),
        lambda: service.add_increase("all", {"limit_usd": "1", "until": "2030-01-01", "reason": "x"}, actor=ANN),
    ):
        for there_is_a_database in (False, True):
            with pytest.raises(Provisioned, match='the budget "all" stands in the configuration file; change it there'):
                change()
            if not there_is_a_database:
                service.create("customer", f"c{len(service.audit())}", {}, actor=ANN)
    for name in ("revoke_key", "update"):
        arguments = ("ci",) if name == "revoke_key" else ("key", "ci", {"team": "platform"})
        with pytest.raises(Provisioned, match="set active = false there"):
            getattr(service, name)(*arguments, actor=ANN)


def test_what_is_referred_to_is_not_deleted_and_says_by_whom(service: Service) -> None:
    service.create("customer", "beta", {}, actor=ANN)
    service.create("team", "red", {"customer": "beta"}, actor=ANN)
    service.create_key("anna", {"team": "red"}, actor=ANN)
    for at in range(3):
        service.create("budget", f"b{at}", {"team": "red", "limit_usd": "1"}, actor=ANN)
    with pytest.raises(InUse, match='the customer "beta" is named by team "red"; change or delete that first'):
        service.delete("customer", "beta", actor=ANN)
    with pytest.raises(InUse, match='the team "red" is named by key "anna", budget "b0", budget "b1" and 1 more'):
        service.delete("team", "red", actor=ANN)
    for at in range(3):
        service.delete("budget", f"b{at}", actor=ANN)
    service.update("key", "anna", {"team": "platform"}, actor=ANN)
    service.delete("team", "red", actor=ANN)
    service.delete("customer", "beta", actor=ANN)
    with pytest.raises(NotFound):
        service.delete("customer", "beta", actor=ANN)
    assert [item.name for item in service.list("team")] == ["platform"]


def test_name_that_the_file_took_over_is_shown_in_both_and_can_be_cleared_away(service: Service, database: Database) -> None:
    service.create("team", "red", {}, actor=ANN)
    anna, _ = service.create_key("anna", {"team": "red"}, actor=ANN)
    text = f'{FILE}[[team]]\nname = "red"\n[[key]]\nname = "anna"\nsecret_hash = "{"cd" * 32}"\n'
    later = Service(config_of(text), database, PEPPER)
    assert [(item.source, item.problem) for item in later.list("team") if item.name == "red"] == [
        ("config", ""),
        ("database", "the configuration file has a team of this name, which is the one in force"),
    ]
    assert later.get("team", "red").source == "config"
    with pytest.raises(Provisioned):
        later.update("team", "red", {"customer": "acme"}, actor=ANN)
    with pytest.raises(Provisioned):
        later.delete("team", "red", actor=ANN, version=0)
    later.delete("team", "red", actor=ANN)  # key anna names it, and has the file's now
    with pytest.raises(Provisioned):
        later.revoke_key("anna", actor=ANN)
    assert later.revoke_key(anna.public_id, actor=ANN).revoked_us > 0


def test_broken_definition_is_shown_with_its_problem_and_mended_by_an_update(service: Service, database: Database) -> None:
    service.create("budget", "b", {"team": "platform", "limit_usd": "5"}, actor=ANN)
    later = Service(config_of(FILE.replace("platform", "plat")), database, PEPPER)
    assert later.get("budget", "b").problem == 'team: there is no team "platform"; did you mean "plat"?'
    with pytest.raises(Invalid):
        later.update("budget", "b", {"limit_usd": "6"}, actor=ANN)
    assert later.update("budget", "b", {"team": "plat"}, actor=ANN).problem == ""


# --- increases --------------------------------------------------------------------------------------------------------------


def test_increases_are_added_and_taken_back_by_position(service: Service) -> None:
    service.create("budget", "b", {"team": "platform", "limit_usd": "5"}, actor=ANN)
    for usd in ("1", "2"):
        item = service.add_increase("b", {"limit_usd": usd, "until": "2030-01-31", "reason": "week"}, actor=ANN)
    assert item.fields["increase"] == [
        {"limit_usd": "1", "until": "2030-01-31T00:00:00Z", "reason": "week"},
        {"limit_usd": "2", "until": "2030-01-31T00:00:00Z", "reason": "week"},
    ]
    with pytest.raises(Invalid) as caught:
        service.add_increase("b", {"limit_usd": "0", "until": "", "reason": " "}, actor=ANN)
    assert [field for field, _ in caught.value.errors] == ["until", "reason", "limit_usd"], "all of them at once"
    with pytest.raises(NotFound, match='the budget "b" has no increase 2'):
        service.remove_increase("b", 2, actor=ANN)
    with pytest.raises(Stale):
        service.remove_increase("b", 0, actor=ANN, version=2)
    assert [one["limit_usd"] for one in service.remove_increase("b", 0, actor=ANN, version=3).fields["increase"]] == ["2"]
    assert [action for action, _, _ in actions(service)] == ["create", "add_increase", "add_increase", "remove_increase"]
