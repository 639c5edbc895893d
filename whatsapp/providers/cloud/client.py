"""Calls to the Graph API: one pooled session a process, and one reading of every way in which a call can fail.

The token travels in a header that nothing else sees. Failures are raised outside the `except` that found them, because a
`requests` exception carries the request, its headers and with them the token.
"""

import json
import os
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.cookiejar import DefaultCookiePolicy
from typing import IO, Any
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, NameResolutionError, NewConnectionError

from whatsapp.errors import Reason
from whatsapp.providers.base import Account, NotSent, OutcomeUnknown, ProviderError, Refused
from whatsapp.providers.cloud import codes

CONNECT_TIMEOUT = 5.0
SILENCE_TIMEOUT = 20.0
TOTAL_TIMEOUT = 30.0
"""Seconds. A socket can only time silence, so the total is checked between reads; their sum is below a sender's lease."""

UPLOAD_TIMEOUT = 240.0

POOL_SIZE = 128
_MOST_BYTES = 16 * 1024 * 1024
_CHUNK = 64 * 1024
_PAGE_SIZE = 100


def path(account: Account, *parts: str) -> str:
    """The only place that knows what an address of the Graph API looks like."""
    return "/".join([account.api_url.rstrip("/"), account.api_version, *(quote(part, safe="") for part in parts)])


