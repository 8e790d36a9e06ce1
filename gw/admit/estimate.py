"""What a call will probably cost and the most that it can, before it is sent and without a tokenizer.

The most is a bound, not a guess: a token is at least one byte of UTF-8, a prompt longer than the window is refused and free,
and where the provider prompts a model again by itself each prompt is bounded by the window (docs/money.md says what each
bound rests on). The probable cost is for holding: what is missing is held while the answer streams, slice by slice. It comes
from the last exact usage of the same session, whose prefix is in the provider's cache until its time to live has passed, and
from averages: tokens per byte, output, how much of an unknown prompt turns out to be cached all the same. The expected output
is a mean and no high percentile: what is held for one call and never spent refuses others, while a call that needs more takes
it as it grows.

An `Estimator` belongs to one worker and is never shared. What it knows of a session is what this worker has served of it;
where it knows less it guesses higher. Nothing here is ever billed.
"""

from collections import OrderedDict

from gw._fast import Found, Weight
from gw.admit.card import OUTPUT_MAX, SLICE_TOKENS, Card, Estimate, Habit, Seen, Trail, most_tokens, plain_estimate
from gw.domain.estimate import Scale, scale_of
from gw.domain.money import PUSD_PER_NUSD
from gw.domain.tariff import Rung, Tariff, rung_at
from gw.domain.usage import Usage

# How often the provider prompts the model for one request with server tools: documented as 10, seen to be 11.
GENERATIONS_MAX = 12
OTHERS_WINDOW = 1_000_000  # of a Claude model that answers beside the requested one

