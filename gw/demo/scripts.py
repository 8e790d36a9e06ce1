"""What the fake upstream answers: functions `(Request) -> Reply`, by name.

`by_prompt` lets one server play everything: it takes the play's name from the header `x-demo-play`, else from the last
`[play:NAME ARGUMENT]` in a text of the user's, else it is `plain`. A play sees how many tool results have come back
since that prompt, so tool loops need no memory in the server.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from gw.demo import answers
from gw.demo.exchange import Chunk, Hangup, Pause, Reply, Request, Reset, Script

MODELS = (
    ("claude-opus-5-5", "Claude Opus 5.5"),
    ("claude-sonnet-5-5", "Claude Sonnet 5.5"),
    ("claude-haiku-5-5", "Claude Haiku 5.5"),
    ("claude-fable-5-2", "Claude Fable 5.2"),
    ("claude-opus-4-8", "Claude Opus 4.8"),
)
_MARK = re.compile(r"\[play:([a-z0-9-]+)(?: ([^\]]*))?\]")


class Scene(Struct, frozen=True):
    """Where a conversation stands: which play, its argument, and how many of its tool calls have been answered."""

    play: str
    argument: str
    results: int


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        return []
    return [block.get("text", "") for block in content if isinstance(block, dict) and block.get("type") == "text"]


def scene_of(request: Request) -> Scene:
    """Read the scene from the request's header or its messages."""
    if request.header("x-demo-play"):
        name, _, argument = request.header("x-demo-play").partition(" ")
        return Scene(name, argument, 0)
    results = 0
    messages = request.json.get("messages") if b"[play:" in request.body else None
    for message in reversed(messages if isinstance(messages, list) else []):
        if message.get("role") != "user":
            continue
        content = message.get("content")
        for said in reversed(_texts(content)):
            found = _MARK.search(said)
            if found:
                return Scene(found[1], found[2] or "", results)
        if isinstance(content, list):
            results += sum(1 for block in content if block.get("type") == "tool_result")
    return Scene("plain", "", 0)


def _plain(request: Request, scene: Scene) -> Reply:
    return answers.message(request, [answers.text(answers.words(answers.seed_of(request), 12))])


def _events(request: Request, scene: Scene) -> Reply:
    """`events N [ms]`: a stream of N text deltas, each after so many milliseconds."""
    count, _, pace = scene.argument.partition(" ")
    deltas = int(count or 300)
    content = answers.words(answers.seed_of(request), 4 * deltas).ljust(24 * deltas)[: 24 * deltas]
    return answers.message(request, [answers.text(content)], pace_s=int(pace or 0) / 1000)


def _thinking(request: Request, scene: Scene) -> Reply:
    seed = answers.seed_of(request)
    return answers.message(request, [answers.thinking(answers.words(seed, 40)), answers.text(answers.words(seed, 8))])


def _tools(request: Request, scene: Scene) -> Reply:
    """A Bash call, a Read call (of the file named by the argument, if any), then the closing text."""
    calls: list[tuple[str, dict[str, Any]]] = [("Bash", {"command": "echo hello-from-bash", "description": "Say hello"})]
    if scene.argument:
        calls.append(("Read", {"file_path": scene.argument}))
    if scene.results >= len(calls):
        return _plain(request, scene)
    name, arguments = calls[scene.results]
    blocks = [answers.thinking("A look first."), answers.text("I will look."), answers.tool_use(request, name, arguments)]
    return answers.message(request, blocks)


def _agent(request: Request, scene: Scene) -> Reply:
    """Starts a subagent in the foreground, whose own prompt is `[play:<argument>]`, then closes."""
    if scene.results:
        return _plain(request, scene)
    names = {tool.get("name") for tool in request.json.get("tools") or []}
    arguments = {
        "description": "Look around",
        "prompt": f"Please look around. [play:{scene.argument or 'plain'}]",
        "subagent_type": "general-purpose",
        "run_in_background": False,
    }
    call = answers.tool_use(request, "Agent" if "Agent" in names else "Task", arguments)
    return answers.message(request, [answers.text("I will ask an agent."), call])


def _nested(request: Request, scene: Scene) -> Reply:
    return _agent(request, Scene("agent", "agent tools", scene.results))


def _error_event(request: Request, scene: Scene) -> Reply:
    """A stream that ends with an `error` event right after its start; whole answers are fine."""
    reply = _plain(request, scene)
    if not request.head.stream:
        return reply
    payload = {"type": "error", "error": {"type": scene.argument or "api_error", "message": "the model stumbled"}}
    return answers.until(reply, 2, Chunk(answers.event("error", payload)))


def _no_events(request: Request, scene: Scene) -> Reply:
    """A stream that holds nothing but a comment; whole answers are fine."""
    reply = _plain(request, scene)
    if not request.head.stream:
        return reply
    return msgspec.structs.replace(reply, steps=(Chunk(b": nothing to say\n\n"),), usage=None)


def _after(request: Request, scene: Scene, then: Reset | Hangup) -> Reply:
    """`N`: the connection ends after N chunks of a stream (0: after the headers). Pauses first, so that they arrive."""
    reply = _events(request, Scene("events", "20", 0))
    cut = answers.until(reply, int(scene.argument or 6), then)
    return answers.with_steps(cut, [*cut.steps[:-1], Pause(0.05), then])


def _reset(request: Request, scene: Scene) -> Reply:
    return _after(request, scene, Reset())


def _hangup(request: Request, scene: Scene) -> Reply:
    return _after(request, scene, Hangup())


def _no_answer(request: Request, scene: Scene) -> Reply:
    """The connection ends without a status line."""
    return Reply(status=0, steps=(Hangup(),))


