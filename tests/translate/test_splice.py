"""Fields in and out of a JSON object, all other bytes as they were."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.errors import Refusal
from gw.translate.splice import spliced
from tests.translate.strategies import json_values, names

SPLICED: list[tuple[bytes, tuple[str, ...], dict[str, Any], bytes]] = [
    (b'{"a":1,"b":2,"c":3}', ("b",), {}, b'{"a":1,"c":3}'),
    (b'{"a":1,"b":2}', ("a",), {}, b'{"b":2}'),
    (b'{"a":1,"b":2}', ("a", "b"), {}, b"{}"),
    (b'{"a":1}', (), {"b": "x"}, b'{"a":1,"b":"x"}'),
    (b"{}", ("a",), {"b": [1]}, b'{"b":[1]}'),
    (b'{"a":1,"b":2}', (), {"a": {"x": 1}}, b'{"a":{"x":1},"b":2}'),
    (b'{"a":1}', (), {"b": b'{ "raw" : 1 }'}, b'{"a":1,"b":{ "raw" : 1 }}'),
    (b'\n{ "a" : 1 ,\n  "b" : [ 1, 2 ] }\n', ("a",), {}, b'\n{\n  "b" : [ 1, 2 ] }\n'),
    (b' { "a" : 1.50 , "b" : "\\u00e9" } ', ("c",), {}, b' { "a" : 1.50 , "b" : "\\u00e9" } '),
    (b'{"\\u0061":1,"b":"\\"}"}', ("a",), {}, b'{"b":"\\"}"}'),
]


@pytest.mark.parametrize(("body", "drop", "add", "expected"), SPLICED)
def test_fields_are_taken_out_and_put_in(body: bytes, drop: tuple[str, ...], add: dict[str, Any], expected: bytes) -> None:
    assert spliced(body, drop, add) == expected


@given(st.dictionaries(names | st.text(max_size=5), json_values, max_size=6), st.data())
def test_it_is_what_a_dictionary_would_be(value: dict[str, Any], data: st.DataObject) -> None:
    drop = data.draw(st.lists(st.sampled_from([*value, "other"]), max_size=3))
    add = data.draw(st.dictionaries(st.sampled_from([*value, "new"]), json_values, max_size=2))
    body = orjson.dumps(value, option=orjson.OPT_INDENT_2 if data.draw(st.booleans()) else 0)
    expected = {name: one for name, one in value.items() if name not in drop or name in add} | add
    assert orjson.loads(spliced(body, drop, add)) == expected


@pytest.mark.parametrize("body", [b'{"a":1,"a":2}', b'{"a":1,"b":2,"a":1}', b'{"b":1,"a":1,"\\u0061":1}'])
def test_a_field_that_stands_twice_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        spliced(body, ("b",), {"new": 1})
    assert caught.value.slug == "duplicate_key"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a":1}x', b'{"a\xff":1}', b"null"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        spliced(body, ("a",))
    assert caught.value.slug == "invalid_json"