# The guess. Framing as tokens; an image and a PDF's page as Claude Code counts them; base64 of a page by experience.
BLOCK_TOKENS = 4
TOOLS_TOKENS = 300
DEFINED_TOOL_TOKENS = 500
IMAGE_TOKENS = 2_000
PAGE_TOKENS = 2_500
PAGE_BYTES = 65_536
SERVER_TOOL_TOKENS = 10_000  # what a search or a fetch adds
ADVICE_TOKENS = 1_600
RATIO_SHIFT = 16  # tokens per byte are counted in 2^-16
CACHED_WHOLE = 256  # the cached part of a prompt is counted in 1/256
CACHED_NEWS = 8  # a new part counts an eighth of the mean
RATIO_START = {3: (1 << RATIO_SHIFT) // 3 + 1, 4: (1 << RATIO_SHIFT) // 4}  # by scale.bytes_per_token
RATIO_NEWS = 8  # a new ratio counts an eighth of the mean
RATIO_MIN, RATIO_MAX = (1 << RATIO_SHIFT) // 8, 1 << RATIO_SHIFT  # a token of 8 bytes to 1
RATIO_BYTES_MIN = 4_096  # below, framing outweighs the text

# Memory: the oldest goes first. A session takes about 600 bytes.
SESSIONS_MAX = 8_192
MODELS_MAX = 1_024  # clients choose model names
PAIRS_MAX = 4_096  # of key and model
SESSION_US = 24 * 3_600_000_000
MINUTE_US = 60_000_000
NUSD_MAX = 1 << 62  # nobody has more
CARDS_MAX = 256


Number = int  # compiled, a C integer: estimate.pxd
Flag = bool
Amount = int  # of any size


UNKNOWN = Habit()
Prefix = tuple[str, str, str, str, int]  # key, model, session, agent, tools: what differs in one shares no cached prefix


class Estimator:
    """The memory of one worker, bounded."""

    def __init__(self) -> None:
        self._seen: OrderedDict[Prefix, Seen] = OrderedDict()  # the one that was used last is the last
        self._ratios: dict[str, int] = {}  # model -> tokens per byte
        self._habits: dict[tuple[str, str], Habit] = {}  # by key and model
        self._cards: dict[int, Card] = {}  # by the tariff's id, which lives as long as its card

    def _card(self, tariff: Tariff, model: str) -> Card:
        card = self._cards.get(id(tariff))
        if card is None or card.tariff is not tariff or card.model != model:
            if len(self._cards) >= CARDS_MAX:
                self._cards.clear()
            card = self._cards[id(tariff)] = Card(tariff, model)
        return card

    def estimate(  # noqa: PLR0917 - by position: every call pays for each keyword
        self,
        tariff: Tariff,
        weight: Weight,
        model: str,
        key: str,
        session: str,
        agent: str,
        at_us: Number,
        trail: Trail | None = None,
    ) -> Estimate:
        """`model` is the id sent upstream; `session` and `agent` "" where there is none. Call it once, when admitting.
        `trail`: of this model, key, session and agent, and of this estimator; it spares four looks."""
        text, tools, cap, ttl, geo = weight.text_bytes, weight.tools, weight.output_cap, weight.ttl, weight.geo
        card = trail.card if trail is not None else None
        if card is None or card.tariff is not tariff:
            card = self._card(tariff, model)
        window, bytes_per_token = card.window, card.bytes_per_token
        rest = _rest_tokens(weight)
        known = trail.habit if trail is not None else None
        if known is None or known.forgotten:
            known = self._habits.get((key, model))
        habit = UNKNOWN if known is None else known
        seen = trail.seen if trail is not None and trail.tools == tools else None
        if session and (seen is None or seen.forgotten):
            seen = dict.get(self._seen, (key, model, session, agent, tools))
        if trail is not None:
            trail.card, trail.habit, trail.seen, trail.tools = card, known, seen, tools
        ratio = self._ratios.get(model) or RATIO_START[bytes_per_token]
        if seen is None:
            prompt = (text * ratio >> RATIO_SHIFT) + rest
            warm = prompt * habit.cached // CACHED_WHOLE
        else:
            prompt, warm = _grown(seen, text, rest, ratio, at_us, weight.references > 0)
        prompt = prompt if prompt < window else window
        output = habit.expected()
        if 0 <= cap < output:
            output = cap
        warm = warm if warm < prompt else prompt
        if card.few and not (weight.fast or weight.server_tools or weight.fallbacks or weight.compaction or weight.searches_cap):
            found = plain_estimate(card, weight, prompt, warm, output, habit.geo_us)
            found.seen, found.habit = seen, known
            return found
        worst_pusd = most_pusd(tariff, weight, card.scale)
        rungs = tariff.usual_fast if weight.fast else tariff.usual
        # A prompt just below a step may turn out to be above it.
        rung = rungs[0] if len(rungs) == 1 else rung_at(rungs, prompt + prompt // 10)
        _, input_rate, output_rate, read_rate, write_5m_rate, write_1h_rate = rung
        rate = input_rate if not ttl else write_5m_rate if ttl == 5 else write_1h_rate
        pusd = warm * read_rate + (prompt - warm) * rate + output * output_rate
        slice_pusd = SLICE_TOKENS * output_rate
        if weight.server_tools:
            pusd += SERVER_TOOL_TOKENS * rate
            if weight.advisor_uses:
                pusd += prompt * input_rate + ADVICE_TOKENS * output_rate
        if geo == 2 or (habit.geo_us and not geo):
            pusd, slice_pusd = pusd * tariff.geo_num // tariff.geo_den, slice_pusd * tariff.geo_num // tariff.geo_den
        if weight.searches_cap:
            pusd += tariff.search_pusd
        pusd = pusd if pusd < worst_pusd else worst_pusd
        found = Estimate(_bounded(pusd), _bounded(worst_pusd), prompt, output, _bounded(slice_pusd), bytes_per_token)
        found.seen, found.habit = seen, known
        return found

    def learn(  # noqa: PLR0917 - as above
        self, estimate: Estimate, weight: Weight, usage: Usage, model: str, key: str, session: str, agent: str, at_us: Number
    ) -> None:
        """After a call whose usage is exact. `estimate` and `weight` are those that it was admitted by."""
        prompt, cached = _last_prompt(usage)
        reads = usage.cache_read_tokens
        whole = usage.input_tokens + reads + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
        seen = self._recall(estimate, weight, key, model, session, agent)
        habit, geo_us = estimate.habit, usage.inference_geo == "us"
        self._learn_habit(habit, key, model, whole, reads, usage.output_tokens, geo_us, seen is None)
        self._learn_prompt(weight, seen, prompt, cached, model, key, session, agent, at_us)

    def learn_found(  # noqa: PLR0917 - as above
        self, estimate: Estimate, weight: Weight, found: Found, model: str, key: str, session: str, agent: str, at_us: Number
    ) -> None:
        """As `learn`, where the answer names no iterations."""
        reads = found.cache_read_tokens
        cached = reads + found.cache_write_5m_tokens + found.cache_write_1h_tokens
        whole = found.input_tokens + cached
        seen = self._recall(estimate, weight, key, model, session, agent)
        habit, geo_us = estimate.habit, found.inference_geo == "us"
        self._learn_habit(habit, key, model, whole, reads, found.output_tokens, geo_us, seen is None)
        self._learn_prompt(weight, seen, whole, cached, model, key, session, agent, at_us)

    def _recall(  # noqa: PLR0917 - as above
        self, estimate: Estimate, weight: Weight, key: str, model: str, session: str, agent: str
    ) -> Seen | None:
        seen = estimate.seen
        if seen is not None and not seen.forgotten:
            return seen
        return dict.get(self._seen, (key, model, session, agent, weight.tools)) if session else None

    def _learn_prompt(  # noqa: PLR0917 - as above
        self,
        weight: Weight,
        seen: Seen | None,
        prompt: Number,
        cached: Number,
        model: str,
        key: str,
        session: str,
        agent: str,
        at_us: Number,
    ) -> None:
        if not prompt:
            return
        rest = _rest_tokens(weight)
        plain = not (weight.images or weight.documents or weight.references or weight.server_tools or weight.compaction)
        if plain and weight.text_bytes >= RATIO_BYTES_MIN:
            self._learn_ratio(model, ((prompt - rest) << RATIO_SHIFT) // weight.text_bytes)
        if not session:
            return
        known = seen is not None
        if seen is None:
            seen = self._seen[key, model, session, agent, weight.tools] = Seen()
            seen.moved_us = at_us
        # What is cached without a mark in the body (other providers do) lives for minutes.
        seen.prompt, seen.cached, seen.text, seen.rest = prompt, cached, weight.text_bytes or 1, rest
        seen.warm_until_us = at_us + (weight.ttl or 5) * MINUTE_US if cached else 0
        seen.at_us = at_us
        if not known:
            self._forget_some(at_us)
        elif at_us - seen.moved_us >= MINUTE_US:
            seen.moved_us = at_us
            self._seen.move_to_end((key, model, session, agent, weight.tools))

    def _learn_habit(  # noqa: PLR0917 - as above
        self,
        habit: Habit | None,
        key: str,
        model: str,
        prompt: Number,
        reads: Number,
        output: Number,
        geo_us: Flag,
        unknown: Flag,
    ) -> None:
        if habit is None or habit.forgotten:
            habit = self._habit(key, model)
        habit.learn(output)
        if unknown and prompt:
            habit.cached += (reads * CACHED_WHOLE // prompt - habit.cached) // CACHED_NEWS
        habit.geo_us = geo_us

    def _habit(self, key: str, model: str) -> Habit:
        habits = self._habits
        habit = habits.get((key, model))
        if habit is None:
            habit = habits[key, model] = Habit()
            if len(habits) > PAIRS_MAX:
                habits.pop(next(iter(habits))).forgotten = True
        return habit

    def _learn_ratio(self, model: str, sample: Number) -> None:
        sample = min(max(sample, RATIO_MIN), RATIO_MAX)
        before = self._ratios.get(model, 0) or RATIO_START[scale_of(model).bytes_per_token]
        self._ratios[model] = before + (sample - before) // RATIO_NEWS
        if len(self._ratios) > MODELS_MAX:
            del self._ratios[next(iter(self._ratios))]

    def _forget_some(self, at_us: Number) -> None:
        """One has come, up to two go: so those that have had their day vanish though nobody asks for them."""
        sessions = self._seen
        for _ in range(2):
            oldest = next(iter(sessions))
            if len(sessions) > SESSIONS_MAX or sessions[oldest].at_us + SESSION_US < at_us:
                sessions.pop(oldest).forgotten = True


def most_pusd(tariff: Tariff, weight: Weight, scale: Scale) -> int:
    """The most that a call with this body can be billed, pico-USD."""
    cap, ttl = weight.output_cap, weight.ttl
    window, image_max, page_max, _ = scale
    most = most_tokens(weight, image_max, page_max)
    prompt = window if weight.references or most > window else most
    output = OUTPUT_MAX if cap < 0 else cap if cap < window else window
    if weight.server_tools or weight.fallbacks or weight.compaction:
        others = OTHERS_WINDOW if weight.references else min(most, OTHERS_WINDOW)
        return _most_of_many(tariff, weight, window, others, prompt, output)
    rungs = tariff.dearest_fast if weight.fast else tariff.dearest
    rung = rungs[0] if len(rungs) == 1 else rung_at(rungs, prompt)
    _, input_rate, output_rate, _, write_5m_rate, write_1h_rate = rung
    rate = input_rate if not ttl else write_5m_rate if ttl == 5 else write_1h_rate
    pusd = prompt * rate + output * output_rate
    return pusd if weight.geo == 1 else -(-pusd * tariff.geo_num // tariff.geo_den)


def _most_of_many(  # noqa: PLR0917 - tokens as most_pusd found them
    tariff: Tariff, weight: Weight, window: int, others_prompt: int, prompt: int, output: int
) -> int:
    """The same where the provider may prompt a model more than once. `prompt` and `others_prompt` are the first ones, of the
    requested model and of any other."""
    prompts, outputs = _generations(weight, prompt, output, window)
    rung = rung_at(tariff.dearest_fast if weight.fast else tariff.dearest, prompts)
    pusd = prompts * _prompt_rate(rung, weight.ttl) + outputs * rung.output
    if weight.geo != 1:
        pusd = -(-pusd * tariff.geo_num // tariff.geo_den)
    others = tariff.others
    prompts, outputs = _generations(weight, others_prompt, output, OTHERS_WINDOW)
    pusd += weight.fallbacks * (prompts * others.input + outputs * others.output)
    pusd += weight.advisor_uses * (OTHERS_WINDOW * others.input + max(output, OUTPUT_MAX) * others.output)
    return pusd + weight.searches_cap * tariff.search_pusd


def _generations(weight: Weight, prompt: int, output: int, window: int) -> tuple[int, int]:
    """(tokens of all prompts, of all outputs) of one model's part in a request. The body's cap holds for the answer as a
    whole, but not for summaries; each prompt after the first may have grown to the window."""
    further = GENERATIONS_MAX - 1 if weight.server_tools else 0
    prompts = prompt + further * window
    if not weight.compaction:
        return prompts, output
    summaries = (further + 1) * OUTPUT_MAX  # each written from a prompt, and then part of the next
    return prompts * 2 + summaries, output + summaries


def _prompt_rate(rung: Rung, ttl: int) -> int:
    """What a token of the prompt costs that is not yet in the cache."""
    if ttl == 60:
        return rung.cache_write_1h
    return rung.cache_write_5m if ttl else rung.input


def _grown(  # noqa: PLR0917 - compiled, it is a C function
    seen: Seen, text: Number, rest: Number, ratio: Number, at_us: Number, continued: Flag
) -> tuple[int, int]:
    """(tokens of the prompt, of these at most in the cache) of a body with this text and `rest`, after one that was seen.
    `continued`: the provider may hold the conversation, and the body only what is new."""
    prompt, cached = seen.prompt, seen.cached
    more = text - seen.text
    if more >= 0:
        prompt += more * ratio >> RATIO_SHIFT
        if rest > seen.rest:
            prompt += rest - seen.rest
    elif continued:
        prompt += (text * ratio >> RATIO_SHIFT) + rest
    else:
        prompt = prompt * text // seen.text
    # A body that lost more than an eighth was compacted or began anew: of its prefix little is left.
    kept = continued or more * 8 >= -seen.text
    return prompt, cached if kept and at_us < seen.warm_until_us else 0


def _rest_tokens(weight: Weight) -> Number:
    """What is not text."""
    rest = BLOCK_TOKENS * weight.blocks
    if weight.tools:
        rest += TOOLS_TOKENS + DEFINED_TOOL_TOKENS * weight.defined_tools
    if weight.images or weight.documents:
        rest += _media_tokens(weight)
    return rest


def _media_tokens(weight: Weight) -> int:
    pages = weight.documents + weight.document_bytes // PAGE_BYTES
    return IMAGE_TOKENS * weight.images + PAGE_TOKENS * pages


def _last_prompt(usage: Usage) -> tuple[int, int]:
    """(tokens, of these now in the cache) of the last prompt: where the provider prompted more than once, the sums of the
    usage are none."""
    for entry in reversed(usage.iterations):
        if entry.type in ("message", "fallback_message"):
            cached = entry.cache_read_tokens + max(
                entry.cache_write_tokens, entry.cache_write_5m_tokens + entry.cache_write_1h_tokens
            )
            return entry.input_tokens + cached, cached
    cached = usage.cache_read_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    return usage.input_tokens + cached, cached


def _bounded(pusd: Amount) -> int:
    """As nusd; what no budget can hold is as much as fits."""
    return min(nusd(pusd), NUSD_MAX)


def nusd(pusd: Amount) -> int:
    """Rounded up."""
    try:
        small: Number = pusd  # compiled, a C integer, as almost every amount fits into one
    except OverflowError:
        return -(-pusd // PUSD_PER_NUSD)
    per: Number = PUSD_PER_NUSD
    whole = small // per
    return whole + (whole * per < small)
