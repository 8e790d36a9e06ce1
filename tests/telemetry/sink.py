"""A collector: a real HTTP server that keeps what it is sent, and answers as it is told."""

import gzip
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import NamedTuple


class Got(NamedTuple):
    path: str
    headers: dict[str, str]  # names in lower case
    raw: bytes

    @property
    def body(self) -> bytes:
        return gzip.decompress(self.raw) if self.headers.get("content-encoding") == "gzip" else self.raw


class Says(NamedTuple):
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = MappingProxyType({})


@dataclass
class Sink:
    """`answer` decides by request; what it answers with 2xx is in `taken`, everything in `asked`."""

    url: str = ""
    answer: Callable[[Got], Says] = lambda _: Says()
    asked: list[Got] = field(default_factory=list)
    taken: list[Got] = field(default_factory=list)

    def bodies(self, path: str) -> list[bytes]:
        return [got.body for got in list(self.taken) if got.path == path]


@contextmanager
def sink() -> Iterator[Sink]:
    found = Sink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers.get("content-length", 0))
            got = Got(self.path, {name.lower(): value for name, value in self.headers.items()}, self.rfile.read(size))
            found.asked.append(got)
            says = found.answer(got)
            if 200 <= says.status < 300:
                found.taken.append(got)
            self.send_response(says.status)
            for name, value in {"content-length": str(len(says.body)), **says.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(says.body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
