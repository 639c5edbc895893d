"""Webhooks that come ten times, too large, too slowly, too late, or cannot be merged."""

import http.client
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psutil
import pytest

from tests import meta
from tests.bench.report import milliseconds
from tests.faults import report
from tests.faults.counting import BACKLOG, count_messages
from tests.faults.killing import beats, web_slots, worker_slots
from tests.faults.sender import Meta, headers, post, texts
from tests.faults.stage import NUMBER, Stage, new_port, wait_until

LARGEST = 4 * 1024 * 1024


@pytest.fixture
def product(stage: Stage):
    """(zygote, port): one web process, one worker, beat."""
    port = new_port()
    with stage.zygote() as zygote, web_slots(zygote, [port]), worker_slots(zygote, 1), beats(zygote, sweep=0.5):
        zygote.call("tests.faults.people:found")
        yield zygote, port


def test_every_webhook_ten_times_at_once(stage: Stage, scale, product):
    """F9."""
    count, (_, port) = scale(100, 1_000), product
    webhooks = texts(count, people=count // 4)
    with Meta([port], threads=20) as sender:
        sender.deliver(webhook for webhook in webhooks for _ in range(10))
        wait_until(lambda: not sender.waiting, seconds=120)
    wait_until(lambda: stage.one(BACKLOG) == 0)

    lost, doubled = count_messages(stage, sender.history.acknowledged)
    talks = stage.one("SELECT count(*) FROM crm_conversation")
    report.note("F9", "every webhook ten times, at once", f"{count:,} × 10",
                f"**{lost} lost, {doubled} double**; {talks} conversations of {count // 4} contacts")  # fmt: skip
    assert (lost, doubled) == (0, 0)
    assert talks == count // 4


def test_the_same_webhook_eight_days_later(stage: Stage, scale, product):
    """Meta repeats for seven days; the key in the database knows no such limit."""
    count, (_, port) = scale(50, 500), product
    webhooks = texts(count, people=10)
    _deliver(stage, port, webhooks)
    for table, column in (("whatsapp_webhookevent", "received_at"), ("crm_message", "created_at")):
        stage.sql(f"UPDATE {table} SET {column} = {column} - interval '8 days'")
    before = _rows(stage)

    _deliver(stage, port, webhooks)

    changed = len(before ^ _rows(stage))
    report.note("F15", "the same webhooks eight days later", f"{count} webhooks", f"**{changed} rows changed**")
    assert changed == 0


def test_bodies_up_to_the_limit_are_taken_and_larger_ones_cost_nothing(stage: Stage, product):
    """F12. Meta may send 3 MB; Django would have refused 2.5 MB."""
    _, port = product
    taken = {size: post(port, _sized(size)) for size in (1_000_000, 2_621_440, 3_000_000, 3_100_000, LARGEST)}
    pids = [process for process in psutil.process_iter() if _is_web(process, port)]
    before = max(process.memory_info().rss for process in pids)
    with ThreadPoolExecutor(8) as pool:
        refused = set(pool.map(lambda _: _post_endless(port, 50_000_000), range(8)))
        chunked = set(pool.map(lambda _: _post_endless(port, 50_000_000, chunked=True), range(8)))
    grown = max(process.memory_info().rss for process in pids) - before
    short = _post_raw(port, body=b"{}", length=1000)

    report.note(
        "F12",
        "large, chunked and wrongly announced bodies",
        "1.0–4.0 MiB; 16 × 50 MB at once",
        f"{_spread(taken.values())} up to 4 MiB; {_spread(refused | chunked)} above, the process grew by {grown // 2**20} MB;"
        f" a body shorter than it said: {short or 'no answer'}",
    )
    assert set(taken.values()) == {200}
    assert refused | chunked <= {413, 0}
    assert 413 in refused
    assert grown < 200 * 2**20
    assert short != 200
    assert stage.one("SELECT count(*) FROM whatsapp_webhookevent") == len(taken)
    wait_until(lambda: stage.one(BACKLOG) == 0)


@pytest.mark.nightly
def test_slow_clients_hold_up_nobody(stage: Stage, scale, product):
    """F13."""
    slow, seconds, (_, port) = scale(50, 200), scale(4, 30), product
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(slow)]
    body = texts(1, people=1, prefix="wamid.slow")[0][1]
    try:
        for client in clients:
            client.sendall(_head(headers(body), len(body)))
        count = seconds * 50
        with Meta([port], rate=50) as sender:
            sender.deliver(texts(count, people=50))
            place = 0
            while sender.waiting:
                for client in clients:
                    _drip(client, body[place : place + 1])
                place += 1
                time.sleep(1)
    finally:
        for client in clients:
            client.close()
    wait_until(lambda: stage.one(BACKLOG) == 0)

    lost, doubled = count_messages(stage, sender.history.acknowledged)
    report.note("F13", "clients that send a byte a second", f"{slow} connections for {seconds} s, {count:,} webhooks beside",
                f"**{lost} lost, {doubled} double**; p99 of the others {milliseconds(sender.history.p99())}")  # fmt: skip
    assert set(sender.history.answers) == {200}
    assert (lost, doubled) == (0, 0)


