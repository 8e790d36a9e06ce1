"""What the model behind a fake does, whatever dialect it speaks: chosen by the last `[scene:NAME TAG]` that the user says.

A scene looks at what it has been asked and says `Wrong` if that is not what the client of the test has sent.
"""

import re
from collections.abc import Callable

from tests.support.fakes.words import PNG, RESULT, SYSTEM, Call, Heard, Said, Trouble, must

MARK = re.compile(r"\[scene:([a-z0-9_]+) ([\w./-]+)\]")
PLAIN = "Hello there, friend: ünïcödé 🙂 and \"quotes\"."
THOUGHT = "First I look at the sky."
LOOK = "Let me look."
ANSWER = "It is 18 degrees in Paris."
ASKED = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
SHAPE = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}
SHAPED = '{"city":"Paris","degrees":18}'
CAP = 5000


def scene_of(heard: Heard) -> tuple[str, str]:
    """(name, tag)"""
    found = [match for text in heard.texts for match in MARK.finditer(text)]
    return (found[-1][1], found[-1][2]) if found else ("free", "unmarked")


def _asked(heard: Heard) -> None:
    """What every question of the SDK matrix has."""
    must(SYSTEM in heard.system, f"the system prompt is {heard.system!r}")
    must(heard.cap == CAP, f"the cap is {heard.cap}")


def plain(heard: Heard, tag: str) -> Said:
    _asked(heard)
    return Said(PLAIN)


def _looking(heard: Heard, calls: tuple[Call, ...], thought: str = "") -> Said | None:
    """The calls, then None once their results have come."""
    _asked(heard)
    wanted = {call.name for call in calls}
    must(wanted <= set(heard.tools), f"the tools are {sorted(heard.tools)}")
    for name in wanted:
        schema = heard.tools[name]
        kind = schema.get("properties", {}).get("city", {}).get("type", "")
        must(kind.lower() == "string" and schema.get("required") == ["city"], f"the schema of {name} is {schema}")
    if not heard.results:
        must(not heard.turns, "there is an answer, and no result of its calls")
        return Said(LOOK, thought, calls)
    must(len(set(heard.calls)) == len(calls), f"the earlier calls are {heard.calls}")
    must([one.call_id for one in heard.results] == heard.calls, f"the results {heard.results} are of the calls {heard.calls}")
    must(all(RESULT in one.text for one in heard.results), f"the results are {heard.results}")
    return None


PARIS = {"city": "Paris"}


def tools(heard: Heard, tag: str) -> Said:
    return _looking(heard, (Call("get_weather", PARIS),)) or Said(ANSWER)


def parallel(heard: Heard, tag: str) -> Said:
    return _looking(heard, (Call("get_weather", PARIS), Call("get_time", PARIS))) or Said(ANSWER)


def image(heard: Heard, tag: str) -> Said:
    _asked(heard)
    must(heard.images == [PNG], f"the images are {[one[:60] for one in heard.images]}")
    return Said("A red dot.")


def thinking(heard: Heard, tag: str) -> Said:
    """The server sees to it that `heard.seals` is the dialect's seal of this tag."""
    must(heard.thinks, "thinking was not asked for")
    return _looking(heard, (Call("get_weather", PARIS),), THOUGHT) or Said(ANSWER)


def schema(heard: Heard, tag: str) -> Said:
    _asked(heard)
    found = heard.schema or {}
    kinds = {name: str(one.get("type", "")).lower() for name, one in found.get("properties", {}).items()}
    must(kinds == {"city": "string", "degrees": "integer"}, f"the schema is {heard.schema}")
    return Said(SHAPED)


def broken(heard: Heard, tag: str) -> Said:
    """A stream that ends with an error."""
    return Said(PLAIN, fails_at=2)


def _status(number: int, retry_after_s: int = 0) -> Callable[[Heard, str], Trouble]:
    def scene(heard: Heard, tag: str) -> Trouble:
        return Trouble(number, retry_after_s)

    return scene


# --- Claude Code's ---


def bash(heard: Heard, tag: str) -> Said:
    """A thought and one call of its shell, then the closing text with what the shell said."""
    if heard.results:
        must("hello-from-bash" in heard.results[-1].text, f"the result is {heard.results[-1].text[:200]!r}")
        return Said(f"The shell said hello [{tag}].")
    call = Call("Bash", {"command": "echo hello-from-bash", "description": "Say hello"})
    return Said("I will look.", THOUGHT if heard.thinks else "", (call,))


def agent(heard: Heard, tag: str) -> Said:
    """Starts a subagent that plays `bash`, then closes with what it said."""
    if heard.results:
        must("shell said hello" in heard.results[-1].text, f"the result is {heard.results[-1].text[:200]!r}")
        return Said(f"The agent is back [{tag}].")
    arguments = {
        "description": "Look around",
        "prompt": f"Please look around. [scene:bash {tag}-sub]",
        "subagent_type": "general-purpose",
        "run_in_background": False,
    }
    return Said("I will ask an agent.", calls=(Call("Agent" if "Agent" in heard.tools else "Task", arguments),))


def free(heard: Heard, tag: str) -> Said:
    """Whatever is asked."""
    return Said(PLAIN)


SEALING = ("thinking", "bash")
SCENES: dict[str, Callable[[Heard, str], Said | Trouble]] = {
    "plain": plain,
    "free": free,
    "tools": tools,
    "parallel": parallel,
    "image": image,
    "thinking": thinking,
    "schema": schema,
    "broken": broken,
    "bash": bash,
    "agent": agent,
    "e400": _status(400),
    "e401": _status(401),
    "e404": _status(404),
    "e429": _status(429, 7),
    "e500": _status(500),
    "e529": _status(529),
}
