"""Models that a form names."""

import pytest

from gw.beside import must_be_allowed
from gw.clock import mono_ns
from gw.domain.account import Account
from gw.errors import Refusal
from gw.passing_models import _of_form, _of_json, _of_lines
from gw.translate.loose import loaded

PART = b"--x\r\ncontent-disposition: form-data; name=%b\r\n\r\n%b\r\n"


@pytest.mark.parametrize("name", [b'"model"', b"model", b'model; filename="a"'])
def test_a_fields_value_is_found_wherever_it_stands(name: bytes) -> None:
    body = PART % (b'"file"; filename="model"', b"1") + PART % (name, b"gpt-image-1") + PART % (b'"models"', b"2")
    assert list(_of_form(b"\r\n" + body)) == ["gpt-image-1"]


@pytest.mark.parametrize("piece", [b"\r\ncontent-disposition: form-data; name=model ;x", b"; name=model "])
def test_a_form_that_never_gets_to_its_values_is_read_once(piece: bytes) -> None:
    """188 KB of it held a worker for 20 s."""
    began_ns = mono_ns()
    assert not list(_of_form(b"\r\ncontent-disposition: " + piece * 4000))
    assert mono_ns() - began_ns < 2_000_000_000


CUT = rb"cut \ud83d"  # as JavaScript cuts texts; there are upstreams that read it


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"dear","prompt":"' + CUT + b'"}',
        b'{"requests":[{"params":{"model":"dear","messages":[{"content":"' + CUT + b'"}]}}]}',
    ],
)
def test_half_a_character_hides_no_model(body: bytes) -> None:
    read = loaded(body)
    assert isinstance(read, dict) and list(_of_json(read, whole=True)) == ["dear"]
    assert list(_of_lines(body)) == ["dear"]


def test_nor_does_what_is_no_json() -> None:
    assert list(_of_lines(b'{"custom_id":"a","body":{"model":"dear","n":NaN}}')) == ["dear"]
    assert not list(_of_lines(b"{ not: json }"))


ADA = Account("k", "ada", models=("cheap",))


@pytest.mark.parametrize("more", [b'"a":"' + CUT + b'"', b'"a":1'])
def test_models_beside_a_requests_own_are_seen_through_half_a_character(more: bytes) -> None:
    with pytest.raises(Refusal, match="dear"):
        must_be_allowed(ADA, b'{"model":"cheap","models":["dear"],%b}' % more)
    must_be_allowed(ADA, b'{"model":"cheap","models":["cheap"],%b}' % more)


def test_a_body_that_cannot_be_read_names_models_to_nobody() -> None:
    with pytest.raises(Refusal, match="not a JSON object"):
        must_be_allowed(ADA, b'{"model":"cheap","fallbacks":[{"model":"dear"}],"temperature":NaN}')
    must_be_allowed(Account("k", "eve"), b'{"model":"cheap","fallbacks":[],"temperature":NaN}')
