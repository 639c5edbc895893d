"""Fetching a file from an address that somebody else chose, without being led to where only we can go.

An address of Meta's own answer, or of an API caller, may name anything: our database, a cloud's metadata service, a host
whose name changes between the check and the connection. So the **connected peer** is judged, before a byte is written to
it, and every redirect anew; the token goes to trusted hosts alone.
"""

import base64
import hashlib
import ipaddress
import socket
import time
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError

from whatsapp.providers.base import Account

CONNECT_TIMEOUT = 5.0
SILENCE_TIMEOUT = 20.0
TOTAL_TIMEOUT = 240.0
MOST_REDIRECTS = 3
_CHUNK = 64 * 1024


class CannotFetch(Exception):
    """The file did not come. `is_final`: another try would end the same way. The text names no address."""

    def __init__(self, detail: str, *, is_final: bool = False, status: int = 0) -> None:
        super().__init__(detail)
        self.detail, self.is_final, self.status = detail, is_final, status


class TooLarge(CannotFetch):
    def __init__(self) -> None:
        super().__init__("the file is too large", is_final=True)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was written: its size in bytes, the hex SHA-256 of its bytes, and the type its server gave."""

    size: int
    sha256: str
    mime_type: str


def fetch(url: str, *, into: IO[bytes], max_bytes: int, account: Account | None = None) -> Fetched:
    """Write the file at `url` into a binary file. Raises CannotFetch.

    With an `account` the origin of its API is trusted as it is, whatever its address, for that is how we were configured.
    Otherwise only https to a public address is opened, and the token goes there if the host is one of the account's
    `media_hosts`, and nowhere else.
    """
    deadline = time.monotonic() + TOTAL_TIMEOUT
    for _hop in range(MOST_REDIRECTS + 1):
        is_ours = account is not None and _origin(url) == _origin(account.api_url)
        parts = urlsplit(url)
        if not is_ours and (parts.scheme != "https" or not parts.hostname or parts.username):
            raise CannotFetch("the address is not one we open", is_final=True)
        with requests.Session() as session:
            session.trust_env = False  # neither a proxy nor a .netrc of this machine
            session.mount("http://", _Guarded(is_open=is_ours))
            session.mount("https://", _Guarded(is_open=is_ours))
            headers = (
                {"Authorization": f"Bearer {account.token}"}
                if account and account.token and (is_ours or _is_trusted(parts, account))
                else {}
            )
            try:
                response = session.get(
                    url,
                    headers={"User-Agent": "Ventana", **headers},
                    timeout=(CONNECT_TIMEOUT, SILENCE_TIMEOUT),
                    allow_redirects=False,
                    stream=True,
                )
                with response:
                    if not response.is_redirect:
                        return _written(response, into, max_bytes, deadline)
                    url = urljoin(url, response.headers["location"])
            except (requests.RequestException, HTTPError, OSError, ValueError) as error:
                failure = CannotFetch(type(error).__name__, is_final=_is_forbidden(error))
            else:
                continue
        raise failure  # outside the `except`: the error it came from carries the address and the token
    raise CannotFetch("too many redirects", is_final=True)


def same_sum(announced: str, found: str) -> bool:
    """Compare SHA-256 sums: Meta writes them in hex in answers and in base64 in webhooks. An empty one fits anything."""
    if not announced or announced.lower() == found:
        return True
    try:
        return base64.b64decode(announced, validate=True).hex() == found
    except ValueError:
        return False


def _written(response: requests.Response, into: IO[bytes], max_bytes: int, deadline: float) -> Fetched:
    status = response.status_code
    if status != 200:
        # 404: a media address lives five minutes and its file a week (Meta, "Media"); the caller knows which.
        raise CannotFetch(f"HTTP {status}", is_final=status in (400, 405, 410, 451), status=status)
    announced = response.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > max_bytes:
        raise TooLarge
    size, digest = 0, hashlib.sha256()
    for chunk in response.iter_content(_CHUNK):
        size += len(chunk)
        if size > max_bytes:
            raise TooLarge
        if time.monotonic() > deadline:
            raise CannotFetch("the file did not end in time")
        digest.update(chunk)
        into.write(chunk)
    if announced.isdigit() and size < int(announced) and "content-encoding" not in response.headers:
        raise CannotFetch("the file broke off")
    return Fetched(size, digest.hexdigest(), response.headers.get("content-type", ""))


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _is_trusted(parts: SplitResult, account: Account) -> bool:
    host = (parts.hostname or "").lower()
    return any(host == each or (each.startswith(".") and host.endswith(each)) for each in account.media_hosts)


class ForbiddenAddress(NewConnectionError):
    """The name led to an address that is not public."""


def _is_forbidden(error: Any) -> bool:
    for _ in range(6):
        if isinstance(error, ForbiddenAddress):
            return True
        error = getattr(error, "reason", None) or (error.args[0] if getattr(error, "args", None) else None)
    return False


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet's own; what hides an IPv4 address in an IPv6 one is looked into."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return inner.is_global and not inner.is_multicast
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip.is_global and not ip.is_multicast


class _PublicConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _judged(self, super()._new_conn())


class _PublicTlsConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _judged(self, super()._new_conn())


def _judged(connection: HTTPConnection, opened: socket.socket) -> socket.socket:
    if not is_public(opened.getpeername()[0]):
        opened.close()
        raise ForbiddenAddress(connection, "not a public address")
    return opened


class _PublicPool(HTTPConnectionPool):
    ConnectionCls = _PublicConnection


class _PublicTlsPool(HTTPSConnectionPool):
    ConnectionCls = _PublicTlsConnection


class _Guarded(HTTPAdapter):
    """One try, and, unless `is_open`, to public addresses only."""

    def __init__(self, *, is_open: bool) -> None:
        self._is_open = is_open
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        manager: PoolManager = self.poolmanager
        if not self._is_open:
            manager.pool_classes_by_scheme = {"http": _PublicPool, "https": _PublicTlsPool}
