"""Models that a form names."""

import pytest

from gw.clock import mono_ns
from gw.passing_models import _of_form

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
