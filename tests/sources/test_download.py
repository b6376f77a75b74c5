"""Downloads from servers that are busy, slow, lie, or break off."""

from __future__ import annotations

import email.utils
import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

from compat_hub import ResolveError
from compat_hub.sources import download as web
from tests.sources.server import (
    Server,
    broken_off,
    dripping,
    file,
    make_certificate,
    redirect,
    running,
    stalled,
    status,
)

_DATA = random.Random(0).randbytes(3_000_000)
_GZIP = b"\x1f\x8b" + _DATA


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPAT_HUB_TIMEOUT", "0.5")


def _download(url: str, tmp_path: Path, largest: float = float("inf")) -> bytes:
    path = tmp_path / "file"
    web.download(url, str(path), url, largest)
    return path.read_bytes()


def _asked_ranges(server: Server) -> list[str | None]:
    return [headers.get("Range") for _, headers in server.asked]


def test_a_file(server: Server, tmp_path: Path) -> None:
    url = server.url("/m", file(_DATA))
    assert _download(url, tmp_path) == _DATA
    assert server.asked[0][1]["Accept-Encoding"] == "identity"


def test_without_a_length(server: Server, tmp_path: Path) -> None:
    def answer(handler) -> None:
        handler.begin(200, {})
        handler.wfile.write(_DATA)

    assert _download(server.url("/m", answer), tmp_path) == _DATA


def test_redirects(server: Server, tmp_path: Path) -> None:
    codes = [301, 302, 303, 307, 308]
    for k, code in enumerate(codes):
        server.url(f"/{k}", redirect(f"/{k + 1}" if k % 2 else server.url(f"/{k + 1}"), code))
    server.url("/5", file(_DATA))
    path = str(tmp_path / "file")
    assert web.download(server.url("/0?a=b"), path, "the/handle") == server.url("/5")


def test_redirects_without_end(server: Server, tmp_path: Path) -> None:
    url = server.url("/m", redirect("/m"))
    with pytest.raises(web.NotServedError, match="more than 10 redirects"):
        _download(url, tmp_path)
    assert len(server.asked) == 11


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/m", ""])
def test_redirects_to_what_is_not_the_web(server: Server, tmp_path: Path, location: str) -> None:
    with pytest.raises(ResolveError, match="answered 302"):
        _download(server.url("/m", redirect(location)), tmp_path)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def secure(certificate: Path) -> Iterator[Server]:
    with running(certificate) as server:
        yield server


def test_a_certificate_that_nobody_vouches_for(secure: Server, tmp_path: Path) -> None:
    url = secure.url("/m", file(_DATA))
    with pytest.raises(ResolveError, match=r"(?s)no secure.*TFHUB_DISABLE_CERT_VALIDATION=true"):
        _download(url, tmp_path)
    assert not secure.asked


@pytest.mark.parametrize("bundle", [False, True])
def test_certificates_that_are_not_checked(
    secure: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundle: bool
) -> None:
    monkeypatch.setenv("TFHUB_DISABLE_CERT_VALIDATION", "true")
    if bundle:  # of others
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    assert _download(secure.url("/m", file(_DATA)), tmp_path) == _DATA


def test_a_certificate_to_trust(
    secure: Server, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert _download(secure.url("/m", file(_DATA)), tmp_path) == _DATA


def test_redirects_from_a_secure_server(
    secure: Server,
    server: Server,
    certificate: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    server.url("/m", file(_DATA))
    url = secure.url("/to/http", redirect(server.url("/m")))
    with pytest.raises(web.NotServedError, match="not secure"):
        _download(url, tmp_path)
    assert not server.asked
    secure.url("/m", file(_DATA))
    assert _download(server.url("/to/https", redirect(secure.url("/m"))), tmp_path) == _DATA
    assert _download(secure.url("/to/https", redirect("/m")), tmp_path) == _DATA


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_a_busy_server(server: Server, tmp_path: Path, code: int) -> None:
    url = server.url("/m", status(code), status(code), file(_DATA))
    assert _download(url, tmp_path) == _DATA
    assert len(server.asked) == 3


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 501])
def test_refusals_are_not_tried_again(server: Server, tmp_path: Path, code: int) -> None:
    url = server.url("/m", status(code, b"<p>You need to\n log in</p>"))
    with pytest.raises(web.NotServedError, match=str(code)) as caught:
        _download(url, tmp_path)
    assert "<p>You need to log in</p>" in str(caught.value)
    assert caught.value.url == url
    assert len(server.asked) == 1