_POISON = """
CREATE FUNCTION refuse_poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'poison'; END $$;
CREATE TRIGGER poison BEFORE INSERT ON crm_message FOR EACH ROW
WHEN (NEW.provider_message_id LIKE 'wamid.poison%') EXECUTE FUNCTION refuse_poison()
"""


def test_one_webhook_that_cannot_be_merged_stops_no_other(stage: Stage, scale, product):
    """F14. The waits between the eight tries are hours; they are passed by hand."""
    count, (zygote, port) = scale(200, 1_000), product
    webhooks = texts(count - 1, people=50)
    poison = texts(1, people=1, prefix="wamid.poison")
    stage.sql(_POISON)
    try:
        _deliver(stage, port, [*webhooks[: count // 2], *poison, *webhooks[count // 2 :]], left=1)
        merged = stage.one("SELECT count(*) FROM crm_message")
        wait_until(lambda: _pass_the_time(stage) == "dead", seconds=60, every=0.2)
        alerts = stage.one("SELECT count(*) FROM tenants_alert WHERE kind = 'webhook-dead' AND resolved_at IS NULL")
    finally:
        stage.sql("DROP FUNCTION refuse_poison CASCADE")
    mended = zygote.call("tests.faults.people:replay_everything")
    lost, doubled = count_messages(stage, dict([*webhooks, *poison]))

    report.note("F14", "one webhook that cannot be merged", f"1 in {count:,}",
                f"{merged:,} merged at once, the one given up after 8 tries with {alerts} alert;"
                f" replayed once the cause was gone: **{lost} lost, {doubled} double**")  # fmt: skip
    assert merged == count - 1
    assert alerts == 1
    assert mended["failed"] == []
    assert (lost, doubled) == (0, 0)


def _pass_the_time(stage: Stage) -> str:
    stage.sql(
        "UPDATE whatsapp_webhookevent SET next_attempt_at = now() WHERE state = 'new' AND next_attempt_at > now()"
    )
    return stage.one("SELECT state FROM whatsapp_webhookevent WHERE state <> 'done'")


def _deliver(stage: Stage, port: int, webhooks: list[tuple[str, bytes]], *, left: int = 0) -> None:
    with Meta([port]) as sender:
        sender.deliver(webhooks)
        wait_until(lambda: not sender.waiting, seconds=120)
    wait_until(lambda: stage.one(BACKLOG) == left)


def _rows(stage: Stage) -> set[str]:
    """Every row a webhook may change, with the version that any write would renew."""
    tables = ("crm_message", "crm_conversation", "crm_contact", "crm_identity", "crm_episode")
    return {row[0] for table in tables for row in stage.sql(f"SELECT '{table} ' || id || ' ' || xmin FROM {table}")}


def _sized(size: int) -> bytes:
    """A webhook of exactly so many bytes."""

    def body(filling: int) -> bytes:
        said = meta.text("a" * filling, wamid=f"wamid.sized.{size}", at=meta.now())
        return meta.body(meta.messages(said, number_id=NUMBER))

    return body(size - len(body(0)))


def _post_endless(port: int, size: int, *, chunked: bool = False) -> int:
    """Send `size` bytes of nothing; the status, 0 when the connection was ended before we could read one."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    block = b"a" * 65536
    try:
        connection.request(
            "POST", "/webhooks/whatsapp/", (block for _ in range(size // len(block))),
            {"Content-Type": "application/json"} | ({} if chunked else {"Content-Length": str(size // len(block) * len(block))}),
            encode_chunked=chunked,
        )  # fmt: skip
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return _answer_left_behind(connection)
    finally:
        connection.close()


def _answer_left_behind(connection: http.client.HTTPConnection) -> int:
    """What the server said before it closed on us in the middle of our sending."""
    try:
        said = connection.sock.recv(100) if connection.sock else b""
    except OSError:
        return 0
    return int(said[9:12] or 0)


def _post_raw(port: int, *, body: bytes, length: int) -> int:
    """Announce more than is sent, and end."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(_head(headers(body), length) + body)
        client.shutdown(socket.SHUT_WR)
        said = client.recv(100)
    return int(said[9:12] or 0)


def _head(fields: dict[str, str], length: int) -> bytes:
    lines = [
        f"{name}: {value}" for name, value in {"Host": "127.0.0.1", **fields, "Content-Length": str(length)}.items()
    ]
    return ("POST /webhooks/whatsapp/ HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode()


def _drip(client: socket.socket, byte: bytes) -> None:
    with suppress(OSError):  # the server may have had enough of it
        client.sendall(byte)


def _is_web(process: psutil.Process, port: int) -> bool:
    try:
        return any(line.laddr.port == port and line.status == "LISTEN" for line in process.net_connections())
    except psutil.Error:
        return False


def _spread(statuses) -> str:
    return ", ".join("cut off" if not status else str(status) for status in sorted(set(statuses)))