def _silent_before(request: Request, scene: Scene) -> Reply:
    """`S`: that many seconds (may be a fraction) of silence before the status line."""
    return msgspec.structs.replace(_plain(request, scene), headers_after=float(scene.argument or 20))


def _silent_after(request: Request, scene: Scene) -> Reply:
    """`S`: headers at once, then that many seconds of silence before the first event."""
    reply = _plain(request, scene)
    return answers.with_steps(reply, [Pause(float(scene.argument or 20)), *reply.steps])


def _html(request: Request, scene: Scene) -> Reply:
    page = b"<!doctype html><html><head><title>Bad gateway</title></head><body><h1>502</h1></body></html>"
    return answers.whole(page, (("content-type", "text/html"),), int(scene.argument or 200))


_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def _status(request: Request, scene: Scene) -> Reply:
    """`N [retry-after]`: an HTTP error with the fitting type."""
    number, _, wait = scene.argument.partition(" ")
    status = int(number or 500)
    headers = (("retry-after", wait),) if wait else ()
    return answers.error(status, _ERROR_TYPES.get(status, "api_error"), f"the upstream says {status}", headers)


def _gzip(request: Request, scene: Scene) -> Reply:
    return answers.gzipped(_thinking(request, scene))


def _one_byte(request: Request, scene: Scene) -> Reply:
    return answers.split(_thinking(request, scene), int(scene.argument or 1))


def _crlf(request: Request, scene: Scene) -> Reply:
    reply = _thinking(request, scene)
    return answers.crlf(reply) if request.head.stream else reply


def _refusal(request: Request, scene: Scene) -> Reply:
    """`refusal`: no content, free of charge. `refusal late`: after some text, charged."""
    blocks = [answers.text("Let me see.")] if scene.argument == "late" else []
    return answers.message(request, blocks, stop_reason="refusal")


def _geo_fast_search(request: Request, scene: Scene) -> Reply:
    usage = {"inference_geo": "us", "speed": "fast", "server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 1}}
    return answers.message(request, [answers.text("Found three pages.")], usage=usage)


def _iterations(request: Request, scene: Scene) -> Reply:
    """Usage whose top level leaves out a compaction and an advisor of another model."""
    first = {"type": "compaction", "input_tokens": 50_000, "output_tokens": 900}
    advice = {"type": "advisor_message", "model": "claude-fable-5-2", "input_tokens": 1_200, "output_tokens": 1_500}
    main = {"type": "message", "input_tokens": 700, "output_tokens": 80}
    zero = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    split = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}
    usage = {"input_tokens": 700, "output_tokens": 80, **zero, "cache_creation": split}
    usage["iterations"] = [{**entry, **zero} for entry in (first, advice, main)]
    return answers.message(request, [answers.text("After some advice: yes.")], usage=usage)


def _mixed_ttl(request: Request, scene: Scene) -> Reply:
    split = {"ephemeral_5m_input_tokens": 456, "ephemeral_1h_input_tokens": 7891}
    usage = {"input_tokens": 11, "cache_creation_input_tokens": 8347, "cache_read_input_tokens": 70001}
    return answers.message(request, [answers.text("Read from the cache.")], usage={**usage, "cache_creation": split})


PLAYS: dict[str, Callable[[Request, Scene], Reply]] = {
    "plain": _plain,
    "events": _events,
    "thinking": _thinking,
    "tools": _tools,
    "agent": _agent,
    "nested": _nested,
    "error-event": _error_event,
    "no-events": _no_events,
    "reset": _reset,
    "hangup": _hangup,
    "no-answer": _no_answer,
    "silent-before": _silent_before,
    "silent-after": _silent_after,
    "html": _html,
    "status": _status,
    "gzip": _gzip,
    "pieces": _one_byte,
    "crlf": _crlf,
    "refusal": _refusal,
    "geo-fast-search": _geo_fast_search,
    "iterations": _iterations,
    "mixed-ttl": _mixed_ttl,
}


def _messages(request: Request, play: Callable[[Request, Scene], Reply] | None) -> Reply:
    """POST /v1/messages: what the real one checks first, then the play."""
    if not (request.header("x-api-key") or request.header("authorization")):
        return answers.error(401, "authentication_error", "x-api-key header is required")
    messages = request.json.get("messages")
    if not request.head.model or not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        return answers.error(400, "invalid_request_error", "model and messages: Field required")
    scene = scene_of(request)
    chosen = play or PLAYS.get(scene.play)
    if chosen is None:
        return answers.error(400, "invalid_request_error", f"no play is called {scene.play!r}")
    return chosen(request, scene)


def _script(play: Callable[[Request, Scene], Reply] | None) -> Script:
    """The whole API around one play; None: the prompt chooses."""

    def script(request: Request) -> Reply:
        if request.path == "/v1/messages" and request.method == "POST":
            return _messages(request, play)
        if request.path == "/v1/messages/count_tokens" and request.method == "POST":
            tokens = max(1, len(request.body) // 4)
            return answers.whole(msgspec.json.encode({"input_tokens": tokens}))
        if request.path == "/v1/models" and request.method == "GET":
            rows = [{"type": "model", "id": name, "display_name": title} for name, title in MODELS]
            return answers.whole(msgspec.json.encode({"data": rows, "has_more": False}))
        if request.path in {"/", "/api/hello"} and request.method in {"GET", "HEAD"}:
            return answers.whole(b'{"message":"hello"}')
        return answers.error(404, "not_found_error", f"no such path: {request.path}")

    return script


by_prompt = _script(None)
SCRIPTS: dict[str, Script] = {"by-prompt": by_prompt} | {name: _script(play) for name, play in PLAYS.items()}
