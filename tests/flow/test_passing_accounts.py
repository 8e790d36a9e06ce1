"""A batch or a file is asked for at each account in turn, until one knows it; what makes something is asked of one."""

import json
from pathlib import Path

import pytest

from gw.demo import answers
from gw.demo.exchange import Chunk, Reply, Request, Script
from tests.flow.landscape import Landscape, landscape

BATCH = "/v1/messages/batches/msgbatch_1"
ACCOUNTS = """
[[upstream]]
name = "home"
base_url = "@home@"
[[upstream.credential]]
name = "one"
api_key = "sk-one"
[[upstream.credential]]
name = "two"
api_key = "sk-two"
[[upstream]]
name = "eu"
base_url = "@eu@"
api_key = "sk-eu"
[[key]]
name = "ada"
secret = "#ada#"
[[key]]
name = "bob"
secret = "#bob#"
upstreams = ["home"]
"""
OWN_HOUSE = """
[[upstream]]
name = "lab"
provider = "custom"
dialect = "anthropic"
base_url = "@lab@"
api_key = "sk-lab"
"""


def knows(key: str) -> Script:
    """An account's upstream, which knows what it has made."""

    def script(request: Request) -> Reply:
        if request.header("x-api-key") != key:
            return answers.error(404, "not_found_error", "of the test")
        return Reply(200, answers.JSON_HEADERS, [Chunk(b'{"id":"msgbatch_1"}')])

    return script


def asked(house: Landscape) -> list[str]:
    return [one.header("x-api-key") for seen in house.seen.values() for one in seen]


@pytest.mark.parametrize(("method", "more"), [("GET", ""), ("DELETE", ""), ("POST", "/cancel")])
@pytest.mark.parametrize(("maker", "tried"), [("sk-one", 1), ("sk-two", 2), ("sk-eu", 3)])
async def test_what_another_account_has_made_is_found_there(
    tmp_path: Path, method: str, more: str, maker: str, tried: int
) -> None:
    async with landscape(tmp_path, ACCOUNTS, home=knows(maker), eu=knows(maker)) as house:
        answered = await house.send(b"", key="ada", path=BATCH + more, method=method)
        assert (answered.status, answered.json) == (200, {"id": "msgbatch_1"})
        assert asked(house) == ["sk-one", "sk-two", "sk-eu"][:tried]
        assert answered.row.upstream == ("eu" if maker == "sk-eu" else "home") and answered.row.billed_pusd == 0
        told = [f"{name} 404" for name, *_ in json.loads(answered.row.attempts or "[]")]
        assert len(told) == tried - 1 and all(one in answered.headers.get("x-gw-attempts", "") for one in told)


async def test_what_nobody_knows_is_the_last_accounts_404_and_only_of_upstreams_that_the_key_may_use(tmp_path: Path) -> None:
    async with landscape(tmp_path, ACCOUNTS, home=knows(""), eu=knows("")) as house:
        answered = await house.send(b"", key="ada", path=BATCH, method="GET")
        assert (answered.status, answered.json["error"]["type"], len(asked(house))) == (404, "not_found_error", 3)
        answered = await house.send(b"", key="bob", path=BATCH, method="GET")
        assert answered.status == 404 and house.asked() == {"home": 4, "eu": 1}


async def test_what_makes_something_is_asked_of_one_account(tmp_path: Path) -> None:
    async with landscape(tmp_path, ACCOUNTS, home=knows(""), eu=knows("")) as house:
        answered = await house.send({"requests": []}, key="ada", path="/v1/messages/batches")
        assert answered.status == 404 and asked(house) == ["sk-one"]


async def test_a_clients_own_login_goes_to_its_provider_or_to_who_is_made_to_be_like_it(tmp_path: Path) -> None:
    own = [("x-api-key", "sk-ant-own")]
    for number, (text, where) in enumerate(((OWN_HOUSE + ACCOUNTS, "home"), (OWN_HOUSE, "lab"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        scripts = {name: knows("") for name in ("home", "eu", "lab") if f"@{name}@" in text}
        async with landscape(folder, text, **scripts) as house:
            answered = await house.send(b"", path=BATCH, method="GET", headers=own)
            assert answered.status == 404 and house.asked() == {where: 1} and asked(house) == ["sk-ant-own"]
