"""Addresses that strangers choose lead nowhere but to the public internet, and the token to trusted hosts alone."""

import io
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from whatsapp.providers import downloading
from whatsapp.providers.base import Account
from whatsapp.providers.downloading import CannotFetch, TooLarge, fetch, is_public, same_sum

CONTENT = b"a photo of a shoe" * 100


class _Far(BaseHTTPRequestHandler):
    """A server of files, and of redirects to wherever its path says."""

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))  # type: ignore[attr-defined]
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
            return
        self.send_response(404 if self.path == "/nothing" else 200)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(CONTENT) * (2 if self.path == "/short" else 1)))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def far() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Far)
    server.asked = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def url(server: ThreadingHTTPServer, path: str = "/a.jpg") -> str:
    return f"http://127.0.0.1:{server.server_address[1]}{path}"


def account(server: ThreadingHTTPServer, **more: Any) -> Account:
    return Account(number_id="1", token="secret-token", api_url=url(server, "/"), **more)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "no address",
    ],
)  # fmt: skip
def test_what_is_not_the_internet_is_not_public(address):
    assert is_public(address) is False


@pytest.mark.parametrize("address", ["157.240.1.1", "8.8.8.8", "2a03:2880:f003::1", "::ffff:8.8.8.8"])
def test_what_is_is(address):
    assert is_public(address) is True


@pytest.mark.parametrize(
    "address",
    [
        "http://example.com/a.jpg", "ftp://example.com/a", "file:///etc/passwd", "https://user:pw@example.com/a",
        "https:///a", "gopher://127.0.0.1:6379/_FLUSHALL", "//127.0.0.1/a", "", "https://[::1/a",
    ],
)  # fmt: skip
def test_only_https_is_opened(address):
    with pytest.raises((CannotFetch, ValueError)) as refused:
        fetch(address, into=io.BytesIO(), max_bytes=1000)
    if isinstance(refused.value, CannotFetch):
        assert refused.value.is_final


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "[::1]", "[::ffff:127.0.0.1]",
        "169.254.169.254",
    ],
)  # fmt: skip
def test_a_private_address_is_refused_however_it_is_written(host):
    """The connection may open; not a byte is written to it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        port = listener.getsockname()[1]
        with pytest.raises(CannotFetch):
            fetch(f"https://{host}:{port}/a.jpg", into=io.BytesIO(), max_bytes=1000)
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            return
        with connection:
            connection.settimeout(0.5)
            assert connection.recv(100) == b""


def test_a_name_that_changes_after_it_was_looked_up_gains_nothing(monkeypatch):
    """DNS rebinding: it is the connected peer that is judged, whatever the name said before."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ask = socket.getaddrinfo
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, *rest, **more: ask("127.0.0.1" if host == "rebind.example" else host, *rest, **more),
        )
        with pytest.raises(CannotFetch) as refused:
            fetch(f"https://rebind.example:{port}/a.jpg", into=io.BytesIO(), max_bytes=1000)
        assert refused.value.is_final
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(0.5)
            assert connection.recv(100) == b""


def test_the_api_we_were_configured_with_is_trusted_as_it_is(far):
    into = io.BytesIO()
    got = fetch(url(far), into=into, max_bytes=10_000, account=account(far))
    assert (into.getvalue(), got.size, got.mime_type) == (CONTENT, len(CONTENT), "image/jpeg")
    assert far.asked == [("/a.jpg", "Bearer secret-token")]


def test_a_redirect_away_from_it_is_judged_anew_and_gets_no_token(far):
    with pytest.raises(CannotFetch) as refused:
        fetch(url(far, "/to/http://127.0.0.2:9/secret"), into=io.BytesIO(), max_bytes=9, account=account(far))
    assert refused.value.is_final
    assert downloading._is_trusted(downloading.urlsplit("https://evil.example/a"), account(far)) is False


@pytest.mark.parametrize(
    ("host", "is_trusted"),
    [
        ("lookaside.fbsbx.com", True),
        ("LOOKASIDE.FBSBX.COM", True),
        ("fbsbx.com.evil.example", False),
        ("evilfbsbx.com", False),
        ("exact.example", True),
        ("sub.exact.example", False),
    ],
)
def test_the_token_goes_to_trusted_hosts_alone(far, host, is_trusted):
    ours = account(far, media_hosts=(".fbsbx.com", "exact.example"))
    assert downloading._is_trusted(downloading.urlsplit(f"https://{host}/a"), ours) is is_trusted


def test_redirects_end(far):
    port = far.server_address[1]
    path = (
        "/to/" * 1
        + f"http://127.0.0.1:{port}/to/http://127.0.0.1:{port}/to/http://127.0.0.1:{port}/to/http://127.0.0.1:{port}/a"
    )
    with pytest.raises(CannotFetch, match="redirects"):
        fetch(url(far, path), into=io.BytesIO(), max_bytes=10_000, account=account(far))


def test_more_than_the_limit_is_not_read(far):
    with pytest.raises(TooLarge):
        fetch(url(far), into=io.BytesIO(), max_bytes=100, account=account(far))


@pytest.mark.parametrize("path", ["/short", "/nothing"])
def test_what_breaks_off_or_is_not_there_may_be_tried_again(far, path):
    with pytest.raises(CannotFetch) as refused:
        fetch(url(far, path), into=io.BytesIO(), max_bytes=10_000, account=account(far))
    assert refused.value.is_final is False
    assert "secret-token" not in f"{refused.value!r} {refused.value.__context__!r} {refused.value.__cause__!r}"


def test_sums_are_compared_in_hex_and_base64():
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert same_sum(digest, digest)
    assert same_sum(digest.upper(), digest)
    assert same_sum("ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=", digest)
    assert same_sum("", digest)
    assert not same_sum("00" * 32, digest)
    assert not same_sum("%%%", digest)
