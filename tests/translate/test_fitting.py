"""What changes of a chat body that passes, and that nothing else does."""

import pytest

from gw.domain.quirks import Quirks
from gw.providers.compatible import COMPATIBLE
from gw.providers.openai import OpenAI
from gw.providers.place import Place
from gw.translate.fitting import fitted

BODY = (
    b'{ "model":"m" , "messages" : [ {"role":"user","content":"max_tokens \\u00fc"} ],\n'
    b' "max_tokens": 64  ,"seed":7,"zzz":[1 ,2] }'
)


def openai(model: str) -> Quirks:
    return OpenAI().quirks(Place(provider="openai"), "chat", model)


@pytest.mark.parametrize(
    ("quirks", "before", "after"),
    [
        (Quirks(), b'"max_tokens": 64  ,', b'"max_tokens": 64  ,'),
        (openai("gpt-4o"), b'"max_tokens": 64  ,', b'"max_tokens": 64  ,'),
        (Quirks(max_tokens_most=50), b'"max_tokens": 64  ,', b'"max_tokens": 50  ,'),
        (Quirks(max_tokens_most=64), b'"max_tokens": 64  ,', b'"max_tokens": 64  ,'),
        (Quirks(fields_dropped=("seed",)), b'"seed":7,', b""),
    ],
)
def test_every_other_byte_stays(quirks: Quirks, before: bytes, after: bytes) -> None:
    lost: list[str] = []
    assert fitted(BODY, quirks, lost) == BODY.replace(before, after)
    assert lost == list(quirks.fields_dropped)


@pytest.mark.parametrize(
    ("quirks", "body", "after"),
    [
        (openai("gpt-5.6"), b'{"a":1,"max_tokens":5}', b'{"a":1,"max_completion_tokens":5}'),
        (openai("gpt-5.6"), b'{"max_tokens":5,"max_completion_tokens":6}', b'{"max_completion_tokens":6}'),
        (openai("gpt-5.6"), b'{"messages":["max_tokens"]}', b'{"messages":["max_tokens"]}'),
        (COMPATIBLE["mistral"].quirks, b'{"max_completion_tokens":5,"seed":1}', b'{"max_tokens":5,"random_seed":1}'),
        (COMPATIBLE["mistral"].quirks, b'{"user":"u","store":true,"a":1}', b'{"a":1}'),
        (COMPATIBLE["groq"].quirks, b'{"max_tokens":5,"n":2}', b'{"max_completion_tokens":5}'),
        (Quirks(extra={"safe": True}), b'{"a":1}', b'{"a":1,"safe":true}'),
        (Quirks(extra={"safe": True}), b'{"safe":false}', b'{"safe":false}'),
        (Quirks(max_tokens_field="max_tokens", max_tokens_most=3), b'{"max_completion_tokens":5}', b'{"max_tokens":3}'),
        (Quirks(seed_field="random_seed"), b'{"seed":1,"random_seed":2}', b'{"random_seed":2}'),
    ],
)
def test_what_would_be_refused_is_made_to_fit(quirks: Quirks, body: bytes, after: bytes) -> None:
    assert fitted(body, quirks, []) == after
