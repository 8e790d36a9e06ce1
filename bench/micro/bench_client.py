"""Requests per second of the upstream client alone, and CPU time per request.

    python bench/micro/bench_client.py [--seconds 5] [--concurrency 64] [--body 1024] [--answer 1024] [--chunks 0] [--profile]

The server is the least asyncio.Protocol that can answer, in another process; the client runs in this one, under uvloop.
CPU per request is this process's user + system time, the kernel's share of the sockets included. `--chunks N` answers
with N chunks (one write each, as a stream) instead of one body, and prints CPU per chunk too.
"""

import argparse
import asyncio
import cProfile
import multiprocessing
import os
import pstats
import socket

import uvloop

from gw import clock
from gw.upstream.pool import Pool
from gw.upstream.target import Target

REQUEST_HEADERS = [
    (b"accept", b"application/json"),
    (b"authorization", b"Bearer sk-ant-" + b"x" * 90),
    (b"user-agent", b"claude-cli/2.1.329 (external, sdk-cli)"),
    (b"x-claude-code-session-id", b"a" * 36),
    (b"x-stainless-arch", b"x64"),
    (b"x-stainless-lang", b"js"),
    (b"x-stainless-os", b"Linux"),
    (b"x-stainless-package-version", b"0.128.0"),
    (b"x-stainless-retry-count", b"0"),
    (b"x-stainless-runtime", b"node"),
    (b"anthropic-beta", b"claude-code-20250219,interleaved-thinking-2025-05-14"),
    (b"anthropic-version", b"2023-06-01"),
    (b"content-type", b"application/json"),
    (b"accept-encoding", b"identity"),
]
ANSWER_HEAD = (
    b"HTTP/1.1 200 OK\r\nDate: Fri, 21 Nov 2025 01:00:00 GMT\r\nContent-Type: application/json\r\nrequest-id: req_011CU\r\n"
    b"anthropic-organization-id: 8c2d\r\nServer: cloudflare\r\ncf-ray: 8a123\r\nx-robots-tag: none\r\nvia: 1.1 google\r\n"
)


class Server(asyncio.Protocol):
    """Answers when `head_end + request_bytes` have arrived; never looks at what they are."""

    def __init__(self, body_bytes: int, answer_bytes: int, chunks: int) -> None:
        self.body_bytes = body_bytes
        self.pending = b""
        self.need = 0
        self.chunks = chunks
        piece = b"x" * answer_bytes
        self.chunk = b"%x\r\n%b\r\n" % (len(piece), piece)
        self.answer = ANSWER_HEAD + b"Content-Length: %d\r\n\r\n" % len(piece) + piece
        self.got = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.need == 0:
            self.pending += data
            end = self.pending.find(b"\r\n\r\n")
            if end < 0:
                return
            self.need, self.got, self.pending = end + 4 + self.body_bytes, len(self.pending), b""
        else:
            self.got += len(data)
        if self.got >= self.need:
            self.need = 0
            if self.chunks:
                self.transport.write(ANSWER_HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
                asyncio.get_running_loop().call_soon(self.write_chunk, self.chunks)
            else:
                self.transport.write(self.answer)

    def write_chunk(self, left: int) -> None:
        self.transport.write(self.chunk if left else b"0\r\n\r\n")
        if left:
            asyncio.get_running_loop().call_soon(self.write_chunk, left - 1)


def serve(sock: socket.socket, body_bytes: int, answer_bytes: int, chunks: int) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Server(body_bytes, answer_bytes, chunks), sock=sock)
        await server.serve_forever()

    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {1})
    uvloop.run(main())


async def load(target: Target, args: argparse.Namespace) -> tuple[int, float, float, int]:
    """(requests, seconds, CPU seconds, reads that returned bytes)."""
    pool = Pool()
    head = b"".join(b"%b: %b\r\n" % pair for pair in REQUEST_HEADERS)
    body = b"x" * args.body
    expected = args.answer * (args.chunks or 1)
    done = reads = 0
    end_ns = clock.mono_ns() + args.seconds * 10**9

    async def caller() -> None:
        nonlocal done, reads
        while clock.mono_ns() < end_ns:
            response = await pool.request(target, b"POST", b"/v1/messages?beta=true", head, body)
            size = 0
            while piece := response.read_nowait() or await response.read():
                size += len(piece)
                reads += 1
            assert response.status == 200 and size == expected
            done += 1

    started_ns, cpu = clock.mono_ns(), os.times()
    await asyncio.gather(*(caller() for _ in range(args.concurrency)))
    ended = os.times()
    seconds = (clock.mono_ns() - started_ns) / 1e9
    await pool.close()
    return done, seconds, ended.user - cpu.user + ended.system - cpu.system, reads


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--body", type=int, default=1024, help="request body, bytes")
    parser.add_argument("--answer", type=int, default=1024, help="response body, or one chunk of it, bytes")
    parser.add_argument("--chunks", type=int, default=0)
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
    fork = multiprocessing.get_context("fork")
    server = fork.Process(target=serve, args=(sock, args.body, args.answer, args.chunks), daemon=True)
    server.start()
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {0})
    target = Target.from_url(f"http://127.0.0.1:{sock.getsockname()[1]}", connections_max=args.concurrency)
    profile = cProfile.Profile()
    if args.profile:
        profile.enable()
    done, seconds, cpu, reads = uvloop.run(load(target, args))
    if args.profile:
        profile.disable()
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    server.terminate()
    print(f"{done / seconds:,.0f} requests/s, {cpu / done * 1e6:.1f} us CPU per request, concurrency {args.concurrency}")
    if args.chunks:
        print(f"{cpu / reads * 1e6:.1f} us CPU per read, {reads / done:.1f} reads per response of {args.chunks} chunks")


if __name__ == "__main__":
    main()
