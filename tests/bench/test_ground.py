"""Rounds are interleaved, late ones repeated, and what a contender adds is taken within the round."""

import pytest

from bench.load import ground as module
from bench.load.contender import Contender
from bench.load.ground import Collected, Ground, Once, Options


@pytest.fixture
def ground() -> Ground:
    """Three contenders that nothing has to be started for."""
    made = Ground(Options(("x",), rounds=2, names=()), Collected(), playing=True)
    made.direct = Contender("direct", 1, version="")
    made.contenders = [made.direct, Contender("nginx", 2, version=""), Contender("gw", 3, version="")]
    return made


def test_each_round_measures_every_contender_once_the_upstream_first(ground: Ground):
    order: list[str] = []

    def once(contender: Contender) -> Once:
        order.append(contender.name)
        return Once({"p50_us": 100.0 * contender.port + len(order)})

    ground.measure("x", "what", once, seconds=3)
    assert order == ["direct", "nginx", "gw"] * 2
    made = ground.results.scenarios["x"]
    assert (made.what, made.seconds, list(made.contenders)) == ("what", 3, ["direct", "nginx", "gw"])
    assert [one.figures["added_p50_us"] for one in made.contenders["gw"].rounds] == [202.0, 202.0]
    assert "added_p50_us" not in made.contenders["direct"].median


@pytest.mark.parametrize(("late", "asked", "note"), [(0, 1, ""), (2, 3, ""), (9, module.TRIES, "late")])
def test_a_late_round_is_repeated_at_once_but_not_for_ever(late: int, asked: int, note: str, ground: Ground):
    tries: list[int] = []

    def once(contender: Contender) -> Once:
        tries.append(1)
        return Once({"p50_us": 1.0}, note="late" if len(tries) <= late else "")

    ground.measure("x", "", once, seconds=1, rounds=1, only=("gw",))
    found = ground.results.scenarios["x"].contenders
    assert len(tries) == asked and found.keys() == {"gw"} and [one.note for one in found["gw"].rounds] == [note]
    assert ground.results.median("x", "gw", "p50_us") == (None if note else 1.0)


def test_what_failed_is_noted_and_some_can_be_left_out(ground: Ground):
    ground.measure(
        "x", "", lambda contender: Once({"failed": 2.0}, failures="2 x timeout"), seconds=1, rounds=1, without=("direct",)
    )
    assert ground.results.notes == ["x, nginx: 2 x timeout", "x, gw: 2 x timeout"]
    assert ground.results.sum("x", "gw", "failed") == 2 and ground.results.sum("y", "gw", "failed") is None


def test_runs_have_names_of_their_own(ground: Ground):
    names = {ground.run_name("small.open", contender) for contender in ground.contenders * 3}
    assert len(names) == 9 and not any(set(name) & {".", " "} for name in names)
