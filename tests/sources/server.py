"""A web server on the loopback that answers as it is told, and module archives to serve."""

from __future__ import annotations

import contextlib
import io
import shutil
import ssl
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.records import FIXTURES

Answer = Callable[["_Handler"], None]


class Server(ThreadingHTTPServer):
    """Answers each path by its list of answers, the last of which is repeated.

    Attributes:
        answers: The answers by path, the query left out.
        asked: Path with query, and headers, of each request.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.scheme = "http"
        if certificate is not None:
            self.scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.lock = threading.Lock()

    def url(self, path: str, *answers: Answer) -> str:
        """The address of a path, which is given those answers."""
        if answers:
            self.answers[path.partition("?")[0]] = list(answers)
        return f"{self.scheme}://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        with self.server.lock:
            self.server.asked.append((self.path, dict(self.headers)))
            answers = self.server.answers.get(path, [status(404, body=b"<html>No</html>")])
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        answer(self)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def begin(self, code: int, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


@contextlib.contextmanager
def running(certificate: Path | None = None) -> Iterator[Server]:
    """A server, over TLS where a certificate with its key is given."""
    with Server(certificate) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def make_certificate(folder: Path) -> Path:
    """A certificate for the loopback that nobody vouches for, with its key, in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the program openssl, which makes a certificate")
    file, key = folder / "certificate.pem", folder / "key.pem"
    options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    name = ["-subj", "/CN=loopback", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = [openssl, "req", "-x509", *options, *name, "-keyout", key, "-out", file]
    subprocess.run(command, check=True, capture_output=True)
    file.write_text(file.read_text() + key.read_text())
    return file


def file(data: bytes, **headers: str) -> Answer:
    """The whole file, or the part that is asked for."""

    def answer(handler: _Handler) -> None:
        asked = handler.headers.get("Range")
        first = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        rest = data[first:]
        found = {"Content-Length": str(len(rest)), **headers}
        if asked:
            found["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
        handler.begin(206 if asked else 200, found)
        handler.wfile.write(rest)

    return answer


def broken_off(data: bytes, after: int, **headers: str) -> Answer:
    """The length of the whole file, and only the beginning of it."""

    def answer(handler: _Handler) -> None:
        handler.begin(200, {"Content-Length": str(len(data)), **headers})
        handler.wfile.write(data[:after])

    return answer


def dripping(data: bytes, pause: float, size: int = 1) -> Answer:
    def answer(handler: _Handler) -> None:
        handler.begin(200, {"Content-Length": str(len(data))})
        for k in range(0, len(data), size):
            handler.wfile.write(data[k : k + size])
            time.sleep(pause)

    return answer


def stalled(data: bytes = b"", seconds: float = 1.0) -> Answer:
    """Some bytes of an answer that promises more, or none at all."""

    def answer(handler: _Handler) -> None:
        if data:
            handler.begin(200, {"Content-Length": str(len(data) + 1)})
            handler.wfile.write(data)
        time.sleep(seconds)
        handler.close_connection = True

    return answer


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    def answer(handler: _Handler) -> None:
        handler.begin(code, {"Content-Length": str(len(body)), **headers})
        handler.wfile.write(body)

    return answer


def redirect(location: str, code: int = 302) -> Answer:
    return status(code, Location=location)


def archive_of(fixture: str = "fruit", mode: str = "w:gz", prefix: str = "./") -> bytes:
    """The archive of a fixture's module, as hosting servers have it: with its folders."""
    folder = FIXTURES / fixture / "module"
    members = []
    for path in [folder, *sorted(folder.rglob("*"))]:
        name = path.relative_to(folder).as_posix()
        member = tarfile.TarInfo(prefix + name if name != "." else prefix or "./")
        member.type = tarfile.DIRTYPE if path.is_dir() else tarfile.REGTYPE
        data = b"" if path.is_dir() else path.read_bytes()
        member.size = len(data)
        members.append((member, data))
    return archive_of_members(members, mode)


def archive(contents: dict[str, bytes], mode: str = "w:gz") -> bytes:
    """An archive of files by their names."""
    members = []
    for name, data in contents.items():
        member = tarfile.TarInfo(name)
        member.size = len(data)
        members.append((member, data))
    return archive_of_members(members, mode)


def archive_of_members(members: list[tuple[tarfile.TarInfo, bytes]], mode: str = "w:gz") -> bytes:
    """An archive of whatever members."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as tar:  # pyright: ignore
        for member, data in members:
            tar.addfile(member, io.BytesIO(data))
    return file.getvalue()