class Graph:
    """The Graph API for any account. Safe to share between threads; a forked child opens connections of its own."""

    def __init__(self, *, pool_size: int = POOL_SIZE) -> None:
        self._pool_size = pool_size
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._session: requests.Session | None = None

    def get(self, account: Account, *parts: str, token: str = "", **parameters: str) -> dict[str, Any]:
        """Read an object. `token` replaces the account's, for the calls that are the app's own."""
        return self._call("GET", path(account, *parts), token=token or account.token, parameters=parameters)

    def post(self, account: Account, *parts: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._call("POST", path(account, *parts), token=account.token, body=body)

    def post_form(self, account: Account, *parts: str, fields: dict[str, str]) -> dict[str, Any]:
        """For the few addresses that are documented with a form instead of JSON."""
        return self._call("POST", path(account, *parts), token=account.token, form=fields)

    def upload(
        self, account: Account, *parts: str, fields: dict[str, str], file: tuple[str, IO[bytes], str]
    ) -> dict[str, Any]:
        """Send a file as a form; `file` is (its name, its content, its type)."""
        url = path(account, *parts)
        return self._call("POST", url, token=account.token, form=fields, files={"file": file}, seconds=UPLOAD_TIMEOUT)

    def delete(self, account: Account, *parts: str, **parameters: str) -> dict[str, Any]:
        return self._call("DELETE", path(account, *parts), token=account.token, parameters=parameters)

    def resume(self, account: Account, session: str, *, file: IO[bytes]) -> dict[str, Any]:
        """Write a file into an upload session (Resumable Upload API), which is named `upload:…?sig=…`."""
        name, _mark, signature = session.partition("?sig=")
        return self._call(
            "POST",
            path(account, name),
            token=account.token,
            parameters={"sig": signature} if signature else None,
            headers={"file_offset": "0"},
            form=file,
            seconds=UPLOAD_TIMEOUT,
            scheme="OAuth",
        )

    def pages(self, account: Account, *parts: str, **parameters: str) -> Iterator[dict[str, Any]]:
        """The items of a list, over all its pages.

        Walks by cursor instead of following `paging.next`, an address that holds the token and could lead anywhere.
        """
        parameters = {"limit": str(_PAGE_SIZE), **parameters}
        seen: set[str] = set()
        while True:
            answer = self.get(account, *parts, **parameters)
            data = answer.get("data")
            items = [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []
            yield from items
            after = _next_cursor(answer, is_full=len(items) >= _PAGE_SIZE)
            if not items or not after or after in seen:
                return
            seen.add(after)
            parameters["after"] = after

    def _call(
        self,
        method: str,
        url: str,
        *,
        token: str,
        parameters: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
        form: dict[str, str] | IO[bytes] | None = None,
        files: dict[str, tuple[str, IO[bytes], str]] | None = None,
        headers: dict[str, str] | None = None,
        seconds: float | None = None,
        scheme: str = "Bearer",
    ) -> dict[str, Any]:
        if not _is_header_safe(token):
            raise Refused(reason=Reason.AUTH, detail="The number has no usable access token")
        failure: ProviderError
        deadline = time.monotonic() + (seconds or TOTAL_TIMEOUT)
        try:
            response = self._open_session().request(
                method,
                url,
                params=parameters,
                json=body,
                data=form,
                files=files,
                headers=headers,
                auth=_Bearer(token, scheme),
                timeout=(CONNECT_TIMEOUT, SILENCE_TIMEOUT),
                allow_redirects=False,
                stream=True,
            )
            with response:
                content = _read(response, deadline=deadline)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            failure = _failure_of(error)
        else:
            return _answer(response, content)
        raise failure

    def _open_session(self) -> requests.Session:
        if self._session is None or self._owner != os.getpid():
            with self._lock:
                if self._session is None or self._owner != os.getpid():
                    self._session = _new_session(self._pool_size)
                    self._owner = os.getpid()
        return self._session


def _is_header_safe(token: str) -> bool:
    """A token with a line break or a space in it is a slip of the clipboard; as a header it would show up in an error."""
    return bool(token) and token.isascii() and token.isprintable() and " " not in token


class _Bearer(AuthBase):
    """Puts the token on the request; as an `auth`, so that no .netrc replaces it."""

    __slots__ = ("_scheme", "_token")

    def __init__(self, token: str, scheme: str) -> None:
        self._token, self._scheme = token, scheme

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"{self._scheme} {self._token}"
        return request


def _new_session(pool_size: int) -> requests.Session:
    session = requests.Session()
    # No retries: a message that was written once must not be written again by the plumbing.
    adapter = HTTPAdapter(pool_connections=8, pool_maxsize=pool_size, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.headers["User-Agent"] = "Ventana"
    # The session is shared between tenants; nothing that one answer sets may travel with another's request.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def _read(response: requests.Response, *, deadline: float) -> bytes:
    """The body, within the deadline: a server that drips bytes would keep a sender for ever."""
    chunks: list[bytes] = []
    size = 0
    while chunk := response.raw.read1(_CHUNK, decode_content=True):
        chunks.append(chunk)
        size += len(chunk)
        if size > _MOST_BYTES:
            raise requests.exceptions.ContentDecodingError("the answer is too large")
        if time.monotonic() > deadline:
            raise requests.exceptions.ReadTimeout("the answer did not end in time")
    return b"".join(chunks)


_NEVER_WRITTEN = (
    requests.exceptions.ConnectTimeout,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    ConnectTimeoutError,
    NewConnectionError,
    NameResolutionError,
    ssl.SSLCertVerificationError,
)


def _failure_of(error: Exception) -> ProviderError:
    """Nothing written, or nobody knows. Whatever is not certainly the first is the second."""
    name = type(error).__name__
    cause: Any = error
    for _ in range(6):
        if isinstance(cause, _NEVER_WRITTEN):
            return NotSent(name)
        if isinstance(cause, MaxRetryError) and cause.reason is not None:
            cause = cause.reason
        elif isinstance(cause, Exception) and cause.args and isinstance(cause.args[0], Exception):
            cause = cause.args[0]
        else:
            break
    return OutcomeUnknown(name)


def _answer(response: requests.Response, content: bytes) -> dict[str, Any]:
    """The answer of a call that succeeded. Raises Refused for a definite no, OutcomeUnknown for what says neither."""
    status = response.status_code
    now = datetime.now(UTC)
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    # A 5xx may come after the message was taken, whatever its body says; so may a 408 of a proxy on the way.
    if status >= 500 or status == 408:
        raise OutcomeUnknown(f"HTTP {status}", retry_after=codes.retry_after(response.headers, now=now))
    if status >= 300 or codes.has_error(answer):
        raise codes.refusal(http_status=status, answer=answer, headers=response.headers, now=now)
    if not isinstance(answer, dict):
        raise OutcomeUnknown(f"HTTP {status} without a readable answer")
    return answer


def _next_cursor(answer: dict[str, Any], *, is_full: bool) -> str:
    """The cursor of the next page, empty on the last one: the last has cursors too, but no `next`."""
    paging = answer.get("paging")
    if not isinstance(paging, dict) or not (paging.get("next") or is_full):
        return ""
    cursors = paging.get("cursors")
    after = cursors.get("after") if isinstance(cursors, dict) else None
    return after if isinstance(after, str) else ""
