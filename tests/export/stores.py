"""An S3 server in a process of its own, and a hop in front of it that breaks what passes, as it is told."""

import http.client
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Literal

MOTO = """
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
print(server.port, flush=True)
server.serve_forever()
"""
BUCKET = "ledger"
CREDENTIALS = {"access_key_id": "test", "secret_access_key": "test"}
Fault = Literal["", "error", "reset", "reset_in_body", "lost_answer"]
Choose = Callable[[int, str, str], Fault]  # which request, its method and path


class Store:
    """moto. `objects` asks it directly."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._client = self._connect()
        self._client.create_bucket(Bucket=BUCKET)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _connect(self) -> Any:
        """boto3 makes the classes of its clients at run time."""
        import boto3  # type: ignore[import-untyped]  # it has no stubs

        return boto3.client(
            "s3", endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
        )

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        found = self._client.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return {one["Key"]: self._client.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read() for one in found}

    def clear(self) -> None:
        for key in self.objects():
            self._client.delete_object(Bucket=BUCKET, Key=key)


@contextmanager
def moto() -> Iterator[Store]:
    with subprocess.Popen([sys.executable, "-c", MOTO], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            yield Store(int(process.stdout.readline()))
        finally:
            process.kill()


@contextmanager
def hop(behind: int, choose: Choose) -> Iterator[str]:
    """An endpoint that passes requests on to the port `behind`, or does to them what `choose` says."""
    counter, lock = [0], Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            with lock:
                counter[0] += 1
                fault = choose(counter[0], self.command, self.path)
            size = int(self.headers.get("content-length", 0))
            if fault in ("reset", "reset_in_body"):
                self.rfile.read(min(1000, size) if fault == "reset_in_body" else 0)
                self._reset()
                return
            body = self.rfile.read(size)
            if fault == "error":
                self._answer(503, {}, b"<Error><Code>SlowDown</Code></Error>")
                return
            connection = http.client.HTTPConnection("127.0.0.1", behind)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            if fault == "lost_answer":
                self._reset()
                return
            self._answer(answer.status, dict(answer.getheaders()), content)

        def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            head = self.command == "HEAD"
            self.send_header("content-length", headers.get("Content-Length", "0") if head else str(len(content)))
            self.end_headers()
            self.wfile.write(b"" if head else content)

        def _reset(self) -> None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            self.rfile = self.wfile = open("/dev/null", "rb+")  # noqa: SIM115 - what the base class closes afterwards

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _handle

        def log_message(self, *args: object) -> None:
            """Nothing is said."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a connection that we have reset
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
