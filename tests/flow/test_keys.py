"""Who is asked to pay: precedence of the credentials, keys that come and go while the gateway runs, and secrets that stay."""

import asyncio
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gw.clock import mono_ns
from gw.demo.invoice import Line
from gw.domain.key import mint, parse
from tests.flow.client import Answer, call
from tests.flow.stage import JSON, OWN, Stage, prompt, session, stage
from tests.support.claims import allowed

ADA, BOB, EVE, UNKNOWN = (mint().text for _ in range(4))
OAUTH = "sk-ant-oat01-the-clients-own-subscription"
LITERAL = mint().text  # stands in the configuration as it is, which the snapshot then repeats
TABLES = """
[[key]]
name = "ada"
secret = "env:GW_TEST_ADA"
[[key]]
name = "bob"
secret = "env:GW_TEST_BOB"
[[key]]
name = "eve"
models = ["claude-haiku-*", "claude-opus-5*"]
secret = "env:GW_TEST_EVE"
"""
SECRETS = {"GW_TEST_ADA": ADA, "GW_TEST_BOB": BOB, "GW_TEST_EVE": EVE, "GW_SERVER_LOG_LEVEL": "debug"}
WITHIN_S = 1.0
SECRET_PROMPT = "the-words-of-the-prompt-stay-between-client-and-upstream"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("keys"), more=TABLES, environ=SECRETS) as one:
        yield one


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Virtual keys only; its own credential goes out as a bearer."""
    environ = {**SECRETS, "GW_AUTH_PASSTHROUGH": "false"}
    with stage(tmp_path_factory.mktemp("strict"), upstream='auth = "bearer"', more=TABLES, environ=environ) as one:
        yield one


def ask(house: Stage, name: str, *headers: tuple[str, str]) -> Answer:
    sent = [*headers, JSON, session(name), ("x-test-id", name)]
    return asyncio.run(call(house.port, headers=sent, body=prompt(SECRET_PROMPT, stream=False)))


def line_of(house: Stage, name: str) -> Line:
    (line,) = house.lines(name)
    return line


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


X_GW, X_API, BEARER = "x-gw-key", "x-api-key", "authorization"
OWN_KEY = OWN[1]
CREDENTIALS: list[tuple[str, dict[str, str], str, tuple[str, str]]] = [
    # what is sent -> the row's key ("" = passthrough) and (header, credential) at the upstream; "gw" = its own
    ("x-gw-key alone", {X_GW: ADA}, "ada", (X_API, "gw")),
    ("x-api-key", {X_API: ADA}, "ada", (X_API, "gw")),
    ("bearer", {BEARER: f"Bearer {ADA}"}, "ada", (X_API, "gw")),
    ("bearer in lower case", {BEARER: f"bearer {ADA}"}, "ada", (X_API, "gw")),
    ("x-gw-key over x-api-key", {X_GW: ADA, X_API: BOB}, "ada", (X_API, "gw")),
    ("x-gw-key over bearer", {X_GW: ADA, BEARER: f"Bearer {BOB}"}, "ada", (X_API, "gw")),
    ("x-api-key over bearer", {X_API: ADA, BEARER: f"Bearer {BOB}"}, "ada", (X_API, "gw")),
    ("the same key twice", {X_GW: ADA, X_API: ADA}, "ada", (X_API, "gw")),
    ("x-gw-key and an own subscription", {X_GW: ADA, BEARER: f"Bearer {OAUTH}"}, "ada", (BEARER, OAUTH)),
    ("x-gw-key and an own key", {X_GW: ADA, X_API: OWN_KEY}, "ada", (X_API, OWN_KEY)),
    ("x-gw-key and both of one's own", {X_GW: ADA, X_API: OWN_KEY, BEARER: f"Bearer {OAUTH}"}, "ada", ("both", OWN_KEY)),
    ("x-gw-key, a virtual key, a subscription", {X_GW: ADA, X_API: BOB, BEARER: f"Bearer {OAUTH}"}, "ada", (BEARER, OAUTH)),
    ("a virtual x-api-key and an own bearer", {X_API: ADA, BEARER: f"Bearer {OAUTH}"}, "ada", (X_API, "gw")),
    ("an own x-api-key and a virtual bearer", {X_API: OWN_KEY, BEARER: f"Bearer {ADA}"}, "ada", (X_API, "gw")),
    ("own key", {X_API: OWN_KEY}, "", (X_API, OWN_KEY)),
    ("own subscription", {BEARER: f"Bearer {OAUTH}"}, "", (BEARER, OAUTH)),
]


@pytest.mark.parametrize(("name", "sent", "key", "upstream"), CREDENTIALS, ids=[one[0] for one in CREDENTIALS])
def test_which_credential_pays_and_which_goes_upstream(
    house: Stage, name: str, sent: dict[str, str], key: str, upstream: tuple[str, str]
) -> None:
    assert ask(house, name, *sent.items()).status == 200
    header, credential = upstream
    line = line_of(house, name)
    assert line.credential == header
    assert line.credential_sha256 == sha(house.gateway.upstream_key if credential == "gw" else credential)
    assert not any(name.startswith("x-gw-") for name in line.headers)
    (row,) = house.gateway.session_rows(name, 1)
    public_id = parse(ADA).public_id if key else ""
    assert (row["key_name"], row["key_id"], bool(row["credential"])) == (key, public_id, not key)
    assert row["billed_pusd"] == line.cost_pusd > 0
    (request,) = house.played.requests[name]
    assert not [pair for pair in request.headers if "gwk_" in pair[1]], "a virtual key went upstream"


UNUSABLE = [
    ("an unknown x-gw-key is not passed over", {X_GW: UNKNOWN, X_API: OWN_KEY}, "unknown_key"),
    ("an own key in x-gw-key", {X_GW: OWN_KEY, X_API: OWN_KEY}, "malformed_key"),
    ("an unknown bearer behind an own key", {X_API: OWN_KEY, BEARER: f"Bearer {UNKNOWN}"}, "unknown_key"),
]


@pytest.mark.parametrize(("name", "sent", "slug"), UNUSABLE, ids=[one[0] for one in UNUSABLE])
def test_a_bad_virtual_key_is_never_replaced_by_another_credential(
    house: Stage, name: str, sent: dict[str, str], slug: str
) -> None:
    answer = ask(house, name, *sent.items())
    assert (answer.status, answer.header("x-gw-error")) == (401, slug)
    assert not house.lines(name)


STRICT: list[tuple[str, dict[str, str], int, str]] = [
    ("own key", {X_API: OWN_KEY}, 401, "virtual_key_required"),
    ("own subscription", {BEARER: f"Bearer {OAUTH}"}, 401, "virtual_key_required"),
    ("nothing", {}, 401, "missing_credential"),
    ("virtual key", {X_API: ADA}, 200, ""),
    ("virtual key beside an own credential", {X_GW: ADA, X_API: OWN_KEY, BEARER: f"Bearer {OAUTH}"}, 200, ""),
]


@pytest.mark.parametrize(("name", "sent", "status", "slug"), STRICT, ids=[one[0] for one in STRICT])
def test_without_passthrough_only_virtual_keys_and_gws_credential_count(
    strict: Stage, name: str, sent: dict[str, str], status: int, slug: str
) -> None:
    answer = ask(strict, name, *sent.items())
    assert (answer.status, answer.header("x-gw-error")) == (status, slug)
    if status == 200:
        line = line_of(strict, name)
        assert (line.credential, line.credential_sha256) == (BEARER, sha(strict.gateway.upstream_key))
    else:
        assert not strict.lines(name)


def test_a_key_is_shown_the_models_it_may_use_and_nothing_of_the_companys_account(house: Stage) -> None:
    shown = {}
    for key in (ADA, EVE, OWN_KEY):
        answer = asyncio.run(call(house.port, "/v1/models?limit=1000", method="GET", headers=[(X_API, key)]))
        assert answer.status == 200 and bool(answer.header("anthropic-organization-id")) is (key == OWN_KEY)
        shown[key] = [model["id"] for model in answer.json["data"]]
    assert shown[ADA] == shown[OWN_KEY] and len(shown[ADA]) > 3
    assert shown[EVE] == ["claude-opus-5-5", "claude-haiku-5-5"]


# --- while it runs ----------------------------------------------------------------------------------------------------
def gw(house: Stage, *arguments: str) -> str:
    config = str(house.gateway.process.config)
    command = [sys.executable, "-m", "gw", *arguments[:2], "--config", config, *arguments[2:], "--json"]
    done = subprocess.run(command, env=house.gateway.process.environ, check=True, capture_output=True)
    return done.stdout.decode()


def in_force(house: Stage, reached: Callable[[], bool]) -> float:
    """Seconds until it is."""
    began = mono_ns()
    house.gateway.poll(reached, "the change")
    return (mono_ns() - began) / 1e9


def slug_with(house: Stage, key: str) -> str:
    return ask(house, "probe", (X_API, key)).header("x-gw-error")


def test_a_key_created_on_a_running_gateway_works_within_a_second_and_so_does_its_end(house: Stage) -> None:
    made = json.loads(gw(house, "key", "create", "carol", "--models", "claude-opus-*"))
    assert in_force(house, lambda: slug_with(house, made["key"]) == "") < allowed(WITHIN_S)
    ask(house, "carols", (X_API, made["key"]))
    (row,) = house.gateway.session_rows("carols", 1)
    assert (row["key_name"], row["key_id"]) == ("carol", made["public_id"])
    gw(house, "key", "revoke", "carol")
    assert in_force(house, lambda: slug_with(house, made["key"]) == "revoked_key") < allowed(WITHIN_S)
    (row,) = house.gateway.settled(lambda rows: len(rows) == 1, "error = 'revoked_key' and session_id = 'probe'")
    assert row["key_name"] == "carol", "a refused call still says whose it was"


def write(config: Path, text: str) -> None:
    """As editors do: whole, in one step."""
    fresh = config.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(config)


def test_an_edited_configuration_is_in_force_within_a_second_and_no_call_fails_for_it(house: Stage) -> None:
    config = house.gateway.process.config
    before = config.read_text()

    async def snapshot_version() -> int:
        return int((await call(house.port, "/readyz", method="GET")).json["snapshot_version"])

    async def edit() -> list[int]:
        """Calls go on one after the other on eight connections while the file changes."""
        done = asyncio.Event()
        every: list[int] = []
        answered: list[int] = []

        async def go_on(number: int) -> None:
            while not done.is_set():
                answer = await call(house.port, headers=[(X_API, ADA), session(f"on-{number}")], body=prompt("[play:events 5]"))
                every.append(answer.status)
                answered.append(answer.status)

        going = [asyncio.ensure_future(go_on(number)) for number in range(8)]
        added = f'{before}\n[[key]]\nname = "dan"\nsecret = "{LITERAL}"\n'
        for text in (added, added.replace('name = "bob"', 'name = "bob"\nmodels = ["claude-haiku-*"]')):
            version = await snapshot_version()
            write(config, text)
            async with asyncio.timeout(allowed(WITHIN_S)):
                while await snapshot_version() == version:
                    await asyncio.sleep(0.02)
        answered.clear()
        while len(answered) < 16:  # some under what is in force now
            await asyncio.sleep(0.01)
        done.set()
        await asyncio.gather(*going)
        return every

    statuses = asyncio.run(edit())
    assert set(statuses) == {200}
    for written, dan, bob in ((None, "", "model_not_allowed"), (before, "unknown_key", "")):
        if written is not None:
            write(config, written)
        assert in_force(house, lambda dan=dan: slug_with(house, LITERAL) == dan) < allowed(WITHIN_S)
        assert in_force(house, lambda bob=bob: slug_with(house, BOB) == bob) < allowed(WITHIN_S)


def test_a_broken_configuration_changes_nothing_and_is_named_in_the_log(house: Stage) -> None:
    config = house.gateway.process.config
    before = config.read_text()
    write(config, before + "\n[[key]]\nnmae = 5\n")
    house.gateway.poll(lambda: "nmae" in house.gateway.process.log_end(1 << 20), "the complaint")
    assert slug_with(house, ADA) == "" and house.ready()["ready"]
    write(config, before)


# --- secrets ----------------------------------------------------------------------------------------------------------
def test_no_secret_and_no_word_of_a_conversation_is_kept_anywhere(house: Stage, strict: Stage) -> None:
    for one in (house, strict):
        ask(one, "secrets", (X_API, ADA), ("anthropic-beta", "x"))
        answer = ask(one, "secrets", (X_API, ADA))
        reply = answer.json["content"][0]["text"].encode()
        ask(one, "secrets", (X_API, UNKNOWN))
        asyncio.run(call(one.port, headers=[(X_API, BOB)], body=b"{" + prompt(SECRET_PROMPT)))
        one.gateway.session_rows("secrets", 3)
        words = [ADA, BOB, UNKNOWN, OWN_KEY, OAUTH, one.gateway.upstream_key, SECRET_PROMPT]
        hidden = [*(word.encode() for word in words), reply]
        places = {str(path): path.read_bytes() for path in one.gateway.folder.rglob("*") if path.is_file()}
        assert any(name.endswith(".gwj") for name in places) and any(name.endswith("snapshot.msgpack") for name in places)
        places["/metrics"] = asyncio.run(call(one.port, "/metrics", method="GET")).body
        places["/readyz"] = asyncio.run(call(one.port, "/readyz", method="GET")).body
        found = [(name, word[:12]) for name, content in places.items() for word in hidden if word in content]
        assert not found
        state = one.gateway.folder / "state"
        assert state.stat().st_mode & 0o077 == 0
        kept = [state / "gw.db", state / "pepper", state / "snapshot.msgpack", *(state / "journal").iterdir()]
        assert not [path for path in kept if path.stat().st_mode & 0o077]
