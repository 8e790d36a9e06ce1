"""What made a session expensive, in words and figures, the dearest reason first. Pure."""

from collections.abc import Mapping, Sequence

from gw.domain.money import usd_rounded
from gw.domain.session import CacheUse, Reason, SessionCall, total_pusd, turns

REASONS_MAX = 6
LEAST_PERMILLE = 20  # what is less than that part of the whole is no reason
CAUSES = {
    "expired": "the cache had expired: the pause before was longer than what was written lives",
    "model_changed": "the model was changed, and each has a cache of its own",
    "compacted": "the conversation was compacted, and its new beginning written anew",
    "prefix_changed": "the beginning of the prompt had changed (tools, system prompt or settings)",
}


def reasons(calls: Sequence[SessionCall], uses: Mapping[str, CacheUse]) -> list[Reason]:
    whole = total_pusd(calls)
    if whole <= 0:
        return []
    found = [*_again(calls, uses), *_by_class(calls), *_by_part(calls)]
    kept = [one for one in found if one[1] * 1000 >= whole * LEAST_PERMILLE]
    kept.sort(key=lambda one: (-one[1], one[0]))
    return [Reason(slug, billed, billed * 1000 // whole, said) for slug, billed, said in kept[:REASONS_MAX]]


def _again(calls: Sequence[SessionCall], uses: Mapping[str, CacheUse]) -> list[tuple[str, int, str]]:
    """What was billed again, by its cause."""
    found = []
    for cause, words in CAUSES.items():
        these = [use for call in calls if (use := uses.get(call.call_id)) is not None and use.cause == cause]
        billed = sum(use.again_pusd for use in these)
        tokens = sum(use.again_tokens for use in these)
        if billed:
            said = f"{tokens:,} tokens were billed again in {_times(len(these))} (about {_usd(billed)} more): {words}"
            found.append((f"billed_again_{cause}", billed, said))
    bare = [call for call in calls if (use := uses.get(call.call_id)) is not None and use.cause == "not_cached"]
    if billed := sum(call.input_pusd for call in bare):
        said = f"{_times(len(bare))} sent prompts without using the cache: {_usd(billed)} for input at full price"
        found.append(("not_cached", billed, said))
    return found


def _by_class(calls: Sequence[SessionCall]) -> list[tuple[str, int, str]]:
    read = sum(call.cache_read_pusd for call in calls)
    read_tokens = sum(call.cache_read_tokens for call in calls)
    output = sum(call.output_pusd for call in calls)
    output_tokens = sum(call.output_tokens for call in calls)
    thinking = sum(call.thinking_tokens for call in calls)
    mean = read_tokens // max(len(calls), 1)
    thought = f", {thinking * 100 // output_tokens} % of it thinking" if thinking and output_tokens else ""
    return [
        ("long_conversation", read, f"each call reads the conversation anew: {mean:,} tokens on average, {_usd(read)} in all"),
        ("output", output, f"{output_tokens:,} tokens of output{thought}: {_usd(output)}"),
    ]


def _by_part(calls: Sequence[SessionCall]) -> list[tuple[str, int, str]]:
    found = []
    of_agents = [call for call in calls if call.agent_id]
    if of_agents:
        billed, count = total_pusd(of_agents), len({call.agent_id for call in of_agents})
        said = f"{count} subagent{'s' if count > 1 else ''} made {_times(len(of_agents))}: {_usd(billed)}"
        found.append(("subagents", billed, said))
    failed = [call for call in calls if call.outcome != "completed"]
    if billed := total_pusd(failed):
        found.append(("unfinished", billed, f"{_times(len(failed))} did not end well and cost {_usd(billed)} all the same"))
    by_turn = turns(calls)
    if len(by_turn) > 1:
        dearest = max(by_turn, key=lambda turn: turn.billed_pusd)
        number = by_turn.index(dearest) + 1
        said = f"turn {number} of {len(by_turn)} alone cost {_usd(dearest.billed_pusd)} with {_times(dearest.calls)}"
        found.append(("dearest_turn", dearest.billed_pusd, said))
    models = {call.model for call in calls}
    if len(models) > 1:
        by_model = {model: total_pusd(call for call in calls if call.model == model) for model in models}
        model = max(by_model, key=lambda one: (by_model[one], one))
        found.append(("model", by_model[model], f"{model} cost {_usd(by_model[model])} of it"))
    return found


def _times(count: int) -> str:
    return f"{count:,} call{'' if count == 1 else 's'}"


def _usd(pusd: int) -> str:
    return f"${usd_rounded(pusd)}"