def test_a_server_that_stays_busy(server: Server, tmp_path: Path) -> None:
    url = server.url("/m", status(503))
    with pytest.raises(ResolveError, match="answered 503") as caught:
        _download(url, tmp_path)
    assert "try again later" in str(caught.value)
    assert len(server.asked) == 5


def test_the_number_of_retries(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPAT_HUB_RETRIES", "1")
    with pytest.raises(ResolveError):
        _download(server.url("/m", status(503)), tmp_path)
    assert len(server.asked) == 2


def test_retry_after(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    in_a_minute = email.utils.formatdate(time.time() + 60, usegmt=True)
    answers = [
        status(429, **{"Retry-After": "7"}),
        status(503, **{"Retry-After": in_a_minute}),
        status(503, **{"Retry-After": "soon"}),
        file(b"data"),
    ]
    assert _download(server.url("/m", *answers), tmp_path) == b"data"
    assert waits[0] == 7
    assert 50 < waits[1] <= 60
    assert waits[2] < 1


def test_a_server_that_asks_for_too_long_a_wait(server: Server, tmp_path: Path) -> None:
    url = server.url("/m", status(429, **{"Retry-After": "3600"}))
    with pytest.raises(ResolveError, match="asks to wait 3600 s"):
        _download(url, tmp_path)
    assert len(server.asked) == 1


@pytest.mark.parametrize("headers", [{"ETag": '"1"'}, {"Last-Modified": "yesterday"}])
def test_resumes(server: Server, tmp_path: Path, headers: dict[str, str]) -> None:
    url = server.url("/m", broken_off(_DATA, 1_000_000, **headers), file(_DATA, **headers))
    assert _download(url, tmp_path) == _DATA
    assert _asked_ranges(server) == [None, "bytes=1000000-"]
    assert server.asked[1][1]["If-Range"] == next(iter(headers.values()))


def test_resumes_what_has_a_checksum(server: Server, tmp_path: Path) -> None:
    assert _download(server.url("/m", broken_off(_GZIP, 1000), file(_GZIP)), tmp_path) == _GZIP
    assert _asked_ranges(server) == [None, "bytes=1000-"]


def test_starts_anew_where_parts_may_not_fit(server: Server, tmp_path: Path) -> None:
    weak = {"ETag": 'W/"1"'}
    url = server.url("/m", broken_off(_DATA, 1000, **weak), file(_DATA))
    assert _download(url, tmp_path) == _DATA
    assert _asked_ranges(server) == [None, None]


def test_starts_anew_where_the_server_does_not_resume(server: Server, tmp_path: Path) -> None:
    changed = status(200, _DATA[::-1])
    url = server.url("/m", broken_off(_DATA, 1000, ETag='"1"'), changed)
    assert _download(url, tmp_path) == _DATA[::-1]


@pytest.mark.parametrize(
    "answer",
    [
        status(416),
        status(206, b"x" * 100, **{"Content-Range": "bytes 5-104/105"}),
        status(206, b"x" * 100, **{"Content-Range": "bytes 1000-1099/1100"}),
        status(206, b"x" * 100),
    ],
)
def test_starts_anew_after_a_wrong_part(server: Server, tmp_path: Path, answer) -> None:
    url = server.url("/m", broken_off(_DATA, 1000, ETag='"1"'), answer, file(_DATA))
    assert _download(url, tmp_path) == _DATA
    assert _asked_ranges(server) == [None, "bytes=1000-", None]


def test_a_connection_that_always_breaks_off(server: Server, tmp_path: Path) -> None:
    url = server.url("/m", broken_off(_DATA, 1000))
    with pytest.raises(ResolveError, match="broke off after 1,000 bytes of 3,000,000"):
        _download(url, tmp_path)
    assert len(server.asked) == 5


def test_progress_makes_good_for_failures(server: Server, tmp_path: Path) -> None:
    large = _DATA * 4

    def some_more(handler) -> None:
        asked = handler.headers.get("Range", "bytes=0-")
        first = int(asked.removeprefix("bytes=").rstrip("-"))
        found = {"Content-Length": str(len(large) - first), "ETag": '"1"'}
        found["Content-Range"] = f"bytes {first}-{len(large) - 1}/{len(large)}"
        handler.begin(206 if first else 200, found)
        handler.wfile.write(large[first : first + 1_200_000])

    assert _download(server.url("/m", some_more), tmp_path) == large
    assert len(server.asked) == 10


def test_a_chunked_body_that_breaks_off(server: Server, tmp_path: Path) -> None:
    def answer(handler) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.begin(200, {"Transfer-Encoding": "chunked"})
        handler.wfile.write(b"5\r\nhello\r\n5\r\nwo")
        handler.close_connection = True

    assert _download(server.url("/m", answer, file(_DATA)), tmp_path) == _DATA


def test_a_reset_connection(server: Server, tmp_path: Path) -> None:
    def answer(handler) -> None:
        linger = b"\1\0\0\0\0\0\0\0"
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        handler.begin(200, {"Content-Length": "10"})
        handler.wfile.flush()
        handler.connection.close()

    assert _download(server.url("/m", answer, answer, file(_DATA)), tmp_path) == _DATA


@pytest.mark.parametrize("sent", [b"", b"some"])
def test_a_stall(server: Server, tmp_path: Path, sent: bytes) -> None:
    assert _download(server.url("/m", stalled(sent), file(_DATA)), tmp_path) == _DATA


@pytest.mark.parametrize("sent", [b"", b"some"])
def test_a_server_that_always_stalls(server: Server, tmp_path: Path, sent: bytes) -> None:
    began = time.monotonic()
    with pytest.raises(ResolveError, match=r"0\.5 s") as caught:
        _download(server.url("/m", stalled(sent)), tmp_path)
    assert time.monotonic() - began < 6
    assert "COMPAT_HUB_TIMEOUT" in str(caught.value)
    assert len(server.asked) == 3


def test_slow_but_steady(server: Server, tmp_path: Path) -> None:
    data = _DATA[:60]
    assert _download(server.url("/m", dripping(data, 0.02)), tmp_path) == data


def test_too_slow_to_ever_end(server: Server, tmp_path: Path) -> None:
    url = server.url("/m", dripping(_DATA, 0.2))
    with pytest.raises(ResolveError, match="has stalled"):
        _download(url, tmp_path)


def test_nobody_there(tmp_path: Path) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    with pytest.raises(ResolveError, match=r"no connection to '127\.0\.0\.1'"):
        _download(f"http://127.0.0.1:{port}/m", tmp_path)


@pytest.mark.parametrize(
    "url", ["http://", "http://[", "http://a b/", "https://:x/", "http://" + "a" * 70 + ".invalid"]
)
def test_no_addresses(tmp_path: Path, url: str) -> None:
    with pytest.raises(ResolveError):
        _download(url, tmp_path)


def test_a_server_that_speaks_another_protocol(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1000)
                    connection.sendall(b"220 hello\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            for scheme in "http", "https":
                with pytest.raises(ResolveError):
                    _download(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/m", tmp_path)
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_file_that_is_too_large(server: Server, tmp_path: Path) -> None:
    url = server.url("/m", file(_DATA))
    with pytest.raises(ResolveError, match="COMPAT_HUB_MAX_BYTES"):
        _download(url, tmp_path, largest=1_000_000)
    assert (tmp_path / "file").stat().st_size == 0

    def endless(handler) -> None:
        handler.begin(200, {})
        for _ in range(100):
            handler.wfile.write(_DATA)

    with pytest.raises(ResolveError, match="COMPAT_HUB_MAX_BYTES"):
        _download(server.url("/endless", endless), tmp_path, largest=1_000_000)


def test_a_disk_without_room(server: Server, tmp_path: Path) -> None:
    url = server.url("/m", status(200, **{"Content-Length": str(1 << 60)}))
    with pytest.raises(ResolveError, match="has no room for it"):
        _download(url, tmp_path)


@pytest.mark.parametrize("size", ["²", "9" * 5000, "-1", "٣"])
def test_headers_that_are_no_numbers(server: Server, tmp_path: Path, size: str) -> None:
    def answer(handler) -> None:
        data = f"Content-Length: {size}".encode("utf-8" if size == "٣" else "latin-1")
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n" + data + b"\r\n\r\n" + _DATA[:100])
        handler.close_connection = True

    assert _download(server.url("/m", answer), tmp_path) == _DATA[:100]

    def busy(handler) -> None:
        handler.wfile.write(b"HTTP/1.0 503 No\r\nRetry-After: \xb2\r\n\r\n")
        handler.close_connection = True

    assert _download(server.url("/busy", busy, file(b"data")), tmp_path) == b"data"


@pytest.mark.parametrize("code", ["200 OK", "302 Found", "100 Continue"])
def test_slow_headers(server: Server, tmp_path: Path, code: str) -> None:
    def answer(handler) -> None:
        for byte in f"HTTP/1.0 {code}\r\n".encode() + b"X: x\r\n" * 1000:
            handler.wfile.write(bytes([byte]))
            time.sleep(0.1)

    start = time.monotonic()
    with pytest.raises(ResolveError, match=r"no answer from '127.0.0.1' in 0.5 s"):
        _download(server.url("/m", answer), tmp_path)
    assert time.monotonic() - start < 5


def test_answers_that_do_not_end(server: Server, tmp_path: Path) -> None:
    def answer(handler) -> None:
        while True:
            handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            time.sleep(0.05)

    with pytest.raises(ResolveError, match="no answer from"):
        _download(server.url("/m", answer), tmp_path)


def test_a_slow_refusal(server: Server, tmp_path: Path) -> None:
    def answer(handler) -> None:
        handler.begin(404, {"Content-Length": "4000"})
        for _ in range(4000):
            handler.wfile.write(b"x")
            time.sleep(0.1)

    start = time.monotonic()
    with pytest.raises(web.NotServedError, match="answered 404"):
        _download(server.url("/m", answer), tmp_path)
    assert time.monotonic() - start < 5


def test_a_slow_handshake(tmp_path: Path) -> None:
    """A server that accepts, and sends a part of a TLS handshake byte by byte."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        is_over = threading.Event()

        def serve() -> None:
            while not is_over.is_set():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    for byte in b"\x16\x03\x03\x40\x00" + b"\x02\x00\x3f\xf0" * 100:
                        try:
                            connection.send(bytes([byte]))
                        except OSError:
                            break
                        if is_over.wait(0.1):
                            return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/m"
        start = time.monotonic()
        with pytest.raises(ResolveError):
            _download(url, tmp_path)
        assert time.monotonic() - start < 5
        is_over.set()
        listener.shutdown(socket.SHUT_RDWR)


def test_passwords_are_not_shown(server: Server, tmp_path: Path) -> None:
    url = server.url("/m").replace("//", "//me:secret@")
    with pytest.raises(ResolveError, match=r"me:\*\*\*@") as caught:
        _download(url, tmp_path)
    assert "secret" not in str(caught.value)


def test_ask_location(server: Server) -> None:
    text = b"gs://bucket/module"
    for answer in [
        status(303, text),
        status(200, text + b"\n"),
        status(303, b"", Location="gs://bucket/module"),
        status(302, b"moved", Location="gs://bucket/module"),
        status(303, text, Location="gs://bucket/module"),
    ]:
        url = server.url("/m", answer)
        assert web.ask_location(url, url) == "gs://bucket/module"
    url = server.url("/far", redirect(server.url("/m")))
    assert web.ask_location(url, url) == "gs://bucket/module"


@pytest.mark.parametrize("answer", [status(200, b"<html>"), status(303), status(404, b"gs://a/b")])
def test_no_location(server: Server, answer) -> None:
    url = server.url("/m", answer)
    with pytest.raises(web.NotServedError):
        web.ask_location(url, url)
