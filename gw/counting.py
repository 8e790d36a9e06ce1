"""How many tokens a request has: free of charge, and without an answer of the model.

Where the upstream counts it is asked, in its own words, and what it says is exact. Where it does not, or would not (a model that
it does not count for, a right that gw's credential lacks), the count is estimated as calls are, and says so in `x-gw-estimated`.
"""

from __future__ import annotations

import orjson

from gw._fast import weigh
from gw.demand import Demand
from gw.deployment import Deployment
from gw.domain.estimate import tokens_of
from gw.listing import reply
from gw.settle import Call
from gw.speech import Headers, Speech
from gw.translate import counting
from gw.translate.form import Json
from gw.translation import Heard, parsed
from gw.wire.asgi import Send
from gw.worker import Worker

IMAGE_TOKENS, DOCUMENT_TOKENS = 1600, 4600
ESTIMATED = (b"x-gw-estimated", b"true")
# What the two forms of Gemini's question have at their top that the other does not know.
_OF_VERTEX = frozenset({"systemInstruction", "system_instruction", "tools", "generationConfig", "generation_config"})
_OF_STUDIO = frozenset({"generateContentRequest", "generate_content_request"})


class Counting(Speech):
    """`estimated`: the upstream's answer had no count."""

    __slots__ = ("_demand", "estimated")

    def __init__(self, client: str, upstream: str, demand: Demand) -> None:
        super().__init__(client, upstream, "", demand.asked)
        self.estimated = False
        self._demand = demand

    def whole(self, body: bytes) -> Heard:
        if self.same:
            return Heard(body, b"", None)
        read = parsed(body)
        total = counting.read_total(self.upstream, read) if read is not None else None
        self.estimated = total is None
        told = counting.write_total(self.client, estimate(self._demand) if total is None else total)
        return Heard(orjson.dumps(told), b"", None)

    def kept(self, headers: Headers) -> Headers:
        return [*super().kept(headers), ESTIMATED] if self.estimated else super().kept(headers)


def counter_of(demand: Demand, deployment: Deployment, model: str) -> str:
    """The dialect in which the upstream counts; "": it does not."""
    client = demand.door.dialect or "anthropic"
    return deployment.rules.dialect(deployment.place, model, "count_tokens", client)


def passes(demand: Demand, deployment: Deployment, upstream: str) -> bool:
    """The client's own words are the upstream's."""
    if (demand.door.dialect or "anthropic") != upstream:
        return False
    if upstream != "gemini":
        return True
    return not demand.json.keys() & (_OF_STUDIO if deployment.provider == "vertex" else _OF_VERTEX)


def question(demand: Demand, deployment: Deployment, upstream: str, model: str) -> Json:
    """Raises Refusal: cannot_carry, capability_rejected."""
    place = deployment.place
    asked = demand.asked_as(place.model_behind(model) if upstream == "converse" else model)
    body = counting.write_question(upstream, asked, deployment.quirks(upstream, model), vertex=deployment.provider == "vertex")
    demand.lost = []  # what is not said because nobody counts it
    return body


def estimate(demand: Demand) -> int:
    weight = weigh(demand.weighed)
    return tokens_of(weight.text_bytes, demand.model) + IMAGE_TOKENS * weight.images + DOCUMENT_TOKENS * weight.documents


async def tell_estimate(worker: Worker, call: Call, demand: Demand, send: Send) -> None:
    told = counting.write_total(demand.door.dialect or "anthropic", estimate(demand))
    await reply(worker, call, told, send, [ESTIMATED])
