"""Fetching a file from an address that somebody else chose, without being led to where only we can go.

An address of Meta's own answer, or of an API caller, may name anything: our database, a cloud's metadata service, a host
whose name changes between the check and the connection. So a name is looked up once, all its addresses are judged, and the
connection goes to what was judged; every redirect anew. One parser reads an address for the judgement and for the request,
as two could read two hosts in it; and the token goes to trusted hosts alone.
"""

import base64
import hashlib
import ipaddress
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import urljoin

import requests
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
)
from urllib3.util import Url, parse_url
from urllib3.util.connection import allowed_gai_family

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
        parts = _read(url)
        is_ours = account is not None and _origin(parts) == _origin(_read(account.api_url))
        if not is_ours and (parts.scheme != "https" or not parts.host or parts.auth is not None):
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


def _read(url: str) -> Url:
    """As the library reads it that will connect."""
    with suppress(LocationParseError):
        return parse_url(url)
    # Not from that error, which tells the address.
    raise CannotFetch("the address is not one we open", is_final=True)


def _origin(parts: Url) -> tuple[str | None, str, int | None]:
    return parts.scheme, (parts.host or "").lower(), parts.port or {"http": 80, "https": 443}.get(parts.scheme or "")


def _is_trusted(parts: Url, account: Account) -> bool:
    host = (parts.host or "").lower()
    return any(host == each or (each.startswith(".") and host.endswith(each)) for each in account.media_hosts)


class ForbiddenAddress(NewConnectionError):
    """The name led to an address that is not public."""


def _is_forbidden(error: Any) -> bool:
    for _ in range(6):
        if isinstance(error, ForbiddenAddress):
            return True
        error = getattr(error, "reason", None) or (error.args[0] if getattr(error, "args", None) else None)
    return False


# Of the IANA registries of special addresses what Python's own knowledge (`is_global`) leaves out, in one version or another.
_NOT_PUBLIC = [
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # IETF protocols, and a cloud's metadata (192.0.0.192)
        "192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24",  # AS112, AMT: answered by whoever is nearest
        "192.88.99.0/24",  # relays of 6to4
        "168.63.129.16/32",  # public by its number; in Azure, each machine's own host
        "2001::/23",  # IETF protocols, Teredo and ORCHID among them
        "2001:db8::/32", "3fff::/20",  # documentation
        "2002::/16",  # 6to4, which nothing should use any more (RFC 7526)
        "2620:4f:8000::/48",  # AS112
    )
]  # fmt: skip
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)  # RFC 5214: the IPv4 address of a tunnel's end follows


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet's own; what hides an IPv4 address in an IPv6 one is looked into.

    Of IPv6 only global unicast is: what is not given out yet, or was taken back, leads somewhere only by a local rule.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped or ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if ip not in _GLOBAL_UNICAST or (int(ip) >> 32) & 0xFFFFFFFF in _ISATAP:
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _NOT_PUBLIC)


class _PublicOnly(HTTPConnection):
    """Connects to none of a name's addresses unless all of them are public."""

    def _new_conn(self) -> socket.socket:
        name = self._dns_host
        failure: HTTPError = NewConnectionError(self, "the name has no address")
        try:
            for address in self._judged_addresses(name.strip("[]")):
                self._dns_host = address  # whose own name goes on being the one for TLS, after this
                try:
                    return super()._new_conn()
                except (NewConnectionError, ConnectTimeoutError) as error:
                    failure = error
        finally:
            self._dns_host = name
        raise failure

    def _judged_addresses(self, name: str) -> list[str]:
        try:
            answers = socket.getaddrinfo(name, self.port, allowed_gai_family(), socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        addresses = list(dict.fromkeys(str(answer[4][0]) for answer in answers))
        if not all(map(is_public, addresses)):
            raise ForbiddenAddress(self, "not a public address")
        return addresses


class _PublicTlsConnection(_PublicOnly, HTTPSConnection):
    pass


class _PublicPool(HTTPConnectionPool):
    ConnectionCls = _PublicOnly


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
