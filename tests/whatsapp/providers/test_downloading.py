"""Addresses that strangers choose lead nowhere but to the public internet, and the token to trusted hosts alone."""

import io
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from typing import Any

import pytest

from tests.whatsapp.providers import forbidden
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
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()  # seconds until it sees its end
    yield server
    server.shutdown()
    server.server_close()


def url(server: ThreadingHTTPServer, path: str = "/a.jpg") -> str:
    return f"http://127.0.0.1:{server.server_address[1]}{path}"


def account(server: ThreadingHTTPServer, **more: Any) -> Account:
    return Account(number_id="1", token="secret-token", api_url=url(server, "/"), **more)


@pytest.mark.parametrize("address", [*chain.from_iterable(forbidden.ADDRESSES.values()), "fe80::1%eth0", "no address"])
def test_what_is_not_the_internet_is_not_public(address):
    assert is_public(address) is False


@pytest.mark.parametrize(
    "address", ["157.240.1.1", "8.8.8.8", "2a03:2880:f003::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]
)
def test_what_is_is(address):
    assert is_public(address) is True


@pytest.fixture
def connections(monkeypatch, far) -> list[tuple[str, int]]:
    """Every connection that this process tries to open, none of which comes about but to `far`; DNS is the corpus's."""
    tried: list[tuple[str, int]] = []
    ask, connect = socket.getaddrinfo, socket.socket.connect

    def answer(host: str, port: int, family: int = 0, type: int = 0) -> list[Any]:
        """A name that is not of the corpus is not known, but an IPv4 address may be written in many ways."""
        name = host.lower().rstrip(".")
        addresses = forbidden.NAMES.get(name, ["127.0.0.1"] if name == "localhost" else [host])
        return [each for one in addresses for each in ask(one, port, family, type, flags=socket.AI_NUMERICHOST)]

    def spied(self: socket.socket, address: Any) -> None:
        if address == far.server_address:
            return connect(self, address)
        tried.append(address[:2])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    monkeypatch.setattr(socket.socket, "connect", spied)
    monkeypatch.setattr(socket.socket, "connect_ex", spied)
    return tried


def test_the_corpus_is_large_and_says_nothing_twice():
    assert len(forbidden.ALL) == len(set(forbidden.ALL)) >= 120
    assert len(forbidden.LITERALS) >= 45


@pytest.mark.parametrize("address", forbidden.ALL)
def test_no_connection_is_opened_to_what_is_not_public_however_it_is_written(connections, address):
    with pytest.raises(CannotFetch) as refused:
        fetch(address, into=io.BytesIO(), max_bytes=1000)

    assert connections == []
    assert "127.0.0.1" not in str(refused.value)


def test_a_public_address_is_connected_to(connections):
    """Or the spy would see nothing whatever we did."""
    with pytest.raises(CannotFetch) as broken:
        fetch("https://PUBLIC.example./a.jpg", into=io.BytesIO(), max_bytes=1000)

    assert connections == [("157.240.1.1", 443)]
    assert not broken.value.is_final


@pytest.mark.parametrize("address", [*forbidden.LITERALS, *forbidden.URLS["names"], *forbidden.URLS["one number"]])
def test_a_redirect_does_not_lead_there_either(connections, far, address):
    with pytest.raises(CannotFetch) as refused:
        fetch(url(far, f"/to/{address}"), into=io.BytesIO(), max_bytes=1000, account=account(far))

    assert (connections, refused.value.is_final) == ([], True)


@pytest.mark.parametrize(
    "address", ["https://169.254.169.254/", "http://127.0.0.1/", "https://redis/", "file:///etc/passwd"]
)
def test_nor_does_a_chain_of_them(connections, far, address):
    twice = url(far, f"/to/{url(far, f'/to/{address}')}")
    with pytest.raises(CannotFetch) as refused:
        fetch(twice, into=io.BytesIO(), max_bytes=1000, account=account(far))

    assert (connections, refused.value.is_final, len(far.asked)) == ([], True, 2)


def test_a_name_that_changes_after_it_was_looked_up_gains_nothing(connections, monkeypatch):
    """DNS rebinding: the name is asked once, and the connection goes to the address that was judged."""
    answers = iter(["157.240.1.1", "127.0.0.1", "127.0.0.1"])
    ask = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **more: ask(next(answers) if host == "rebind.example" else host, *rest, **more),
    )
    with pytest.raises(CannotFetch):
        fetch("https://rebind.example/a.jpg", into=io.BytesIO(), max_bytes=1000)
    assert connections == [("157.240.1.1", 443)]

    with pytest.raises(CannotFetch) as refused:
        fetch("https://rebind.example/a.jpg", into=io.BytesIO(), max_bytes=1000)
    assert (connections, refused.value.is_final) == ([("157.240.1.1", 443)], True)


def test_the_second_address_of_a_name_is_tried(connections, monkeypatch):
    monkeypatch.setitem(forbidden.NAMES, "public.example", ["157.240.1.1", "2a03:2880:f003::1"])
    with pytest.raises(CannotFetch):
        fetch("https://public.example:8443/a.jpg", into=io.BytesIO(), max_bytes=1000)

    assert connections == [("157.240.1.1", 8443), ("2a03:2880:f003::1", 8443)]


def test_the_api_we_were_configured_with_is_trusted_as_it_is(far):
    into = io.BytesIO()
    got = fetch(url(far), into=into, max_bytes=10_000, account=account(far))
    assert (into.getvalue(), got.size, got.mime_type) == (CONTENT, len(CONTENT), "image/jpeg")
    assert far.asked == [("/a.jpg", "Bearer secret-token")]


def test_a_redirect_away_from_it_is_judged_anew_and_gets_no_token(far):
    with pytest.raises(CannotFetch) as refused:
        fetch(url(far, "/to/http://127.0.0.2:9/secret"), into=io.BytesIO(), max_bytes=9, account=account(far))
    assert refused.value.is_final
    assert downloading._is_trusted(downloading.parse_url("https://evil.example/a"), account(far)) is False


@pytest.mark.parametrize(
    ("host", "is_trusted"),
    [
        ("lookaside.fbsbx.com", True),
        ("LOOKASIDE.FBSBX.COM", True),
        ("fbsbx.com.evil.example", False),
        ("evilfbsbx.com", False),
        ("exact.example", True),
        ("sub.exact.example", False),
        ("evil.example\\.fbsbx.com", False),
        ("evil.example#.fbsbx.com", False),
        ("evil.example?.fbsbx.com", False),
    ],
)
def test_the_token_goes_to_trusted_hosts_alone(far, host, is_trusted):
    ours = account(far, media_hosts=(".fbsbx.com", "exact.example"))
    assert downloading._is_trusted(downloading.parse_url(f"https://{host}/a"), ours) is is_trusted


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
