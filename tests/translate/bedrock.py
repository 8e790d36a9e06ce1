"""Bedrock as its own SDK describes it: shapes that judge what gw writes, the rules that the service adds, a server for boto3."""

import re
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import boto3
import orjson
from botocore.config import Config
from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

Json = dict[str, Any]
Reply = tuple[int, dict[str, str], bytes]
STREAM = {"content-type": "application/vnd.amazon.eventstream"}


@cache
def service() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"), "bedrock-runtime")


def faults(value: Any, shape: str | Shape, path: str = "") -> list[str]:
    """Every breach of a shape: fields missing or unknown, unions, types, words of an enumeration, lengths, patterns."""
    known = service().shape_for(shape) if isinstance(shape, str) else shape
    if known.type_name == "structure":
        return [] if getattr(known, "is_document_type", False) else _structure(value, known, path)
    if known.type_name == "list":
        if not isinstance(value, list):
            return [f"{path}: no list"]
        inner = [fault for at, one in enumerate(value) for fault in faults(one, known.member, f"{path}[{at}]")]
        return inner + _bounds(len(value), known, path)
    if known.type_name == "map":
        return [fault for name, one in value.items() for fault in faults(one, known.value, f"{path}.{name}")]
    if known.type_name in ("integer", "long", "float"):
        kind = (int, float) if known.type_name == "float" else int
        fine = isinstance(value, kind) and not isinstance(value, bool)
        return _bounds(value, known, path) if fine else [f"{path}: no number"]
    if known.type_name == "boolean":
        return [] if isinstance(value, bool) else [f"{path}: no boolean"]
    return _text(value, known, path)


def _structure(value: Any, shape: Any, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: no object"]
    needed = [name for name in shape.required_members if not _in_address(shape, name)]
    found = [f"{path}: {name} is missing" for name in needed if name not in value]
    found += [f"{path}: {name} is unknown" for name in value if name not in shape.members]
    if getattr(shape, "is_tagged_union", False) and len(value) != 1:
        found.append(f"{path}: {len(value)} members of a union")
    for name in value.keys() & shape.members.keys():
        found += faults(value[name], shape.members[name], f"{path}.{name}")
    return found


def _in_address(shape: Any, name: str) -> bool:
    return shape.members[name].serialization.get("location") == "uri"


def _text(value: Any, shape: Any, path: str) -> list[str]:
    if not isinstance(value, str):
        return [f"{path}: no text"]
    if shape.type_name == "blob":
        b64decode(value, validate=True)
        return []
    if shape.enum and value not in shape.enum:
        return [f"{path}: {value!r} is none of {shape.enum}"]
    pattern = shape.metadata.get("pattern")
    if pattern and re.fullmatch(pattern, value) is None:
        return [f"{path}: {value!r} is not of the pattern"]
    return _bounds(len(value), shape, path)


def _bounds(size: float, shape: Any, path: str) -> list[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    return [f"{path}: {size} is out of bounds"] if (least and size < least) or (most is not None and size > most) else []


def refused(body: Json) -> list[str]:
    """What Bedrock, or Claude behind it, says no to beyond the shapes."""
    found = []
    roles = [message["role"] for message in body["messages"] if message["role"] != "system"]
    found += [f"roles do not alternate: {roles}"] if any(one == two for one, two in pairwise(roles)) else []
    found += ["the first turn is not the user's"] if roles[:1] != ["user"] else []
    calls: list[str] = []
    names: list[str] = []
    for at, message in enumerate(body["messages"]):
        content = message["content"]
        results = [part["toolResult"]["toolUseId"] for part in content if "toolResult" in part]
        if message["role"] != "system":
            if sorted(results) != sorted(calls):
                found.append(f"messages {at}: results {results} of the calls {calls}")
            calls = [part["toolUse"]["toolUseId"] for part in content if "toolUse" in part]
        found += [f"messages {at}: blank text" for part in content if "text" in part and not part["text"].strip()]
        found += [f"messages {at}: nothing"] if not content else []
        found += [f"messages {at}: a cache point first"] if content and "cachePoint" in content[0] else []
        documents = [part["document"] for part in content if "document" in part]
        found += [f"messages {at}: a document without text"] if documents and not any("text" in part for part in content) else []
        names += [one["name"] for one in documents]
        used = any("toolUse" in part or "toolResult" in part for part in content)
        found += ["tools are used and not defined"] if used and not body.get("toolConfig", {}).get("tools") else []
    found += ["calls without results at the end"] if calls else []
    found += [f"documents of one name: {names}"] if len(set(names)) < len(names) else []
    for name in names:
        found += [f"document name {name!r}"] if not re.fullmatch(r"(?! )[a-zA-Z0-9 \-()\[\]]+", name) or "  " in name else []
    return found


@contextmanager
def serving(answer: Callable[[str, Json, dict[str, str]], Reply]) -> Iterator[str]:
    """The address of a server that answers each POST with what `answer(path, body, headers)` gives."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = orjson.loads(self.rfile.read(int(self.headers["content-length"])))
            status, headers, content = answer(self.path, body, {name.lower(): value for name, value in self.headers.items()})
            self.send_response(status)
            for name, value in {"content-type": "application/json", **headers, "content-length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def client(url: str) -> Any:
    """boto3's for bedrock-runtime, which asks once."""
    return _session().client(
        "bedrock-runtime",
        endpoint_url=url,
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20),
    )


@cache
def _session() -> Any:
    return boto3.Session(aws_access_key_id="id", aws_secret_access_key="secret", region_name="us-east-1")
