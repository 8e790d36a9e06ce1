"""Secrets: resolved from where they are kept, and never to be seen again."""

import copy
import traceback
from pathlib import Path

import msgspec
import pytest

from gw.config.secret import SECRET_FILE_BYTES_MAX, Secret, resolve

VALUE = "sk-ant-api03-do-not-show"


def test_env_reference_gives_the_value_of_the_variable(tmp_path: Path) -> None:
    secret = resolve("env:KEY", environ={"KEY": f" {VALUE}\n"}, base=tmp_path)
    assert (secret.reveal(), secret.reference, bool(secret), secret.missing) == (VALUE, "env:KEY", True, False)


def test_file_reference_is_relative_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{VALUE}\n")
    assert resolve("file:key", environ={}, base=tmp_path).reveal() == VALUE
    assert resolve(f"file:{tmp_path}/key", environ={}, base=Path("/")).reveal() == VALUE


def test_literal_is_its_own_value_and_has_no_reference_to_show(tmp_path: Path) -> None:
    secret = resolve(VALUE, environ={}, base=tmp_path)
    assert (secret.reveal(), secret.reference) == (VALUE, "literal")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("env:KEY", "environment variable KEY is not set or empty"),
        ("env:EMPTY", "environment variable EMPTY is not set or empty"),
        ("file:absent", "file {base}/absent does not exist"),
        ("file:void", "file {base}/void is empty"),
        ("file:.", "file {base} cannot be read: Is a directory"),
    ],
)
def test_missing_secret_says_what_is_missing_and_raises_only_when_used(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "void").write_text("\n")
    secret = resolve(text, environ={"EMPTY": ""}, base=tmp_path)
    assert secret.missing and not secret
    assert secret.reason == reason.format(base=tmp_path)
    with pytest.raises(LookupError, match=r"is not set|does not exist|is empty|cannot be read"):
        secret.reveal()


def test_no_reference_is_not_missing(tmp_path: Path) -> None:
    secret = resolve("", environ={}, base=tmp_path)
    assert not secret and not secret.missing
    with pytest.raises(LookupError, match="no secret is configured"):
        secret.reveal()


@pytest.mark.parametrize(
    "text",
    ["env:MY KEY", "env:1X", "file: ", "$KEY", "${KEY}", "ENV:KEY", "env =KEY", "File:key", f"{VALUE}\nx", f"{VALUE}é"],
)
def test_refused_text_is_not_repeated(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"env:|file:|line break") as caught:
        resolve(text, environ={}, base=tmp_path)
    assert text not in str(caught.value)


@pytest.mark.parametrize(
    "content", [VALUE.encode() + b"\xff", VALUE.encode() * SECRET_FILE_BYTES_MAX, VALUE.encode() + b"\n\nmore"]
)
def test_refused_file_is_not_quoted(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(ValueError) as caught:
        resolve("file:key", environ={}, base=tmp_path)
    assert VALUE not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__cause__ is None


def test_secret_shows_in_no_repr_text_or_encoding(tmp_path: Path) -> None:
    for text in ("env:KEY", VALUE):
        secret = resolve(text, environ={"KEY": VALUE}, base=tmp_path)
        assert VALUE not in f"{secret} {secret!r} {[secret]} {secret.digest()}"
        for encode in (msgspec.json.encode, msgspec.msgpack.encode):
            with pytest.raises(TypeError):
                encode(secret)
        assert not hasattr(secret, "__dict__")


def test_equal_means_same_reference_and_same_value() -> None:
    one = Secret("env:KEY", "a")
    assert one == copy.deepcopy(one) and hash(one) == hash(copy.deepcopy(one))
    assert one != Secret("env:KEY", "b")
    assert one != Secret("literal", "a")
    assert one.digest() != Secret("env:KEY", "b").digest()
    assert Secret("").digest() == ""
