"""A gateway that only answers `GET /api/me`, for what asks it: it notes each request, and answers at once or when it is let."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


class AskedGateway:
    """A context manager. `may_answer` holds every answer back while it is cleared."""

    def __init__(self, body: bytes, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.body, self.status, self.headers = body, status, headers
        self.requests: list[tuple[str, dict[str, str]]] = []  # (target, headers by lower-case name)
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                gateway.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                gateway.may_answer.wait(30)
                try:
                    self.send_response(gateway.status)
                    for name, value in gateway.headers:
                        self.send_header(name, value)
                    self.send_header("content-length", str(len(gateway.body)))
                    self.end_headers()
                    self.wfile.write(gateway.body)
                except ConnectionError:
                    return

            def log_message(self, *_: object) -> None:
                return

        return Handler

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.may_answer.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
