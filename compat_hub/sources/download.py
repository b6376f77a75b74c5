"""Files from web servers that are slow, busy, or break off."""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import os
import random
import re
import shutil
import time
import urllib.parse
import warnings
from collections.abc import Callable, Iterator

import requests
import urllib3

from compat_hub.common.masking import masked
from compat_hub.common.progress import DownloadBar
from compat_hub.errors import ResolveError
from compat_hub.sources import settings
from compat_hub.sources.deadlines import DeadlineAdapter

_CHUNK = 1 << 18
_REDIRECTS = 10
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
_REDIRECTING = {301, 302, 303, 307, 308}
_FIRST_PAUSE = 0.5  # seconds; each further one is twice as long
_LONGEST_WAIT = 120  # seconds that a server may ask for
_SLOWEST = 16  # bytes per second
# An attempt that brings as much makes good for those that failed before.
_GOOD_PROGRESS = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"


class NotServedError(ResolveError):
    """The server answers, but does not give the file.

    Attributes:
        url: Where it was asked for last, after redirects.
    """

    url = ""


class _TransientError(Exception):
    """What may be better next time.

    Attributes:
        weight: How many failures it counts for.
        wait: Seconds that the server asks to wait.
    """

    def __init__(self, reason: str, weight: int = 1, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.weight = weight
        self.wait = wait


def download(url: str, path: str, handle: str, largest: float = float("inf")) -> str:
    """Downloads a file.

    Busy servers, stalls and broken connections are tried again, with pauses, from where the
    download was interrupted if the server can.

    Example:
        ```python
        download("https://example.com/m.tar.gz", "/tmp/m.tar.gz", "https://example.com/m")
        ```

    Args:
        url: Its address.
        path: The file to write.
        handle: How messages name it.
        largest: Bytes that it may have.

    Returns:
        The address that it came from, after redirects.

    Raises:
        NotServedError: The server refuses.
        ResolveError: The server cannot be reached or fails, or the file cannot be written.
    """
    limits = settings.WebLimits.from_environment()
    title = f"Downloading {masked(handle)}"
    with (
        _session(limits.timeout) as session,
        DownloadBar(title, settings.wants_progress()) as bar,
        _Part(path, handle, largest, bar) as part,
    ):
        return _persist(lambda: _attempt(session, url, part, limits.timeout), part, handle, limits)


def ask_location(url: str, handle: str) -> str:
    """Asks a server for the folder that a module is in: the text of its answer, or its Location.

    Raises:
        NotServedError: The answer is not a location.
        ResolveError: The server cannot be reached, or fails.
    """
    limits = settings.WebLimits.from_environment()
    with _session(limits.timeout) as session:
        return _persist(lambda: _ask(session, url, handle, limits.timeout), None, handle, limits)


def _cause(handle: str, error: Exception) -> Exception | None:
    """What a traceback shows of an error: nothing where the error's text may have a password."""
    return error if masked(handle) == handle else None


def _persist(
    attempt: Callable[[], str], part: _Part | None, handle: str, limits: settings.WebLimits
) -> str:
    failures, pause = 0, _FIRST_PAUSE
    while True:
        before = part.size if part else 0
        try:
            return attempt()
        except _TransientError as error:
            if part and part.size - before >= _GOOD_PROGRESS:
                failures, pause = 0, _FIRST_PAUSE
            failures += error.weight
            if failures > limits.retries or error.wait > _LONGEST_WAIT:
                raise ResolveError(
                    f"The download of {masked(handle)!r} failed: {error}. Check the network and "
                    "the handle, and try again later; COMPAT_HUB_RETRIES and COMPAT_HUB_TIMEOUT "
                    "(seconds) make it more patient."
                ) from _cause(handle, error)
            time.sleep(max(pause * random.uniform(0.75, 1.25), error.wait))
            pause *= 2


@contextlib.contextmanager
def _session(timeout: float) -> Iterator[requests.Session]:
    with requests.Session() as session, warnings.catch_warnings():
        for scheme in "https://", "http://":
            session.mount(scheme, DeadlineAdapter(timeout))
        # Compressed on its way, a file's length would not be known, nor could it be resumed.
        session.headers["Accept-Encoding"] = "identity"
        if not settings.checks_certificates():
            session.verify = False
            warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
        yield session


def _get(
    session: requests.Session, url: str, handle: str, timeout: float, headers: dict[str, str]
) -> requests.Response:
    """One request, without redirects."""
    try:
        return session.get(
            url,
            headers=headers,
            stream=True,
            timeout=timeout,
            allow_redirects=False,
            # A session's own False does not hold against REQUESTS_CA_BUNDLE.
            verify=None if session.verify else False,
        )
    except requests.exceptions.SSLError as error:
        raise ResolveError(
            f"{masked(handle)!r}: no secure connection to {_host(url)!r} comes about: {error}. "
            "Check the address; REQUESTS_CA_BUNDLE names a file of certificates to trust, and "
            "TFHUB_DISABLE_CERT_VALIDATION=true trusts any server."
        ) from _cause(handle, error)
    except requests.exceptions.ConnectTimeout as error:
        raise _TransientError(f"no connection to {_host(url)!r} in {timeout:g} s", 2) from error
    except requests.exceptions.Timeout as error:
        raise _TransientError(f"no answer from {_host(url)!r} in {timeout:g} s", 2) from error
    except requests.exceptions.ConnectionError as error:
        # No server at that address, or no such name: seldom better a second later.
        is_away = any(isinstance(a, urllib3.exceptions.MaxRetryError) for a in error.args)
        weight = 2 if is_away else 1
        raise _TransientError(f"no connection to {_host(url)!r}: {error}", weight) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
        raise ResolveError(
            f"{masked(handle)!r} cannot be downloaded: {masked(str(error))}. Check the handle."
        ) from _cause(handle, error)


@contextlib.contextmanager
def _answer(
    session: requests.Session, url: str, handle: str, timeout: float, headers: dict[str, str]
) -> Iterator[requests.Response]:
    """The answer to a request, after those redirects that lead to another web address."""
    for _ in range(_REDIRECTS + 1):
        with _get(session, url, handle, timeout, headers) as response:
            if response.status_code not in _REDIRECTING or not _leads_on(response):
                yield response
                return
            target = urllib.parse.urljoin(response.url, response.headers["Location"])
        if url.lower().startswith("https:") and not target.lower().startswith("https:"):
            raise _not_served(
                handle, target, f"{_host(url)!r} redirects to {target!r}, which is not secure"
            )
        url = target
    raise _not_served(handle, url, f"there are more than {_REDIRECTS} redirects")


def _leads_on(response: requests.Response) -> bool:
    location = response.headers.get("Location", "")
    scheme = re.match(r"(\w[\w+.-]*):", location)
    return bool(location) and (scheme is None or scheme[1].lower() in {"http", "https"})


def _attempt(session: requests.Session, url: str, part: _Part, timeout: float) -> str:
    with _answer(session, url, part.handle, timeout, part.headers()) as response:
        if response.status_code == 416:
            part.clear()
            raise _TransientError("the server has no such part of the file")
        _check_status(response, part.handle, timeout)
        part.begin(response)
        _receive(response, part, timeout)
        return response.url


def _receive(response: requests.Response, part: _Part, timeout: float) -> None:
    since, size = time.monotonic(), part.size
    while True:
        try:
            chunk = response.raw.read1(_CHUNK, decode_content=False)
        except urllib3.exceptions.ReadTimeoutError as error:
            raise _TransientError(_stall(response, part, timeout), 2) from error
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            raise _TransientError(f"it broke off {part.progress()} ({error})") from error
        if not chunk:
            break
        part.write(chunk)
        now = time.monotonic()
        if now - since > timeout:
            if part.size - size < _SLOWEST * (now - since):
                raise _TransientError(_stall(response, part, timeout), 2)
            since, size = now, part.size
    if part.total is not None and part.size != part.total:
        raise _TransientError(f"it broke off {part.progress()}")


def _stall(response: requests.Response, part: _Part, timeout: float) -> str:
    return f"{_host(response.url)!r} has stalled for {timeout:g} s {part.progress()}"


def _ask(session: requests.Session, url: str, handle: str, timeout: float) -> str:
    with _answer(session, url, handle, timeout, {}) as response:
        if response.status_code not in _REDIRECTING:
            _check_status(response, handle, timeout)
        for text in response.headers.get("Location", ""), _beginning(response, 4096, timeout):
            if re.fullmatch(r"\w[\w+.-]*://\S+", text.strip()):
                return text.strip()
        raise _not_served(
            handle,
            response.url,
            "the server was asked for the location of a folder and answered "
            f"{response.status_code}, {_beginning(response, 200, timeout)!r}",
        )


def _check_status(response: requests.Response, handle: str, timeout: float) -> None:
    status = response.status_code
    if status in {200, 206}:
        return
    reason = f"{_host(response.url)!r} answered {status} {response.reason or ''}".rstrip()
    if status in _TRANSIENT:
        wait = _retry_after(response.headers.get("Retry-After"))
        asked = f" and asks to wait {wait:.0f} s" if wait else ""
        raise _TransientError(reason + asked, wait=wait)
    said = _beginning(response, 200, timeout)
    raise _not_served(handle, response.url, f"{reason}: {said!r}" if said else reason)


def _not_served(handle: str, url: str, reason: str) -> NotServedError:
    error = NotServedError(
        f"{masked(handle)!r} cannot be downloaded: {reason}. "
        "Check the handle in a browser, and whether it needs a login."
    )
    error.url = url
    return error


def _beginning(response: requests.Response, size: int, timeout: float) -> str:
    """The first bytes of an answer, as far as they come in time, as one line of text."""
    if not hasattr(response, "beginning"):
        data = b""
        end = time.monotonic() + timeout
        with contextlib.suppress(urllib3.exceptions.HTTPError, http.client.HTTPException, OSError):
            while len(data) < 4096 and time.monotonic() < end:
                chunk = response.raw.read1(4096 - len(data), decode_content=False)
                if not chunk:
                    break
                data += chunk
        response.beginning = data  # pyright: ignore[reportAttributeAccessIssue]
    text = response.beginning[:size].decode("utf-8", "replace")  # pyright: ignore
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _retry_after(value: str | None) -> float:
    """Seconds to wait by a Retry-After header, which has a number or a date."""
    if value is None:
        return 0.0
    seconds = _number(value.strip())
    if seconds is not None:
        return float(seconds)
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    return 0.0


def _number(text: str) -> int | None:
    """The number that a header has, None where it has none: there are more digits than ten."""
    return int(text) if re.fullmatch(r"[0-9]{1,19}", text) else None


def _host(url: str) -> str:
    with contextlib.suppress(ValueError):
        return urllib.parse.urlsplit(url).hostname or url
    return url


class _Part:
    """What has come of a file.

    Attributes:
        size: Bytes that are there.
        total: Bytes of the whole file, None where the server does not say.
    """

    def __init__(self, path: str, handle: str, largest: float, bar: DownloadBar) -> None:
        self.handle = handle
        self.size = 0
        self.total: int | None = None
        self._path = path
        self._largest = largest
        self._bar = bar
        self._validator: str | None = None
        self._magic = b""

    def __enter__(self) -> _Part:
        with self._writing():
            self._file = open(self._path, "wb", buffering=0)
        return self

    def __exit__(self, *args: object) -> None:
        self._file.close()

    def progress(self) -> str:
        """How much is there, for a message."""
        return f"after {self.size:,} bytes" + (f" of {self.total:,}" if self.total else "")

    def headers(self) -> dict[str, str]:
        """Asks for the rest, where that can be told from the rest of another file."""
        if self.size == 0:
            return {}
        if self._validator is not None:
            return {"Range": f"bytes={self.size}-", "If-Range": self._validator}
        if self._magic == _GZIP_MAGIC:  # a wrong checksum would tell
            return {"Range": f"bytes={self.size}-"}
        self.clear()
        return {}

    def begin(self, response: requests.Response) -> None:
        """Prepares for the body of an answer, the whole file or the rest of it."""
        total = _number(response.headers.get("Content-Length", ""))
        if response.status_code == 206:
            header = response.headers.get("Content-Range", "")
            found = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]+/([0-9]{1,18}|\*)", header)
            known = None if found is None or found[2] == "*" else int(found[2])
            is_of_another = None not in {known, self.total} and known != self.total
            if found is None or int(found[1]) != self.size or is_of_another:
                self.clear()
                raise _TransientError("the server sent another part than it was asked for")
            self.total = known if self.total is None else self.total
        else:
            self.clear()
            self.total = total
            etag = response.headers.get("ETag", "")
            strong = etag if etag.startswith('"') else None
            self._validator = strong or response.headers.get("Last-Modified")
        self._check_size()
        self._bar.update(self.size, self.total)

    def write(self, chunk: bytes) -> None:
        """Adds bytes."""
        with self._writing():
            rest = memoryview(chunk)
            while rest:
                rest = rest[self._file.write(rest) :]
        self._magic = (self._magic + chunk[:2])[:2]
        self.size += len(chunk)
        self._check_size()
        self._bar.update(self.size, self.total)

    def clear(self) -> None:
        """Forgets what has come."""
        with self._writing():
            self._file.seek(0)
            self._file.truncate()
        self.size, self.total, self._validator, self._magic = 0, None, None, b""

    def _check_size(self) -> None:
        size = max(self.size, self.total or 0)
        if size > self._largest:
            raise ResolveError(
                f"The file that {masked(self.handle)!r} leads to has {size:,} bytes or more, above "
                f"the limit of {self._largest:,.0f} that COMPAT_HUB_MAX_BYTES sets. "
                "If you trust its source, raise the limit by that environment variable."
            )
        folder = os.path.dirname(self._path)
        if self.size == 0 and self.total and shutil.disk_usage(folder).free < self.total:
            raise ResolveError(
                f"The file that {masked(self.handle)!r} leads to has {self.total:,} bytes, and the "
                f"disk of {folder!r} has no room for it. "
                "Make room, or set TFHUB_CACHE_DIR to a folder on another disk."
            )

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ResolveError(
                f"The download of {masked(self.handle)!r} cannot be written: {error}. "
                "Make room on that disk, or set TFHUB_CACHE_DIR to a folder on another."
            ) from error
